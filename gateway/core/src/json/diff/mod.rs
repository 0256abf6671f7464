//! What a backend really edited: the difference between what it was sent and its reply.
//!
//! One pass checks the reply and compares it. Two cursors go in lockstep over the base's structure; where
//! both are the same bytes they step over whole subtrees; where they aren't, objects and arrays descend,
//! scalars compare by meaning, and what really differs becomes an edit. An echo in any serialiser's spelling
//! has none (gateway.md section 4).

mod alike;
mod array;
mod dense;
mod echoes;
mod edits;
mod lockstep;
mod object;
mod run;
mod table;

use bytes::Bytes;

pub use self::echoes::Echoes;
pub use self::edits::Edits;
pub(crate) use self::edits::{Edit, added_member};
use self::lockstep::{Absent, Likeness, Lockstep, Place};
use super::read::Source;
use super::scan::{self, byte};
use super::text::Letters;
use super::{Document, MAX_LEN, SyntaxError, without_bom};

/// What a reply is as a whole: whether it carries anything is decided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `null`.
    Null,
    /// `{}`.
    EmptyObject,
    /// An object with members.
    Object,
    /// Anything else.
    Other,
}

/// What a reply is, and what it edits.
#[derive(Debug, Clone)]
pub struct Diff {
    /// What the reply is as a whole.
    pub shape: Shape,
    /// What it changes of the base. Only an object with members edits anything; an echo doesn't.
    pub edits: Edits,
}

/// Checks a reply and finds what it edits of `base`, the document that its backend was sent.
///
/// `echoes` is what earlier replies to the same base taught; it saves time and changes nothing.
///
/// # Errors
///
/// The reply is not JSON as Python reads it. Nothing is ever half used.
pub fn diff(base: &Document, reply: Bytes, echoes: &mut Echoes) -> Result<Diff, SyntaxError> {
    if base.bytes().len() > MAX_LEN {
        return Err(SyntaxError::TooLong);
    }
    let reply = whole(reply)?;
    let start = scan::space(&reply, 0);
    if opening(&reply, start) != Shape::Object {
        let end = scan::value(&reply, start, 0, &mut ())?;
        scan::finish(&reply, end)?;
        let (shape, edits) = (opening(&reply, start), Edits::default());
        return Ok(Diff { shape, edits });
    }
    echoes.turn_to(base);
    let mut lockstep = Lockstep::new(base.source(), &reply, echoes, Likeness::Echo);
    let ends = lockstep.value(Source::ROOT, start, Place::ROOT)?;
    let edits = lockstep.edits;
    scan::finish(&reply, ends.reply)?;
    echoes.stretches.settle(&reply);
    let edits = Edits::new(reply, edits);
    Ok(Diff {
        shape: Shape::Object,
        edits,
    })
}

/// Checks a reply and says what it is, where there is no base to compare it with.
///
/// # Errors
///
/// The reply is not JSON as Python reads it.
pub fn shape(reply: &[u8]) -> Result<Shape, SyntaxError> {
    let reply = reply.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(reply);
    let (start, _) = scan::document(reply, &mut ())?;
    Ok(opening(reply, start))
}

/// Whether two checked values are equal.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    let Ok(a) = Document::parse(Bytes::copy_from_slice(a)) else {
        return false;
    };
    let b = Bytes::copy_from_slice(b);
    let mut echoes = Echoes::default();
    let mut lockstep = Lockstep::new(a.source(), &b, &mut echoes, Likeness::Equal);
    let place = Place {
        level: 0,
        letters: Letters::Exact,
        absent: Absent::Replaces,
    };
    lockstep.value(Source::ROOT, 0, place).is_ok() && lockstep.live == 0
}

/// Whether two checked, non-empty lists of elements are equal.
pub(crate) fn equal_elements(a: &[u8], b: &[u8]) -> bool {
    let array = |elements: &[u8]| [b"[", elements, b"]"].concat();
    a == b || equal(&array(a), &array(b))
}

/// The reply without a BOM, if it is UTF-8 and not too long.
fn whole(reply: Bytes) -> Result<Bytes, SyntaxError> {
    let reply = without_bom(reply);
    if reply.len() > MAX_LEN {
        return Err(SyntaxError::TooLong);
    }
    scan::utf8(&reply)?;
    Ok(reply)
}

/// What a value is, by how it begins.
fn opening(reply: &[u8], start: usize) -> Shape {
    match byte(reply, start) {
        b'n' => Shape::Null,
        b'{' if byte(reply, scan::space(reply, start + 1)) == b'}' => Shape::EmptyObject,
        b'{' => Shape::Object,
        _ => Shape::Other,
    }
}
