//! Bots that send one hook after another, and a count of what became of each.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::gateway::Gateway;
use super::koipy::Koipy;
use super::payload::payload;
use super::wire::Wire;

/// Bots that send hooks until they are told to end, or are refused.
pub(crate) struct Load {
    bots: Vec<JoinHandle<Tally>>,
    over: Arc<AtomicBool>,
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
    let (over, last) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let bot = |_| {
        let bot = Bot {
            bot: Koipy::at(address),
            address,
            manner,
            over: Arc::clone(&over),
            last: Arc::clone(&last),
        };
        tokio::spawn(bot.goes_on())
    };
    Load {
        bots: (0..bots).map(bot).collect(),
        over,
        last: last.clone(),
    }
}

// === impl Load ===

impl Load {
    /// Lets each bot finish its hook.
    pub(crate) async fn ends(self) -> Tally {
        self.over.store(true, Ordering::Relaxed);
        self.until_refused().await.0
    }

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

/// Bots that act on each answer as koipy does, to whom every hook has to be answered 204.
pub(crate) struct Crew {
    bots: Vec<JoinHandle<usize>>,
    over: Arc<AtomicBool>,
}

/// So many of them, who begin at once.
pub(crate) fn crew(gateway: &Gateway, bots: usize) -> Crew {
    let over = Arc::new(AtomicBool::new(false));
    let bot = |_| {
        let (koipy, over) = (gateway.koipy(), Arc::clone(&over));
        tokio::spawn(async move {
            let mut fired = 0;
            while !over.load(Ordering::Relaxed) {
                let after = koipy.fires("onMessage", &payload("onMessage", 0)).await;
                assert_eq!(after.response.status, 204, "{:?}", after.response);
                fired += 1;
            }
            fired
        })
    };
    Crew {
        bots: (0..bots).map(bot).collect(),
        over,
    }
}

// === impl Crew ===

impl Crew {
    /// Lets each finish its hook: how many all of them have fired.
    pub(crate) async fn ends(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        let mut fired = 0;
        for bot in self.bots {
            fired += bot.await.expect("every hook is answered 204");
        }
        fired
    }
}

struct Bot {
    bot: Koipy,
    address: SocketAddr,
    manner: Manner,
    over: Arc<AtomicBool>,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Bot {
    async fn goes_on(self) -> Tally {
        let mut tally = Tally::default();
        let mut kept: Option<Wire> = None;
        while !self.over.load(Ordering::Relaxed) {
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
        tally
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
