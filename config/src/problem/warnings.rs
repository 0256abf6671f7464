//! What is not wrong, but seldom meant.

use std::net::SocketAddr;
use std::time::Duration;

use super::Problem;

// KG106 was a warning of an admin address that other machines reach; it is the error KG083 now.
problems! {
    /// What is not wrong, but seldom meant.
    pub enum Warning in Warning {
        /// No chain names this backend.
        "KG100" UnusedBackend {
            /// Its name.
            name: String,
        },
        /// No hook has a chain.
        "KG101" NoHooks,
        /// A hook's name is nearly one that the bot has.
        "KG102" NearlyKnownHook {
            /// The name that stands there.
            name: String,
            /// The bot's.
            nearest: &'static str,
        },
        /// A backend that may keep a test from running, and whose failure lets it run; nobody has said that it should.
        "KG103" FailsOpen {
            /// The backend.
            backend: String,
            /// The hooks.
            hooks: Vec<String>,
        },
        /// The stages' timeouts add up past the deadline.
        "KG104" PastDeadline {
            /// The hook.
            hook: String,
            /// What they add up to.
            sum: Duration,
            /// The deadline.
            deadline: Duration,
        },
        /// The bot's whole configuration goes to another host in the clear.
        "KG105" PlainHttp {
            /// The backend.
            backend: String,
            /// The host.
            host: String,
        },
        /// `connect_timeout` is longer than `timeout`, which bounds it.
        "KG107" LongConnect {
            /// The timeout.
            timeout: Duration,
        },
        /// A token that could be guessed, on an address that other machines reach.
        "KG108" ShortToken {
            /// The least characters that it should have.
            least: usize,
        },
        /// A number where an element of an array is meant, most likely.
        "KG109" ElementNamed {
            /// The number.
            segment: String,
        },
        /// Two backends of a hook may answer what one answer can't bring to the user together.
        "KG110" AnswersApart {
            /// The hook.
            hook: String,
            /// The earlier backend, and what it may answer.
            first: (String, &'static str),
            /// The later, and what it may.
            second: (String, &'static str),
        },
        /// A condition looks where nothing is.
        "KG111" ImpossiblePlace {
            /// The hook.
            hook: String,
            /// The place.
            place: String,
            /// What was probably meant.
            nearest: Option<String>,
        },
        /// A variable that overrides nothing, but is spelt nearly as one that would.
        "KG112" NearlyOverride {
            /// The variable that would.
            meant: String,
        },
        /// A certificate that is shown to others, and that they may not accept, now or soon.
        "KG113" Certificate {
            /// Its file.
            path: String,
            /// Why not.
            validity: Validity,
        },
        /// Hooks are taken from whoever reaches an address that is not this machine's alone.
        "KG114" OpenToAll {
            /// The address.
            listen: SocketAddr,
        },
        /// A token travels unencrypted to an address that other machines reach.
        "KG115" TokenInClear {
            /// The address.
            listen: SocketAddr,
        },
        /// A reply may be larger than what is held in memory beside a hook.
        "KG116" ReplyUnbuffered {
            /// The backend.
            backend: String,
            /// Its `max_reply`, in bytes.
            max_reply: usize,
            /// `server.max_body`, in bytes.
            max_body: usize,
            /// `server.max_buffered`, in bytes.
            max_buffered: usize,
        },
        /// Hooks that are in flight when the process is to end may be cut before their deadline.
        "KG117" ShortDrain {
            /// `server.drain`.
            drain: Duration,
            /// The hook that may take the longest.
            hook: String,
            /// Its deadline.
            deadline: Duration,
        },
    }
}

/// Why a certificate isn't accepted, each with its date in UTC: `2027-01-31`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validity {
    /// Only from then on.
    From(String),
    /// Only until then, and that is over.
    Expired(String),
    /// Only until then, and that is soon.
    Until(String),
}
