use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).unwrap()
}

fn document(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

#[test]
fn what_is_a_pointer() {
    for (text, expected) in [
        ("", Ok(())),
        ("/", Ok(())),
        ("/a", Ok(())),
        ("/a//b/", Ok(())),
        ("/*", Ok(())),
        ("/a*", Ok(())),
        ("/~0~1", Ok(())),
        ("/节点名称/-/0", Ok(())),
        ("a", Err(PointerError::NoSlash)),
        ("#/a", Err(PointerError::NoSlash)),
        (" /a", Err(PointerError::NoSlash)),
        ("/~", Err(PointerError::Tilde)),
        ("/a~2b", Err(PointerError::Tilde)),
        ("/a~/0", Err(PointerError::Tilde)),
    ] {
        assert_eq!(Pointer::parse(text).map(|_| ()), expected, "{text}");
    }
    assert!(pointer("").is_whole());
    assert!(!pointer("/").is_whole());
    assert_eq!(pointer("/a~1b").to_string(), "/a~1b");
}

#[test]
fn what_a_pointer_finds() {
    let check = |document_text: &str, text: &str, expected: &[&str]| {
        let document = document(document_text);
        let found = pointer(text).find(&document);
        let found: Vec<_> = found
            .iter()
            .map(|value| std::str::from_utf8(value.raw()).unwrap())
            .collect();
        assert_eq!(found, expected, "{text} in {document_text}");
    };
    // The examples of RFC 6901 section 5, but for elements, which have no names here.
    let rfc = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
    check(rfc, "", &[rfc]);
    check(rfc, "/foo", &[r#"["bar","baz"]"#]);
    for (text, expected) in [
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        ("/i\\j", "5"),
        ("/k\"l", "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
    ] {
        check(rfc, text, &[expected]);
    }
    check(rfc, "/foo/0", &[]);
    check(rfc, "/foo/-", &[]);
    check(rfc, "/foo/*", &[r#""bar""#, r#""baz""#]);
    check(rfc, "/nothing", &[]);
    check(rfc, "/a~1b/c", &[]);

    check(r#"{"0":1}"#, "/0", &["1"]);
    check(r#"{"a":{"b":1},"c":[{"b":2},3,{"b":4}]}"#, "/*/b", &["1"]);
    check(r#"{"a":{"b":1},"c":[{"b":2},3,{"b":4}]}"#, "/*/*/b", &["2", "4"]);
    check(r#"[{"b":2}]"#, "/*/b", &["2"]);
    check("5", "/*", &[]);
    check("5", "", &["5"]);

    // Each of a repeated key, however it is spelled.
    check(r#"{"a":1,"b":2,"\u0061":3}"#, "/a", &["1", "3"]);
    check(r#"{"a":{"b":1},"a":{"b":2}}"#, "/a/b", &["1", "2"]);

    // Letters: outside of `/result` dashes are one, inside they aren't.
    let both = r#"{"m-n":{"a_b":1},"m_n":{"a\u002db":2},"result":{"a-b":3,"a_b":4}}"#;
    check(both, "/m_n/a-b", &["1", "2"]);
    check(both, "/m-n/a_b", &["1", "2"]);
    check(both, "/result/a-b", &["3"]);
    check(both, "/*/a_b", &["1", "2", "4"]);
    check(r#"{"a":{"result":{"x-y":1}}}"#, "/a/result/x_y", &["1"]);
    check(r#"{"re\u0073ult":{"x-y":1}}"#, "/result/x_y", &[]);
    // Half a surrogate pair can't be written in the configuration; what serialisers make of it can.
    check(r#"{"a\ud83c":1,"result":{"b\ud83c":2}}"#, "/*/b\u{fffd}", &["2"]);
    check(r#"{"a\ud83c":1}"#, "/a\u{fffd}", &["1"]);
}

#[test]
fn which_pointers_cover_others() {
    for (ours, theirs, expected) in [
        ("", "/a", true),
        ("/a", "", false),
        ("/a", "/a", true),
        ("/a", "/a/b", true),
        ("/a/b", "/a", false),
        ("/a", "/b", false),
        ("/*", "/a/b", true),
        ("/a", "/*", false),
        ("/*/b", "/a/*", false),
        ("/a-b", "/a_b", true),
        ("/a/b-c", "/a/b_c/d", true),
        ("/result/b-c", "/result/b_c", false),
        ("/*/b-c", "/*/b_c", false),
        ("/*/b-c", "/message/b_c", true),
        ("/*/b-c", "/result/b_c", false),
    ] {
        assert_eq!(
            pointer(ours).covers(&pointer(theirs)),
            expected,
            "{ours} {theirs}"
        );
    }
}

#[test]
fn places_that_may_meet() {
    for (ours, theirs, expected) in [
        ("", "/a", true),
        ("/a", "/a/b", true),
        ("/a", "/b", false),
        ("/a/b", "/a/c", false),
        ("/a/*/c", "/a/0", true),
        ("/a/*/c", "/a/0/c/d", true),
        ("/a/*/c", "/a/0/d", false),
        ("/*/b", "/a/*", true),
        ("/a-b", "/a_b/c", true),
        ("/result/b-c", "/result/b_c", false),
        // The first may be anything, `/message` among others.
        ("/*/b-c", "/*/b_c", true),
        ("/*/b-c", "/result/b_c", false),
    ] {
        let (one, other) = (pointer(ours), pointer(theirs));
        assert_eq!(one.meets(&other), expected, "{ours} {theirs}");
        assert_eq!(other.meets(&one), expected, "{theirs} {ours}");
    }
}

/// Some segments, so few that they meet.
fn text() -> impl Strategy<Value = String> {
    "(/(a|b|result|a-b|a_b|\\*|~0~1|0)){0,4}"
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        if let Ok(pointer) = Pointer::parse(&text) {
            prop_assert_eq!(pointer.as_str(), text);
        }
    }

    /// Of two that never meet neither finds anything that holds what the other finds.
    #[test]
    fn what_never_meets_finds_other_things(
        ours in text(),
        theirs in text(),
        body in r#"\{("(a|b|result|a-b|a_b)":(1|\{("(a|b|a-b|a_b|~/)":(2|\[3,\{"a":4,"0":5\}\]),){0,4}"a":6\}),){0,6}"b":7\}"#,
    ) {
        let (ours, theirs, document) = (pointer(&ours), pointer(&theirs), document(&body));
        if !ours.meets(&theirs) {
            for ours in ours.find(&document).iter().map(Value::span) {
                for theirs in theirs.find(&document).iter().map(Value::span) {
                    prop_assert!(ours.end <= theirs.start || theirs.end <= ours.start);
                }
            }
        }
    }

    /// What covers another finds every place of it, or something around it.
    #[test]
    fn what_covers_finds_more(
        ours in text(),
        theirs in text(),
        body in r#"\{("(a|b|result|a-b|a_b)":(1|\{("(a|b|a-b|a_b|~/)":(2|\[3,\{"a":4,"0":5\}\]),){0,4}"a":6\}),){0,6}"b":7\}"#,
    ) {
        let (ours, theirs, document) = (pointer(&ours), pointer(&theirs), document(&body));
        if ours.covers(&theirs) {
            let around: Vec<_> = ours.find(&document).iter().map(Value::span).collect();
            for found in theirs.find(&document).iter().map(Value::span) {
                prop_assert!(around.iter().any(|a| a.start <= found.start && found.end <= a.end));
            }
        }
    }
}
