//! Replies that mean harm: large, deep, repetitive. Each has to be over in a moment; what isn't linear would
//! take minutes.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "here the time it takes is the matter"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use koigate_core::json::Document;
use koigate_core::json::diff::{Echoes, Edits, diff};
use koigate_core::merge::{Merged, merge};
use koigate_core::plan::OnConflict;

/// Large enough that squares show.
const SIZE: usize = 1 << 20;

/// Many times what the slowest takes unoptimised on a busy machine, and less than squares take.
const MOMENT: Duration = Duration::from_secs(60);

/// Two backends answer the same; returns what came of it.
fn check(base: &str, replies: [String; 2]) -> (usize, Merged) {
    let begun = Instant::now();
    let base = Document::parse(Bytes::copy_from_slice(base.as_bytes())).unwrap();
    let mut echoes = Echoes::default();
    let edits: Vec<Edits> = replies
        .map(|reply| diff(&base, reply.into(), &mut echoes).map_or_else(|_| Edits::default(), |d| d.edits))
        .into();
    let merged = merge(&base, &edits.iter().collect::<Vec<_>>(), OnConflict::Last);
    assert!(begun.elapsed() < MOMENT, "took {:?}", begun.elapsed());
    (edits[0].len(), merged)
}

/// A list of so many repetitions that it is 1 MB long, in brackets.
fn list(open: &str, one: impl Fn(usize) -> String, close: &str) -> String {
    let count = SIZE / (one(0).len() + 1);
    let all: Vec<String> = (0..count).map(one).collect();
    format!("{open}{}{close}", all.join(","))
}

#[test]
fn small_objects_without_end() {
    let reply = list("{\"a\":[", |_| "{\"a\":0}".into(), "]}");
    let other = reply.replace('0', "1");
    let (edits, merged) = check("{\"a\":[]}", [reply.clone(), other.clone()]);
    assert_eq!(edits, 1);
    assert_eq!(merged.conflicts.total, 0);
    let (_, merged) = check("{\"a\":0}", [reply.clone(), other]);
    assert_eq!(merged.conflicts.total, 1);
    let (edits, _) = check(&reply, [reply.replace('0', "1"), reply.replace(',', " ,")]);
    assert_eq!(edits, 1);
}

#[test]
fn deep_beyond_reason() {
    let deep = format!("{{\"a\":{}", "[".repeat(SIZE));
    let (edits, merged) = check("{\"a\":[]}", [deep.clone(), deep]);
    assert_eq!((edits, merged.document.is_none()), (0, true));
    let nested = format!("{}1{}", "{\"a\":".repeat(128), "}".repeat(128));
    let edited = nested.replace('1', "2");
    assert_eq!(check(&nested, [edited.clone(), edited]).0, 1);
}

/// What may stand at one depth may be too deep at another.
#[test]
fn added_again_deeper() {
    let (open, close) = ("[".repeat(127), "]".repeat(127));
    let deepest = format!("\"a\":{open}\"{}\"{close}", "x".repeat(2048));
    let mut echoes = Echoes::default();
    let base = Document::parse(Bytes::from_static(b"{\"o\":{}}")).unwrap();
    let mut ask = |reply: String| diff(&base, reply.into(), &mut echoes).map(|diff| diff.edits.len());
    assert_eq!(ask(format!("{{{deepest}}}")), Ok(1));
    assert_eq!(ask(format!("{{{deepest}}}")), Ok(1));
    assert!(ask(format!("{{\"o\":{{{deepest}}}}}")).is_err());
}

#[test]
fn keys_repeated() {
    let base = list("{\"big\":{", |n| format!("\"k{n}\":{n}"), "}}");
    // One member of a large object, again and again, out of order.
    let reply = list("{", |_| "\"big\":{\"zz\":0,\"k9\":1,\"k1\":2}".into(), "}");
    assert_eq!(check(&base, [reply.clone(), reply]).0, 3);
    let reply = list("{\"big\":{", |n| format!("\"k{}\":0", n % 7), "}}");
    assert_eq!(check(&base, [reply.clone(), reply]).0, 6);
    let reply = list("{", |_| "\"x\":[0]".into(), "}");
    assert_eq!(check(&base, [reply.clone(), reply]).0, 1);
}

#[test]
fn repeated_at_every_level() {
    // If each repetition were compared anew at each level, this would double 100 times.
    let base = (0..100).fold("1".to_owned(), |inner, _| format!("{{\"a\":{inner},\"x\":0}}"));
    let reply = (0..100).fold("2".to_owned(), |inner, _| {
        format!("{{\"a\":{inner},\"x\":1,\"x\":2,\"a\":{{}}}}")
    });
    assert_eq!(check(&base, [reply.clone(), reply]).0, 1);
    let doubled = (0..100).fold("1".to_owned(), |inner, _| {
        format!("{{\"a\":0,\"b\":2,\"a\":{inner}}}")
    });
    let edited = doubled.replace('1', "5");
    assert_eq!(check(&doubled, [edited.clone(), edited]).0, 1);
}

#[test]
fn edits_without_end() {
    let members = |value: usize| list("{\"o\":{", |n| format!("\"{n:07}\":{value}"), "}}");
    let (edits, merged) = check(&members(0), [members(1), members(2)]);
    assert_eq!(merged.conflicts.total, edits as u64);
    assert!(edits > 75_000);
    // New keys, each different, and each in both.
    let (edits, merged) = check("{\"o\":{}}", [members(1), members(2)]);
    assert_eq!(merged.conflicts.total, edits as u64);
    // Keys that are alike up to - and _, all of them.
    let alike = |value: usize| {
        let key = |n: usize| {
            (0..20)
                .map(|bit| if n >> bit & 1 == 1 { '-' } else { '_' })
                .collect::<String>()
        };
        list("{\"o\":{", |n| format!("\"{}\":{value}", key(n)), "}}")
    };
    check("{\"o\":{}}", [alike(1), alike(2)]);
    check(&alike(0), [alike(1), alike(2)]);
}

#[test]
fn long_scalars() {
    let digits = "1".repeat(SIZE);
    let base = format!("{{\"n\":{digits},\"s\":\"{digits}\"}}");
    let reply = format!("{{\"n\":{digits}0e-1,\"s\":\"\\u0031{}\"}}", &digits[1..]);
    assert_eq!(check(&base, [reply.clone(), reply]).0, 0);
    let spaces = " ".repeat(SIZE);
    let reply = format!("{{{spaces}\"n\"{spaces}:{spaces}1{spaces}}}");
    assert_eq!(check("{\"n\":0}", [reply.clone(), reply]).0, 1);
    // White space before a bracket is looked at once for all that is added there.
    let base = format!("{{\"a\":1{spaces}}}");
    let added = list("{", |n| format!("\"{n}\":0"), "}");
    check(&base, [added.clone(), added]);
}
