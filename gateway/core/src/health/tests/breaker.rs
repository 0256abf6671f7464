use super::*;

const RULE: plan::Breaker = plan::Breaker {
    failures: NonZeroU32::MIN.saturating_add(2),
    cool_off: Duration::from_millis(100),
};

/// What happens at a moment, and what comes of it.
enum Step {
    /// A call that ends before anything else happens.
    Call(Sign, Option<Turn>),
    /// A call that is let in and goes on, under this name.
    Begins(char),
    /// Its end.
    Ends(char, Sign, Option<Turn>),
    /// A call that is not let in.
    Refused,
}

use Phase::{Closed, Open, Trial};
use Step::{Begins, Call, Ends, Refused};

fn opened(ms: u64) -> Option<Turn> {
    Some(Turn::Opened(Duration::from_millis(ms)))
}

fn prolonged(ms: u64) -> Option<Turn> {
    Some(Turn::Prolonged(Duration::from_millis(ms)))
}

/// Takes these steps, at so many milliseconds each, and looks how it stands after each.
#[track_caller]
fn check(steps: Vec<(u64, Step, Phase)>) {
    let mut breaker = Breaker::new(RULE);
    let mut out = Vec::new();
    for (index, (ms, step, phase)) in steps.into_iter().enumerate() {
        let now = at(ms);
        match step {
            Call(sign, turn) => {
                let entry = breaker
                    .admit(now)
                    .unwrap_or_else(|| panic!("step {index}: refused"));
                assert_eq!(breaker.end(now, &entry, sign), turn, "step {index}");
            }
            Begins(name) => {
                let entry = breaker
                    .admit(now)
                    .unwrap_or_else(|| panic!("step {index}: refused"));
                out.push((name, entry));
            }
            Ends(name, sign, turn) => {
                let place = out.iter().position(|(one, _)| *one == name).unwrap();
                let (_, entry) = out.remove(place);
                assert_eq!(breaker.end(now, &entry, sign), turn, "step {index}");
            }
            Refused => assert_eq!(breaker.admit(now), None, "step {index}"),
        }
        assert_eq!(breaker.phase(), phase, "step {index}");
    }
}

/// Three failures in a row at the beginning.
fn broken() -> Vec<(u64, Step, Phase)> {
    vec![
        (0, Call(Sick, None), Closed),
        (0, Call(Gone, None), Closed),
        (0, Call(Sick, opened(100)), Open),
    ]
}

fn after(mut steps: Vec<(u64, Step, Phase)>, more: Vec<(u64, Step, Phase)>) -> Vec<(u64, Step, Phase)> {
    steps.extend(more);
    steps
}

#[test]
fn failures_in_a_row_open_it() {
    check(broken());
    check(vec![
        (0, Call(Sick, None), Closed),
        (0, Call(Sick, None), Closed),
        (0, Call(Well, None), Closed),
        (0, Call(Sick, None), Closed),
        (0, Call(Unknown, None), Closed),
        (0, Call(Sick, None), Closed),
        (0, Call(Sick, opened(100)), Open),
    ]);
}

#[test]
fn one_trial_at_a_time_decides() {
    check(after(
        broken(),
        vec![
            (99, Refused, Open),
            (100, Begins('a'), Trial),
            (5_000, Refused, Trial),
            (5_000, Ends('a', Well, Some(Turn::Closed)), Closed),
            (5_000, Call(Sick, None), Closed),
        ],
    ));
}

#[test]
fn each_failed_trial_doubles_the_cool_off_up_to_sixteen_times() {
    let mut now = 100;
    let mut steps = broken();
    for times in [2, 4, 8, 16, 16, 16] {
        steps.push((now, Call(Sick, prolonged(times * 100)), Open));
        now += times * 100;
        steps.push((now - 1, Refused, Open));
    }
    // A success forgets all of it.
    steps.push((now, Call(Well, Some(Turn::Closed)), Closed));
    check(after(
        steps,
        vec![
            (now, Call(Sick, None), Closed),
            (now, Call(Sick, None), Closed),
            (now, Call(Sick, opened(100)), Open),
        ],
    ));
}

#[test]
fn a_trial_that_is_dropped_gives_its_place_to_the_next() {
    check(after(
        broken(),
        vec![
            (100, Begins('a'), Trial),
            (130, Ends('a', Unknown, None), Open),
            (130, Begins('b'), Trial),
            (130, Refused, Trial),
            (140, Ends('b', Sick, prolonged(200)), Open),
        ],
    ));
}

#[test]
fn calls_of_before_say_nothing() {
    check(after(
        vec![
            (0, Begins('a'), Closed),
            (0, Begins('b'), Closed),
            (0, Begins('c'), Closed),
        ],
        after(
            broken(),
            vec![
                (10, Ends('a', Sick, None), Open),
                (10, Ends('b', Well, None), Open),
                (100, Begins('d'), Trial),
                (110, Ends('c', Well, None), Trial),
                (120, Ends('d', Well, Some(Turn::Closed)), Closed),
            ],
        ),
    ));
}

#[test]
fn one_failure_is_enough_where_it_is_configured() {
    let mut breaker = Breaker::new(plan::Breaker {
        failures: NonZeroU32::MIN,
        ..RULE
    });
    let entry = breaker.admit(at(0)).unwrap();
    assert_eq!(breaker.end(at(0), &entry, Sick), opened(100));
}

#[test]
fn what_is_forced_can_only_close_it() {
    let mut breaker = Breaker::new(RULE);
    let entry = breaker.admit(at(0)).unwrap();
    assert_eq!(breaker.trip(at(0), &entry), opened(100));
    let forced = breaker.force(at(10));
    assert_eq!(breaker.end(at(10), &forced, Sick), None);
    assert_eq!(breaker.phase(), Open);
    let forced = breaker.force(at(10));
    assert_eq!(breaker.end(at(10), &forced, Well), Some(Turn::Closed));

    let entry = breaker.admit(at(10)).unwrap();
    assert_eq!(breaker.trip(at(10), &entry), opened(100));
    let trial = breaker.admit(at(110)).unwrap();
    let forced = breaker.force(at(110));
    assert_eq!(breaker.end(at(110), &forced, Unknown), None);
    assert_eq!(breaker.phase(), Trial, "the trial is still out");
    assert_eq!(breaker.end(at(110), &trial, Gone), prolonged(200));
}

#[test]
fn another_plan_waits_for_no_trial_of_this_one() {
    let mut breaker = Breaker::new(RULE);
    let entry = breaker.admit(at(0)).unwrap();
    breaker.trip(at(0), &entry);
    let trial = breaker.admit(at(100)).unwrap();
    let mut kept = breaker.without_calls(at(120));
    assert_eq!(kept.end(at(120), &trial, Well), None);
    let trial = kept.admit(at(120)).unwrap();
    assert_eq!(kept.end(at(120), &trial, Sick), prolonged(200));
}

/// Begins a call, or ends the one at this place of those that are out.
#[derive(Debug, Clone)]
enum Act {
    Begin,
    End(prop::sample::Index, Sign),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        Just(Act::Begin),
        (any::<prop::sample::Index>(), sign()).prop_map(|(which, sign)| Act::End(which, sign)),
    ]
}

proptest! {
    /// Whatever happens: while it is open nobody is let in before the cool-off, on trial there is one call, and when
    /// all calls have ended and time has passed, the next is let in: no trial is ever lost.
    #[test]
    fn at_most_one_trial_and_none_is_lost(acts in prop::collection::vec((0_u64..150, act()), 0..200)) {
        let mut breaker = Breaker::new(RULE);
        let (mut out, mut now, mut trial) = (Vec::new(), 0, None);
        for (step, (later, act)) in acts.into_iter().enumerate() {
            now += later;
            match act {
                Act::Begin => {
                    let phase = breaker.phase();
                    let entry = breaker.admit(at(now));
                    prop_assert!(phase != Trial || entry.is_none(), "a second trial");
                    prop_assert!(phase != Closed || entry.is_some(), "closed, and refused");
                    if phase == Open && entry.is_some() {
                        prop_assert_eq!(trial.replace(step), None);
                    }
                    out.extend(entry.map(|entry| (step, entry)));
                }
                Act::End(which, sign) if !out.is_empty() => {
                    let (began, entry) = out.swap_remove(which.index(out.len()));
                    let before = breaker.phase();
                    let turn = breaker.end(at(now), &entry, sign);
                    if trial == Some(began) {
                        trial = None;
                        prop_assert_ne!(breaker.phase(), Trial);
                    } else {
                        prop_assert!(before != Trial || (turn.is_none() && breaker.phase() == Trial));
                    }
                }
                Act::End(..) => {}
            }
            prop_assert_eq!(trial.is_some(), breaker.phase() == Trial);
        }
        for (_, entry) in out {
            breaker.end(at(now), &entry, Unknown);
        }
        prop_assert!(breaker.admit(at(now + 1_600)).is_some());
    }
}
