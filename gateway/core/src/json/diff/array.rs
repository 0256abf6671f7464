//! Two arrays, element by element while that means anything.

use super::edits::Edit;
use super::lockstep::{Absent, Lockstep, Mark, Place};
use crate::json::SyntaxError;
use crate::json::read::At;
use crate::json::scan::{self, Step};

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

/// How an array of the reply ends.
struct Rest {
    /// The end of its last element, if any was left.
    last: usize,
    /// Its closing bracket.
    close: usize,
}
