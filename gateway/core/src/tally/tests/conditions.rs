//! Who is not asked, and what that means for the hook.

use super::*;
use crate::condition::{Condition, Scalar, Test};
use crate::pointer::Pointer;

/// What a backend of a stage is told: its condition, if it has one, and what it would bring.
type Told = (Option<Condition>, Brought);

/// The document's ID is this.
fn id_is(id: i64) -> Option<Condition> {
    Some(Condition {
        at: Pointer::parse("/message/id").unwrap(),
        test: Test::In(vec![Scalar::integer(id)]),
    })
}

/// Runs a hook; tells too who was asked, by name.
fn run(rules: &Rules, document: &str, stages: &[Vec<Told>]) -> (Outcome, Draft, Vec<String>) {
    let sizes: Vec<usize> = stages.iter().map(Vec::len).collect();
    let (mut plan, chain) = plan(rules, &sizes);
    let backends = &mut Arc::get_mut(&mut plan).unwrap().backends;
    for (backend, (condition, _)) in backends.iter_mut().zip(stages.iter().flatten()) {
        Arc::get_mut(backend).unwrap().when.extend(condition.clone());
    }
    let hook = Hook {
        name: HookName::new("onMessage").unwrap(),
        base: Arc::new(Base::new(Bytes::copy_from_slice(document.as_bytes()))),
    };
    let mut tally = Tally::new(plan, chain, hook);
    let mut asked = Vec::new();
    let mut stages = stages.iter();
    while let Some(requests) = tally.open_stage() {
        let stage = stages.next().unwrap();
        for request in &requests.asked {
            asked.push(requests.plan.backend(request.id).unwrap().name.to_string());
            let brought = stage[request.slot].1.clone();
            let judgement = judged(
                &tally,
                request,
                brought.map_err(|kind| Failure::new(kind, "told to")),
            );
            tally.record(request.slot, judgement, Duration::from_secs(1));
        }
        tally.close_stage(Duration::from_secs(2));
    }
    let (outcome, draft) = tally.finish(Form::Single);
    (outcome, draft, asked)
}

/// What stands in a row of a table: who is asked, each call's verdict, status and body of the answer.
fn check(rules: &Rules, document: &str, stages: &[Vec<Told>], expected: (&str, &str, u16, &str)) -> Outcome {
    let (outcome, draft, asked) = run(rules, document, stages);
    let verdicts: Vec<&str> = outcome.calls.iter().map(|call| call.verdict.as_str()).collect();
    let answer = answer(draft);
    let body = std::str::from_utf8(&answer.body).unwrap();
    let found = (&*asked.join(" "), &*verdicts.join(" "), answer.status, body);
    assert_eq!(found, expected, "{stages:?}");
    outcome
}

#[test]
fn who_is_skipped_is_not_asked_and_has_no_say() {
    let check = |stages: &[Vec<Told>], expected| check(&OPEN, DOCUMENT, stages, expected);
    let outcome = check(&[vec![(id_is(2), reject("no"))]], ("", "skipped", 204, ""));
    assert_eq!(
        (outcome.calls[0].sent, outcome.calls[0].took),
        (0, Duration::ZERO)
    );
    assert!(outcome.calls[0].failure.is_none() && !outcome.calls[0].failed_open);
    check(&[vec![(id_is(1), reject("no"))]], ("b0", "reject", 403, "no"));
    check(
        &[vec![
            (id_is(2), reject("no")),
            (None, json(PATCH)),
            (id_is(3), text("x")),
        ]],
        ("b1", "skipped continue skipped", 200, PATCH),
    );
    check(
        &[
            vec![(id_is(2), text("a")), (id_is(3), text("b"))],
            vec![(id_is(1), text("c"))],
        ],
        ("b2", "skipped skipped continue", 200, "c"),
    );
}

#[test]
fn conditions_see_what_earlier_stages_have_changed() {
    let set = json(r#"{"message":{"id":2}}"#);
    let after = DOCUMENT.replace(r#""id": 1"#, r#""id": 2"#);
    let later = vec![(id_is(1), reject("no")), (id_is(2), json(ECHO))];
    check(
        &OPEN,
        DOCUMENT,
        &[vec![(None, set.clone())], later],
        (
            "b0 b2",
            "continue skipped continue",
            200,
            &after.replace(r#""id": 2"#, r#""id": 1"#),
        ),
    );
    // In the same stage nobody sees them.
    check(
        &OPEN,
        DOCUMENT,
        &[vec![(None, set), (id_is(2), reject("no"))]],
        ("b0", "continue skipped", 200, r#"{"message":{"id":2}}"#),
    );
}

#[test]
fn a_document_that_does_not_parse_fails_the_call_by_its_policy() {
    let rules = |reject| Rules {
        reject,
        on_failure: closed(),
        ..OPEN
    };
    let stage = [
        vec![(None, text("hi")), (id_is(1), nothing())],
        vec![(None, text("ho"))],
    ];
    let outcome = check(
        &OPEN,
        "{broken",
        &stage,
        ("b0 b2", "continue failed continue", 200, "hi\nho"),
    );
    let failure = outcome.calls[1].failure.as_ref().unwrap();
    assert_eq!(failure.kind, FailureKind::Condition);
    assert!(outcome.calls[1].failed_open);
    // At once, and nobody else is asked.
    let first = rules(RejectRule::First);
    let outcome = check(&first, "{broken", &stage, ("", "cancelled failed", 502, "closed"));
    assert_eq!(outcome.source, Source::FailedClosed(1));
    assert!(!outcome.calls[1].failed_open);
    assert_eq!(outcome.calls[0].sent, 0);
    // In order, and those of the stage are asked.
    let ordered = rules(RejectRule::Ordered);
    check(
        &ordered,
        "{broken",
        &stage,
        ("b0", "continue failed", 502, "closed"),
    );
}

#[test]
fn only_conditions_make_opening_heavy() {
    let weight = |condition: Option<Condition>| {
        let (mut plan, chain) = plan(&OPEN, &[1, 1]);
        let backend = &mut Arc::get_mut(&mut plan).unwrap().backends[1];
        Arc::get_mut(backend).unwrap().when.extend(condition);
        let hook = Hook {
            name: HookName::new("onMessage").unwrap(),
            base: Arc::new(Base::new(Bytes::from_static(DOCUMENT.as_bytes()))),
        };
        let mut tally = Tally::new(plan, chain, hook);
        let first = tally.opening_weight();
        tally.open_stage();
        (first, tally.opening_weight())
    };
    assert_eq!(weight(None), (0, 0));
    assert_eq!(weight(id_is(1)), (0, DOCUMENT.len()));
}
