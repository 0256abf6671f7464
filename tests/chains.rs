//! Chains of five services over every hook and three sizes of document. What the bot gets is compared whole with
//! what the services meant, which is worked out on values, without the program.

use futures_util::future::join_all;

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::{Keys, payload, payload_with};
use crate::support::python::{Spelling, Value, assert_same, json};
use crate::support::reply::document;

const HOOKS: [&str; 3] = ["onMessage", "onPreSend", "onResult"];
const SIZES: [usize; 3] = [12, 300, 2_000];

/// A callback service: it gives the whole document back as its language spells it, with one thing changed.
struct Service {
    name: &'static str,
    spelling: Spelling,
    means: fn(&mut Value),
}

const SERVICES: [Service; 5] = [
    Service {
        name: "columns",
        spelling: Spelling::Python,
        means: |document| {
            let nodes = nodes(document);
            if nodes > 0 {
                document.set("/result/落地", vec!["新加坡"; nodes]);
            }
            document.set("/message/text", "/speed 日本 🇯🇵");
        },
    },
    Service {
        name: "limits",
        spelling: Spelling::Flask,
        means: |document| {
            document.set("/slaveRequest/runtime/speedNodes", 50_i64);
        },
    },
    Service {
        name: "rank",
        spelling: Spelling::Node,
        means: |document| {
            let nodes = i64::try_from(nodes(document)).expect("few");
            if nodes > 0 {
                document.set(
                    "/result/评分",
                    (0..nodes).map(|node| node * 7 % 101).collect::<Vec<_>>(),
                );
            }
            document.set(
                "/addons/rank",
                json(r#"{"by": ["延迟", "速度"], "weight": 0.25}"#),
            );
        },
    },
    Service {
        name: "names",
        spelling: Spelling::Flask,
        means: |document| {
            if nodes(document) > 0 {
                document.set("/result/节点名称/0", "🇭🇰 改名 \u{1f600}");
                document.set("/slaveRequest/proxies/0/name", "🇭🇰 改名 \u{1f600}");
            }
        },
    },
    Service {
        name: "items",
        spelling: Spelling::Python,
        means: |document| {
            let item =
                r#"{"name": "TEST_SCRIPT", "script": {"type": "gojajs", "name": "Spotify", "rank": 9}}"#;
            document.append("/slaveRequest/items", json(item));
            document.set("/slaveRequest/task/name", "改过的测试");
        },
    },
];

fn nodes(document: &Value) -> usize {
    document
        .find("/result/节点名称")
        .map_or(0, |names| names.elements().len())
}

/// The five services behind one gateway, asked in this shape for every hook.
async fn five(chain: &str) -> (Gateway, Vec<Backend>) {
    let services: Vec<_> = SERVICES
        .iter()
        .map(|s| backend(s.name).echoes_as(s.spelling, s.means).starts())
        .collect();
    let setup = HOOKS.iter().fold(gateway().backends(&services), |setup, hook| {
        setup.chain(hook, chain)
    });
    (
        setup
            .defaults("timeout = '15s'")
            .server("deadline = '19s'")
            .starts()
            .await,
        services,
    )
}

/// The document after these services have had their way, in this order.
fn meant(base: &Value, services: &[Service]) -> Value {
    let mut document = base.clone();
    for service in services {
        (service.means)(&mut document);
    }
    document
}

/// What the bot holds afterwards, by the protocol's letter.
fn held(hook: &str, base: &Value, meant: &Value) -> Value {
    let mut held = base.clone();
    match hook {
        "onPreSend" => held = meant.clone(),
        "onResult" => {
            held.set("/result", meant.at("/result").clone());
        }
        _ => {}
    }
    held
}

/// Runs every hook in every size through a chain, whose stages take this many of the services each.
async fn check(chain: &str, stages: &[usize]) {
    let (gateway, services) = five(chain).await;
    for (hook, nodes) in HOOKS.iter().flat_map(|hook| SIZES.map(|nodes| (*hook, nodes))) {
        let asked: Vec<_> = services.iter().map(Backend::asked).collect();
        let base = payload(hook, nodes);
        let after = gateway.koipy().fires(hook, &base).await;
        let expected = meant(&base, &SERVICES);
        assert_same(&after.answer(), &expected);
        assert_same(&after.holds, &held(hook, &base, &expected));
        let config = format!(r#""config": {}"#, base.at("/config").dumps());
        assert!(
            after.response.text().contains(&config),
            "what nobody edited leaves byte for byte"
        );

        let mut sent_to = 0;
        for stage in stages {
            let sent = meant(&base, &SERVICES[..sent_to]);
            for service in sent_to..sent_to + stage {
                let request = &services[service].requests()[asked[service]];
                match sent_to {
                    0 => assert!(
                        request.body == base.dumps(),
                        "the first stage is sent the original bytes"
                    ),
                    _ => assert_same(&request.document(), &sent),
                }
            }
            sent_to += stage;
        }
    }
    gateway.counts("koigate_merge_conflicts_total", 0.0).await;
    gateway.stops().await;
}

#[tokio::test]
async fn five_at_once() {
    check("[['columns', 'limits', 'rank', 'names', 'items']]", &[5]).await;
}

#[tokio::test]
async fn five_one_after_the_other() {
    check("['columns', 'limits', 'rank', 'names', 'items']", &[1; 5]).await;
}

#[tokio::test]
async fn five_in_three_stages() {
    check("['columns', ['limits', 'rank', 'names'], 'items']", &[1, 3, 1]).await;
}

#[tokio::test]
async fn the_order_of_arrival_changes_nothing() {
    let orders: [[u64; 5]; 3] = [[0, 30, 60, 90, 120], [120, 90, 60, 30, 0], [60, 0, 120, 30, 90]];
    let base = payload("onResult", 12);
    let answers = orders.map(async |delays| {
        let services: Vec<_> = (SERVICES.iter().zip(delays))
            .map(|(service, delay)| {
                let mut reply = base.clone();
                (service.means)(&mut reply);
                backend(service.name)
                    .replies(document(&reply).after(delay))
                    .starts()
            })
            .collect();
        let gateway = gateway()
            .asks_at_once(&services.iter().collect::<Vec<_>>())
            .starts()
            .await;
        gateway.koipy().fires("onResult", &base).await.response.body
    });
    let answers = join_all(answers).await;
    assert_same(&json(&answers[0]), &meant(&base, &SERVICES));
    assert!(
        answers.iter().all(|answer| answer == &answers[0]),
        "one answer, byte for byte"
    );
}

#[tokio::test]
async fn a_stale_echo_undoes_nothing() {
    let base = payload("onResult", 300);
    let fresh = backend("fresh").sets("/result/类型/7", "Snell").starts();
    let stale = backend("stale").echoes_as(Spelling::Node, |_| {}).starts();
    let gateway = gateway().asks_at_once(&[&fresh, &stale]).starts().await;
    let after = gateway.koipy().fires("onResult", &base).await;
    let mut expected = base.clone();
    expected.set("/result/类型/7", "Snell");
    assert_same(&after.answer(), &expected);
    gateway
        .counts("koigate_edits_total hook=onResult backend=fresh", 1.0)
        .await;
    gateway
        .counts("koigate_edits_total hook=onResult backend=stale", 0.0)
        .await;
}

#[tokio::test]
async fn two_values_for_one_place_are_a_conflict() {
    for (rule, status, text) in [("last", 200, "b"), ("first", 200, "a"), ("reject", 409, "")] {
        let a = backend("early").sets("/message/text", "a").starts();
        let b = backend("late").sets("/message/text", "b").starts();
        let gateway = gateway()
            .backends([&a, &b])
            .hook(
                "onPreSend",
                &format!("chain = [['early', 'late']]\non_conflict = '{rule}'"),
            )
            .starts()
            .await;
        let after = gateway
            .koipy()
            .fires("onPreSend", &payload("onPreSend", 12))
            .await;
        assert_eq!(after.response.status, status, "{rule}");
        match status {
            200 => assert_eq!(after.holds.at("/message/text").text(), text, "{rule}"),
            _ => assert!(after.refusal().contains("冲突"), "{rule}: a person reads it"),
        }
        gateway
            .counts("koigate_merge_conflicts_total hook=onPreSend", 1.0)
            .await;
        let line = gateway.logs(&["/message/text"]).await;
        assert!(
            line.contains("early") && line.contains("late"),
            "both are named: {line}"
        );
    }
}

#[tokio::test]
async fn both_spellings_of_a_key_are_one() {
    let kebab = backend("kebab").echoes(|document| {
        document
            .remove("/message/from_user")
            .set("/message/from-user", json(r#"{"username": "new"}"#));
    });
    let kebab = kebab.starts();
    let silent = backend("silent").starts();
    let gateway = gateway().asks_at_once(&[&silent, &kebab]).starts().await;
    let base = payload_with("onPreSend", 12, Keys::Snake);
    let after = gateway.koipy().fires("onPreSend", &base).await;
    // One service alone that returns JSON passes through, as it would without the gateway.
    assert_eq!(after.answer().at("/message").keys().last().unwrap(), "from-user");
    let other = backend("other").sets("/addons/x", 1_i64).starts();
    let gateway = crate::support::gateway::gateway()
        .asks_at_once(&[&other, &kebab])
        .starts()
        .await;
    let after = gateway.koipy().fires("onPreSend", &base).await;
    let mut expected = base.clone();
    expected
        .set("/message/from_user/username", "new")
        .set("/addons/x", 1_i64);
    assert_same(&after.answer(), &expected);
}

#[tokio::test]
async fn what_does_not_parse_reaches_the_backends_as_it_is() {
    let posted = b"\xff\x00 no document {".as_slice();
    let silent = backend("silent").starts();
    let first = backend("first").replies(document(&json(r#"{"a": 1}"#))).starts();
    let last = backend("last").replies(document(&json(r#"{"b": 2}"#))).starts();
    let gateway = gateway().asks_at_once(&[&silent, &first, &last]).starts().await;
    let response = gateway.koipy().posts("/onResult", posted).await;
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, r#"{"b": 2}"#),
        "the last JSON, whole"
    );
    for backend in [&silent, &first, &last] {
        assert_eq!(backend.request().body, posted);
    }
    gateway
        .counts("koigate_merge_failures_total hook=onResult", 1.0)
        .await;
}
