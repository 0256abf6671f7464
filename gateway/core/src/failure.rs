//! Why a call brought no usable reply. A failure is not a verdict: what it means for the hook is the
//! backend's `on_failure` policy, decided elsewhere.

use std::borrow::Cow;
use std::fmt;

/// Who is at fault when a call brings no usable reply. The names are the `kind` label of
/// `koigate_backend_failures_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// No connection: refused, unreachable, no such name, TLS refused, or not within `connect_timeout`.
    Connect,
    /// Not done within the backend's `timeout` or the hook's `deadline`, begun or not.
    Timeout,
    /// The connection ended before the reply was whole.
    Reset,
    /// What came back is not HTTP/1 as RFC 9112 has it.
    Protocol,
    /// The reply is larger than `max_reply`, or its header than the gateway's limit.
    TooLarge,
    /// A 200 labelled JSON whose body does not parse.
    BadJson,
    /// A status that `failure_statuses` names.
    Status,
    /// The breaker is open: the backend was not asked.
    BreakerOpen,
    /// `max_in_flight` calls are running already.
    Overloaded,
    /// A condition or a guard could not be evaluated because the document does not parse.
    Condition,
}

impl FailureKind {
    /// Every kind, in the order of the contract.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Timeout,
        Self::Reset,
        Self::Protocol,
        Self::TooLarge,
        Self::BadJson,
        Self::Status,
        Self::BreakerOpen,
        Self::Overloaded,
        Self::Condition,
    ];

    /// The word used in metrics, logs and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
            Self::BadJson => "bad_json",
            Self::Status => "status",
            Self::BreakerOpen => "breaker_open",
            Self::Overloaded => "overloaded",
            Self::Condition => "condition",
        }
    }
}

/// A call that brought no usable reply: the kind, and a detail for a person who reads the log.
///
/// The detail names no address, no secret and nothing from a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct Failure {
    /// Who is at fault.
    pub kind: FailureKind,
    /// What happened, in a few words.
    pub detail: Cow<'static, str>,
}

impl Failure {
    /// A failure of this kind with these words.
    pub fn new(kind: FailureKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
