//! What a right file becomes, and the files that are shipped.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{Fixed, codes};
use koigate_config::{Loaded, Process, admin, describe, load, parse, schema};
use koigate_core::guards::{Guards, Keys, Power, Powers, Sight};
use koigate_core::plan::{
    Admin, Backend, BackendTls, Breaker, Health, Images, Listen, Log, LogFormat, LogLevel, OnConflict,
    OnFailure, Queue, RejectRule, Scheme, Server, StatusSet, TableGuard, Target, Traces,
};
use koigate_core::pointer::Pointer;
use koigate_core::secret::{Secret, SigningKey};
use koigate_core::texts;

fn loaded(text: &str) -> Loaded {
    let sources = Fixed::default()
        .variable("TOKEN", "s3cret")
        .file("conf/token", "from a file\r\n");
    parse(text, "conf/koigate.toml", &sources).unwrap_or_else(|report| panic!("{report}"))
}

fn backend(text: &str) -> Backend {
    let text = format!("{text}\n[hooks.x]\nchain = [\"b\"]\n");
    loaded(&text).plan.backends[0].as_ref().clone()
}

fn headers(backend: &Backend) -> Vec<(&str, &str)> {
    backend
        .headers
        .iter()
        .map(|header| (header.name.as_str(), header.value.expose()))
        .collect()
}

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn what_is_not_written_is_the_default() {
    let plan = loaded("[server]").plan;
    let defaults = Server {
        listen: vec![Listen::Tcp("127.0.0.1:8600".parse().unwrap())],
        path: String::new(),
        max_body: 32 << 20,
        max_in_flight: 1024,
        max_buffered: 256 << 20,
        max_connections: 16_384,
        max_connections_per_address: 16_384,
        drain: Duration::from_secs(30),
        lame_duck: Duration::ZERO,
        threads: 0,
        tls: None,
        auth: None,
        allow: Vec::new(),
    };
    assert_eq!(plan.server, defaults);
    assert_eq!(
        plan.admin,
        Admin {
            listen: "127.0.0.1:8601".parse().unwrap(),
            auth: None,
            traces: Traces {
                keep: 200,
                memory: 32 << 20,
                hide: ["/config", "/slaveRequest/proxies", "/slaveRequest/slave/token"]
                    .map(|place| Pointer::parse(place).unwrap())
                    .to_vec(),
            },
        }
    );
    assert_eq!(
        plan.log,
        Log {
            format: LogFormat::Text,
            level: LogLevel::Info
        }
    );
    assert!(plan.backends.is_empty() && plan.chains.is_empty());
}

#[test]
fn a_url_alone_is_a_backend() {
    let expected = Backend {
        name: "b".into(),
        replicas: vec![Target {
            scheme: Scheme::Http,
            host: "127.0.0.1".into(),
            port: 8081,
            authority: "127.0.0.1:8081".into(),
            path: "/{hook}".into(),
        }],
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(1),
        on_failure: OnFailure::Continue,
        failure_statuses: StatusSet::default(),
        headers: Vec::new(),
        max_reply: 32 << 20,
        max_in_flight: 256,
        retries: 0,
        breaker: None,
        health: None,
        tls: BackendTls::default(),
        always_finish: false,
        when: Vec::new(),
        queue: Queue::default(),
        sign: Vec::new(),
        guards: Guards::default(),
    };
    assert_eq!(
        backend("[backends.b]\nurl = \"http://127.0.0.1:8081/{hook}\""),
        expected
    );
}

#[test]
fn guards_and_what_is_inherited_of_them() {
    let places = |texts: &[&str]| texts.iter().map(|text| Pointer::parse(text).unwrap()).collect();
    let defaults =
        "[defaults]\nhide = [\"/config\"]\nkeys = \"kebab\"\nmay_change = [\"/result\"]\nmay = [\"json\"]\n";
    let inherited = Guards {
        sight: Sight::Hide(places(&["/config"])),
        keys: Keys::Kebab,
        may_change: Some(places(&["/result"])),
        may: Powers::of([Power::Json]),
    };
    let check = |own: &str, expected: Guards| {
        let text = format!("{defaults}[backends.b]\nurl = \"http://127.0.0.1/\"\n{own}");
        assert_eq!(backend(&text).guards, expected, "{own}");
    };
    check("", inherited.clone());
    check(
        "hide = []\nkeys = \"as-is\"\nmay_change = []",
        Guards {
            sight: Sight::Whole,
            keys: Keys::AsIs,
            may_change: Some(Vec::new()),
            ..inherited.clone()
        },
    );
    check(
        "show = [\"/result\", \"/a~1b/*\"]\nmay = [\"reject\", \"file\"]",
        Guards {
            sight: Sight::Show(places(&["/result", "/a~1b/*"])),
            may: Powers::of([Power::File, Power::Reject]),
            ..inherited.clone()
        },
    );
    check(
        "show = []\nmay = []",
        Guards {
            sight: Sight::Show(Vec::new()),
            may: Powers::of([]),
            ..inherited
        },
    );
}

#[test]
fn a_chain_alone_is_a_hook() {
    let text =
        "[backends.b]\nurl = \"http://127.0.0.1/\"\n[hooks.x]\nchain = [\"b\"]\n[server]\ndeadline = \"7s\"";
    let chain = loaded(text).plan.chains["x"].clone();
    assert_eq!(chain.deadline, Duration::from_secs(7));
    assert_eq!(chain.reject, RejectRule::First);
    assert_eq!(chain.on_conflict, OnConflict::Last);
    assert_eq!(chain.images, Images::Sheet);
    assert_eq!(chain.table_guard, TableGuard::Report);
}

#[test]
fn chains_and_the_order_of_the_file() {
    let names = ["z", "a", "m", "b"];
    let backends = names.map(|name| format!("[backends.{name}]\nurl = \"http://127.0.0.1/\"\n"));
    for (chain, stages) in [
        ("\"z\", \"a\"", vec![vec![0], vec![1]]),
        ("[\"z\", \"a\"]", vec![vec![0, 1]]),
        (
            "[\"b\", \"z\"], \"m\", [\"a\"]",
            vec![vec![3, 0], vec![2], vec![1]],
        ),
    ] {
        let plan = loaded(&format!("{}[hooks.x]\nchain = [{chain}]", backends.concat())).plan;
        let found: Vec<Vec<usize>> = plan.chains["x"]
            .stages
            .iter()
            .map(|stage| stage.backends.iter().map(|id| id.0).collect())
            .collect();
        assert_eq!(found, stages, "{chain}");
        let order: Vec<&str> = plan.backends.iter().map(|backend| &*backend.name).collect();
        assert_eq!(order, names);
    }
}

#[test]
fn what_is_inherited() {
    let defaults = "[defaults]\ntimeout = \"2s\"\nconnect_timeout = \"3ms\"\non_failure = \"reject\"\n\
        failure_message = \"no\"\nfailure_statuses = [\"5xx\"]\nmax_reply = \"1MiB\"\nmax_in_flight = 3\n\
        retries = 3\nbreaker = { failures = 2 }\nhealth = { path = \"/h\" }\nalways_finish = true\nheaders = { B = \"b\", A = \"a\" }\n";
    let own = backend(&format!("{defaults}[backends.b]\nurl = \"http://127.0.0.1/\""));
    assert_eq!(own.timeout, Duration::from_secs(2));
    assert_eq!(own.connect_timeout, Duration::from_millis(3));
    assert_eq!(own.on_failure, OnFailure::Reject { message: "no".into() });
    assert_eq!(own.failure_statuses, StatusSet(vec![500..=599]));
    assert_eq!(
        (own.max_reply, own.max_in_flight, own.always_finish),
        (1 << 20, 3, true)
    );
    let breaker = |failures, seconds| Breaker {
        failures: NonZeroU32::new(failures).unwrap(),
        cool_off: Duration::from_secs(seconds),
    };
    let health = |path: &str, seconds| Health {
        path: path.into(),
        interval: Duration::from_secs(seconds),
    };
    assert_eq!(
        (own.retries, own.breaker, own.health.clone()),
        (3, Some(breaker(2, 10)), Some(health("/h", 5)))
    );
    assert_eq!(headers(&own), [("B", "b"), ("A", "a")]);

    let own = backend(&format!(
        "{defaults}[backends.b]\nurl = \"http://127.0.0.1/\"\ntimeout = \"4s\"\nfailure_statuses = []\n\
         retries = 0\nbreaker = {{ cool_off = \"1s\" }}\nhealth = false\nalways_finish = false\nfailure_message = \"mine\"\nheaders = {{ b = \"c\", D = \"d\" }}"
    ));
    assert_eq!(own.timeout, Duration::from_secs(4));
    assert_eq!(
        own.on_failure,
        OnFailure::Reject {
            message: "mine".into()
        }
    );
    assert_eq!(own.failure_statuses, StatusSet::default());
    assert!(!own.always_finish);
    // One that is written stands for all of the other.
    assert_eq!(
        (own.retries, own.breaker, own.health.clone()),
        (0, Some(breaker(5, 1)), None)
    );
    assert_eq!(headers(&own), [("A", "a"), ("b", "c"), ("D", "d")]);
}

#[test]
fn a_message_is_there_where_none_is_written() {
    let own = backend("[backends.b]\nurl = \"http://127.0.0.1/\"\non_failure = \"reject\"");
    assert_eq!(
        own.on_failure,
        OnFailure::Reject {
            message: texts::FAILURE.into()
        }
    );
}

#[test]
fn secrets_are_found_where_they_are() {
    let own = backend(
        "[backends.b]\nurl = \"http://u:p@127.0.0.1/\"\n\
         headers = { A = { env = \"TOKEN\" }, B = { file = \"token\" }, C = \"plain\" }",
    );
    let expected = [
        ("A", "s3cret"),
        ("B", "from a file"),
        ("C", "plain"),
        ("Authorization", "Basic dTpw"),
    ];
    assert_eq!(headers(&own), expected);
    assert_eq!(own.replicas[0].authority, "127.0.0.1");
}

#[test]
fn replicas_in_the_order_of_the_file() {
    for (url, expected) in [
        ("\"http://127.0.0.1:2/\"", vec!["127.0.0.1:2"]),
        ("[\"http://127.0.0.1:2/\"]", vec!["127.0.0.1:2"]),
        (
            "[\"http://u:p@b.example/\", { env = \"URL\" }, { file = \"url\" }]",
            vec!["b.example", "a.example", "[::1]:8"],
        ),
    ] {
        let sources = Fixed::default()
            .variable("URL", "https://u:p@a.example/x")
            .file("conf/url", "http://u:p@[::1]:8/\n");
        let text = format!("[backends.b]\nurl = {url}\n[hooks.x]\nchain = [\"b\"]");
        let plan = parse(&text, "conf/koigate.toml", &sources).unwrap().plan;
        let replicas = plan.backends[0].replicas.iter();
        let found: Vec<&str> = replicas.map(|replica| replica.authority.as_str()).collect();
        assert_eq!(found, expected, "{url}");
        let user = headers(&plan.backends[0]);
        assert_eq!(
            user.len(),
            usize::from(expected.len() == 3),
            "one for all: {user:?}"
        );
    }
}

#[test]
fn tokens_of_the_operator() {
    for (token, expected) in [
        ("\"a\"", vec!["a"]),
        ("{ env = \"TOKEN\" }", vec!["s3cret"]),
        ("{ file = \"token\" }", vec!["from-a-file"]),
        (
            "[{ env = \"TOKEN\" }, \"口令\", { file = \"token\" }]",
            vec!["s3cret", "口令", "from-a-file"],
        ),
    ] {
        let sources = Fixed::default()
            .variable("TOKEN", "s3cret")
            .file("conf/token", "from-a-file\n");
        for text in [
            format!("[admin]\nauth = {{ token = {token} }}"),
            format!("[admin.auth]\ntoken = {token}"),
        ] {
            let plan = parse(&text, "conf/koigate.toml", &sources).unwrap().plan;
            let tokens = plan.admin.auth.unwrap().tokens;
            let found: Vec<&str> = tokens.iter().map(Secret::expose).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}

#[test]
fn keys_of_a_signature() {
    const ONE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const TWO: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (secret, expected) in [
        (format!("\"{ONE}\""), vec![ONE]),
        ("{ env = \"KEY\" }".to_owned(), vec![TWO]),
        ("{ file = \"key\" }".to_owned(), vec![ONE]),
        (format!("[\"{TWO}\", {{ file = \"key\" }}]"), vec![TWO, ONE]),
        ("[{ file = \"key\" }]".to_owned(), vec![ONE]),
    ] {
        let sources = Fixed::default()
            .variable("KEY", TWO)
            .file("conf/key", format!("{ONE}\n"));
        let text = format!(
            "[backends.b]\nurl = \"http://127.0.0.1/\"\nsign = {{ secret = {secret} }}\n[hooks.x]\nchain = [\"b\"]"
        );
        let plan = parse(&text, "conf/koigate.toml", &sources).unwrap().plan;
        let expected = expected
            .into_iter()
            .map(|key| SigningKey::parse(&Secret::new(key)));
        let expected: Vec<SigningKey> = expected.map(Option::unwrap).collect();
        assert_eq!(plan.backends[0].sign, expected, "{text}");
        assert!(describe(&plan).contains("signed"));
    }
}

#[test]
fn conditions_and_what_is_inherited_of_them() {
    let words = |when: &str| -> Vec<String> {
        let defaults = "[defaults]\nwhen = [{ at = \"/message/text\", exists = true }]\n";
        let backend = backend(&format!(
            "{defaults}[backends.b]\nurl = \"http://127.0.0.1/\"\n{when}"
        ));
        backend.when.iter().map(ToString::to_string).collect()
    };
    for (when, expected) in [
        ("", vec!["/message/text exists"]),
        ("when = []", vec![]),
        (
            "when = [{ at = \"/a\", exists = false }]",
            vec!["/a does not exist"],
        ),
        (
            "when = [{ at = \"/message/from-user/id\", not_in = [-1, 0x10, 1e3, true, '5'] }, { at = \"/a/*\", eq = nan }]",
            vec![
                r#"/message/from-user/id is none of -1, 16, 1000.0, true, "5""#,
                "/a/* is NaN",
            ],
        ),
        (
            "[[backends.b.when]]\nat = \"/a\"\nin = [9007199254740993]\n[[backends.b.when]]\nat = \"/b\"\nmatches = '\\d'",
            vec!["/a is 9007199254740993", r#"/b matches "\\d""#],
        ),
    ] {
        assert_eq!(words(when), expected, "{when}");
    }
}

#[test]
fn conditions_and_columns_in_words() {
    let text = "[backends.b]\nurl = \"http://127.0.0.1/\"\nwhen = [{ at = \"/message/chat/id\", in = [-1, -2] }, \
        { at = \"/message/text\", matches = '^/test' }]\n[hooks.x]\nchain = [\"b\"]\ntable_guard = \"drop\"";
    let words = describe(&loaded(text).plan);
    for part in [
        "\n        only when /message/chat/id is one of -1, -2\n        only when /message/text matches \"^/test\"\n",
        "\n  columns of the wrong length are dropped\n",
    ] {
        assert!(words.contains(part), "{words}");
    }
    let off = text.replace("\"drop\"", "\"off\"");
    assert!(describe(&loaded(&off).plan).contains("\n  columns may have any length\n"));
    let report = text.replace("\"drop\"", "\"report\"");
    assert!(!describe(&loaded(&report).plan).contains("columns"));
}

#[test]
fn shadows_in_words() {
    let text = "[backends.b]\nurl = \"http://127.0.0.1/\"\n[backends.new]\nurl = \"http://127.0.0.1/new\"\n\
        timeout = \"1s\"\non_failure = \"reject\"\nhide = [\"/config\"]\n[hooks.x]\nchain = [\"b\"]\nshadow = [\"new\"]";
    let words = describe(&loaded(text).plan);
    let expected = "  1.  b    http://127.0.0.1/\n        timeout 5s; if it fails: go on without it\n  \
        -   beside the first stage, compared and counted, never used\n      \
        new  http://127.0.0.1/new\n        timeout 1s\n        is not sent /config\n";
    assert!(words.ends_with(expected), "{words}");
}

#[test]
fn observers_in_words() {
    let text = "[backends.b]\nurl = \"http://127.0.0.1/\"\n[backends.stats]\nurl = \"http://127.0.0.1/stats\"\n\
        queue = { length = 50 }\nshow = [\"/result\"]\n[hooks.x]\nchain = [\"b\"]\nobservers = [\"stats\"]";
    let words = describe(&loaded(text).plan);
    let expected = "  1.  b      http://127.0.0.1/\n        timeout 5s; if it fails: go on without it\n  \
        -   told of the outcome, once the answer has left\n      \
        stats  http://127.0.0.1/stats\n        timeout 5s\n        \
        up to 50 notices wait, 16MiB of memory, 1h at most\n        is sent only /result\n";
    assert!(words.ends_with(expected), "{words}");
}

/// What a queue says is over what is inherited, key by key.
#[test]
fn a_queue_key_by_key() {
    let text = "[defaults]\nqueue = { length = 7, memory = \"1MiB\" }\n[backends.b]\nurl = \"http://127.0.0.1/\"\n\
        queue = { memory = \"2MiB\" }\n[backends.c]\nurl = \"http://127.0.0.1/\"";
    let plan = loaded(text).plan;
    let queues: Vec<_> = plan.backends.iter().map(|backend| backend.queue).collect();
    let queue = |memory| Queue {
        length: 7,
        memory,
        ..Queue::default()
    };
    assert_eq!(queues, [queue(2 << 20), queue(1 << 20)]);
}

/// What a running gateway is reached by, while its file is being written.
#[test]
fn the_operators_side_alone() {
    const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:9\"\nauth = { token = \"t\" }\n";
    for (text, expected) in [
        // Nothing else is judged.
        (
            format!("{ADMIN}[server]\nlisten = 5\n[nonsense]"),
            Ok("127.0.0.1:9 t"),
        ),
        (
            format!("[backends.a]\nurl = http://a/\n{ADMIN}"),
            Ok("127.0.0.1:9 t"),
        ),
        (format!("{ADMIN}[hooks.x\nchain = ["), Ok("127.0.0.1:9 t")),
        ("[hooks.x\n".to_owned(), Ok("127.0.0.1:8601")),
        ("[backends.a]".to_owned(), Ok("127.0.0.1:8601")),
        ("[admin]\nlisten = \"[::1]:9\"".to_owned(), Ok("[::1]:9")),
        // The table itself is, and so is what may have swallowed it.
        ("[admin]\nlisten = \"0.0.0.0:9\"".to_owned(), Err("KG083 2:10")),
        ("[admin]\nlisen = \"127.0.0.1:9\"".to_owned(), Err("KG010 2:1")),
        ("[admin]\nauth = { token = [] }".to_owned(), Err("KG080 2:18")),
        ("[admin]\nlisten = 127.0.0.1:9".to_owned(), Err("KG004 2:15")),
        (
            "[admin]\nlisten = \"127.0.0.1:9\"\nauth = { token = x }".to_owned(),
            Err("KG004 3:18"),
        ),
        (format!("[server]\npath = \"\"\"\n{ADMIN}"), Err("KG004 6:1")),
        ("# nothing".to_owned(), Err("KG006")),
    ] {
        let sources = Fixed::default().file("koigate.toml", &text);
        let found = admin(Path::new("koigate.toml"), &sources);
        let shown = found
            .map(|admin| {
                let tokens = admin.auth.map(|auth| auth.tokens).unwrap_or_default();
                let tokens = tokens.iter().map(|token| token.expose().to_owned());
                let parts: Vec<String> = [admin.listen.to_string()].into_iter().chain(tokens).collect();
                parts.join(" ")
            })
            .map_err(|report| codes(&report).join(", "));
        assert_eq!(
            shown,
            expected.map(str::to_owned).map_err(str::to_owned),
            "{text}"
        );
    }
    let report = admin(Path::new("koigate.toml"), &Fixed::default()).unwrap_err();
    assert_eq!(codes(&report), ["KG001"]);
}

#[test]
fn a_users_own_credentials_stand_for_inherited_ones() {
    let own =
        backend("[defaults]\nheaders.authorization = \"x\"\n[backends.b]\nurl = \"http://u:p@127.0.0.1/\"");
    assert_eq!(headers(&own), [("Authorization", "Basic dTpw")]);
}

#[test]
fn paths() {
    for (written, path) in [
        ("/", ""),
        ("/koipy", "/koipy"),
        ("/koipy/", "/koipy"),
        ("/a/b.c", "/a/b.c"),
    ] {
        assert_eq!(
            loaded(&format!("[server]\npath = \"{written}\""))
                .plan
                .server
                .path,
            path
        );
    }
}

#[test]
fn the_reference_holds_every_key_and_the_defaults() {
    let path = shipped("koigate.toml");
    let reference = load(&path, &Process).unwrap_or_else(|report| panic!("{report}"));
    assert!(reference.warnings.is_empty(), "{}", reference.warnings);
    let (reference, defaults) = (reference.plan, loaded("[server]").plan);
    assert_eq!(reference.server, defaults.server);
    assert_eq!(reference.admin, defaults.admin);
    assert_eq!(reference.log, defaults.log);
    // `columns` says nothing but where it is, so it shows what [defaults] says: the same as if it were empty.
    let columns = reference
        .backends
        .iter()
        .find(|backend| &*backend.name == "columns")
        .unwrap();
    let bare = backend(
        "[backends.columns]\nurl = \"http://127.0.0.1:8083/\"\n[backends.b]\nurl = \"http://127.0.0.1/\"",
    );
    assert_eq!(**columns, bare);

    let text = std::fs::read_to_string(&path).unwrap();
    for key in keys() {
        let stands = text.lines().any(|line| {
            let line = line.trim_start_matches("# ");
            let begins = |part: &str| {
                part.strip_prefix(&key)
                    .is_some_and(|rest| rest.trim_start().starts_with('='))
            };
            line.split(['{', ',']).map(str::trim_start).any(begins)
        });
        assert!(stands, "`{key}` is not in the reference");
    }
}

#[test]
fn the_references_message_is_the_default() {
    let text = std::fs::read_to_string(shipped("koigate.toml")).unwrap();
    assert!(text.contains(&format!("failure_message  = \"{}\"", texts::FAILURE)));
}

/// Every key of every table, from the schema.
fn keys() -> Vec<String> {
    let schema = schema().to_value();
    let defs = schema["$defs"].as_object().unwrap();
    let tables = defs.iter().filter(|(name, _)| *name != "Elsewhere");
    tables
        .filter_map(|(_, table)| table["properties"].as_object())
        .flat_map(|properties| properties.keys().cloned())
        .collect()
}

#[test]
fn every_key_has_words_in_the_schema() {
    assert!(keys().contains(&"always_finish".to_owned()));
    let schema = schema().to_value();
    for (name, table) in schema["$defs"].as_object().unwrap() {
        assert_eq!(table["additionalProperties"], false, "{name}");
        for (key, property) in table["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{name}.{key}");
        }
    }
}

#[test]
fn the_schema_knows_no_null_and_what_must_be_there() {
    let schema = schema().to_value();
    assert!(!schema.to_string().contains("null"), "{schema:#}");
    assert_eq!(schema["$defs"]["Backend"]["required"], serde_json::json!(["url"]));
    assert_eq!(schema["$defs"]["Hook"]["required"], serde_json::json!(["chain"]));
    assert_eq!(
        schema["$defs"]["Server"]["properties"]["max_body"]["type"],
        "string"
    );
    let rules = &schema["$defs"]["Hook"]["properties"]["reject"]["enum"];
    assert_eq!(*rules, serde_json::json!(["first", "ordered"]));
}

/// Of what is as everywhere nothing is said.
#[test]
fn a_plan_in_words() {
    let plan = loaded(
        "[backends.a]\nurl = \"http://127.0.0.1/\"\n[backends.bb]\nurl = \"http://[::1]:1/x\"\n\
         on_failure = \"reject\"\n[hooks.x]\nchain = [[\"a\", \"bb\"]]\n[hooks.y]\nchain = [\"bb\", \"a\"]",
    )
    .plan;
    let expected = "\
server  http://127.0.0.1:8600/
        bodies up to 32MiB, 1024 hooks at once
admin   http://127.0.0.1:8601/, for callers on this machine

x  at worst 5s, deadline 10s
  1.  at the same time
      a   http://127.0.0.1/
        timeout 5s; if it fails: go on without it
      bb  http://[::1]:1/x
        timeout 5s; if it fails: reject

y  at worst 10s, deadline 10s
  1.  bb  http://[::1]:1/x
        timeout 5s; if it fails: reject
  2.  a   http://127.0.0.1/
        timeout 5s; if it fails: go on without it
";
    assert_eq!(describe(&plan), expected);
}

/// And of what isn't, everything, within 80 columns.
#[test]
fn a_full_plan_in_words() {
    let plan = loaded(include_str!("plan.toml")).plan;
    assert_eq!(describe(&plan), include_str!("plan.txt"));
}
