//! The demo's three callback services: what `koigate mock` runs, each on a free port of 127.0.0.1.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use koigate::server::{Parting, Stops, Supervisor};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use crate::cli::error::CommandError;
use crate::cli::mock::Mock;
use crate::cli::mock::behaviour::{Behaviour, Cells, Size};

/// Callback services that answer until they are stopped.
pub(crate) struct Services {
    /// What they are, in the order of the configuration.
    pub(crate) list: Vec<Service>,
    stop: UnboundedSender<()>,
    running: JoinHandle<()>,
}

/// One callback service.
pub(crate) struct Service {
    /// The backend's name in the configuration.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) behaviour: Behaviour,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// The user whom the blacklist refuses.
pub(crate) const REFUSED_USER: i64 = 6_601_234_567;

// === impl Services ===

impl Services {
    /// Starts all three.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub(crate) fn start() -> Result<Self, CommandError> {
        let mut supervisor = Supervisor::new();
        let mut list = Vec::new();
        for (name, behaviour) in roles() {
            let mock = Arc::new(Mock::new(behaviour.clone(), Duration::ZERO, supervisor.phase()));
            let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            for address in supervisor.listen(name, &[anywhere], mock)? {
                list.push(Service {
                    name,
                    behaviour: behaviour.clone(),
                    address,
                });
            }
        }
        let (stop, stops) = Stops::told();
        let running = tokio::spawn(async move {
            supervisor.run(stops, || Parting::USUAL).await;
        });
        Ok(Self { list, stop, running })
    }

    /// Stops them; what they are answering is finished.
    pub(crate) async fn stop(self) {
        // Neither can fail while the task runs, and if it has ended there is nothing left to stop.
        let _ = self.stop.send(());
        let _ = self.running.await;
    }
}

fn roles() -> [(&'static str, Behaviour); 3] {
    let factor = Behaviour::Column {
        name: "倍率".to_owned(),
        cells: Cells::Same("1.5".to_owned()),
    };
    [
        ("blacklist", Behaviour::Blacklist(vec![REFUSED_USER])),
        ("columns", factor),
        (
            "poster",
            Behaviour::Picture(Size {
                width: 720,
                height: 540,
            }),
        ),
    ]
}
