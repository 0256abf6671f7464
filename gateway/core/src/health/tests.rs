use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::Sign::{Gone, Sick, Unknown, Well};
use super::*;
use crate::plan;

mod breaker;
mod budget;
mod replicas;

/// So many milliseconds after the epoch.
fn at(ms: u64) -> Moment {
    Moment(Duration::from_millis(ms))
}

fn sign() -> impl Strategy<Value = Sign> {
    prop::sample::select(vec![Well, Sick, Gone, Unknown])
}

#[test]
fn what_a_call_says_of_its_backend() {
    let reply = |status| {
        Ok(Reply {
            status,
            content_type: None,
            content_disposition: None,
            body: bytes::Bytes::new(),
        })
    };
    let failed = |kind| Err(Failure::new(kind, ""));
    let failures = StatusSet(vec![404..=404, 500..=599]);
    for (brought, expected) in [
        (reply(204), Well),
        (reply(403), Well),
        (reply(400), Well),
        (reply(404), Sick),
        (reply(503), Sick),
        (reply(600), Well),
        (failed(FailureKind::Connect), Gone),
        (failed(FailureKind::Timeout), Sick),
        (failed(FailureKind::Reset), Sick),
        (failed(FailureKind::Protocol), Sick),
        (failed(FailureKind::TooLarge), Sick),
        (failed(FailureKind::BadJson), Sick),
        (failed(FailureKind::Status), Sick),
        (failed(FailureKind::BreakerOpen), Unknown),
        (failed(FailureKind::Overloaded), Unknown),
        (failed(FailureKind::Condition), Unknown),
    ] {
        assert_eq!(Sign::of(&brought, &failures), expected, "{brought:?}");
    }
}
