//! Why a command ends with exit status 1.

use std::io;
use std::path::PathBuf;

use koigate::assembly::StartError;
use koigate::server::BindError;

use super::demo::BotError;
use super::operator::OperatorError;

/// Why a command ends with exit status 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// No configuration was named, and there is none where one is looked for.
    #[error(
        "there is no configuration: name one with --config FILE or KOIGATE_CONFIG, or write ./koigate.toml or /etc/koigate/koigate.toml"
    )]
    NoConfiguration,
    /// The configuration has problems, which have been printed.
    #[error("{} can't be used: {problems} {}", .path.display(), if *.problems == 1 { "problem" } else { "problems" })]
    Unusable {
        /// The file.
        path: PathBuf,
        /// How many.
        problems: usize,
    },
    /// The gateway does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A mock's address can't be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// There is a log already.
    #[error("can't start the log")]
    Log(#[from] tracing_subscriber::util::TryInitError),
    /// The system refuses threads, signals or ports.
    #[error("the system refuses what the program needs")]
    System(#[source] io::Error),
    /// It was told to stop a second time, or hooks took too long to finish.
    #[error("ended with connections open")]
    CutShort,
    /// A file can't be written.
    #[error("can't write {}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Nobody reads standard output any more.
    #[error("can't write to standard output")]
    Print(#[from] io::Error),
    /// A running gateway can't be asked, or gives no usable answer.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A running gateway can't use its new configuration; its problems have been printed.
    #[error("the configuration can't be used: the gateway goes on with the one it has")]
    NotReloaded,
    /// A running gateway takes no hooks.
    #[error("the gateway takes no hooks: it is {phase}")]
    Unready {
        /// What it says of itself.
        phase: &'static str,
    },
    /// The configuration has no chain for this hook.
    #[error("no chain is configured for {hook}: there is {}", if .chains.is_empty() { "none" } else { .chains })]
    NoChain {
        /// The hook.
        hook: String,
        /// Those that have one.
        chains: String,
    },
    /// Nobody knows what a hook of this name carries.
    #[error("there is a sample of {known} alone: name the document of {hook} with --document FILE")]
    NoSample {
        /// The hook.
        hook: String,
        /// Those that have one.
        known: String,
    },
    /// A document can't be read.
    #[error("can't read {}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A document is larger than a hook may be.
    #[error("{} is larger than server.max_body: the gateway would answer 413", .path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// The running gateway has forgotten this hook, or never had it.
    #[error("the gateway remembers no hook {id}: `koigate traces` lists those that it does")]
    NoTrace {
        /// Its id.
        id: String,
    },
    /// The running gateway has no such shadow, and remembers none.
    #[error("the gateway has no shadow {}: `koigate status` lists what it runs", name.escape_debug())]
    NoShadow {
        /// Its name.
        name: String,
    },
    /// The demo's bot got no answer.
    #[error(transparent)]
    Bot(#[from] BotError),
}
