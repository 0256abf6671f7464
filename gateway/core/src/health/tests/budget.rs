use super::*;

#[test]
fn a_quiet_backend_has_retries_too() {
    let mut budget = Budget::default();
    for retry in 0..5 {
        assert!(budget.withdraw(), "{retry}");
    }
    assert!(!budget.withdraw());
    for _ in 0..9 {
        budget.deposit();
        assert!(!budget.withdraw());
    }
    budget.deposit();
    assert!(budget.withdraw());
}

#[test]
fn nothing_is_saved_beyond_the_most() {
    let mut budget = Budget::default();
    for _ in 0..1_000 {
        budget.deposit();
    }
    assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 5);
}

proptest! {
    /// However calls and retries follow one another: over any window of 50 calls and more the backend sees at most
    /// 1.2 times as many.
    #[test]
    fn at_most_a_fifth_more(wanted in prop::collection::vec(0_u32..=10, 0..400)) {
        let mut budget = Budget::default();
        let made: Vec<u32> = wanted
            .into_iter()
            .map(|tries| {
                budget.deposit();
                (0..tries).map(|_| u32::from(budget.withdraw())).sum()
            })
            .collect();
        for first in 0..made.len() {
            let mut retries = 0;
            for (calls, made) in (1..).zip(&made[first..]) {
                retries += made;
                prop_assert!(retries <= 5 + calls / 10, "{retries} in {calls} calls");
                prop_assert!(calls < 50 || 5 * retries <= calls, "{retries} in {calls} calls");
            }
        }
    }
}
