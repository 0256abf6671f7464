//! One observer's lane: from the answers that have left to the observer, one after the other.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use koigate_core::failure::Failure;
use koigate_core::judge::Judgement;
use koigate_core::observer::{self, Next, Sees, Told, Tries};
use koigate_core::plan::{self, Backend, BackendId};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::Tidings;
use super::account::with_another;
use super::queue::{InMemory, Key, Notice, Queue, Waiting};
use crate::apart;
use crate::calls::{Caller as _, Lost, Watch as _};
use crate::live::{HookCaller, LiveHook, Running, SHARE_BESIDE};
use crate::metrics::HookMeters;
use crate::offload::offload;

/// How many tidings may wait to be packed. Packing waits for nobody, so that more of them are more than it can do. What
/// their documents may hold is bounded too, since they are the hooks' own: see [`Shared::admits`].
const INTAKE: usize = 1024;

/// The longest wait between two tries once the process is to end.
const HURRIED: Duration = Duration::from_millis(200);

/// A tenth more or less, so that what failed together is not tried together.
const SPREAD: f64 = 0.1;

/// How often it is said in the log that notices are lost.
const SAID_AGAIN: Duration = Duration::from_secs(60);

/// What stands between the hooks and one observer. When the last that holds it lets go, the observer is none any more,
/// and what still waits is dropped.
pub struct Lane<Q: Queue = InMemory> {
    intake: mpsc::Sender<(BackendId, Arc<Tidings>)>,
    /// Until it is begun.
    outlet: Mutex<Option<Outlet>>,
    shared: Arc<Shared<Q>>,
}

type Outlet = mpsc::Receiver<(BackendId, Arc<Tidings>)>;

/// What the lane shares with the task that works for it.
struct Shared<Q> {
    observer: Arc<str>,
    queue: Q,
    /// Where it is found how to reach the observer by now.
    route: Mutex<Weak<Running>>,
    /// Notices that are neither delivered nor dropped, those that are still to be packed included.
    open: watch::Sender<usize>,
    /// The bytes of the documents that are still to be packed.
    unpacked: AtomicUsize,
    hurried: watch::Sender<bool>,
    /// What the last notice was made for: most are made for the same.
    sees: Mutex<Arc<Sees>>,
    losses: Mutex<Losses>,
}

/// Losses that the log has not heard of.
#[derive(Debug, Default)]
struct Losses {
    unsaid: u64,
    /// How the last of them ended.
    last: Option<Told>,
    said: Option<Instant>,
}

/// A notice on its way to its observer, as the plan that runs now has it.
struct Way {
    running: Arc<Running>,
    hook: Arc<LiveHook>,
    id: BackendId,
    backend: Arc<Backend>,
}

// === impl Lane ===

impl Lane {
    /// The lane of an observer, with an empty queue in memory.
    pub fn in_memory(observer: &Backend) -> Self {
        Self::new(observer, InMemory::new(observer.queue))
    }
}

impl<Q: Queue> Lane<Q> {
    /// The lane of an observer, with this queue. Nothing is delivered until it is begun.
    pub fn new(observer: &Backend, queue: Q) -> Self {
        let (intake, outlet) = mpsc::channel(INTAKE);
        Self {
            intake,
            outlet: Mutex::new(Some(outlet)),
            shared: Arc::new(Shared {
                observer: observer.name.clone(),
                queue,
                route: Mutex::default(),
                open: watch::Sender::new(0),
                unpacked: AtomicUsize::new(0),
                hurried: watch::Sender::new(false),
                sees: Mutex::default(),
                losses: Mutex::default(),
            }),
        }
    }

    /// From here on notices go by this plan, and what waits is bounded as it says. The first time, the lane begins to
    /// work, apart from the hooks: what an observer floods is in the way of nobody else.
    ///
    /// # Panics
    ///
    /// Outside a runtime, where the system gives no thread for that.
    pub fn go_by(&self, running: &Arc<Running>, limits: plan::Queue) {
        *lock(&self.shared.route) = Arc::downgrade(running);
        self.shared.queue.limit_to(limits);
        if let Some(outlet) = lock(&self.outlet).take() {
            apart::spawn(work(self.shared.clone(), outlet));
        }
    }

    /// Takes in what this observer is to be told. Never waits.
    pub(super) fn take(&self, observer: BackendId, tidings: &Arc<Tidings>) {
        self.shared.open.send_modify(|open| *open += 1);
        let is_in = self.shared.admits(tidings) && {
            let is_in = self.intake.try_send((observer, tidings.clone())).is_ok();
            if !is_in {
                self.shared.is_packed(tidings);
            }
            is_in
        };
        if !is_in {
            self.shared.end(&tidings.hook.meters, observer, Told::Overflow);
        }
    }

    /// What waits.
    pub fn waiting(&self) -> Waiting {
        self.shared.queue.waiting()
    }

    /// Returns once everything that was taken in is delivered or dropped. From here on what fails is tried again soon:
    /// there is not much time left.
    pub async fn finish(&self) {
        self.shared.hurried.send_replace(true);
        // The sender is here: it can't have gone.
        let _ = self.shared.open.subscribe().wait_for(|open| *open == 0).await;
    }

    /// Says how many notices the end of the process drops.
    pub fn count_stopped(&self) {
        let notices = *self.shared.open.borrow();
        if notices > 0 {
            let (observer, result) = (&*self.shared.observer, Told::Stopped.as_str());
            tracing::warn!(
                observer,
                notices,
                result,
                "ending with notices that were not delivered"
            );
        }
    }
}

// === the work ===

/// Packs and delivers until the lane has gone.
async fn work<Q: Queue>(shared: Arc<Shared<Q>>, outlet: Outlet) {
    tokio::select! {
        () = pack(&shared, outlet) => {}
        never = deliver(&shared) => match never {},
    }
    let notices = *shared.open.borrow();
    if notices > 0 {
        let (observer, result) = (&*shared.observer, Told::Removed.as_str());
        tracing::warn!(
            observer,
            notices,
            result,
            "the configuration does without an observer: its notices are dropped"
        );
    }
}

/// Makes notices of what is taken in, in order, until the lane has gone.
async fn pack<Q: Queue>(shared: &Shared<Q>, mut outlet: Outlet) {
    while let Some((id, tidings)) = outlet.recv().await {
        let end = contained(async {
            let notice = packed(shared, id, &tidings).await?;
            shared.queue.push(notice).await.map_err(|_| Told::Overflow)
        });
        let end = end.await.unwrap_or(Err(Told::Broken));
        shared.is_packed(&tidings);
        if let Err(told) = end {
            shared.end(&tidings.hook.meters, id, told);
        }
    }
}

/// What comes of this, or nothing if it panics: that is one notice's end and not the lane's. Its place is in the log.
async fn contained<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// What the observer is told, as the plan wants it that the hook ran on.
async fn packed<Q: Queue>(shared: &Shared<Q>, id: BackendId, tidings: &Arc<Tidings>) -> Result<Notice, Told> {
    let Some(backend) = tidings.plan().backend(id).cloned() else {
        // A chain names only backends of its own plan.
        return Err(Told::Removed);
    };
    let length = tidings.document.bytes().len();
    // While the observer is away most end here, and cost next to nothing. Of what it may see nothing may be left; whether
    // it is to be told at all has to be looked at.
    let least = if backend.guards.look_into_documents() {
        0
    } else {
        length
    };
    if backend.when.is_empty() && !shared.queue.has_room(tidings.account.weight(least)) {
        return Err(Told::Overflow);
    }
    let (source, sees) = (tidings.clone(), shared.sees(&backend));
    let (body, document) = offload(length, move || {
        let document = observer::document(&backend, &source.document)?;
        Ok::<_, Told>(source.account.with(document.as_ref()))
    })
    .await?;
    Ok(Notice {
        key: Key {
            hook: tidings.ids.request.clone(),
            observer: shared.observer.to_string(),
        },
        hook: tidings.name.clone(),
        ids: tidings.ids.clone(),
        verdict: tidings.verdict,
        body,
        document,
        sees,
        since: Instant::now(),
    })
}

/// Delivers one notice after the other.
async fn deliver<Q: Queue>(shared: &Shared<Q>) -> std::convert::Infallible {
    let mut is_well = true;
    loop {
        let notice = shared.queue.first().await;
        let told = contained(settle(shared, &notice, &mut is_well)).await;
        let told = told.unwrap_or(Told::Broken);
        shared.queue.settle(&notice.key).await;
        match shared.way(&notice) {
            Some(way) => shared.end(&way.hook.meters, way.id, told),
            None => shared.lose(told),
        }
    }
}

/// Tries one notice until it is done with.
async fn settle<Q: Queue>(shared: &Shared<Q>, notice: &Notice, is_well: &mut bool) -> Told {
    let mut made = 0;
    loop {
        let Some(way) = shared.way(notice) else {
            return Told::Removed;
        };
        let backend = way.backend.clone();
        let brought = way.call(notice, seen(notice, &backend).await).await;
        made += 1;
        let tries = Tries {
            made,
            waited: notice.since.elapsed(),
            give_up: backend.queue.give_up,
        };
        let outcome = brought.as_ref().copied().map_err(|failure| failure.kind);
        let next = observer::next(outcome, &backend.failure_statuses, tries);
        shared.say(notice, &brought, next, is_well);
        match next {
            Next::Over(told) => return told,
            Next::Again(wait) => shared.pause(wait).await,
        }
    }
}

/// What is sent of a notice. A reload may have hidden since what may be seen in it.
async fn seen(notice: &Notice, backend: &Backend) -> Bytes {
    if notice.sees.is_by(&backend.guards) {
        return notice.body.clone();
    }
    let (notice, sees) = (notice.clone(), Sees::by(&backend.guards));
    offload(notice.body.len(), move || {
        let end = notice.body.len().saturating_sub(1);
        let document = notice.body.slice(notice.document.min(end)..end);
        let document = sees.of_seen(&notice.sees, document);
        with_another(&notice.body, notice.document, document.as_ref())
    })
    .await
}

// === impl Shared ===

impl<Q: Queue> Shared<Q> {
    /// What this observer may see, shared with the notices before.
    fn sees(&self, observer: &Backend) -> Arc<Sees> {
        let mut sees = lock(&self.sees);
        if !sees.is_by(&observer.guards) {
            *sees = Arc::new(Sees::by(&observer.guards));
        }
        sees.clone()
    }

    /// Whether there is room for more that is to be packed. Packing makes a copy, and until then the document is the
    /// hook's own and holds the hooks' room: all of them may hold what goes on beside the hooks may, so that no hook is
    /// refused for it. One of any size is taken in if nothing else waits.
    fn admits(&self, tidings: &Tidings) -> bool {
        let most = tidings.plan().server.max_buffered / SHARE_BESIDE;
        let bytes = tidings.document.bytes().len();
        let before = self.unpacked.fetch_add(bytes, Ordering::Relaxed);
        let fits = before == 0 || before.saturating_add(bytes) <= most;
        if !fits {
            self.is_packed(tidings);
        }
        fits
    }

    fn is_packed(&self, tidings: &Tidings) {
        let bytes = tidings.document.bytes().len();
        self.unpacked.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How the notice reaches its observer by now; none if it is none of that hook any more.
    fn way(&self, notice: &Notice) -> Option<Way> {
        let running = lock(&self.route).upgrade()?;
        let hook = running.hook(&notice.hook)?.clone();
        let observers = &hook.chain.as_ref()?.observers;
        let (id, backend) = observers.iter().find_map(|&id| {
            let backend = running.plan.backend(id)?;
            (*backend.name == *self.observer).then(|| (id, backend.clone()))
        })?;
        Some(Way {
            running,
            hook,
            id,
            backend,
        })
    }

    /// Waits between two tries, and not long where the process is to end.
    async fn pause(&self, wait: Duration) {
        let spread = 1.0 + SPREAD * (2.0 * fastrand::f64() - 1.0);
        let mut hurried = self.hurried.subscribe();
        let is_over = tokio::select! {
            () = sleep(wait.mul_f64(spread)) => true,
            // The sender is in `self`: it can't have gone.
            _ = hurried.wait_for(|is_so| *is_so) => false,
        };
        if !is_over {
            sleep(wait.min(HURRIED)).await;
        }
    }

    /// A notice is done with.
    fn end(&self, meters: &HookMeters, id: BackendId, told: Told) {
        meters.count_told(id, told);
        if told.is_loss() {
            self.lose(told);
        } else {
            self.close_one();
            self.say_losses(&mut lock(&self.losses));
        }
    }

    /// One that was to be delivered is dropped: the log hears of it, though not of each.
    fn lose(&self, told: Told) {
        self.close_one();
        let mut losses = lock(&self.losses);
        losses.unsaid += 1;
        losses.last = Some(told);
        self.say_losses(&mut losses);
    }

    /// Says what the log has not heard of, where it has heard of nothing for a while. The last losses of many are said
    /// with what is told next.
    fn say_losses(&self, losses: &mut Losses) {
        let Some(told) = losses.last else {
            return;
        };
        if losses.said.is_none_or(|said| said.elapsed() >= SAID_AGAIN) {
            let (observer, notices, result) = (&*self.observer, losses.unsaid, told.as_str());
            tracing::warn!(observer, notices, result, "an observer was not told");
            *losses = Losses {
                unsaid: 0,
                last: None,
                said: Some(Instant::now()),
            };
        }
    }

    fn close_one(&self) {
        self.open.send_modify(|open| *open = open.saturating_sub(1));
    }

    /// Says when an observer falls ill and when it is well again, and each try at `debug`.
    fn say(&self, notice: &Notice, brought: &Result<u16, Failure>, next: Next, is_well: &mut bool) {
        let (observer, hook, id) = (&*self.observer, notice.hook.as_str(), &*notice.ids.request);
        let what = match brought {
            Ok(status) => format!("status {status}"),
            Err(failure) => format!("{}: {}", failure.kind.as_str(), failure.detail),
        };
        tracing::debug!(id, hook, observer, what, "notice");
        match next {
            Next::Again(_) if *is_well => {
                *is_well = false;
                tracing::warn!(
                    observer,
                    what,
                    "an observer is not well: what it is to be told waits"
                );
            }
            Next::Over(Told::Delivered) if !*is_well => {
                *is_well = true;
                let waiting = self.queue.waiting().notices;
                tracing::info!(observer, waiting, "an observer is well again");
            }
            Next::Again(_) | Next::Over(_) => {}
        }
    }
}

// === impl Way ===

impl Way {
    /// Calls the observer once with this body: the status of its answer.
    async fn call(self, notice: &Notice, body: Bytes) -> Result<u16, Failure> {
        let (hook, id, statuses) = (self.hook.clone(), self.id, self.backend.failure_statuses.clone());
        let begun = Instant::now();
        let deadline = begun + self.backend.timeout;
        let caller = HookCaller::telling(
            self.running,
            self.hook,
            notice.ids.clone(),
            (&body, notice.verdict),
            deadline,
        );
        let (brought, admitted) = caller.call(id, body.clone(), begun, &Lost::default()).await;
        let brought = brought.map(|reply| reply.status);
        let failure = observer::failure(&brought, &statuses);
        if let (Some(admitted), Ok(status)) = (admitted, &brought) {
            // What it says in JSON is for nobody, so that it can't be wrong either.
            let (status, not_an_object) = (*status, false);
            admitted.judged(&Judgement::Nothing {
                status,
                not_an_object,
            });
        }
        hook.meters.count_notice(id, failure, begun.elapsed());
        brought
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that runs under these locks leaves what they guard half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
