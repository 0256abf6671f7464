//! A plan's parts, put together: metrics, what lives beside the plan, doors, listeners, and what reloads it.

use std::net::SocketAddr;
use std::sync::Arc;

use koigate_core::plan::{Listen, Server};
use tokio::task::JoinSet;

use crate::admin::AdminDoor;
use crate::admin::status::Listening;
use crate::live::{Configuration, Ground, Reloader, Trigger, watch};
use crate::logging::Level;
use crate::metrics::Metrics;
use crate::outbound::{Connector, UnreadableRoots};
use crate::serve::Hooks;
use crate::server::{
    BindError, Ended, Hangups, Parting, Stops, Succession, SuccessionError, Supervisor, notify,
};
use crate::traces::Traces;
use crate::workers::Workers;

/// A gateway that listens and has not begun to answer.
pub struct Gateway {
    supervisor: Supervisor,
    hooks: Vec<Listen>,
    admin: Vec<SocketAddr>,
    reloader: Arc<Reloader>,
}

/// Why a plan can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Another process does not leave its sockets, or leaves too many.
    #[error(transparent)]
    Succession(#[from] SuccessionError),
    /// The metrics contradict each other.
    #[error("can't register the metrics")]
    Metrics(#[from] prometheus::Error),
    /// The system's certificates can't be read.
    #[error(transparent)]
    Roots(#[from] UnreadableRoots),
}

impl Gateway {
    /// Binds every address of the plan, or takes it from where other processes have left it. Connections wait in them
    /// until [`Gateway::run`]. Without a succession nothing is taken, and the process is followed by none.
    ///
    /// # Errors
    ///
    /// An address that is in use or not ours: nothing has been started then, and a process that runs goes on.
    pub fn bind(configuration: Configuration, succession: Option<Succession>) -> Result<Self, StartError> {
        let (server, admin) = (
            configuration.plan.server.clone(),
            configuration.plan.admin.clone(),
        );
        let metrics = Arc::new(Metrics::new()?);
        let connector = Connector::new()?;
        let ground = Ground {
            connector,
            metrics: metrics.clone(),
            room: Arc::default(),
        };
        let reloader = Arc::new(Reloader::start(configuration, ground));
        let traces = Arc::new(Traces::default());
        let mut supervisor = succession.map_or_else(Supervisor::new, Supervisor::in_succession);
        let door = Arc::new(Hooks::new(reloader.cell(), metrics.clone(), traces.clone()));
        let in_flight = door.in_flight().clone();
        let hooks = supervisor.listen_at("hooks", &server.listen, door)?;
        let operators = Arc::new(AdminDoor::new(
            metrics,
            reloader.clone(),
            traces,
            in_flight,
            supervisor.phase(),
        ));
        let admin = supervisor.listen_to_the_end("admin", &[admin.listen], operators.clone())?;
        operators.show_listening(Listening::at(&hooks, &admin));
        supervisor.settle()?;
        Ok(Self {
            supervisor,
            hooks,
            admin,
            reloader,
        })
    }

    /// The same, with these to serve the callers.
    #[must_use]
    pub fn with_workers(self, workers: Arc<Workers>) -> Self {
        Self {
            supervisor: self.supervisor.with_workers(workers),
            ..self
        }
    }

    /// Where hooks are accepted, with the ports that 0 became.
    pub fn hooks(&self) -> &[Listen] {
        &self.hooks
    }

    /// Where the operator's side is.
    pub fn admin(&self) -> &[SocketAddr] {
        &self.admin
    }

    /// Answers hooks until told to stop, then lets those in flight finish. Meanwhile the configuration is read
    /// again when its files change and at each hangup; `level` is that of the log, which follows it.
    pub async fn run(self, stops: Stops, hangups: Hangups, level: Level) -> Ended {
        for address in &self.hooks {
            tracing::info!(%address, side = "hooks", "listening");
        }
        for address in &self.admin {
            tracing::info!(%address, side = "admin", "listening");
        }
        self.reloader.turns(level);
        self.reloader.begin();
        // They end with the set, and with it with the gateway.
        let mut beside = JoinSet::new();
        beside.spawn(watch(self.reloader.clone()));
        beside.spawn(reload_at(hangups, self.reloader.clone()));
        let parting = || parting(&self.reloader.running().plan.server);
        let told = async { self.reloader.running().finish_telling().await };
        let ended = self.supervisor.run_then(stops, parting, told).await;
        self.reloader.running().stop_telling();
        ended
    }
}

/// As the plan says that runs by then.
fn parting(server: &Server) -> Parting {
    Parting {
        lame_duck: server.lame_duck,
        drain: server.drain,
    }
}

async fn reload_at(mut hangups: Hangups, reloader: Arc<Reloader>) {
    loop {
        hangups.next().await;
        notify::reloading();
        reloader.reload_and_go_on(Trigger::Signal).await;
        notify::ready();
    }
}
