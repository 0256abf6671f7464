//! Two arrays, element by element while that means anything.

use super::edits::Edit;
use super::lockstep::{Absent, Lockstep, Mark, Place};
use crate::json::SyntaxError;
use crate::json::lanes::{LANES, Lanes};
use crate::json::read::{At, string_end};
use crate::json::scan::{self, Step, byte, slice, space};

/// An array that differs in more places than this replaces the base's.
const MOST_PLACES: usize = 65_536;

impl Lockstep<'_> {
    /// Compares the base's array with the reply's at `r`, and returns where that one ends.
    pub(super) fn array(&mut self, (b, end): (At, At), r: usize, place: Place) -> Result<usize, SyntaxError> {
        let mark = self.mark();
        let below = Place {
            absent: Absent::Replaces,
            ..place.below()
        };
        let (mut ours, mut theirs) = (self.base.first(b), scan::first(self.reply, r));
        while let (Step::Child(our), Step::Child(their)) = (ours, theirs) {
            let (our, their) = self.skip_same(our, their);
            let ends = self.value(our, their, below)?;
            ours = self.base.following(ends.base);
            theirs = scan::following(self.reply, ends.reply, b'[')?;
            if self.live - mark.live > MOST_PLACES {
                break;
            }
        }
        let reply = self.rest(theirs, below)?;
        match (ours, theirs) {
            (Step::Close(_), Step::Close(_)) if self.live - mark.live <= MOST_PLACES => {}
            (Step::Close(close), Step::Child(from)) if self.live == mark.live => {
                self.push(Edit::new((close.pos, close.pos), (from, reply.last)));
            }
            _ => self.replace(mark, (b, end), (r, reply.close + 1)),
        }
        Ok(reply.close + 1)
    }

    /// Steps over elements that are the same number or string, spelled the same; the last one stays. What the
    /// general way finds too, this finds fast: most of a document is such lists.
    fn skip_same(&self, mut our: At, mut their: usize) -> (At, usize) {
        let (base, reply) = (self.base.bytes, self.reply.as_ref());
        loop {
            let same = match byte(base, our.pos) {
                b'-' | b'0'..=b'9' => same_number(base, our.pos, reply, their),
                b'"' => same_string(base, our.pos, reply, their),
                _ => None,
            };
            let Some(len) = same else {
                return (our, their);
            };
            our.pos = space(base, our.pos + len + 1);
            their = space(reply, their + len + 1);
        }
    }

    fn replace(&mut self, mark: Mark, (b, end): (At, At), reply: (usize, usize)) {
        self.undo(mark);
        self.push(Edit::new((b.pos, end.pos), reply));
    }

    /// Checks what is left of the reply's array.
    fn rest(&self, mut step: Step<usize>, below: Place) -> Result<Rest, SyntaxError> {
        let mut last = 0;
        loop {
            match step {
                Step::Close(close) => return Ok(Rest { last, close }),
                Step::Child(at) => last = scan::value(self.reply, at, below.level, &mut ())?,
            }
            step = scan::following(self.reply, last, b'[')?;
        }
    }
}

/// How long the number is that both have here, if it is short and a comma follows it in both.
#[inline(always)]
fn same_number(base: &[u8], b: usize, reply: &[u8], r: usize) -> Option<usize> {
    let (ours, theirs) = (Lanes::at(base, b)?, Lanes::at(reply, r)?);
    let len = ours.equal_to(b',').trailing_zeros() as usize;
    let same = ours.unlike(theirs).trailing_zeros() as usize;
    // A digit right before the comma: so it ends the number, not an array that the number ends.
    (len < same.min(LANES) && byte(base, b + len - 1).is_ascii_digit()).then_some(len)
}

/// How long the string is that both have here, if a comma follows it in both.
#[inline(always)]
fn same_string(base: &[u8], b: usize, reply: &[u8], r: usize) -> Option<usize> {
    if byte(base, b + 1) != byte(reply, r + 1) {
        return None;
    }
    let len = string_end(base, b) - b;
    let is_same = slice(base, b, b + len) == slice(reply, r, r + len);
    (is_same && byte(base, b + len) == b',' && byte(reply, r + len) == b',').then_some(len)
}

/// How an array of the reply ends.
struct Rest {
    /// The end of its last element, if any was left.
    last: usize,
    /// Its closing bracket.
    close: usize,
}
