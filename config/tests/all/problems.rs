//! Every problem that a file can have, at its place.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::{Fixed, codes};
use crate::{overrides, tls};
use koigate_config::problem::{Problem, Severity};
use koigate_config::{load, parse};

/// A hook and a backend, so that a file can be right but for what is tested. What follows is line 6, and is in
/// `[backends.a]` until it says otherwise.
const GOOD: &str = r#"
[hooks.x]
chain = ["a"]
[backends.a]
url = "http://127.0.0.1:1/{hook}"
on_failure = "reject"
"#;

/// Everything found in a text, as `code line:column`.
fn found(text: &str) -> Vec<String> {
    let sources = Fixed::default()
        .variable("TOKEN", "canary")
        .variable("EMPTY", "")
        .variable("TWO_LINES", "a\nb")
        .file("/etc/koigate/secret", "canary\n")
        .file("/etc/koigate/signing", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
        .file("/etc/koigate/newline", "\r\n")
        .file("/etc/koigate/latin1", b"caf\xe9")
        .file("/etc/koigate/huge", vec![b'x'; 70_000]);
    let report = match parse(text, "/etc/koigate/koigate.toml", &sources) {
        Ok(loaded) => {
            assert!(
                loaded
                    .warnings
                    .findings()
                    .iter()
                    .all(|f| f.severity() == Severity::Warning),
                "{text}"
            );
            loaded.warnings
        }
        Err(report) => {
            assert!(
                report.findings().iter().any(|f| f.severity() == Severity::Error),
                "{text}"
            );
            report
        }
    };
    codes(&report)
}

/// What follows [`GOOD`], and what is found.
#[rustfmt::skip]
const CASES: &[(&str, &[&str])] = &[
    // Right.
    ("", &[]),
    ("[server]\nlisten = [\"127.0.0.1:2\", \"[::1]:2\", \"localhost:3\"]", &[]),
    ("headers = { A = { env = \"TOKEN\" }, B = { file = \"secret\" }, C = \"节\\t点\" }", &[]),
    // TOML.
    ("server = {", &["KG004 6:11"]),
    ("\n[server]\nlisten = 127.0.0.1:8600\n[log]\nlevel = info", &["KG004 8:15", "KG004 10:9"]),
    ("[log]\nlevel = \"info\"\nlevel = \"warn\"", &["KG004 8:1"]),
    ("nonsense = 1\n[server\nlisten = \"x\"\nfoo: 1", &["KG010 6:1", "KG004 7:8", "KG004 9:4"]),
    // Keys.
    ("servers.listen = \"x\"", &["KG010 6:1"]),
    ("[server]\nlisten = \"127.0.0.1:2\"\ndrain = \"10s\"\nlame_duck = \"1h\"", &[]),
    ("[server]\ndrain = \"61m\"\nlame_duck = 5", &["KG021 7:9", "KG011 8:13"]),
    ("[defaults]\nurl = \"http://a/\"", &["KG010 7:1"]),
    ("retry = 1", &["KG010 6:1"]),
    ("[hooks.y]\nchain = [\"a\"]\nshadows = [\"a\"]", &["KG010 8:1"]),
    ("headers.X = { envv = \"A\" }", &["KG010 6:15"]),
    ("server = 5", &["KG010 6:1"]),
    ("[server]\nlisten = 8600", &["KG011 7:10"]),
    ("[server]\nlisten = [\"127.0.0.1:2\", 5]", &["KG011 7:26"]),
    ("[server]\ndeadline = 10", &["KG011 7:12"]),
    ("[server]\nmax_body = 1024", &["KG011 7:12"]),
    ("[server]\nmax_in_flight = \"many\"", &["KG011 7:17"]),
    ("[server]\nthreads = 1.5", &["KG011 7:11"]),
    ("[server]\nthreads = 99999999999999999999", &["KG011 7:11"]),
    ("[server]\npath = 1979-05-27", &["KG011 7:8"]),
    ("always_finish = \"yes\"", &["KG011 6:17"]),
    ("headers = [\"A: b\"]", &["KG011 6:11"]),
    ("headers.A = 5", &["KG011 6:13"]),
    ("failure_statuses = \"5xx\"", &["KG011 6:20"]),
    ("failure_statuses = [true]", &["KG011 6:21"]),
    ("[hooks.y]\nchain = \"a\"", &["KG011 7:9"]),
    ("[hooks.y]\nchain = [[[\"a\"]]]", &["KG011 7:11"]),
    ("[hooks.y]\nchain = [{ a = 1 }]", &["KG011 7:10"]),
    ("[hooks.y]\nchain = [\"a\"]\nreject = 5", &["KG011 8:10"]),
    ("[hooks.y]\nchain = [\"a\"]\nreject = { first = 1 }", &["KG011 8:10"]),
    ("[[hooks.z]]\nchain = [\"a\"]", &["KG011 6:1"]),
    ("[[server]]\nlisten = \"127.0.0.1:2\"", &["KG011 6:1"]),
    ("[[backends.c]]\n[[backends.c]]", &["KG011 6:1"]),
    ("[server.listen.x]", &["KG011 6:9"]),
    ("[log]\nlevel = \"inof\"\nformat = \"JSON\"", &["KG012 7:9", "KG012 8:10"]),
    ("[backends.b]\non_failure = \"retry\"", &["KG013 6:11", "KG012 7:14"]),
    ("[hooks.y]\nchain = [\"a\"]\non_conflict = \"none\"\nimages = \"all\"", &["KG012 8:15", "KG012 9:10"]),
    ("[backends.b]", &["KG013 6:11"]),
    ("[backends.b]\nulr = \"http://a/\"", &["KG010 7:1"]),
    ("[backends.b]\nurl = 5", &["KG011 7:7"]),
    ("[hooks.y]\ndeadline = \"5s\"", &["KG013 6:8"]),
    ("[hooks.y]\nchains = [\"a\"]", &["KG010 7:1"]),
    ("[backends.\"a b\"]\nurl = \"http://127.0.0.1/\"", &["KG014 6:11"]),
    ("[hooks.\"\"]\nchain = [\"a\"]", &["KG014 6:8"]),
    ("[hooks.节点]\nchain = [\"a\"]", &["KG004 6:8"]),
    ("[backends.01234567890123456789012345678901234567890]\nurl = \"http://127.0.0.1/\"", &["KG014 6:11"]),
    // Durations, sizes, numbers.
    ("[server]\ndeadline = \"10\"", &["KG020 7:12"]),
    ("[server]\ndeadline = \"soon\"", &["KG020 7:12"]),
    ("[hooks.y]\nchain = [\"a\"]\ndeadline = \"0s\"", &["KG021 8:12"]),
    ("[defaults]\ntimeout = \"2h\"\nconnect_timeout = \"-1s\"", &["KG021 7:11", "KG020 8:19"]),
    ("[server]\nmax_body = \"32MB\"", &["KG022 7:12"]),
    ("[server]\nmax_body = \"0B\"", &["KG023 7:12"]),
    ("max_reply = \"2GiB\"", &["KG023 6:13"]),
    ("[server]\nmax_in_flight = 0", &["KG024 7:17"]),
    ("[server]\nmax_connections = 10\nmax_connections_per_address = 10", &[]),
    ("[server]\nmax_connections = 0", &["KG024 7:19"]),
    ("[server]\nmax_connections = 10\nmax_connections_per_address = 11", &["KG024 8:31"]),
    ("[server]\nmax_connections_per_address = 16385", &["KG024 7:31"]),
    ("[server]\nmax_buffered = \"64MiB\"", &[]),
    ("[server]\nmax_buffered = \"2048GiB\"", &["KG023 7:16"]),
    ("[server]\nmax_buffered = \"31MiB\"", &["KG202 7:16"]),
    ("[server]\nmax_body = \"512MiB\"", &["KG202 7:12"]),
    ("[server]\nmax_body = \"1MiB\"\nmax_buffered = \"1023KiB\"", &["KG202 8:16"]),
    ("max_in_flight = -1", &["KG024 6:17"]),
    ("[server]\nthreads = 100000", &["KG024 7:11"]),
    // The path.
    ("[server]\npath = \"/koipy/v1/\"", &[]),
    ("[server]\npath = \"\"", &["KG025 7:8"]),
    ("[server]\npath = \"koipy\"", &["KG025 7:8"]),
    ("[server]\npath = \"//\"", &["KG025 7:8"]),
    ("[server]\npath = \"/a//b\"", &["KG025 7:8"]),
    ("[server]\npath = \"/../a\"", &["KG025 7:8"]),
    ("[server]\npath = \"/a?b\"", &["KG025 7:8"]),
    ("[server]\npath = \"/节点\"", &["KG025 7:8"]),
    // Policies.
    ("failure_statuses = [404, \"5xx\", 201, 999, \"9xx\"]", &[]),
    ("failure_statuses = [99, 1000, \"404\", \"xxx\", \"5XX\", \"1xx\"]",
        &["KG026 6:21", "KG026 6:25", "KG026 6:31", "KG026 6:38", "KG026 6:45", "KG026 6:52"]),
    ("failure_statuses = [200, 204, \"2xx\"]", &["KG027 6:21", "KG027 6:26", "KG027 6:31"]),
    ("failure_message = \" \"", &["KG028 6:19"]),
    ("[defaults]\nfailure_message = \"\"", &["KG028 7:19"]),
    ("[defaults]\nfailure_message = \"x\"", &[]),
    ("[hooks.z]\nchain = [\"b\"]\n[backends.b]\nurl = \"http://127.0.0.1/\"\nfailure_message = \"x\"",
        &["KG029 10:19"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\non_failur = \"reject\"\nfailure_message = \"x\"", &["KG010 8:1"]),
    ("[defaults]\non_failure = 1\n[backends.b]\nurl = \"http://127.0.0.1/\"\nfailure_message = \"x\"", &["KG011 7:14"]),
    // Listening.
    ("[server]\nlisten = \":8600\"", &["KG030 7:10"]),
    ("[server]\nlisten = [\"127.0.0.1:2\", \"unix:/run/koigate.sock\"]", &[]),
    ("[server]\nlisten = [\"unix:/a\", \"unix:/b\", \"unix:/a\"]", &["KG032 7:33"]),
    ("[server]\nlisten = [\"unix:koigate.sock\", \"unix:///run/koigate.sock\"]", &["KG200 7:11", "KG200 7:32"]),
    ("[server]\nlisten = \"unix:/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789\"",
        &["KG201 7:10"]),
    ("[admin]\nlisten = \"unix:/run/koigate.sock\"", &["KG030 7:10"]),
    ("[admin]\nlisten = \"koigate:8601\"", &["KG030 7:10"]),
    ("[server]\nlisten = []", &["KG031 7:10"]),
    ("[server]\nlisten = [\"127.0.0.1:2\", \"127.0.0.1:2\"]", &["KG032 7:26"]),
    ("[server]\nlisten = \"0.0.0.0:8601\"", &["KG032 7:10"]),
    ("[admin]\nlisten = \"127.0.0.1:8600\"", &["KG032 7:10"]),
    ("[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"", &[]),
    ("url = \"http://127.0.0.1:8600/\"", &["KG004 6:1"]),
    ("[server]\nlisten = 8600\n[backends.b]\nurl = \"http://127.0.0.1:8600/\"", &["KG011 7:10"]),
    ("[admin]\nlisten = \"here\"\n[backends.b]\nurl = \"http://127.0.0.1:8601/\"", &["KG030 7:10"]),
    // URLs.
    ("[backends.b]\nurl = \"127.0.0.1:8081\"", &["KG040 7:7"]),
    ("[backends.b]\nurl = \"http://a:99999/\"", &["KG041 7:7"]),
    ("[backends.b]\nurl = \"http://a /\"", &["KG042 7:7"]),
    ("[backends.b]\nurl = \"http://a/#b\"", &["KG043 7:7"]),
    ("[backends.b]\nurl = \"http://a/{hok}\"", &["KG044 7:7"]),
    ("[backends.b]\nurl = \"http://{hook}/\"", &["KG045 7:7"]),
    ("[backends.b]\nurl = \"http://a:0/\"", &["KG046 7:7"]),
    ("[backends.b]\nurl = \"http://localhost:8600/x\"", &["KG047 7:7"]),
    ("[backends.b]\nurl = \"http://127.0.0.1:8601/\"", &["KG047 7:7"]),
    ("[server]\nlisten = \"[::]:80\"\n[backends.b]\nurl = \"http://127.1/\"", &["KG047 9:7"]),
    ("[backends.b]\nurl = \"http://u:p@127.0.0.1/\"\nheaders.authorization = \"x\"", &["KG048 7:7"]),
    ("[backends.b]\nurl = { env = \"TOKEN\" }", &["KG040 7:7"]),
    // Replicas.
    ("[backends.b]\nurl = [\"http://u:p@127.0.0.1/\", \"https://u:p@127.0.0.1/\", \"http://u:p@127.0.0.2/\"]\n[hooks.y]\nchain = [\"b\"]", &[]),
    ("[backends.b]\nurl = []", &["KG210 7:7"]),
    ("[backends.b]\nurl = [5]", &["KG011 7:8"]),
    ("[backends.b]\nurl = [\"http://a/\", { env = \"MISSING\" }, \"127.0.0.1:1\", \"http://localhost:8600/\"]", &["KG062 7:29", "KG040 7:42", "KG047 7:57"]),
    ("[backends.b]\nurl = [\"http://a/{hook}\", \"http://A:80/{hook}\", \"http://a/\"]", &["KG211 7:27"]),
    ("[backends.b]\nurl = [\"http://a/\", \"http://u:p@b/\", \"http://c/\"]", &["KG212 7:21"]),
    ("[backends.b]\nurl = [\"http://u:p@a/\", \"http://u:q@b/\", \"http://c/\"]", &["KG212 7:25", "KG212 7:42"]),
    ("[backends.b]\nurl = [\"http://u:p@a/\", \"http://u:p@b/\"]\nheaders.authorization = \"x\"", &["KG048 7:7"]),
    // Retries, breakers, checks.
    ("retries = 10\nbreaker = { failures = 1, cool_off = \"1h\" }\nhealth = { path = \"/healthz?full=1\", interval = \"100ms\" }", &[]),
    ("breaker = true\nhealth = {}\n[defaults]\nbreaker = false\nhealth = true\nretries = 1", &[]),
    ("retries = 11", &["KG024 6:11"]),
    ("[defaults]\nretries = -1", &["KG024 7:11"]),
    ("retries = true", &["KG011 6:11"]),
    ("breaker = 5", &["KG011 6:11"]),
    ("breaker = { failures = 0, cool_off = \"0s\" }", &["KG024 6:24", "KG021 6:38"]),
    ("breaker.failures = 1001", &["KG024 6:20"]),
    ("breaker = { failure = 5 }", &["KG010 6:13"]),
    ("health = \"/\"", &["KG011 6:10"]),
    ("health = { interval = \"50ms\", path = 5 }", &["KG021 6:23", "KG011 6:38"]),
    ("health = { interval = \"2h\" }", &["KG021 6:23"]),
    ("health.path = \"healthz\"", &["KG240 6:15"]),
    ("[defaults]\nhealth = { path = \"/{hook}\" }", &["KG240 7:19"]),
    // Headers.
    ("headers.\"A B\" = \"x\"", &["KG050 6:9"]),
    ("headers.\"\" = \"x\"", &["KG050 6:9"]),
    ("headers = { Host = \"x\", TE = \"x\", proxy-authorization = \"x\", Content-length = \"5\" }",
        &["KG051 6:13", "KG051 6:25", "KG051 6:35", "KG051 6:62"]),
    ("[defaults]\nheaders = { A = \"x\\r\\nB: y\", B = \" x\", C = \"\\u0000\" }",
        &["KG052 7:17", "KG052 7:34", "KG052 7:44"]),
    ("headers.A = { env = \"TWO_LINES\" }", &["KG052 6:13"]),
    ("headers = { A = \"x\", a = \"y\" }", &["KG054 6:22"]),
    // Secrets.
    ("headers.A = {}", &["KG060 6:13"]),
    ("headers.A = { env = \"TOKEN\", file = \"secret\" }", &["KG060 6:13"]),
    ("headers.A = { env = \"Bearer canary\" }", &["KG061 6:21"]),
    ("headers.A = { env = \"1A\" }", &["KG061 6:21"]),
    ("headers.A = { env = \"MISSING\" }", &["KG062 6:21"]),
    ("[defaults]\nheaders.A = { file = \"missing\" }", &["KG063 7:22"]),
    ("headers.A = { file = \"latin1\" }", &["KG064 6:22"]),
    ("headers.A = { env = \"NOT_UNICODE\" }", &["KG064 6:21"]),
    ("headers.A = { env = \"EMPTY\" }", &["KG065 6:21"]),
    ("headers.A = { file = \"newline\" }", &["KG065 6:22"]),
    ("headers.A = { file = \"huge\" }", &["KG066 6:22"]),
    // Signatures.
    ("sign = { secret = \"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" }", &[]),
    ("sign.secret = [\"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\", { file = \"signing\" }]", &[]),
    ("sign = {}", &["KG013 6:8"]),
    ("[backends.a.sign]", &["KG013 6:1"]),
    ("sign = { secrets = \"x\" }", &["KG010 6:10"]),
    ("sign = \"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", &["KG011 6:8"]),
    ("sign = { secret = 5 }", &["KG011 6:19"]),
    ("sign = { secret = { env = \"MISSING\" } }", &["KG062 6:27"]),
    ("sign = { secret = { env = \"TOKEN\" } }", &["KG084 6:19"]),
    ("sign = { secret = \"\" }", &["KG084 6:19"]),
    ("sign = { secret = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" }", &["KG084 6:19"]),
    ("sign = { secret = \"whsec_AAAA\" }", &["KG084 6:19"]),
    ("sign = { secret = [] }", &["KG085 6:19"]),
    ("sign = { secret = [{ file = \"signing\" }, \"a\", { file = \"signing\" }] }", &["KG085 6:19", "KG084 6:42", "KG086 6:47"]),
    ("[defaults]\nsign = { secret = \"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" }", &["KG010 7:1"]),
    ("headers = { Webhook-Id = \"x\", webhook-timestamp = \"1\", Webhook-Signature = \"v1,x\" }",
        &["KG051 6:13", "KG051 6:31", "KG051 6:56"]),
    // Who may come in.
    ("[server]\nauth = { token = [\"t\", { env = \"TOKEN\" }] }\nallow = [\"127.0.0.0/8\", \"::1\"]", &[]),
    ("[server]\nauth = {}", &["KG013 7:8"]),
    ("[server]\nauth = { token = [] }", &["KG080 7:18"]),
    ("[server]\nauth = { token = \"\" }", &["KG081 7:18"]),
    ("[server]\nauth = { token = [\"a b\", { env = \"MISSING\" }] }", &["KG082 7:19", "KG062 7:34"]),
    ("[server.auth]\ntken = \"t\"", &["KG010 7:1"]),
    ("[server]\nallow = \"127.0.0.1\"", &["KG011 7:9"]),
    ("[server]\nallow = [5]", &["KG011 7:10"]),
    ("[server]\nallow = [\"10.0.0.0/8\", \"localhost\", \"10.0.0.1/8\"]", &["KG220 7:24", "KG221 7:37"]),
    ("[server]\nallow = []", &["KG222 7:9"]),
    ("[admin]\nauth = { token = \"t\" }", &[]),
    ("[admin]\nauth = {}", &["KG013 7:8"]),
    ("[admin.auth]", &["KG013 6:1"]),
    ("[admin]\nauth = \"t\"", &["KG011 7:8"]),
    ("[admin]\nauth = [\"t\"]", &["KG011 7:8"]),
    ("[admin]\nauth = { token = 5 }", &["KG011 7:18"]),
    ("[admin]\nauth = { tokens = \"t\" }", &["KG010 7:10"]),
    ("[admin]\nauth = { token = [\"t\", { env = \"MISSING\" }, 5] }", &["KG011 7:45"]),
    ("[admin]\nauth = { token = [\"t\", { env = \"MISSING\" }, {}] }", &["KG062 7:32", "KG060 7:45"]),
    ("[admin]\nauth = { token = [] }", &["KG080 7:18"]),
    ("[admin]\nauth = { token = [\"\", \"t\"] }", &["KG081 7:19"]),
    ("[admin]\nauth = { token = [\"a b\", \"a\\u0000\", \"口\u{3000}令\", \"口令\"] }", &["KG082 7:19", "KG082 7:26", "KG082 7:37"]),
    ("[admin]\nauth = { token = { env = \"TWO_LINES\" } }", &["KG082 7:18"]),
    ("[admin]\nlisten = \"0.0.0.0:8601\"", &["KG083 7:10"]),
    ("[admin]\ntraces = { keep = 0, memory = \"1KiB\", hide = [] }", &[]),
    ("[admin]\ntraces = { keep = -1, memory = \"1\", hide = [\"config\", \"/a~\", \"/a\"] }", &["KG024 7:19", "KG022 7:32", "KG090 7:45", "KG090 7:55"]),
    ("[admin]\ntraces = 5", &["KG011 7:10"]),
    ("[admin.traces]\nkept = 5", &["KG010 7:1"]),
    ("[admin]\nlisten = \"[::ffff:192.0.2.1]:8601\"", &["KG083 7:10"]),
    ("[admin]\nlisten = \"[::ffff:127.0.0.1]:8601\"", &[]),
    ("[admin]\nlisten = \"0.0.0.0:8601\"\naut = { token = \"t\" }", &["KG010 8:1"]),
    ("[admin]\nlisten = \"0.0.0.0:8601\"\nauth = { token = \"0123456789abcdef\" }", &[]),
    // Chains.
    ("[hooks.y]\nchain = []", &["KG070 7:9"]),
    ("[hooks.y]\nchain = [\"a\", []]", &["KG071 7:15"]),
    ("[hooks.y]\nchain = [\"b\", [\"a\", \"c\"]]", &["KG072 7:10", "KG072 7:21"]),
    ("[hooks.y]\nchain = [\"a\", [\"a\"]]", &["KG073 7:16"]),
    ("[hooks.y]\nchain = [[\"a\", \"a\"]]", &["KG073 7:16"]),
    ("[[backends.b]]\n[hooks.y]\nchain = [\"b\"]", &["KG011 6:1"]),
    ("[backend.b]\nurl = \"http://127.0.0.1/\"\n[hooks.y]\nchain = [\"b\"]", &["KG010 6:2"]),
    // Guards.
    ("hide = [\"/config\", \"/slaveRequest/proxies/*/password\", \"/~0~1\", \"/\"]\nmay = [\"json\"]\nmay_change = []\nkeys = \"snake\"", &[]),
    ("show = []\n[defaults]\nhide = [\"/config\"]", &[]),
    ("hide = \"/config\"", &["KG011 6:8"]),
    ("hide = [5]", &["KG011 6:9"]),
    ("may = [\"jsn\"]\nkeys = \"camel\"", &["KG012 6:8", "KG012 7:8"]),
    ("keys = [\"snake\"]", &["KG011 6:8"]),
    ("hide = [\"config\", \"/a~2\", \"$.config\"]", &["KG090 6:9", "KG090 6:19", "KG090 6:27"]),
    ("[defaults]\nshow = [\"#/a\"]\nmay_change = [\"\"]", &["KG090 7:9", "KG091 8:15"]),
    ("hide = [\"\"]\n[backends.b]\nshow = [\"\"]\nurl = \"http://127.0.0.1/\"", &["KG091 6:9", "KG091 8:9"]),
    ("hide = [\"/a-b\", \"/a_b\", \"/result/a-b\", \"/result/a_b\", \"/a-b/c\"]", &["KG092 6:17"]),
    ("may_change = [\"/result\", \"/result\"]", &["KG092 6:26"]),
    ("hide = [\"/config\"]\nshow = [\"/result\"]", &["KG093 7:8"]),
    ("[defaults]\nhide = []\nshow = []", &["KG093 8:8"]),
    ("may = [\"reject\"]\nmay_change = [\"/result\"]", &["KG094 7:14"]),
    ("may_change = [\"/result\"]\n[defaults]\nmay = []", &["KG094 6:14"]),
    ("may = [\"reject\"]\n[defaults]\nmay_change = [\"/result\"]", &[]),
    ("may = [\"text\", \"json\", \"text\"]", &["KG095 6:24"]),
    ("hide = [\"/slaveRequest/proxies/0\", \"/a/0/b\", \"/a0\"]", &["KG109 6:9", "KG109 6:36"]),
    // Conditions.
    ("when = []", &[]),
    ("when = [{ at = \"/message/chat/id\", in = [-1001987654321, 1.5, \"x\", true] }, { at = \"/a\", exists = false }]", &[]),
    ("[[backends.a.when]]\nat = \"/message/text\"\nmatches = '^/test\\b'", &[]),
    ("[defaults]\nwhen = [{ at = \"/message\", eq = 5 }]", &[]),
    ("when = { at = \"/message\", eq = 5 }", &["KG011 6:8"]),
    ("when = [\"/message\"]", &["KG011 6:9"]),
    ("when = [{ at = \"/message\", is = 5 }]", &["KG010 6:28"]),
    ("when = [{ at = \"/message\", in = 5 }]", &["KG011 6:33"]),
    ("when = [{ at = \"/message\", in = [[5]] }]", &["KG011 6:34"]),
    ("when = [{ at = \"/message\", eq = 1979-05-27 }]", &["KG011 6:33"]),
    ("when = [{ at = \"/message\", exists = \"yes\" }]", &["KG011 6:37"]),
    ("when = [{ at = \"/message\", matches = 5 }, { at = 5, eq = 5 }]", &["KG011 6:38", "KG011 6:50"]),
    ("when = [{ eq = 5 }, {}]", &["KG013 6:9", "KG013 6:21", "KG096 6:21"]),
    ("when = [{ at = \"message\", eq = 5 }, { at = \"\", exists = true }]", &["KG090 6:16", "KG091 6:44"]),
    ("when = [{ at = \"/message\" }]", &["KG096 6:9"]),
    ("when = [{ at = \"/message\", eq = 5, exists = true }]", &["KG096 6:9"]),
    ("when = [{ at = \"/message\", in = [] }, { at = \"/message\", not_in = [] }]", &["KG097 6:33", "KG097 6:67"]),
    ("when = [{ at = \"/message\", matches = \"(\" }, { at = \"/a\", matches = \"a(?=b)\" }]", &["KG098 6:38", "KG098 6:68"]),
    ("when = [{ at = \"/message\", matches = '(\\pL{1000}){1000}' }]", &["KG098 6:38"]),
    ("when = [{ at = \"/message/entities/0/type\", eq = 5 }]", &["KG109 6:16"]),
    // Shadows.
    ("[hooks.y]\nchain = [\"a\"]\nshadow = []", &[]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.onMessage]\nchain = [\"a\"]\nshadow = [\"b\"]", &[]),
    ("[backends.b]\nurl = \"http://192.0.2.1/\"\n[hooks.y]\nchain = [\"a\"]\nshadow = [\"b\"]", &["KG105 6:11"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\nwhen = [{ at = \"/mesage\", exists = true }]\n[hooks.onMessage]\nchain = [\"a\"]\nshadow = [\"b\"]", &["KG111 8:16"]),
    ("[hooks.y]\nchain = [\"a\"]\nshadow = \"a\"", &["KG011 8:10"]),
    ("[hooks.y]\nchain = [\"a\"]\nshadow = [[\"a\"]]", &["KG011 8:11"]),
    ("[hooks.y]\nchain = [\"a\"]\nshadow = [\"c\"]", &["KG072 8:11"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.y]\nchain = [\"a\"]\nshadow = [\"b\", \"b\"]", &["KG073 10:16"]),
    ("[hooks.y]\nchain = [\"a\"]\nshadow = [\"a\"]", &["KG250 8:11"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.y]\nchain = [\"b\"]\nshadow = [\"a\"]", &["KG250 10:11"]),
    // Observers.
    ("[hooks.y]\nchain = [\"a\"]\nobservers = []", &[]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\nqueue = { length = 5, memory = \"1MiB\", give_up = \"24h\" }\n[hooks.onMessage]\nchain = [\"a\"]\nobservers = [\"b\"]\n[hooks.y]\nchain = [\"a\"]\nobservers = [\"b\"]", &[]),
    ("[backends.b]\nurl = \"http://192.0.2.1/\"\n[hooks.y]\nchain = [\"a\"]\nobservers = [\"b\"]", &["KG105 6:11"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\nwhen = [{ at = \"/mesage\", exists = true }]\n[hooks.onMessage]\nchain = [\"a\"]\nobservers = [\"b\"]", &["KG111 8:16"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\nwhen = [{ at = \"/result/a\", exists = true }]\n[hooks.onMessage]\nchain = [\"a\"]\nobservers = [\"b\"]", &[]),
    ("[hooks.y]\nchain = [\"a\"]\nobservers = \"a\"", &["KG011 8:13"]),
    ("[hooks.y]\nchain = [\"a\"]\nobservers = [\"c\"]", &["KG072 8:14"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.y]\nchain = [\"a\"]\nobservers = [\"b\", \"b\"]", &["KG073 10:19"]),
    ("[hooks.y]\nchain = [\"a\"]\nobservers = [\"a\"]", &["KG251 8:14"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.y]\nchain = [\"a\"]\nshadow = [\"b\"]\n[hooks.z]\nchain = [\"a\"]\nobservers = [\"b\"]", &["KG251 13:14"]),
    ("queue = { length = 0, memory = \"1KB\", give_up = \"500ms\" }", &["KG024 6:20", "KG022 6:32", "KG021 6:49"]),
    ("queue = { give_up = \"25h\", size = 5 }", &["KG021 6:21", "KG010 6:28"]),
    ("queue = true", &["KG011 6:9"]),
    // Columns.
    ("[hooks.y]\nchain = [\"a\"]\ntable_guard = \"drop\"", &[]),
    ("[hooks.y]\nchain = [\"a\"]\ntable_guard = \"repor\"", &["KG012 8:15"]),
    ("[hooks.y]\nchain = [\"a\"]\ntable_guard = true", &["KG011 8:15"]),
    // Warnings.
    ("[backends.b]\nurl = \"http://127.0.0.1/\"", &["KG100 6:11"]),
    ("[hooks.onmessage]\nchain = [\"a\"]\n[hooks.onMessage]\nchain = [\"a\"]", &["KG102 6:8"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.onMessage]\nchain = [\"b\"]", &["KG103 6:11"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\non_failure = \"continue\"\n[hooks.onMessage]\nchain = [\"b\"]", &[]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.onResult]\nchain = [\"b\"]", &[]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\ntimeout = \"6s\"\n[hooks.y]\nchain = [\"a\", \"b\"]", &["KG104 9:8"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\ntimeout = \"6s\"\n[hooks.y]\nchain = [[\"a\", \"b\"]]", &[]),
    ("[backends.b]\nurl = \"http://192.0.2.1/\"\n[hooks.y]\nchain = [\"b\"]", &["KG105 6:11"]),
    ("[backends.b]\nurl = \"https://192.0.2.1/\"\n[hooks.y]\nchain = [\"b\"]", &[]),
    ("[backends.b]\nurl = \"http://192.0.2.1/\"\nhide = [\"/config/bot\"]\n[hooks.y]\nchain = [\"b\"]", &["KG105 6:11"]),
    ("[backends.b]\nurl = \"http://192.0.2.1/\"\nhide = [\"/*\"]\n[hooks.y]\nchain = [\"b\"]", &[]),
    ("[backends.b]\nurl = \"http://192.0.2.1/\"\nshow = [\"/result\"]\n[hooks.y]\nchain = [\"b\"]", &[]),
    ("[backends.b]\nurl = \"http://192.0.2.1/\"\nshow = [\"/config/bot\"]\n[hooks.y]\nchain = [\"b\"]", &["KG105 6:11"]),
    ("[backends.b]\nurl = \"http://192.0.2.1/\"\nshow = [\"/*/bot\"]\n[hooks.y]\nchain = [\"b\"]", &["KG105 6:11"]),
    ("[backends.b]\nurl = \"http://127.0.0.1/\"\nmay = [\"json\"]\n[hooks.onMessage]\nchain = [\"b\"]", &[]),
    ("may = [\"reject\", \"json\"]\n[backends.b]\nurl = \"http://127.0.0.1/\"\nmay = [\"image\"]\n[hooks.y]\nchain = [\"b\", \"a\"]", &["KG110 10:8"]),
    ("may = [\"file\"]\n[backends.b]\nurl = \"http://127.0.0.1/\"\nmay = [\"file\"]\n[hooks.y]\nchain = [[\"b\", \"a\"]]", &["KG110 10:8"]),
    ("may = [\"text\", \"reject\"]\n[backends.b]\nurl = \"http://127.0.0.1/\"\nmay = [\"text\"]\n[hooks.y]\nchain = [\"b\", \"a\"]", &[]),
    ("may = [\"image\"]\n[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.y]\nchain = [\"b\", \"a\"]", &[]),
    ("connect_timeout = \"9s\"", &["KG107 6:19"]),
    ("[server]\nlisten = [\"127.0.0.1:2\", \"0.0.0.0:3\", \"unix:/a\", \"[2001:db8::1]:2\"]", &["KG114 7:26", "KG114 7:50"]),
    ("[server]\nlisten = \"0.0.0.0:2\"\nallow = [\"10.0.0.0/8\"]", &[]),
    ("[server]\nlisten = [\"0.0.0.0:2\", \"127.0.0.1:3\"]\nauth = { token = \"0123456789abcdef\" }", &["KG115 7:11"]),
    ("[server]\nlisten = \"0.0.0.0:2\"\nauth = { token = \"0123456789abcde\" }", &["KG115 7:10", "KG108 8:18"]),
    ("[server]\nauth = { token = \"t\" }", &[]),
    ("[server]\nmax_body = \"16MiB\"\nmax_buffered = \"48MiB\"", &[]),
    ("[server]\nmax_buffered = \"63MiB\"", &["KG116 3:11"]),
    // A stop that waits for less than a hook may take.
    ("[server]\ndrain = \"9s\"", &["KG117 7:9"]),
    ("[server]\ndrain = \"0s\"", &["KG117 7:9"]),
    ("[server]\ndrain = \"10s\"", &[]),
    ("[server]\ndrain = \"9s\"\ndeadline = \"9s\"", &[]),
    ("[server]\ndrain = \"40s\"\n[hooks.y]\nchain = [\"a\"]\ndeadline = \"41s\"", &["KG117 7:9"]),
    ("[hooks.y]\nchain = [\"a\"]\ndeadline = \"31s\"", &["KG117 8:12"]),
    ("[server]\ndeadline = \"31s\"", &["KG117 7:12"]),
    ("max_reply = \"225MiB\"\n[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.y]\nchain = [\"b\"]", &["KG116 6:13"]),
    ("when = [{ at = \"/mesage/chat/id\", exists = true }, { at = \"/message/chat/id\", exists = true }]\n[hooks.onMessage]\nchain = [\"a\"]",
        &["KG111 6:16"]),
    ("when = [{ at = \"/result/RTT\", exists = true }]\n[hooks.onMessage]\nchain = [\"a\"]", &["KG111 6:16"]),
    ("when = [{ at = \"/result/RTT\", exists = true }]\n[hooks.onResult]\nchain = [\"a\"]", &[]),
    ("when = [{ at = \"/addons/vip\", exists = true }]\n[hooks.onMessage]\nchain = [\"a\"]\n[hooks.onResult]\nchain = [\"a\"]", &["KG111 6:16"]),
    ("when = [{ at = \"/addons/vip\", exists = true }]\n[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.onResult]\nchain = [\"b\", \"a\"]", &[]),
    ("when = [{ at = \"/adons/vip\", exists = true }]\n[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.onResult]\nchain = [\"b\", \"a\"]", &["KG111 6:16"]),
    ("[admin]\nlisten = \"0.0.0.0:8601\"\nauth = { token = [\"0123456789abcde\", \"0123456789abcdef\"] }", &["KG108 8:19"]),
];

#[test]
fn every_problem_at_its_place() {
    for (text, expected) in CASES {
        assert_eq!(found(&[GOOD.trim_start(), text].concat()), *expected, "{text}");
    }
}

/// Whole files, for what is found in no part of one.
#[test]
fn whole_files() {
    let long = format!("headers.A = \"{}\"", "x".repeat(9_000));
    let many: String = (0..150).map(|n| format!("unknown_{n:03} = 1\n")).collect();
    for (text, expected) in [
        ("[server]", vec!["KG101 1:1"]),
        ("", vec!["KG006"]),
        ("\u{feff}\r\n# chain = []\n\t", vec!["KG006"]),
        ("[", vec!["KG004 1:2"]),
        ("\u{feff}serve = 1", vec!["KG010 1:1"]),
        ("\u{feff}\r\n[server]\r\nlisten = 5\r\n", vec!["KG011 3:10"]),
        ("\tfoo = 1", vec!["KG010 1:2"]),
        ("节 = 1", vec!["KG004 1:1"]),
        (&[GOOD.trim_start(), &long].concat(), vec!["KG053 6:13"]),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
    let found = found(&many);
    assert_eq!(found.len(), 101);
    assert!(found.contains(&"KG005 100:1".to_owned()), "{found:?}");
}

#[test]
fn what_is_no_configuration() {
    let sources = Fixed::default()
        .file("latin1", b"[log]\nlevel = \"caf\xe9\"\n")
        .file("huge", vec![b'#'; 2 << 20]);
    for (path, expected) in [("missing", "KG001"), ("huge", "KG002"), ("latin1", "KG003 2:13")] {
        assert_eq!(codes(&load(Path::new(path), &sources).unwrap_err()), [expected]);
    }
}

#[test]
fn no_problem_is_left_out() {
    let mut seen: BTreeSet<String> = CASES
        .iter()
        .flat_map(|(_, found)| *found)
        .map(|at| at[..5].to_owned())
        .collect();
    let elsewhere = [
        "KG001", "KG002", "KG003", "KG005", "KG006", "KG007", "KG053", "KG101",
    ];
    let elsewhere = elsewhere
        .into_iter()
        .chain(overrides::wrong())
        .chain(tls::wrong());
    seen.extend(elsewhere.map(str::to_owned));
    let known: BTreeSet<String> = Problem::codes().map(str::to_owned).collect();
    assert_eq!(seen, known);
    assert_eq!(
        known.len(),
        Problem::codes().count(),
        "a code stands for one problem"
    );
}
