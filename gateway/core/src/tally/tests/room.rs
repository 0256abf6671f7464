//! No room for what the replies would make.

use super::*;

/// A stage whose backends have said this, before it is closed.
fn open(rules: &Rules, replies: &[Brought]) -> Tally {
    let (plan, chain) = plan(rules, &[replies.len()]);
    let hook = Hook {
        name: HookName::new("onResult").unwrap(),
        base: Arc::new(Base::new(DOCUMENT.into())),
    };
    let mut tally = Tally::new(plan, chain, hook);
    for request in tally.open_stage().unwrap().asked {
        let brought = replies[request.slot]
            .clone()
            .map_err(|kind| Failure::new(kind, "told to"));
        let judgement = judged(&tally, &request, brought);
        assert_eq!(
            tally.record(request.slot, judgement, Duration::ZERO),
            Progress::Open
        );
    }
    tally
}

#[test]
fn what_is_made_is_known_before() {
    for (replies, made) in [
        (vec![], None),
        (vec![nothing(), text("hello"), Err(FailureKind::Timeout)], None),
        (vec![json(DOCUMENT)], None),
        (vec![json(r#"{"addons": {"a": 12}}"#)], Some(r#""a": 12,"#.len())),
        (
            vec![json(r#"{"x": 1}"#), nothing(), json(r#"{"result": {"n": 22}}"#)],
            Some(r#""x": 1,22,"#.len()),
        ),
    ] {
        let mut tally = open(&OPEN, &replies);
        let most = tally.makes();
        assert_eq!(most, made.map_or(0, |more| DOCUMENT.len() + more), "{replies:?}");
        tally.close_stage(Duration::ZERO);
        let whole = tally.base.bytes().len();
        assert!(most == 0 || whole <= most, "{whole} of {most}: {replies:?}");
    }
}

#[test]
fn whoever_edits_has_failed() {
    let replies = [
        json(r#"{"addons": {"a": 1}}"#),
        json(DOCUMENT),
        text("hello"),
        json(r#"{"addons": {"b": 1}}"#),
    ];
    let mut tally = open(&OPEN, &replies);
    tally.finds_no_room("full");
    assert_eq!(tally.makes(), 0);
    tally.close_stage(Duration::ZERO);
    let (outcome, draft) = tally.finish(Form::Single);
    let verdicts: Vec<_> = outcome.calls.iter().map(|call| call.verdict).collect();
    use CallVerdict::{Continue, Failed};
    assert_eq!(verdicts, [Failed, Continue, Continue, Failed]);
    let failed = &outcome.calls[3];
    let kind = failed.failure.as_ref().map(|failure| failure.kind);
    assert_eq!((kind, failed.edits), (Some(FailureKind::Overloaded), 0));
    assert!(failed.failed_open);
    assert_eq!(outcome.merging.merges, 1, "an echo is folded all the same");
    assert!(answer(draft).status == 200);
}

#[test]
fn each_by_its_own_policy() {
    let rules = Rules {
        on_failure: closed(),
        ..OPEN
    };
    for reject in [RejectRule::First, RejectRule::Ordered] {
        let rules = Rules {
            reject,
            ..rules.clone()
        };
        let mut tally = open(&rules, &[nothing(), json(r#"{"addons": {"a": 1}}"#)]);
        tally.finds_no_room("full");
        assert_eq!(tally.close_stage(Duration::ZERO), Progress::Settled);
        let (outcome, draft) = tally.finish(Form::Single);
        assert_eq!(outcome.source, Source::FailedClosed(1));
        assert_eq!(answer(draft).status, 502);
    }
}
