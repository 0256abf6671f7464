//! The addresses of a backend's host, asked for without blocking and remembered a short while.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long the addresses of a name are remembered.
pub const REMEMBERED: Duration = Duration::from_secs(10);

/// The addresses of one host.
#[derive(Debug)]
pub(super) struct Names {
    host: String,
    port: u16,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    /// The question that is being asked. It outlives whoever asks, so that a resolver that hangs is asked once,
    /// not once a call.
    asked: Option<JoinHandle<io::Result<Vec<SocketAddr>>>>,
}

#[derive(Debug)]
struct Known {
    addresses: Arc<[SocketAddr]>,
    until: Instant,
}

impl Names {
    /// Of a host that is a name or an address, an IPv6 address without its brackets.
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            state: Mutex::default(),
        }
    }

    /// All addresses in the system's order, at least one. Whoever asks at the same time waits for the same answer.
    ///
    /// # Errors
    ///
    /// The system's, and not found where a name has no address. An error is not remembered.
    pub(super) async fn addresses(&self) -> io::Result<Arc<[SocketAddr]>> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(Arc::new([SocketAddr::new(address, self.port)]));
        }
        let mut state = self.state.lock().await;
        if let Some(known) = &state.known
            && known.until > Instant::now()
        {
            return Ok(Arc::clone(&known.addresses));
        }
        let asked = state
            .asked
            .get_or_insert_with(|| tokio::spawn(ask(self.host.clone(), self.port)));
        let answer = asked.await;
        state.asked = None;
        let addresses: Arc<[SocketAddr]> = answer.map_err(io::Error::other)??.into();
        if addresses.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.known = Some(Known {
            addresses: Arc::clone(&addresses),
            until: Instant::now() + REMEMBERED,
        });
        Ok(addresses)
    }

    /// Forgets what is known: none of it could be reached, and the host may have moved. If somebody is asking
    /// again already, that is as good, and not waited for.
    pub(super) fn forget(&self) {
        if let Ok(mut state) = self.state.try_lock() {
            state.known = None;
        }
    }
}

async fn ask(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    lookup_host((host.as_str(), port)).await.map(Iterator::collect)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer that came before the name led elsewhere, and good for so much longer.
    async fn knowing(names: &Names, good_for: Duration) -> SocketAddr {
        let old = SocketAddr::from(([127, 0, 0, 9], 80));
        names.state.lock().await.known = Some(Known {
            addresses: Arc::new([old]),
            until: Instant::now() + good_for,
        });
        old
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_is_followed() {
        let names = Names::new("localhost", 80);
        let old = knowing(&names, REMEMBERED).await;
        assert_eq!(names.addresses().await.unwrap()[..], [old]);
        // As after a dial that reached none of them.
        names.forget();
        assert!(!names.addresses().await.unwrap().contains(&old));

        let old = knowing(&names, Duration::ZERO).await;
        let anew = names.addresses().await.unwrap();
        assert!(!anew.is_empty() && !anew.contains(&old));
    }
}
