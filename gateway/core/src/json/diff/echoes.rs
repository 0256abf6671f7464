//! What the replies to one base have in common: services in one language spell alike, so what one echo
//! taught saves reading the next. Only a cache: nothing of it changes a result.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::edits::Edit;
use super::table::Table;
use crate::json::Document;
use crate::json::read::{At, Source};
use crate::json::scan::{byte, slice};
use crate::json::text::Letters;

/// Values of a reply shorter than this are read again rather than remembered, and tables of objects of the
/// base that are shorter are built again.
const LONG: usize = 1024;

/// The most edits of one value that are worth remembering.
const EDITS: usize = 4096;

/// The most spellings of one value that are remembered.
const SPELLINGS: usize = 4;

/// Stretches shorter than this are compared with the base: that is as quick.
const STRETCH: usize = 128;

/// What earlier replies to a base looked like.
///
/// Belongs to one base at a time; what another one taught is forgotten.
#[derive(Debug, Default)]
pub struct Echoes {
    base: Option<Document>,
    heard: BTreeMap<usize, Vec<Heard>>,
    /// By their keys, as these are spelled.
    added: BTreeMap<Bytes, Vec<Added>>,
    tables: BTreeMap<usize, Table>,
    spare: Vec<Table>,
    /// For those that leave the base's spaces out.
    pub(super) stretches: Stretches,
}

/// One spelling of a value, and the edits that it means.
#[derive(Debug)]
struct Heard {
    value: Bytes,
    /// Their pieces are spans of `value`.
    edits: Vec<Edit>,
}

/// The value of a member that a reply had and the base hasn't. It has been checked, and need not be again.
#[derive(Debug)]
struct Added {
    value: Bytes,
    /// How many containers were around it.
    level: usize,
}

/// Where an earlier echo was the base without its spaces: another one that leaves them out too is compared with that
/// one, byte for byte. They come where both have the same between what else they spell differently.
#[derive(Debug, Default)]
pub(super) struct Stretches {
    earlier: Bytes,
    /// In the order of the base once they are of `earlier`.
    known: Vec<Stretch>,
    /// Those of the reply that is being read, in its own order, if there is none earlier.
    fresh: Vec<Stretch>,
    /// Which of the known is likely to be asked for next.
    next: usize,
}

/// A stretch of the base, and where the reply has it.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    base: (u32, u32),
    reply: (u32, u32),
}

impl Echoes {
    /// Makes sure that everything remembered is about this base.
    pub(super) fn turn_to(&mut self, base: &Document) {
        // Of a reply that turned out to be broken nothing is remembered.
        self.stretches.fresh.clear();
        let known = self
            .base
            .as_ref()
            .map(|known| (known.bytes().as_ptr(), known.bytes().len()));
        if known != Some((base.bytes().as_ptr(), base.bytes().len())) {
            self.spare.iter_mut().for_each(Table::clear);
            *self = Self {
                base: Some(base.clone()),
                spare: std::mem::take(&mut self.spare),
                ..Self::default()
            };
        }
    }

    /// If the reply from `r` on is a known spelling of the base's value at `at`: where it ends, and its edits.
    pub(super) fn recall(
        &self,
        at: At,
        reply: &[u8],
        r: usize,
    ) -> Option<(usize, impl Iterator<Item = Edit>)> {
        let rest = reply.get(r..)?;
        let heard = self
            .heard
            .get(&at.pos)?
            .iter()
            .find(|heard| rest.starts_with(&heard.value))?;
        Some((
            r + heard.value.len(),
            heard.edits.iter().map(move |edit| edit.moved(r)),
        ))
    }

    /// Remembers how a reply spelled the base's value at `at`: a container, which shows where it ends.
    pub(super) fn remember(&mut self, at: At, reply: &Bytes, (r, end): (usize, usize), edits: &[Edit]) {
        if end - r < LONG || edits.len() > EDITS {
            return;
        }
        let heard = self.heard.entry(at.pos).or_default();
        if heard.len() < SPELLINGS {
            let live = edits.iter().filter(|edit| !edit.is_dead());
            heard.push(Heard {
                value: reply.slice(r..end),
                edits: live.map(|edit| edit.relative_to(r)).collect(),
            });
        }
    }

    /// Where the value of a new member ends that begins at `r`, if an earlier reply had the same under this key, no less
    /// deep. Services that answer with the same part of a document in the wrong place, or add the same, are compared so.
    pub(super) fn recall_added(&self, key: &[u8], reply: &[u8], r: usize, level: usize) -> Option<usize> {
        let rest = reply.get(r..)?;
        let is_same = |added: &&Added| level <= added.level && rest.starts_with(&added.value);
        let added = self.added.get(key)?.iter().find(is_same)?;
        Some(r + added.value.len())
    }

    /// Remembers the value of a new member: one that shows where it ends.
    pub(super) fn remember_added(
        &mut self,
        key: (usize, usize),
        reply: &Bytes,
        (r, end): (usize, usize),
        level: usize,
    ) {
        if end - r < LONG || !matches!(byte(reply, r), b'{' | b'[' | b'"') {
            return;
        }
        let added = self.added.entry(reply.slice(key.0..key.1)).or_default();
        if added.len() < SPELLINGS {
            let value = reply.slice(r..end);
            added.push(Added { value, level });
        }
    }

    /// The members of the base's object at `at`. To be given back with [`Echoes::keep`].
    pub(super) fn table(&mut self, base: Source<'_>, at: At, letters: Letters) -> Table {
        let mut table = self.tables.remove(&at.pos).unwrap_or_else(|| {
            let mut table = self.spare.pop().unwrap_or_default();
            table.read(base, at, letters);
            table
        });
        table.begin();
        table
    }

    /// Takes a table back.
    pub(super) fn keep(&mut self, (start, end): (usize, usize), table: Table) {
        if end - start < LONG {
            self.spare.push(table);
        } else {
            self.tables.insert(start, table);
        }
    }
}

// === impl Stretches ===

impl Stretches {
    /// Behind the stretch that begins at `b` and ends before `end`, in the base and in the reply, if the reply has it at
    /// `r` as the earlier one had it.
    pub(super) fn recall(
        &mut self,
        (b, end): (usize, usize),
        reply: &[u8],
        r: usize,
    ) -> Option<(usize, usize)> {
        let begin = |stretch: &Stretch| stretch.base.0 as usize;
        while self.known.get(self.next).is_some_and(|next| begin(next) < b) {
            self.next += 1;
        }
        if self
            .next
            .checked_sub(1)
            .and_then(|last| self.known.get(last))
            .is_some_and(|last| begin(last) >= b)
        {
            self.next = self.known.partition_point(|stretch| begin(stretch) < b);
        }
        let known = self
            .known
            .get(self.next)
            .filter(|next| begin(next) == b && next.base.1 as usize <= end)?;
        let earlier = slice(&self.earlier, known.reply.0 as usize, known.reply.1 as usize);
        let behind = r + earlier.len();
        (slice(reply, r, behind) == earlier).then_some((known.base.1 as usize, behind))
    }

    /// Where in the base the next known stretch begins, if that is before `end`; else `end`.
    pub(super) fn next_begin(&self, end: usize) -> usize {
        let next = self.known.get(self.next).map(|next| next.base.0 as usize);
        next.map_or(end, |next| next.min(end))
    }

    /// Remembers a stretch of the reply that is being read.
    pub(super) fn note(&mut self, base: (usize, usize), reply: (usize, usize)) {
        if self.known.is_empty() && base.1 - base.0 >= STRETCH {
            self.fresh.push(Stretch {
                base: (base.0 as u32, base.1 as u32),
                reply: (reply.0 as u32, reply.1 as u32),
            });
        }
    }

    /// The reply has been read. The first that left spaces out is remembered.
    pub(super) fn settle(&mut self, reply: &Bytes) {
        self.next = 0;
        if !self.fresh.is_empty() {
            self.known = std::mem::take(&mut self.fresh);
            self.known.sort_unstable_by_key(|stretch| stretch.base);
            self.earlier = reply.clone();
        }
    }
}
