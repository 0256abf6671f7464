//! What a person sees, and what nobody must see.

use std::path::Path;

use crate::support::{Fixed, codes};
use koigate_config::{Color, Report, describe, load, parse};

fn report(text: &str) -> Report {
    match parse(text, "koigate.toml", &Fixed::default()) {
        Ok(loaded) => loaded.warnings,
        Err(report) => report,
    }
}

#[test]
fn everything_at_once() {
    let text = include_str!("wrong.toml");
    assert_eq!(
        format!("{}\n", report(text).render(Color::Never)),
        include_str!("wrong.txt")
    );
}

#[test]
fn what_breaks_toml_is_shown_alone_from_there_on() {
    let text = include_str!("broken.toml");
    assert_eq!(
        format!("{}\n", report(text).render(Color::Never)),
        include_str!("broken.txt")
    );
}

/// What people write who have never seen TOML, or write it with a Chinese keyboard: a line of a backend's table, what
/// is found, and what they are told. Other lines are right.
#[rustfmt::skip]
const SLIPS: &[(&str, &str, &str)] = &[
    ("on_failure = “reject”", "KG004 3:14", "Write straight quotes, `\"`"),
    ("on_failure = ‘reject’", "KG004 3:14", "Write straight quotes"),
    ("on_failure ＝ \"reject\"", "KG004 3:12", "Write `=` for `＝`"),
    ("failure_statuses = [404，422]", "KG004 3:21", "Write `,` for `，`"),
    ("on_failure\u{3000}= \"reject\"", "KG004 3:11", "Write a plain space for U+3000"),
    ("on_failure：\"reject\"", "KG004 3:11", "Write `=` for `：`"),
    ("on_failure: \"reject\"", "KG004 3:11", "Write `=` for `:`"),
    ("on_failure = reject", "KG004 3:14", "Put the string in quotes"),
    ("failure_message = 服务坏了，稍后", "KG004 3:19", "Put the string in quotes"),
    ("timeout = 5s", "KG004 3:11", "Put the string in quotes"),
    ("on_failure = \"reject", "KG004 3:21", "Close the string with `\"`"),
    ("failure_statuses = [404", "KG004 4:1, KG004 5:1", "close the array above it"),
    ("headers.A = { file = \"C:\\keys\\a\" }", "KG004 3:26", "`\\\\` for a backslash"),
    ("always_finish = True", "KG004 3:17", "in small letters"),
    ("always_finish = \"true\"", "KG011 3:17", "without quotes"),
    ("max_in_flight = \"5\"", "KG011 3:17", "without quotes"),
    ("failure_statuses = \"5xx\"", "KG011 3:20", "Put brackets around it"),
    ("url = \"http://127.0.0.1:9/\"", "KG004 3:1", "Remove one of the two"),
    ("[backends.黑名单]", "KG004 3:11", "letters, digits, `_` and `-` of ASCII"),
    ("[[hooks.onResult]]", "KG011 3:1", "in single brackets"),
    ("[backend.b]", "KG010 3:2", "Write `backends`"),
    ("chain = [\"a\"]", "KG010 3:1", "Write it below `[hooks.NAME]`"),
    ("level = \"warn\"", "KG010 3:1", "Write it below `[log]`"),
    ("[server]\ntimeout = \"5s\"", "KG010 4:1", "Write it below `[defaults]`, `[backends.NAME]`"),
    ("[hooks.y]\nchain = \"a\"", "KG011 4:9", "Put brackets around it"),
    // The table is there twice; its keys are no news.
    ("[backends.a]\nurl = \"http://127.0.0.1:9/\"", "KG004 3:11", "[backends.a]"),
];

#[test]
fn slips_of_the_pen() {
    for (line, code, words) in SLIPS {
        let text = format!("[backends.a]\nurl = \"http://127.0.0.1/\"\n{line}\n[hooks.x]\nchain = [\"a\"]\n");
        // A Windows editor begins the file with a mark, and ends lines in two characters.
        for text in [text.clone(), format!("\u{feff}{}", text.replace('\n', "\r\n"))] {
            let report = report(&text);
            let shown = report.render(Color::Never);
            assert_eq!(codes(&report).join(", "), *code, "{line}\n{shown}");
            assert!(shown.contains(words), "{line}\n{shown}");
        }
    }
}

#[test]
fn other_formats() {
    for (text, format) in [
        ("callbacks:\n  onMessage: http://127.0.0.1/\n", "YAML"),
        ("---\n# koipy\na: [1]\n- b\n", "YAML"),
        ("{\n  \"server\": {}\n}\n", "JSON"),
    ] {
        let report = report(text);
        assert_eq!(report.findings().len(), 1, "{report}");
        assert_eq!(
            report.findings()[0].message(),
            format!("this is {format}, and a configuration is TOML")
        );
    }
    // One colon makes no YAML.
    let report = report("[server]\nlisten: \"127.0.0.1:1\"\npath = \"/\"\n");
    assert_eq!(codes(&report), ["KG004 2:7"]);
}

#[test]
fn a_file_that_is_not_there() {
    let report = load(Path::new("koigate.toml"), &Fixed::default()).unwrap_err();
    let expected = "\
error[KG001]: the configuration can't be read: entity not found
--> koigate.toml
 = help: Name a file that exists and that this user may read.";
    assert_eq!(report.to_string(), expected);
}

#[test]
fn colours_only_where_asked_for() {
    let report = report("nonsense = 1");
    assert!(report.render(Color::Always).contains("\u{1b}["));
    assert!(!report.render(Color::Never).contains('\u{1b}'));
}

/// Names come from the file; what they hold doesn't reach the terminal as it is.
#[test]
fn escape_codes_of_a_file_are_not_sent_to_a_terminal() {
    let shown = report("\"\\u001b[31mred\" = 1\n[hooks.x]\nchain = [\"\\u001b[2J\"]").render(Color::Never);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn one_line_each() {
    let report = report("[server]\nlisten = 5\n");
    let finding = &report.findings()[0];
    assert_eq!(
        finding.message(),
        "`listen` takes a string or an array of strings, not an integer"
    );
    assert_eq!(finding.remedy(), "Write a string or an array of strings.");
    assert_eq!(
        (finding.place().unwrap().line, finding.place().unwrap().column),
        (2, 10)
    );
}

/// Secrets in every place that a file has for them, and in some that it has not.
const SECRETS: &str = r#"
[server]
listen = "127.0.0.1:8600"
auth = { token = "canary" }
[admin]
auth = { token = ["canary", { env = "TOKEN" }, { file = "token" }] }
[defaults]
headers = { A = "canary", B = "Bearer canary" }
[backends.a]
url = "http://canary:canary@127.0.0.1:1/{hook}?token=canary"
failure_statuses = [404]
token = "canary"
tls = { ca = "ca.pem", cert = "-----BEGIN CERTIFICATE----- canary", key = "-----BEGIN PRIVATE KEY-----canary" }
health = { path = "/?token=canary" }
[backends.a.sign]
secret = ["whsec_canary", { env = "TOKEN" }]
[backends.a.headers]
Authorization = "Bearer canary"
C = """
canary
canary==
"""
D = { env = "TOKEN" }
E = { file = "token" }
F = { value = "canary" }
G = ["canary"]
H = "canary\u0000"
[hooks.onMessage]
chain = ["a", "b"]  # secret: canary
"#;

/// Everything that can be printed of a text.
fn printed(text: &str) -> String {
    let sources = Fixed::default()
        .variable("TOKEN", "canary")
        .file("token", "canary\n");
    match parse(text, "koigate.toml", &sources) {
        Ok(loaded) => format!("{loaded:?} {} {}", describe(&loaded.plan), loaded.warnings),
        Err(report) => format!("{report:?} {report}"),
    }
}

/// The file as it is, and with each of its characters taken out, doubled, or something put before it: TOML falls
/// apart in many ways, and in none of them does a secret come out. (Without the `@` or the `?` a URL has no user
/// and no query, so these stay.)
#[test]
fn no_secret_is_printed_whatever_is_wrong() {
    for (at, letter) in SECRETS.char_indices() {
        let (before, after) = SECRETS.split_at(at);
        let rest = &after[letter.len_utf8()..];
        let mut texts: Vec<String> = ["\"", "=", "[", "\n", "#", "\"\"\""]
            .map(|put| [before, put, after].concat())
            .into();
        texts.push(before.to_owned());
        if !matches!(letter, '@' | '?') {
            texts.push([before, rest].concat());
        }
        for text in texts {
            let shown = printed(&text);
            assert!(!shown.contains("canary"), "{text}\n{shown}");
        }
    }
}

#[test]
fn no_secret_of_a_right_file_is_printed() {
    let text = "[backends.a]\nurl = \"http://canary:canary@127.0.0.1:1/{hook}?token=canary\"\n\
        headers = { A = \"canary\", B = { env = \"TOKEN\" }, C = { file = \"token\" } }\n\
        [admin]\nauth.token = [\"canary\", { env = \"TOKEN\" }]\n[hooks.onMessage]\nchain = [\"a\"]";
    let shown = printed(text);
    assert!(
        shown.contains("onMessage") && !shown.contains("canary"),
        "{shown}"
    );
}
