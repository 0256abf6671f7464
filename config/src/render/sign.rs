//! What is wrong with what calls are signed with, in words.

use crate::problem::SignProblem;

pub(super) fn problem(problem: &SignProblem) -> (String, String) {
    match problem {
        SignProblem::NotAKey => (
            "this is not a secret of Standard Webhooks".into(),
            "Write `whsec_` and the base64 of 24 to 64 random bytes: `echo whsec_$(openssl rand -base64 32)` makes one."
                .into(),
        ),
        SignProblem::Number { most } => (
            format!("calls are signed with one secret, or with {most} while one takes the other's place"),
            "Keep the new one and the one before it, or remove `sign`.".into(),
        ),
        SignProblem::Twice => (
            "this secret is there already".into(),
            "Write it once; a second one takes the place of the first.".into(),
        ),
    }
}
