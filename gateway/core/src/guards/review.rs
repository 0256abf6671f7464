//! Which edits of a reply its backend may make.
//!
//! One sweep over the base, in the order of the edits, goes only into the containers that were edited, and knows
//! for each which of the configured places lead further from it. Linear in the edits and the base.

use bytes::Bytes;

use super::{Denied, Guards, Sight};
use crate::json::cut::Cuts;
use crate::json::diff::{Edit, Edits, added_member};
use crate::json::locate::Locator;
use crate::json::text::{self, Letters};
use crate::json::{Child, Document, Entry, Kind, Value};
use crate::pointer::{Pointer, Region, Rest};

/// The edits that stand, in offsets of the base, and those that don't.
#[derive(Debug)]
pub(crate) struct Reviewed {
    pub(crate) edits: Edits,
    pub(crate) denied: Denied,
}

/// A review on its way through the base.
pub(crate) struct Review<'a> {
    base: &'a Document,
    cuts: &'a Cuts,
    /// Whether places of [`Trail::sight`] are hidden; else they are shown.
    hides: bool,
    locator: Locator<'a>,
    /// One for each container around the last edit, outermost first.
    trails: Vec<Trail<'a>>,
    root: Trail<'a>,
    /// The hidden keys of the object that was last added to, sorted, and where that begins.
    hidden: (usize, Vec<&'a [u8]>),
    denied: Denied,
}

/// What the guards say of one place.
#[derive(Debug, Clone)]
struct Trail<'p> {
    region: Region,
    /// What hides or shows something here or below.
    sight: Vec<Rest<'p>>,
    /// What allows edits here or below.
    ground: Vec<Rest<'p>>,
    /// Whether edits are allowed here and below.
    is_ground: bool,
    /// Whether this is in an array whose elements can't be told apart any more.
    is_sealed: bool,
}

// === impl Review ===

impl<'a> Review<'a> {
    /// A review of edits of `base`, by a backend that was sent it without these cuts.
    pub(crate) fn new(base: &'a Document, cuts: &'a Cuts, guards: &'a Guards) -> Self {
        Self {
            base,
            cuts,
            hides: matches!(guards.sight, Sight::Hide(_)),
            locator: Locator::new(base),
            trails: Vec::new(),
            root: Trail::root(guards.sight.places(), guards.ground()),
            hidden: (usize::MAX, Vec::new()),
            denied: Denied::default(),
        }
    }

    /// Takes the edits of what the backend was sent, and tells which of them may be made to the base.
    pub(crate) fn of(mut self, edits: Edits) -> Reviewed {
        let edits = edits.sift(|edit, piece| {
            let edit = edit.at_span(self.cuts.back_span(edit.span()));
            if self.allows(edit, piece) {
                return Some(edit);
            }
            let locator = &mut self.locator;
            self.denied.add(|| locator.place(edit, piece));
            None
        });
        let denied = self.denied;
        Reviewed { edits, denied }
    }

    fn allows(&mut self, edit: Edit, piece: &[u8]) -> bool {
        let at = edit.span().start;
        if at == 0 {
            return self.allows_replacing(&self.root, edit, piece);
        }
        self.follow(at);
        let Some(trail) = self.trails.last() else {
            return self.root.is_ground;
        };
        match self.locator.child(self.trails.len() - 1) {
            Some(child) => self.allows_replacing(&trail.step(child), edit, piece),
            None if self.base.bytes().get(at) == Some(&b']') => trail.lets_append(),
            None => !self.is_hidden_key(piece) && self.allows_adding(piece),
        }
    }

    /// Follows the guards to the containers around this offset.
    fn follow(&mut self, at: usize) {
        let kept = self.locator.seek(at);
        self.trails.truncate(kept);
        while self.trails.len() < self.locator.depth() {
            let trail = match self.trails.last() {
                None => self.root.clone(),
                Some(around) => {
                    // The way to a container that is around the place leads through a child.
                    let child = self.locator.child(self.trails.len() - 1);
                    around.step(child.unwrap_or(Child::Element))
                }
            };
            self.trails.push(trail);
        }
    }

    fn allows_replacing(&self, trail: &Trail<'_>, edit: Edit, piece: &[u8]) -> bool {
        let is_array = self.base.bytes().get(edit.span().start) == Some(&b'[');
        let is_sealed = trail.is_sealed || is_array && trail.seals_elements();
        let holds_hidden = || self.cuts.reach_into(edit.span()) || self.hides && trail.hides_something(piece);
        trail.is_ground && !is_sealed && !holds_hidden()
    }

    fn allows_adding(&self, piece: &[u8]) -> bool {
        let Some(trail) = self.trails.last() else {
            return false;
        };
        let (key, value) = added_member(piece);
        let trail = trail.step(Child::Member(key));
        !trail.is_sealed && trail.allows_new(value) && !(self.hides && trail.hides_something(value))
    }

    /// Whether a new key is the same as one that the backend was not sent.
    fn is_hidden_key(&mut self, piece: &[u8]) -> bool {
        if self.cuts.is_empty() {
            return false;
        }
        let (Some(trail), Some(object)) = (self.trails.last(), self.locator.container()) else {
            return false;
        };
        let letters = trail.region.letters();
        let start = object.span().start;
        if self.hidden.0 != start {
            self.hidden = (start, hidden_keys(object, self.cuts, letters));
        }
        let (key, _) = added_member(piece);
        let order = |hidden: &&[u8]| text::order_alike(hidden, key, letters);
        self.hidden.1.binary_search_by(order).is_ok()
    }
}

/// The keys of an object that are cut, sorted.
fn hidden_keys<'a>(object: Value<'a>, cuts: &Cuts, letters: Letters) -> Vec<&'a [u8]> {
    let members = object.members();
    let hidden = members.filter(|(key, _)| cuts.hold(key.span().start as u32));
    let mut keys: Vec<&[u8]> = hidden.map(|(key, _)| key.content()).collect();
    keys.sort_by(|a, b| text::order_alike(a, b, letters));
    keys
}

// === impl Trail ===

impl<'p> Trail<'p> {
    /// The whole document.
    fn root(sight: &'p [Pointer], ground: Option<&'p [Pointer]>) -> Self {
        Self {
            region: Region::Root,
            sight: sight.iter().map(Pointer::rest).collect(),
            ground: ground.unwrap_or_default().iter().map(Pointer::rest).collect(),
            is_ground: ground.is_none(),
            is_sealed: false,
        }
    }

    /// A child of a container.
    fn step(&self, child: Child<'_>) -> Self {
        let steps = |rests: &[Rest<'p>]| -> Vec<Rest<'p>> {
            let rests = rests.iter();
            rests.filter_map(|rest| rest.step(child, self.region)).collect()
        };
        let mut ground = steps(&self.ground);
        let is_ground = self.is_ground || ground.iter().any(|rest| rest.is_empty());
        if is_ground {
            ground.clear();
        }
        let mut sight = steps(&self.sight);
        // What is shown is shown whole, and what is hidden is not there: nothing of it is left to be reached.
        if sight.iter().any(|rest| rest.is_empty()) {
            sight.retain(|rest| rest.is_empty());
        }
        Self {
            region: self.region.below(child),
            sight,
            ground,
            is_ground,
            is_sealed: self.is_sealed || child == Child::Element && self.seals_elements(),
        }
    }

    /// Whether elements here can't be told apart any more, if this is an array: `*` hides or shows parts of them.
    fn seals_elements(&self) -> bool {
        self.sight.iter().any(|rest| rest.is_any())
    }

    /// Whether an array here may get more elements.
    fn lets_append(&self) -> bool {
        let may = self.is_ground || self.step(Child::Element).is_ground;
        may && !self.is_sealed && !self.seals_elements()
    }

    /// Whether a new value may stand here: all of it is where edits are allowed.
    fn allows_new(&self, value: &[u8]) -> bool {
        self.is_ground || !self.ground.is_empty() && self.allows_only(piece(value).root())
    }

    fn allows_only(&self, value: Value<'_>) -> bool {
        let allows = |Entry { child, value, .. }| {
            let trail = self.step(child);
            trail.is_ground || trail.allows_only(value)
        };
        value.kind() == Kind::Object && !value.is_empty() && value.entries().all(allows)
    }

    /// Whether a value that would stand here has a hidden place in it, or is one.
    fn hides_something(&self, value: &[u8]) -> bool {
        !self.sight.is_empty() && self.reaches(piece(value).root())
    }

    fn reaches(&self, value: Value<'_>) -> bool {
        let goes_on = |Entry { child, value, .. }| {
            let trail = self.step(child);
            !trail.sight.is_empty() && trail.reaches(value)
        };
        self.sight.iter().any(|rest| rest.is_empty()) || value.entries().any(goes_on)
    }
}

/// A checked part of a reply, to be looked into.
fn piece(value: &[u8]) -> Document {
    Document::spliced(Bytes::copy_from_slice(value))
}
