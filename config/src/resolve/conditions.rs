//! A backend's conditions (`when`).

use koigate_core::condition::{Condition, Pattern, Scalar, Test};

use super::{Surroundings, guards};
use crate::file::{self, Table};
use crate::place::{Placed, Span};
use crate::problem::{ConditionProblem, KeyProblem};
use crate::report::Findings;

/// Conditions as they are written.
pub(super) type Written = Placed<Vec<Placed<Table<file::Condition>>>>;

/// The conditions of a backend, or of all by default, in the order of the file. What is wrong is noted and left out.
pub(super) fn resolve(written: &Written, around: &Surroundings<'_>, findings: &mut Findings) -> Vec<Condition> {
    let conditions = written.value.iter();
    conditions
        .filter_map(|written| {
            let (condition, span) = (&written.value.0, &written.span);
            // Of what was taken out it is noted already that it was wrong.
            let is_whole = !around.lost.is_within(span);
            let at = at(condition, span, is_whole, findings);
            let test = test(condition, span, is_whole, findings);
            Some(Condition { at: at?, test: test? })
        })
        .collect()
}
