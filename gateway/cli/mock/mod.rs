//! `koigate mock`: a callback service that answers as told.
//!
//! It stands behind the same listeners as the gateway itself. What is answered is told on the command line in
//! the words of [`behaviour`], decided in [`act`] and drawn in [`poster`].

pub(crate) mod act;
pub(crate) mod behaviour;
mod poster;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use koigate::buffered::Held;
use koigate::inbound::{Admitted, Door, Head, Refusal, Request, Response};
use koigate::logging;
use koigate::server::{Parting, Phase, Stops, Supervisor};
use koigate_core::plan::{Log, LogFormat, LogLevel};
use tokio::sync::watch;
use tokio::time::sleep;

use self::act::Act;
use self::behaviour::Behaviour;
use super::args::MockArgs;
use super::error::CommandError;
use super::{block_on, whole};

/// A callback service that answers as told.
pub(crate) struct Mock {
    behaviour: Behaviour,
    /// How long it waits before it answers.
    delay: Duration,
    /// One that never answers has to know when to stop that.
    phase: watch::Receiver<Phase>,
}

/// More than the gateway takes by default, so that what it lets through is answered.
const MAX_BODY: usize = 64 << 20;

/// Runs one until SIGTERM or SIGINT, with a line on standard error for each hook.
///
/// # Errors
///
/// The address can't be listened on, or a hook was in flight when it was told to stop a second time.
pub(crate) fn run(args: MockArgs) -> Result<(), CommandError> {
    let _log = logging::start(Log {
        format: LogFormat::Text,
        level: LogLevel::Info,
    })?;
    block_on(0, async {
        let stops = Stops::signals().map_err(CommandError::System)?;
        let mut supervisor = Supervisor::new();
        let does = args.reply.clone();
        let mock = Mock::new(args.reply, args.delay.unwrap_or_default(), supervisor.phase());
        for address in supervisor.listen("mock", &[args.listen], Arc::new(mock))? {
            writeln!(
                anstream::stdout(),
                "http://{address}/ answers {does}; Ctrl-C ends it"
            )?;
        }
        whole(supervisor.run(stops, || Parting::USUAL).await)
    })
}

// === impl Mock ===

impl Mock {
    /// One that answers like this, for as long as its listeners are not told to stop.
    pub(crate) fn new(behaviour: Behaviour, delay: Duration, phase: watch::Receiver<Phase>) -> Self {
        Self {
            behaviour,
            delay,
            phase,
        }
    }

    async fn silence(&self) -> Response {
        let mut phase = self.phase.clone();
        // The supervisor itself gone means the same.
        let _ = phase.wait_for(|phase| *phase == Phase::Draining).await;
        Response::text(503, "the mock has been stopped").closing()
    }
}

impl Door for Mock {
    type Pass = ();

    fn admit(&self, head: &Head) -> Result<Admitted<()>, Box<Response>> {
        match head.method() {
            "POST" => Ok(Admitted {
                pass: (),
                max_body: MAX_BODY,
                held: Held::uncounted(),
            }),
            _ => Err(Box::new(self.refuse(Refusal::Method))),
        }
    }

    async fn serve(&self, (): (), request: Request) -> Response {
        let hook = request
            .head
            .header("x-koigate-hook")
            .and_then(|name| std::str::from_utf8(name).ok());
        let (path, bytes) = (request.head.path(), request.body.len());
        sleep(self.delay).await;
        match self.behaviour.act(&request.body) {
            Act::Silence => {
                tracing::info!(hook, path, bytes, "not answered");
                self.silence().await
            }
            Act::Answer(answer) => {
                tracing::info!(hook, path, bytes, status = answer.status, "answered");
                answer.into()
            }
        }
    }
}
