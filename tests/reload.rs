//! Another configuration while the program runs: how it is noticed, what goes on, what a bad one changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::sleep;

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::load::crew;
use crate::support::payload::payload;
use crate::support::reply::{no_content, reject};
use crate::support::wire::bounded;

const SUCCESS: &str = "koigate_config_reloads_total result=success";
const FAILURE: &str = "koigate_config_reloads_total result=failure";

/// A gateway that asks this backend alone.
fn asking(backend: &Backend) -> Setup {
    gateway().asks(backend)
}

/// Reads the configuration again because it is told to, and waits until that is done. The watch may have been faster
/// with the same file, or come after it, so a signal may be one reload of several.
async fn reload(gateway: &Gateway) {
    let answered = || {
        let lines = gateway.log();
        lines
            .iter()
            .filter(|line| line.contains("trigger=\"signal\""))
            .count()
    };
    let before = answered();
    gateway.signal(Signal::HUP);
    let answer = async {
        while answered() == before {
            sleep(Duration::from_millis(5)).await;
        }
    };
    bounded("an answer to the signal", answer).await;
}

/// Waits until a user is refused by this service.
async fn is_refused_by(gateway: &Gateway, expected: &str) {
    while refusal(gateway).await != expected {
        sleep(Duration::from_millis(25)).await;
    }
}

/// The refusal that a user reads now.
async fn refusal(gateway: &Gateway) -> String {
    let after = gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    after.refusal().to_owned()
}

// === how it is noticed ===

/// Two services that refuse in their own words, and a gateway that asks the first.
async fn first_of_two() -> (Gateway, Backend, Backend) {
    let first = backend("guard").rejects(403, "first").starts();
    let second = backend("guard").rejects(403, "second").starts();
    let gateway = asking(&first).starts().await;
    assert_eq!(refusal(&gateway).await, "first");
    (gateway, first, second)
}

async fn notices(gateway: &Gateway) {
    gateway.counts(SUCCESS, 1.0).await;
    assert_eq!(refusal(gateway).await, "second");
    gateway
        .logs(&["configuration reloaded", "backend guard: url", "watch"])
        .await;
}

#[tokio::test]
async fn a_file_that_was_renamed_into_its_place() {
    let (gateway, _first, second) = first_of_two().await;
    gateway.rewrites(&asking(&second).text());
    notices(&gateway).await;
}

#[tokio::test]
async fn a_file_that_was_written_over() {
    let (gateway, _first, second) = first_of_two().await;
    fs::write(gateway.config(), asking(&second).text()).unwrap();
    notices(&gateway).await;
}

/// Kubernetes mounts a folder whose files are links through `..data`, and swaps that link alone.
#[tokio::test]
async fn a_symlink_above_the_file_that_was_swapped() {
    let (gateway, first, second) = first_of_two().await;
    let folder = gateway.config().parent().unwrap();
    for (name, backend) in [("..1", &first), ("..2", &second)] {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("koigate.toml"), asking(backend).text()).unwrap();
    }
    symlink("..1", folder.join("..data")).unwrap();
    relink(folder, "koigate.toml", "..data/koigate.toml");
    reload(&gateway).await;
    relink(folder, "..data", "..2");
    bounded("the second", is_refused_by(&gateway, "second")).await;
}

fn relink(folder: &Path, name: &str, target: &str) {
    let beside = folder.join("..link");
    symlink(target, &beside).unwrap();
    fs::rename(beside, folder.join(name)).unwrap();
}

/// Nobody notifies of a file that is only linked to, as of a bind mount of a single file: it is looked at.
#[tokio::test]
async fn a_file_in_a_folder_that_nobody_watches() {
    let (gateway, first, second) = first_of_two().await;
    let folder = gateway.config().parent().unwrap();
    let elsewhere = folder.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("real.toml"), asking(&first).text()).unwrap();
    relink(folder, "koigate.toml", "elsewhere/real.toml");
    reload(&gateway).await;
    fs::write(elsewhere.join("real.toml"), asking(&second).text()).unwrap();
    bounded("the second", is_refused_by(&gateway, "second")).await;
}

#[tokio::test]
async fn a_secret_that_was_rotated() {
    let guard = backend("guard")
        .set("headers = { Authorization = { file = 'token' } }")
        .starts();
    let beside = backend("beside").starts();
    let setup = asking(&guard).backends([&beside]);
    // The secret has to be there at the start, and its folder is made by the start: begin without it.
    let gateway = asking(&beside).starts().await;
    let token = gateway.config().with_file_name("token");
    fs::write(&token, "old-token").unwrap();
    gateway.rewrites(&setup.text());
    gateway.counts(SUCCESS, 1.0).await;
    gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    fs::write(&token, "new-token").unwrap();
    gateway
        .logs(&["configuration reloaded", "backend guard: headers"])
        .await;
    gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    let sent: Vec<_> = guard
        .requests()
        .iter()
        .map(|request| request.head.value("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(sent, ["old-token", "new-token"]);
    let log = gateway.stops().await.log.join("\n");
    assert!(!log.contains("-token"), "{log}");
}

/// A writer that takes its time: neither the empty file, nor a half of it, nor a whole TOML that is not the end is
/// taken for a configuration.
#[tokio::test]
async fn a_file_that_is_half_written_is_not_read() {
    let (gateway, _first, second) = first_of_two().await;
    let text = asking(&second).text();
    let mut file = fs::File::create(gateway.config()).unwrap();
    for part in text.as_bytes().chunks(text.len() / 20) {
        std::io::Write::write_all(&mut file, part).unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    drop(file);
    notices(&gateway).await;
    assert_eq!(gateway.metrics().await.value(FAILURE), 0.0);
}

#[tokio::test]
async fn a_file_that_was_only_touched_is_not_read_again() {
    let (gateway, _first, _second) = first_of_two().await;
    gateway.rewrites(&fs::read_to_string(gateway.config()).unwrap());
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(gateway.metrics().await.value(SUCCESS), 0.0);
    reload(&gateway).await;
    gateway.logs(&["nothing has changed", "signal"]).await;
}

// === bad files ===

/// Puts `text` in the place of a good configuration: it changes nothing, and the log says each of `why`.
async fn check_bad(text: Option<&str>, why: &[&str]) {
    let guard = backend("guard").rejects(403, "first").starts();
    let good = asking(&guard).text();
    let gateway = asking(&guard).starts().await;
    match text {
        Some(text) => gateway.rewrites(&text.replace("GOOD", &good)),
        None => fs::remove_file(gateway.config()).unwrap(),
    }
    gateway.counts(FAILURE, 1.0).await;
    assert_eq!(refusal(&gateway).await, "first", "{text:?}");
    for part in why {
        gateway.logs(&["ERROR", "koigate.toml", part]).await;
    }
    gateway.logs(&["ERROR", "the running one stays"]).await;
    let last = "koigate_config_last_reload_successful";
    assert_eq!(gateway.metrics().await.value(last), 0.0);
    gateway.rewrites(&good);
    gateway.counts(SUCCESS, 1.0).await;
    assert_eq!(gateway.metrics().await.value(last), 1.0);
    gateway.logs(&["nothing has changed", "watch"]).await;
    assert_eq!(
        gateway.metrics().await.value(FAILURE),
        1.0,
        "a bad file is tried once"
    );
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_why() {
    check_bad(Some("[server\n"), &["KG004"]).await;
    check_bad(
        Some("GOOD\n[servr]\n[hooks.onX]\nchain = ['nobody']"),
        &["servr", "nobody"],
    )
    .await;
    check_bad(None, &["KG0"]).await;
}

#[tokio::test]
async fn an_unset_variable_and_a_missing_secret_change_nothing() {
    let table = "GOOD\n[backends.more]\nurl = 'http://127.0.0.1:9/'\nheaders = ";
    let unset = format!("{table}{{ A = {{ env = 'KOIGATE_TEST_UNSET' }} }}");
    check_bad(Some(&unset), &["KOIGATE_TEST_UNSET"]).await;
    let missing = format!("{table}{{ A = {{ file = 'nowhere' }} }}");
    check_bad(Some(&missing), &["nowhere"]).await;
}

/// A secret that comes later makes a bad configuration good, without another touch of the file.
#[tokio::test]
async fn a_secret_that_was_missing_comes() {
    let guard = backend("guard")
        .set("headers = { A = { file = 'late' } }")
        .starts();
    let other = backend("other").starts();
    let gateway = asking(&other).starts().await;
    gateway.rewrites(&asking(&guard).text());
    gateway.counts(FAILURE, 1.0).await;
    fs::write(gateway.config().with_file_name("late"), "now").unwrap();
    gateway.counts(SUCCESS, 1.0).await;
    gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    assert_eq!(guard.request().head.value("a"), Some("now"));
}

// === what goes on ===

#[tokio::test]
async fn connections_of_an_unchanged_way_are_kept() {
    let kept = backend("kept").starts();
    let moved = backend("moved").starts();
    let again = backend("moved").starts();
    let setup = |moved: &Backend| gateway().asks_at_once(&[&kept, moved]);
    let gateway = setup(&moved).starts().await;
    for round in 1..=5 {
        gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
        // Another timeout is no other way.
        let change = format!("[defaults]\ntimeout = '{round}s'");
        gateway.rewrites(&setup(&moved).text().replace("[defaults]", &change));
        gateway.counts(SUCCESS, f64::from(round)).await;
    }
    assert_eq!((kept.opened(), moved.opened()), (1, 1));
    gateway.rewrites(&setup(&again).text());
    gateway.counts(SUCCESS, 6.0).await;
    gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    assert_eq!((kept.opened(), moved.opened(), again.opened()), (1, 1, 1));
    assert_eq!((kept.asked(), moved.asked(), again.asked()), (6, 5, 1));
    moved.has_open(0).await;
}

/// The call in flight was asked on the old plan, so it decides on it; the new plan never asks that service.
#[tokio::test]
async fn a_hook_in_flight_finishes_on_its_plan() {
    let slow = backend("slow")
        .replies(reject(403, "from the old plan").after(1_500))
        .starts();
    let after_it = backend("next").starts();
    let setup = gateway()
        .backends([&slow, &after_it])
        .chain("onMessage", "['slow']");
    let without = gateway().backends([&after_it]).chain("onMessage", "['next']");
    let gateway = setup.starts().await;
    let koipy = gateway.koipy();
    let first = tokio::spawn(async move { koipy.fires("onMessage", &payload("onMessage", 0)).await });
    slow.was_asked(1).await;
    gateway.rewrites(&without.text());
    gateway.counts(SUCCESS, 1.0).await;
    let second = gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    assert_eq!((second.response.status, after_it.asked()), (204, 1));
    assert_eq!(first.await.unwrap().refusal(), "from the old plan");
    assert_eq!(slow.asked(), 1);
    let metrics = gateway.metrics().await;
    assert!(
        !metrics.text.contains("backend=\"slow\""),
        "{}",
        metrics.text_about("slow")
    );
    assert_eq!(
        metrics.value("koigate_hooks_total hook=onMessage verdict=reject"),
        1.0
    );
    let log = gateway.stops().await.log.join("\n");
    assert!(
        log.contains("backend slow: removed; hook onMessage: chain"),
        "{log}"
    );
}

#[tokio::test]
async fn series_of_what_has_gone_go() {
    let (a, b) = (backend("a").starts(), backend("b").starts());
    let known = || gateway().backends([&a, &b]);
    let both = known().chain("onMessage", "['a', 'b']").chain("rank", "['b']");
    let gateway = both.starts().await;
    gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    gateway
        .counts(
            "koigate_backend_calls_total hook=onMessage backend=b verdict=continue",
            1.0,
        )
        .await;
    // No longer in the chain, but still a backend.
    gateway.rewrites(&known().chain("onMessage", "['a']").chain("rank", "['b']").text());
    gateway.counts(SUCCESS, 1.0).await;
    let metrics = gateway.metrics().await;
    assert!(
        !metrics.text.contains("backend=\"b\",hook=\"onMessage\""),
        "{}",
        metrics.text
    );
    assert_eq!(metrics.value("koigate_backend_in_flight backend=b"), 0.0);
    gateway.rewrites(&known().chain("onMessage", "['a']").text());
    gateway.counts(SUCCESS, 2.0).await;
    let metrics = gateway.metrics().await;
    assert!(!metrics.text.contains("rank"), "{}", metrics.text);
    // What stays has not been begun again.
    assert_eq!(
        metrics.value("koigate_backend_calls_total hook=onMessage backend=a verdict=continue"),
        1.0
    );
    assert_eq!(
        metrics.value("koigate_hooks_total hook=onResult verdict=continue"),
        0.0
    );
}

/// A limit counts the calls of the plan before too, or each reload would allow as many again.
#[tokio::test]
async fn permits_outlive_a_reload() {
    let slow = backend("slow").replies(no_content().after(3_000)).starts();
    let setup = |most| {
        gateway().asks(&slow).text().replace(
            "[backends.slow]",
            &format!("[backends.slow]\nmax_in_flight = {most}"),
        )
    };
    let gateway = gateway().asks(&slow).starts().await;
    gateway.rewrites(&setup(1));
    gateway.counts(SUCCESS, 1.0).await;
    let koipy = gateway.koipy();
    let first = tokio::spawn(async move { koipy.fires("onMessage", &payload("onMessage", 0)).await });
    slow.was_asked(1).await;
    gateway.rewrites(&setup(1).replace("[defaults]", "[defaults]\nfailure_statuses = ['5xx']"));
    gateway.counts(SUCCESS, 2.0).await;
    gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    gateway
        .counts(
            "koigate_backend_failures_total hook=onMessage backend=slow kind=overloaded",
            1.0,
        )
        .await;
    first.await.unwrap();
    gateway
        .counts("koigate_backend_in_flight backend=slow", 0.0)
        .await;
}

// === what the process can and can't change ===

#[tokio::test]
async fn the_log_follows_and_addresses_wait_for_a_restart() {
    let guard = backend("guard").starts();
    let gateway = asking(&guard).starts().await;
    let change = "[log]\nlevel = 'warn'\n";
    let text = asking(&guard).text().replace("[log]\n", change);
    let text = text.replace(
        "listen = \"127.0.0.1:0\"\n[admin]",
        "listen = \"127.0.0.1:1\"\nthreads = 3\n[admin]",
    );
    assert!(text.contains("threads"), "{text}");
    gateway.rewrites(&text);
    gateway.counts(SUCCESS, 1.0).await;
    gateway
        .logs(&["WARN", "restart", "server.listen, server.threads"])
        .await;
    let after = gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    assert_eq!(after.response.status, 204, "the old address goes on");
    let id = after.response.header("x-request-id").unwrap().to_owned();
    let log = gateway.stops().await.log;
    assert!(!log.iter().any(|line| line.contains(&id)), "{log:#?}");
}

/// A hangup while nothing has changed ends no process, however many come.
#[tokio::test]
async fn many_hangups() {
    let guard = backend("guard").starts();
    let gateway = asking(&guard).starts().await;
    for _ in 0..50 {
        gateway.signal(Signal::HUP);
    }
    gateway.logs(&["nothing has changed"]).await;
    let after = gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    assert_eq!(after.response.status, 204);
}

// === under load ===

/// 200 reloads, every fifth of a bad file, while bots fire: no hook fails, and none sees two plans.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_reloads_under_load() {
    const RELOADS: u32 = 200;
    let backends = ["router", "columns", "poster"].map(|name| backend(name).starts());
    let setup = |plan: u32| {
        gateway()
            .defaults(&format!(
                "headers = {{ X-Plan = '{plan}' }}\nmax_in_flight = {}",
                100 + plan % 2
            ))
            .backends(&backends)
            .chain("onMessage", "['router', ['columns', 'poster']]")
    };
    let gateway = setup(0).starts().await;
    let bots = crew(&gateway, 4);
    for plan in 1..=RELOADS {
        let text = setup(plan).text();
        gateway.rewrites(if plan % 5 == 0 {
            text.trim_end_matches("]\n")
        } else {
            &text
        });
        reload(&gateway).await;
    }
    assert_one_plan_each(&backends, bots.ends().await);
    let metrics = gateway.metrics().await;
    assert!(
        metrics.value(SUCCESS) >= 160.0 && metrics.value(FAILURE) >= 40.0,
        "{}",
        metrics.text
    );
    assert_eq!(metrics.value("koigate_hooks_in_flight"), 0.0);
}

/// Every hook has reached all backends, all on one plan, and there were many plans, none of them a bad one.
fn assert_one_plan_each(backends: &[Backend], fired: usize) {
    let mut plans: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut asked = 0;
    for request in backends.iter().flat_map(Backend::requests) {
        let value = |name| request.head.value(name).unwrap().to_owned();
        plans
            .entry(value("x-request-id"))
            .or_default()
            .insert(value("x-plan"));
        asked += 1;
    }
    assert_eq!((plans.len(), asked), (fired, backends.len() * fired));
    let mixed: Vec<_> = plans.iter().filter(|(_, seen)| seen.len() > 1).collect();
    assert!(mixed.is_empty(), "{mixed:?}");
    let seen: BTreeSet<u32> = plans
        .into_values()
        .flatten()
        .map(|plan| plan.parse().unwrap())
        .collect();
    assert!(seen.len() > 50, "the bots have hardly met a reload: {seen:?}");
    assert!(seen.iter().all(|plan| plan % 5 != 0 || *plan == 0), "{seen:?}");
}
