//! `result` as a table held by columns, and the guard of their lengths (`table_guard`, gateway.md section 6).
//!
//! The bot draws a column beside the names of the nodes; one that is shorter or longer is drawn wrongly, or breaks
//! the drawing. So it is judged what a stage leaves of each column that somebody added or edited. Columns that
//! nobody edited are as the bot made them, and what is no array is no column.

use std::ops::Range;

use crate::json::splice::Change;
use crate::json::{Document, Kind, Value, diff};

#[cfg(test)]
mod tests;

/// The column that tells how long the others are: the nodes' names.
const NAMES: &str = "节点名称";

/// The member of a document that is the table.
const RESULT: &str = "result";

/// The table of a document.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    span: Range<usize>,
    columns: Vec<Column<'a>>,
    /// Which of them has the names.
    names: usize,
}

/// A column, or another member of the table.
#[derive(Debug)]
struct Column<'a> {
    /// Its key, as it is spelled.
    key: &'a [u8],
    value: Value<'a>,
    /// Which of the changes are made to it.
    changes: Range<usize>,
    /// What they leave.
    left: Left,
}

/// What is left of a member of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// An array of so many elements.
    Array(usize),
    /// No array where there was one.
    NoArray,
    /// Neither is nor was it a column.
    NoColumn,
}

/// A column of the wrong length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit<'a> {
    /// Its key, as it is spelled.
    pub(crate) key: &'a [u8],
    /// Which of the changes make it one; never none.
    pub(crate) changes: Range<usize>,
    /// How many elements it would have; none where it would be no array any more.
    pub(crate) found: Option<usize>,
    /// How many names there are.
    pub(crate) expected: usize,
}

// === impl Table ===

impl<'a> Table<'a> {
    /// The table of a document, if it has one with names.
    pub(crate) fn of(document: &'a Document) -> Option<Self> {
        let result = document.root().get(RESULT)?;
        let mut columns = Vec::new();
        let mut names = None;
        for (key, value) in result.members() {
            // Of a repeated key the last counts.
            if key.as_str().as_deref() == Some(NAMES) {
                names = Some((columns.len(), value.kind()));
            }
            columns.push(Column {
                key: key.content(),
                value,
                changes: 0..0,
                left: Left::NoColumn,
            });
        }
        let (names, Kind::Array) = names? else {
            return None;
        };
        Some(Self {
            span: result.span(),
            columns,
            names,
        })
    }

    /// The columns that these changes to the document would leave with another length than the names, in the order of
    /// the document, added ones at the end. The changes come in order and don't overlap.
    pub(crate) fn misfits(mut self, changes: &[Change<'a>]) -> Vec<Misfit<'a>> {
        let from = changes.partition_point(|change| change.at <= self.span.start);
        let to = changes.partition_point(|change| change.at < self.span.end);
        if from >= to {
            return Vec::new();
        }
        let added = self.take_in(changes, from..to);
        let expected = self.expected();
        let edited = self
            .columns
            .into_iter()
            .filter(|column| !column.changes.is_empty());
        let edited = edited.filter_map(|column| column.left.misfit(column.key, column.changes, expected));
        let added = added.filter_map(|index| {
            let (key, value) = diff::added_member(changes.get(index)?.piece);
            left_by(value).misfit(key, index..index + 1, expected)
        });
        edited.chain(added).collect()
    }

    /// Gives each member the changes that are made to it, and finds out what they leave. What remains of the changes
    /// are new members.
    fn take_in(&mut self, changes: &[Change<'_>], of_table: Range<usize>) -> Range<usize> {
        let Range { start: mut next, end } = of_table;
        for column in &mut self.columns {
            let span = column.value.span();
            let of_column = changes.get(next..end).unwrap_or_default();
            let count = of_column.partition_point(|change| change.at < span.end);
            column.changes = next..next + count;
            next += count;
            if count > 0 {
                column.left = left(column.value, of_column.get(..count).unwrap_or_default());
            }
        }
        next..end
    }

    /// How many names there are. Where their number was changed, every column that was as long has to have followed;
    /// if one has not, it is the names that don't fit, and they are held against their old number.
    fn expected(&self) -> usize {
        let Some(names) = self.columns.get(self.names) else {
            return 0;
        };
        let before = names.value.elements().count();
        let after = match names.left {
            _ if names.changes.is_empty() => before,
            Left::Array(after) => after,
            Left::NoArray | Left::NoColumn => before,
        };
        let stays_behind = |column: &Column<'_>| {
            let left = if column.changes.is_empty() {
                left(column.value, &[])
            } else {
                column.left
            };
            left != Left::Array(after) && column.value.elements().count() == before
        };
        let is_column = |column: &&Column<'_>| column.value.kind() == Kind::Array;
        if before != after && self.columns.iter().filter(is_column).any(stays_behind) {
            return before;
        }
        after
    }
}

// === impl Left ===

impl Left {
    fn misfit<'a>(self, key: &'a [u8], changes: Range<usize>, expected: usize) -> Option<Misfit<'a>> {
        let found = match self {
            Self::NoColumn => return None,
            Self::Array(found) if found == expected => return None,
            Self::Array(found) => Some(found),
            Self::NoArray => None,
        };
        Some(Misfit {
            key,
            changes,
            found,
            expected,
        })
    }
}

/// What changes leave of a member of the table.
fn left(value: Value<'_>, changes: &[Change<'_>]) -> Left {
    let (span, was_array) = (value.span(), value.kind() == Kind::Array);
    if let [only] = changes
        && (only.at, only.end) == (span.start, span.end)
    {
        return match left_by(only.piece) {
            Left::NoColumn if was_array => Left::NoArray,
            left => left,
        };
    }
    if !was_array {
        return Left::NoColumn;
    }
    // What stands at the closing bracket is appended; all else is inside of elements.
    let appended = changes.iter().filter(|change| change.at + 1 == span.end);
    let appended: usize = appended.map(|change| Value::count(change.piece)).sum();
    Left::Array(value.elements().count() + appended)
}

/// What a new value leaves.
fn left_by(value: &[u8]) -> Left {
    match value {
        [b'[', elements @ .., b']'] => Left::Array(Value::count(elements)),
        _ => Left::NoColumn,
    }
}
