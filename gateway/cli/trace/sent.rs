//! What a backend was sent, as a person takes it in at a glance.

use bytes::Bytes;
use koigate_core::json::{Document, Value};

use super::super::operator::visible;
use super::bytes;
use super::excerpt::Excerpt;

/// What is no longer than this is shown whole, in characters.
const WHOLE: usize = 200;
/// How many members are named.
const MEMBERS: usize = 12;
/// How much of a member's name is shown, in characters.
const NAME: usize = 40;

/// A small document whole, of a larger one the members with their lengths. What is no object is shown by its beginning.
pub(super) fn shown(sent: &str) -> String {
    let Excerpt { text, is_cut } = Excerpt::of(sent, WHOLE);
    if !is_cut {
        return text;
    }
    let document = Document::parse(Bytes::copy_from_slice(sent.as_bytes())).ok();
    let members = document.as_ref().map(|document| members(document.root()));
    match members.as_deref() {
        None | Some([]) => text + "…",
        Some(members) => list(members),
    }
}

fn members(root: Value<'_>) -> Vec<String> {
    let named = |(key, value): (Value<'_>, Value<'_>)| {
        let name = key.as_str().unwrap_or_default();
        let Excerpt { text, is_cut } = Excerpt::of(&visible(&name), NAME);
        let more = if is_cut { "…" } else { "" };
        format!("{text}{more} {}", bytes(value.raw().len()))
    };
    root.members().map(named).collect()
}

fn list(members: &[String]) -> String {
    let named = members
        .iter()
        .take(MEMBERS)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match members.len().saturating_sub(MEMBERS) {
        0 => named,
        more => format!("{named} and {more} more members"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown() {
        let long = "x".repeat(300);
        let many: Vec<String> = (0..40).map(|number| format!("\"{number}\": 1234")).collect();
        let names: Vec<String> = (0..12).map(|number| format!("{number} 4 B")).collect();
        for (sent, expected) in [
            (
                "{\n  \"result\": {}\n}".to_owned(),
                "{ \"result\": {} }".to_owned(),
            ),
            (
                format!(r#"{{"result": {{"\u8282": "{long}"}}, "addons": {{}}}}"#),
                "result 314 B, addons 2 B".to_owned(),
            ),
            (
                format!("{{{}}}", many.join(", ")),
                format!("{} and 28 more members", names.join(", ")),
            ),
            (
                format!(r#"{{"\u8282{long}": 1}}"#),
                format!("节{}… 1 B", "x".repeat(39)),
            ),
            (format!("[\"{long}\"]"), format!("[\"{}…", "x".repeat(198))),
            (
                format!("{{broken {long}"),
                format!("{{broken {}…", "x".repeat(192)),
            ),
        ] {
            assert_eq!(shown(&sent), expected, "{sent}");
        }
    }
}
