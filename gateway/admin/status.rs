//! What `/status` shows: one JSON object. The field names are a contract; who reads it passes over what is new.
//!
//! `koigate status` reads it back with these same types.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use koigate_config::{Finding, Report};
use koigate_core::plan::{BackendId, Chain, Listen, Plan};
use serde::{Deserialize, Serialize};

use crate::live::{LastReload, LiveBackend, Running, Standing};
use crate::metrics::{NoticeCounts, ShadowCounts};

/// A running gateway, as it is now. No secret is in it, and of a URL's query only the names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The release that runs: `0.1.0`.
    pub version: String,
    /// The revision it was built from, where the build was told.
    pub revision: Option<String>,
    /// `starting`, `ready`, or `draining` once it was told to stop.
    pub phase: String,
    /// When it started. All times are in UTC, as RFC 3339 has them.
    pub started_at: Timestamp,
    /// How long it has been running, in whole seconds. Setting the clock doesn't change it.
    pub uptime_seconds: u64,
    /// The configuration it runs on.
    pub configuration: Configuration,
    /// Hooks being answered now.
    pub hooks_in_flight: i64,
    /// Where it listens.
    pub listening: Listening,
    /// What each configured kind of hook runs: stages, and in each the names of its backends, in configured order.
    pub hooks: BTreeMap<String, Vec<Vec<String>>>,
    /// The names of those that are tried out beside each of them, in configured order; only hooks that have some.
    #[serde(default)]
    pub shadows: BTreeMap<String, Vec<String>>,
    /// The observers of those hooks that have some, in configured order.
    #[serde(default)]
    pub observers: BTreeMap<String, Vec<String>>,
    /// Every backend, in configured order.
    pub backends: Vec<Backend>,
}

/// The configuration that runs, and how the last try to read another went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Configuration {
    /// The file, from the root: who asks may be in another folder.
    pub path: String,
    /// 1 at the start, and one more with each reload that changed something.
    pub generation: u64,
    /// How many plans still live: the running one, and those that hooks in flight began with.
    #[serde(default)]
    pub plans: usize,
    /// The SHA-256 of the file as it was read, in hex, as `sha256sum` prints it.
    pub hash: String,
    /// When it was read.
    pub loaded_at: Timestamp,
    /// Keys whose configured values wait for a restart: `server.listen`.
    pub needs_restart: Vec<String>,
    /// The last try to read another; null where there was none.
    pub last_reload: Option<Reload>,
}

/// One try to read another configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reload {
    /// When it ended.
    pub at: Timestamp,
    /// What asked for it: `watch` (a file has changed), `signal` (SIGHUP) or `request` (`POST /reload`).
    pub trigger: String,
    /// Whether it could be used. If not, the one before it still runs.
    pub ok: bool,
    /// What it changed, in words; empty where nothing has changed.
    pub changes: Vec<String>,
    /// Everything that was wrong with it.
    pub errors: Vec<Problem>,
}

/// Something that was found in a configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problem {
    /// Its code: `KG010`.
    pub code: String,
    /// Where: `koigate.toml:14:1` (line and column, from 1), or the file alone.
    pub place: String,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it, in one line.
    pub remedy: String,
}

/// Addresses, with the ports that 0 became, and `unix:` with the path of a socket.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Listening {
    /// Where hooks are accepted.
    pub hooks: Vec<String>,
    /// Whether callers at those addresses speak TLS; a reload may change it.
    #[serde(default)]
    pub tls: bool,
    /// Where this is asked for.
    pub admin: Vec<String>,
}

/// One backend of the running configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Backend {
    /// Its name.
    pub name: String,
    /// Its URLs, with a comma between; each value of a query is masked.
    pub url: String,
    /// Calls that are running now, those of an earlier configuration too.
    pub in_flight: usize,
    /// The most calls at once.
    pub max_in_flight: usize,
    /// Connections that are kept for the next calls.
    pub idle_connections: usize,
    /// Whether the active checks of at least one replica pass; true where nothing checks.
    pub up: bool,
    /// `closed`, `open`, or `trial` while one call tries; null where none is configured.
    pub breaker: Option<String>,
    /// What it would have done so far, where it is a shadow; null where it is none.
    #[serde(default)]
    pub shadow: Option<ShadowCounts>,
    /// What it was told and is still to be told, where it is an observer; null where it is none.
    #[serde(default)]
    pub observer: Option<Observer>,
    /// Its replicas, in configured order; at least one.
    pub replicas: Vec<Replica>,
}

/// What one observer was told, and is still to be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observer {
    /// Notices that wait, those that are under way included.
    pub waiting: usize,
    /// The bytes that they hold, about.
    pub waiting_bytes: usize,
    /// How the others have ended.
    #[serde(flatten)]
    pub ended: NoticeCounts,
}

/// One replica of a backend.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replica {
    /// Its URL; each value of the query is masked.
    pub url: String,
    /// Tries of calls that are running on it now. Where another configuration has other replicas, those of the earlier
    /// one are not among them.
    pub in_flight: usize,
    /// Connections that are kept for the next calls.
    pub idle_connections: usize,
    /// Whether its active checks pass; true where nothing checks.
    pub up: bool,
    /// Whether it is left out for a while because its calls failed.
    pub ejected: bool,
}

// === impl Configuration ===

impl From<Standing> for Configuration {
    fn from(standing: Standing) -> Self {
        Self {
            path: absolute(standing.path).display().to_string(),
            generation: standing.generation,
            plans: standing.plans,
            hash: standing.hash,
            loaded_at: time(standing.loaded_at),
            needs_restart: standing.needs_restart.iter().map(ToString::to_string).collect(),
            last_reload: standing.last_reload.map(Reload::from),
        }
    }
}

// === impl Reload ===

impl From<LastReload> for Reload {
    fn from(last: LastReload) -> Self {
        let ok = last.result.is_ok();
        let (changes, errors) = match last.result {
            Ok(changes) => (changes, Vec::new()),
            Err(report) => (Vec::new(), problems(&report)),
        };
        Self {
            at: time(last.at),
            trigger: last.trigger.as_str().to_owned(),
            ok,
            changes,
            errors,
        }
    }
}

// === impl Listening ===

impl Listening {
    /// At these addresses, in the clear.
    pub fn at(hooks: &[Listen], admin: &[SocketAddr]) -> Self {
        Self {
            hooks: hooks.iter().map(Listen::to_string).collect(),
            tls: false,
            admin: admin.iter().map(SocketAddr::to_string).collect(),
        }
    }
}

// === impl Backend ===

impl Backend {
    fn of(live: &LiveBackend, shadow: Option<ShadowCounts>, ended: Option<NoticeCounts>) -> Self {
        let backend = &live.backend;
        let replicas = replicas(live);
        let urls: Vec<&str> = replicas.iter().map(|replica| &*replica.url).collect();
        Self {
            name: backend.name.to_string(),
            url: urls.join(", "),
            in_flight: live.in_flight(),
            max_in_flight: backend.max_in_flight,
            idle_connections: replicas.iter().map(|replica| replica.idle_connections).sum(),
            up: replicas.iter().any(|replica| replica.up),
            breaker: live.breaker().map(|phase| phase.as_str().to_owned()),
            shadow,
            observer: ended.map(|ended| Observer::of(live, ended)),
            replicas,
        }
    }
}

// === impl Observer ===

impl Observer {
    fn of(live: &LiveBackend, ended: NoticeCounts) -> Self {
        let waiting = live.lane().map(|lane| lane.waiting()).unwrap_or_default();
        Self {
            waiting: waiting.notices,
            waiting_bytes: waiting.bytes,
            ended,
        }
    }
}

fn replicas(live: &LiveBackend) -> Vec<Replica> {
    let ways = live.backend.replicas.iter().zip(&live.upstreams);
    ways.zip(live.seats())
        .map(|((target, upstream), seat)| Replica {
            url: koigate_config::url(target),
            in_flight: seat.in_flight,
            idle_connections: upstream.idle(),
            up: seat.is_up,
            ejected: seat.is_ejected,
        })
        .collect()
}

// === helpers ===

/// Everything that was found, each with its place.
pub(super) fn problems(report: &Report) -> Vec<Problem> {
    let findings = report.findings().iter();
    findings.map(|finding| problem(report.name(), finding)).collect()
}

fn problem(file: &str, finding: &Finding) -> Problem {
    let place = finding.place().map_or_else(
        || file.to_owned(),
        |place| format!("{file}:{}:{}", place.line, place.column),
    );
    Problem {
        code: finding.code().to_owned(),
        place,
        message: finding.message(),
        remedy: finding.remedy(),
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// The chains of a plan by their backends' names.
pub(super) fn hooks(plan: &Plan) -> BTreeMap<String, Vec<Vec<String>>> {
    let chains = plan.chains.iter();
    chains
        .map(|(name, chain)| (name.to_string(), stages(plan, chain)))
        .collect()
}

fn stages(plan: &Plan, chain: &Chain) -> Vec<Vec<String>> {
    let stages = chain.stages.iter();
    stages.map(|stage| names(plan, &stage.backends)).collect()
}

/// The shadows or observers of a plan's hooks, as far as they have some.
pub(super) fn beside(plan: &Plan, of: impl Fn(&Chain) -> &Vec<BackendId>) -> BTreeMap<String, Vec<String>> {
    let chains = plan.chains.iter();
    let some = chains.filter(|(_, chain)| !of(chain).is_empty());
    some.map(|(name, chain)| (name.to_string(), names(plan, of(chain))))
        .collect()
}

fn names(plan: &Plan, ids: &[BackendId]) -> Vec<String> {
    let backends = ids.iter().filter_map(|id| plan.backend(*id));
    backends.map(|backend| backend.name.to_string()).collect()
}

/// Every backend, in configured order.
pub(super) fn backends(running: &Running) -> Vec<Backend> {
    let backends = (0..).map(BackendId).zip(running.backends());
    backends
        .map(|(id, live)| Backend::of(live, running.shadow_counts(id), running.notice_counts(id)))
        .collect()
}

/// To the millisecond. A clock may be set to anything; what no calendar has is shown as the epoch.
pub(super) fn time(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = i64::try_from(since.as_millis()).unwrap_or_default();
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}
