//! What is sent, and what becomes of edits of it, by tables. The properties are in `tests/model`.

use super::*;
use crate::guards::{Power, Powers, Sight};
use crate::merge::merge;
use crate::plan::OnConflict;
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

fn show(texts: &[&str]) -> Guards {
    let sight = Sight::Show(places(texts));
    Guards {
        sight,
        ..Guards::default()
    }
}

fn may_change(texts: &[&str]) -> Guards {
    let may_change = Some(places(texts));
    Guards {
        may_change,
        ..Guards::default()
    }
}

fn keys(keys: Keys) -> Guards {
    Guards {
        keys,
        ..Guards::default()
    }
}

fn base(document: &str) -> Arc<Base> {
    Arc::new(Base::new(Bytes::copy_from_slice(document.as_bytes())))
}

fn sent(document: &str, guards: &Guards) -> Option<String> {
    let view = View::new(&base(document), guards)?;
    let sent = String::from_utf8(view.bytes().to_vec()).unwrap();
    if let Some(parsed) = view.sent().document() {
        // The index that was derived is the one that reading gives, as far as anybody can tell.
        let again = Document::parse(view.bytes().clone()).unwrap();
        assert_eq!(parsed.bytes(), again.bytes());
        let spans = |value: crate::json::Value<'_>| -> Vec<_> {
            value
                .entries()
                .map(|entry| (entry.start, entry.value.span()))
                .collect()
        };
        assert_eq!(spans(parsed.root()), spans(again.root()), "{document}");
    }
    Some(sent)
}

/// The document with what a reply may change, and the places that it may not.
fn edited(document: &str, guards: &Guards, reply: &str) -> (String, Vec<String>) {
    let base = base(document);
    let view = View::new(&base, guards).unwrap();
    let reply = Bytes::copy_from_slice(reply.as_bytes());
    let Compared::Edits { edits, denied, .. } = view.compare(reply, guards).unwrap() else {
        panic!("{document} does not parse");
    };
    assert_eq!(denied.count, denied.places.len());
    let document = base.document().unwrap();
    let merged = merge(document, &[&edits], OnConflict::Last).document;
    let merged = merged.as_ref().unwrap_or(document);
    (String::from_utf8(merged.bytes().to_vec()).unwrap(), denied.places)
}

#[test]
fn a_cut_takes_exactly_one_comma() {
    let check = |document: &str, places: &[&str], expected: &str| {
        assert_eq!(
            sent(document, &hide(places)).as_deref(),
            Some(expected),
            "{document} {places:?}"
        );
    };
    let three = r#"{"a": 1, "b": 2, "c": 3}"#;
    check(three, &["/a"], r#"{"b": 2, "c": 3}"#);
    check(three, &["/b"], r#"{"a": 1, "c": 3}"#);
    check(three, &["/c"], r#"{"a": 1, "b": 2}"#);
    check(three, &["/a", "/b"], r#"{"c": 3}"#);
    check(three, &["/b", "/c"], r#"{"a": 1}"#);
    check(three, &["/c", "/a"], r#"{"b": 2}"#);
    check(three, &["/*"], "{}");
    check(three, &["/a", "/b", "/c"], "{}");
    check(three, &["/d", "/a/b"], three);
    check(three, &[], three);
    check("{ \"a\" : 1 }", &["/a"], "{  }");
    check("{\n \"a\":1 ,\n \"b\":2\n}", &["/a"], "{\n \"b\":2\n}");
    check("{\n \"a\":1 ,\n \"b\":2\n}", &["/b"], "{\n \"a\":1\n}");
    // Each of a repeated key, in whatever spelling.
    check(r#"{"a":1,"b":2,"a":3,"\u0061":4}"#, &["/a"], r#"{"b":2}"#);
    check(
        r#"{"x-y":1,"x_y":2,"result":{"x-y":3,"x_y":4}}"#,
        &["/x_y", "/result/x-y"],
        r#"{"result":{"x_y":4}}"#,
    );
    // What is around a hidden place stays.
    check(r#"{"a":{"b":{"c":1}}}"#, &["/a/b/c"], r#"{"a":{"b":{}}}"#);
    check(
        r#"{"a":{"b":1,"c":{"b":2}},"d":3}"#,
        &["/*/b"],
        r#"{"a":{"c":{"b":2}},"d":3}"#,
    );
    check(
        r#"{"a":[{"p":1,"n":2},{"n":3},4,{"p":5}]}"#,
        &["/a/*/p"],
        r#"{"a":[{"n":2},{"n":3},4,{}]}"#,
    );
    check(r#"{"a":[1,[2],{}],"b":0}"#, &["/a/*"], r#"{"a":[],"b":0}"#);
    check(r#"{"a":[1,2]}"#, &["/a/0"], r#"{"a":[1,2]}"#);
    check(r#"{"a":{"b":1},"c":2}"#, &["/a/b", "/a"], r#"{"c":2}"#);
    check("\u{feff} {\"a\":1,\"b\":2} ", &["/a"], r#"{"b":2}"#);
    check("5", &["/a"], "5");
    // Containers of the index, some of which go.
    let long = "x".repeat(80);
    let deep = |key: &str| format!(r#""{key}":{{"s":"{long}","l":[["{long}"],["{long}"]]}}"#);
    let (a, b, c) = (deep("a"), deep("b"), deep("c"));
    check(&format!("{{{a},{b},{c}}}"), &["/b"], &format!("{{{a},{c}}}"));
    check(&format!("{{{a},{b},{c}}}"), &["/a"], &format!("{{{b},{c}}}"));
    let without = |key: &str| format!(r#""{key}":{{"s":"{long}"}}"#);
    check(
        &format!("{{{a},{b},{c}}}"),
        &["/*/l"],
        &format!("{{{},{},{}}}", without("a"), without("b"), without("c")),
    );
}

#[test]
fn what_is_shown_is_sent_and_nothing_else() {
    let check = |document: &str, places: &[&str], expected: &str| {
        assert_eq!(
            sent(document, &show(places)).as_deref(),
            Some(expected),
            "{document} {places:?}"
        );
    };
    let document = r#"{"a": 1, "b": {"c": 2, "d": [3, {"e": 4, "f": 5}, {"f": 6}]}, "g": 7}"#;
    check(document, &["/a"], r#"{"a": 1}"#);
    check(document, &["/g"], r#"{"g": 7}"#);
    check(document, &["/g", "/a"], r#"{"a": 1, "g": 7}"#);
    check(document, &["/b/c"], r#"{"b": {"c": 2}}"#);
    check(document, &["/b/d/*/e"], r#"{"b": {"d": [{"e": 4}]}}"#);
    check(document, &["/b/d/*/f"], r#"{"b": {"d": [{"f": 5}, {"f": 6}]}}"#);
    check(
        document,
        &["/b/d", "/b/d/*/e"],
        r#"{"b": {"d": [3, {"e": 4, "f": 5}, {"f": 6}]}}"#,
    );
    check(
        document,
        &["/b/d/*"],
        r#"{"b": {"d": [3, {"e": 4, "f": 5}, {"f": 6}]}}"#,
    );
    check(document, &["/*"], document);
    check(document, &["/a/b", "/x", "/b/c/d"], "{}");
    check(document, &[], "{}");
    check(r#"{"x_y":1,"x-y":2,"z":3}"#, &["/x-y"], r#"{"x_y":1,"x-y":2}"#);
    check("[1]", &["/a"], "[]");
}

#[test]
fn keys_are_respelled_in_place() {
    let check = |document: &str, kebab: &str, snake: &str| {
        for (spelling, expected) in [(Keys::Kebab, kebab), (Keys::Snake, snake), (Keys::AsIs, document)] {
            assert_eq!(
                sent(document, &keys(spelling)).as_deref(),
                Some(expected),
                "{document}"
            );
        }
    };
    check(
        r#"{"from_user":{"is-bot":"a_b-c"},"l":[{"x_y_z":1}]}"#,
        r#"{"from-user":{"is-bot":"a_b-c"},"l":[{"x-y-z":1}]}"#,
        r#"{"from_user":{"is_bot":"a_b-c"},"l":[{"x_y_z":1}]}"#,
    );
    check(
        r#"{"result":{"a_b":{"c-d":1}},"r_s":{"result":{"e_f":1}}}"#,
        r#"{"result":{"a_b":{"c-d":1}},"r-s":{"result":{"e-f":1}}}"#,
        r#"{"result":{"a_b":{"c-d":1}},"r_s":{"result":{"e_f":1}}}"#,
    );
    check(
        r#"{"a\u005fb":1,"c\u002Dd":2,"\\u005f":3,"节_点":4}"#,
        r#"{"a\u002db":1,"c\u002Dd":2,"\\u005f":3,"节-点":4}"#,
        r#"{"a\u005fb":1,"c\u005fd":2,"\\u005f":3,"节_点":4}"#,
    );
    // Where both spellings are there each is itself.
    check(
        r#"{"a_b":1,"a-b":2,"c_d":3,"e-f":4,"x":{"a_b":5}}"#,
        r#"{"a_b":1,"a-b":2,"c-d":3,"e-f":4,"x":{"a-b":5}}"#,
        r#"{"a_b":1,"a-b":2,"c_d":3,"e_f":4,"x":{"a_b":5}}"#,
    );
    check(
        r#"{"a_b-c":1,"a-b_c":2}"#,
        r#"{"a_b-c":1,"a-b_c":2}"#,
        r#"{"a_b-c":1,"a-b_c":2}"#,
    );
    check(
        r#"{"a_b":1,"x-y":0,"a_b":2}"#,
        r#"{"a-b":1,"x-y":0,"a-b":2}"#,
        r#"{"a_b":1,"x_y":0,"a_b":2}"#,
    );
    check("{\"a_b\":", "{\"a_b\":", "{\"a_b\":");
    check("[]", "[]", "[]");
}

#[test]
fn what_can_not_be_found_is_not_sent() {
    for broken in ["", "{", "{\"config\":1}}", "{\"a\":01}"] {
        assert_eq!(sent(broken, &hide(&["/config"])), None);
        assert_eq!(sent(broken, &show(&["/config"])), None);
        assert_eq!(sent(broken, &may_change(&["/a"])).as_deref(), Some(broken));
    }
}

#[test]
fn what_is_hidden_is_no_edit_and_stays() {
    let check = |guards: &Guards, document: &str, reply: &str, expected: &str, denied: &[&str]| {
        let (document, places) = edited(document, guards, reply);
        assert_eq!(
            (
                document.as_str(),
                places.iter().map(String::as_str).collect::<Vec<_>>()
            ),
            (expected, denied.to_vec()),
            "{reply}"
        );
    };
    let config = hide(&["/config", "/slave/*/password"]);
    let document = r#"{"m":1,"config":{"token":"t"},"slave":[{"n":1,"password":"p"},{"n":2}],"o":{}}"#;
    check(
        &config,
        document,
        r#"{"m":1,"slave":[{"n":1},{"n":2}],"o":[]}"#,
        document,
        &[],
    );
    check(
        &config,
        document,
        r#"{"m":2,"new":3}"#,
        r#"{"m":2,"config":{"token":"t"},"slave":[{"n":1,"password":"p"},{"n":2}],"o":{},"new":3}"#,
        &[],
    );
    check(
        &config,
        document,
        r#"{"config":{"token":"x"}}"#,
        document,
        &["/config"],
    );
    check(
        &config,
        document,
        r#"{"con\u0066ig":null,"config":1}"#,
        document,
        &["/config"],
    );
    for (reply, place) in [
        (r#"{"slave":[{"n":1},{"n":3}]}"#, "/slave/1/n"),
        (r#"{"slave":[{"n":2},{"n":1}]}"#, "/slave/0/n"),
        (r#"{"slave":[{"n":1},{"n":2},{}]}"#, "/slave/-"),
        (r#"{"slave":[]}"#, "/slave"),
        (r#"{"slave":null}"#, "/slave"),
        (
            r#"{"slave":[{"n":1,"password":"q"},{"n":2}]}"#,
            "/slave/0/password",
        ),
        (r#"{"slave":[{"n":1},{"n":2,"new":1}]}"#, "/slave/1/new"),
    ] {
        let (merged, places) = edited(document, &config, reply);
        assert_eq!(merged, document, "{reply}");
        assert!(places.contains(&place.to_owned()), "{reply} {places:?}");
    }
    // A place that isn't there is hidden all the same, and so is what would be in a new value.
    check(
        &config,
        r#"{"m":1}"#,
        r#"{"config":1,"k":2}"#,
        r#"{"m":1,"k":2}"#,
        &["/config"],
    );
    check(
        &config,
        r#"{"m":1}"#,
        r#"{"slave":[{"password":1}]}"#,
        r#"{"m":1}"#,
        &["/slave"],
    );
    check(
        &config,
        r#"{"m":1}"#,
        r#"{"slave":[{"n":1}]}"#,
        r#"{"m":1,"slave":[{"n":1}]}"#,
        &[],
    );
    check(
        &config,
        r#"{"slave":null}"#,
        r#"{"slave":[{"password":1}]}"#,
        r#"{"slave":null}"#,
        &["/slave"],
    );

    let token = hide(&["/config/bot_token"]);
    let document = r#"{"config":{"a":1,"bot_token":"t"},"b":2}"#;
    check(
        &token,
        document,
        r#"{"config":{"bot-token":1,"c":3}}"#,
        r#"{"config":{"a":1,"bot_token":"t","c":3},"b":2}"#,
        &["/config/bot-token"],
    );
    check(
        &token,
        document,
        r#"{"config":null,"b":3}"#,
        r#"{"config":{"a":1,"bot_token":"t"},"b":3}"#,
        &["/config"],
    );
    check(
        &token,
        document,
        r#"{"config":{"a":2}}"#,
        r#"{"config":{"a":2,"bot_token":"t"},"b":2}"#,
        &[],
    );
    check(
        &token,
        r#"{"b":1}"#,
        r#"{"config":{"bot-token":1}}"#,
        r#"{"b":1}"#,
        &["/config"],
    );
    check(
        &token,
        r#"{"config":0}"#,
        r#"{"config":{"bot-token":1}}"#,
        r#"{"config":0}"#,
        &["/config"],
    );
    check(
        &token,
        r#"{"config":0}"#,
        r#"{"config":{"x":1}}"#,
        r#"{"config":{"x":1}}"#,
        &[],
    );

    let column = hide(&["/result/a-b"]);
    check(
        &column,
        r#"{"result":{"a-b":1}}"#,
        r#"{"result":{"a_b":2}}"#,
        r#"{"result":{"a-b":1,"a_b":2}}"#,
        &[],
    );
    check(
        &column,
        r#"{"result":{"a-b":1}}"#,
        r#"{"result":{"a-b":2}}"#,
        r#"{"result":{"a-b":1}}"#,
        &["/result/a-b"],
    );

    let names = show(&["/result/names"]);
    let document = r#"{"config":{"t":1},"result":{"names":["a"],"speed":[1]}}"#;
    check(
        &names,
        document,
        r#"{"result":{"names":["a"],"rank":[1]}}"#,
        r#"{"config":{"t":1},"result":{"names":["a"],"speed":[1],"rank":[1]}}"#,
        &[],
    );
    check(
        &names,
        document,
        r#"{"result":{"speed":[9]},"config":{}}"#,
        document,
        &["/result/speed", "/config"],
    );
    check(&names, document, r#"{"result":7}"#, document, &["/result"]);
    check(
        &names,
        document,
        r#"{"result":{"names":["b","c"]}}"#,
        r#"{"config":{"t":1},"result":{"names":["b","c"],"speed":[1]}}"#,
        &[],
    );
    let each = show(&["/a/*/b"]);
    let document = r#"{"a":[{"b":1,"c":2},{"c":3}]}"#;
    check(&each, document, r#"{"a":[{"b":1}]}"#, document, &[]);
    check(&each, document, r#"{"a":[{"b":2}]}"#, document, &["/a/0/b"]);
}

#[test]
fn edits_stay_where_they_may_be() {
    let check = |may: &[&str], document: &str, reply: &str, expected: &str, denied: &[&str]| {
        let (document, places) = edited(document, &may_change(may), reply);
        assert_eq!(
            (
                document.as_str(),
                places.iter().map(String::as_str).collect::<Vec<_>>()
            ),
            (expected, denied.to_vec()),
            "{reply}"
        );
    };
    let document = r#"{"m":{"a":1},"result":{"n":["x"],"s":[1]},"l":[{"a":1,"b":2}]}"#;
    check(
        &["/result"],
        document,
        r#"{"m":{"a":2},"result":{"n":["y"],"t":1},"z":1}"#,
        r#"{"m":{"a":1},"result":{"n":["y"],"s":[1],"t":1},"l":[{"a":1,"b":2}]}"#,
        &["/m/a", "/z"],
    );
    check(
        &["/result"],
        document,
        r#"{"result":null}"#,
        r#"{"m":{"a":1},"result":null,"l":[{"a":1,"b":2}]}"#,
        &[],
    );
    check(
        &[],
        document,
        r#"{"m":{"a":2,"b":3},"l":[{"a":1,"b":2},3]}"#,
        document,
        &["/m/a", "/m/b", "/l/-"],
    );
    check(
        &["/result/n"],
        document,
        r#"{"result":{"n":["x","y"],"s":[1,2]}}"#,
        r#"{"m":{"a":1},"result":{"n":["x","y"],"s":[1]},"l":[{"a":1,"b":2}]}"#,
        &["/result/s/-"],
    );
    check(
        &["/result/s/*"],
        document,
        r#"{"result":{"n":["x","y"],"s":[1,2]}}"#,
        r#"{"m":{"a":1},"result":{"n":["x"],"s":[1,2]},"l":[{"a":1,"b":2}]}"#,
        &["/result/n/-"],
    );
    check(
        &["/result/s/*"],
        document,
        r#"{"result":{"s":[2]}}"#,
        r#"{"m":{"a":1},"result":{"n":["x"],"s":[2]},"l":[{"a":1,"b":2}]}"#,
        &[],
    );
    check(
        &["/result/s/*"],
        document,
        r#"{"result":{"s":[]}}"#,
        document,
        &["/result/s"],
    );
    check(
        &["/l/*/a"],
        document,
        r#"{"l":[{"a":5,"b":6}]}"#,
        r#"{"m":{"a":1},"result":{"n":["x"],"s":[1]},"l":[{"a":5,"b":2}]}"#,
        &["/l/0/b"],
    );
    check(
        &["/l/*/a"],
        document,
        r#"{"l":[{"a":1,"b":2},{"a":3}]}"#,
        document,
        &["/l/-"],
    );
    check(
        &["/x_y"],
        document,
        r#"{"x-y":1}"#,
        r#"{"m":{"a":1},"result":{"n":["x"],"s":[1]},"l":[{"a":1,"b":2}],"x-y":1}"#,
        &[],
    );
    // A new object may have allowed places in it, and nothing else.
    check(
        &["/new/a", "/new/b/c"],
        "{}",
        r#"{"new":{"a":1,"b":{"c":2}}}"#,
        r#"{"new":{"a":1,"b":{"c":2}}}"#,
        &[],
    );
    for reply in [
        r#"{"new":{"a":1,"d":2}}"#,
        r#"{"new":{}}"#,
        r#"{"new":{"b":{}}}"#,
        r#"{"new":[]}"#,
        r#"{"new":1}"#,
        r#"{"new":{"b":{"c":1,"d":2}}}"#,
    ] {
        check(&["/new/a", "/new/b/c"], "{}", reply, "{}", &["/new"]);
    }
    check(&["/new/*"], "{}", r#"{"new":[1]}"#, "{}", &["/new"]);
    check(&["/m/a"], document, r#"{"m":null}"#, document, &["/m"]);
    check(
        &["/"],
        r#"{"":1,"a":2}"#,
        r#"{"":3,"a":4}"#,
        r#"{"":3,"a":2}"#,
        &["/a"],
    );
    check(&["/a"], "[1]", r#"{"a":1}"#, "[1]", &[""]);
}

#[test]
fn who_may_not_send_json_edits_nothing() {
    let guards = Guards {
        may: Powers::of([Power::Reject]),
        ..Guards::default()
    };
    assert_eq!(
        edited("{\"a\":1}", &guards, "{\"a\":2}"),
        ("{\"a\":1}".to_owned(), vec!["/a".to_owned()])
    );
    assert_eq!(
        edited("{\"a\":1}", &guards, "{\"a\":1.0}"),
        ("{\"a\":1}".to_owned(), vec![])
    );
}

#[test]
fn hidden_and_respelled_at_once() {
    let guards = Guards {
        sight: Sight::Hide(places(&["/bot-config", "/m/from-user/access_hash"])),
        keys: Keys::Kebab,
        ..Guards::default()
    };
    let document =
        r#"{"m":{"from_user":{"access_hash":1,"is_bot":false},"chat_id":5},"bot_config":{"x":1},"l_m":[1]}"#;
    assert_eq!(
        sent(document, &guards).unwrap(),
        r#"{"m":{"from-user":{"is-bot":false},"chat-id":5},"l-m":[1]}"#
    );
    let reply = r#"{"m":{"from-user":{"is-bot":true,"new-key":1},"chat_id":6},"l-m":[1,2]}"#;
    assert_eq!(
        edited(document, &guards, reply),
        (
            r#"{"m":{"from_user":{"access_hash":1,"is_bot":true,"new-key":1},"chat_id":6},"bot_config":{"x":1},"l_m":[1,2]}"#
                .to_owned(),
            vec![]
        )
    );
}

#[test]
fn places_are_listed_up_to_a_bound() {
    let reply: Vec<String> = (0..100)
        .map(|n| format!("\"{n}{}\":1", "节".repeat(200)))
        .collect();
    let base = base("{}");
    let guards = may_change(&[]);
    let view = View::new(&base, &guards).unwrap();
    let compared = view
        .compare(format!("{{{}}}", reply.join(",")).into(), &guards)
        .unwrap();
    let Compared::Edits { edits, denied, .. } = compared else {
        panic!("it parses");
    };
    assert_eq!(
        (edits.len(), denied.count, denied.places.len()),
        (0, 100, Denied::LISTED)
    );
    assert!(
        denied
            .places
            .iter()
            .all(|place| place.len() < 300 && place.ends_with('…'))
    );
}

#[test]
fn equal_guards_share_a_view() {
    let base = base(r#"{"a":1,"b":2}"#);
    let (one, other, third) = (hide(&["/a"]), hide(&["/a"]), hide(&["/b"]));
    let mut views = Views::new(base);
    let sent: Vec<Bytes> = [&one, &other, &third]
        .into_iter()
        .map(|guards| views.of(guards).unwrap().bytes().clone())
        .collect();
    assert_eq!(sent[0].as_ptr(), sent[1].as_ptr());
    assert_eq!([&*sent[0], &*sent[2]], [br#"{"b":2}"#, br#"{"a":1}"#]);
}
