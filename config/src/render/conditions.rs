//! What is wrong with a backend's conditions, in words.

use crate::problem::ConditionProblem;

pub(super) fn problem(problem: &ConditionProblem) -> (String, String) {
    match problem {
        ConditionProblem::NotOneComparison => (
            "a condition compares in one way".into(),
            "Write one of `in`, `not_in`, `eq`, `matches`, `exists`; each further one is a condition of its own, and \
             all must hold."
                .into(),
        ),
        ConditionProblem::EmptyList => (
            "there is nothing to compare with".into(),
            "Name a value; whether anything is there at all is asked by `exists`.".into(),
        ),
        ConditionProblem::NotAPattern { error } => (
            format!("this is not a regular expression: {error}"),
            "Write it in the syntax of RE2, without look-around and backreferences; between 'single quotes' `\\` is \
             itself."
                .into(),
        ),
    }
}

pub(super) fn impossible_place(hook: &str, place: &str, nearest: Option<&str>) -> (String, String) {
    (
        format!("no document of `{hook}` has anything at `{place}`"),
        match nearest {
            Some(nearest) => format!("Write \"{nearest}\", unless a backend before this one adds it."),
            None => "Name a place that the bot's documents have, or remove the condition.".into(),
        },
    )
}
