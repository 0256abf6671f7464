//! What can be wrong with a file as a whole, or as TOML, in words.

use crate::problem::{FileProblem, Slip};

pub(super) fn problem(problem: &FileProblem) -> (String, String) {
    match problem {
        FileProblem::Unreadable { error } => (
            format!("the configuration can't be read: {error}"),
            "Name a file that exists and that this user may read.".into(),
        ),
        FileProblem::TooLarge { most } => (
            format!("the configuration is larger than {most} bytes"),
            "Name the configuration: this is another file.".into(),
        ),
        FileProblem::NotUtf8 => (
            "the text is not UTF-8 here".into(),
            "Save the file as UTF-8.".into(),
        ),
        FileProblem::Syntax { message, slip } => {
            (format!("this is not TOML: {message}"), format!("{} What follows is judged when this line is right.", meant(*slip)))
        }
        FileProblem::TooMany { most } => (
            format!("there are more problems than the {most} that are shown"),
            "Mend these, and check the file again.".into(),
        ),
        FileProblem::OtherFormat { format } => (
            format!("this is {format}, and a configuration is TOML"),
            "Write tables as `[backends.NAME]` and entries as `key = value`; the examples show whole files.".into(),
        ),
        FileProblem::Empty => (
            "nothing stands in the configuration".into(),
            "Write at least one backend and one hook, as in the examples; a file that an editor is about to write \
             is empty for a moment."
                .into(),
        ),
    }
}

/// What to write instead of a slip.
fn meant(slip: Option<Slip>) -> String {
    match slip {
        None => "Write `key = value`, with strings in quotes.".into(),
        Some(Slip::Quotes) => "Write straight quotes, `\"`, for these quotation marks.".into(),
        Some(Slip::FullWidth { wrong, right: ' ' }) => {
            format!(
                "Write a plain space for U+{:04X}, the wide one.",
                u32::from(wrong)
            )
        }
        Some(Slip::FullWidth { wrong, right }) => format!("Write `{right}` for `{wrong}`."),
        Some(Slip::Colon) => "Write `=` for `:`, as in `key = value`.".into(),
        Some(Slip::Name) => "Name it with letters, digits, `_` and `-` of ASCII.".into(),
        Some(Slip::Duplicate) => "Remove one of the two: it is there already.".into(),
        Some(Slip::Backslash) => "Write `\\\\` for a backslash, or put the string in single quotes.".into(),
        Some(Slip::Boolean) => "Write `true` or `false`, in small letters.".into(),
        Some(Slip::Unclosed) => "Close what is opened here.".into(),
        Some(Slip::Comma) => "Put a comma before this, or close the array above it with `]`.".into(),
        Some(Slip::OpenString) => "Close the string with `\"` on its line.".into(),
        Some(Slip::Unquoted) => "Put the string in quotes: `\"...\"`.".into(),
    }
}
