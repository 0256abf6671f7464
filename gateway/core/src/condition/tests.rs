//! Conditions by tables, and as properties that `not_in` is what `in` is not and that the rules of equality are
//! those of one small model.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const DOCUMENT: &str = r#"{
    "message": {"chat": {"id": -1001987654321, "type": "supergroup", "title": null}, "from_user": {"id": 42,
        "is-bot": false, "name": "\u8282\u70b9 \ud83d\ude00"}, "text": "/test\nhttps://a.example"},
    "slaveRequest": {"items": [], "proxies": [{"type": "ss", "port": 1}, {"type": "vmess", "port": 2}]},
    "result": {"延迟_RTT": [1.0, NaN], "n": 1e3}
}"#;

fn document(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn condition(at: &str, test: Test) -> Condition {
    let at = Pointer::parse(at).unwrap();
    Condition { at, test }
}

fn check(at: &str, test: Test, expected: bool) {
    let condition = condition(at, test);
    assert_eq!(condition.holds(&document(DOCUMENT)), expected, "{condition}");
}

fn texts(list: &[&str]) -> Vec<Scalar> {
    list.iter().map(|text| Scalar::string(text)).collect()
}

#[test]
fn among_values() {
    let id = -1_001_987_654_321;
    let integers = |list: &[i64]| {
        list.iter()
            .map(|number| Scalar::integer(*number))
            .collect::<Vec<_>>()
    };
    for (at, list, expected) in [
        ("/message/chat/id", integers(&[7, id]), true),
        ("/message/chat/id", integers(&[id + 1]), false),
        (
            "/message/chat/id",
            vec![Scalar::float(-1_001_987_654_321.0)],
            true,
        ),
        ("/message/chat/id", texts(&["-1001987654321"]), false),
        ("/message/chat/type", texts(&["group", "supergroup"]), true),
        ("/message/chat/type", texts(&["Supergroup"]), false),
        ("/message/chat/type", texts(&["super"]), false),
        ("/message/chat/title", texts(&["", "null"]), false),
        ("/message/chat/title", integers(&[0]), false),
        ("/message/chat", integers(&[id]), false),
        ("/message/from-user/id", integers(&[42]), true),
        ("/message/from_user/is_bot", vec![Scalar::Bool(false)], true),
        ("/message/from_user/is_bot", vec![Scalar::Bool(true)], false),
        ("/message/from_user/is_bot", texts(&["false"]), false),
        ("/message/from_user/is_bot", integers(&[0]), false),
        ("/message/from_user/name", texts(&["节点 😀"]), true),
        ("/result/n", integers(&[1000]), true),
        ("/result/n", vec![Scalar::float(1000.0)], true),
        ("/result/延迟_RTT/*", vec![Scalar::float(f64::NAN)], true),
        ("/result/延迟_RTT/*", integers(&[1]), true),
        ("/result/延迟_RTT/*", vec![Scalar::float(f64::INFINITY)], false),
        ("/result/延迟-RTT/*", integers(&[1]), false),
        ("/slaveRequest/proxies/*/type", texts(&["vmess"]), true),
        ("/slaveRequest/proxies/*/type", texts(&["trojan"]), false),
        ("/slaveRequest/items/*", texts(&["ss"]), false),
        ("/slaveRequest/proxies/0/type", texts(&["ss"]), false),
        ("/nobody", texts(&["ss"]), false),
        ("/message/text/more", texts(&["ss"]), false),
        ("", texts(&["ss"]), false),
    ] {
        check(at, Test::In(list.clone()), expected);
        check(at, Test::NotIn(list), !expected);
    }
}

#[test]
fn integers_to_the_last_digit() {
    let check = |spelled: &str, scalar: Scalar, expected: bool| {
        let condition = condition("/id", Test::In(vec![scalar]));
        let document = document(&format!("{{\"id\": {spelled}}}"));
        assert_eq!(condition.holds(&document), expected, "{spelled}: {condition}");
    };
    // The nearest float of both is 2^53.
    check("9007199254740993", Scalar::integer(9_007_199_254_740_993), true);
    check("9007199254740993", Scalar::integer(9_007_199_254_740_992), false);
    check("9007199254740992", Scalar::integer(9_007_199_254_740_993), false);
    check("9223372036854775807", Scalar::integer(i64::MAX), true);
    check("9223372036854775808", Scalar::integer(i64::MAX), false);
    check("-9223372036854775808", Scalar::integer(i64::MIN), true);
    check("-0", Scalar::integer(0), true);
    check("0", Scalar::float(-0.0), true);
    check("5", Scalar::integer(-5), false);
    // Not spelled as integers.
    check("5.0", Scalar::integer(5), true);
    check("50e-1", Scalar::integer(5), true);
    check("5.5", Scalar::integer(5), false);
    check("5", Scalar::float(5.0), true);
    check("1e999", Scalar::float(f64::INFINITY), true);
    check("Infinity", Scalar::float(f64::INFINITY), true);
    check("-Infinity", Scalar::float(f64::INFINITY), false);
    check("NaN", Scalar::integer(0), false);
    check("1e400", Scalar::integer(i64::MAX), false);
}

#[test]
fn patterns() {
    for (at, pattern, expected) in [
        ("/message/text", "https://", true),
        ("/message/text", "^https://", false),
        ("/message/text", "(?m)^https://", true),
        ("/message/text", "^/test\\s", true),
        ("/message/text", "(?i)EXAMPLE$", true),
        ("/message/from_user/name", "^节点", true),
        ("/message/from_user/name", r"\p{Han}{2} .$", true),
        ("/message/chat/id", "^-100", true),
        ("/message/chat/id", "^100", false),
        ("/result/n", "^1e3$", true),
        ("/result/延迟_RTT/*", "^NaN$", true),
        ("/message/chat/title", "", false),
        ("/message/from_user/is_bot", "false", false),
        ("/message/chat", "id", false),
        ("/nobody", "", false),
        ("/slaveRequest/proxies/*/type", "^v", true),
    ] {
        check(at, Test::Matches(Pattern::new(pattern).unwrap()), expected);
    }
}

#[test]
fn places_that_are_there() {
    for (at, expected) in [
        ("", true),
        ("/message", true),
        ("/message/chat/title", true),
        ("/message/from-user", true),
        ("/message/chat/title/more", false),
        ("/Message", false),
        ("/slaveRequest/items", true),
        ("/slaveRequest/items/*", false),
        ("/slaveRequest/proxies/*", true),
        ("/slaveRequest/*/*/port", true),
        ("/*/chat", true),
    ] {
        check(at, Test::Exists, expected);
        check(at, Test::Missing, !expected);
    }
}

#[test]
fn all_of_them() {
    let document = document(DOCUMENT);
    let (yes, no) = (
        condition("/message", Test::Exists),
        condition("/message", Test::Missing),
    );
    for (conditions, expected) in [
        (vec![], true),
        (vec![yes.clone()], true),
        (vec![yes.clone(), yes.clone()], true),
        (vec![no.clone()], false),
        (vec![yes, no], false),
    ] {
        assert_eq!(all_hold(&conditions, &document), expected, "{conditions:?}");
    }
}

#[test]
fn what_is_a_pattern() {
    for good in ["", "a|b", r"^\d+$", r"\p{Han}", "(?i)节点", "a{1,100}"] {
        assert_eq!(Pattern::new(good).unwrap().as_str(), good);
    }
    for (bad, why) in [
        ("(", "unclosed group"),
        ("*", "repetition operator missing expression"),
        ("a\n[", "unclosed character class"),
        (r"(a)\1", "backreferences are not supported"),
        (
            "(?=a)",
            "look-around, including look-ahead and look-behind, is not supported",
        ),
    ] {
        assert_eq!(
            Pattern::new(bad),
            Err(PatternError::Syntax(why.to_owned())),
            "{bad}"
        );
    }
    assert_eq!(Pattern::new(r"(\pL{1000}){1000}"), Err(PatternError::TooLarge));
}

#[test]
fn in_words() {
    let pattern = Pattern::new("^a\"节").unwrap();
    let list = vec![
        Scalar::integer(-1),
        Scalar::string("a\"b"),
        Scalar::Bool(true),
        Scalar::float(2.0),
    ];
    for (test, words) in [
        (Test::In(list.clone()), r#"/a/* is one of -1, "a\"b", true, 2.0"#),
        (Test::NotIn(list), r#"/a/* is none of -1, "a\"b", true, 2.0"#),
        (Test::In(vec![Scalar::integer(5)]), "/a/* is 5"),
        (Test::NotIn(texts(&["x"])), r#"/a/* is not "x""#),
        (Test::Matches(pattern), r#"/a/* matches "^a\"节""#),
        (Test::Exists, "/a/* exists"),
        (Test::Missing, "/a/* does not exist"),
    ] {
        assert_eq!(condition("/a/*", test).to_string(), words);
    }
}

/// Small values, so that two are often equal, as JSON and as a scalar.
fn value() -> impl Strategy<Value = (String, Scalar)> {
    prop_oneof![
        any::<bool>().prop_map(|value| (value.to_string(), Scalar::Bool(value))),
        (-3_i64..3).prop_map(|value| (value.to_string(), Scalar::integer(value))),
        (-3_i32..3).prop_map(|value| (format!("{value}.0"), Scalar::float(f64::from(value)))),
        any::<i64>().prop_map(|value| (value.to_string(), Scalar::integer(value))),
        "[ab节]{0,2}".prop_map(|text| (format!("{text:?}"), Scalar::string(&text))),
        "[ab节]{0,2}".prop_map(|text| {
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            (format!("\"{escaped}\""), Scalar::string(&text))
        }),
    ]
}

/// Whether two scalars are the same value, by their own words.
fn is_same(one: &Scalar, other: &Scalar) -> bool {
    match (one, other) {
        (Scalar::Number(one), Scalar::Number(other)) => match (one.parse::<i64>(), other.parse::<i64>()) {
            (Ok(one), Ok(other)) => one == other,
            _ => one.parse::<f64>().unwrap() == other.parse::<f64>().unwrap(),
        },
        _ => one == other,
    }
}

proptest! {
    #[test]
    fn a_list_by_a_model(
        there in prop::collection::vec(value(), 0..4),
        list in prop::collection::vec(value(), 1..4),
    ) {
        let spelled: Vec<&str> = there.iter().map(|(spelled, _)| spelled.as_str()).collect();
        let document = document(&format!("{{\"a\": [{}]}}", spelled.join(",")));
        let list: Vec<Scalar> = list.into_iter().map(|(_, scalar)| scalar).collect();
        let expected = there.iter().any(|(_, value)| list.iter().any(|scalar| is_same(scalar, value)));
        prop_assert_eq!(condition("/a/*", Test::In(list.clone())).holds(&document), expected);
        prop_assert_eq!(condition("/a/*", Test::NotIn(list)).holds(&document), !expected);
        prop_assert_eq!(condition("/a/*", Test::Exists).holds(&document), !there.is_empty());
    }
}
