//! What can be wrong with a file: enums with fields and a code each. What they are called in words, and what to
//! do about them, stands in `render.rs` and nowhere else.
//!
//! No field holds anything that may be a secret: values of headers and URLs are named by what is wrong with them.

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use koigate_core::plan::Listen;

/// Defines an enum of problems, the code beside each variant, and the list of all its codes.
macro_rules! problems {
    (
        $(#[$doc:meta])* pub enum $name:ident in $group:ident {
            $( $(#[$variant_doc:meta])* $code:literal $variant:ident
               $({ $( $(#[$field_doc:meta])* $field:ident: $kind:ty ),* $(,)? })?, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name { $( $(#[$variant_doc])* $variant $({ $( $(#[$field_doc])* $field: $kind ),* })? ),* }

        impl $name {
            /// Every code, in the order of the variants.
            pub const CODES: &[&str] = &[$($code),*];

            /// The code of this problem. It stays the same whatever the words become.
            pub fn code(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $code ),* }
            }
        }

        impl From<$name> for Problem {
            fn from(problem: $name) -> Self { Self::$group(problem) }
        }
    };
}

mod allow;
mod conditions;
mod file;
mod guards;
mod health;
mod overrides;
mod sign;
mod tls;
mod warnings;

pub use allow::AllowProblem;
pub use conditions::ConditionProblem;
pub use file::{FileProblem, Slip};
pub use guards::GuardProblem;
pub use health::HealthProblem;
pub use overrides::OverrideProblem;
pub use sign::SignProblem;
pub use tls::{Found, TlsProblem};
pub use warnings::{Validity, Warning};

/// One thing that is wrong with a file, or that its author should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The file as a whole, or as TOML.
    File(FileProblem),
    /// A key, a name, or the kind of a value.
    Key(KeyProblem),
    /// A value of the right kind that says nothing usable.
    Value(ValueProblem),
    /// An address to listen on.
    Listen(ListenProblem),
    /// A backend's URL.
    Url(UrlProblem),
    /// A backend's header.
    Header(HeaderProblem),
    /// A secret that stands elsewhere.
    Secret(SecretProblem),
    /// A hook's chain.
    Chain(ChainProblem),
    /// Who may come in.
    Auth(AuthProblem),
    /// Where hooks may come from.
    Allow(AllowProblem),
    /// When a backend is asked.
    Condition(ConditionProblem),
    /// What a backend's calls are signed with.
    Sign(SignProblem),
    /// How a backend's health is told.
    Health(HealthProblem),
    /// Certificates and keys.
    Tls(TlsProblem),
    /// What a backend may see, change and say.
    Guard(GuardProblem),
    /// An environment variable that shall override a key.
    Override(OverrideProblem),
    /// Not wrong, but seldom meant.
    Warning(Warning),
}

/// Whether a problem keeps the file from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not.
    Warning,
}

problems! {
    /// What is wrong with a key, a name, or the kind of a value.
    pub enum KeyProblem in Key {
        /// No such key here.
        "KG010" Unknown {
            /// What stands there.
            key: String,
            /// The table it stands in, empty for the file itself.
            table: String,
            /// The known key that is nearly the same.
            nearest: Option<String>,
            /// The tables that have such a key, where none here is nearly the same: `[server]`.
            elsewhere: Vec<String>,
            /// Every key known here.
            known: Vec<String>,
        },
        /// A value of another kind than the key takes.
        "KG011" WrongType {
            /// The key.
            key: String,
            /// What it takes.
            expected: String,
            /// The kind of what stands there.
            found: &'static str,
        },
        /// A word that the key doesn't take.
        "KG012" UnknownWord {
            /// The key.
            key: String,
            /// The known word that is nearly the same.
            nearest: Option<String>,
            /// Every word that it takes.
            known: Vec<String>,
        },
        /// A key without which its table says nothing.
        "KG013" Missing {
            /// The key.
            key: &'static str,
            /// The table.
            table: String,
        },
        /// A name of a hook or a backend that can't be one.
        "KG014" BadName {
            /// The name.
            name: String,
        },
    }
}

problems! {
    /// What is wrong with a value of the right kind.
    pub enum ValueProblem in Value {
        /// Not a duration.
        "KG020" NotADuration {
            /// What was probably meant.
            nearest: Option<String>,
        },
        /// A duration that makes no sense here.
        "KG021" DurationBounds {
            /// The least.
            least: Duration,
            /// The most.
            most: Duration,
        },
        /// Not a size.
        "KG022" NotASize {
            /// What was probably meant.
            nearest: Option<String>,
        },
        /// A size that makes no sense here.
        "KG023" SizeBounds {
            /// The least, in bytes.
            least: usize,
            /// The most, in bytes.
            most: usize,
        },
        /// A number that makes no sense here.
        "KG024" NumberBounds {
            /// The least.
            least: usize,
            /// The most.
            most: usize,
        },
        /// `server.path` is no prefix of a path.
        "KG025" NotAPath,
        /// Not a status, nor a class of them.
        "KG026" NotAStatus,
        /// A status with which a backend agrees.
        "KG027" StatusAgrees,
        /// An empty text would be shown to a person.
        "KG028" EmptyMessage,
        /// A message that nobody would ever read: the backend's failures don't reject.
        "KG029" UnusedMessage,
        /// `server.max_buffered` is less than one hook may have.
        "KG202" BodyUnbuffered {
            /// `server.max_body`, in bytes.
            max_body: usize,
            /// `server.max_buffered`, in bytes.
            max_buffered: usize,
        },
    }
}

problems! {
    /// What is wrong with an address to listen on.
    pub enum ListenProblem in Listen {
        /// Not an address and a port.
        "KG030" NotAnAddress {
            /// What was probably meant.
            nearest: Option<String>,
        },
        /// No address at all.
        "KG031" NoAddress,
        /// Taken already by another `listen`.
        "KG032" Taken {
            /// The other.
            by: Listen,
        },
        /// Not the path of a Unix socket.
        "KG200" NotASocket {
            /// What was probably meant.
            nearest: Option<String>,
        },
        /// A path that the system doesn't take for a socket.
        "KG201" LongSocket {
            /// The most bytes.
            most: usize,
        },
    }
}

problems! {
    /// What is wrong with a backend's URL. The URL itself is not repeated: it may hold a secret.
    pub enum UrlProblem in Url {
        /// Not `http://` or `https://` and a host.
        "KG040" NotHttp,
        /// Not a URL by its standard.
        "KG041" Malformed {
            /// What the standard's parser says.
            error: url::ParseError,
        },
        /// White space, a control character or a backslash.
        "KG042" Character,
        /// A fragment, which no request carries.
        "KG043" Fragment,
        /// Braces that aren't `{hook}`.
        "KG044" Placeholder,
        /// `{hook}` before the path.
        "KG045" PlaceholderPlace,
        /// Port 0.
        "KG046" PortZero,
        /// The gateway's own address: the hook would come round.
        "KG047" OwnAddress {
            /// Which.
            listen: SocketAddr,
        },
        /// A user in the URL and an `Authorization` header.
        "KG048" TwoCredentials,
        /// An array of no URL.
        "KG210" NoReplica,
        /// The same replica twice.
        "KG211" ReplicaTwice,
        /// Another user, or another password, than in the first replica's URL.
        "KG212" ReplicaUsers,
    }
}

problems! {
    /// What is wrong with a header.
    pub enum HeaderProblem in Header {
        /// Its name is no token of RFC 9110.
        "KG050" BadName,
        /// The gateway sets it itself.
        "KG051" Owned {
            /// The name.
            name: String,
            /// Why.
            reason: &'static str,
        },
        /// Its value can't stand in one line of a header.
        "KG052" BadValue {
            /// The name.
            name: String,
        },
        /// Its value is longer than servers take.
        "KG053" LongValue {
            /// The name.
            name: String,
            /// The most bytes.
            most: usize,
        },
        /// The same name twice; case doesn't count.
        "KG054" Twice {
            /// The name.
            name: String,
        },
    }
}

problems! {
    /// What is wrong with a secret that stands elsewhere.
    pub enum SecretProblem in Secret {
        /// Neither `env` nor `file`, or both.
        "KG060" NotOneSource,
        /// That can't name an environment variable. It isn't repeated: it may be the secret itself.
        "KG061" BadVariableName,
        /// The environment variable isn't set.
        "KG062" Unset {
            /// The variable.
            name: String,
        },
        /// The file can't be read.
        "KG063" Unreadable {
            /// The file.
            path: String,
            /// Why.
            error: ErrorKind,
        },
        /// It isn't UTF-8.
        "KG064" NotText,
        /// Nothing is in it.
        "KG065" Empty,
        /// It is larger than secrets are.
        "KG066" TooLarge {
            /// The most that is read, in bytes.
            most: u64,
        },
    }
}

problems! {
    /// What is wrong with a hook's chain.
    pub enum ChainProblem in Chain {
        /// No stage at all.
        "KG070" Empty,
        /// A stage of nobody.
        "KG071" EmptyStage,
        /// No such backend.
        "KG072" UnknownBackend {
            /// The name that stands there.
            name: String,
            /// The backend whose name is nearly the same.
            nearest: Option<String>,
        },
        /// The backend would be asked twice.
        "KG073" Twice {
            /// Its name.
            name: String,
        },
        /// A shadow that some chain asks for its vote.
        "KG250" ShadowVotes {
            /// Its name.
            name: String,
            /// The hook whose chain that is.
            hook: String,
        },
        /// An observer that is also asked.
        "KG251" ObserverAsked {
            /// Its name.
            name: String,
            /// The hook that asks it, in its chain or as a shadow.
            hook: String,
        },
    }
}

problems! {
    /// What is wrong with who may come in.
    pub enum AuthProblem in Auth {
        /// No token at all.
        "KG080" NoToken,
        /// A token that everybody has.
        "KG081" EmptyToken,
        /// White space or a control character in a token.
        "KG082" Character,
        /// The admin address can be reached from other machines, and asks nobody who they are.
        "KG083" AdminExposed {
            /// The address.
            listen: SocketAddr,
        },
    }
}

// === impl Problem ===

impl Problem {
    /// The code, such as `KG010`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(problem) => problem.code(),
            Self::Key(problem) => problem.code(),
            Self::Value(problem) => problem.code(),
            Self::Listen(problem) => problem.code(),
            Self::Url(problem) => problem.code(),
            Self::Header(problem) => problem.code(),
            Self::Secret(problem) => problem.code(),
            Self::Chain(problem) => problem.code(),
            Self::Auth(problem) => problem.code(),
            Self::Allow(problem) => problem.code(),
            Self::Condition(problem) => problem.code(),
            Self::Sign(problem) => problem.code(),
            Self::Health(problem) => problem.code(),
            Self::Tls(problem) => problem.code(),
            Self::Guard(problem) => problem.code(),
            Self::Override(problem) => problem.code(),
            Self::Warning(warning) => warning.code(),
        }
    }

    /// Whether it keeps the file from being used.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Warning(_) => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Every code there is.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        [
            FileProblem::CODES,
            KeyProblem::CODES,
            ValueProblem::CODES,
            ListenProblem::CODES,
            UrlProblem::CODES,
            HeaderProblem::CODES,
            SecretProblem::CODES,
            ChainProblem::CODES,
            AuthProblem::CODES,
            AllowProblem::CODES,
            ConditionProblem::CODES,
            SignProblem::CODES,
            HealthProblem::CODES,
            TlsProblem::CODES,
            GuardProblem::CODES,
            OverrideProblem::CODES,
            Warning::CODES,
        ]
        .into_iter()
        .flatten()
        .copied()
    }

    /// Whether the text isn't TOML there, or isn't text.
    pub(crate) fn is_syntax(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Whether it says that something isn't there. What can't be parsed may have held it.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::Key(KeyProblem::Missing { .. }) | Self::Chain(ChainProblem::UnknownBackend { .. })
        )
    }
}

/// What a problem repeats of a text in the file: one line, and not much. Where TOML fell apart, a name may have
/// swallowed what follows.
pub(crate) fn quotable(text: &str) -> String {
    let end = text.find(char::is_control).unwrap_or(text.len());
    let line = text.get(..end).unwrap_or(text);
    let short: String = line.chars().take(60).collect();
    if short.len() < text.len() {
        format!("{short}…")
    } else {
        short
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}
