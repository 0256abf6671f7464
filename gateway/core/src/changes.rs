//! What a backend changed, place by place, for people: traces and `koigate explain`.

use crate::json::Document;
use crate::json::diff::{Edit, Edits, added_member};
use crate::json::locate::Locator;

/// The most places that are listed of one reply.
pub const LISTED_CHANGES: usize = 64;
/// How much of a value is shown, in bytes.
pub const EXCERPT: usize = 160;

/// The longest place that is named whole, in bytes. Keys have any length, and each place repeats those above it.
const LONGEST_PLACE: usize = 1024;

/// One place that a backend set to another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The place, as JSON Pointer (RFC 6901) into what the stage was sent; of elements that are appended to an
    /// array the place behind its last, `/-`. A long one is cut, and its value left out.
    pub pointer: String,
    /// What was done there.
    pub kind: ChangeKind,
    /// The beginning of what stands there now, as the reply spells it: [`EXCERPT`] bytes at most.
    pub value: String,
    /// How long that is in whole, in bytes.
    pub length: usize,
}

/// What was done at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A new member of an object.
    Added,
    /// Further elements of an array.
    Appended,
    /// Another value.
    Replaced,
}

/// The first [`LISTED_CHANGES`] edits of a reply, by where they stand in the base. One sweep over the base up to the
/// last of them.
pub fn changes(base: &Document, edits: &Edits) -> Vec<Change> {
    let mut locator = Locator::new(base);
    let listed = edits.list().iter().take(LISTED_CHANGES);
    listed
        .map(|&edit| change(base, &mut locator, edit, edits.piece(edit)))
        .collect()
}

fn change(base: &Document, locator: &mut Locator<'_>, edit: Edit, piece: &[u8]) -> Change {
    let mut pointer = locator.place(edit, piece);
    let (kind, value) = if !edit.is_addition() {
        (ChangeKind::Replaced, piece)
    } else if base.bytes().get(edit.at as usize) == Some(&b']') {
        (ChangeKind::Appended, piece)
    } else {
        (ChangeKind::Added, added_member(piece).1)
    };
    let mut shown = value;
    if pointer.len() > LONGEST_PLACE {
        pointer = cut(&pointer, LONGEST_PLACE).to_owned();
        // Where it stands can't be told any more, nor whether that is hidden.
        shown = &[];
    }
    Change {
        pointer,
        kind,
        // A few bytes more, so that none of the excerpt's is lost to a character that is cut.
        value: excerpt(&String::from_utf8_lossy(
            shown.get(..EXCERPT + 4).unwrap_or(shown),
        )),
        length: value.len(),
    }
}

/// The beginning of a text, [`EXCERPT`] bytes at most, cut between two characters.
pub(crate) fn excerpt(text: &str) -> String {
    cut(text, EXCERPT).to_owned()
}

fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

// === impl ChangeKind ===

impl ChangeKind {
    /// The word used in traces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Appended => "appended",
            Self::Replaced => "replaced",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::diff::{Echoes, diff};

    fn check(base: &str, reply: &str, expected: &[(&str, ChangeKind, &str)]) {
        let base = Document::parse(base.to_owned().into()).unwrap();
        let diff = diff(&base, reply.to_owned().into(), &mut Echoes::default()).unwrap();
        let listed = changes(&base, &diff.edits);
        let got: Vec<_> = listed.iter().map(|c| (&*c.pointer, c.kind, &*c.value)).collect();
        assert_eq!(got, expected, "{reply}");
    }

    #[test]
    fn each_place_with_its_value() {
        use ChangeKind::{Added, Appended, Replaced};
        let base = r#"{"result": {"节点名称": ["a", "b"], "线程": 4}, "addons": {}}"#;
        check(base, base, &[]);
        check(
            base,
            r#"{"result": {"节点名称": ["a", "c"], "倍率": [1.5, 2]}, "addons": {"x/y": {"k": 1}}}"#,
            &[
                ("/result/节点名称/1", Replaced, r#""c""#),
                ("/result/倍率", Added, "[1.5, 2]"),
                ("/addons/x~1y", Added, r#"{"k": 1}"#),
            ],
        );
        check(
            base,
            r#"{"result": {"节点名称": ["a", "b", "c", "d"], "线程": null}}"#,
            &[
                ("/result/节点名称/-", Appended, r#""c", "d""#),
                ("/result/线程", Replaced, "null"),
            ],
        );
    }

    #[test]
    fn a_place_too_long_to_name_is_cut_and_shows_no_value() {
        let key = "界".repeat(LONGEST_PLACE);
        let base = Document::parse(format!(r#"{{"{key}": {{"a": 1}}}}"#).into()).unwrap();
        let reply = format!(r#"{{"{key}": {{"a": "canary"}}}}"#);
        let diff = diff(&base, reply.into(), &mut Echoes::default()).unwrap();
        let [change] = &changes(&base, &diff.edits)[..] else {
            panic!("one change")
        };
        assert!(change.pointer.len() <= LONGEST_PLACE && change.pointer.starts_with("/界"));
        assert_eq!((&*change.value, change.length), ("", 8));
    }

    #[test]
    fn long_values_and_long_lists_are_cut() {
        let long = "界".repeat(EXCERPT);
        let base = Document::parse("{}".into()).unwrap();
        let members: Vec<String> = (0..LISTED_CHANGES + 9)
            .map(|n| format!(r#""{n}": "{long}""#))
            .collect();
        let reply = format!("{{{}}}", members.join(", "));
        let diff = diff(&base, reply.into(), &mut Echoes::default()).unwrap();
        let listed = changes(&base, &diff.edits);
        assert_eq!(
            (listed.len(), diff.edits.len()),
            (LISTED_CHANGES, LISTED_CHANGES + 9)
        );
        for change in listed {
            assert_eq!(change.length, long.len() + 2);
            assert!(change.value.len() <= EXCERPT && change.value.len() > EXCERPT - 4);
            assert!(
                change.value.trim_start_matches('"').chars().all(|c| c == '界'),
                "{}",
                change.value
            );
        }
    }
}
