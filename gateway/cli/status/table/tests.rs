//! The table, line by line, and its widths.

use std::collections::BTreeMap;

use koigate::admin::status::{Listening, Observer, Problem};
use koigate::metrics::{NoticeCounts, ShadowCounts};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn status() -> Status {
    Status {
        version: "0.1.0".into(),
        revision: Some("4b1f0c2".into()),
        phase: "ready".into(),
        started_at: at("2026-11-21T08:00:00Z"),
        uptime_seconds: 3 * 86_400 + 4 * 3_600 + 59,
        configuration: Configuration {
            path: "/etc/koigate/koigate.toml".into(),
            generation: 3,
            plans: 1,
            hash: "0123456789abcdef".repeat(4),
            loaded_at: at("2026-11-24T11:58:00.25Z"),
            needs_restart: Vec::new(),
            last_reload: None,
        },
        hooks_in_flight: 2,
        listening: Listening {
            hooks: vec!["127.0.0.1:8600".into(), "[::1]:8600".into()],
            tls: false,
            admin: vec!["127.0.0.1:8601".into()],
        },
        hooks: [(
            "onResult".to_owned(),
            vec![
                vec!["columns".to_owned(), "poster".to_owned()],
                vec!["rank".to_owned()],
            ],
        )]
        .into(),
        shadows: BTreeMap::new(),
        observers: BTreeMap::new(),
        backends: vec![Backend {
            name: "columns".into(),
            url: "http://127.0.0.1:8083/{hook}?key=***".into(),
            in_flight: 1,
            max_in_flight: 256,
            idle_connections: 12,
            up: true,
            breaker: None,
            shadow: None,
            observer: None,
            replicas: vec![replica(8083)],
        }],
    }
}

fn replica(port: u16) -> Replica {
    Replica {
        url: format!("http://127.0.0.1:{port}/{{hook}}?key=***"),
        in_flight: 1,
        idle_connections: 12,
        up: true,
        ejected: false,
    }
}

/// The last lines, of one backend that stands so.
fn check_backend(change: impl FnOnce(&mut Backend), expected: &[&str]) {
    let mut status = status();
    change(&mut status.backends[0]);
    let lines = lines(&status);
    assert_eq!(lines[lines.len() - expected.len()..], *expected);
    assert!(
        lines[lines.len() - expected.len() - 1].starts_with("BACKEND"),
        "{lines:#?}"
    );
}

#[test]
fn where_hooks_are_accepted() {
    let mut status = status();
    status.listening.tls = true;
    status.listening.hooks = vec!["127.0.0.1:8600".into(), "unix:/run/koigate.sock".into()];
    let line = lines(&status).into_iter().find(|line| line.starts_with("hooks"));
    let expected = "hooks          https://127.0.0.1:8600, unix:/run/koigate.sock (2 in flight)";
    assert_eq!(line.as_deref(), Some(expected));
    status.listening.tls = false;
    let line = lines(&status).into_iter().find(|line| line.starts_with("hooks"));
    assert_eq!(line, Some(expected.replace("https", "http")));
}

#[test]
fn shadows_are_shown_as_such() {
    let mut status = status();
    let name = "new-columns".to_owned();
    status
        .shadows
        .insert("onResult".into(), vec![name.clone(), "more".into()]);
    let counts = ShadowCounts {
        agree: 12_345_678,
        change: 2,
        dropped: 3,
        ..ShadowCounts::default()
    };
    let shadow = Backend {
        name,
        shadow: Some(counts),
        ..status.backends[0].clone()
    };
    status.backends.push(shadow);
    let lines = lines(&status);
    assert_eq!(
        lines[lines.len() - 9..],
        [
            "onResult  columns + poster, then rank",
            "          beside: new-columns, more",
            "",
            "BACKEND      IN FLIGHT  KEPT  URL",
            "columns       1 of 256    12  http://127.0.0.1:8083/{hook}?key=***",
            "new-columns   1 of 256    12  shadow: http://127.0.0.1:8083/{hook}?key=***",
            "",
            "SHADOW          AGREE    REJECT    CHANGE      FAIL   DROPPED",
            "new-columns  12345678         0         2         0         3",
        ]
    );
}

#[test]
fn observers_are_shown_as_such() {
    let mut status = status();
    status
        .observers
        .insert("onResult".into(), vec!["stats".to_owned()]);
    let ended = NoticeCounts {
        delivered: 123_456_789,
        skipped: 4,
        untestable: 1,
        overflow: 2,
        refused: 3,
        gave_up: 4,
        broken: 1,
    };
    let observer = Observer {
        waiting: 7,
        waiting_bytes: 9_000,
        ended,
    };
    let observer = Backend {
        name: "stats".to_owned(),
        observer: Some(observer),
        ..status.backends[0].clone()
    };
    status.backends.push(observer);
    let lines = lines(&status);
    assert_eq!(
        lines[lines.len() - 9..],
        [
            "onResult  columns + poster, then rank",
            "          told after: stats",
            "",
            "BACKEND  IN FLIGHT  KEPT  URL",
            "columns   1 of 256    12  http://127.0.0.1:8083/{hook}?key=***",
            "stats     1 of 256    12  observer: http://127.0.0.1:8083/{hook}?key=***",
            "",
            "OBSERVER   WAITING  DELIVERED   SKIPPED      LOST",
            "stats            7  123456789         4        11",
        ]
    );
}

#[test]
fn backends_that_are_not_as_usual() {
    let alone = "                 1    12  http://127.0.0.1:8083/{hook}?key=***";
    check_backend(
        |backend| backend.breaker = Some("closed".into()),
        &["columns   1 of 256    12  http://127.0.0.1:8083/{hook}?key=***"],
    );
    check_backend(
        |backend| backend.breaker = Some("open".into()),
        &["columns   1 of 256    12  breaker open: nobody asks it", alone],
    );
    check_backend(
        |backend| {
            backend.breaker = Some("trial".into());
            backend.replicas = [8083, 8084, 8085].map(replica).into();
            backend.replicas[1].ejected = true;
            backend.replicas[2].up = false;
        },
        &[
            "columns   1 of 256    12  breaker open, one call tries; 1 of 3 replicas well",
            alone,
            "                 1    12  left out: http://127.0.0.1:8084/{hook}?key=***",
            "                 1    12  checks fail: http://127.0.0.1:8085/{hook}?key=***",
        ],
    );
    check_backend(
        |backend| {
            backend.up = false;
            backend.replicas[0].up = false;
        },
        &[
            "columns   1 of 256    12  down",
            "                 1    12  checks fail: http://127.0.0.1:8083/{hook}?key=***",
        ],
    );
}

/// What is written, without colours.
fn lines(status: &Status) -> Vec<String> {
    let mut out = Vec::new();
    write(&mut out, status, at("2026-11-24T12:00:00Z")).unwrap();
    let text = anstream::adapter::strip_str(str::from_utf8(&out).unwrap()).to_string();
    let lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    for line in &lines {
        assert!(width(line) <= COLUMNS, "{line}");
    }
    lines
}

#[test]
fn everything_in_its_place() {
    assert_eq!(
        lines(&status()),
        [
            "koigate 0.1.0 (4b1f0c2)  ready, up 3d 4h, since 2026-11-21 08:00:00 UTC",
            "",
            "hooks          http://127.0.0.1:8600, http://[::1]:8600 (2 in flight)",
            "admin          http://127.0.0.1:8601",
            "configuration  /etc/koigate/koigate.toml",
            "               generation 3, SHA-256 0123456789ab…",
            "               read 1m 59s ago (2026-11-24 11:58:00 UTC)",
            "last reload    none since the start",
            "",
            "HOOK      CHAIN",
            "onResult  columns + poster, then rank",
            "",
            "BACKEND  IN FLIGHT  KEPT  URL",
            "columns   1 of 256    12  http://127.0.0.1:8083/{hook}?key=***",
        ]
    );
}

#[test]
fn what_went_wrong_is_told_whole() {
    let mut status = status();
    status.phase = "draining".into();
    status.configuration.path = format!("/srv/{}/koigate.toml", "测试".repeat(20));
    status.configuration.needs_restart = vec!["server.listen".into(), "server.threads".into()];
    status.configuration.last_reload = Some(Reload {
        at: at("2026-11-24T12:00:01Z"),
        trigger: "watch".into(),
        ok: false,
        changes: Vec::new(),
        errors: vec![Problem {
            code: "KG010".into(),
            place: "koigate.toml:14:1".into(),
            message: "unknown key `lisen` in [server], which is a message that has to be broken".into(),
            remedy: "write `listen`".into(),
        }],
    });
    let lines = lines(&status);
    assert_eq!(
        lines[0],
        "koigate 0.1.0 (4b1f0c2)  draining, up 3d 4h, since 2026-11-21 08:00:00 UTC"
    );
    let path: String = lines[4..6]
        .iter()
        .flat_map(|line| line.chars().skip(LABEL))
        .collect();
    assert_eq!(path, status.configuration.path);
    assert_eq!(
        lines[8..14],
        [
            // The clock of this machine is behind: no age.
            "last reload    failed 2026-11-24 12:00:01 UTC, by a changed file",
            "               koigate.toml:14:1 KG010",
            "                 unknown key `lisen` in [server], which is a message that has to",
            "                 be broken",
            "                 write `listen`",
            "needs restart  server.listen, server.threads",
        ]
    );
}

#[test]
fn what_a_good_reload_changed() {
    fn check(trigger: &str, changes: &[&str], expected: &[&str]) {
        let mut status = status();
        status.configuration.last_reload = Some(Reload {
            at: at("2026-11-24T11:59:58Z"),
            trigger: trigger.into(),
            ok: true,
            changes: changes.iter().map(ToString::to_string).collect(),
            errors: Vec::new(),
        });
        assert_eq!(lines(&status)[7..7 + expected.len()], *expected, "{trigger}");
    }
    check(
        "request",
        &[],
        &[
            "last reload    good 2s ago (2026-11-24 11:59:58 UTC), by request",
            "               nothing has changed",
        ],
    );
    check(
        "signal",
        &["backend a: url", "backend b: added"],
        &[
            "last reload    good 2s ago (2026-11-24 11:59:58 UTC), by SIGHUP",
            "               backend a: url",
            "               backend b: added",
            "",
        ],
    );
}

#[test]
fn long_chains_and_urls_stay_within_the_columns() {
    let mut status = status();
    let stage = |n: usize| {
        vec![
            format!("backend-{n}-with-a-name-of-forty-characters"),
            format!("b{n}"),
        ]
    };
    status
        .hooks
        .insert("onMessage".into(), (0..5).map(stage).collect());
    status.backends[0].url = format!("http://127.0.0.1:8083/{}", "长".repeat(60));
    status.backends[0].name = "b".repeat(40);
    status.backends[0].max_in_flight = usize::MAX;
    let lines = lines(&status);
    assert!(lines.iter().any(|line| line.ends_with('…')), "{lines:#?}");
}

#[test]
fn without_anything_configured() {
    let mut status = status();
    status.hooks.clear();
    status.backends.clear();
    assert_eq!(
        lines(&status).last().unwrap(),
        "last reload    none since the start"
    );
}

#[test]
fn ages() {
    for (seconds, words) in [
        (0, "0s"),
        (59, "59s"),
        (60, "1m 0s"),
        (3_599, "59m 59s"),
        (3_600, "1h 0m"),
        (86_399, "23h 59m"),
        (86_400, "1d 0h"),
        (1_000 * 86_400 + 7_200, "1000d 2h"),
    ] {
        assert_eq!(age(Duration::from_secs(seconds)), words, "{seconds}");
    }
}

#[test]
fn lines_break_between_words_and_within_those_that_are_too_wide() {
    fn check(text: &str, room: usize, expected: &[&str]) {
        assert_eq!(wrapped(text, room), expected, "{text:?} in {room}");
    }
    check("", 5, &[""]);
    check("one two", 7, &["one two"]);
    check("one two", 6, &["one", "two"]);
    check("倍率 倍率", 9, &["倍率 倍率"]);
    check("倍率 倍率", 8, &["倍率", "倍率"]);
    check("abcdefgh", 3, &["abc", "def", "gh"]);
    check("a 倍率倍率", 5, &["a", "倍率", "倍率"]);
    check("a\u{1b}[2J", 9, &["a\u{fffd}[2J"]);
}

#[test]
fn what_is_cut_says_so() {
    for (text, room, expected) in [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("倍率", 4, "倍率"),
        ("倍率倍", 4, "倍…"),
        ("倍率倍", 5, "倍率…"),
        ("a", 0, "…"),
    ] {
        assert_eq!(cut(text, room), expected, "{text} in {room}");
    }
}
