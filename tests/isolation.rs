//! Nobody notices who is called beside a hook, whatever is wrong with them: every hook is answered alike and as soon,
//! memory stays in its bounds, and the calls end.
//!
//! `tests/isolation` measures how soon, with a release build; `cargo test` looks at all else.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use std::{fs, io};

use bytes::Bytes;
use futures_util::future::join_all;
use rustix::process::setpriority_process;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep_until, timeout};

use crate::support::backend::{Backend, Told, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::koipy::Koipy;
use crate::support::payload::payload;
use crate::support::reply::{json_body, no_content, reject, text};
use crate::support::script::script;
use crate::support::wire::{PATIENCE, Response, Wire};

const MIB: u64 = 1 << 20;

/// As what somebody is called beside a hook.
#[derive(Clone, Copy)]
struct Role {
    word: &'static str,
    /// The hook's key that names them.
    key: &'static str,
    /// What counts the hooks with which `beside` is done.
    done: &'static str,
    /// What counts the others, and what became of those.
    others: (&'static str, &'static str),
}

const SHADOW: Role = Role {
    word: "shadow",
    key: "shadow = ['beside']",
    done: "koigate_shadow_total backend=beside",
    others: ("koigate_shadow_dropped_total backend=beside", "left out"),
};

/// One notice after the other, and again until it is taken: what waits is bounded.
const OBSERVER: Role = Role {
    word: "observer",
    key: "observers = ['beside']",
    done: "koigate_observer_notices_total backend=beside",
    others: ("koigate_observer_waiting backend=beside", "waiting"),
};

/// What somebody may be like.
struct Manner {
    word: &'static str,
    starts: fn(Told) -> Backend,
    /// Whether one that is read takes all that there is of a processor.
    floods: bool,
}

const MANNERS: [Manner; 6] = [
    Manner {
        word: "is well",
        starts: Told::starts,
        floods: false,
    },
    Manner {
        word: "hangs",
        starts: |told| told.replies(script().stalls()).starts(),
        floods: false,
    },
    Manner {
        word: "floods",
        starts: |told| told.replies(text("").with(vec![b'x'; 32 << 20])).starts(),
        floods: true,
    },
    Manner {
        word: "never ends",
        starts: |told| {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
            told.replies(script().sends(head).floods(vec![b' '; 4 << 20], 0))
                .starts()
        },
        floods: true,
    },
    Manner {
        word: "resets",
        starts: |told| told.replies(script().resets()).starts(),
        floods: false,
    },
    Manner {
        word: "is down",
        starts: Told::never_listens,
        floods: false,
    },
];

/// Who is called beside, on a thread of its own that gives way to all others: it stands for another machine, and takes
/// none of the time of those who are measured.
struct Elsewhere {
    backend: Backend,
    runtime: Option<Runtime>,
    /// Where it floods: somebody else on this machine who asks it, on a thread of theirs.
    another: Option<Runtime>,
}

impl Elsewhere {
    fn starts(manner: &Manner, timeout: &str) -> Self {
        let runtime = giving_way();
        let within = runtime.enter();
        let told = backend("beside").set(&format!("timeout = '{timeout}'")).forgets();
        let backend = (manner.starts)(told);
        drop(within);
        Self {
            backend,
            runtime: Some(runtime),
            another: manner.floods.then(giving_way),
        }
    }

    /// Somebody else asks it as often as the gateway would, for one round, and reads as much of it: where nobody is
    /// called beside the hooks, the machine is as busy all the same.
    fn is_asked_by_another(&self) {
        let Some(another) = &self.another else { return };
        let address = self.backend.address;
        let first = tokio::time::Instant::now();
        let between = EVERY / (2 * BOTS);
        for at in 0..(ROUND.as_millis() / between.as_millis()) as u32 {
            let when = first + between * at;
            another.spawn(async move {
                sleep_until(when).await;
                timeout(Duration::from_secs(1), reads(address)).await
            });
        }
    }
}

/// A thread that has the processor where nobody else wants it.
fn giving_way() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let builder = builder
        .worker_threads(1)
        .on_thread_start(|| setpriority_process(None, 19).unwrap());
    builder.enable_all().build().unwrap()
}

/// Asks for something and reads up to 32 MiB of it.
async fn reads(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: beside\r\nContent-Length: 0\r\n\r\n")
        .await?;
    let mut body = Vec::with_capacity(32 << 20);
    while body.len() < body.capacity() && (&mut stream).take(256 << 10).read_buf(&mut body).await? > 0 {}
    Ok(())
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // Who floods does not wait to be asked.
        for runtime in [self.runtime.take(), self.another.take()].into_iter().flatten() {
            runtime.shutdown_background();
        }
    }
}

/// Those who have a vote.
struct Chain {
    backends: Vec<Backend>,
}

impl Chain {
    /// One that edits results; and for messages one that refuses at once, beside one that takes its time.
    fn starts() -> Self {
        let edits = json_body(r#"{"result": {"倍率": [1]}, "addons": {"columns": 1}}"#);
        Self {
            backends: vec![
                backend("edits").replies(edits).forgets().starts(),
                backend("passes").forgets().starts(),
                backend("refuses").replies(reject(403, "no")).forgets().starts(),
                backend("slow")
                    .replies(no_content().after(100))
                    .forgets()
                    .starts(),
            ],
        }
    }

    /// A gateway before them, with these keys of its own, and with somebody beside or nobody.
    async fn behind(&self, server: &str, beside: Option<(Role, &Elsewhere)>) -> Gateway {
        let key = beside.map_or("", |(role, _)| role.key);
        gateway()
            .server(server)
            .backends(&self.backends)
            .backends(beside.map(|(_, elsewhere)| &elsewhere.backend))
            .hook("onResult", &format!("chain = [['edits', 'passes']]\n{key}"))
            .hook("onMessage", &format!("chain = [['slow', 'refuses']]\n{key}"))
            .starts()
            .await
    }
}

/// What the bot gets, but for what is never twice the same.
fn told(response: &Response) -> (u16, Option<String>, Bytes) {
    let content_type = response.header("content-type").map(str::to_owned);
    (response.status, content_type, response.body.clone())
}

const HOOKS: [&str; 2] = ["onResult", "onMessage"];

// === the answers ===

#[tokio::test]
async fn answers_and_memory_are_as_if_there_were_no_shadow() {
    for manner in &MANNERS {
        let (what, gateway, _elsewhere) = is_unnoticed(SHADOW, manner).await;
        ends(&what, &gateway).await;
        gateway.stops().await;
    }
}

#[tokio::test]
async fn answers_and_memory_are_as_if_there_were_no_observer() {
    for manner in &MANNERS {
        is_unnoticed(OBSERVER, manner).await;
    }
}

async fn is_unnoticed(role: Role, manner: &Manner) -> (String, Gateway, Elsewhere) {
    let what = format!("{} {}", role.word, manner.word);
    let (chain, elsewhere) = (Chain::starts(), Elsewhere::starts(manner, "700ms"));
    let server = "max_body = '4MiB'\nmax_buffered = '32MiB'";
    let alone = chain.behind(server, None).await;
    let gateway = chain.behind(server, Some((role, &elsewhere))).await;
    is_answered_alike(&what, &alone, &gateway).await;
    let peak = gateway.status_of("VmHWM:") / 1024;
    assert!(peak < 3 * 32 + 96, "{what}: {peak} MiB");
    (what, gateway, elsewhere)
}

/// Hooks at once, small and large, that go on and that are refused.
const AT_ONCE: usize = 12;

async fn is_answered_alike(what: &str, alone: &Gateway, gateway: &Gateway) {
    for hook in HOOKS {
        for nodes in [3, 1_000] {
            let document = payload(hook, nodes).dumps();
            let expected = alone.koipy().posts(&format!("/{hook}"), &document).await;
            let (bot, path) = (gateway.koipy(), format!("/{hook}"));
            let answers = (0..AT_ONCE).map(|_| bot.posts(&path, &document));
            for answer in join_all(answers).await {
                assert_eq!(told(&answer), told(&expected), "{what}: {hook} of {nodes} nodes");
            }
            let held = gateway.metrics().await.sum("koigate_buffered_bytes");
            assert!(held <= (32 * MIB) as f64, "{what}: {held} bytes");
        }
    }
}

/// Every call to a shadow ends, and lets go of what it held.
async fn ends(what: &str, gateway: &Gateway) {
    let hooks = (2 * HOOKS.len() * AT_ONCE) as f64;
    let begun = Instant::now();
    loop {
        let metrics = gateway.metrics().await;
        let ended = metrics.sum(SHADOW.done) + metrics.sum(SHADOW.others.0);
        let held = metrics.sum("koigate_buffered_bytes") + metrics.sum("koigate_buffered_beside_bytes");
        let in_flight = metrics.sum("koigate_backend_in_flight");
        if (ended, held, in_flight) == (hooks, 0.0, 0.0) {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{what}: {ended} of {hooks} ended, {held} bytes held, {in_flight} in flight"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

// === the measurement ===

/// How long one arm is under load in a round.
const ROUND: Duration = Duration::from_secs(2);
/// So many bots fire each kind of hook, each this often.
const BOTS: u32 = 2;
const EVERY: Duration = Duration::from_millis(20);

/// What one gateway did in all rounds.
#[derive(Default)]
struct Seen {
    /// By kind of hook, and for each round: the median and the 99th percentile, in milliseconds.
    latencies: [Vec<(f64, f64)>; 2],
    hooks: usize,
    /// Of the processor, in seconds.
    worked: f64,
}

/// What the processor has done for a process so far, in seconds.
fn worked(gateway: &Gateway) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", gateway.id())).unwrap();
    // The name may hold spaces; what follows begins with the third field.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// One bot that fires on time whatever the answers take, and the milliseconds of each.
async fn fires(gateway: &Gateway, request: &[u8], (status, first): (u16, Instant)) -> Vec<f64> {
    let mut wire = Wire::connect(gateway.hooks).await;
    let (mut next, mut took) = (tokio::time::Instant::from_std(first), Vec::new());
    let until = next + ROUND;
    while next < until {
        sleep_until(next).await;
        wire.write(request).await.unwrap();
        let answer = wire.answered().await;
        assert_eq!(answer.status, status);
        took.push((tokio::time::Instant::now() - next).as_secs_f64() * 1e3);
        next += EVERY;
    }
    took
}

impl Seen {
    /// A round of load on one gateway.
    async fn round(&mut self, gateway: &Gateway, requests: &[(Vec<u8>, u16); 2]) {
        let before = worked(gateway);
        let now = Instant::now();
        let kinds = requests.iter().enumerate().map(|(kind, (request, status))| {
            let bots = (0..BOTS).map(move |bot| {
                // One after the other, so that no two hooks come at once.
                let place = bot * 2 + kind as u32;
                fires(gateway, request, (*status, now + EVERY / (2 * BOTS) * place))
            });
            join_all(bots)
        });
        for (kind, took) in join_all(kinds).await.into_iter().enumerate() {
            let took: Vec<f64> = took.into_iter().flatten().collect();
            self.hooks += took.len();
            self.latencies[kind].push((percentile(&took, 0.5), percentile(&took, 0.99)));
        }
        self.worked += worked(gateway) - before;
    }

    /// Over all rounds the median of the medians, and that of the 99th percentiles.
    fn of(&self, kind: usize) -> (f64, f64) {
        let rounds = &self.latencies[kind];
        let (medians, tails): (Vec<f64>, Vec<f64>) = rounds.iter().copied().unzip();
        (percentile(&medians, 0.5), percentile(&tails, 0.5))
    }
}

fn percentile(numbers: &[f64], part: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted
        .get((last as f64 * part).round() as usize)
        .copied()
        .unwrap_or_default()
}

/// The two kinds of hooks as a bot sends them, and how they are answered.
fn requests() -> [(Vec<u8>, u16); 2] {
    HOOKS.map(|hook| {
        let bot = Koipy::at(([127, 0, 0, 1], 0).into());
        let document = payload(hook, 60).dumps();
        let status = if hook == "onMessage" { 403 } else { 200 };
        (bot.request(&format!("/{hook}"), document.as_bytes()), status)
    })
}

#[tokio::test]
#[ignore = "tests/isolation measures with a release build"]
async fn measured() {
    let rounds = std::env::var("KOIGATE_ISOLATION_ROUNDS");
    let rounds: usize = rounds.map_or(3, |rounds| rounds.parse().unwrap());
    let (chain, requests) = (Chain::starts(), requests());
    eprintln!("Milliseconds without and with; medians over {rounds} rounds of {ROUND:?} each.");
    eprintln!(
        "Where somebody floods, another program reads as much while nobody is called beside the hooks."
    );
    eprintln!(
        "{:<20} {:^17} {:^17} {:^17} {:^17} {:^15} {:^11}  calls",
        "beside", "result p50", "result p99", "refusal p50", "refusal p99", "CPU ms a hook", "peak MiB"
    );
    for role in [SHADOW, OBSERVER] {
        for manner in &MANNERS {
            let elsewhere = Elsewhere::starts(manner, "1s");
            let gateways = [
                chain.behind("", None).await,
                chain.behind("", Some((role, &elsewhere))).await,
            ];
            let mut seen = [Seen::default(), Seen::default()];
            for round in 0..rounds {
                for turn in 0..2 {
                    let arm = (round + turn) % 2;
                    if arm == 0 {
                        elsewhere.is_asked_by_another();
                    }
                    seen[arm].round(&gateways[arm], &requests).await;
                    // What a shadow has begun ends, and is nobody else's load. What an observer was not told yet waits
                    // for its next try, and goes on.
                    if role.word == "shadow" {
                        let with = &gateways[1];
                        with.counts("koigate_backend_in_flight backend=beside", 0.0).await;
                    }
                }
            }
            shows(
                &format!("{} {}", role.word, manner.word),
                role,
                (&gateways, &seen),
            )
            .await;
        }
    }
}

async fn shows(what: &str, role: Role, (gateways, seen): (&[Gateway; 2], &[Seen; 2])) {
    let [without, with] = seen;
    let pair = |(one, other): (f64, f64)| format!("{one:>8.2}{other:>8.2}");
    let (result, refusal) = ((without.of(0), with.of(0)), (without.of(1), with.of(1)));
    let cost = |seen: &Seen| seen.worked * 1e3 / seen.hooks as f64;
    let peaks = [0, 1].map(|arm: usize| gateways[arm].status_of("VmHWM:") / 1024);
    let metrics = gateways[1].metrics().await;
    let (others, became) = role.others;
    let (done, others) = (metrics.sum(role.done), metrics.sum(others));
    eprintln!(
        "{what:<20} {:<17} {:<17} {:<17} {:<17} {:<15} {:>5}{:>6}  {done} done, {others} {became}",
        pair((result.0.0, result.1.0)),
        pair((result.0.1, result.1.1)),
        pair((refusal.0.0, refusal.1.0)),
        pair((refusal.0.1, refusal.1.1)),
        format!("{:>7.2}{:>7.2}", cost(without), cost(with)),
        peaks[0],
        peaks[1],
    );
}
