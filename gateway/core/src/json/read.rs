//! Reading checked bytes again, without checking: steps over whole containers where the index knows
//! their end.

use super::cut::Cuts;
use super::scan::{Step, byte, slice, space};
use super::text::plain;

/// Containers up to this many bytes are not in the index: reading them again is as quick.
const SHORT: usize = 64;

/// A container of the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Container {
    /// The offset of its opening bracket.
    start: u32,
    /// The offset behind its closing bracket.
    end: u32,
    /// Where the index goes on behind its descendants; while it is open, the container around it.
    next: u32,
}

/// The containers longer than [`SHORT`], in order of appearance.
#[derive(Debug, Default)]
pub(super) struct Index {
    containers: Vec<Container>,
    /// The innermost container that is still open, counted from 1.
    open: u32,
}

/// A place in checked bytes: an offset, and which container of the index is the first from there on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    /// The offset.
    pub(super) pos: usize,
    /// The index's first container that starts at the offset or behind it.
    pub(super) next: usize,
}

/// Checked bytes and their index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    /// One checked value.
    pub(super) bytes: &'a [u8],
    /// Its long containers.
    pub(super) index: &'a Index,
}

// === impl Index ===

impl super::scan::Containers for Index {
    fn opened(&mut self, at: usize) {
        // Offsets beyond 32 bits never get here: see `Document`.
        self.containers.push(Container {
            start: at as u32,
            end: 0,
            next: self.open,
        });
        self.open = self.containers.len() as u32;
    }

    fn closed(&mut self, end: usize) {
        let (this, behind) = (self.open as usize, self.containers.len() as u32);
        let Some(container) = this.checked_sub(1).and_then(|this| self.containers.get_mut(this)) else {
            return;
        };
        self.open = container.next;
        if end - container.start as usize > SHORT {
            container.end = end as u32;
            container.next = behind;
        } else {
            // What it holds is shorter still, and gone already.
            self.containers.truncate(this - 1);
        }
    }
}

impl Index {
    /// That of no container: each is read again.
    pub(super) const EMPTY: Self = Self {
        containers: Vec::new(),
        open: 0,
    };

    /// An empty index with room for what a document of this many bytes usually has.
    pub(super) fn for_bytes(bytes: usize) -> Self {
        Self {
            containers: Vec::with_capacity(bytes / 384),
            open: 0,
        }
    }

    /// Gives back what the index has reserved and doesn't use.
    pub(super) fn shrink(&mut self) {
        self.containers.shrink_to_fit();
    }

    /// The index of what is left of the bytes without these cuts.
    pub(super) fn without(&self, cuts: &Cuts) -> Self {
        let mut containers = Vec::with_capacity(self.containers.len());
        let mut numbers = Vec::with_capacity(self.containers.len() + 1);
        for container in &self.containers {
            numbers.push(containers.len() as u32);
            if !cuts.hold(container.start) {
                containers.push(Container {
                    start: cuts.forth(container.start),
                    end: cuts.forth(container.end),
                    next: container.next,
                });
            }
        }
        numbers.push(containers.len() as u32);
        for container in &mut containers {
            let behind = numbers.get(container.next as usize);
            container.next = behind.copied().unwrap_or(container.next);
        }
        Self { containers, open: 0 }
    }

    fn at(&self, at: At) -> Option<&Container> {
        self.containers
            .get(at.next)
            .filter(|container| container.start as usize == at.pos)
    }
}

// === impl Source ===

impl<'a> Source<'a> {
    /// The place of the value itself.
    pub(super) const ROOT: At = At { pos: 0, next: 0 };

    /// The byte at an offset.
    #[inline(always)]
    pub(super) fn byte(self, pos: usize) -> u8 {
        byte(self.bytes, pos)
    }

    /// The bytes of a span.
    #[inline(always)]
    pub(super) fn slice(self, from: usize, to: usize) -> &'a [u8] {
        slice(self.bytes, from, to)
    }

    /// Whether the index knows the container at this place.
    pub(super) fn is_long(self, at: At) -> bool {
        self.index.at(at).is_some()
    }

    /// The place behind the value at this one.
    #[inline]
    pub(super) fn end(self, at: At) -> At {
        match self.byte(at.pos) {
            b'{' | b'[' => match self.index.at(at) {
                Some(long) => At {
                    pos: long.end as usize,
                    next: long.next as usize,
                },
                None => At {
                    pos: self.short_end(at.pos),
                    ..at
                },
            },
            _ => At {
                pos: self.scalar_end(at.pos),
                ..at
            },
        }
    }

    /// The offset behind a value that is no container.
    #[inline]
    pub(super) fn scalar_end(self, pos: usize) -> usize {
        if self.byte(pos) == b'"' {
            return self.string_end(pos);
        }
        let mut end = pos;
        while self.is_scalar_at(end) {
            end += 1;
        }
        end
    }

    /// Whether a number or a word goes on at this offset.
    #[inline(always)]
    pub(super) fn is_scalar_at(self, pos: usize) -> bool {
        is_scalar(self.byte(pos))
    }

    /// The offset behind the string at this one.
    #[inline]
    pub(super) fn string_end(self, pos: usize) -> usize {
        string_end(self.bytes, pos)
    }

    /// Steps into the container at this place.
    pub(super) fn first(self, at: At) -> Step<At> {
        let next = at.next + usize::from(self.is_long(at));
        let pos = space(self.bytes, at.pos + 1);
        self.step(At { pos, next })
    }

    /// Steps on behind a child that ended here.
    #[inline]
    pub(super) fn following(self, end: At) -> Step<At> {
        let pos = space(self.bytes, end.pos);
        if self.byte(pos) == b',' {
            let pos = space(self.bytes, pos + 1);
            return Step::Child(At { pos, ..end });
        }
        Step::Close(At { pos, ..end })
    }

    /// The value of the member whose key is at this place, and the offset behind the key.
    pub(super) fn member(self, key: At) -> (usize, At) {
        let end = self.string_end(key.pos);
        let colon = space(self.bytes, end);
        let pos = space(self.bytes, colon + 1);
        (end, At { pos, ..key })
    }

    fn step(self, at: At) -> Step<At> {
        match self.byte(at.pos) {
            b'}' | b']' => Step::Close(at),
            _ => Step::Child(at),
        }
    }

    fn short_end(self, pos: usize) -> usize {
        let mut depth = 0_usize;
        let mut end = pos;
        loop {
            match self.byte(end) {
                b'"' => end = self.string_end(end) - 1,
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 1 => return end + 1,
                b'}' | b']' => depth -= 1,
                // Not in checked bytes; without this a mistake elsewhere would never end.
                0 => return end,
                _ => {}
            }
            end += 1;
        }
    }
}

/// Whether a byte can be part of a number or a word.
#[inline(always)]
pub(super) fn is_scalar(byte: u8) -> bool {
    !matches!(byte, b',' | b']' | b'}' | 0..=b' ')
}

/// The offset behind the checked string whose opening quote stands at this one.
#[inline]
pub(super) fn string_end(bytes: &[u8], pos: usize) -> usize {
    let mut end = plain(bytes, pos + 1);
    while byte(bytes, end) == b'\\' {
        end = plain(bytes, end + 2);
    }
    end + 1
}

/// What the checked string at this offset has between its quotes.
#[inline]
pub(super) fn content(bytes: &[u8], pos: usize) -> &[u8] {
    slice(bytes, pos + 1, string_end(bytes, pos) - 1)
}
