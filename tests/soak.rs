//! A gateway under fire for as long as is wanted, `tests/soak [MINUTES]`: that every hook is answered by rule, and
//! that memory, descriptors and threads come back to where they were.
//!
//! Callers say in their document which fault each backend is to have, so that what must be answered is known
//! exactly although one call in twenty fails, and all of them for a few seconds a minute. Some callers are rude,
//! and the configuration is read anew every few seconds. All is drawn from a seed that is printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::backend::{Backend, Request, Told, backend};
use crate::support::control::Control;
use crate::support::faults::{self, Does, Fault, Seen};
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::koipy::Koipy;
use crate::support::python::{self, Value, json};
use crate::support::reply::{json_body, no_content, reject, status};
use crate::support::script::{Script, script};
use crate::support::wire::{Response, Wire};

/// Callers at once.
const CALLERS: u64 = 8;
/// The longest that a caller waits before its next hook, in milliseconds: about 100 hooks a second come of it.
const PAUSE: u64 = 150;
/// How long everything runs before it is measured what it needs.
const WARM_UP: Duration = Duration::from_secs(15);
/// How long it may take beyond that until everything has ended.
const ENDING: Duration = Duration::from_secs(120);
/// How often the configuration is written anew.
const RELOADS: Duration = Duration::from_secs(3);
/// So long a minute every backend fails at every call.
const STORM: Duration = Duration::from_secs(3);
/// What memory may have grown by in the end: pieces that the allocator keeps, and the traces of the last hooks.
const MEMORY: u64 = 32 << 20;
/// What may be open beyond what was after the warm-up: connections kept to backends.
const DESCRIPTORS: u64 = 32;

/// The backends that edit, each its own place under `addons`.
const EDITORS: [&str; 3] = ["a", "b", "c"];

// === what is drawn ===

/// What one hook asks of the gateway.
struct Plan {
    hook: &'static str,
    /// The fault of each backend, by its place in the table.
    faults: Vec<(&'static str, usize)>,
    refused: bool,
}

/// What a caller is like.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Polite,
    /// Goes within the head, the body, or before it has read the answer: so many bytes of a hundred are written.
    Leaves(usize),
    /// Writes a byte at a time.
    Slow,
    /// Speaks no HTTP.
    Garbled,
}

impl Manner {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(..100) {
            0..88 => Self::Polite,
            88..91 => Self::Leaves(rng.usize(1..30)),
            91..94 => Self::Leaves(rng.usize(80..99)),
            94..97 => Self::Leaves(100),
            97..99 => Self::Slow,
            _ => Self::Garbled,
        }
    }
}

impl Plan {
    fn draw(rng: &mut Rng, faults: usize, chance: f64) -> Self {
        let hook = ["onMessage", "onPreSend", "onResult"][rng.usize(..3)];
        let sick = ["a", "b", "c", "guard"].into_iter();
        let sick = sick.filter(|_| rng.f64() < chance).collect::<Vec<_>>();
        Self {
            hook,
            faults: sick.into_iter().map(|name| (name, rng.usize(..faults))).collect(),
            refused: rng.u8(..10) == 0,
        }
    }

    fn document(&self) -> Value {
        let faults: Vec<_> = self
            .faults
            .iter()
            .map(|(name, row)| format!("\"{name}\": {row}"))
            .collect();
        let refused = self.refused;
        json(format!(
            r#"{{"message": {{"text": "/test"}}, "faults": {{{}}}, "refused": {refused}, "addons": {{}}}}"#,
            faults.join(", ")
        ))
    }

    fn fails(&self, backend: &str) -> bool {
        self.faults.iter().any(|(name, _)| *name == backend)
    }

    /// Whether the answer is the one that the gateway's rules leave.
    fn is_answered_by(&self, response: &Response) -> bool {
        let text = response.text();
        let guarded = self.hook != "onResult";
        if guarded && self.fails("guard") {
            return (response.status, &*text) == (502, "sorry");
        }
        if guarded && self.refused {
            return (response.status, &*text) == (403, "refused");
        }
        let editors = self.editors();
        if editors.is_empty() {
            return response.status == 204;
        }
        // A sole reply passes as it is: here a part of the document.
        let mut expected = match editors.len() {
            1 => json(r#"{"addons": {}}"#),
            _ => self.document(),
        };
        for name in editors {
            expected.at_mut("/addons").set(&format!("/{name}"), 1_i64);
        }
        response.status == 200 && python::loads(&response.body).is_ok_and(|found| found == expected)
    }

    /// How a failed soak names the hook and what came of it.
    fn shown(&self, response: &Response, table: &[Fault]) -> String {
        let faults: Vec<_> = self
            .faults
            .iter()
            .map(|(name, row)| (name, table[*row].what))
            .collect();
        format!("{} refused={} {faults:?}: {response:?}", self.hook, self.refused)
    }

    /// Those of this hook's chain who are well, in configured order.
    fn editors(&self) -> Vec<&'static str> {
        let asked = if self.hook == "onPreSend" {
            &EDITORS[..1]
        } else {
            &EDITORS[..]
        };
        asked.iter().copied().filter(|name| !self.fails(name)).collect()
    }
}

// === what it is drawn for ===

/// Faults that are a reply, and fail whatever the connection.
fn table() -> Vec<Fault> {
    let rows = [
        faults::never_ends(),
        faults::ends_early(),
        faults::breaks_http(),
        faults::is_too_much(),
        faults::says_nothing_readable(),
    ];
    let mut rows: Vec<_> = rows.into_iter().flatten().collect();
    rows.retain(|row| matches!((&row.seen, &row.does), (Seen::Failure(_), Does::Replies(_))));
    rows
}

/// A backend that does what the document says that it does.
fn obeys(name: &'static str, table: &Arc<Vec<Fault>>, healthy: fn(&Value) -> Script) -> Told {
    let table = Arc::clone(table);
    let told = backend(name)
        .set("timeout = '1500ms'\nmax_reply = '64KiB'")
        .forgets();
    told.replies_with(move |request: &Request| {
        let document = request.document();
        let row = document.find(&format!("/faults/{name}")).map(Value::dumps);
        let row = row.and_then(|row| table.get(row.parse::<usize>().ok()?));
        match row {
            Some(Fault {
                does: Does::Replies(script),
                ..
            }) => script.clone(),
            _ => healthy(&document),
        }
    })
}

fn edits(name: &'static str) -> fn(&Value) -> Script {
    match name {
        "a" => |_| json_body(r#"{"addons": {"a": 1}}"#).into(),
        "b" => |_| json_body(r#"{"addons": {"b": 1}}"#).chunked(5),
        _ => |_| json_body(r#"{"addons": {"c": 1}}"#).after(5),
    }
}

fn guards(document: &Value) -> Script {
    if document.at("/refused").dumps() == "true" {
        reject(403, "refused").into()
    } else {
        no_content().into()
    }
}

/// Every backend; one that flaps, on which nothing depends but its breaker; a shadow, and an observer that is not well now
/// and then, on which nothing depends at all; and last one that is always well.
fn backends(table: &Arc<Vec<Fault>>) -> Vec<Backend> {
    let guard = obeys("guard", table, guards).set("on_failure = 'reject'\nfailure_message = 'sorry'");
    let steady = backend("steady").forgets().set("on_failure = 'reject'");
    let editors = EDITORS.map(|name| {
        obeys(name, table, edits(name))
            .set("on_failure = 'continue'")
            .starts()
    });
    let moment = Instant::now();
    let flaps = backend("flaps").forgets().set("timeout = '300ms'");
    let flaps = flaps.set("breaker = { failures = 3, cool_off = '500ms' }\nretries = 1");
    let flaps = flaps.replies_with(move |_| match moment.elapsed().as_secs() / 5 % 3 {
        0 => no_content().into(),
        1 => script().resets(),
        _ => script().stalls(),
    });
    let shadow = obeys("shadow", table, edits("a")).set("breaker = { failures = 3, cool_off = '500ms' }");
    let told = AtomicU64::new(0);
    let observer = backend("observer").forgets().set("hide = ['/faults']");
    // It waits for a second after each failure, and has to keep up with 100 hooks a second.
    let observer = observer.replies_with(move |_| match told.fetch_add(1, Ordering::Relaxed) % 400 {
        399 => status(503),
        _ => no_content(),
    });
    editors
        .into_iter()
        .chain([guard.starts(), flaps.starts(), shadow.starts()])
        .chain([observer.starts(), steady.starts()])
        .collect()
}

/// The configuration of this generation: one plan of two, which differ in what needs new connections.
fn setup(backends: &[Backend], generation: u64) -> Setup {
    let odd = generation % 2;
    let beside = |chain| format!("chain = {chain}\nshadow = ['shadow']\nobservers = ['observer']");
    gateway()
        .server(&format!("deadline = '{}s'", 8 + odd))
        .defaults(&format!(
            "max_in_flight = {}\nheaders = {{ X-Plan = '{odd}' }}",
            300 + odd
        ))
        .backends(backends)
        .hook("onMessage", &beside("['guard', ['a', 'b', 'flaps'], 'c']"))
        .hook("onPreSend", &beside("[['a', 'guard', 'flaps']]"))
        .hook("onResult", &beside("[['a', 'b'], 'c']"))
        .chain("onProbe", "['steady']")
}

// === callers ===

/// What all callers share.
struct Soak {
    table: Arc<Vec<Fault>>,
    begun: Instant,
    over: AtomicBool,
    hooks: AtomicU64,
    rude: AtomicU64,
    excused: AtomicU64,
    /// How long a backend takes to answer by itself: what is left of a busy machine.
    machine: Control,
    /// How long it takes with the gateway between.
    gateway: Control,
}

impl Soak {
    fn new(table: &Arc<Vec<Fault>>, gateway: &Gateway, steady: &Backend) -> Arc<Self> {
        Arc::new(Self {
            machine: Control::fires(Koipy::at(steady.address), "onProbe"),
            gateway: Control::fires(gateway.koipy(), "onProbe"),
            excused: AtomicU64::new(0),
            table: Arc::clone(table),
            begun: Instant::now(),
            over: AtomicBool::new(false),
            hooks: AtomicU64::new(0),
            rude: AtomicU64::new(0),
        })
    }

    /// How likely a call is to fail now.
    fn chance(&self) -> f64 {
        let second = Duration::from_secs(self.begun.elapsed().as_secs() % 60);
        let stormy = second >= Duration::from_secs(20) && second < Duration::from_secs(20) + STORM;
        if stormy { 1.0 } else { 0.05 }
    }

    /// One caller until it is over. A connection serves a few hooks, as long as nobody ends it.
    async fn calls(&self, bot: &Koipy, rng: &mut Rng) {
        while !self.over.load(Ordering::Relaxed) {
            let mut wire = bot.connects().await;
            for _ in 0..rng.u8(1..6) {
                sleep(Duration::from_millis(rng.u64(..PAUSE))).await;
                let manner = Manner::draw(rng);
                let plan = Plan::draw(rng, self.table.len(), self.chance());
                if !self.calls_once(bot, &mut wire, (manner, &plan)).await {
                    break;
                }
            }
        }
    }

    /// Whether the connection is good for another hook.
    async fn calls_once(&self, bot: &Koipy, wire: &mut Wire, (manner, plan): (Manner, &Plan)) -> bool {
        let begun = Instant::now();
        let request = bot.request(&format!("/{}", plan.hook), plan.document().dumps().as_bytes());
        let written = match manner {
            Manner::Polite => wire.write(&request).await,
            Manner::Slow => wire.drip(&request, Duration::ZERO).await,
            Manner::Leaves(part) => {
                self.rude.fetch_add(1, Ordering::Relaxed);
                // It is gone in any case.
                let _ = wire.write(&request[..request.len() * part / 100]).await;
                return false;
            }
            Manner::Garbled => {
                self.rude.fetch_add(1, Ordering::Relaxed);
                wire.write("garbage\r\n\r\n").await.expect("it reads");
                assert!(wire.closed().await.starts_with(b"HTTP/1.1 400 "));
                return false;
            }
        };
        written.expect("the gateway reads");
        let response = wire.answered().await;
        if !plan.is_answered_by(&response) {
            self.excuses(begun, &plan.shown(&response, &self.table)).await;
        }
        self.hooks.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// A wrong answer is the machine's doing where a backend took as long to answer a caller without a gateway
    /// between: then healthy calls may run into their timeout.
    async fn excuses(&self, begun: Instant, shown: &str) {
        let ended = Instant::now();
        // A stall is known once it is over.
        sleep(Duration::from_secs(2)).await;
        let (machine, gateway) = (self.machine.longest(), self.gateway.longest());
        assert!(
            self.machine.has_stalled(begun, ended),
            "{shown}\nafter {:?}; the longest answer of a backend itself {machine:?}, through the gateway {gateway:?}",
            ended - begun
        );
        self.excused.fetch_add(1, Ordering::Relaxed);
    }
}

// === what is measured ===

/// What the process needs.
#[derive(Clone, Copy, Debug)]
struct Needs {
    memory: u64,
    descriptors: u64,
    threads: u64,
}

impl Needs {
    fn of(gateway: &Gateway) -> Self {
        Self {
            memory: gateway.status_of("VmRSS:") * 1024,
            descriptors: gateway.descriptors() as u64,
            threads: gateway.status_of("Threads:"),
        }
    }

    /// What it needs when nobody asks for anything, and every thread has gone that was there for a heavy comparison.
    async fn at_rest(gateway: &Gateway) -> Self {
        gateway.counts("koigate_hooks_in_flight", 0.0).await;
        gateway.counts("koigate_observer_waiting", 0.0).await;
        gateway.counts("koigate_backend_in_flight", 0.0).await;
        sleep(Duration::from_secs(12)).await;
        Self::of(gateway)
    }
}

/// Runs every caller for so long, rewrites the configuration meanwhile, and prints a line a minute.
async fn runs(gateway: &Gateway, backends: &[Backend], soak: &Arc<Soak>, (seed, time): (u64, Duration)) {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (bot, soak) = (gateway.koipy(), Arc::clone(soak));
        let mut rng = Rng::with_seed(seed.wrapping_add(caller));
        callers.spawn(async move { soak.calls(&bot, &mut rng).await });
    }
    let (begun, mut generation, mut minute) = (Instant::now(), 0, 0);
    while begun.elapsed() < time {
        sleep(RELOADS.min(time)).await;
        generation += 1;
        rewrites(gateway, backends, generation);
        if begun.elapsed().as_secs() / 60 > minute {
            minute = begun.elapsed().as_secs() / 60;
            prints(gateway, soak, minute).await;
        }
        if let Some(ended) = callers.try_join_next() {
            ended.expect("every hook is answered by rule");
            panic!("a caller has ended before it was over");
        }
    }
    soak.over.store(true, Ordering::Relaxed);
    while let Some(ended) = callers.join_next().await {
        ended.expect("every hook is answered by rule");
    }
}

/// Every fifth file is broken, and changes nothing.
fn rewrites(gateway: &Gateway, backends: &[Backend], generation: u64) {
    let text = setup(backends, generation).text();
    let text = if generation.is_multiple_of(5) {
        text.replace("[hooks.", "[hooks")
    } else {
        text
    };
    gateway.rewrites(&text);
}

async fn prints(gateway: &Gateway, soak: &Soak, minute: u64) {
    let (needs, metrics) = (Needs::of(gateway), gateway.metrics().await);
    let sum = |series: &str| metrics.sum(series);
    eprintln!(
        "{minute:>6} {:>9} {:>6} {:>7} {:>9} {:>8} {:>9} {:>8.1} {:>5} {:>8} {:>9} {:>11}",
        soak.hooks.load(Ordering::Relaxed),
        soak.rude.load(Ordering::Relaxed),
        soak.excused.load(Ordering::Relaxed),
        sum("koigate_backend_failures_total"),
        sum("koigate_config_reloads_total"),
        sum("koigate_hooks_in_flight"),
        f64::from(u32::try_from(needs.memory >> 10).unwrap_or(u32::MAX)) / 1024.0,
        needs.descriptors,
        needs.threads,
        soak.machine.longest().as_millis(),
        soak.gateway.longest().as_millis(),
    );
}

/// A number from the environment, where `tests/soak` puts what it was told.
fn told(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value}: no number")),
    )
}

#[test]
#[ignore = "minutes long: tests/soak [MINUTES] runs it"]
fn soak() {
    let seed = told("KOIGATE_SOAK_SEED").unwrap_or_else(|| fastrand::u64(..));
    let time = Duration::from_secs(told("KOIGATE_SOAK_SECONDS").unwrap_or(600));
    eprintln!("KOIGATE_SOAK_SEED={seed}, {} s", time.as_secs());
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    let whole = WARM_UP + time + ENDING;
    runtime.block_on(async {
        let ended = timeout(whole, under_fire(seed, time)).await;
        ended.unwrap_or_else(|_| panic!("still not done after {whole:?}"));
    });
    // Nothing that a thread of it still waits for keeps a soak that has passed from ending.
    runtime.shutdown_timeout(Duration::from_secs(5));
}

async fn under_fire(seed: u64, time: Duration) {
    let table = Arc::new(table());
    let backends = backends(&table);
    let steady = backends.last().expect("the one that is always well");
    let gateway = setup(&backends, 0).starts().await;
    let begins = || Soak::new(&table, &gateway, steady);
    runs(&gateway, &backends, &begins(), (seed, WARM_UP)).await;
    let before = Needs::at_rest(&gateway).await;
    // The last two: the longest answer of a backend that is asked directly, and through the gateway, in milliseconds.
    eprintln!(
        "minute     hooks   rude excused  failures  reloads in flight      MiB   fds  threads direct ms  through ms"
    );
    let soak = begins();
    runs(&gateway, &backends, &soak, (!seed, time)).await;
    let (hooks, excused) = (
        soak.hooks.load(Ordering::Relaxed),
        soak.excused.load(Ordering::Relaxed),
    );
    drop(soak);
    assert!(hooks > time.as_secs(), "hardly a hook");
    assert!(
        excused * 100 <= hooks,
        "the machine is too busy: {excused} of {hooks}"
    );
    is_as_before(&gateway, before).await;
    gateway.stops().await;
}

/// Nothing is left over, and everything has happened.
async fn is_as_before(gateway: &Gateway, before: Needs) {
    let after = Needs::at_rest(gateway).await;
    eprintln!("after the warm-up {before:?}\nafter everything  {after:?}");
    assert!(after.memory < before.memory + MEMORY, "memory");
    assert!(
        after.descriptors < before.descriptors + DESCRIPTORS,
        "descriptors"
    );
    assert!(after.threads <= before.threads + 1, "threads");
    let metrics = gateway.metrics().await;
    for kind in ["timeout", "reset", "protocol", "too_large", "bad_json"] {
        let failures = format!("koigate_backend_failures_total kind={kind}");
        assert!(metrics.sum(&failures) > 0.0, "no {kind} has happened");
    }
    let notices = |result: &str| metrics.sum(&format!("koigate_observer_notices_total result={result}"));
    assert!(notices("delivered") > 0.0, "no observer was told anything");
    for lost in ["overflow", "refused", "gave_up", "untestable", "broken"] {
        assert!(notices(lost) < 1.0, "notices are lost: {lost}");
    }
    assert!(
        metrics.sum("koigate_shadow_total") > 0.0,
        "no shadow was compared"
    );
    assert!(metrics.sum("koigate_buffered_beside_bytes") < 1.0, "held beside");
    let panics = gateway.log().into_iter().filter(|line| line.contains("panic"));
    assert_eq!(panics.collect::<Vec<_>>(), [""; 0]);
}
