//! What can be wrong with variables that override keys, in words.

use super::list;
use crate::problem::OverrideProblem;

pub(super) fn problem(problem: &OverrideProblem) -> (String, String) {
    match problem {
        OverrideProblem::Unknown {
            name,
            table,
            nearest,
            known,
        } => (
            match table.as_str() {
                "" => format!("this variable overrides no key: there is no table `{name}`"),
                table => format!("this variable overrides no key: `{table}` has no `{name}`"),
            },
            match nearest {
                Some(nearest) => format!("Set `{nearest}`, or unset it."),
                None => format!("Unset it. Known here: {}.", list(known, "`")),
            },
        ),
        OverrideProblem::Ambiguous { keys } => (
            format!("this variable may stand for {}", list(keys, "`")),
            "Rename all but one: case doesn't count in variables, and `-` and `_` are alike.".into(),
        ),
        OverrideProblem::NotInFile { table, name } => (
            format!("the file has no `[{table}.{name}]`, and a variable can't add it"),
            "Add it to the file, or unset the variable.".into(),
        ),
        OverrideProblem::WholeTable { table, example } => (
            format!("a variable overrides a key, and `{table}` is a table of keys"),
            match example {
                Some(example) => format!("Name one of its keys, as in `{example}`."),
                None => "Unset it.".into(),
            },
        ),
        OverrideProblem::NotToml { expected } => (
            "this value can't be read".into(),
            format!("Write it as in the file: {expected}."),
        ),
        OverrideProblem::Twice { other } => (
            format!("`{other}` overrides the same key"),
            "Unset one of the two.".into(),
        ),
        OverrideProblem::NotUnicode => ("this value is not UTF-8".into(), "Write it as UTF-8.".into()),
    }
}
