//! The file as it is written: what serde reads, and what the JSON Schema and the reference of keys are made
//! from. Every doc comment here is read by operators. There is no logic: what is right in kind may still be
//! wrong in meaning, and [`crate::resolve`] says so.
//!
//! Every key is optional here, those that must be there too: that one is missing is a problem like any other,
//! with a place.

mod forms;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use forms::{
    Addresses, DurationText, Scalar, SizeText, Status, Step, Switch, Table, Text, Texts, Word,
};

use crate::place::Placed;

/// Koigate's configuration.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Koigate")]
pub(crate) struct File {
    /// The side that faces the bot.
    #[serde(deserialize_with = "forms::table")]
    pub(crate) server: Server,
    /// The side that faces the operator: metrics and health.
    #[serde(deserialize_with = "forms::table")]
    pub(crate) admin: Admin,
    /// The log, on standard error.
    #[serde(deserialize_with = "forms::table")]
    pub(crate) log: Log,
    /// What every backend inherits, key by key, and of `headers` header by header.
    #[serde(deserialize_with = "forms::table")]
    pub(crate) defaults: Defaults,
    /// The callback services, each by a name of its own: 1 to 40 of `A-Z a-z 0-9 _ -`.
    #[serde(deserialize_with = "forms::tables")]
    pub(crate) backends: BTreeMap<Placed<String>, Backend>,
    /// What each kind of hook runs: `onMessage`, `onPreSend`, `onResult`, or any other name of 1 to 40 of
    /// `A-Z a-z 0-9 _ -`.
    #[serde(deserialize_with = "forms::tables")]
    pub(crate) hooks: BTreeMap<Placed<String>, Hook>,
}

/// The side that faces the bot.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Server {
    /// Where hooks are accepted: an IP address and a port, a Unix socket such as `"unix:/run/koigate.sock"`, or an
    /// array of them. `localhost` is 127.0.0.1; of a socket the path is absolute.
    /// Default: `"127.0.0.1:8600"`, which only this machine reaches.
    pub(crate) listen: Option<Placed<Addresses>>,
    /// The prefix of the URLs' path under which the hooks live. Default: `"/"`.
    pub(crate) path: Option<Placed<String>>,
    /// The largest hook; a larger one is answered 413. 1KiB to 1GiB. Default: `"32MiB"`.
    pub(crate) max_body: Option<Placed<SizeText>>,
    /// The most hooks at once; one more is answered 503 at once. 1 to 1000000. Default: 1024.
    pub(crate) max_in_flight: Option<Placed<i64>>,
    /// What bodies and replies may hold in memory at once, of all hooks together: one hook more is answered 503, one
    /// reply more is a failure. At least `max_body`, at most 1024GiB. Default: `"256MiB"`.
    pub(crate) max_buffered: Option<Placed<SizeText>>,
    /// The most connections of callers at once; one more is answered 503 and closed. 1 to 1000000. Default: 16384.
    pub(crate) max_connections: Option<Placed<i64>>,
    /// The most of them from one address, at most `max_connections`. Default: `max_connections`.
    pub(crate) max_connections_per_address: Option<Placed<i64>>,
    /// How long a hook may take from its last byte to the answer, unless the hook says otherwise. 1ms to 1h.
    /// Default: `"10s"`.
    pub(crate) deadline: Option<Placed<DurationText>>,
    /// How long hooks in flight may take to finish once nobody is let in any more; what is left then is cut. At most 1h.
    /// Default: `"30s"`.
    pub(crate) drain: Option<Placed<DurationText>>,
    /// How long callers are still let in after `SIGTERM`, while `/readyz` is 503 already and each answer is the last of
    /// its connection. At most 1h. Default: `"0s"`.
    pub(crate) lame_duck: Option<Placed<DurationText>>,
    /// What callers speak: TLS, with this certificate. Those of a Unix socket speak plain HTTP. Default: plain HTTP.
    pub(crate) tls: Option<Placed<Table<ServerTls>>>,
    /// Who may send hooks: who knows a token, as `?token=`, as the password of `http://bot:TOKEN@host/`, or as `Bearer`.
    /// Default: everybody who reaches the address.
    pub(crate) auth: Option<Placed<Table<Auth>>>,
    /// The addresses that hooks may come from, single ones or networks: `["10.0.0.0/8", "::1"]`. Those of a Unix socket
    /// have none and may come. Default: everywhere.
    pub(crate) allow: Option<Placed<Vec<Placed<String>>>>,
    /// Worker threads, at most 1024, each with one beside it for large bodies; 0 is one per core. Default: 0.
    pub(crate) threads: Option<Placed<i64>>,
}

/// TLS towards callers. Files are in PEM, relative paths begin at the configuration's folder, and what has changed is
/// read again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerTls {
    /// The file of the certificate that callers see, and behind it those that lead to its root. Must be there.
    #[schemars(required)]
    pub(crate) cert: Option<Placed<String>>,
    /// The file of its private key, without a password. Must be there.
    #[schemars(required)]
    pub(crate) key: Option<Placed<String>>,
    /// The file of the certificates that sign callers' own. Default: callers need none.
    pub(crate) client_ca: Option<Placed<String>>,
}

/// The side that faces the operator.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// Where metrics and health are served: an IP address and a port. An address that other machines reach needs
    /// `auth`. Default: `"127.0.0.1:8601"`.
    pub(crate) listen: Option<Placed<String>>,
    /// Who may come in. Default: everybody who reaches the address.
    pub(crate) auth: Option<Placed<Table<Auth>>>,
    /// The last hooks, remembered in memory for `/traces`. Default: the keys below.
    #[serde(deserialize_with = "forms::table")]
    pub(crate) traces: Traces,
}

/// The last hooks, remembered in memory for `/traces`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Traces {
    /// How many; 0 remembers none. At most 100000. Default: 200.
    pub(crate) keep: Option<Placed<i64>>,
    /// What they may hold in memory, about; the oldest are forgotten first. 1KiB to 1GiB. Default: `"32MiB"`.
    pub(crate) memory: Option<Placed<SizeText>>,
    /// Places whose values are shown in no trace: JSON Pointers, `*` for one segment.
    /// Default: `["/config", "/slaveRequest/proxies", "/slaveRequest/slave/token"]`.
    pub(crate) hide: Option<Placed<Vec<Placed<String>>>>,
}

/// Who may come in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Auth {
    /// What the caller has to know, or an array of which it has to know one: the old and the new while they are
    /// exchanged. No white space. Must be there.
    #[schemars(required)]
    pub(crate) token: Option<Placed<Texts>>,
}

/// The log.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// The form of a line. Default: `"text"`.
    pub(crate) format: Option<Placed<Word<LogFormat>>>,
    /// The least level that is written. Default: `"info"`.
    pub(crate) level: Option<Placed<Word<LogLevel>>>,
}

/// The form of a log line: `"text"` for people, `"json"` for one object a line.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// The least level that is written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// What every backend inherits unless it says otherwise itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Defaults {
    /// As a backend's `timeout`.
    pub(crate) timeout: Option<Placed<DurationText>>,
    /// As a backend's `connect_timeout`.
    pub(crate) connect_timeout: Option<Placed<DurationText>>,
    /// As a backend's `on_failure`.
    pub(crate) on_failure: Option<Placed<Word<OnFailure>>>,
    /// As a backend's `failure_message`.
    pub(crate) failure_message: Option<Placed<String>>,
    /// As a backend's `failure_statuses`.
    pub(crate) failure_statuses: Option<Placed<Vec<Placed<Status>>>>,
    /// As a backend's `headers`. A backend's header of the same name stands for the one here.
    pub(crate) headers: BTreeMap<Placed<String>, Placed<Text>>,
    /// As a backend's `max_reply`.
    pub(crate) max_reply: Option<Placed<SizeText>>,
    /// As a backend's `max_in_flight`; each backend has its own count.
    pub(crate) max_in_flight: Option<Placed<i64>>,
    /// As a backend's `retries`.
    pub(crate) retries: Option<Placed<i64>>,
    /// As a backend's `breaker`; each backend has its own count. A backend's own stands for all of it.
    pub(crate) breaker: Option<Placed<Switch<Breaker>>>,
    /// As a backend's `health`. A backend's own stands for all of it.
    pub(crate) health: Option<Placed<Switch<Health>>>,
    /// As a backend's `tls`, for those whose URL is `https`. A backend's own stands for all of it, and `{}` for none.
    pub(crate) tls: Option<Placed<Table<BackendTls>>>,
    /// As a backend's `queue`, key by key; each observer has its own.
    pub(crate) queue: Option<Placed<Table<Queue>>>,
    /// As a backend's `always_finish`.
    pub(crate) always_finish: Option<Placed<bool>>,
    /// As a backend's `hide`. A backend's own `hide` or `show` stands for it.
    pub(crate) hide: Option<Placed<Vec<Placed<String>>>>,
    /// As a backend's `show`. A backend's own `hide` or `show` stands for it.
    pub(crate) show: Option<Placed<Vec<Placed<String>>>>,
    /// As a backend's `keys`.
    pub(crate) keys: Option<Placed<Word<Keys>>>,
    /// As a backend's `may_change`.
    pub(crate) may_change: Option<Placed<Vec<Placed<String>>>>,
    /// As a backend's `may`.
    pub(crate) may: Option<Placed<Vec<Placed<Word<Power>>>>>,
    /// As a backend's `when`. A backend's own conditions stand for these, and `[]` for none.
    pub(crate) when: Option<Placed<Vec<Placed<Table<Condition>>>>>,
}

/// One callback service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backend {
    /// Where it is: an absolute `http` or `https` URL, or an array of them, its replicas, of which each call goes to
    /// one. `{hook}` in the path or query stands for the hook's name. A user and a password, the same in all, are sent
    /// as `Authorization: Basic`. Must be there.
    #[schemars(required)]
    pub(crate) url: Option<Placed<Texts>>,
    /// How long the whole exchange may take, connecting included. 1ms to 1h. Default: `"5s"`.
    pub(crate) timeout: Option<Placed<DurationText>>,
    /// How long connecting may take: the name, every address, TLS. 1ms to 1h. Default: `"1s"`.
    pub(crate) connect_timeout: Option<Placed<DurationText>>,
    /// What it means for the hook when there is no usable reply. Default: `"continue"`.
    pub(crate) on_failure: Option<Placed<Word<OnFailure>>>,
    /// What the user reads when `on_failure = "reject"` refuses. Default: a short text in Chinese and English.
    pub(crate) failure_message: Option<Placed<String>>,
    /// Statuses that mean a broken service and not a verdict: numbers, or classes such as `"5xx"`. Default: `[]`.
    pub(crate) failure_statuses: Option<Placed<Vec<Placed<Status>>>>,
    /// Headers that it is sent besides the gateway's own. Default: `{}`.
    #[serde(default)]
    pub(crate) headers: BTreeMap<Placed<String>, Placed<Text>>,
    /// The largest reply, after decoding. 1KiB to 1GiB. Default: `"32MiB"`.
    pub(crate) max_reply: Option<Placed<SizeText>>,
    /// The most calls at once; one more is a failure at once. 1 to 1000000. Default: 256.
    pub(crate) max_in_flight: Option<Placed<i64>>,
    /// How often a call is made again that could not connect, timed out or brought one of `failure_statuses`, all
    /// within `timeout`. A service that has already acted acts once more, unless it looks at `Idempotency-Key`. While
    /// much fails, fewer are made again than this allows. 0 to 10. Default: 0.
    pub(crate) retries: Option<Placed<i64>>,
    /// When calls to it stop for a while. `false` is never, `true` is as the keys below say. Default: false.
    pub(crate) breaker: Option<Placed<Switch<Breaker>>>,
    /// What each replica is asked in between, so that one that is sick gets no calls. `false` is nothing, `true` is as
    /// the keys below say. Default: false.
    pub(crate) health: Option<Placed<Switch<Health>>>,
    /// Which certificates an `https` backend is trusted by, and which one it is shown. Default: the system's roots, and
    /// none.
    pub(crate) tls: Option<Placed<Table<BackendTls>>>,
    /// What may wait until it is told, where it is an observer. Default: the keys below.
    pub(crate) queue: Option<Placed<Table<Queue>>>,
    /// Whether a call goes on to its own timeout although another backend has already rejected. Default: false.
    pub(crate) always_finish: Option<Placed<bool>>,
    /// What it is not sent: JSON Pointers into the document, `*` for one segment, `-` and `_` in keys alike outside
    /// `/result`. It can't edit what it isn't sent, nor an array that `*` reaches into, and the answer still has it.
    /// A document that does not parse is not sent to it at all: that call fails. Default: `[]`.
    pub(crate) hide: Option<Placed<Vec<Placed<String>>>>,
    /// All that it is sent: JSON Pointers as in `hide`, one of the two. `[]` sends it an empty object. Default:
    /// everything.
    pub(crate) show: Option<Placed<Vec<Placed<String>>>>,
    /// How it expects keys outside `/result` to be spelled in what it is sent. Default: `"as-is"`.
    pub(crate) keys: Option<Placed<Word<Keys>>>,
    /// The only places that it may edit: JSON Pointers as in `hide`. Edits elsewhere are dropped, counted and
    /// logged. Default: everything.
    pub(crate) may_change: Option<Placed<Vec<Placed<String>>>>,
    /// What it may answer besides that the hook goes on; what else it answers is dropped, counted and logged, and a
    /// reject that it may not give lets the hook go on. Default: all of them.
    pub(crate) may: Option<Placed<Vec<Placed<Word<Power>>>>>,
    /// Conditions on the document as earlier stages have left it. All must hold, else the backend is not asked. Each
    /// says of the value `at` a JSON Pointer, as in `hide`, that it is `in` a list or `not_in` it, that it is `eq` to
    /// another, that it `matches` a regular expression, or whether it `exists`. Of a document that does not parse
    /// nothing can be told: the call fails. Default: `[]`.
    pub(crate) when: Option<Placed<Vec<Placed<Table<Condition>>>>>,
    /// What its calls are signed with, so that it can tell them from anybody else's: Standard Webhooks' headers
    /// `webhook-id`, `webhook-timestamp` and `webhook-signature`. A secret belongs to one backend, so this is not
    /// inherited. Default: calls are not signed.
    pub(crate) sign: Option<Placed<Table<Sign>>>,
}

/// What may wait until an observer is told. What there is no room for is dropped, counted and logged.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Queue {
    /// The most notices. 1 to 1000000. Default: 1000.
    pub(crate) length: Option<Placed<i64>>,
    /// What they may hold in memory, about; one alone may be larger. 1KiB to 1GiB. Default: `"16MiB"`.
    pub(crate) memory: Option<Placed<SizeText>>,
    /// For how long one is tried again while the observer is not well. 1s to 24h. Default: `"1h"`.
    pub(crate) give_up: Option<Placed<DurationText>>,
}

/// When calls to a backend stop for a while.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Breaker {
    /// So many failures in a row open it: calls are not made then, and fail at once. 1 to 1000. Default: 5.
    pub(crate) failures: Option<Placed<i64>>,
    /// How long it is open before one call is tried. One that fails doubles that, up to 16 times as long. 1ms to 1h.
    /// Default: `"10s"`.
    pub(crate) cool_off: Option<Placed<DurationText>>,
}

/// What each replica is asked in between.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Health {
    /// The path, with a query if it needs one, of a `GET` that is answered below 500 when all is well. Default: `"/"`.
    pub(crate) path: Option<Placed<String>>,
    /// From the end of one check to the next. 100ms to 1h. Default: `"5s"`.
    pub(crate) interval: Option<Placed<DurationText>>,
}

/// TLS towards a backend. Files are in PEM, relative paths begin at the configuration's folder, and what has changed is
/// read again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BackendTls {
    /// The file of the certificates that sign the backend's own; no others do then. Default: the system's roots.
    pub(crate) ca: Option<Placed<String>>,
    /// The file of the certificate that the backend is shown, and behind it those that lead to its root. With `key`.
    /// Default: none is shown.
    pub(crate) cert: Option<Placed<String>>,
    /// The file of that certificate's private key, without a password. With `cert`. Default: none.
    pub(crate) key: Option<Placed<String>>,
}

/// What calls are signed with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sign {
    /// `whsec_` and the base64 of 24 to 64 random bytes, which `echo whsec_$(openssl rand -base64 32)` makes; or an
    /// array of two, the old and the new while they are exchanged. Must be there.
    #[schemars(required)]
    pub(crate) secret: Option<Placed<Texts>>,
}

/// One condition: a place, and one comparison. Where `*` names several places it holds if one of them fits; `not_in`
/// and `exists = false` hold if none does, also where there is no such place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`at` and one of `in`, `not_in`, `eq`, `matches`, `exists`")]
pub(crate) struct Condition {
    /// Where it looks: a JSON Pointer into the document, `*` for one segment, `-` and `_` in keys alike outside
    /// `/result`. Must be there.
    #[schemars(required)]
    pub(crate) at: Option<Placed<String>>,
    /// The value is one of these. Integers are compared to the last digit, other numbers by their nearest 64-bit
    /// float; `"5"` is not `5`.
    #[serde(rename = "in")]
    pub(crate) among: Option<Placed<Vec<Placed<Scalar>>>>,
    /// The value is none of these.
    pub(crate) not_in: Option<Placed<Vec<Placed<Scalar>>>>,
    /// The value is this one.
    pub(crate) eq: Option<Placed<Scalar>>,
    /// A regular expression in RE2's syntax is found in the value: in the text of a string, or in a number as it is
    /// spelled. `^` and `$` tie it to the ends.
    pub(crate) matches: Option<Placed<String>>,
    /// Whether there is such a place, whatever stands there.
    pub(crate) exists: Option<Placed<bool>>,
}

/// How keys are spelled: `"as-is"` as the bot spells them, `"kebab"` as `from-user`, `"snake"` as `from_user`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(crate) enum Keys {
    AsIs,
    Kebab,
    Snake,
}

/// One thing that a backend may answer.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Power {
    Reject,
    Json,
    Image,
    Text,
    File,
}

/// What a failure means for the hook: `"continue"` goes on without the backend, `"reject"` refuses with 502 and
/// `failure_message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum OnFailure {
    Continue,
    Reject,
}

/// What one kind of hook runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hook {
    /// The stages, one after the other: a backend's name, or an array of names that are asked at the same time.
    /// `["a", "b"]` is one after the other, `[["a", "b"]]` both at once. Must be there.
    #[schemars(required)]
    pub(crate) chain: Option<Placed<Vec<Placed<Step>>>>,
    /// How long the hook may take. 1ms to 1h. Default: `server.deadline`.
    pub(crate) deadline: Option<Placed<DurationText>>,
    /// Which reject of a stage decides: the `"first"` to arrive, at once, or the earliest as `"ordered"` in the
    /// chain, once all are in. Default: `"first"`.
    pub(crate) reject: Option<Placed<Word<RejectRule>>>,
    /// What stands where two backends of a stage set one place to different values: the `"last"` in the chain's
    /// order, the `"first"`, or a `"reject"` of the hook with 409. Default: `"last"`.
    pub(crate) on_conflict: Option<Placed<Word<OnConflict>>>,
    /// What becomes of several pictures: one `"sheet"` of all, or the `"first"` alone. Default: `"sheet"`.
    pub(crate) images: Option<Placed<Word<Images>>>,
    /// What becomes of a column of `result` that a backend adds or edits and that doesn't come out as long as
    /// `节点名称`: a `"report"` counts and logs it, `"drop"` also keeps the column as it was and leaves an added one
    /// out, `"off"` doesn't look. Default: `"report"`.
    pub(crate) table_guard: Option<Placed<Word<TableGuard>>>,
    /// Backends that are tried out: called with what the first stage is sent, beside it and never waited for. What each
    /// would have done is compared with what happened and counted, and never used; its `on_failure` means nothing here.
    /// Under load they are left out first. None of them may be in a chain, of this hook or of another: let the new
    /// backend have the `url` of the old. Default: `[]`.
    pub(crate) shadow: Option<Placed<Vec<Placed<String>>>>,
    /// Backends that are told what has become of a hook, once its answer has left: the document as the chain has left
    /// it, each backend's verdict and time, and the answer's. They can't delay, change or refuse anything; what they
    /// answer says only whether they have taken it. `hide`, `show`, `keys` and `when` are about that document. None of
    /// them may be in a chain or a shadow, of this hook or of another. Default: `[]`.
    pub(crate) observers: Option<Placed<Vec<Placed<String>>>>,
}

/// Which reject of a stage decides.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum RejectRule {
    First,
    Ordered,
}

/// What stands where two backends disagree.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum OnConflict {
    Last,
    First,
    Reject,
}

/// What becomes of several pictures.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Images {
    Sheet,
    First,
}

/// What becomes of columns of the wrong length.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum TableGuard {
    Report,
    Drop,
    Off,
}
