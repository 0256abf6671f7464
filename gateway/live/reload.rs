//! Another plan while hooks run: read, checked whole, swapped as one value, or nothing changes (gateway.md
//! section 8).

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use koigate_config::Report;
use koigate_core::plan::Plan;
use tokio::sync::Mutex as AsyncMutex;

use super::changes::{Changes, Fixed, changes};
use super::configuration::{Configuration, Origin};
use super::{Ground, Running};
use crate::journal;
use crate::logging::Level;
use crate::offload::offload;
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering};

/// Swaps the plan that hooks begin with.
pub struct Reloader {
    running: Arc<ArcSwap<Running>>,
    ground: Ground,
    level: OnceLock<Level>,
    /// Whether plans begin to work: not before hooks are answered.
    begun: AtomicBool,
    fixed: Fixed,
    read: Read,
    /// One reload at a time: each begins with what the one before has left.
    turn: AsyncMutex<()>,
    state: Mutex<State>,
}

/// How a configuration is read again from where it was read before.
type Read = fn(&Origin) -> (Origin, Result<Configuration, Report>);

/// What has asked for a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A file has changed.
    Watch,
    /// `SIGHUP`.
    Signal,
    /// `POST /reload`.
    Request,
}

/// How the configuration stands, for `/status`.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The file.
    pub path: PathBuf,
    /// How many plans there have been, the one of the start included. It grows with each swap.
    pub generation: u64,
    /// The SHA-256 of the file as it was read for the running plan, in hex, as `sha256sum` prints it.
    pub hash: String,
    /// When that was read.
    pub loaded_at: SystemTime,
    /// The last try to read another, if there was one.
    pub last_reload: Option<LastReload>,
    /// The keys whose configured values wait for a restart.
    pub needs_restart: Vec<&'static str>,
    /// How many plans still live: the running one, and those that hooks in flight began with.
    pub plans: usize,
}

/// One try to read another configuration.
#[derive(Debug, Clone)]
pub struct LastReload {
    /// When it ended.
    pub at: SystemTime,
    /// What had asked for it.
    pub trigger: Trigger,
    /// What it changed, in words, or all problems.
    pub result: Result<Vec<String>, Report>,
}

struct State {
    generation: u64,
    hash: String,
    loaded_at: SystemTime,
    last_reload: Option<LastReload>,
    needs_restart: Vec<&'static str>,
    /// What was looked at last, for a good configuration or a bad one.
    origin: Origin,
    /// Every plan that may still live.
    plans: Vec<Weak<Running>>,
}

// === impl Reloader ===

impl Reloader {
    /// Brings the first plan of a process to life.
    pub fn start(configuration: Configuration, ground: Ground) -> Self {
        let Configuration { plan, origin, .. } = configuration;
        let fixed = Fixed::of(&plan);
        let running = Arc::new(Running::new(plan, None, &ground));
        let now = SystemTime::now();
        ground.metrics.count_start(now);
        let state = State {
            generation: 1,
            hash: origin.hash(),
            loaded_at: now,
            last_reload: None,
            needs_restart: Vec::new(),
            origin,
            plans: vec![Arc::downgrade(&running)],
        };
        Self {
            running: Arc::new(ArcSwap::new(running)),
            ground,
            level: OnceLock::new(),
            begun: AtomicBool::new(false),
            fixed,
            read: Origin::read,
            turn: AsyncMutex::default(),
            state: Mutex::new(state),
        }
    }

    /// From here on the log's level follows the configuration.
    pub fn turns(&self, level: Level) {
        // A process has one log, so a second one can't come.
        let _ = self.level.set(level);
    }

    /// From here on the backends are checked that are to be checked, and observers told, of this plan and of those that
    /// follow.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
        self.running().begin();
    }

    /// Where the plan stands that hooks begin with.
    pub fn cell(&self) -> Arc<ArcSwap<Running>> {
        self.running.clone()
    }

    /// The plan that hooks begin with now.
    pub fn running(&self) -> Arc<Running> {
        self.running.load_full()
    }

    /// Reads the configuration, checks it whole and swaps it in. Hooks in flight finish on the plan that they began
    /// with. It is counted, logged and shown on `/status`, whatever comes of it; dropped before it is done, it has
    /// changed nothing.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it. The running plan stays then.
    pub async fn reload(&self, trigger: Trigger) -> Result<Changes, Report> {
        let _turn = self.turn.lock().await;
        let (read, before) = (self.read, self.origin());
        let (origin, read) = offload(usize::MAX, move || read(&before)).await;
        // From here to the end nothing awaits.
        self.state().origin = origin;
        let result = read.map(|configuration| self.take(configuration));
        self.conclude(trigger, &result);
        result
    }

    /// The same for whoever goes on whatever comes of it. A panic is a fault of ours: it is logged and counted as a
    /// failed reload, and not run into again before something has changed.
    pub async fn reload_and_go_on(&self, trigger: Trigger) {
        // What comes of it otherwise is logged, counted and shown where it happens.
        if AssertUnwindSafe(self.reload(trigger))
            .catch_unwind()
            .await
            .is_ok()
        {
            return;
        }
        let before = self.origin();
        let now = offload(usize::MAX, move || before.now()).await;
        self.state().origin = now;
        self.ground.metrics.count_reload(false, SystemTime::now());
        journal::broken_reload(trigger);
    }

    /// How the configuration stands now.
    pub fn standing(&self) -> Standing {
        let state = self.state();
        Standing {
            path: state.origin.path().to_owned(),
            generation: state.generation,
            hash: state.hash.clone(),
            loaded_at: state.loaded_at,
            last_reload: state.last_reload.clone(),
            needs_restart: state.needs_restart.clone(),
            plans: state.plans.iter().filter(|plan| plan.strong_count() > 0).count(),
        }
    }

    /// What was looked at last.
    pub(super) fn origin(&self) -> Origin {
        self.state().origin.clone()
    }

    /// Runs a good configuration, as far as a running process can.
    pub(super) fn take(&self, configuration: Configuration) -> Changes {
        let Configuration {
            plan,
            warnings,
            origin,
        } = configuration;
        let needs_restart = self.fixed.waiting(&plan);
        let running = self.running();
        let lines = changes(&running.plan, &plan);
        if !lines.is_empty() {
            self.swap(&running, plan);
        }
        let mut state = self.state();
        state.hash = origin.hash();
        state.loaded_at = SystemTime::now();
        state.needs_restart.clone_from(&needs_restart);
        Changes {
            lines,
            needs_restart,
            warnings,
        }
    }

    fn swap(&self, before: &Running, plan: Plan) {
        if let Some(level) = self.level.get() {
            level.turn(plan.log.level);
        }
        let after = Arc::new(Running::new(plan, Some(before), &self.ground));
        let mut state = self.state();
        state.generation += 1;
        state.plans.retain(|plan| plan.strong_count() > 0);
        state.plans.push(Arc::downgrade(&after));
        drop(state);
        self.running.store(after.clone());
        if self.begun.load(Ordering::Relaxed) {
            after.begin();
        }
        self.ground.metrics.forget(&before.plan, &after.plan);
    }

    fn conclude(&self, trigger: Trigger, result: &Result<Changes, Report>) {
        let at = SystemTime::now();
        let mut state = self.state();
        state.last_reload = Some(LastReload {
            at,
            trigger,
            result: match result {
                Ok(changes) => Ok(changes.lines.clone()),
                Err(report) => Err(report.clone()),
            },
        });
        let generation = state.generation;
        drop(state);
        self.ground.metrics.count_reload(result.is_ok(), at);
        journal::reload(trigger, generation, result);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Trigger ===

impl Trigger {
    /// One word, for the log and `/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Signal => "signal",
            Self::Request => "request",
        }
    }
}

#[cfg(test)]
mod tests;
