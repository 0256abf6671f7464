//! The members of one object of the base: found by key, and which of them a reply has named already.

use std::cmp::Ordering;
use std::ops::Range;

use crate::json::read::{At, Source, content};
use crate::json::scan::Step;
use crate::json::text::{self, Letters};

/// The members of one object of the base.
#[derive(Debug, Default)]
pub(super) struct Table {
    members: Vec<Member>,
    /// The last member of each key, by [`order`].
    sorted: Vec<u32>,
    letters: Option<Letters>,
    close: usize,
    visit: u64,
    expected: usize,
    seen: usize,
}

#[derive(Debug)]
struct Member {
    key: u32,
    value: u32,
    next: u32,
    edits: Range<u32>,
    /// The last visit of this object during which a reply named this member.
    visit: u64,
}

impl Table {
    /// Reads the members of the object at a place.
    pub(super) fn read(&mut self, base: Source<'_>, at: At, letters: Letters) {
        self.members.clear();
        self.letters = Some(letters);
        self.visit = 0;
        let mut step = base.first(at);
        while let Step::Child(key) = step {
            let (_, value) = base.member(key);
            self.members.push(Member {
                key: key.pos as u32,
                value: value.pos as u32,
                next: value.next as u32,
                edits: 0..0,
                visit: 0,
            });
            step = base.following(base.end(value));
        }
        if let Step::Close(close) = step {
            self.close = close.pos;
        }
        self.sort(base, letters);
    }

    fn sort(&mut self, base: Source<'_>, letters: Letters) {
        let key = |&member: &u32| {
            self.members
                .get(member as usize)
                .map_or(&[][..], |m| m.name(base))
        };
        self.sorted.clear();
        self.sorted.extend(0..self.members.len() as u32);
        self.sorted
            .sort_by(|a, b| order(key(a), key(b), letters).then(b.cmp(a)));
        self.sorted
            .dedup_by(|later, kept| text::same(key(later), key(kept)));
    }

    /// Begins another reply's visit of this object.
    pub(super) fn begin(&mut self) {
        self.visit += 1;
        self.expected = 0;
        self.seen = 0;
    }

    /// The member that a key of a reply means: the last of that very key, else one whose key is alike.
    ///
    /// Where several are alike the one with dashes is meant: koipy's newer releases spell so.
    pub(super) fn find(&self, base: Source<'_>, name: &[u8]) -> Option<usize> {
        let unique = self.sorted.len() == self.members.len();
        if unique
            && self
                .members
                .get(self.expected)
                .is_some_and(|m| text::same(m.name(base), name))
        {
            return Some(self.expected);
        }
        let letters = self.letters.unwrap_or(Letters::Exact);
        let key = |&member: &u32| {
            self.members
                .get(member as usize)
                .map_or(&[][..], |m| m.name(base))
        };
        let exact = self
            .sorted
            .partition_point(|m| order(key(m), name, letters) == Ordering::Less);
        let found = self.sorted.get(exact).filter(|m| text::same(key(m), name));
        let found = found.or_else(|| {
            let alike = |m: &u32| text::order_alike(key(m), name, letters);
            let first = self.sorted.partition_point(|m| alike(m) == Ordering::Less);
            self.sorted.get(first).filter(|m| alike(m) == Ordering::Equal)
        });
        found.map(|&member| member as usize)
    }

    /// Where a member's value stands.
    pub(super) fn value(&self, member: usize) -> At {
        self.members.get(member).map_or(Source::ROOT, |m| At {
            pos: m.value as usize,
            next: m.next as usize,
        })
    }

    /// Whether a member's key is this one.
    pub(super) fn is_named(&self, base: Source<'_>, member: usize, name: &[u8]) -> bool {
        self.members
            .get(member)
            .is_some_and(|m| text::same(m.name(base), name))
    }

    /// Remembers that the reply named a member, and which edits came of it. Returns the edits that came of
    /// it when it named it before.
    pub(super) fn named(&mut self, member: usize, edits: Range<usize>) -> Option<Range<usize>> {
        self.expected = member + 1;
        let visit = self.visit;
        let member = self.members.get_mut(member)?;
        let before = std::mem::replace(&mut member.edits, edits.start as u32..edits.end as u32);
        if std::mem::replace(&mut member.visit, visit) == visit {
            return Some(before.start as usize..before.end as usize);
        }
        self.seen += 1;
        None
    }

    /// Whether there is a key that the reply has not named.
    pub(super) fn is_left_out(&self) -> bool {
        self.seen < self.sorted.len()
    }

    /// The offset of the object's closing bracket.
    pub(super) fn close(&self) -> usize {
        self.close
    }
}

impl Member {
    fn name<'a>(&self, base: Source<'a>) -> &'a [u8] {
        content(base.bytes, self.key as usize)
    }
}

/// Keys that are alike stand together, each in its exact place among them.
fn order(a: &[u8], b: &[u8], letters: Letters) -> Ordering {
    text::order_alike(a, b, letters).then_with(|| text::order(a, b))
}
