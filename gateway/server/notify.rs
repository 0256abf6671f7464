//! What a service manager is told of the process's life (sd_notify(3)); nothing where there is none.

use rustix::process::Pid;
use sd_notify::NotifyState;

/// Callers are let in.
pub(crate) fn ready() {
    say(&[NotifyState::Ready]);
}

/// The same, and from here on this is the process that the service consists of.
pub(super) fn ready_in_the_place_of_another() {
    say(&[NotifyState::MainPid(std::process::id()), NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] follows.
pub(crate) fn reloading() {
    // systemd takes the moment for an answer to its own request only where it is told when it was.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => say(&[NotifyState::Reloading, now]),
        Err(_) => say(&[NotifyState::Reloading]),
    }
}

/// The process has been told to stop.
pub(super) fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// Another process is the service from here on. It may not be heard itself before this one has said so.
pub(super) fn succeeded_by(successor: Pid) {
    say(&[NotifyState::MainPid(
        successor.as_raw_nonzero().get().unsigned_abs(),
    )]);
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager can't be told");
    }
}
