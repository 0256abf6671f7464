//! Columns of the wrong length, and what they mean for the answer.

use super::*;
use crate::outcome::WrongColumn;
use crate::plan::TableGuard;

/// Runs a chain under this guard.
fn run(guard: TableGuard, document: &str, stages: &[Vec<Brought>]) -> (Outcome, Answer) {
    let sizes: Vec<usize> = stages.iter().map(Vec::len).collect();
    let (plan, mut chain) = plan(&OPEN, &sizes);
    Arc::get_mut(&mut chain).unwrap().table_guard = guard;
    let hook = Hook {
        name: HookName::new("onResult").unwrap(),
        base: Arc::new(Base::new(Bytes::copy_from_slice(document.as_bytes()))),
    };
    let mut tally = Tally::new(plan, chain, hook);
    let mut stages = stages.iter();
    while let Some(requests) = tally.open_stage() {
        let stage = stages.next().unwrap();
        for request in requests.asked.iter().rev() {
            let judgement = judged(
                &tally,
                request,
                stage[request.slot].clone().map_err(|kind| Failure::new(kind, "")),
            );
            tally.record(request.slot, judgement, Duration::ZERO);
        }
        tally.close_stage(Duration::ZERO);
    }
    let (outcome, draft) = tally.finish(Form::Single);
    (outcome, answer(draft))
}

fn body(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

const SHORT: &str = r#"{"result":{"k":[1]}}"#;
const LONG: &str = r#"{"result":{"j":[1,2,3]}}"#;
const GOOD: &str = r#"{"result":{"g":[1,2]}}"#;

#[test]
fn a_sole_reply_passes_where_nothing_can_be_dropped() {
    let no_table = r#"{"message": {}, "result": {}}"#;
    for (guard, document, reply, expected) in [
        (TableGuard::Off, DOCUMENT, SHORT, SHORT.to_owned()),
        (TableGuard::Report, DOCUMENT, SHORT, SHORT.to_owned()),
        (TableGuard::Drop, no_table, SHORT, SHORT.to_owned()),
        (TableGuard::Drop, DOCUMENT, SHORT, DOCUMENT.to_owned()),
        (
            TableGuard::Drop,
            DOCUMENT,
            GOOD,
            DOCUMENT.replace("1.0}", "1.0,\"g\":[1,2]}"),
        ),
    ] {
        let (outcome, answer) = run(guard, document, &[vec![json(reply)]]);
        assert_eq!(
            (answer.status, body(&answer)),
            (200, &*expected),
            "{guard:?} {reply}"
        );
        let looks = guard != TableGuard::Off && document == DOCUMENT && reply == SHORT;
        assert_eq!(
            outcome.calls[0].wrong_columns,
            u64::from(looks),
            "{guard:?} {reply}"
        );
    }
}

#[test]
fn columns_are_told_with_names_over_all_stages() {
    let stages = [
        vec![json(SHORT), json(GOOD), nothing(), json(LONG)],
        vec![json(r#"{"result":{"h":[]}}"#)],
    ];
    let (outcome, answer) = run(TableGuard::Drop, DOCUMENT, &stages);
    assert_eq!(body(&answer), DOCUMENT.replace("1.0}", "1.0,\"g\":[1,2]}"));
    let counts: Vec<u64> = outcome.calls.iter().map(|call| call.wrong_columns).collect();
    assert_eq!(counts, [1, 0, 0, 1, 1]);
    let column = |pointer: &str, found, backend: &str| WrongColumn {
        pointer: pointer.into(),
        found: Some(found),
        expected: 2,
        backends: vec![backend.into()],
        dropped: true,
    };
    let expected = [
        column("/result/k", 1, "b0"),
        column("/result/j", 3, "b3"),
        column("/result/h", 0, "b4"),
    ];
    assert_eq!(outcome.merging.wrong_columns, expected);
}

#[test]
fn so_many_are_listed_over_all_stages() {
    let many = |from: usize| {
        let columns: Vec<String> = (from..from + 20).map(|index| format!("\"{index}\":[]")).collect();
        json(&format!("{{\"result\":{{{}}}}}", columns.join(",")))
    };
    let (outcome, _) = run(TableGuard::Report, DOCUMENT, &[vec![many(0)], vec![many(20)]]);
    assert_eq!(outcome.merging.wrong_columns.len(), 32);
    let counts: Vec<u64> = outcome.calls.iter().map(|call| call.wrong_columns).collect();
    assert_eq!(counts, [20, 20]);
}
