//! How the connections of a group of listeners are brought to their end.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

/// How long an idle connection is still read once all are to go: a request that was sent before its caller could
/// know is answered, not reset. And how long one is that has had its last answer.
const PARTING_TIME: Duration = Duration::from_millis(50);

/// How far it has come. It only goes on, from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leave {
    /// Whoever is connected may stay.
    Staying,
    /// Each answer is the last of its connection, and says so.
    LastAnswers,
    /// And whoever has no request under way is let go.
    Closing,
}

/// Where a connection sees it.
pub(super) type LeaveWatch = watch::Receiver<Leave>;

/// Returns a while after those who have no request under way are to go.
pub(super) async fn closing(mut leave: LeaveWatch) {
    // An error says that who would tell is gone: the same.
    let _ = leave.wait_for(|leave| *leave == Leave::Closing).await;
    sleep(PARTING_TIME).await;
}
