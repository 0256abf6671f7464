//! Guards in a chain: who is asked, what counts, and what the answer is.

use super::*;
use crate::guards::{Keys, Power, Powers, Sight};
use crate::pointer::Pointer;

fn places(texts: &[&str]) -> Vec<Pointer> {
    texts.iter().map(|text| Pointer::parse(text).unwrap()).collect()
}

fn hide(texts: &[&str]) -> Guards {
    let sight = Sight::Hide(places(texts));
    Guards {
        sight,
        ..Guards::default()
    }
}

fn may(powers: &[Power]) -> Guards {
    Guards {
        may: Powers::of(powers.iter().copied()),
        ..Guards::default()
    }
}

fn may_change(texts: &[&str]) -> Guards {
    Guards {
        may_change: Some(places(texts)),
        ..Guards::default()
    }
}

/// Backends of one stage, each with its guards and what it brings.
fn run_guarded(rules: &Rules, document: &str, backends: &[(Guards, Brought)]) -> (Outcome, Draft) {
    let (plan, chain) = plan(rules, &[backends.len()]);
    let mut plan = Arc::into_inner(plan).unwrap();
    for (backend, (guards, _)) in plan.backends.iter_mut().zip(backends) {
        Arc::get_mut(backend).unwrap().guards = guards.clone();
    }
    let brought = backends.iter().map(|(_, brought)| brought.clone()).collect();
    drive((Arc::new(plan), chain), document, &[brought], |_, slot| {
        slot as u64
    })
}

fn check(what: &str, backends: &[(Guards, Brought)], status: u16, body: &str) -> Outcome {
    let (outcome, draft) = run_guarded(&OPEN, DOCUMENT, backends);
    let answer = answer(draft);
    let answered = (answer.status, std::str::from_utf8(&answer.body).unwrap());
    assert_eq!(answered, (status, body), "{what}");
    outcome
}

#[test]
fn only_who_is_under_no_guard_passes_byte_for_byte() {
    let with_k = DOCUMENT.replace("1.0}", "1.0,\"k\":5}");
    let kebab = Guards {
        keys: Keys::Kebab,
        ..Guards::default()
    };
    for (guards, body) in [
        (Guards::default(), PATCH),
        (may(&[Power::Json]), PATCH),
        (hide(&["/addons"]), with_k.as_str()),
        (hide(&["/nothing"]), &with_k),
        (kebab, &with_k),
        (may_change(&["/result"]), &with_k),
        (may_change(&["/message"]), DOCUMENT),
    ] {
        check("alone", &[(guards, json(PATCH))], 200, body);
    }
}

#[test]
fn what_a_backend_may_not_say_is_not_said() {
    let check = |powers: &[Power], brought: Brought, answered: (u16, &str), ended: &str| {
        let what = format!("{powers:?} {brought:?}");
        let outcome = check(&what, &[(may(powers), brought)], answered.0, answered.1);
        let call = &outcome.calls[0];
        let overreach = call.overreach.map_or("", Power::as_str);
        assert_eq!(format!("{} {overreach}", call.verdict).trim(), ended, "{what}");
        assert_eq!(call.denied.count, 0, "{what}");
    };
    let png = || reply(200, "image/png", "png");
    let html = || reply(200, "text/html", "x");
    check(&[Power::Json], reject("no"), (204, ""), "ignored reject");
    check(&[Power::Reject], reject("no"), (403, "no"), "reject");
    check(&[], reply(500, "", ""), (204, ""), "failed");
    check(&[Power::Reject], text("hi"), (204, ""), "continue text");
    check(&[Power::Text], text("hi"), (200, "hi"), "continue");
    check(&[Power::Text], png(), (204, ""), "continue image");
    check(&[Power::Image], png(), (200, "png"), "continue");
    check(
        &[Power::Image],
        reply(200, "", "file"),
        (204, ""),
        "continue file",
    );
    check(&[Power::Text], html(), (204, ""), "continue file");
    check(&[Power::File], html(), (200, "x"), "continue");
    check(&[], nothing(), (204, ""), "continue");
    check(&[], reply(302, "", "x"), (204, ""), "ignored");
    check(&[], json("{"), (204, ""), "failed");
    check(&[], json("[1]"), (204, ""), "continue");
    check(&[], json(ECHO), (204, ""), "continue");
}

#[test]
fn json_that_a_backend_may_not_send_edits_nothing() {
    let outcome = check("edits", &[(may(&[Power::Text]), json(PATCH))], 204, "");
    let call = &outcome.calls[0];
    assert_eq!((call.edits, call.denied.count, call.overreach), (0, 1, None));
    assert_eq!(call.denied.places, ["/result/k"]);
}

#[test]
fn denied_edits_are_in_nobodys_way() {
    let outcome = check(
        "a conflict that is none",
        &[
            (
                may_change(&["/result"]),
                json(r#"{"message":{"id":2},"result":{"k":1}}"#),
            ),
            (
                hide(&["/result"]),
                json(r#"{"message":{"id":3},"result":{"k":2}}"#),
            ),
        ],
        200,
        &DOCUMENT
            .replace(r#""id": 1"#, r#""id": 3"#)
            .replace("1.0}", "1.0,\"k\":1}"),
    );
    assert_eq!(outcome.merging.conflicts, 0);
    let seen = outcome
        .calls
        .iter()
        .map(|call| (call.edits, call.denied.places.join(" ")));
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [(1, "/message/id".to_owned()), (1, "/result".to_owned())]
    );
}

#[test]
fn a_document_that_does_not_parse() {
    let broken = "{broken";
    let open = [
        (hide(&["/config"]), json(PATCH)),
        (Guards::default(), json(OTHER)),
    ];
    let (outcome, draft) = run_guarded(&OPEN, broken, &open);
    assert_eq!(&*answer(draft).body, OTHER.as_bytes());
    let hidden = &outcome.calls[0];
    assert_eq!((hidden.verdict, hidden.sent), (CallVerdict::Failed, 0));
    assert_eq!(hidden.failure.as_ref().unwrap().kind, FailureKind::Condition);
    assert!(hidden.failed_open);

    // Where it must not fail open nobody is asked at all.
    let rules = Rules {
        on_failure: closed(),
        ..OPEN
    };
    let shown = Guards {
        sight: Sight::Show(places(&["/message"])),
        ..Guards::default()
    };
    for reject in [RejectRule::First, RejectRule::Ordered] {
        let rules = Rules {
            reject,
            ..rules.clone()
        };
        let (outcome, draft) = run_guarded(
            &rules,
            broken,
            &[(Guards::default(), nothing()), (shown.clone(), nothing())],
        );
        assert_eq!(answer(draft).status, 502);
        let other = match reject {
            RejectRule::First => CallVerdict::Cancelled,
            RejectRule::Ordered => CallVerdict::Continue,
        };
        assert_eq!(outcome.calls[0].verdict, other);
        assert_eq!(outcome.source, Source::FailedClosed(1));
    }

    // Who sees everything is asked, and nobody can tell what it changed.
    for (guards, status, denied) in [
        (may_change(&["/result"]), 204, 1),
        (may(&[Power::Reject]), 204, 1),
        (
            Guards {
                keys: Keys::Snake,
                ..Guards::default()
            },
            200,
            0,
        ),
    ] {
        let (outcome, draft) = run_guarded(&OPEN, broken, &[(guards, json(PATCH))]);
        assert_eq!(
            (answer(draft).status, outcome.calls[0].denied.count),
            (status, denied)
        );
        assert_eq!(outcome.calls[0].sent, broken.len());
    }
}
