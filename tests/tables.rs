//! The guard of the table: columns that are not as long as the nodes' names.

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::payload;
use crate::support::python::{Value, assert_same};
use crate::support::reply::json_body;

const NODES: usize = 12;

fn column(length: usize) -> Vec<&'static str> {
    vec!["新加坡"; length]
}

/// A backend that adds a column of this length.
fn adds(name: &str, pointer: &'static str, length: usize) -> Backend {
    backend(name).sets(pointer, column(length)).starts()
}

/// A gateway that asks these at the same time about results, under this guard.
async fn guarded(guard: &str, backends: &[&Backend]) -> Gateway {
    let names: Vec<String> = backends
        .iter()
        .map(|backend| format!("'{}'", backend.name))
        .collect();
    let hook = format!("chain = [[{}]]\n{guard}", names.join(", "));
    gateway()
        .backends(backends.iter().copied())
        .hook("onResult", &hook)
        .starts()
        .await
}

async fn counts(gateway: &Gateway, backend: &str, expected: f64) {
    let series = format!("koigate_table_guard_total hook=onResult backend={backend}");
    gateway.counts(&series, expected).await;
}

/// The document that the bot ends up with.
async fn answered(gateway: &Gateway, document: &Value) -> Value {
    gateway.koipy().fires("onResult", document).await.answer()
}

#[tokio::test]
async fn columns_of_the_wrong_length_are_reported_by_default() {
    let document = payload("onResult", NODES);
    let mut expected = document.clone();
    expected.set("/result/good", column(NODES));
    expected.set("/result/short", column(NODES - 1));
    for guard in ["", "table_guard = 'report'"] {
        let (good, short) = (
            adds("good", "/result/good", NODES),
            adds("short", "/result/short", NODES - 1),
        );
        let gateway = guarded(guard, &[&good, &short]).await;
        assert_same(&answered(&gateway, &document).await, &expected);
        let line = gateway.logs(&["a column is not as long", "short"]).await;
        for part in [
            "place=/result/short",
            "found=11",
            "expected=12",
            "dropped=false",
            "backends=short",
        ] {
            assert!(line.replace('"', "").contains(part), "{line}");
        }
        assert!(!line.contains("新加坡"), "{line}");
        counts(&gateway, "short", 1.0).await;
        counts(&gateway, "good", 0.0).await;
    }
}

#[tokio::test]
async fn columns_of_the_wrong_length_are_dropped() {
    let document = payload("onResult", NODES);
    let good = adds("good", "/result/good", NODES);
    let long = adds("long", "/result/long", NODES + 1);
    let cut = backend("cut").sets("/result/类型", column(3)).starts();
    let gateway = guarded("table_guard = 'drop'", &[&good, &long, &cut]).await;
    let mut expected = document.clone();
    expected.set("/result/good", column(NODES));
    assert_same(&answered(&gateway, &document).await, &expected);
    for (backend, count) in [("good", 0.0), ("long", 1.0), ("cut", 1.0)] {
        counts(&gateway, backend, count).await;
    }
}

/// A sole reply passes byte for byte where nothing may be dropped of it, and is taken to pieces where something may.
#[tokio::test]
async fn a_sole_reply_is_no_way_around() {
    let document = payload("onResult", NODES);
    let partial = r#"{"result":{"short":["x"]}}"#;
    for guard in ["off", "report", "drop"] {
        let sole = backend("sole").replies(json_body(partial)).starts();
        let gateway = guarded(&format!("table_guard = '{guard}'"), &[&sole]).await;
        let response = gateway.koipy().posts("/onResult", document.dumps()).await;
        let expected = if guard == "drop" {
            document.dumps()
        } else {
            partial.into()
        };
        assert_eq!(response.body, expected, "{guard}");
        counts(&gateway, "sole", if guard == "off" { 0.0 } else { 1.0 }).await;
    }
}

/// Two services append a node's cell to the same columns, each consistently; what comes of both is not.
#[tokio::test]
async fn appends_that_meet_in_one_column() {
    let document = payload("onResult", NODES);
    let appends = |name: &str, cell: &'static str| {
        backend(name)
            .echoes(move |document| {
                document.append("/result/类型", cell);
            })
            .starts()
    };
    let (one, two) = (appends("one", "ss"), appends("two", "vmess"));
    let gateway = guarded("table_guard = 'drop'", &[&one, &two]).await;
    assert_same(&answered(&gateway, &document).await, &document);
    counts(&gateway, "one", 1.0).await;
    counts(&gateway, "two", 1.0).await;
}

/// A service that leaves a node out of every column shortens the table as a whole, and may.
#[tokio::test]
async fn a_node_that_goes_goes_from_every_column() {
    let document = payload("onResult", NODES);
    let without_last = |document: &mut Value| {
        for key in document.at("/result").keys() {
            if let Value::List(cells) = document.at_mut(&format!("/result/{key}")) {
                cells.pop();
            }
        }
    };
    let filter = backend("filter").echoes(without_last).starts();
    let gateway = guarded("table_guard = 'drop'", &[&filter]).await;
    let mut expected = document.clone();
    without_last(&mut expected);
    assert_same(&answered(&gateway, &document).await, &expected);
    counts(&gateway, "filter", 0.0).await;
    let names = backend("names")
        .sets("/result/节点名称", column(NODES - 1))
        .starts();
    let gateway = guarded("table_guard = 'drop'", &[&names]).await;
    assert_same(&answered(&gateway, &document).await, &document);
    counts(&gateway, "names", 1.0).await;
}
