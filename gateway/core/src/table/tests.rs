//! The guard of the table by rows, and as properties: what it lets through it lets through again, a report changes
//! nothing, and which columns are wrong is what a small model says.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, json};

use crate::json::Document;
use crate::json::diff::{Echoes, Edits, diff};
use crate::merge::{Merged, merge, merge_guarded};
use crate::plan::{OnConflict, TableGuard};

const BASE: &str = r#"{"config": {"a": [1]}, "result": {"节点名称": ["x", "y", "z"], "类型": ["ss","ss","ss"], "RTT":[1, 2 ,3],
  "速度": [[1, 2], [3], []], "odd": [1], "线程": 4, "version": "1"}}"#;

fn edits(base: &Document, replies: &[impl AsRef<str>]) -> Vec<Edits> {
    let mut echoes = Echoes::default();
    let of = |reply: &str| diff(base, Bytes::copy_from_slice(reply.as_bytes()), &mut echoes);
    replies
        .iter()
        .map(AsRef::as_ref)
        .map(of)
        .map(|diff| diff.unwrap().edits)
        .collect()
}

fn document(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn guarded(base: &Document, replies: &[impl AsRef<str>], guard: TableGuard) -> Merged {
    let edits = edits(base, replies);
    merge_guarded(base, &edits.iter().collect::<Vec<_>>(), OnConflict::Last, guard)
}

fn text(merged: &Merged) -> Option<&str> {
    merged
        .document
        .as_ref()
        .map(|document| std::str::from_utf8(document.bytes()).unwrap())
}

/// Replies to a base, written as what they have in `result`; what is told, as `pointer found/expected by`; and the
/// document where columns are dropped, as what `result` ends with behind the base's first column, or `=`.
fn check_in(base: &str, results: &[&str], told: &[&str], dropped: &str) {
    let base_document = document(base);
    let replies: Vec<String> = results
        .iter()
        .map(|result| format!("{{\"result\": {result}}}"))
        .collect();
    let list = |merged: &Merged| -> Vec<String> {
        let line = |column: &crate::merge::MisfitColumn| {
            let found = column.found.map_or("none".to_owned(), |found| found.to_string());
            let by: Vec<String> = column.by.iter().map(ToString::to_string).collect();
            format!("{} {found}/{} {}", column.pointer, column.expected, by.join(","))
        };
        merged.misfits.listed.iter().map(line).collect()
    };
    let reported = guarded(&base_document, &replies, TableGuard::Report);
    assert_eq!(list(&reported), told, "{results:?}");
    let unguarded = guarded(&base_document, &replies, TableGuard::Off);
    assert_eq!(text(&reported), text(&unguarded), "{results:?}");
    assert!(unguarded.misfits.listed.is_empty());
    let found = guarded(&base_document, &replies, TableGuard::Drop);
    assert_eq!(list(&found), told, "{results:?}");
    let want = match dropped {
        "=" => None,
        tail => Some(format!("{}{tail}", &base[..base.len() - 2])),
    };
    assert_eq!(text(&found), want.as_deref(), "{results:?}");
    if told.is_empty() {
        assert_eq!(text(&found), text(&reported), "{results:?}");
    }
    for index in 0..replies.len() {
        let count = found
            .misfits
            .listed
            .iter()
            .filter(|column| column.by.contains(&index))
            .count();
        assert_eq!(
            found.misfits.counts.get(index).copied().unwrap_or(0),
            count as u64
        );
    }
}

fn check(results: &[&str], told: &[&str], dropped: &str) {
    check_in(BASE, results, told, dropped);
}

#[test]
fn added_columns() {
    check(&[r#"{"new": [1,2,3]}"#], &[], r#","new": [1,2,3]}}"#);
    check(&[r#"{"new": []}"#], &["/result/new 0/3 0"], "=");
    check(&[r#"{"new": [[1,2],[3]]}"#], &["/result/new 2/3 0"], "=");
    check(
        &[r#"{"new": [ "a,b" , {"c":[1,2]}, "]" , null ]}"#],
        &["/result/new 4/3 0"],
        "=",
    );
    check(&[r#"{"a~/b": [1]}"#], &["/result/a~0~1b 1/3 0"], "=");
    // What is no array is no column.
    check(&[r#"{"note": "x"}"#], &[], r#","note": "x"}}"#);
    check(&[r#"{"note": {"x": []}}"#], &[], r#","note": {"x": []}}}"#);
    // The others stay, in their order.
    check(
        &[
            r#"{"a": [1,2,3], "b": [1], "c": [4,5,6]}"#,
            r#"{"d": [], "e": [7,8,9]}"#,
        ],
        &["/result/b 1/3 0", "/result/d 0/3 1"],
        r#","a": [1,2,3],"c": [4,5,6],"e": [7,8,9]}}"#,
    );
    // Two values of one new column: the one that stands is judged.
    check(&[r#"{"a": [1,2,3]}"#, r#"{"a": [1]}"#], &["/result/a 1/3 1"], "=");
    check(&[r#"{"a": [1]}"#, r#"{"a": [1,2,3]}"#], &[], r#","a": [1,2,3]}}"#);
}

#[test]
fn edited_columns() {
    let told = |name: &str, found: &str, by: &str| vec![format!("/result/{name} {found}/3 {by}")];
    let check = |results: &[&str], told: Vec<String>| {
        check(results, &told.iter().map(String::as_str).collect::<Vec<_>>(), "=");
    };
    check(&[r#"{"RTT": [1,2]}"#], told("RTT", "2", "0"));
    check(&[r#"{"RTT": []}"#], told("RTT", "0", "0"));
    check(&[r#"{"RTT": [1,2,3,4]}"#], told("RTT", "4", "0"));
    check(&[r#"{"速度": [[1],[2]]}"#], told("速度", "2", "0"));
    check(&[r#"{"RTT": null}"#], told("RTT", "none", "0"));
    check(&[r#"{"RTT": "1,2,3"}"#], told("RTT", "none", "0"));
    // It was a number, and is a column now.
    check(&[r#"{"线程": [4]}"#], told("线程", "1", "0"));
    // It was too short, and somebody edits it.
    check(&[r#"{"odd": [2]}"#], told("odd", "1", "0"));
    // Each append alone is of the right length, or was sent so; together they are not.
    check(
        &[r#"{"RTT": [1,2,3,4]}"#, r#"{"RTT": [1,2,3,5]}"#],
        told("RTT", "5", "0,1"),
    );
    check(
        &[r#"{"odd": [1,2,3]}"#, r#"{"odd": [1,4,5]}"#],
        told("odd", "5", "0,1"),
    );
}

#[test]
fn what_fits_passes() {
    let base =
        r#"{"result": {"节点名称": ["x", "y"], "RTT": [1, 2], "速度": [[1, 2], [3]], "odd": [1], "n": 4}}"#;
    let check = |results: &[&str], want: &str| {
        let base = document(base);
        let replies: Vec<String> = results
            .iter()
            .map(|result| format!("{{\"result\": {result}}}"))
            .collect();
        let merged = guarded(&base, &replies, TableGuard::Drop);
        assert_eq!(merged.misfits.listed, [], "{results:?}");
        assert_eq!(
            text(&merged),
            Some(&*format!("{{\"result\": {want}}}")),
            "{results:?}"
        );
    };
    check(
        &[r#"{"RTT": [1, 9], "速度": [[1,2,5], [3]]}"#],
        r#"{"节点名称": ["x", "y"], "RTT": [1, 9], "速度": [[1, 2,5], [3]], "odd": [1], "n": 4}"#,
    );
    check(
        &[r#"{"n": 5}"#],
        r#"{"节点名称": ["x", "y"], "RTT": [1, 2], "速度": [[1, 2], [3]], "odd": [1], "n": 5}"#,
    );
    check(
        &[r#"{"odd": [1, 2]}"#],
        r#"{"节点名称": ["x", "y"], "RTT": [1, 2], "速度": [[1, 2], [3]], "odd": [1,2], "n": 4}"#,
    );
    check(
        &[r#"{"节点名称": ["a", "b"]}"#],
        r#"{"节点名称": ["a", "b"], "RTT": [1, 2], "速度": [[1, 2], [3]], "odd": [1], "n": 4}"#,
    );
    // All columns of the names' length follow them: a node has gone, or has come.
    check(
        &[r#"{"节点名称": ["y"], "RTT": [2], "速度": [[3]], "new": [1]}"#],
        r#"{"节点名称": ["y"], "RTT": [2], "速度": [[3]], "odd": [1], "n": 4,"new": [1]}"#,
    );
    check(
        &[
            r#"{"节点名称": ["x", "y", "z"]}"#,
            r#"{"RTT": [1, 2, 3], "速度": [[1,2],[3],[4]]}"#,
        ],
        r#"{"节点名称": ["x", "y","z"], "RTT": [1, 2,3], "速度": [[1, 2], [3],[4]], "odd": [1], "n": 4}"#,
    );
}

#[test]
fn names_that_nobody_follows() {
    check(&[r#"{"节点名称": ["x", "y"]}"#], &["/result/节点名称 2/3 0"], "=");
    check(
        &[r#"{"节点名称": ["x", "y", "z", "w"]}"#],
        &["/result/节点名称 4/3 0"],
        "=",
    );
    check(&[r#"{"节点名称": null}"#], &["/result/节点名称 none/3 0"], "=");
    check(
        &[r#"{"节点名称": {"x": 1}}"#],
        &["/result/节点名称 none/3 0"],
        "=",
    );
    // Those who keep to the old names are not to blame.
    check(
        &[
            r#"{"节点名称": ["x", "y"], "RTT": [1, 2]}"#,
            r#"{"new": [1,2,3]}"#,
        ],
        &["/result/节点名称 2/3 0", "/result/RTT 2/3 0"],
        r#","new": [1,2,3]}}"#,
    );
}

#[test]
fn without_a_table_nothing_is_looked_at() {
    for base in [
        r#"{"result": {"RTT": [1, 2]}}"#,
        r#"{"result": {"节点名称": "x", "RTT": [1, 2]}}"#,
        r#"{"result": [["节点名称"]]}"#,
        r#"{"节点名称": ["x"], "other": {"节点名称": ["x"]}}"#,
        "[1]",
    ] {
        let base = document(base);
        let merged = guarded(
            &base,
            &[r#"{"result": {"RTT": [1], "new": []}, "other": {"new": []}}"#],
            TableGuard::Drop,
        );
        assert_eq!(merged.misfits, Default::default(), "{base:?}");
    }
    // Nor at what is beside the table, nor where it goes as a whole.
    for reply in [
        r#"{"config": {"a": [], "b": [1]}, "new": []}"#,
        r#"{"result": null}"#,
        r#"{"result": [1]}"#,
    ] {
        let base = document(BASE);
        let (merged, plain) = (
            guarded(&base, &[reply], TableGuard::Drop),
            guarded(&base, &[reply], TableGuard::Off),
        );
        assert_eq!(merged.misfits.listed, [], "{reply}");
        assert_eq!(text(&merged), text(&plain), "{reply}");
    }
}

#[test]
fn of_many_the_first_are_listed_and_all_are_counted() {
    let columns: Vec<String> = (0..1000).map(|index| format!("\"{index}\": []")).collect();
    let reply = format!("{{\"result\": {{{}}}}}", columns.join(","));
    let merged = guarded(&document(BASE), &[reply], TableGuard::Drop);
    assert_eq!(
        (merged.misfits.counts, merged.misfits.listed.len()),
        (vec![1000], 32)
    );
    assert!(merged.document.is_none());
}

/// A table whose names are so many, and columns that are mostly as long.
fn any_result(least: usize) -> impl Strategy<Value = Map<String, serde_json::Value>> {
    let column = |length: usize| prop::collection::vec(0..3_u8, length).prop_map(|cells| json!(cells));
    let value = prop_oneof![
        4 => column(2),
        2 => (0..4_usize).prop_flat_map(column),
        1 => prop_oneof![Just(json!(null)), Just(json!(4)), Just(json!({"a": [1]}))],
    ];
    let names = prop_oneof![
        4 => Just(json!(["x", "y"])),
        1 => Just(json!(["x"])),
        1 => Just(json!(["x", "y", "z"])),
    ];
    let columns = prop::collection::btree_map("[a-d]", value, least..5);
    (prop::option::of(names), columns).prop_map(|(names, columns)| {
        let mut result: Map<_, _> = columns.into_iter().collect();
        result.extend(names.map(|names| ("节点名称".to_owned(), names)));
        result
    })
}

fn spelled(result: &Map<String, serde_json::Value>) -> String {
    json!({ "result": result }).to_string()
}

fn result(document: &Document) -> Map<String, serde_json::Value> {
    let whole: serde_json::Value = serde_json::from_slice(document.bytes()).unwrap();
    whole["result"].as_object().unwrap().clone()
}

/// What the guard leaves of a table that a merge has made of a base: the rule, in other words.
fn model(
    base: &Map<String, serde_json::Value>,
    merged: &Map<String, serde_json::Value>,
) -> Map<String, serde_json::Value> {
    let length =
        |result: &Map<String, serde_json::Value>, key: &str| result.get(key)?.as_array().map(Vec::len);
    let Some(before) = length(base, "节点名称") else {
        return merged.clone();
    };
    let after = length(merged, "节点名称");
    let have_followed = base
        .keys()
        .filter(|key| length(base, key) == Some(before))
        .all(|key| length(merged, key) == after);
    let expected = after.filter(|_| have_followed).unwrap_or(before);
    let mut left = merged.clone();
    for (key, value) in merged {
        let is_touched = base.get(key) != Some(value);
        let is_column = value.is_array() || length(base, key).is_some();
        if is_touched && is_column && length(merged, key) != Some(expected) {
            match base.get(key) {
                Some(before) => left.insert(key.clone(), before.clone()),
                None => left.remove(key),
            };
        }
    }
    left
}

proptest! {
    #[test]
    fn what_is_left_is_what_the_model_says_and_passes_again(
        base in any_result(1),
        replies in prop::collection::vec(any_result(0), 1..4),
    ) {
        let base_document = document(&spelled(&base));
        let replies: Vec<String> = replies.iter().map(spelled).collect();
        let edits = edits(&base_document, &replies);
        let edits: Vec<&Edits> = edits.iter().collect();
        let plain = merge(&base_document, &edits, OnConflict::Last).document.unwrap_or(base_document.clone());
        let reported = merge_guarded(&base_document, &edits, OnConflict::Last, TableGuard::Report);
        let reported = reported.document.unwrap_or(base_document.clone());
        prop_assert_eq!(reported.bytes(), plain.bytes());
        let dropped = merge_guarded(&base_document, &edits, OnConflict::Last, TableGuard::Drop);
        let left = dropped.document.unwrap_or(base_document.clone());
        prop_assert_eq!(result(&left), model(&base, &result(&plain)));
        let again = guarded(&base_document, &[std::str::from_utf8(left.bytes()).unwrap()], TableGuard::Drop);
        prop_assert_eq!(again.misfits.listed, vec![]);
        let again = again.document.unwrap_or(base_document);
        prop_assert_eq!(result(&again), result(&left));
    }
}
