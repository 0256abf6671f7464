//! What the replies to one base have in common: services in one language spell alike, so what one echo
//! taught saves reading the next. Only a cache: nothing of it changes a result.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::edits::Edit;
use super::table::Table;
use crate::json::Document;
use crate::json::read::{At, Source};
use crate::json::text::Letters;

/// Values of a reply shorter than this are read again rather than remembered, and tables of objects of the
/// base that are shorter are built again.
const LONG: usize = 1024;

/// The most edits of one value that are worth remembering.
const EDITS: usize = 4096;

/// The most spellings of one value that are remembered.
const SPELLINGS: usize = 4;

/// What earlier replies to a base looked like.
///
/// Belongs to one base at a time; what another one taught is forgotten.
#[derive(Debug, Default)]
pub struct Echoes {
    base: Option<Document>,
    heard: BTreeMap<usize, Vec<Heard>>,
    tables: BTreeMap<usize, Table>,
    spare: Vec<Table>,
}

/// One spelling of a value, and the edits that it means.
#[derive(Debug)]
struct Heard {
    value: Bytes,
    /// Their pieces are spans of `value`.
    edits: Vec<Edit>,
}

impl Echoes {
    /// Makes sure that everything remembered is about this base.
    pub(super) fn turn_to(&mut self, base: &Document) {
        let known = self
            .base
            .as_ref()
            .map(|known| (known.bytes().as_ptr(), known.bytes().len()));
        if known != Some((base.bytes().as_ptr(), base.bytes().len())) {
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
