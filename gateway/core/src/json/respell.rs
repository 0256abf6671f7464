//! The keys of a document with dashes for underscores, or the other way round: in place, so that no offset moves.

use bytes::Bytes;

use super::scan::byte;
use super::text::{self, Letters};
use super::{Child, Document, Entry, Value};

/// How words are joined in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joint {
    /// `from-user`
    Dash,
    /// `from_user`
    Underscore,
}

/// The document with its keys outside of `/result` spelled so; none if they are already. Where an object has one
/// key in several spellings, each of them is itself and stays.
pub(crate) fn respell(document: &Document, joint: Joint) -> Option<Document> {
    let mut swaps = Vec::new();
    let root = document.root();
    object(root, joint, &mut swaps);
    for Entry { child, value, .. } in root.entries() {
        if !matches!(child, Child::Member(key) if text::same(key, b"result")) {
            below(value, joint, &mut swaps);
        }
    }
    if swaps.is_empty() {
        return None;
    }
    let mut bytes = document.bytes().to_vec();
    for Swap { at, letter } in swaps {
        if let Some(place) = bytes.get_mut(at..at + letter.len()) {
            place.copy_from_slice(letter);
        }
    }
    Some(document.respelled(Bytes::from(bytes)))
}

/// A letter of a key, and what takes its place: as many bytes.
struct Swap {
    at: usize,
    letter: &'static [u8],
}

/// The keys of a value and of all below it.
fn below(value: Value<'_>, joint: Joint, swaps: &mut Vec<Swap>) {
    object(value, joint, swaps);
    for entry in value.entries() {
        below(entry.value, joint, swaps);
    }
}

/// The keys of one object; none if the value isn't one.
fn object(value: Value<'_>, joint: Joint, swaps: &mut Vec<Swap>) {
    let before = swaps.len();
    let mut has_both = false;
    for (key, _) in value.members() {
        has_both |= has(key.content(), joint);
        key_swaps(key, joint, swaps);
    }
    if has_both && swaps.len() > before {
        swaps.truncate(before);
        alone(value, joint, swaps);
    }
}

/// The keys of an object that are there in one spelling only.
fn alone(object: Value<'_>, joint: Joint, swaps: &mut Vec<Swap>) {
    let mut keys: Vec<Value<'_>> = object.members().map(|(key, _)| key).collect();
    let alike = |a: &[u8], b: &[u8]| text::order_alike(a, b, Letters::Dashes);
    keys.sort_by(|a, b| alike(a.content(), b.content()));
    for spellings in keys.chunk_by(|a, b| alike(a.content(), b.content()).is_eq()) {
        let is_one = spellings
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if text::same(a.content(), b.content())));
        for key in spellings.iter().filter(|_| is_one) {
            key_swaps(*key, joint, swaps);
        }
    }
}

/// The letters of one key that are not as they should be.
fn key_swaps(key: Value<'_>, joint: Joint, swaps: &mut Vec<Swap>) {
    let content = key.content();
    if !has(content, joint.other()) {
        return;
    }
    let (start, mut at) = (key.span().start + 1, 0);
    while at < content.len() {
        match (byte(content, at), byte(content, at + 1)) {
            (b'\\', b'u') => {
                if text::hex(content, at + 2) == Some(joint.other().byte().into()) {
                    let digits = start + at + 4;
                    swaps.push(Swap {
                        at: digits,
                        letter: joint.digits(),
                    });
                }
                at += 6;
            }
            (b'\\', _) => at += 2,
            (letter, _) => {
                if letter == joint.other().byte() {
                    swaps.push(Swap {
                        at: start + at,
                        letter: joint.letter(),
                    });
                }
                at += 1;
            }
        }
    }
}

/// Whether a key may have a letter: it does, or has escapes.
fn has(content: &[u8], joint: Joint) -> bool {
    memchr::memchr2(joint.byte(), b'\\', content).is_some()
}

// === impl Joint ===

impl Joint {
    fn other(self) -> Self {
        match self {
            Self::Dash => Self::Underscore,
            Self::Underscore => Self::Dash,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Dash => b'-',
            Self::Underscore => b'_',
        }
    }

    fn letter(self) -> &'static [u8] {
        match self {
            Self::Dash => b"-",
            Self::Underscore => b"_",
        }
    }

    /// The last two of the four digits that spell it behind `\u`.
    fn digits(self) -> &'static [u8] {
        match self {
            Self::Dash => b"2d",
            Self::Underscore => b"5f",
        }
    }
}
