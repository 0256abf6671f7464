//! A plan's parts, put together: metrics, what lives beside the plan, doors, listeners.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use koigate_core::plan::Plan;

use crate::admin::AdminDoor;
use crate::live::Running;
use crate::metrics::Metrics;
use crate::outbound::{Connector, Trust, UnreadableRoots};
use crate::serve::Hooks;
use crate::server::{BindError, Ended, Stops, Supervisor};

/// A gateway that listens and has not begun to answer.
pub struct Gateway {
    supervisor: Supervisor,
    hooks: Vec<SocketAddr>,
    admin: Vec<SocketAddr>,
}

/// Why a plan can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The metrics contradict each other.
    #[error("can't register the metrics")]
    Metrics(#[from] prometheus::Error),
    /// The system's certificates can't be read.
    #[error(transparent)]
    Roots(#[from] UnreadableRoots),
}

impl Gateway {
    /// Binds every address of the plan. Connections wait in them until [`Gateway::run`].
    ///
    /// # Errors
    ///
    /// An address that is in use or not ours: nothing has been started then.
    pub fn bind(plan: Plan) -> Result<Self, StartError> {
        let (server, admin) = (plan.server.clone(), plan.admin.clone());
        let metrics = Arc::new(Metrics::new()?);
        let connector = Connector::new(Trust::System)?;
        let registry = metrics.registry.clone();
        let running = Arc::new(ArcSwap::from_pointee(Running::new(plan, &connector, &metrics)));
        let mut supervisor = Supervisor::new();
        let door = Arc::new(Hooks::new(running, metrics));
        let hooks = supervisor.listen("hooks", &server.listen, door)?;
        let operators = Arc::new(AdminDoor::new(registry, supervisor.phase()));
        let admin = supervisor.listen_to_the_end("admin", &[admin.listen], operators)?;
        Ok(Self {
            supervisor,
            hooks,
            admin,
        })
    }

    /// Where hooks are accepted, with the ports that 0 became.
    pub fn hooks(&self) -> &[SocketAddr] {
        &self.hooks
    }

    /// Where the operator's side is.
    pub fn admin(&self) -> &[SocketAddr] {
        &self.admin
    }

    /// Answers hooks until told to stop, then lets those in flight finish.
    pub async fn run(self, stops: Stops) -> Ended {
        for address in &self.hooks {
            tracing::info!(%address, side = "hooks", "listening");
        }
        for address in &self.admin {
            tracing::info!(%address, side = "admin", "listening");
        }
        self.supervisor.run(stops).await
    }
}
