use std::path::Path;

use koigate_config::{Process, parse};

use super::*;

const BASE: &str = r#"
[backends.a]
url = "http://127.0.0.1:1/{hook}"
on_failure = "continue"
headers = { Authorization = "Bearer one" }
[backends.b]
url = "http://127.0.0.1:2/"
on_failure = "continue"
[hooks.onMessage]
chain = ["a", "b"]
"#;

fn plan(text: &str) -> Plan {
    let name = Path::new("koigate.toml").display().to_string();
    parse(text, &name, &Process).unwrap().plan
}

/// What turns [`BASE`] into this, with `old` replaced by `new`.
fn check(old: &str, new: &str, expected: &[&str]) {
    assert!(BASE.contains(old), "{old}");
    let lines = changes(&plan(BASE), &plan(&BASE.replace(old, new)));
    assert_eq!(lines, expected, "{old} -> {new}");
}

#[test]
fn each_part_is_named_with_its_keys() {
    check("chain", "chain", &[]);
    check("/{hook}", "/{hook}?x=1", &["backend a: url"]);
    check("Bearer one", "Bearer two", &["backend a: headers"]);
    check("\"a\", \"b\"", "[\"a\", \"b\"]", &["hook onMessage: chain"]);
    check("\"a\", \"b\"", "\"b\", \"a\"", &["hook onMessage: chain"]);
    check(
        "chain =",
        "deadline = '1s'\nimages = 'first'\nreject = 'ordered'\non_conflict = 'first'\nchain =",
        &["hook onMessage: deadline, reject, on_conflict, images"],
    );
    check(
        "[backends.b]",
        "[backends.b]\ntimeout = '1s'\nconnect_timeout = '500ms'\nmax_reply = '1KiB'\nmax_in_flight = 1\nalways_finish = true\nfailure_statuses = ['5xx']",
        &["backend b: timeout, connect_timeout, failure_statuses, max_reply, max_in_flight, always_finish"],
    );
    check(
        "[backends.b]",
        "[backends.b]\nhide = ['/config']\nkeys = 'snake'\nmay_change = ['/result']\nmay = ['json']",
        &["backend b: hide, keys, may_change, may"],
    );
    check("[backends.b]", "[backends.b]\nshow = []", &["backend b: show"]);
    check(
        "[backends.b]",
        "[backends.b]\nretries = 1\nbreaker = true\nhealth = { path = '/healthz' }",
        &["backend b: retries, breaker, health"],
    );
    check(
        "\"http://127.0.0.1:2/\"",
        "['http://127.0.0.1:2/', 'http://127.0.0.1:3/']",
        &["backend b: url"],
    );
    check(
        "[hooks.onMessage]",
        "[hooks.rank]\nchain = ['b']\n[hooks.onMessage]",
        &["hook rank: added"],
    );
    check(
        "[hooks.onMessage]",
        "[hooks.onResult]",
        &["hook onResult: added", "hook onMessage: removed"],
    );
    check(
        "[backends.a]",
        "[log]\nlevel = 'warn'\n[server]\npath = '/x'\nmax_body = '1MiB'\nmax_in_flight = 2\n[backends.a]",
        &["server: path, max_body, max_in_flight", "log: level"],
    );
    check(
        "[backends.a]",
        "[server]\nmax_buffered = '64MiB'\nmax_connections = 5\nauth = { token = 't' }\nallow = ['::1']\n[backends.a]",
        &["server: max_buffered, max_connections, max_connections_per_address, auth, allow"],
    );
    check(
        "[backends.a]",
        "[server]\ndrain = '5s'\nlame_duck = '1s'\n[backends.a]",
        &["server: drain, lame_duck"],
    );
}

#[test]
fn a_default_changes_every_backend_that_inherits_it() {
    check(
        "[backends.a]",
        "[defaults]\ntimeout = '2s'\n[backends.a]",
        &["backend a: timeout", "backend b: timeout"],
    );
}

#[test]
fn a_renamed_backend_goes_and_comes() {
    let renamed = BASE.replace("backends.b", "backends.c").replace("\"b\"", "\"c\"");
    assert_eq!(
        changes(&plan(BASE), &plan(&renamed)),
        ["backend c: added", "backend b: removed", "hook onMessage: chain"]
    );
}

#[test]
fn the_order_of_the_tables_is_no_change() {
    let (first, second) = BASE.split_once("[backends.b]").unwrap();
    let (second, hooks) = second.split_once("[hooks").unwrap();
    let swapped = format!("[backends.b]{second}{first}[hooks{hooks}");
    assert_eq!(changes(&plan(BASE), &plan(&swapped)), [""; 0]);
}

#[test]
fn what_waits_for_a_restart() {
    let fixed = Fixed::of(&plan(BASE));
    let check = |head: &str, expected: &[&str]| {
        assert_eq!(
            fixed.waiting(&plan(&format!("{head}\n{BASE}"))),
            expected,
            "{head}"
        );
    };
    check("", &[]);
    check("[server]\nmax_in_flight = 3", &[]);
    check(
        "[server]\nlisten = '127.0.0.1:11'\nthreads = 3",
        &["server.listen", "server.threads"],
    );
    check("[admin]\nlisten = '127.0.0.1:11'", &["admin.listen"]);
    check("[log]\nformat = 'json'\nlevel = 'warn'", &["log.format"]);
}

#[test]
fn shadows_are_told_by_name() {
    check(
        "[hooks.onMessage]",
        "[backends.c]\nurl = 'http://127.0.0.1:3/'\n[hooks.onMessage]\nshadow = ['c']",
        &["backend c: added", "hook onMessage: shadow"],
    );
}
