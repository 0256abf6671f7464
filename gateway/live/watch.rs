//! Notices that a configuration has changed on the disk.
//!
//! Notifications of the folders make it quick, a look at the content every few seconds makes it sure: editors
//! rename, Kubernetes swaps a symlink above the file, a bind mount of a single file notifies nobody, and systems
//! run out of watches. What counts is the content alone, of the file and of every secret that it names, and only
//! when it has stopped changing: a file that is half written is not looked at.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::configuration::Origin;
use super::reload::{Reloader, Trigger};
use crate::offload::offload;

/// How often the content is looked at where nothing notifies.
const LOOK: Duration = Duration::from_secs(2);
/// How long a file must have stood still. Editors and copies write a configuration in a few milliseconds.
const SETTLED: Duration = Duration::from_millis(250);

/// The folders that are watched.
struct Folders {
    /// `None` where the system has no watches left.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    events: mpsc::Receiver<()>,
}

/// Reloads whenever the configuration has changed on the disk. It ends when it is dropped, and loses nothing then.
pub async fn watch(reloader: Arc<Reloader>) {
    let mut folders = Folders::new();
    loop {
        let seen = reloader.origin();
        if !folders.are_of(&seen) {
            // Not here: where a folder hangs nobody could connect any more.
            let origin = seen.clone();
            folders = offload(usize::MAX, move || folders.following(&origin)).await;
        }
        folders.stirs().await;
        let Some(changed) = look(&seen).await else {
            continue;
        };
        // Somebody may have asked for it meanwhile.
        if settle(changed).await != reloader.origin() {
            reloader.reload_and_go_on(Trigger::Watch).await;
        }
    }
}

/// The files as they are now, if they are no longer what was seen.
async fn look(seen: &Origin) -> Option<Origin> {
    let before = seen.clone();
    let now = offload(usize::MAX, move || before.now()).await;
    (now != *seen).then_some(now)
}

/// Waits until two looks in a row see the same, and gives that. A file that never stands still is never read by
/// itself.
async fn settle(mut seen: Origin) -> Origin {
    loop {
        sleep(SETTLED).await;
        match look(&seen).await {
            None => return seen,
            Some(now) => seen = now,
        }
    }
}

// === impl Folders ===

impl Folders {
    fn new() -> Self {
        // One place is enough: what matters is that something has happened since the last look.
        let (stir, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if !event.is_ok_and(|event| is_ours(event.kind)) {
                let _ = stir.try_send(());
            }
        });
        Self {
            watcher: watcher.inspect_err(complain).ok(),
            watched: BTreeSet::new(),
            events,
        }
    }

    /// Whether those are watched in which these files are, and no others.
    fn are_of(&self, origin: &Origin) -> bool {
        let wanted: BTreeSet<PathBuf> = origin.folders().map(PathBuf::from).collect();
        self.watcher.is_none() || self.watched == wanted
    }

    /// Watches the folders of these files, and no others.
    fn following(mut self, origin: &Origin) -> Self {
        let Some(watcher) = &mut self.watcher else {
            return self;
        };
        let wanted: BTreeSet<PathBuf> = origin.folders().map(PathBuf::from).collect();
        for folder in self.watched.difference(&wanted) {
            // One that has been removed is not watched any more in any case.
            let _ = watcher.unwatch(folder);
        }
        self.watched.retain(|folder| wanted.contains(folder));
        for folder in wanted {
            if self.watched.contains(&folder) {
                continue;
            }
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                Err(error) => complain(&error),
            }
            // Also where that failed: once is often enough to complain.
            self.watched.insert(folder);
        }
        self
    }

    /// Waits for something to happen in the folders, for [`LOOK`] at most.
    async fn stirs(&mut self) {
        // `None` where there is no watcher: then the time decides.
        if let Ok(None) = timeout(LOOK, self.events.recv()).await {
            sleep(LOOK).await;
        }
    }
}

/// Whether this is our own reading, which would wake us for ever.
fn is_ours(kind: EventKind) -> bool {
    kind.is_access()
}

fn complain(error: &notify::Error) {
    // The paths of the error are those of the configuration, which the log names at the start too.
    let seconds = LOOK.as_secs();
    tracing::warn!(%error, "can't watch the configuration's folder: it is looked at every {seconds} s");
}
