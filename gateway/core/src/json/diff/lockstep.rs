//! Base and reply, read side by side: the reply is checked and compared in one pass.
//!
//! Recursion follows the base's structure, which is at most 128 levels deep; whatever the reply has that
//! the base hasn't is read by the scanner, which does not recurse.

use bytes::Bytes;

use super::alike::alike;
use super::echoes::Echoes;
use super::edits::Edit;
use super::run::Run;
use crate::json::read::{At, Source};
use crate::json::scan::{self, byte, slice};
use crate::json::text::{self, Letters};
use crate::json::{SyntaxError, number};

type Scanned<T> = Result<T, SyntaxError>;

/// The two texts, how far they have been found the same, and the edits so far.
pub(super) struct Lockstep<'a> {
    pub(super) base: Source<'a>,
    pub(super) reply: &'a Bytes,
    pub(super) echoes: &'a mut Echoes,
    pub(super) likeness: Likeness,
    pub(super) edits: Vec<Edit>,
    /// How many of the edits aren't dead.
    pub(super) live: usize,
    /// Which of the edits are new members of the objects that are being read, innermost last.
    pub(super) fresh: Vec<usize>,
    run: Run,
    /// Where in the base it was last found out that a container isn't alike.
    unlike: usize,
}

/// When a value of the reply is the base's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// If it is what some serialiser makes of it.
    Echo,
    /// If it is equal.
    Equal,
}

/// What a key means that the reply's object lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// Its value is unedited.
    Unedited,
    /// The object is another one, and replaces the base's.
    Replaces,
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The containers around it.
    pub(super) level: usize,
    /// When two keys below it are the same.
    pub(super) letters: Letters,
    /// What a key means that is absent below it.
    pub(super) absent: Absent,
}

/// The places behind a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) base: At,
    pub(super) reply: usize,
}

/// How many edits there were.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) len: usize,
    pub(super) live: usize,
}

// === impl Lockstep ===

impl<'a> Lockstep<'a> {
    pub(super) fn new(
        base: Source<'a>,
        reply: &'a Bytes,
        echoes: &'a mut Echoes,
        likeness: Likeness,
    ) -> Self {
        Self {
            base,
            reply,
            echoes,
            likeness,
            edits: Vec::new(),
            live: 0,
            fresh: Vec::new(),
            run: Run::default(),
            unlike: usize::MAX,
        }
    }

    /// Compares the base's value at `b` with the reply's at `r`, and checks that one.
    pub(super) fn value(&mut self, b: At, r: usize, place: Place) -> Scanned<Ends> {
        match (self.base.byte(b.pos), byte(self.reply, r)) {
            (b'{', b'{') | (b'[', b'[') => self.container(b, r, place),
            (b'"', b'"') => self.strings(b, r),
            (b'-' | b'0'..=b'9' | b'N' | b'I', b'-' | b'0'..=b'9') => self.numbers(b, r),
            _ => self.unlike(b, r, place),
        }
    }

    fn container(&mut self, b: At, r: usize, place: Place) -> Scanned<Ends> {
        let end = self.base.end(b);
        if self.is_same(b, end, r) {
            let reply = r + (end.pos - b.pos);
            return Ok(Ends { base: end, reply });
        }
        let known = matches!(place.level, 1 | 2) && self.likeness == Likeness::Echo;
        if known && let Some(reply) = self.recall(b, r) {
            return Ok(Ends { base: end, reply });
        }
        let mark = self.mark();
        let reply = match self.is_alike((b.pos, end.pos), r, place) {
            Some(reply) => reply,
            None if self.base.byte(b.pos) == b'{' => self.object((b, end), r, place)?,
            None => self.array((b, end), r, place)?,
        };
        if known {
            let edits = self.edits.get(mark.len..).unwrap_or_default();
            self.echoes.remember(b, self.reply, (r, reply), edits);
        }
        Ok(Ends { base: end, reply })
    }

    fn recall(&mut self, b: At, r: usize) -> Option<usize> {
        let (end, edits) = self.echoes.recall(b, self.reply, r)?;
        let before = self.edits.len();
        self.edits.extend(edits);
        self.live += self.edits.len() - before;
        Some(end)
    }

    fn strings(&mut self, b: At, r: usize) -> Scanned<Ends> {
        let same = 1 + text::same_plain(self.base.bytes, b.pos + 1, self.reply, r + 1);
        if (self.base.byte(b.pos + same), byte(self.reply, r + same)) == (b'"', b'"') {
            let pos = b.pos + same + 1;
            return Ok(Ends {
                base: At { pos, ..b },
                reply: r + same + 1,
            });
        }
        let end = self.base.string_end(b.pos);
        let base = At { pos: end, ..b };
        let reply = scan::string(self.reply, r)?;
        let (ours, theirs) = (
            self.base.slice(b.pos + 1, end - 1),
            slice(self.reply, r + 1, reply - 1),
        );
        let unedited = match self.likeness {
            Likeness::Echo => text::echoes(ours, theirs),
            Likeness::Equal => text::same(ours, theirs),
        };
        if !unedited {
            self.push(Edit::new((b.pos, end), (r, reply)));
        }
        Ok(Ends { base, reply })
    }

    fn numbers(&mut self, b: At, r: usize) -> Scanned<Ends> {
        let reply = scan::number(self.reply, r)?;
        let theirs = slice(self.reply, r, reply);
        let end = b.pos + theirs.len();
        if self.base.slice(b.pos, end) == theirs && !self.base.is_scalar_at(end) {
            let base = At { pos: end, ..b };
            return Ok(Ends { base, reply });
        }
        let end = self.base.scalar_end(b.pos);
        if !number::same(self.base.slice(b.pos, end), theirs) {
            self.push(Edit::new((b.pos, end), (r, reply)));
        }
        let base = At { pos: end, ..b };
        Ok(Ends { base, reply })
    }

    /// Two values of different kinds, or two words.
    fn unlike(&mut self, b: At, r: usize, place: Place) -> Scanned<Ends> {
        let reply = scan::value(self.reply, r, place.level, &mut ())?;
        let base = self.base.end(b);
        let ours = self.base.slice(b.pos, base.pos);
        let theirs = slice(self.reply, r, reply);
        if ours != theirs && !self.is_spelling(ours, theirs) {
            self.push(Edit::new((b.pos, base.pos), (r, reply)));
        }
        Ok(Ends { base, reply })
    }

    /// Whether a value of another kind is what some serialiser writes for the base's.
    fn is_spelling(&self, ours: &[u8], theirs: &[u8]) -> bool {
        match (byte(ours, 0), byte(theirs, 0)) {
            // 1e999 is an infinity too, and `Infinity` may come back as it.
            (b'-' | b'0'..=b'9', b'N' | b'I') => number::same(ours, theirs),
            (b'N' | b'I', b'N' | b'I') => number::same(ours, theirs),
            (b'-' | b'0'..=b'9' | b'N' | b'I', b'n') if self.likeness == Likeness::Echo => {
                number::is_unspellable(ours)
            }
            (b'{', b'[') | (b'[', b'{') if self.likeness == Likeness::Echo => {
                is_empty(ours) && is_empty(theirs)
            }
            _ => false,
        }
    }

    /// Whether the base's container stands in the reply at `r`, byte for byte.
    fn is_same(&mut self, b: At, end: At, r: usize) -> bool {
        if self.base.is_long(b) {
            return self.run.covers(self.base.bytes, self.reply, (b.pos, end.pos), r);
        }
        let ours = self.base.slice(b.pos, end.pos);
        slice(self.reply, r, r + ours.len()) == ours
    }

    /// Where in the reply the base's container ends, if it is the same there but for how it is spelled.
    ///
    /// Of the upper two levels it is not asked: something is edited there, as a rule. Nor of a container that holds the
    /// difference which one around it was found to have; so no byte is compared much more than twice.
    fn is_alike(&mut self, (b, end): (usize, usize), r: usize, place: Place) -> Option<usize> {
        if place.level < 2 || (b..end).contains(&self.unlike) {
            return None;
        }
        let alike = alike(
            self.base.bytes,
            (b, end),
            self.reply,
            r,
            &mut self.echoes.stretches,
        );
        if let Err(at) = alike {
            self.unlike = at;
        }
        alike.ok()
    }

    pub(super) fn push(&mut self, edit: Edit) {
        self.edits.push(edit);
        self.live += 1;
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            len: self.edits.len(),
            live: self.live,
        }
    }

    /// Forgets the edits since a mark.
    pub(super) fn undo(&mut self, mark: Mark) {
        self.edits.truncate(mark.len);
        self.live = mark.live;
    }
}

// === impl Place ===

impl Place {
    /// The whole document.
    pub(super) const ROOT: Self = Self {
        level: 0,
        letters: Letters::Dashes,
        absent: Absent::Unedited,
    };

    /// One level further down.
    pub(super) fn below(self) -> Self {
        Self {
            level: self.level + 1,
            ..self
        }
    }
}

fn is_empty(container: &[u8]) -> bool {
    scan::space(container, 1) + 1 == container.len()
}
