use proptest::prelude::*;

use super::*;
use crate::condition::{Condition, Test};
use crate::guards::{Guards, Keys, Sight};
use crate::pointer::Pointer;
use crate::tally::tests::any_backend;

const GIVE_UP: Duration = Duration::from_secs(600);

fn tried(made: u32, waited: u64) -> Tries {
    Tries {
        made,
        waited: Duration::from_secs(waited),
        give_up: GIVE_UP,
    }
}

fn again(seconds: u64) -> Next {
    Next::Again(Duration::from_secs(seconds))
}

#[test]
fn what_becomes_of_a_notice() {
    use FailureKind::{BreakerOpen, Connect, Overloaded, Reset, Timeout, TooLarge};
    let statuses = StatusSet(vec![404..=404, 202..=202, 501..=503]);
    for (brought, tries, expected) in [
        (Ok(200), tried(1, 0), Next::Over(Told::Delivered)),
        (Ok(204), tried(9, 9_000), Next::Over(Told::Delivered)),
        (Ok(299), tried(1, 0), Next::Over(Told::Delivered)),
        // Whoever says that it is broken has not taken it.
        (Ok(202), tried(1, 0), again(1)),
        (Ok(404), tried(1, 0), again(1)),
        (Ok(400), tried(1, 0), Next::Over(Told::Refused)),
        (Ok(403), tried(1, 0), Next::Over(Told::Refused)),
        (Ok(302), tried(1, 0), Next::Over(Told::Refused)),
        (Ok(408), tried(2, 5), again(2)),
        (Ok(429), tried(3, 5), again(4)),
        (Ok(503), tried(4, 599), again(8)),
        (Ok(503), tried(4, 600), Next::Over(Told::GaveUp)),
        (Ok(500), tried(1, 0), again(1)),
        (Ok(500), tried(TRIES_AT_ERRORS - 1, 0), again(8)),
        (Ok(500), tried(TRIES_AT_ERRORS, 0), Next::Over(Told::Refused)),
        (Ok(999), tried(TRIES_AT_ERRORS, 0), Next::Over(Told::Refused)),
        // Also where that is a failure of the service for any other backend.
        (Ok(501), tried(TRIES_AT_ERRORS - 1, 0), again(8)),
        (Ok(501), tried(TRIES_AT_ERRORS, 0), Next::Over(Told::Refused)),
        (Ok(503), tried(TRIES_AT_ERRORS, 0), again(16)),
        (Err(Connect), tried(1, 0), again(1)),
        (Err(Timeout), tried(6, 100), again(32)),
        (Err(Reset), tried(7, 100), again(60)),
        (Err(BreakerOpen), tried(1_000, 100), again(60)),
        (Err(Overloaded), tried(1, 0), again(1)),
        (Err(Connect), tried(1, 601), Next::Over(Told::GaveUp)),
        (Err(TooLarge), tried(1, 0), Next::Over(Told::Refused)),
    ] {
        assert_eq!(next(brought, &statuses, tries), expected, "{brought:?} {tries:?}");
    }
}

#[test]
fn what_counts_as_a_failed_call() {
    let statuses = StatusSet(vec![202..=202]);
    for (brought, expected) in [
        (Ok(200), None),
        (Ok(204), None),
        (Ok(202), Some(FailureKind::Status)),
        (Ok(302), Some(FailureKind::Status)),
        (Ok(400), Some(FailureKind::Status)),
        (
            Err(Failure::new(FailureKind::Reset, "")),
            Some(FailureKind::Reset),
        ),
    ] {
        assert_eq!(failure(&brought, &statuses), expected, "{brought:?}");
    }
}

/// What an observer under these guards is sent of a document.
fn sent(text: &'static str, guards: Guards, when: &str) -> Result<Option<String>, Told> {
    let when = Pointer::parse(when).map(|at| Condition {
        at,
        test: Test::Exists,
    });
    let observer = Backend {
        guards,
        when: when.into_iter().collect(),
        ..any_backend()
    };
    let base = Arc::new(Base::new(Bytes::from_static(text.as_bytes())));
    let document = document(&observer, &base)?;
    Ok(document.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
}

#[test]
fn what_an_observer_is_sent_of_the_document() {
    let hide = |place| Guards {
        sight: Sight::Hide(vec![Pointer::parse(place).unwrap()]),
        ..Guards::default()
    };
    let snake = Guards {
        keys: Keys::Snake,
        ..Guards::default()
    };
    for (text, guards, expected) in [
        ("{\"a\": NaN}", Guards::default(), Some("{\"a\": NaN}")),
        // Neither a BOM nor white space may stand in the middle of a notice.
        ("\u{feff} {\"a\":1}\n", Guards::default(), Some("{\"a\":1}")),
        ("\u{feff}{\"a\":1}", hide("/b"), Some("{\"a\":1}")),
        ("{\"a\":1,\"b\":2}", hide("/b"), Some("{\"a\":1}")),
        ("{\"a-b\":1}", snake, Some("{\"a_b\":1}")),
        ("{\"a\":", Guards::default(), None),
        ("{\"a\":", hide("/a"), None),
        ("", Guards::default(), None),
    ] {
        assert_eq!(
            sent(text, guards, "none").as_ref().map(Option::as_deref),
            Ok(expected),
            "{text:?}"
        );
    }
}

/// What a reload hides is hidden in what waits already.
#[test]
fn what_is_seen_of_what_was_made_for_who_sees_more() {
    let sees = |sight: Sight, keys| Sees { sight, keys };
    let hide = |place| Sight::Hide(vec![Pointer::parse(place).unwrap()]);
    let show = |place| Sight::Show(vec![Pointer::parse(place).unwrap()]);
    for (before, after, expected) in [
        (
            sees(Sight::Whole, Keys::AsIs),
            sees(hide("/a-b"), Keys::AsIs),
            Some("{\"c\":2}"),
        ),
        (
            sees(hide("/c"), Keys::AsIs),
            sees(hide("/a-b"), Keys::AsIs),
            Some("{}"),
        ),
        (
            sees(hide("/c"), Keys::AsIs),
            sees(Sight::Whole, Keys::Snake),
            Some("{\"a_b\":1}"),
        ),
        (
            sees(hide("/c"), Keys::AsIs),
            sees(show("/a-b"), Keys::AsIs),
            Some("{\"a-b\":1}"),
        ),
        (
            sees(Sight::Whole, Keys::Snake),
            sees(hide("/a-b"), Keys::Snake),
            None,
        ),
        (
            sees(Sight::Whole, Keys::Snake),
            sees(Sight::Whole, Keys::AsIs),
            None,
        ),
    ] {
        let base = Base::new(Bytes::from_static(b"{\"a-b\":1,\"c\":2}"));
        let made = before.of(&Arc::new(base)).unwrap();
        let seen = after.of_seen(&before, made);
        assert_eq!(
            seen.as_deref(),
            expected.map(str::as_bytes),
            "{before:?}, then {after:?}"
        );
    }
}

#[test]
fn whom_conditions_keep_from_being_told() {
    for (text, expected) in [
        ("{\"a\":1}", Ok(Some("{\"a\":1}".to_owned()))),
        ("{\"b\":1}", Err(Told::Skipped)),
        ("{\"a\":", Err(Told::Untestable)),
    ] {
        assert_eq!(sent(text, Guards::default(), "/a"), expected, "{text:?}");
    }
}

proptest! {
    /// Whatever an observer answers, it is not tried for ever, and never faster than at the start.
    #[test]
    fn every_notice_comes_to_an_end(brought in 0_usize..12, give_up in 1_u64..100_000) {
        let brought = match brought {
            kind @ 0..10 => Err(FailureKind::ALL[kind]),
            10 => Ok(500),
            _ => Ok(503),
        };
        let mut tries = Tries { made: 0, waited: Duration::ZERO, give_up: Duration::from_secs(give_up) };
        let told = loop {
            tries.made += 1;
            match next(brought, &StatusSet::default(), tries) {
                Next::Over(told) => break told,
                Next::Again(wait) => {
                    prop_assert!((FIRST_WAIT..=LONGEST_WAIT).contains(&wait));
                    tries.waited += wait;
                }
            }
        };
        prop_assert!(told.is_loss());
        prop_assert!(tries.waited <= tries.give_up + LONGEST_WAIT);
    }
}
