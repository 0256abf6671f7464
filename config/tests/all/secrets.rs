//! A canary in every place of a configuration that can hold a secret: what is shown of a plan never has it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use koigate_config::{Color, describe, parse};

use crate::support::Fixed;
use crate::tls::identity;

/// A second key that signs, with the canary one byte further into it.
const SIGNS: &str = "whsec_MmNhbmFyeWNhbmFyeWNhbmFyeWNhbmFy";

const TEXT: &str = r#"
[server]
auth = { token = ["canary-hook-token-1", { env = "HOOK_TOKEN" }, { file = "hook" }] }
tls = { cert = "cert.pem", key = "key.pem" }
[admin]
auth = { token = ["canary-admin-token-1", { env = "ADMIN_TOKEN" }, { file = "admin" }] }
[backends.plain]
url = ["https://user:canary-1@127.0.0.1:8081/{hook}?key=canary-2", { env = "URL" }]
headers = { X-Auth = "Bearer canary-3", X-Key = { env = "KEY" }, X-Other = { file = "other" } }
sign = { secret = ["whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5", { env = "SIGNS" }] }
tls = { cert = "cert.pem", key = "key.pem" }
health = { path = "/healthz?key=canary-4" }
[hooks.onMessage]
chain = ["plain"]
"#;

fn sources() -> Fixed {
    let (certificate, key, day) = identity();
    Fixed::default()
        .day(day)
        .file("conf/cert.pem", certificate)
        .file("conf/key.pem", key)
        .file("conf/hook", "canary-hook-token-2\n")
        .file("conf/admin", "canary-admin-token-2\n")
        .file("conf/other", "canary-5")
        .variable("HOOK_TOKEN", "canary-hook-token-3")
        .variable("ADMIN_TOKEN", "canary-admin-token-3")
        .variable("URL", "https://user:canary-1@127.0.0.1:8082/?canary-8")
        .variable("KEY", "canary-9")
        .variable("SIGNS", SIGNS)
}

/// Asserts that a text has none of the secrets: neither as they are written, nor in base64, nor the bytes of a key.
fn check(what: &str, shown: &str) {
    let (_, key, _) = identity();
    let line = key.lines().nth(1).unwrap();
    let basic = STANDARD.encode("user:canary-1");
    let words = [
        "canary",
        "Y2FuYXJ5",
        line,
        "PRIVATE KEY",
        &*basic,
        "99, 97, 110, 97",
    ];
    for word in words {
        assert!(!shown.contains(word), "{what} shows {word}:\n{shown}");
    }
}

#[test]
fn a_plan_shows_no_secret() {
    let loaded = parse(TEXT, "conf/koigate.toml", &sources()).unwrap();
    assert_eq!(loaded.plan.backends[0].replicas.len(), 2);
    check("Debug", &format!("{:?}", loaded.plan));
    check("Debug in lines", &format!("{:#?}", loaded.plan));
    check("the description", &describe(&loaded.plan));
    check("Debug of all that was loaded", &format!("{loaded:?}"));
}

/// Whatever is wrong beside a secret, or with it: neither message nor excerpt has it.
#[test]
fn no_problem_shows_a_secret() {
    for (right, wrong) in [
        ("[server]", "[server]\nmax_body = 'much'"),
        ("health = {", "health = { every = 3,"),
        ("{ env = \"KEY\" }", "{ env = \"NOT_SET\" }"),
        ("Bearer canary-3", "Bearer canary-3\\n"),
        ("https://user:canary-1@", "ftp://user:canary-1@"),
        ("https://user:canary-1@127", "https://user:canary-1@-127"),
        ("127.0.0.1:8081", "127.0.0.1:99999"),
        ("canary-hook-token-1", "canary hook token"),
        ("\"canary-admin-token-1\"", "7, \"canary-admin-token-1"),
        ("whsec_Y2Fu", "whsec_!Y2Fu"),
        ("[backends.plain]", "[backends.plain]\nX-Key = 'canary'"),
        ("url = [", "url = [\"ftp://x:canary-10@a/?canary-11\", "),
    ] {
        assert!(TEXT.contains(right), "{right}");
        let text = TEXT.replace(right, wrong);
        let report = parse(&text, "conf/koigate.toml", &sources()).err();
        let report = report.unwrap_or_else(|| panic!("nothing is wrong with {wrong}"));
        check(wrong, &format!("{report:?}"));
        check(wrong, &report.render(Color::Never));
    }
}
