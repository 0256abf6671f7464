use super::*;

/// Chooses, and ends the try at once.
fn ask(replicas: &mut Replicas, now: Moment, signs: &[Sign]) -> (usize, Option<Turn>) {
    let choice = replicas.choose(now, &[]).unwrap();
    let turn = replicas.end(now, &choice, signs[choice.index]);
    (choice.index, turn)
}

/// Which are asked one after another, each showing what `signs` says of it.
fn asked(replicas: &mut Replicas, ms: u64, signs: &[Sign], times: usize) -> Vec<usize> {
    (0..times).map(|_| ask(replicas, at(ms), signs).0).collect()
}

#[test]
fn idle_ones_take_turns() {
    let mut replicas = Replicas::new(3);
    assert_eq!(asked(&mut replicas, 0, &[Well; 3], 6), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn the_least_in_flight_is_asked() {
    let mut replicas = Replicas::new(3);
    let mut out: Vec<_> = (0..5).map(|_| replicas.choose(at(0), &[]).unwrap()).collect();
    assert_eq!(
        out.iter().map(|choice| choice.index).collect::<Vec<_>>(),
        [0, 1, 2, 0, 1]
    );
    // The first has ended both of its tries.
    for place in [3, 0] {
        let choice = out.swap_remove(place);
        assert_eq!(choice.index, 0);
        replicas.end(at(0), &choice, Well);
    }
    let next: Vec<_> = (0..3)
        .map(|_| replicas.choose(at(0), &[]).unwrap().index)
        .collect();
    assert_eq!(next, [0, 2, 0]);
    let in_flight: Vec<_> = replicas.seats().map(|seat| seat.in_flight).collect();
    assert_eq!(in_flight, [2, 2, 2]);
}

#[test]
fn one_where_nobody_listens_is_out_at_once_and_others_after_three_tries() {
    let mut replicas = Replicas::new(2);
    let ejected = Some(Turn::Opened(Duration::from_secs(2)));
    assert_eq!(ask(&mut replicas, at(0), &[Gone, Well]), (0, ejected));
    assert_eq!(asked(&mut replicas, 1_999, &[Well; 2], 3), [1, 1, 1]);

    let mut replicas = Replicas::new(2);
    assert_eq!(asked(&mut replicas, 0, &[Sick, Well], 7), [0, 1, 0, 1, 0, 1, 1]);
}

#[test]
fn one_try_shows_whether_it_is_well_again() {
    let mut replicas = Replicas::new(2);
    ask(&mut replicas, at(0), &[Gone, Well]);
    let trial = replicas.choose(at(2_000), &[]).unwrap();
    assert_eq!((trial.index, trial.is_trial), (0, true));
    assert_eq!(
        asked(&mut replicas, 3_000, &[Well; 2], 2),
        [1, 1],
        "while it is out"
    );
    let prolonged = Some(Turn::Prolonged(Duration::from_secs(4)));
    assert_eq!(replicas.end(at(3_000), &trial, Gone), prolonged);
    assert_eq!(asked(&mut replicas, 6_999, &[Well; 2], 2), [1, 1]);
    assert_eq!(ask(&mut replicas, at(7_000), &[Well; 2]), (0, Some(Turn::Closed)));
    assert_eq!(asked(&mut replicas, 7_000, &[Well; 2], 4), [1, 0, 1, 0]);
}

#[test]
fn a_call_that_is_made_again_goes_elsewhere_and_is_no_trial() {
    let mut replicas = Replicas::new(3);
    ask(&mut replicas, at(0), &[Gone; 3]);
    let next = |replicas: &mut Replicas, tried: &[usize]| {
        let choice = replicas.choose(at(9_000), tried).unwrap();
        replicas.end(at(9_000), &choice, Unknown);
        assert!(!choice.is_trial);
        choice.index
    };
    assert_eq!(next(&mut replicas, &[1]), 2);
    assert_eq!(next(&mut replicas, &[2]), 1);
    assert_eq!(
        next(&mut replicas, &[1, 2]),
        2,
        "rather one that has failed once than one that is out"
    );
}

#[test]
fn where_all_are_sick_all_are_asked() {
    let mut replicas = Replicas::new(2);
    assert_eq!(asked(&mut replicas, 0, &[Gone; 2], 6), [0, 1, 0, 1, 0, 1]);
    // One that answers is in again at once, and the only one.
    assert_eq!(ask(&mut replicas, at(1), &[Well, Gone]), (0, Some(Turn::Closed)));
    assert_eq!(asked(&mut replicas, 1, &[Well, Gone], 3), [0, 0, 0]);

    let mut checked = Replicas::new(2);
    for index in [0, 0, 1, 1] {
        checked.checked(index, Sick);
    }
    assert_eq!(asked(&mut checked, 0, &[Well; 2], 4), [0, 1, 0, 1]);
}

#[test]
fn two_failed_checks_take_it_out_and_one_good_one_brings_it_back() {
    let mut replicas = Replicas::new(2);
    for (sign, expected) in [
        (Sick, None),
        (Well, None),
        (Gone, None),
        (Unknown, None),
        (Sick, Some(Checked::Down)),
        (Sick, None),
    ] {
        assert_eq!(replicas.checked(0, sign), expected);
    }
    assert_eq!(asked(&mut replicas, 0, &[Well; 2], 2), [1, 1]);
    assert_eq!(replicas.checked(0, Well), Some(Checked::Up));
    assert_eq!(asked(&mut replicas, 0, &[Well; 2], 2), [0, 1]);
    assert_eq!(replicas.checked(7, Well), None);
}

#[test]
fn a_check_that_passes_again_ends_an_ejection_and_one_that_always_passed_does_not() {
    let mut replicas = Replicas::new(2);
    ask(&mut replicas, at(0), &[Gone, Well]);
    assert_eq!(replicas.checked(0, Well), None);
    assert_eq!(asked(&mut replicas, 0, &[Well; 2], 2), [1, 1]);
    for sign in [Sick, Sick, Well] {
        replicas.checked(0, sign);
    }
    assert_eq!(asked(&mut replicas, 0, &[Well; 2], 2), [0, 1]);
}

#[test]
fn another_plan_keeps_what_is_known() {
    let mut replicas = Replicas::new(2);
    let out = replicas.choose(at(0), &[]).unwrap();
    replicas.end(at(0), &out, Gone);
    let _running = replicas.choose(at(0), &[]).unwrap();
    let mut kept = replicas.keep(at(0), [None, Some(0), Some(1)].into_iter());
    assert_eq!(asked(&mut kept, 0, &[Well; 3], 4), [0, 2, 0, 2]);
    assert!(kept.seats().all(|seat| seat.in_flight == 0));
}

proptest! {
    /// Whatever happens: somebody is always asked; nobody who is out is, except as the one trial, while somebody is in;
    /// and a try that is made again goes to another where another is in.
    #[test]
    fn somebody_is_always_asked(
        count in 1_usize..5,
        acts in prop::collection::vec((0_u64..3_000, any::<bool>(), any::<prop::sample::Index>(), sign()), 0..200),
    ) {
        let mut replicas = Replicas::new(count);
        let (mut out, mut now) = (Vec::<Choice>::new(), 0);
        for (later, begins, which, sign) in acts {
            now += later;
            if begins || out.is_empty() {
                let seats: Vec<_> = replicas.seats().collect();
                let is_in = |index: usize| seats[index].is_up && !seats[index].is_ejected;
                let tried: Vec<_> = (sign == Sick).then(|| which.index(count)).into_iter().collect();
                let choice = replicas.choose(at(now), &tried).unwrap();
                let others = (0..count).any(|index| !tried.contains(&index) && is_in(index));
                prop_assert!(!others || !tried.contains(&choice.index));
                if (0..count).any(is_in) {
                    prop_assert!(is_in(choice.index) || choice.is_trial);
                }
                if choice.is_trial {
                    prop_assert!(out.iter().all(|other| other.index != choice.index || !other.is_trial));
                }
                out.push(choice);
            } else {
                let choice = out.swap_remove(which.index(out.len()));
                replicas.end(at(now), &choice, sign);
                if which.index(5) == 0 {
                    let index = which.index(count);
                    if replicas.checked(index, sign) == Some(Checked::Up) {
                        // It is in without the trial that is out, which decides nothing any more.
                        out.iter_mut().filter(|other| other.index == index).for_each(|other| other.is_trial = false);
                    }
                }
            }
            let in_flight: usize = replicas.seats().map(|seat| seat.in_flight).sum();
            prop_assert_eq!(in_flight, out.len());
        }
    }
}
