//! What a backend may see, change and say: what it says itself, over what it inherits.

use koigate_core::guards::{Guards, Keys, Power, Powers, Sight};
use koigate_core::pointer::{Pointer, PointerError};

use super::word;
use crate::file::{self, Word};
use crate::place::Placed;
use crate::problem::{GuardProblem, Warning, quotable};
use crate::report::Findings;

/// The keys of one table that are about guards.
pub(super) struct Written<'a> {
    hide: Option<&'a Places>,
    show: Option<&'a Places>,
    may_change: Option<&'a Places>,
    may: Option<&'a Placed<Vec<Placed<Word<file::Power>>>>>,
    keys: Option<&'a Placed<Word<file::Keys>>>,
}

/// Pointers as they are written.
type Places = Placed<Vec<Placed<String>>>;

/// The guards of a backend, or of all by default. A backend's own `hide` or `show` stands for either of the two that
/// it would inherit.
pub(super) fn resolve(written: &Written<'_>, inherited: &Guards, findings: &mut Findings) -> Guards {
    let guards = Guards {
        sight: sight(written, findings).unwrap_or_else(|| inherited.sight.clone()),
        keys: keys(written.keys, inherited.keys),
        may_change: written
            .may_change
            .map(|written| places("may_change", written, findings))
            .or_else(|| inherited.may_change.clone()),
        may: written
            .may
            .map_or_else(|| inherited.may.clone(), |written| powers(written, findings)),
    };
    if let (Some(unused), false) = (written.may_change, guards.may.allow(Power::Json)) {
        findings.note(&unused.span, GuardProblem::UnusedMayChange);
    }
    guards
}

fn sight(written: &Written<'_>, findings: &mut Findings) -> Option<Sight> {
    let hide = written.hide.map(|hide| places("hide", hide, findings));
    let show = written.show.map(|show| places("show", show, findings));
    match (hide, show, written.show) {
        (Some(_), Some(_), Some(second)) => {
            findings.note(&second.span, GuardProblem::HideAndShow);
            None
        }
        (Some(hide), _, _) if hide.is_empty() => Some(Sight::Whole),
        (Some(hide), _, _) => Some(Sight::Hide(hide)),
        (None, Some(show), _) => Some(Sight::Show(show)),
        (None, None, _) => None,
    }
}

/// The places of a key, each once.
pub(super) fn places(key: &'static str, written: &Places, findings: &mut Findings) -> Vec<Pointer> {
    let mut places: Vec<Pointer> = Vec::with_capacity(written.value.len());
    for place in &written.value {
        let Some(pointer) = pointer(key, place, findings) else {
            continue;
        };
        if let Some(by) = places
            .iter()
            .find(|other| other.covers(&pointer) && pointer.covers(other))
        {
            let by = quotable(by.as_str());
            findings.note(&place.span, GuardProblem::PlaceTwice { by });
            continue;
        }
        places.push(pointer);
    }
    places
}

/// One place of a key: a part of the document.
pub(super) fn pointer(key: &'static str, place: &Placed<String>, findings: &mut Findings) -> Option<Pointer> {
    let pointer = match Pointer::parse(&place.value) {
        Ok(pointer) => pointer,
        Err(error) => {
            let nearest = nearest(&place.value, error);
            findings.note(&place.span, GuardProblem::NotAPointer { error, nearest });
            return None;
        }
    };
    if pointer.is_whole() {
        findings.note(&place.span, GuardProblem::WholeDocument { key });
        return None;
    }
    note_element(&pointer, place, findings);
    Some(pointer)
}

/// What was probably meant: other notations have no slash at the beginning, or something before it.
fn nearest(text: &str, error: PointerError) -> Option<String> {
    let plain = text.strip_prefix('#').unwrap_or(text);
    let is_near = error == PointerError::NoSlash && !plain.contains(['.', '$', '[', '#', ' ']);
    is_near.then(|| quotable(&format!("/{}", plain.trim_start_matches('/'))))
}

/// Warns of what is meant for an element of an array, most likely.
fn note_element(pointer: &Pointer, place: &Placed<String>, findings: &mut Findings) {
    let is_number = |segment: &&str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(segment) = pointer.as_str().split('/').find(is_number) {
        let segment = quotable(segment);
        findings.note(&place.span, Warning::ElementNamed { segment });
    }
}

fn powers(written: &Placed<Vec<Placed<Word<file::Power>>>>, findings: &mut Findings) -> Powers {
    let mut powers = Vec::with_capacity(written.value.len());
    for one in &written.value {
        let power = power(one.value.0);
        if powers.contains(&power) {
            let word = power.as_str();
            findings.note(&one.span, GuardProblem::PowerTwice { word });
        }
        powers.push(power);
    }
    Powers::of(powers)
}

fn power(written: file::Power) -> Power {
    match written {
        file::Power::Reject => Power::Reject,
        file::Power::Json => Power::Json,
        file::Power::Image => Power::Image,
        file::Power::Text => Power::Text,
        file::Power::File => Power::File,
    }
}

fn keys(written: Option<&Placed<Word<file::Keys>>>, inherited: Keys) -> Keys {
    if written.is_none() {
        return inherited;
    }
    match word(written, file::Keys::AsIs) {
        file::Keys::AsIs => Keys::AsIs,
        file::Keys::Kebab => Keys::Kebab,
        file::Keys::Snake => Keys::Snake,
    }
}

// === impl Written ===

impl<'a> From<&'a file::Backend> for Written<'a> {
    fn from(table: &'a file::Backend) -> Self {
        Self {
            hide: table.hide.as_ref(),
            show: table.show.as_ref(),
            may_change: table.may_change.as_ref(),
            may: table.may.as_ref(),
            keys: table.keys.as_ref(),
        }
    }
}

impl<'a> From<&'a file::Defaults> for Written<'a> {
    fn from(table: &'a file::Defaults) -> Self {
        Self {
            hide: table.hide.as_ref(),
            show: table.show.as_ref(),
            may_change: table.may_change.as_ref(),
            may: table.may.as_ref(),
            keys: table.keys.as_ref(),
        }
    }
}
