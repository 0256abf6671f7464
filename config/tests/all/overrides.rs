//! Environment variables that override keys of the file.

use std::path::Path;

use crate::support::{Fixed, codes};
use koigate_config::{Color, Loaded, Report, admin, load};
use koigate_core::secret::Secret;

const FILE: &str = r#"
[server]
listen = "127.0.0.1:1"
max_in_flight = 5
[defaults]
headers = { X-Shared-Key = "shared" }
[backends.blacklist]
url = "http://127.0.0.1:2/"
on_failure = "reject"
headers = { authorization = "from the file" }
[backends.my-list]
url = { file = "url" }
on_failure = "continue"
[backends.a__b]
url = "http://127.0.0.1:2/"
on_failure = "continue"
[hooks.onMessage]
chain = [["blacklist", "my-list", "a__b"]]
"#;

fn sources(variables: &[(&str, &str)]) -> Fixed {
    let sources = Fixed::default()
        .file("koigate.toml", FILE)
        .file("url", "http://127.0.0.1:3/")
        .file("token", "from-a-file");
    variables
        .iter()
        .fold(sources, |sources, (name, value)| sources.variable(name, value))
}

fn read(variables: &[(&str, &str)]) -> Result<Loaded, Report> {
    load(Path::new("koigate.toml"), &sources(variables))
}

/// Names and values.
type Variables = &'static [(&'static str, &'static str)];

/// A plan as text, with what it says of one thing.
type Say = fn(&Loaded) -> String;

fn header(loaded: &Loaded, backend: usize) -> String {
    let headers = loaded.plan.backends[backend].headers.iter();
    let headers: Vec<String> = headers
        .map(|h| format!("{}: {}", h.name, h.value.expose()))
        .collect();
    headers.join(", ")
}

fn tokens(loaded: &Loaded) -> String {
    let auth = loaded.plan.admin.auth.as_ref().unwrap();
    let tokens: Vec<&str> = auth.tokens.iter().map(Secret::expose).collect();
    tokens.join(" ")
}

#[rustfmt::skip]
const RIGHT: &[(&str, &str, Say, &str)] = &[
    // Every kind of value.
    ("SERVER__LISTEN", "[::1]:9", |l| format!("{:?}", l.plan.server.listen), "[Tcp([::1]:9)]"),
    ("SERVER__LISTEN", "[\"127.0.0.1:8\", \"[::1]:9\"]", |l| format!("{:?}", l.plan.server.listen), "[Tcp(127.0.0.1:8), Tcp([::1]:9)]"),
    ("SERVER__PATH", "/koipy", |l| l.plan.server.path.clone(), "/koipy"),
    ("SERVER__MAX_IN_FLIGHT", "9", |l| l.plan.server.max_in_flight.to_string(), "9"),
    ("SERVER__ALLOW", "[\"10.0.0.0/8\"]", |l| format!("{:?}", l.plan.server.allow), "[10.0.0.0/8]"),
    ("SERVER__AUTH__TOKEN__FILE", "token", |l| l.plan.server.auth.as_ref().unwrap().tokens[0].expose().to_owned(), "from-a-file"),
    ("BACKENDS__BLACKLIST__BREAKER", "true", |l| l.plan.backends[0].breaker.unwrap().failures.to_string(), "5"),
    ("BACKENDS__BLACKLIST__BREAKER__FAILURES", "3", |l| l.plan.backends[0].breaker.unwrap().failures.to_string(), "3"),
    ("BACKENDS__BLACKLIST__URL", "[\"http://127.0.0.1:4/\", { env = \"URL\" }]", |l| format!("{:?}", l.plan.backends[0].replicas), "[Target(Http 127.0.0.1:4 /), Target(Http 127.0.0.1:6 /)]"),
    ("LOG__LEVEL", "debug", |l| l.plan.log.level.as_str().to_owned(), "debug"),
    ("DEFAULTS__TIMEOUT", "3s", |l| format!("{:?}", l.plan.backends[0].timeout), "3s"),
    ("DEFAULTS__ALWAYS_FINISH", "true", |l| l.plan.backends[1].always_finish.to_string(), "true"),
    ("BACKENDS__BLACKLIST__FAILURE_MESSAGE", "123", |l| format!("{:?}", l.plan.backends[0].on_failure), "Reject { message: \"123\" }"),
    ("BACKENDS__BLACKLIST__FAILURE_MESSAGE", "[\"慢\"", |l| format!("{:?}", l.plan.backends[0].on_failure), "Reject { message: \"[\\\"慢\\\"\" }"),
    ("BACKENDS__BLACKLIST__FAILURE_STATUSES", "[\"5xx\", 404]", |l| format!("{:?}", l.plan.backends[0].failure_statuses), "StatusSet([500..=599, 404..=404])"),
    ("BACKENDS__BLACKLIST__URL", "http://127.0.0.1:4/{hook}", |l| l.plan.backends[0].replicas[0].authority.clone(), "127.0.0.1:4"),
    ("HOOKS__ONMESSAGE__CHAIN", "[[\"my-list\", \"a__b\"], \"blacklist\"]", |l| l.plan.chains["onMessage"].stages.len().to_string(), "2"),
    // Names: case, dashes, and what lies between.
    ("backends__blackList__timeout", "3s", |l| format!("{:?}", l.plan.backends[0].timeout), "3s"),
    ("BACKENDS__MY_LIST__TIMEOUT", "3s", |l| format!("{:?}", l.plan.backends[1].timeout), "3s"),
    ("BACKENDS__MY-LIST__TIMEOUT", "3s", |l| format!("{:?}", l.plan.backends[1].timeout), "3s"),
    ("BACKENDS__A__B__TIMEOUT", "3s", |l| format!("{:?}", l.plan.backends[2].timeout), "3s"),
    // Secrets: as text, or where they are; of an earlier place nothing is left.
    ("BACKENDS__MY_LIST__URL", "http://127.0.0.1:5/", |l| l.plan.backends[1].replicas[0].authority.clone(), "127.0.0.1:5"),
    ("BACKENDS__MY_LIST__URL__ENV", "URL", |l| l.plan.backends[1].replicas[0].authority.clone(), "127.0.0.1:6"),
    ("ADMIN__AUTH__TOKEN", "t", tokens, "t"),
    ("ADMIN__AUTH__TOKEN", "[\"t\", { file = \"token\" }]", tokens, "t from-a-file"),
    ("ADMIN__AUTH__TOKEN", "[t]", tokens, "[t]"),
    ("ADMIN__AUTH__TOKEN", "{ file = \"token\" }", tokens, "from-a-file"),
    ("ADMIN__AUTH__TOKEN__FILE", "token", tokens, "from-a-file"),
    ("ADMIN__AUTH", "{ token = \"t\" }", tokens, "t"),
    ("BACKENDS__BLACKLIST__HEADERS__AUTHORIZATION", "Bearer x", |l| header(l, 0), "X-Shared-Key: shared, authorization: Bearer x"),
    ("BACKENDS__BLACKLIST__HEADERS__AUTHORIZATION", "{\"a\": 1}", |l| header(l, 0), "X-Shared-Key: shared, authorization: {\"a\": 1}"),
    ("BACKENDS__BLACKLIST__HEADERS__AUTHORIZATION__FILE", "token", |l| header(l, 0), "X-Shared-Key: shared, authorization: from-a-file"),
    ("BACKENDS__BLACKLIST__HEADERS__X_SHARED_KEY", "mine", |l| header(l, 0), "authorization: from the file, X-Shared-Key: mine"),
    ("BACKENDS__MY_LIST__HEADERS__X_API_KEY", "k", |l| header(l, 1), "X-Shared-Key: shared, X-Api-Key: k"),
    ("BACKENDS__MY_LIST__HEADERS__X_API_KEY__ENV", "URL", |l| header(l, 1), "X-Shared-Key: shared, X-Api-Key: http://127.0.0.1:6/"),
    ("BACKENDS__MY_LIST__HEADERS", "{ A = \"b\" }", |l| header(l, 1), "X-Shared-Key: shared, A: b"),
    ("DEFAULTS__HEADERS__X_SHARED_KEY", "other", |l| header(l, 1), "X-Shared-Key: other"),
    // An empty value is none.
    ("SERVER__MAX_IN_FLIGHT", "", |l| l.plan.server.max_in_flight.to_string(), "5"),
    ("SERVER__NONSENSE", "", |l| l.overridden.join(" "), ""),
];

#[test]
fn values_and_names() {
    for (name, value, say, expected) in RIGHT {
        let name = format!("KOIGATE__{name}");
        let loaded = read(&[(&name, value), ("URL", "http://127.0.0.1:6/")]);
        let loaded = loaded.unwrap_or_else(|report| panic!("{name}={value}\n{report}"));
        assert!(loaded.warnings.is_empty(), "{name}: {}", loaded.warnings);
        assert_eq!(say(&loaded), *expected, "{name}={value}");
        assert_eq!(loaded.overridden.len(), usize::from(!value.is_empty()), "{name}");
    }
}

/// Variables, what is found, and what the reader is told.
#[rustfmt::skip]
const WRONG: &[(Variables, &str, &str)] = &[
    // Names.
    (&[("KOIGATE__SERVR__LISTEN", "x")], "KG033", "Set `KOIGATE__SERVER__LISTEN`"),
    (&[("KOIGATE__SERVER__LISEN", "x")], "KG033", "Set `KOIGATE__SERVER__LISTEN`"),
    (&[("KOIGATE__SERVER_LISTEN", "x")], "KG033", "Set `KOIGATE__SERVER__LISTEN`"),
    (&[("KOIGATE__SERVER__MAX__BODY", "1KiB")], "KG033", "Set `KOIGATE__SERVER__MAX_BODY`"),
    (&[("KOIGATE__BACKENDS__BLACKLST__TIMEOUT", "1s")], "KG033", "Set `KOIGATE__BACKENDS__BLACKLIST__TIMEOUT`"),
    (&[("KOIGATE__BACKENDS__BLACKLIST__RETRY_WITH", "1")], "KG033", "Known here: `url`"),
    (&[("KOIGATE__BACKENDS__BLACKLIST__URL__FIL", "x")], "KG033", "Set `KOIGATE__BACKENDS__BLACKLIST__URL__FILE`"),
    (&[("KOIGATE__BACKENDS__BLACKLIST__HEADERS__A__B", "x")], "KG033", "Unset it"),
    (&[("KOIGATE__NONSENSE", "x")], "KG033", "Known here: `server`"),
    (&[("KOIGATE__", "x")], "KG033", "Known here: `server`"),
    (&[("koigate__servr__listen", "x")], "KG033", "Set `KOIGATE__SERVER__LISTEN`"),
    (&[("KOIGATE__BACKENDS__POINTS__URL", "http://127.0.0.1:2/")], "KG035", "has no `[backends.points]`, and a variable can't add it"),
    (&[("KOIGATE__HOOKS__ONRESULT__CHAIN", "[]")], "KG035", "has no `[hooks.onResult]`"),
    (&[("KOIGATE__SERVER", "{ listen = \"127.0.0.1:9\" }")], "KG036", "as in `KOIGATE__SERVER__LISTEN`"),
    (&[("KOIGATE__BACKENDS__BLACKLIST", "x")], "KG036", "as in `KOIGATE__BACKENDS__BLACKLIST__URL`"),
    (&[("KOIGATE__SERVER__PATH", "/a"), ("KOIGATE__server__path", "/b")], "KG038", "`KOIGATE__SERVER__PATH` overrides the same key"),
    (&[("KOIGATE__ADMIN__AUTH__TOKEN", "t"), ("KOIGATE__ADMIN__AUTH__TOKEN__FILE", "token")], "KG038", "Unset one of the two"),
    // Values.
    (&[("KOIGATE__SERVER__MAX_IN_FLIGHT", "many")], "KG037", "a whole number"),
    (&[("KOIGATE__SERVER__MAX_IN_FLIGHT", "0")], "KG024", "its value is `0`"),
    (&[("KOIGATE__SERVER__MAX_IN_FLIGHT", "1.5")], "KG011", "takes a whole number"),
    (&[("KOIGATE__DEFAULTS__ALWAYS_FINISH", "yes")], "KG037", "`true` or `false`"),
    (&[("KOIGATE__DEFAULTS__ALWAYS_FINISH", "1")], "KG011", "takes a boolean"),
    (&[("KOIGATE__DEFAULTS__TIMEOUT", "5")], "KG020", "Write \"5s\""),
    (&[("KOIGATE__SERVER__LISTEN", ":8600")], "KG030", "its value is `:8600`"),
    (&[("KOIGATE__SERVER__LISTEN", "127.0.0.1:8,127.0.0.1:9")], "KG030", "Write an IP address"),
    (&[("KOIGATE__SERVER__LISTEN", "[\"127.0.0.1:8\", \"x\"]")], "KG030", "its value is"),
    (&[("KOIGATE__SERVER__LISTEN", "[\"127.0.0.1:8\", 5]")], "KG011", "not an integer"),
    (&[("KOIGATE__SERVER__LISTEN", "[\"127.0.0.1:8\"")], "KG037", "an array with its strings in quotes"),
    (&[("KOIGATE__BACKENDS__BLACKLIST__FAILURE_STATUSES", "5xx,404")], "KG037", "an array with its strings in quotes"),
    (&[("KOIGATE__HOOKS__ONMESSAGE__CHAIN", "blacklist")], "KG037", "an array with its strings in quotes"),
    (&[("KOIGATE__HOOKS__ONMESSAGE__CHAIN", "[\"blacklst\"]")], "KG072", "Write \"blacklist\""),
    (&[("KOIGATE__LOG__LEVEL", "inof")], "KG012", "Write \"info\""),
    (&[("KOIGATE__ADMIN__AUTH", "{ tokn = \"canary\" }")], "KG010", "Write `token`"),
    (&[("KOIGATE__ADMIN__AUTH__TOKEN", "can ary")], "KG082", "white space"),
    (&[("KOIGATE__ADMIN__AUTH__TOKEN", "{ env = canary }")], "KG037", "an array"),
    (&[("KOIGATE__ADMIN__AUTH__TOKEN__FILE", "missing")], "KG063", "can't be read"),
    (&[("KOIGATE__BACKENDS__BLACKLIST__URL", "canary")], "KG040", "not an http or https URL"),
    (&[("KOIGATE__BACKENDS__BLACKLIST__HEADERS__HOST", "canary")], "KG051", "`Host` can't be set"),
    (&[("KOIGATE__BACKENDS__BLACKLIST__HEADERS__PATH", "canary\n")], "KG052", "`Path`"),
    // Warnings.
    (&[("KOIGATE__DEFAULTS__TIMEOUT", "1s"), ("KOIGATE__BACKENDS__BLACKLIST__CONNECT_TIMEOUT", "2s")], "KG107", "its value is `2s`"),
    (&[("KOIGATE_SERVER_LISTEN", "127.0.0.1:9")], "KG112", "Set `KOIGATE__SERVER__LISTEN`"),
    (&[("KOIGATE_BACKENDS__BLACKLIST__TIMEOUT", "1s")], "KG112", "Set `KOIGATE__BACKENDS__BLACKLIST__TIMEOUT`"),
];

/// The codes of what can be wrong with variables.
pub(crate) fn wrong() -> impl Iterator<Item = &'static str> {
    WRONG.iter().map(|(_, code, _)| *code).chain(["KG034", "KG039"])
}

#[test]
fn what_is_wrong_with_a_variable_names_it() {
    for (variables, code, words) in WRONG {
        let report = read(variables).map_or_else(|report| report, |loaded| loaded.warnings);
        assert_eq!(codes(&report), [*code], "{variables:?}\n{report}");
        let shown = report.render(Color::Never);
        assert!(shown.contains(words), "{variables:?}\n{shown}");
        let place = report.findings()[0].stands_at("koigate.toml");
        assert!(
            variables
                .iter()
                .any(|(name, _)| place == format!("environment variable {name}")),
            "{place}"
        );
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn a_value_that_is_not_unicode() {
    let report = load(
        Path::new("koigate.toml"),
        &sources(&[("KOIGATE__LOG__LEVEL", "NOT UNICODE")]),
    )
    .unwrap_err();
    assert_eq!(codes(&report), ["KG039"]);
}

#[test]
fn names_that_variables_spell_alike() {
    let file = FILE.replace("a__b", "MY_LIST");
    let sources = sources(&[("KOIGATE__BACKENDS__MY_LIST__TIMEOUT", "1s")]).file("koigate.toml", file);
    let report = load(Path::new("koigate.toml"), &sources).unwrap_err();
    assert_eq!(codes(&report), ["KG034"]);
    let message = report.findings()[0].message();
    assert_eq!(
        message,
        "this variable may stand for `backends.MY_LIST.timeout`, `backends.my-list.timeout`"
    );
}

/// A variable of Koigate's whose name the file gives holds a secret, and isn't meant to override anything. Nor are
/// others that begin like it.
#[test]
fn variables_that_override_nothing() {
    let file = format!("{FILE}[admin]\nauth = {{ token = {{ env = \"KOIGATE_ADMIN_AUTH_TOKEN\" }} }}\n");
    let sources = sources(&[
        ("KOIGATE_ADMIN_AUTH_TOKEN", "t"),
        ("KOIGATE_CONFIG", "koigate.toml"),
        ("KOIGATE_PORT_8600_TCP", "tcp://10.0.0.1:8600"),
        ("KOIGATE", "x"),
        ("OTHER__SERVER__LISTEN", "x"),
    ])
    .file("koigate.toml", file);
    let loaded = load(Path::new("koigate.toml"), &sources).unwrap();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    assert!(loaded.overridden.is_empty());
}

/// They are named below the plan, in a terminal's width.
#[test]
fn which_keys_are_overridden_is_said_in_eighty_columns() {
    let variables = [
        ("KOIGATE__BACKENDS__BLACKLIST__CONNECT_TIMEOUT", "1s"),
        ("KOIGATE__BACKENDS__BLACKLIST__TIMEOUT", "1s"),
        ("KOIGATE__BACKENDS__MY_LIST__MAX_IN_FLIGHT", "9"),
        ("KOIGATE__SERVER__LISTEN", "127.0.0.1:1"),
    ];
    let said = |count| {
        let loaded = read(&variables[..count]).unwrap();
        let text = loaded.describe();
        let (_, said) = text.split_once("\n\nfrom ").unwrap_or_default();
        said.to_owned()
    };
    assert_eq!(said(0), "");
    assert_eq!(said(1), "the environment: backends.blacklist.connect_timeout\n");
    let expected = "\
the environment: backends.blacklist.connect_timeout,
  backends.blacklist.timeout, backends.my-list.max_in_flight, server.listen
";
    assert_eq!(said(4), expected);
}

#[test]
fn what_is_shown_of_a_variable() {
    let report = read(&[
        ("KOIGATE__SERVER__LISTEN", ":8600"),
        ("KOIGATE__BACKENDS__BLACKLIST__URL", "canary"),
    ]);
    let expected = "\
error[KG040]: this is not an http or https URL with a host
--> environment variable KOIGATE__BACKENDS__BLACKLIST__URL
 = help: Write an absolute URL, http:// or https:// first: \"http://127.0.0.1:8081/{hook}\".

error[KG030]: this is not an address to listen on
--> environment variable KOIGATE__SERVER__LISTEN
 = note: its value is `:8600`
 = help: Write \"127.0.0.1:8600\"; 0.0.0.0 or [::] is every address of this machine.";
    assert_eq!(report.unwrap_err().render(Color::Never), expected);
}

/// The file's own value isn't looked at, and what is wrong with the file is shown with it.
#[test]
fn a_wrong_value_in_the_file_gives_way() {
    let file = FILE
        .replace("127.0.0.1:1\"", "nowhere\"")
        .replace("max_in_flight", "max_inflight");
    let sources = sources(&[("KOIGATE__SERVER__LISTEN", "127.0.0.1:1")]).file("koigate.toml", file);
    let report = load(Path::new("koigate.toml"), &sources).unwrap_err();
    assert_eq!(codes(&report), ["KG010 4:1"]);
}

#[test]
fn the_operators_side_alone_is_overridden_too() {
    let sources = sources(&[
        ("KOIGATE__ADMIN__LISTEN", "0.0.0.0:9"),
        ("KOIGATE__ADMIN__AUTH__TOKEN__FILE", "token"),
        ("KOIGATE__SERVER__NONSENSE", "x"),
    ])
    .file("koigate.toml", format!("{FILE}[nonsense]\n"));
    let admin = admin(Path::new("koigate.toml"), &sources).unwrap();
    assert_eq!(admin.listen.to_string(), "0.0.0.0:9");
    assert_eq!(admin.auth.unwrap().tokens[0].expose(), "from-a-file");
}

#[test]
fn a_public_address_of_the_operators_side_needs_a_token_there_too() {
    let report = admin(
        Path::new("koigate.toml"),
        &sources(&[("KOIGATE__ADMIN__LISTEN", "0.0.0.0:9")]),
    );
    assert_eq!(codes(&report.unwrap_err()), ["KG083"]);
}
