//! The plan: the whole checked configuration, immutable, swapped as one value.
//!
//! Plain data that can't be wrong: `koigate-config` is the only place that makes one, and reports what
//! is wrong before it does. Defaults live there too; here every field has its value.

mod beside;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

pub use self::beside::{Queue, Role};
use crate::condition::Condition;
use crate::guards::Guards;
use crate::hook::HookName;
use crate::pointer::Pointer;
use crate::secret::{Secret, SigningKey};

/// The whole checked configuration.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The side that faces the bot.
    pub server: Server,
    /// The side that faces the operator.
    pub admin: Admin,
    /// What is written to standard error.
    pub log: Log,
    /// Every backend, in the order of the file. A [`BackendId`] is an index into this.
    pub backends: Vec<Arc<Backend>>,
    /// What each kind of hook runs.
    pub chains: BTreeMap<HookName, Arc<Chain>>,
}

/// The listening side: addresses and limits of the gateway as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where hooks are accepted. Never empty, and no two want the same socket.
    pub listen: Vec<Listen>,
    /// The prefix under which the hooks live: empty, or `/` and segments without a trailing slash.
    pub path: String,
    /// The largest body of a hook, in bytes.
    pub max_body: usize,
    /// The most hooks at once.
    pub max_in_flight: usize,
    /// The most bytes of bodies and replies at once, of all hooks together; never less than `max_body`.
    pub max_buffered: usize,
    /// The most connections at once.
    pub max_connections: usize,
    /// The most connections at once of one source address; never more than `max_connections`.
    pub max_connections_per_address: usize,
    /// How long hooks in flight may take to finish once nobody is let in any more.
    pub drain: Duration,
    /// How long callers are still let in after the process was told to stop.
    pub lame_duck: Duration,
    /// Worker threads, each with one beside it for large bodies; 0 means one per core.
    pub threads: usize,
    /// What callers over TCP have to speak; without it plain HTTP.
    pub tls: Option<ServerTls>,
    /// Who may send hooks; without it everybody who reaches an address.
    pub auth: Option<Auth>,
    /// The source addresses that may send hooks; empty for all.
    pub allow: Vec<IpNet>,
}

/// Where connections are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A Unix socket: an absolute path of at most 107 bytes, which is what the system takes (unix(7)).
    Unix(PathBuf),
}

/// TLS towards callers. The files were read with the configuration, and belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// Whom callers see.
    pub identity: Identity,
    /// Who signs callers' certificates. Without it callers need none, with it they do.
    pub client_ca: Option<Certificates>,
}

/// A certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate itself first, then those that lead to its root.
    pub chain: Certificates,
    /// The key, in PEM.
    pub key: Secret,
}

/// At least one X.509 certificate, in PEM (RFC 7468), checked to be some.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificates(pub Arc<[u8]>);

/// The operator's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where metrics and health are served.
    pub listen: SocketAddr,
    /// Who may come in. Without it everybody who reaches the address may, so it is one of this machine then.
    pub auth: Option<Auth>,
    /// What is remembered for them.
    pub traces: Traces,
}

/// Who may come in: whoever has one of these tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Never empty; several are valid while one takes another's place. None is empty, and none holds white space or a
    /// control character, so each fits into a header and is a whole word of one.
    pub tokens: Vec<Secret>,
}

/// The last hooks that are remembered; by default none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    /// How many at most; 0 remembers none.
    pub keep: usize,
    /// What they may hold in memory, about, in bytes.
    pub memory: usize,
    /// Places whose values are shown in no trace.
    pub hide: Vec<Pointer>,
}

/// The log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// The least level that is written.
    pub level: LogLevel,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The least level that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what needs somebody.
    Error,
    /// And what should not be.
    Warn,
    /// And one line a hook.
    Info,
    /// And each call.
    Debug,
    /// And what the libraries say.
    Trace,
}

/// A backend's place in [`Plan::backends`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendId(pub usize);

/// One named callback service, with its limits and its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Its name: 1 to 40 of `A-Z a-z 0-9 _ -`.
    pub name: Arc<str>,
    /// Where it is: its replicas, in the order of the file. Never empty, and none stands there twice.
    pub replicas: Vec<Target>,
    /// The whole exchange, connecting included.
    pub timeout: Duration,
    /// Name, TCP and TLS together, over all addresses.
    pub connect_timeout: Duration,
    /// What a failure means for the hook.
    pub on_failure: OnFailure,
    /// Statuses that are failures, not verdicts.
    pub failure_statuses: StatusSet,
    /// Headers of its own, in the order of the file.
    pub headers: Vec<Header>,
    /// The largest reply, in bytes, after decoding.
    pub max_reply: usize,
    /// The most calls at once.
    pub max_in_flight: usize,
    /// How often a call that failed to connect, timed out or brought a failure status is made again, within its
    /// `timeout` and the backend's budget; 0 to 10.
    pub retries: u32,
    /// When calls to it stop for a while; without it never.
    pub breaker: Option<Breaker>,
    /// What it is asked in between, to see that it is well; without it nothing.
    pub health: Option<Health>,
    /// How its `https` replicas are trusted, and what they are shown; nothing of it for `http`.
    pub tls: BackendTls,
    /// Whether a call goes on to its own timeout although its answer has no say any more.
    pub always_finish: bool,
    /// What must hold for the document that its stage is sent, all of it; else it is skipped.
    pub when: Vec<Condition>,
    /// What its calls are signed with: two keys while one takes the other's place; none, and no call is signed.
    pub sign: Vec<SigningKey>,
    /// What it may see, change and say.
    pub guards: Guards,
    /// What may wait until it is told, where it is an observer.
    pub queue: Queue,
}

/// When calls to a backend stop for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// So many failures in a row open it.
    pub failures: NonZeroU32,
    /// How long it is open the first time; each trial call that fails doubles that, up to 16 times as long.
    pub cool_off: Duration,
}

/// An active check of each replica: a `GET` that any status below 500 passes.
#[derive(Clone, PartialEq, Eq)]
pub struct Health {
    /// Path and query.
    pub path: String,
    /// From the end of one check to the next; an answer is waited for as long as for a call, this at most.
    pub interval: Duration,
}

/// TLS towards a backend. The files were read with the configuration, and belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendTls {
    /// Who signs its certificate; without it the system's roots.
    pub ca: Option<Certificates>,
    /// What it is shown, if anything.
    pub identity: Option<Identity>,
}

/// One header that a backend is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name, a token of RFC 9110.
    pub name: String,
    /// The value, checked to be one line; it may be a secret.
    pub value: Secret,
}

/// Where a backend is: an absolute `http` or `https` URL, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// A name or an address, an IPv6 address without its brackets.
    pub host: String,
    /// The port, the scheme's own where the URL has none.
    pub port: u16,
    /// What goes into `Host`: the port only where it isn't the scheme's own.
    pub authority: String,
    /// Path and query as sent; `{hook}` stands for the hook's name.
    pub path: String,
}

/// Plain or TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS, the certificate checked for the URL's host.
    Https,
}

/// What a failure of a backend means for the hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnFailure {
    /// Go on without it, and count that.
    Continue,
    /// Refuse with 502.
    Reject {
        /// What the user reads.
        message: String,
    },
}

/// A set of status codes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusSet(pub Vec<RangeInclusive<u16>>);

/// What one kind of hook runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The stages, in order; none is empty, and no backend stands in two.
    pub stages: Vec<Stage>,
    /// The whole hook, from its last byte to the answer.
    pub deadline: Duration,
    /// Which reject decides.
    pub reject: RejectRule,
    /// What two values at one place mean.
    pub on_conflict: OnConflict,
    /// What becomes of several pictures.
    pub images: Images,
    /// What becomes of columns of the wrong length.
    pub table_guard: TableGuard,
    /// Who is asked what the first stage is asked, and has no vote; in the order of the file. None of them is in a
    /// stage, of this chain or of another, so that nothing of a shadow's life is shared with those who have one.
    pub shadows: Vec<BackendId>,
    /// Who is told what has become of a hook, once its answer has left; in the order of the file. None of them is in a
    /// stage, and none is a shadow, of this chain or of another: they have queues and rules of their own.
    pub observers: Vec<BackendId>,
}

/// Backends that are asked together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// In configured order.
    pub backends: Vec<BackendId>,
}

/// Which reject of a stage decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectRule {
    /// The first to arrive, at once.
    First,
    /// The earliest in configured order, once all are in.
    Ordered,
}

/// What two different values of one place mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// The later in configured order stands.
    Last,
    /// The earlier stands.
    First,
    /// The hook is refused with 409.
    Reject,
}

/// What becomes of several pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Images {
    /// One sheet of all.
    Sheet,
    /// Only the first passes.
    First,
}

/// What becomes of a column of `result` that a backend added or edited, and that is shorter or longer than the names
/// of the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableGuard {
    /// It is counted and logged.
    Report,
    /// And the column stays as the stage was sent it; an added one is left out.
    Drop,
    /// Nobody looks.
    Off,
}

// === impl Plan ===

impl Plan {
    /// The backend with this id.
    pub fn backend(&self, id: BackendId) -> Option<&Arc<Backend>> {
        self.backends.get(id.0)
    }

    /// The backends that are shadows, in the order of the file.
    pub fn shadows(&self) -> impl Iterator<Item = &Arc<Backend>> {
        let backends = self.backends.iter().enumerate();
        backends.filter_map(|(index, backend)| self.is_shadow(BackendId(index)).then_some(backend))
    }

    /// What this backend is: one thing in all chains.
    pub fn role(&self, id: BackendId) -> Role {
        let mut chains = self.chains.values();
        chains.find_map(|chain| chain.role(id)).unwrap_or(Role::Voter)
    }

    /// Whether this backend is a shadow: it is in some chain as that, and has a vote in none.
    pub fn is_shadow(&self, id: BackendId) -> bool {
        self.role(id) == Role::Shadow
    }
}

// === impl Listen ===

/// As it is written in the configuration.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Listen {
    /// The address, of what has one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

// === impl Certificates ===

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({} bytes)", self.0.len())
    }
}

// === impl StatusSet ===

impl StatusSet {
    /// Whether this status is one of them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

// === impl Target ===

impl Target {
    /// Path and query for a hook of this name.
    pub fn path_for(&self, hook: &HookName) -> String {
        self.path.replace("{hook}", hook.as_str())
    }
}

/// The query is left out: it may hold a token.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Target({:?} {} {})",
            self.scheme,
            self.authority,
            without_query(&self.path)
        )
    }
}

// === impl Health ===

/// The query is left out here too.
impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Health({} every {:?})",
            without_query(&self.path),
            self.interval
        )
    }
}

/// What of a path may be shown.
fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

// === impl LogLevel ===

impl LogLevel {
    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
