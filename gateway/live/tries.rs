//! The tries of one call: which replica each asks, how long it may take, and whether another follows.
//!
//! `timeout` is the end of the call, however many tries it makes. While there are retries left, a try has an equal
//! share of the time that remains, so that one replica which hangs doesn't take it all; the last has the rest. A try
//! whose share is over is given up only for another that may be made: where the budget allows none, or nobody reads
//! the answer any more, it goes on to the end of the call.

use std::pin::pin;

use koigate_core::failure::{Failure, FailureKind};
use koigate_core::health::Sign;
use koigate_core::plan::{BackendId, StatusSet};
use koigate_core::reply::Reply;
use tokio::time::{Instant, timeout};

use super::LiveBackend;
use super::balance::Chosen;
use crate::calls::Lost;
use crate::metrics::HookMeters;
use crate::outbound::{Request, Template, Upstream};

/// What the tries of one call have in common.
pub(super) struct Tries<'a> {
    pub(super) live: &'a LiveBackend,
    /// How requests to each replica begin.
    pub(super) templates: &'a [Template],
    pub(super) lost: &'a Lost,
    /// The end of the call.
    pub(super) deadline: Instant,
    /// What the tries share: to the end of the call, or of the hook if that comes first.
    pub(super) until: Instant,
    /// When dropping the call means that the replica has failed, if ever.
    pub(super) cut: Option<Instant>,
    /// Where retries are counted.
    pub(super) meters: (&'a HookMeters, BackendId),
}

/// How a try has ended.
enum End {
    Brought(Result<Reply, Failure>),
    /// Its share of the time is over, and another try may be made.
    GivenUp,
}

impl Tries<'_> {
    /// Makes one try after another until one is good, or no other may follow: what the last has brought.
    pub(super) async fn run(self, request: &Request<'_>) -> Result<Reply, Failure> {
        let statuses = &self.live.backend.failure_statuses;
        let mut left = self.live.backend.retries;
        let mut tried = Vec::new();
        self.live.pay_in();
        loop {
            let chosen = self.live.choose(&tried, self.cut);
            let index = chosen.as_ref().map_or(0, Chosen::index);
            let (Some(upstream), Some(template)) =
                (self.live.upstreams.get(index), self.templates.get(index))
            else {
                // There is a template for each replica, and a replica in every plan.
                return Err(Failure::new(FailureKind::Connect, "no such replica"));
            };
            tried.push(index);
            let request = Request {
                template,
                ..request.clone()
            };
            let end = self.try_once(upstream, &request, left).await;
            let moves_on = chosen.is_some_and(|chosen| moves_on(chosen, &end, statuses));
            match end {
                End::GivenUp => left -= 1,
                End::Brought(_) if moves_on && self.is_wanted() => {}
                End::Brought(brought)
                    if left > 0 && may_be_tried_again(&brought, statuses) && self.pays_for_another() =>
                {
                    left -= 1;
                }
                End::Brought(brought) => return brought,
            }
        }
    }

    async fn try_once(&self, upstream: &Upstream, request: &Request<'_>, left: u32) -> End {
        let mut exchange = pin!(upstream.exchange(request, Instant::now(), self.deadline));
        if left > 0 {
            let remaining = self.until.saturating_duration_since(Instant::now());
            match timeout(remaining / (left + 1), &mut exchange).await {
                Ok(brought) => return End::Brought(brought),
                Err(_) if self.pays_for_another() => return End::GivenUp,
                Err(_) => {}
            }
        }
        End::Brought(exchange.await)
    }

    /// Whether another try may be made; it is counted then.
    fn pays_for_another(&self) -> bool {
        let pays = self.is_wanted() && self.live.pay_for_retry();
        if pays {
            let (meters, backend) = self.meters;
            meters.count_retry(backend);
        }
        pays
    }

    /// Whether somebody would read what another try brings.
    fn is_wanted(&self) -> bool {
        !self.lost.is_so() && Instant::now() < self.until
    }
}

/// Tells the balance how a try has ended. Whether the call goes on to another replica as if this had not been chosen:
/// it was a trial, and nothing was sent.
fn moves_on(chosen: Chosen, end: &End, statuses: &StatusSet) -> bool {
    let sign = match end {
        End::GivenUp => Sign::Sick,
        End::Brought(brought) => Sign::of(brought, statuses),
    };
    let moves_on = chosen.is_trial() && sign == Sign::Gone;
    chosen.end(sign);
    moves_on
}

/// Whether `retries` is for this. A reset is not among it: nobody knows what has been done by then, and unlike after a
/// timeout nobody has waited either.
fn may_be_tried_again(brought: &Result<Reply, Failure>, statuses: &StatusSet) -> bool {
    match brought {
        Ok(reply) => statuses.contains(reply.status),
        Err(failure) => matches!(failure.kind, FailureKind::Connect | FailureKind::Timeout),
    }
}
