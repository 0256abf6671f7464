//! The members of one object of the base: found by key, and which of them a reply has named already.

use std::cmp::Ordering;
use std::ops::Range;

use crate::json::read::{At, Source};
use crate::json::scan::{Step, slice};
use crate::json::text::{self, Letters};

/// An object of more members than this gets its keys sorted to see whether one is repeated.
const FEW: usize = 24;

/// The members of one object of the base.
#[derive(Debug, Default)]
pub(super) struct Table {
    members: Vec<Member>,
    /// The last member of each key, by [`order`]; empty until somebody asks.
    sorted: Vec<u32>,
    /// How many different keys there are.
    distinct: usize,
    letters: Option<Letters>,
    close: usize,
    visit: u64,
    expected: usize,
    /// Which member each key of the last reply was: of an object with the same keys, as one of a list, it is the same.
    order: Vec<u32>,
    /// How many keys have been looked up.
    asked: usize,
    seen: usize,
}

#[derive(Debug)]
struct Member {
    /// Where the key's content begins and ends.
    key: Range<u32>,
    value: u32,
    next: u32,
    edits: Range<u32>,
    /// The last visit of this object during which a reply named this member.
    visit: u64,
    /// Different in keys that begin differently or are of different lengths; none if the key has escapes.
    print: Option<u64>,
}

impl Table {
    /// Reads the members of the object at a place. Where its keys are those of the object that was read before, as in a
    /// list they mostly are, what was found out about them holds on.
    pub(super) fn read(&mut self, base: Source<'_>, at: At, letters: Letters) {
        self.visit = 0;
        let (mut count, mut is_known) = (0, self.letters == Some(letters));
        let mut step = base.first(at);
        while let Step::Child(key) = step {
            let (end, value) = base.member(key);
            let member = Member {
                key: key.pos as u32 + 1..end as u32 - 1,
                value: value.pos as u32,
                next: value.next as u32,
                edits: 0..0,
                visit: 0,
                print: None,
            };
            is_known &= self.place(base, count, member);
            count += 1;
            step = base.following(base.end(value));
        }
        if let Step::Close(close) = step {
            self.close = close.pos;
        }
        if !is_known || count < self.members.len() {
            self.members.truncate(count);
            self.compare_keys(base, letters);
        }
    }

    /// Puts a member into its place. Says whether that of the object before had the same key.
    fn place(&mut self, base: Source<'_>, nth: usize, mut member: Member) -> bool {
        let name = member.name(base);
        match self.members.get_mut(nth) {
            Some(before) if before.name(base) == name => {
                member.print = before.print;
                *before = member;
                true
            }
            before => {
                member.print = print(name);
                match before {
                    Some(before) => *before = member,
                    None => self.members.push(member),
                }
                false
            }
        }
    }

    /// Finds out whether a key is repeated.
    fn compare_keys(&mut self, base: Source<'_>, letters: Letters) {
        self.letters = Some(letters);
        self.sorted.clear();
        self.order.clear();
        self.order.resize(self.members.len(), 0);
        self.distinct = self.members.len();
        if !self.is_clearly_distinct() {
            self.sort(base);
            self.distinct = self.sorted.len();
        }
    }

    /// Forgets whatever it knows of a base.
    pub(super) fn clear(&mut self) {
        *self = Self {
            members: std::mem::take(&mut self.members),
            ..Self::default()
        };
        self.members.clear();
    }

    /// Whether no key can be a repeated one, as far as can be told without reading them.
    fn is_clearly_distinct(&self) -> bool {
        if self.members.len() > FEW {
            return false;
        }
        let mut rest = self.members.as_slice();
        while let [first, others @ ..] = rest {
            if first.print.is_none() || others.iter().any(|other| other.print == first.print) {
                return false;
            }
            rest = others;
        }
        true
    }

    fn sort(&mut self, base: Source<'_>) {
        let letters = self.letters.unwrap_or(Letters::Exact);
        let key = |&member: &u32| {
            self.members
                .get(member as usize)
                .map_or(&[][..], |m| m.name(base))
        };
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
        self.asked = 0;
        self.seen = 0;
    }

    /// The member whose key the reply has at `at`, and the end of that key, if it is the one that is likely to be there:
    /// the one that was there in the object before, or the one behind the last.
    pub(super) fn likely(&mut self, base: Source<'_>, reply: &[u8], at: usize) -> Option<(usize, usize)> {
        if self.distinct < self.members.len() {
            return None;
        }
        let order = self.order.get(self.asked).map_or(0, |&member| member as usize);
        [order, self.expected].into_iter().find_map(|likely| {
            let name = self.members.get(likely)?.quoted_name(base);
            let end = at + name.len();
            (slice(reply, at, end) == name).then(|| {
                self.asked += 1;
                (likely, end)
            })
        })
    }

    /// The member that a key of a reply means: the last of that very key, else one whose key is alike.
    ///
    /// Where several are alike the one with dashes is meant: koipy's newer releases spell so.
    pub(super) fn find(&mut self, base: Source<'_>, name: &[u8]) -> Option<usize> {
        let found = self.search(base, name)?;
        if let Some(order) = self.order.get_mut(self.asked) {
            *order = found as u32;
        }
        self.asked += 1;
        Some(found)
    }

    fn search(&mut self, base: Source<'_>, name: &[u8]) -> Option<usize> {
        if self.sorted.is_empty() {
            // A few keys without escapes: what looks the same is soon found, or isn't there.
            let name_print = print(name);
            let found = self
                .members
                .iter()
                .position(|m| m.print == name_print && text::same(m.name(base), name));
            if found.is_some() {
                return found;
            }
            self.sort(base);
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
        self.seen < self.distinct
    }

    /// The offset of the object's closing bracket.
    pub(super) fn close(&self) -> usize {
        self.close
    }
}

impl Member {
    fn quoted_name<'a>(&self, base: Source<'a>) -> &'a [u8] {
        base.slice(self.key.start as usize - 1, self.key.end as usize + 1)
    }

    fn name<'a>(&self, base: Source<'a>) -> &'a [u8] {
        base.slice(self.key.start as usize, self.key.end as usize)
    }
}

/// Tells keys apart by their first bytes and their length.
fn print(name: &[u8]) -> Option<u64> {
    let mut print = name.len() as u64;
    for &byte in name.iter().take(7) {
        print = print << 8 | u64::from(byte);
    }
    (!text::escaped(name)).then_some(print)
}

/// Keys that are alike stand together, each in its exact place among them.
fn order(a: &[u8], b: &[u8], letters: Letters) -> Ordering {
    text::order_alike(a, b, letters).then_with(|| text::order(a, b))
}
