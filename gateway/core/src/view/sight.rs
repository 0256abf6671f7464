//! What of a document is left out for one backend: every member or element that is hidden or not shown, as spans
//! that take exactly one comma each with them.

use std::ops::Range;

use crate::guards::Sight;
use crate::json::cut::Cuts;
use crate::json::{Document, Entry, Value};
use crate::pointer::{Pointer, Region, Rest};

/// What this sight leaves out of a document. Goes only into what stands on the way to the places that it names.
pub(super) fn cuts(document: &Document, sight: &Sight) -> Cuts {
    let mut sweep = Sweep {
        hides: matches!(sight, Sight::Hide(_)),
        spans: Vec::new(),
    };
    if *sight != Sight::Whole {
        let rests: Vec<Rest<'_>> = sight.places().iter().map(Pointer::rest).collect();
        sweep.container(document.root(), Region::Root, &rests);
    }
    Cuts::new(&sweep.spans)
}

/// A sweep over the containers on the way.
struct Sweep {
    /// Whether the places are hidden; else they are shown.
    hides: bool,
    spans: Vec<Range<usize>>,
}

/// How far a container has been swept.
enum Swept {
    /// Nothing of it stays so far; the last child that goes, if there is one.
    Nothing(Option<Range<usize>>),
    /// Something stays, and so does the comma behind this offset if something else does.
    Until(usize),
}

impl Sweep {
    /// Cuts children of a container, given the places that lead into it. Returns whether any child stays.
    fn container(&mut self, value: Value<'_>, region: Region, rests: &[Rest<'_>]) -> bool {
        let mut swept = Swept::Nothing(None);
        for entry in value.entries() {
            let child = entry.start..entry.value.span().end;
            // The first children that go take the commas behind them, the others those before them.
            if let Swept::Nothing(Some(gone)) = &swept {
                self.cut(gone.start..child.start);
            }
            let mark = self.spans.len();
            if self.keeps(entry, region, rests) {
                swept = Swept::Until(child.end);
                continue;
            }
            self.spans.truncate(mark);
            swept = match swept {
                Swept::Nothing(_) => Swept::Nothing(Some(child)),
                Swept::Until(end) => {
                    self.cut(end..child.end);
                    Swept::Until(child.end)
                }
            };
        }
        match swept {
            Swept::Nothing(gone) => {
                self.spans.extend(gone);
                false
            }
            Swept::Until(_) => true,
        }
    }

    /// Whether a child stays, perhaps without parts of its own.
    fn keeps(&mut self, entry: Entry<'_>, region: Region, rests: &[Rest<'_>]) -> bool {
        let Entry { child, value, .. } = entry;
        let steps = rests.iter().filter_map(|rest| rest.step(child, region));
        let rests: Vec<Rest<'_>> = steps.collect();
        if rests.is_empty() || rests.iter().any(|rest| rest.is_empty()) {
            return rests.is_empty() == self.hides;
        }
        // A container of which nothing is shown isn't shown either.
        self.container(value, region.below(child), &rests) || self.hides
    }

    /// Cuts a span, as one with the last where they meet.
    fn cut(&mut self, span: Range<usize>) {
        match self.spans.last_mut() {
            Some(last) if last.end == span.start => last.end = span.end,
            _ => self.spans.push(span),
        }
    }
}
