//! Reloads of every kind while bots fire: none of them fails a hook, a bad one changes nothing, and what has gone is
//! gone a second later.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::load::crew;

/// How the file is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Another one is renamed into its place.
    Renamed,
    /// It is written over.
    WrittenOver,
    /// It becomes a link, and that is made to lead elsewhere.
    Relinked,
    /// It ends in the middle, and is whole a moment later.
    HalfWritten,
    /// It has a mistake.
    Bad,
    /// It is gone for a moment.
    Deleted,
    /// It names a variable that is not set.
    UnsetVariable,
    /// It names a secret that is not there.
    MissingSecret,
}

const CHANGES: [Change; 8] = [
    Change::Renamed,
    Change::Bad,
    Change::WrittenOver,
    Change::UnsetVariable,
    Change::HalfWritten,
    Change::Deleted,
    Change::Relinked,
    Change::MissingSecret,
];

/// One of each kind, three times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_of_every_kind_under_load() {
    check(24).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn a_thousand_reloads_of_every_kind_under_load() {
    check(1_000).await;
}

async fn check(reloads: usize) {
    let backends = ["router", "columns"].map(|name| backend(name).starts());
    let gateway = gateway_of(&backends, 0).starts().await;
    let bots = crew(&gateway, 3);
    for number in 1..=reloads {
        let change = CHANGES[number % CHANGES.len()];
        change.makes(&gateway, &backends, number).await;
    }
    assert_one_plan_each(&backends, bots.ends().await);
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("koigate_panics_total"), 0.0);
    assert_eq!(metrics.sum("koigate_hooks_in_flight"), 0.0);
    let begun = Instant::now();
    while plans(&gateway).await > 2 {
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "{} plans",
            plans(&gateway).await
        );
        sleep(Duration::from_millis(50)).await;
    }
    gateway.stops().await;
}

fn gateway_of(backends: &[Backend], plan: usize) -> crate::support::gateway::Setup {
    let lines = format!(
        "headers = {{ X-Plan = '{plan}' }}\nmax_in_flight = {}",
        100 + plan % 2
    );
    let setup = gateway().defaults(&lines).backends(backends);
    setup.chain("onMessage", "['router', ['columns']]")
}

async fn status(gateway: &Gateway) -> Value {
    serde_json::from_slice(&gateway.admin("/status").await.body).unwrap()
}

/// How many plans live.
async fn plans(gateway: &Gateway) -> u64 {
    status(gateway).await["configuration"]["plans"].as_u64().unwrap()
}

// === impl Change ===

impl Change {
    /// Makes it, has the file read, and sees what came of it.
    async fn makes(self, gateway: &Gateway, backends: &[Backend], number: usize) {
        let text = gateway_of(backends, number).text();
        let config = gateway.config();
        match self {
            Self::Renamed => gateway.rewrites(&text),
            Self::WrittenOver => fs::write(config, &text).unwrap(),
            Self::Relinked => relinked(config, &text),
            Self::HalfWritten => fs::write(config, &text[..text.len() / 2]).unwrap(),
            Self::Bad => gateway.rewrites(&text.replace("[server]", "[server]\nthreads = 'two'")),
            Self::Deleted => fs::remove_file(config).unwrap(),
            Self::UnsetVariable => gateway.rewrites(&with_header(&text, "{ env = 'KOIGATE_TEST_UNSET' }")),
            Self::MissingSecret => gateway.rewrites(&with_header(&text, "{ file = 'missing' }")),
        }
        let before = status(gateway).await["configuration"]["generation"].clone();
        let answer = reload(gateway).await;
        assert_eq!(answer, if self.is_good() { 200 } else { 422 }, "{self:?}");
        if self.is_good() {
            return;
        }
        let after = status(gateway).await;
        assert_eq!(after["configuration"]["generation"], before, "{self:?}");
        let last = &after["configuration"]["last_reload"];
        assert!(
            last["errors"].as_array().is_some_and(|errors| !errors.is_empty()),
            "{self:?}: {last}"
        );
        if matches!(self, Self::HalfWritten | Self::Deleted) {
            fs::write(config, &text).unwrap();
            assert_eq!(reload(gateway).await, 200, "{self:?}");
        }
    }

    fn is_good(self) -> bool {
        matches!(self, Self::Renamed | Self::WrittenOver | Self::Relinked)
    }
}

/// Has the file read now: 200, or 422 where it can't be used.
async fn reload(gateway: &Gateway) -> u16 {
    let request = format!(
        "POST /reload HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        gateway.admin
    );
    gateway.tells(request).await.status
}

/// Every backend is sent this header too.
fn with_header(text: &str, value: &str) -> String {
    text.replacen("headers = {", &format!("headers = {{ X-Secret = {value},"), 1)
}

/// The way Kubernetes mounts files: a link through another, which is exchanged alone.
fn relinked(config: &Path, text: &str) {
    let folder = config.parent().unwrap();
    let data = folder.join(format!("..{:08x}", fastrand::u32(..)));
    fs::create_dir(&data).unwrap();
    fs::write(data.join("koigate.toml"), text).unwrap();
    for (name, target) in [
        ("..data", data.as_path()),
        ("koigate.toml", Path::new("..data/koigate.toml")),
    ] {
        let beside = folder.join("..link");
        symlink(target, &beside).unwrap();
        fs::rename(beside, folder.join(name)).unwrap();
    }
}

/// Every hook has reached both backends on one plan.
fn assert_one_plan_each(backends: &[Backend], fired: usize) {
    let mut plans: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let requests: Vec<_> = backends.iter().flat_map(Backend::requests).collect();
    for request in &requests {
        let value = |name| request.head.value(name).unwrap().to_owned();
        let plan = plans.entry(value("x-request-id")).or_default();
        plan.insert(value("x-plan"));
    }
    assert_eq!((plans.len(), requests.len()), (fired, backends.len() * fired));
    let mixed: Vec<_> = plans.iter().filter(|(_, seen)| seen.len() > 1).collect();
    assert!(mixed.is_empty(), "{mixed:?}");
}
