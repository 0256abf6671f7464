//! What is wrong with a backend's guards, in words.

use crate::problem::GuardProblem;

pub(super) fn problem(problem: &GuardProblem) -> (String, String) {
    match problem {
        GuardProblem::NotAPointer { error, nearest } => (
            format!("this is not a place in the document: {error}"),
            match nearest {
                Some(nearest) => format!("Write \"{nearest}\"."),
                None => "Write a JSON Pointer: \"/slaveRequest/proxies\"; `*` is any one segment.".into(),
            },
        ),
        GuardProblem::WholeDocument { key } => (
            "this is the whole document".into(),
            match *key {
                "hide" => "Name a part of it; `show = []` sends nothing of it.".into(),
                "at" => "Name a part of it: \"/message/chat/id\".".into(),
                key => {
                    format!("Name a part of it, or remove `{key}`: without it the whole document is meant.")
                }
            },
        ),
        GuardProblem::PlaceTwice { by } => (
            format!("this place is named already, as \"{by}\""),
            "Name it once: outside `/result` keys are the same up to `-` and `_`.".into(),
        ),
        GuardProblem::HideAndShow => (
            "`hide` and `show` can't stand together".into(),
            "Keep `show` to send only what it names, or `hide` to send everything else.".into(),
        ),
        GuardProblem::UnusedMayChange => (
            "this backend may not answer with JSON, so it changes nothing".into(),
            "Add \"json\" to `may`, or remove `may_change`.".into(),
        ),
        GuardProblem::PowerTwice { word } => (format!("\"{word}\" is there already"), "Name it once.".into()),
    }
}

pub(super) fn element_named(segment: &str) -> (String, String) {
    (
        format!("`{segment}` names a key: single elements of an array have no names"),
        "Write `*` for every element, unless a key of that name is meant.".into(),
    )
}

pub(super) fn answers_apart(
    hook: &str,
    (first, its): (&str, &str),
    (second, others): (&str, &str),
) -> (String, String) {
    (
        format!("in `{hook}` `{first}` may answer {its} and `{second}` {others}, and the bot acts on one of them"),
        "Take a word out of one `may`, or be content: beside JSON others travel in `addons.koigate`, else the first \
         kind of picture, text, file alone."
            .into(),
    )
}
