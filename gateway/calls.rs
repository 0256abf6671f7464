//! The calls of one stage.
//!
//! They run inside the hook's own task, a future each and no task of their own. Dropping [`Calls`] lets those that
//! still run end by rule, whatever the reason: another backend's reject, the hook's deadline, a caller who left.
//! They get [`LINGER`] to end unread, so that their connections can be kept; where the backend says
//! `always_finish` they run to their own timeout.

mod set;

use std::future::{Future, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use koigate_core::failure::Failure;
use koigate_core::judge::{Judgement, Request, judge, weight};
use koigate_core::plan::{BackendId, Plan};
use koigate_core::reply::Reply;
use koigate_core::tally::Requests;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use self::set::{Set, Stay};
use crate::buffered::{Full, Held};
use crate::offload::{is_heavy, offload};

/// How long a call without a say any more may take to end. Cutting it at once costs its connection: half of
/// the throughput where rejects are common.
pub const LINGER: Duration = Duration::from_millis(250);

/// Whoever can put one question to one backend.
pub trait Caller: Send + Sync + 'static {
    /// Who wants to know what a reply is judged to be.
    type Watch: Watch;

    /// Asks: what it brought, or no usable reply and who is at fault. Dropping the future ends the call; it ends by
    /// itself within the backend's `timeout`, from `started` on. Once the call is lost nothing new is begun for it.
    fn call(
        &self,
        backend: BackendId,
        body: Bytes,
        started: Instant,
        lost: &Lost,
    ) -> impl Future<Output = (Result<Reply, Failure>, Self::Watch)> + Send;

    /// Room for what is about to be made of the replies. Without a limit there always is some.
    ///
    /// # Errors
    ///
    /// There is none.
    fn hold(&self, _bytes: usize) -> Result<Held, Full> {
        Ok(Held::uncounted())
    }

    /// This has been made of the replies, in its room; the next stage is sent it.
    fn keep(&self, _made: &Bytes) {}
}

/// Who wants to know what a reply is judged to be. Dropped instead, nobody has judged it.
pub trait Watch: Send {
    /// It is judged to be this.
    fn judged(self, judgement: &Judgement);
}

/// Whether anybody still reads what the calls of a stage bring.
#[derive(Debug, Default)]
pub struct Lost(AtomicBool);

/// What the calls of a stage have in common. One piece of memory that only they know of: what all hooks share, each
/// thread would have to fetch from the other to count one more reference to it.
struct Common<C> {
    caller: Arc<C>,
    plan: Arc<Plan>,
    started: Instant,
    lost: Lost,
}

/// A call that has ended while it had a say.
#[derive(Debug)]
pub struct Ended {
    /// Which of the stage's calls.
    pub slot: usize,
    /// What it brought.
    pub judgement: Judgement,
    /// From its start to its judgement.
    pub took: Duration,
}

/// The calls of one stage that still run.
pub struct Calls<C, F: Future<Output = Option<Ended>> + Send + 'static> {
    /// Those that always finish stay long, the others are cut when they have no say any more.
    running: Set<F>,
    /// Armed only where a call's own timeout would let it run past it.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Where it is said that nobody reads any more, so that no reply is judged for nobody.
    common: Arc<Common<C>>,
}

/// Starts every call of a stage at this time, before the deadline, which cuts them.
pub fn start<C: Caller>(
    caller: &Arc<C>,
    requests: Requests,
    started: Instant,
    deadline: Instant,
) -> Calls<C, impl Future<Output = Option<Ended>> + Send + 'static + use<C>> {
    let Requests { plan, asked } = requests;
    let mut calls = Calls {
        running: Set::with_capacity(asked.len()),
        deadline: None,
        common: Arc::new(Common {
            caller: caller.clone(),
            plan,
            started,
            lost: Lost::default(),
        }),
    };
    for request in asked {
        let Some(backend) = calls.common.plan.backend(request.id) else {
            // Whoever made the request has found the backend in this very plan.
            continue;
        };
        if calls.deadline.is_none() && started + backend.timeout > deadline {
            calls.deadline = Some(Box::pin(sleep_until(deadline)));
        }
        let stay = if backend.always_finish {
            Stay::Long
        } else {
            Stay::Short
        };
        // Its place first, so that it is made there and not moved in: 550 instructions a hook of three calls.
        let place = Box::new_uninit();
        let call = Box::write(place, one(calls.common.clone(), request));
        calls.running.push(Box::into_pin(call), stay);
    }
    calls
}

/// One call, from question to judgement; `None` where nobody reads that any more.
async fn one<C: Caller>(common: Arc<Common<C>>, request: Request) -> Option<Ended> {
    let body = request.view.bytes().clone();
    let asking = common.caller.call(request.id, body, common.started, &common.lost);
    let (brought, watch) = asking.await;
    if common.lost.is_so() {
        return None;
    }
    let slot = request.slot;
    let backend = common.plan.backend(request.id)?;
    let weight = weight(backend, &request, &brought);
    let judgement = if is_heavy(weight) {
        let common = common.clone();
        let judged = move || Some(judge(common.plan.backend(request.id)?, &request, brought));
        offload(weight, judged).await?
    } else {
        judge(backend, &request, brought)
    };
    watch.judged(&judgement);
    Some(Ended {
        slot,
        judgement,
        took: common.started.elapsed(),
    })
}

// === impl Lost ===

impl Lost {
    /// Whether nobody reads any more.
    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

// === impl Watch ===

impl Watch for () {
    fn judged(self, _judgement: &Judgement) {}
}

impl<W: Watch> Watch for Option<W> {
    fn judged(self, judgement: &Judgement) {
        if let Some(watch) = self {
            watch.judged(judgement);
        }
    }
}

// === impl Calls ===

impl<C, F: Future<Output = Option<Ended>> + Send + 'static> Calls<C, F> {
    /// The next call to end; `None` when all have, or at the deadline. Nothing is lost if this is dropped.
    pub async fn next(&mut self) -> Option<Ended> {
        poll_fn(|context| self.poll(context)).await
    }

    /// Nobody reads any more. Where all answer at once, the replies of those that still run are often there by now:
    /// these end here, and where none is left no task has to be made for them.
    pub fn end(mut self) {
        self.common.lost.set();
        // Whoever goes on with the others asks to be woken.
        let mut context = Context::from_waker(Waker::noop());
        let _ = poll_unread(&mut self.running, &mut context);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Ended>> {
        match self.running.poll_next(context) {
            // `lost` is set only once nobody polls this any more, so what ends here has been judged.
            Poll::Ready(ended) => return Poll::Ready(ended.flatten()),
            Poll::Pending => {}
        }
        match &mut self.deadline {
            Some(deadline) => deadline.as_mut().poll(context).map(|()| None),
            None => Poll::Pending,
        }
    }
}

impl<C, F: Future<Output = Option<Ended>> + Send + 'static> Drop for Calls<C, F> {
    fn drop(&mut self) {
        if self.running.is_empty() {
            return;
        }
        self.common.lost.set();
        let running = mem::replace(&mut self.running, Set::with_capacity(0));
        // Without a runtime the process is ending, and so are the calls.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(linger(running));
        }
    }
}

/// Lets calls end unread.
async fn linger<F: Future>(mut running: Set<F>) {
    let all_end = timeout(LINGER, drain(&mut running)).await;
    if all_end.is_err() {
        // Their connections go with them.
        running.cut();
        drain(&mut running).await;
    }
}

async fn drain<F: Future>(calls: &mut Set<F>) {
    poll_fn(|context| poll_unread(calls, context)).await;
}

/// Until all have ended. Nobody reads what they bring, and where one panics, which has been logged, the others go on:
/// the hook has its answer.
fn poll_unread<F: Future>(calls: &mut Set<F>, context: &mut Context<'_>) -> Poll<()> {
    loop {
        match catch_unwind(AssertUnwindSafe(|| calls.poll_next(context))) {
            Ok(Poll::Ready(None)) => return Poll::Ready(()),
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Some(_))) | Err(_) => {}
        }
    }
}
