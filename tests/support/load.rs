//! Bots that send one hook after another, and a count of what became of each.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::koipy::Koipy;
use super::wire::Wire;

/// Bots that send hooks until they are refused.
pub(crate) struct Load {
    bots: Vec<JoinHandle<Tally>>,
    last: Arc<Mutex<Option<Instant>>>,
}

/// What became of hooks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Those with a whole answer.
    pub(crate) answered: usize,
    /// Those on a connection of their own that ended without one.
    pub(crate) lost: usize,
    /// Those on a kept connection that ended before a byte of one: sent again, as every client does.
    pub(crate) again: usize,
    /// Bots that nobody listened to any more.
    pub(crate) refused: usize,
}

/// How bots use their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// One for each hook, as koipy does.
    Fresh,
    /// One for as long as the gateway keeps it.
    Kept,
}

/// So many bots, who begin at once.
pub(crate) fn load(address: SocketAddr, bots: usize, manner: Manner) -> Load {
    let last = Arc::default();
    let bot = |_| {
        let bot = Bot {
            bot: Koipy::at(address),
            address,
            manner,
            last: Arc::clone(&last),
        };
        tokio::spawn(bot.goes_on())
    };
    Load {
        bots: (0..bots).map(bot).collect(),
        last: last.clone(),
    }
}

// === impl Load ===

impl Load {
    /// Waits until nobody is listened to any more: what became of the hooks, and when the last was answered.
    pub(crate) async fn until_refused(self) -> (Tally, Option<Instant>) {
        let mut sum = Tally::default();
        for bot in self.bots {
            let tally = bot.await.expect("no bot panics");
            sum.answered += tally.answered;
            sum.lost += tally.lost;
            sum.again += tally.again;
            sum.refused += tally.refused;
        }
        (sum, *self.last.lock().expect("no bot panics while it holds this"))
    }
}

struct Bot {
    bot: Koipy,
    address: SocketAddr,
    manner: Manner,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Bot {
    async fn goes_on(self) -> Tally {
        let mut tally = Tally::default();
        let mut kept: Option<Wire> = None;
        loop {
            let was_kept = kept.is_some();
            let wire = match kept.take() {
                Some(wire) => wire,
                None => match TcpStream::connect(self.address).await {
                    Ok(stream) => Wire::new(stream),
                    Err(_) => {
                        tally.refused += 1;
                        return tally;
                    }
                },
            };
            match self.asks(wire).await {
                Some(wire) => {
                    tally.answered += 1;
                    kept = wire;
                }
                None if was_kept => tally.again += 1,
                None => tally.lost += 1,
            }
        }
    }

    /// The connection, where it may be used again; nothing where there was no answer.
    async fn asks(&self, mut wire: Wire) -> Option<Option<Wire>> {
        wire.write(self.bot.request("/onMessage", b"{}")).await.ok()?;
        let response = wire.response().await.ok()?;
        assert_eq!(response.status, 204, "{response:?}");
        *self.last.lock().expect("no bot panics while it holds this") = Some(Instant::now());
        let stays = self.manner == Manner::Kept && response.header("connection") != Some("close");
        Some(stays.then_some(wire))
    }
}
