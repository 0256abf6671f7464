//! What is wrong with how a backend's health is told, in words.

use crate::problem::HealthProblem;

pub(super) fn problem(problem: &HealthProblem) -> (String, String) {
    match problem {
        HealthProblem::NotAPath => (
            "this is not a path that can be asked for".into(),
            "Begin it with `/`, and encode what can't stand in a URL: \"/healthz\".".into(),
        ),
    }
}
