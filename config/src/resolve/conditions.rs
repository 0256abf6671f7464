//! A backend's conditions (`when`).

use koigate_core::condition::{Condition, Pattern, Scalar, Test};

use super::{Surroundings, guards};
use crate::file::{self, Table};
use crate::place::Placed;
use crate::problem::{ConditionProblem, KeyProblem};
use crate::report::Findings;

/// Conditions as they are written.
pub(super) type Written = Placed<Vec<Placed<Table<file::Condition>>>>;

/// The conditions of a backend, or of all by default, in the order of the file. What is wrong is noted and left out.
pub(super) fn resolve(
    written: &Written,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Vec<Condition> {
    let conditions = written.value.iter();
    conditions
        .filter_map(|written| condition(written, around, findings))
        .collect()
}

fn condition(
    written: &Placed<Table<file::Condition>>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Condition> {
    let Table(condition) = &written.value;
    // What was taken out may be what seems to be missing; that it was wrong is noted already.
    let is_whole = !around.lost.is_within(&written.span);
    if condition.at.is_none() && is_whole {
        let (key, table) = ("at", "when".to_owned());
        findings.note(&written.span, KeyProblem::Missing { key, table });
    }
    let mut tests = tests(condition, findings);
    if tests.len() > 1 || (tests.is_empty() && is_whole) {
        findings.note(&written.span, ConditionProblem::NotOneComparison);
    }
    Some(Condition {
        at: guards::pointer("at", condition.at.as_ref()?, findings)?,
        test: tests.pop()??,
    })
}

/// Every comparison that is written; inside nothing where it is wrong, and noted.
fn tests(condition: &file::Condition, findings: &mut Findings) -> Vec<Option<Test>> {
    let file::Condition {
        at: _,
        among,
        not_in,
        eq,
        matches,
        exists,
    } = condition;
    let mut tests = Vec::new();
    tests.extend(
        among
            .as_ref()
            .map(|list| Some(Test::In(scalars(list, findings)?))),
    );
    tests.extend(
        not_in
            .as_ref()
            .map(|list| Some(Test::NotIn(scalars(list, findings)?))),
    );
    tests.extend(
        eq.as_ref()
            .map(|value| Some(Test::In(vec![scalar(&value.value)]))),
    );
    tests.extend(matches.as_ref().map(|text| pattern(text, findings)));
    tests.extend(exists.as_ref().map(|exists| Some(presence(exists.value))));
    tests
}

fn scalars(list: &Placed<Vec<Placed<file::Scalar>>>, findings: &mut Findings) -> Option<Vec<Scalar>> {
    if list.value.is_empty() {
        findings.note(&list.span, ConditionProblem::EmptyList);
        return None;
    }
    Some(list.value.iter().map(|written| scalar(&written.value)).collect())
}

fn scalar(written: &file::Scalar) -> Scalar {
    match written {
        file::Scalar::String(text) => Scalar::string(text),
        file::Scalar::Integer(number) => Scalar::integer(*number),
        file::Scalar::Float(number) => Scalar::float(*number),
        file::Scalar::Bool(value) => Scalar::Bool(*value),
    }
}

fn pattern(text: &Placed<String>, findings: &mut Findings) -> Option<Test> {
    Pattern::new(&text.value)
        .map(Test::Matches)
        .map_err(|error| findings.note(&text.span, ConditionProblem::NotAPattern { error }))
        .ok()
}

fn presence(exists: bool) -> Test {
    if exists { Test::Exists } else { Test::Missing }
}
