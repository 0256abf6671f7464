//! What a shadow would have done, by tables: beside a chain whose replies are given.

use super::*;
use crate::condition::{Condition, Test};
use crate::guards::{Power, Powers, Sight};
use crate::pointer::Pointer;
use crate::shadow::{Finding, Gist, Shadows, Would};

/// A shadow: what it may and when it is asked, and what it brings.
struct Shade {
    guards: Guards,
    when: Vec<Condition>,
    brought: Brought,
}

fn shade(brought: Brought) -> Shade {
    Shade {
        guards: Guards::default(),
        when: Vec::new(),
        brought,
    }
}

/// What the first shadow beside a chain would have done whose stages bring this.
fn find(rules: &Rules, document: &str, stages: &[Vec<Brought>], shade: &Shade) -> Finding {
    let sizes: Vec<usize> = stages.iter().map(Vec::len).chain([1]).collect();
    let (plan, chain) = plan(rules, &sizes);
    let (mut plan, mut chain) = (Arc::into_inner(plan).unwrap(), Arc::into_inner(chain).unwrap());
    chain.shadows = chain.stages.pop().unwrap().backends;
    chain.table_guard = TableGuard::Drop;
    let shadow = Arc::get_mut(plan.backends.last_mut().unwrap()).unwrap();
    (shadow.guards, shadow.when) = (shade.guards.clone(), shade.when.clone());

    let (plan, chain) = (Arc::new(plan), Arc::new(chain));
    let posted = Bytes::copy_from_slice(document.as_bytes());
    let (shadows, opened) = Shadows::open(&plan, &chain, posted);
    let tally = through((plan, chain), document, stages, |_, slot| slot as u64);
    let happened = tally.happened().unwrap();
    let gist = Gist::of(shadows.base(), &happened);
    assert_eq!(gist.verdict(), tally.finish(Form::Single).0.verdict());
    let judgement = match opened.requests.asked.first() {
        Some(request) => judge(
            opened.requests.plan.backend(request.id).unwrap(),
            request,
            shade
                .brought
                .clone()
                .map_err(|kind| Failure::new(kind, "told to")),
        ),
        None => opened.unasked.into_iter().next().unwrap().1,
    };
    shadows
        .find((0, &judgement), Duration::from_millis(3), &gist)
        .unwrap()
}

#[track_caller]
fn check(stages: &[Vec<Brought>], brought: Brought, would: Would, places: &[&str]) {
    check_as(&OPEN, DOCUMENT, (stages, &shade(brought)), would, places);
}

#[track_caller]
fn check_as(
    rules: &Rules,
    document: &str,
    (stages, shade): (&[Vec<Brought>], &Shade),
    would: Would,
    places: &[&str],
) {
    let found = find(rules, document, stages, shade);
    let got: Vec<&str> = found.changes.iter().map(|change| &*change.pointer).collect();
    assert_eq!(
        (found.would, &got[..]),
        (Some(would), places),
        "{:?}",
        shade.brought
    );
    assert_eq!(found.differences, places.len());
    assert_eq!(found.call.took, Duration::from_millis(3));
}

/// The document with another member behind `n`, and another value of `n`.
fn edited(n: &str, more: &str) -> Brought {
    json(&DOCUMENT.replace("\"n\": 1.0", &format!("\"n\": {n}{more}")))
}

#[test]
fn verdicts_against_what_happened() {
    use Would::{Agree, Change, Fail, Reject};
    let (passed, refused) = (vec![vec![nothing()]], vec![vec![nothing(), reject("no")]]);
    let broken = vec![vec![Err(FailureKind::Reset)]];
    for (brought, where_passed, where_refused) in [
        (nothing(), Agree, Change),
        (json("{}"), Agree, Change),
        (json("[1]"), Agree, Change),
        (json(DOCUMENT), Agree, Change),
        (reply(302, "", ""), Agree, Change),
        (reject("no"), Reject, Agree),
        (reject("for another reason"), Reject, Agree),
        (text("a text"), Change, Change),
        (edited("2", ""), Change, Change),
        (json("{"), Fail, Fail),
        (reply(500, "", ""), Fail, Fail),
        (Err(FailureKind::Timeout), Fail, Fail),
    ] {
        let found = |rules: &Rules, stages: &[Vec<Brought>]| {
            find(rules, DOCUMENT, stages, &shade(brought.clone())).would
        };
        assert_eq!(found(&OPEN, &passed), Some(where_passed), "{brought:?}");
        assert_eq!(found(&OPEN, &broken), Some(where_passed), "{brought:?}");
        assert_eq!(found(&OPEN, &refused), Some(where_refused), "{brought:?}");
        // A refusal of the gateway's own is one too.
        let rules = Rules {
            on_failure: closed(),
            ..OPEN
        };
        assert_eq!(found(&rules, &broken), Some(where_refused), "{brought:?}");
    }
}

#[test]
fn edits_count_that_the_answer_lacks() {
    use Would::{Agree, Change};
    let nobody = vec![vec![nothing()]];
    check(&nobody, edited("1", ""), Agree, &[]);
    check(
        &nobody,
        edited("2", ", \"倍率\": [1, 2]"),
        Change,
        &["/result/n", "/result/倍率"],
    );
    // What the chain has edited too is no difference, in whichever stage and spelling; nor is what it alone has.
    let chain = vec![vec![edited("2", "")], vec![edited("2", ", \"倍率\": [1, 2]")]];
    check(&chain, edited("2.0", ""), Agree, &[]);
    check(&chain, edited("2", ", \"倍率\": [1.0, 2]"), Agree, &[]);
    check(&chain, nothing(), Agree, &[]);
    check(&chain, json(DOCUMENT), Agree, &[]);
    check(&chain, edited("3", ""), Change, &["/result/n"]);
    check(
        &chain,
        edited("2", ", \"倍率\": [1, 3]"),
        Change,
        &["/result/倍率/1"],
    );
    // A column that the guard of the table would leave out changes nothing.
    check(&nobody, edited("1.0", ", \"倍率\": [1]"), Agree, &[]);
}

#[test]
fn attachments_count_that_the_chain_does_not_carry() {
    let chain = vec![vec![text("a text"), nothing()]];
    check(&chain, text("a text"), Would::Agree, &[]);
    check(&chain, text("another"), Would::Change, &[]);
    check(
        &chain,
        reply(200, "application/zip", "a text"),
        Would::Change,
        &[],
    );
}

#[test]
fn a_document_that_does_not_parse() {
    let chain = vec![vec![nothing()]];
    let check = |brought, would| check_as(&OPEN, "{", (&chain, &shade(brought)), would, &[]);
    check(nothing(), Would::Agree);
    check(json("{\"a\": 1}"), Would::Change);
    check(json("{}"), Would::Agree);
    check(reject("no"), Would::Reject);
    // The last JSON reply is the answer, whole: whoever says the same changes nothing.
    let chain = vec![vec![json("{\"a\": 1}"), json("{\"a\": 2}")], vec![nothing()]];
    let check = |brought, would| check_as(&OPEN, "{", (&chain, &shade(brought)), would, &[]);
    check(nothing(), Would::Agree);
    check(json("{\"a\": 2}"), Would::Agree);
    check(json("{\"a\": 1}"), Would::Change);
}

#[test]
fn guards_and_conditions_hold_for_shadows() {
    let chain = vec![vec![nothing()]];
    let result = || vec![Pointer::parse("/result").unwrap()];
    let hiding = Guards {
        sight: Sight::Hide(result()),
        ..Guards::default()
    };
    let silent = Guards {
        may: Powers::of([Power::Json]),
        ..Guards::default()
    };
    let kept = Guards {
        may_change: Some(vec![Pointer::parse("/addons").unwrap()]),
        ..Guards::default()
    };
    for (guards, brought, would, denied) in [
        (hiding, json(r#"{"result": {"n": 2}}"#), Would::Agree, 1),
        (silent, reject("no"), Would::Agree, 0),
        (kept, edited("2", ""), Would::Agree, 1),
    ] {
        let shade = Shade {
            guards,
            ..shade(brought)
        };
        let found = find(&OPEN, DOCUMENT, &chain, &shade);
        assert_eq!((found.would, found.call.denied.count), (Some(would), denied));
    }
}

/// Skipped, it would have done nothing; where nobody can tell, it has failed.
#[test]
fn who_is_not_asked() {
    let chain = vec![vec![nothing()]];
    let condition = Condition {
        at: Pointer::parse("/nowhere").unwrap(),
        test: Test::Exists,
    };
    let conditional = Shade {
        when: vec![condition],
        ..shade(reject("no"))
    };
    let found = find(&OPEN, DOCUMENT, &chain, &conditional);
    assert_eq!((found.would, found.is_dropped()), (None, false));
    let found = find(&OPEN, "{", &chain, &conditional);
    assert_eq!((found.would, found.is_dropped()), (Some(Would::Fail), false));
    let found = find(&OPEN, DOCUMENT, &chain, &shade(Err(FailureKind::Overloaded)));
    assert_eq!((found.would, found.is_dropped()), (None, true));
}
