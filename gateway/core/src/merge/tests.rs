//! The rules of gateway.md section 4, one line each.

use bytes::Bytes;

use super::{Conflict, merge};
use crate::json::Document;
use crate::json::diff::{Echoes, Edits, diff};
use crate::plan::OnConflict::{self, First, Last, Reject};

/// Merges replies into a base and compares the whole document, byte for byte; `"="` is the base's.
/// A conflict is written `pointer first second`.
fn check(base: &str, replies: &[&str], rule: OnConflict, want: &str, conflicts: &[&str]) {
    let document = Document::parse(Bytes::copy_from_slice(base.as_bytes())).unwrap();
    let mut echoes = Echoes::default();
    let edits: Vec<Edits> = replies
        .iter()
        .map(|reply| {
            diff(&document, Bytes::copy_from_slice(reply.as_bytes()), &mut echoes)
                .unwrap()
                .edits
        })
        .collect();
    let merged = merge(&document, &edits.iter().collect::<Vec<_>>(), rule);
    let got = merged
        .document
        .as_ref()
        .map_or("=", |d| std::str::from_utf8(d.bytes()).unwrap());
    assert_eq!(got, want, "base {base}, replies {replies:?}, {rule:?}");
    if let Some(document) = &merged.document {
        Document::parse(document.bytes().clone()).unwrap();
    }
    let listed: Vec<String> = merged
        .conflicts
        .listed
        .iter()
        .map(
            |Conflict {
                 pointer,
                 first,
                 second,
             }| format!("{pointer} {first} {second}"),
        )
        .collect();
    assert_eq!(listed, conflicts, "base {base}, replies {replies:?}, {rule:?}");
    assert_eq!(merged.conflicts.total as usize, listed.len());
}

/// One reply, no conflict.
fn check_one(base: &str, reply: &str, want: &str) {
    for rule in [Last, First, Reject] {
        check(base, &[reply], rule, want, &[]);
    }
}

#[test]
fn objects_merge_by_key() {
    for (base, reply, want) in [
        (r#"{"a":1,"b":2}"#, r#"{"b":3}"#, r#"{"a":1,"b":3}"#),
        (r#"{"a": 1 , "b" :2 }"#, r#"{"b":3}"#, r#"{"a": 1 , "b" :3 }"#),
        (r#"{"a":1,"b":2}"#, r#"{"c":3,"a":1}"#, r#"{"a":1,"b":2,"c":3}"#),
        (
            r#"{"a":{"b":{"c":1,"d":2}}}"#,
            r#"{"a":{"b":{"c":9}}}"#,
            r#"{"a":{"b":{"c":9,"d":2}}}"#,
        ),
        (r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":null}"#),
        (
            r#"{"a":null}"#,
            r#"{"a":null,"b":null}"#,
            r#"{"a":null,"b":null}"#,
        ),
        (r#"{"a":{}}"#, r#"{"a":{"k": 1}}"#, r#"{"a":{"k": 1}}"#),
        (
            r#"{"a":{ }}"#,
            r#"{"a":{"k":1,"l":2}}"#,
            r#"{"a":{ "k":1,"l":2}}"#,
        ),
        (r#"{"a":{"b":1}}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"{"a":1}"#, r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#),
        // Not the same key, although it begins like one.
        (r#"{"ab":1}"#, r#"{"a":1}"#, r#"{"ab":1,"a":1}"#),
        ("{}", r#"{"a":1}"#, r#"{"a":1}"#),
        ("[1]", r#"{"a":1}"#, r#"{"a":1}"#),
        (" \n{\"a\":1}\t", r#"{"a":2}"#, r#"{"a":2}"#),
        ("\u{feff}{\"a\":1}", "\u{feff}{\"a\":2}", r#"{"a":2}"#),
        // What gateway.md section 5 attaches is merged like anything else.
        (
            r#"{"result":{},"addons":{}}"#,
            r#"{"addons":{"koigate":{"texts":[]}}}"#,
            r#"{"result":{},"addons":{"koigate":{"texts":[]}}}"#,
        ),
    ] {
        check_one(base, reply, want);
    }
}

#[test]
fn echoes_are_no_edits() {
    for (base, reply) in [
        (r#"{"a":1,"b":[1,2]}"#, r#"{ "b" : [ 1 , 2 ] , "a" : 1 }"#),
        (r#"{"a":1}"#, "{}"),
        (r#"{"a":1}"#, "null"),
        (r#"{"a":1}"#, "[1,2]"),
        (
            r#"{"a":1.0,"b":100,"c":-0.0,"d":0}"#,
            r#"{"a":1,"b":1e2,"c":0,"d":-0}"#,
        ),
        (r#"{"id":-1001987654321987654}"#, r#"{"id":-1001987654321987700}"#),
        (r#"{"a":0.1000000000000000055}"#, r#"{"a":0.1}"#),
        (
            r#"{"a":1e999,"b":Infinity,"c":1e999}"#,
            r#"{"a":Infinity,"b":1E999,"c":null}"#,
        ),
        (
            r#"{"a":NaN,"b":Infinity,"c":-Infinity}"#,
            r#"{"a":null,"b":null,"c":null}"#,
        ),
        (r#"{"a":NaN}"#, r#"{"a": NaN}"#),
        (r#"{"a":{},"b":[]}"#, r#"{"a":[],"b":{}}"#),
        (r#"{"a":{ },"b":[ ]}"#, "{\"a\":[\n],\"b\":{\t}}"),
        (
            r#"{"\u8282\u70b9":"\ud83c\udded\ud83c\uddf0"}"#,
            r#"{"节点":"🇭🇰"}"#,
        ),
        (
            r#"{"a":"\/\b\f\n\r\t\"\\\u0041"}"#,
            r#"{"a":"/\u0008\u000C\u000a\u000d\u0009\u0022\u005cA"}"#,
        ),
        (r#"{"a":"x\ud83c"}"#, r#"{"a": "x�"}"#),
        (r#"{"a":"\udded\ud83cx"}"#, r#"{"a":"\ufffd\ufffdx"}"#),
        (r#"{"a":"\ud83c"}"#, r#"{"a": "\uD83C"}"#),
        (r#"{"\ud83c":1}"#, r#"{"�":1}"#),
        (r#"{"result":{"\ud83c":1}}"#, r#"{"result":{"�":1}}"#),
        (
            r#"{"from-user":{"first-name":1}}"#,
            r#"{"from_user":{"first_name":1}}"#,
        ),
        // Repeated keys: Python reads the last.
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":1,"b":2,"a":3 }"#),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":9,"b":2,"a":3}"#),
        (r#"{"a":1}"#, r#"{"a":5,"a":{"x":[5]},"a":1}"#),
        (r#"[{"a":1}]"#, r#"{}"#),
    ] {
        check_one(base, reply, "=");
    }
}

#[test]
fn edits_that_look_like_echoes() {
    for (base, reply, want) in [
        (r#"{"a":null}"#, r#"{"a":NaN}"#, r#"{"a":NaN}"#),
        (r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":null}"#),
        (r#"{"a":Infinity}"#, r#"{"a":-Infinity}"#, r#"{"a":-Infinity}"#),
        (r#"{"a":Infinity}"#, r#"{"a":NaN}"#, r#"{"a":NaN}"#),
        (r#"{"a":1}"#, r#"{"a":Infinity}"#, r#"{"a":Infinity}"#),
        (r#"{"a":"�"}"#, r#"{"a":"\ud83c"}"#, r#"{"a":"\ud83c"}"#),
        (r#"{"a":"\ud83c"}"#, r#"{"a":"?"}"#, r#"{"a":"?"}"#),
        (r#"{"a":"\ud83c\udded"}"#, r#"{"a":"��"}"#, r#"{"a":"��"}"#),
        // The same but for the second byte of a character.
        (r#"{"a":"éa"}"#, r#"{"a":"Éa"}"#, r#"{"a":"Éa"}"#),
        (r#"{"a":"ab"}"#, r#"{"a":"a"}"#, r#"{"a":"a"}"#),
        (r#"{"a":"a"}"#, r#"{"a":"ab"}"#, r#"{"a":"ab"}"#),
        (r#"{"a":1}"#, r#"{"a":true}"#, r#"{"a":true}"#),
        (r#"{"a":1}"#, r#"{"a":"1"}"#, r#"{"a":"1"}"#),
        (r#"{"a":true}"#, r#"{"a":false}"#, r#"{"a":false}"#),
        (r#"{"a":[1]}"#, r#"{"a":{}}"#, r#"{"a":{}}"#),
        (r#"{"a":{"b":1}}"#, r#"{"a":[]}"#, r#"{"a":[]}"#),
        // Numbers keep their digits.
        (
            r#"{"a":1}"#,
            r#"{"a":12345678901234567890.12345678901234567890e-3}"#,
            r#"{"a":12345678901234567890.12345678901234567890e-3}"#,
        ),
    ] {
        check_one(base, reply, want);
    }
}

/// Which keys are one: base, reply, document.
const KEYS: &[(&str, &str, &str)] = &[
    // Outside `/result` a new key that is one of the base's up to - and _ is that key.
    (r#"{"from-user":1}"#, r#"{"from_user":2}"#, r#"{"from-user":2}"#),
    (r#"{"from_user":1}"#, r#"{"from-user":2}"#, r#"{"from_user":2}"#),
    (
        r#"{"m":{"a-b_c":{"d-e":1}}}"#,
        r#"{"m":{"a_b-c":{"d_e":2,"x":3}}}"#,
        r#"{"m":{"a-b_c":{"d-e":2,"x":3}}}"#,
    ),
    (r#"{"a-b":1}"#, r#"{"a\u005fb":2}"#, r#"{"a-b":2}"#),
    // Where the base has both spellings each is itself.
    (r#"{"a-b":1,"a_b":2}"#, r#"{"a_b":3}"#, r#"{"a-b":1,"a_b":3}"#),
    (r#"{"a-b":1,"a_b":2}"#, r#"{"a-b":3}"#, r#"{"a-b":3,"a_b":2}"#),
    // A reply that has both spellings of one key: the last counts.
    (r#"{"a-b":1}"#, r#"{"a-b":1,"a_b":2}"#, r#"{"a-b":2}"#),
    (r#"{"a-b":1}"#, r#"{"a_b":2,"a-b":1}"#, "="),
    // New keys of one reply are what they are.
    (r#"{}"#, r#"{"a-b":1,"a_b":2}"#, r#"{"a-b":1,"a_b":2}"#),
    // Below `/result` keys are columns.
    (
        r#"{"result":{"a-b":1}}"#,
        r#"{"result":{"a_b":2}}"#,
        r#"{"result":{"a-b":1,"a_b":2}}"#,
    ),
    (
        r#"{"result":{"x":{"a-b":1}}}"#,
        r#"{"result":{"x":{"a_b":2}}}"#,
        r#"{"result":{"x":{"a-b":1,"a_b":2}}}"#,
    ),
    (
        r#"{"r":{"result":{"a-b":1}}}"#,
        r#"{"r":{"result":{"a_b":2}}}"#,
        r#"{"r":{"result":{"a-b":2}}}"#,
    ),
    (
        r#"{"resul\u0074":{"a-b":1}}"#,
        r#"{"result":{"a_b":2}}"#,
        r#"{"resul\u0074":{"a-b":1,"a_b":2}}"#,
    ),
    // Of repeated keys the last counts.
    (r#"{"a":1}"#, r#"{"a":2,"a":3}"#, r#"{"a":3}"#),
    (
        r#"{"a":{"x":1,"y":1}}"#,
        r#"{"a":{"x":2},"a":{"y":2}}"#,
        r#"{"a":{"x":1,"y":2}}"#,
    ),
    (
        r#"{"b":{},"c":1}"#,
        r#"{"n":1,"m":2,"c":3,"n":4}"#,
        r#"{"b":{},"c":3,"n":4,"m":2}"#,
    ),
    // A base that repeats keys loses nothing; the last is edited.
    (
        r#"{"a":1,"b":2,"a":3}"#,
        r#"{"a":1,"b":2}"#,
        r#"{"a":1,"b":2,"a":1}"#,
    ),
    (
        r#"{"a":1,"b":2,"a":3}"#,
        r#"{"b":2,"a":4}"#,
        r#"{"a":1,"b":2,"a":4}"#,
    ),
    (
        r#"{"a":{"x":1},"a":{"y":1}}"#,
        r#"{"a":{"x":2}}"#,
        r#"{"a":{"x":1},"a":{"y":1,"x":2}}"#,
    ),
    // The order is the base's, then the reply's.
    (
        r#"{"b":1,"a":2}"#,
        r#"{"z":0,"a":3,"y":0,"b":4}"#,
        r#"{"b":4,"a":3,"z":0,"y":0}"#,
    ),
];

#[test]
fn keys() {
    for (base, reply, want) in KEYS {
        check_one(base, reply, want);
    }
}

#[test]
fn arrays() {
    for (base, reply, want) in [
        ("[1,2,3]", "[1,9,3]", "[1,9,3]"),
        ("[1, 2, 3]", "[7,2,9]", "[7, 2, 9]"),
        ("[[1,2],[3,4]]", "[[1,2],[3,5]]", "[[1,2],[3,5]]"),
        // Begins with the base's: appends.
        ("[1, 2]", "[1.0,2,3,4]", "[1, 2,3,4]"),
        ("[ ]", "[1, 2]", "[ 1, 2]"),
        ("[[]]", "[[],[]]", "[[],[]]"),
        // Any other replaces.
        ("[1, 2, 3]", "[1,2]", "[1,2]"),
        ("[1, 2]", "[]", "[]"),
        ("[1, 2]", "[2,1,3]", "[2,1,3]"),
        ("[1, 2]", "[9,2,3]", "[9,2,3]"),
        ("[[1, 2],[3, 4]]", "[[3,4]]", "[[3,4]]"),
        // Below an element nothing may be left out.
        (r#"[{"a":1,"b": 2}]"#, r#"[{"a":1}]"#, r#"[{"a":1}]"#),
        (r#"[{"a":1,"b": 2}]"#, r#"[{"b":3,"a":1}]"#, r#"[{"a":1,"b": 3}]"#),
        (
            r#"[{"a":{"x":1,"y": 2},"b": 2}]"#,
            r#"[{"a":{"x":1},"b":2}]"#,
            r#"[{"a":{"x":1},"b": 2}]"#,
        ),
        (r#"[{"a":1, "b":2}]"#, r#"[{"a":1,"c":2}]"#, r#"[{"a":1,"c":2}]"#),
        (
            r#"[{"a":1, "b":2}]"#,
            r#"[{"a":1,"b":2,"c":2}]"#,
            r#"[{"a":1, "b":2,"c":2}]"#,
        ),
        (
            r#"[{"a-b":1, "c":2}]"#,
            r#"[{"a_b":1,"c":3}]"#,
            r#"[{"a-b":1, "c":3}]"#,
        ),
        (
            r#"[{"a":1, "a":2}]"#,
            r#"[{"a":2,"x":3}]"#,
            r#"[{"a":1, "a":2,"x":3}]"#,
        ),
        (
            r#"[{"n":"A", "p":1},{"n":"B"}]"#,
            r#"[{"n":"B"},{"n":"A","p":1}]"#,
            r#"[{"n":"B"},{"n":"A","p":1}]"#,
        ),
        (r#"[{}]"#, "[[]]", "="),
        // An element that lacks a key is not the base's, so this is no append.
        (r#"[{"a":1, "b":2}]"#, r#"[{"a":1},3]"#, r#"[{"a":1},3]"#),
    ] {
        let wrap = |json: &str| format!(r#"{{"k":{json}}}"#);
        let want = if want == "=" { want.to_owned() } else { wrap(want) };
        check_one(&wrap(base), &wrap(reply), &want);
    }
}

#[test]
fn too_many_places_replace() {
    let list = |n: usize, with: &str| format!("{{\"k\":[{}]}}", vec![with; n].join(","));
    let spaced = list(65_537, "0").replace(',', ", ");
    check_one(&spaced, &list(65_537, "1"), &list(65_537, "1"));
    let spaced = list(65_536, "0").replace(',', ", ");
    check_one(&spaced, &list(65_536, "1"), &list(65_536, "1").replace(',', ", "));
    // Places further inside count too.
    let spaced = list(65_537, "[0]").replace(',', ", ");
    check_one(&spaced, &list(65_537, "[1]"), &list(65_537, "[1]"));
    // An append is one place.
    let more = list(70_000, "0");
    check_one(&list(3, "0"), &more, &more);
}

/// A base, replies, the document under `last` and under `first` (empty: the same), the conflicts.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
    &'static [&'static str],
);

fn check_rows(rows: &[Row]) {
    for &(base, replies, last, first, conflicts) in rows {
        check(base, replies, Last, last, conflicts);
        check(base, replies, Reject, last, conflicts);
        check(
            base,
            replies,
            First,
            if first.is_empty() { last } else { first },
            conflicts,
        );
    }
}

const ONE_PLACE: &[Row] = &[
    // Different members, different elements: no conflict.
    (
        r#"{"a":1,"b":2}"#,
        &[r#"{"a":3,"b":2}"#, r#"{"a":1,"b":4}"#],
        r#"{"a":3,"b":4}"#,
        "",
        &[],
    ),
    (
        r#"{"a":[1,2]}"#,
        &[r#"{"a":[3,2]}"#, r#"{"a":[1,4]}"#],
        r#"{"a":[3,4]}"#,
        "",
        &[],
    ),
    (
        r#"{}"#,
        &[r#"{"z":1}"#, r#"{"a":2}"#],
        r#"{"z":1,"a":2}"#,
        "",
        &[],
    ),
    // A stale echo undoes nothing.
    (r#"{"a":1}"#, &[r#"{"a":2}"#, r#"{"a":1}"#], r#"{"a":2}"#, "", &[]),
    // One place, different values.
    (
        r#"{"a":1}"#,
        &[r#"{"a":2}"#, r#"{"a":3}"#],
        r#"{"a":3}"#,
        r#"{"a":2}"#,
        &["/a 0 1"],
    ),
    (
        r#"{"a":1}"#,
        &[r#"{"a":2}"#, r#"{"a":3}"#, r#"{"a":4}"#],
        r#"{"a":4}"#,
        r#"{"a":2}"#,
        &["/a 0 1"],
    ),
    (
        r#"{"a":1}"#,
        &[r#"{"a":2}"#, r#"{"a":2.0}"#, r#"{"a":4}"#],
        r#"{"a":4}"#,
        r#"{"a":2}"#,
        &["/a 0 2"],
    ),
    // The same value is none, however it is spelled.
    (
        r#"{"a":1}"#,
        &[r#"{"a":2}"#, r#"{"a":2.0}"#],
        r#"{"a":2.0}"#,
        r#"{"a":2}"#,
        &[],
    ),
    (
        r#"{"a":1}"#,
        &[r#"{"a":{"x":1,"y":[2]}}"#, r#"{"a":{"y":[2.0],"x":1}}"#],
        r#"{"a":{"y":[2.0],"x":1}}"#,
        r#"{"a":{"x":1,"y":[2]}}"#,
        &[],
    ),
    (
        r#"{"a":1}"#,
        &[r#"{"a":{"x":1}}"#, r#"{"a":{"x":1,"y":2}}"#],
        r#"{"a":{"x":1,"y":2}}"#,
        r#"{"a":{"x":1}}"#,
        &["/a 0 1"],
    ),
    (
        r#"{"a":1}"#,
        &[r#"{"a":NaN}"#, r#"{"a":null}"#],
        r#"{"a":null}"#,
        r#"{"a":NaN}"#,
        &["/a 0 1"],
    ),
    (
        r#"{"a":1}"#,
        &[r#"{"a":NaN}"#, r#"{"a": NaN}"#],
        r#"{"a":NaN}"#,
        "",
        &[],
    ),
    (
        r#"{"a":1}"#,
        &[r#"{"a":[]}"#, r#"{"a":{}}"#],
        r#"{"a":{}}"#,
        r#"{"a":[]}"#,
        &["/a 0 1"],
    ),
];

const ABOVE_AND_BELOW: &[Row] = &[
    // Appends: both, in order; the same once.
    (
        r#"{"a":[1]}"#,
        &[r#"{"a":[1,2]}"#, r#"{"a":[1,3]}"#],
        r#"{"a":[1,2,3]}"#,
        "",
        &[],
    ),
    (
        r#"{"a":[1]}"#,
        &[r#"{"a":[1,2,3]}"#, r#"{"a":[1,2.0, 3]}"#],
        r#"{"a":[1,2,3]}"#,
        "",
        &[],
    ),
    (
        r#"{"a":[]}"#,
        &[r#"{"a":[2]}"#, r#"{"a":[3]}"#, r#"{"a":[2]}"#],
        r#"{"a":[2,3]}"#,
        "",
        &[],
    ),
    (
        r#"{"a":[1,2]}"#,
        &[r#"{"a":[9,2]}"#, r#"{"a":[1,2,3]}"#],
        r#"{"a":[9,2,3]}"#,
        "",
        &[],
    ),
    // An edit and a replacement above it: one conflict, at the upper place.
    (
        r#"{"a":{"b":1,"c":2}}"#,
        &[r#"{"a":{"b":3,"c":4}}"#, r#"{"a":5}"#],
        r#"{"a":5}"#,
        r#"{"a":{"b":3,"c":4}}"#,
        &["/a 0 1"],
    ),
    (
        r#"{"a":{"b":1,"c":2}}"#,
        &[r#"{"a":5}"#, r#"{"a":{"b":3,"c":4}}"#],
        r#"{"a":{"b":3,"c":4}}"#,
        r#"{"a":5}"#,
        &["/a 0 1"],
    ),
    (
        r#"{"a":{"b":1}}"#,
        &[r#"{"a":{"n":3}}"#, r#"{"a":5}"#],
        r#"{"a":5}"#,
        r#"{"a":{"b":1,"n":3}}"#,
        &["/a 0 1"],
    ),
    (
        r#"{"a":[1,2]}"#,
        &[r#"{"a":[1,2,3]}"#, r#"{"a":[2]}"#],
        r#"{"a":[2]}"#,
        r#"{"a":[1,2,3]}"#,
        &["/a 0 1"],
    ),
    // Two edits below don't disagree with each other, only with the replacement.
    (
        r#"{"a":{"b":1,"c":2}}"#,
        &[r#"{"a":5}"#, r#"{"a":{"b":3}}"#, r#"{"a":{"c":4}}"#],
        r#"{"a":{"b":3,"c":4}}"#,
        r#"{"a":5}"#,
        &["/a 0 1"],
    ),
    (
        r#"{"a":{"b":1,"c":2}}"#,
        &[r#"{"a":{"b":3}}"#, r#"{"a":5}"#, r#"{"a":{"c":4}}"#],
        r#"{"a":{"b":1,"c":4}}"#,
        r#"{"a":{"b":3,"c":2}}"#,
        &["/a 0 1"],
    ),
    (
        r#"{"a":{"b":1}}"#,
        &[r#"{"a":5}"#, r#"{"a":5}"#, r#"{"a":{"b":3}}"#],
        r#"{"a":{"b":3}}"#,
        r#"{"a":5}"#,
        &["/a 0 2"],
    ),
];

const ADDITIONS: &[Row] = &[
    // The same new key with two values: one conflict, and no merging.
    (
        r#"{"r":{"x":0}}"#,
        &[r#"{"r":{"n":{"p":1}}}"#, r#"{"r":{"m":7,"n":{"q":2}}}"#],
        r#"{"r":{"x":0,"n":{"q":2},"m":7}}"#,
        r#"{"r":{"x":0,"n":{"p":1},"m":7}}"#,
        &["/r/n 0 1"],
    ),
    (
        r#"{}"#,
        &[r#"{"n":[1, 2]}"#, r#"{"n":[1,2.0]}"#],
        r#"{"n":[1,2.0]}"#,
        r#"{"n":[1, 2]}"#,
        &[],
    ),
    // New keys are the same up to - and _ outside `/result`, unless somebody adds both.
    (
        r#"{}"#,
        &[r#"{"a-b":1}"#, r#"{"a_b":2}"#],
        r#"{"a_b":2}"#,
        r#"{"a-b":1}"#,
        &["/a-b 0 1"],
    ),
    (
        r#"{}"#,
        &[r#"{"a-b":1}"#, r#"{"a_b":1}"#],
        r#"{"a_b":1}"#,
        r#"{"a-b":1}"#,
        &[],
    ),
    (
        r#"{}"#,
        &[r#"{"a-b":1,"a_b":1}"#, r#"{"a_b":2}"#],
        r#"{"a-b":1,"a_b":2}"#,
        r#"{"a-b":1,"a_b":1}"#,
        &["/a_b 0 1"],
    ),
    (
        r#"{"result":{}}"#,
        &[r#"{"result":{"a-b":1}}"#, r#"{"result":{"a_b":2}}"#],
        r#"{"result":{"a-b":1,"a_b":2}}"#,
        "",
        &[],
    ),
    // Pointers.
    (
        r#"{"a/b~c":[0,{"d\u00e9":1,"":[2,1]}]}"#,
        &[
            r#"{"a/b~c":[0,{"dé":2,"":[2,3]}]}"#,
            r#"{"a/b~c":[0,{"dé":3,"":[2,4]}]}"#,
        ],
        r#"{"a/b~c":[0,{"d\u00e9":3,"":[2,4]}]}"#,
        r#"{"a/b~c":[0,{"d\u00e9":2,"":[2,3]}]}"#,
        &["/a~1b~0c/1/dé 0 1", "/a~1b~0c/1//1 0 1"],
    ),
    (
        "[]",
        &[r#"{"a":1}"#, r#"{"a":2}"#],
        r#"{"a":2}"#,
        r#"{"a":1}"#,
        &[" 0 1"],
    ),
];

#[test]
fn several_backends_at_one_place() {
    check_rows(ONE_PLACE);
}

#[test]
fn several_backends_above_and_below() {
    check_rows(ABOVE_AND_BELOW);
}

#[test]
fn several_backends_add() {
    check_rows(ADDITIONS);
}

#[test]
fn many_conflicts_are_counted() {
    let object = |value: u32| {
        let members: Vec<String> = (0..100).map(|n| format!("\"k{n}\":{{\"v\":{value}}}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let base = Document::parse(object(0).into()).unwrap();
    let mut echoes = Echoes::default();
    let edits = [1, 2].map(|value| diff(&base, object(value).into(), &mut echoes).unwrap().edits);
    let merged = merge(&base, &[&edits[0], &edits[1]], Last);
    assert_eq!(merged.conflicts.total, 100);
    assert_eq!(merged.conflicts.listed.len(), 32);
    assert_eq!(merged.conflicts.listed[31].pointer, "/k31/v");
}
