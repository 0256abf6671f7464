//! The signals: what asks the process to stop, and what asks it to read its configuration again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// What asks the process to stop: first gently, then at once.
pub struct Stops(Source);

/// How the process is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// `SIGTERM`, from whoever manages the process.
    Terminate,
    /// `SIGINT`, from a person at a terminal: no balancer has to notice anything first.
    Interrupt,
}

/// What asks the process to read its configuration again.
pub struct Hangups(Option<Signal>);

/// Signals that other programs of Pingora's begin an upgrade with: here the successor asks by itself.
pub struct Strays(Signal);

enum Source {
    Signals { terminate: Signal, interrupt: Signal },
    Told(mpsc::UnboundedReceiver<()>),
}

// === impl Stops ===

impl Stops {
    /// `SIGTERM` and `SIGINT`. From here on they no longer end the process by themselves.
    ///
    /// # Errors
    ///
    /// The signals can't be listened to.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub fn signals() -> io::Result<Self> {
        Ok(Self(Source::Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        }))
    }

    /// Whoever holds the sender, one [`Stop::Terminate`] for each message. When the sender is gone, nobody stops it.
    pub fn told() -> (mpsc::UnboundedSender<()>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(Source::Told(receiver)))
    }

    /// Waits for the next stop.
    pub async fn next(&mut self) -> Stop {
        let (told, stop) = match &mut self.0 {
            Source::Signals { terminate, interrupt } => tokio::select! {
                told = terminate.recv() => (told, Stop::Terminate),
                told = interrupt.recv() => (told, Stop::Interrupt),
            },
            Source::Told(receiver) => (receiver.recv().await, Stop::Terminate),
        };
        match told {
            Some(()) => stop,
            None => std::future::pending().await,
        }
    }
}

// === impl Hangups ===

impl Hangups {
    /// `SIGHUP`. From here on it no longer ends the process by itself.
    ///
    /// # Errors
    ///
    /// The signal can't be listened to.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub fn signals() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(|hangups| Self(Some(hangups)))
    }

    /// Nobody asks.
    pub fn never() -> Self {
        Self(None)
    }

    /// Waits for the next one; several that come before it is waited for are one.
    pub async fn next(&mut self) {
        let hung_up = match &mut self.0 {
            Some(hangups) => hangups.recv().await,
            None => None,
        };
        if hung_up.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

// === impl Strays ===

impl Strays {
    /// `SIGQUIT`. From here on it no longer ends the process.
    ///
    /// # Errors
    ///
    /// The signal can't be listened to.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub fn signals() -> io::Result<Self> {
        signal(SignalKind::quit()).map(Self)
    }

    /// Says of each that it is ignored. Never returns.
    pub async fn ignore(mut self) {
        while self.0.recv().await.is_some() {
            tracing::warn!(
                "SIGQUIT is ignored: an upgrade begins with the successor, `koigate run --upgrade`"
            );
        }
    }
}
