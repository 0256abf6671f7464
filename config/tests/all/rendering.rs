//! What a person sees, and what nobody must see.

use std::path::Path;

use crate::support::Fixed;
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
