//! Section 4 of gateway.md word by word: trees, paths, every pair of edits. Slow, so that it can be read.

use koigate_core::plan::OnConflict;

use crate::tree::{Json, Member, Node};

/// One place that a backend set.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    /// Members of the base by their position, not by their key: a base may repeat keys.
    pub path: Vec<usize>,
    pub what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The value at the path.
    Replace(Node),
    /// A member that the object at the path lacks.
    Add(New),
    /// Elements after those of the array at the path.
    Append(Vec<Node>),
}

#[derive(Debug, Clone)]
pub(crate) struct New {
    pub key: Vec<u32>,
    pub value: Node,
    /// What backends of a stage that mean the same new key have in common.
    name: Vec<u32>,
}

// === Equality ===

/// Whether a reply's value is only an echo of the base's.
fn echoes(base: &Node, reply: &Node, place: Place) -> bool {
    edits(base, reply, place.below_element()).is_empty()
}

fn float(text: &str) -> f64 {
    match text {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        digits => digits.parse().unwrap(),
    }
}

fn same_number(one: &str, other: &str) -> bool {
    let (one, other) = (float(one), float(other));
    one == other || one.is_nan() && other.is_nan()
}

/// Whether a scalar of a reply is what a serialiser makes of the base's.
fn same_scalar(base: &Json, reply: &Json) -> bool {
    match (base, reply) {
        (Json::Null, Json::Null) => true,
        (Json::Bool(base), Json::Bool(reply)) => base == reply,
        (Json::Number(base), Json::Number(reply)) => same_number(base, reply),
        (Json::Number(base), Json::Null) => !float(base).is_finite(),
        (Json::Text(base), Json::Text(reply)) => {
            base.len() == reply.len()
                && base.iter().zip(reply).all(|(&base, &reply)| {
                    base == reply || (0xd800..0xe000).contains(&base) && reply == 0xfffd
                })
        }
        _ => false,
    }
}

/// Whether two replies set the same value.
pub(crate) fn same_value(one: &Node, other: &Node) -> bool {
    match (&one.json, &other.json) {
        (Json::Null, Json::Null) => true,
        (Json::Bool(one), Json::Bool(other)) => one == other,
        (Json::Number(one), Json::Number(other)) => same_number(one, other),
        (Json::Text(one), Json::Text(other)) => one == other,
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same_value(a, b))
        }
        (Json::Object(one), Json::Object(other)) => {
            let (one, other) = (last_of_each(one), last_of_each(other));
            one.len() == other.len()
                && one.iter().all(|a| {
                    other
                        .iter()
                        .any(|b| a.key == b.key && same_value(&a.value, &b.value))
                })
        }
        _ => false,
    }
}

/// Of keys that are repeated the last, where the first stood.
fn last_of_each(members: &[Member]) -> Vec<&Member> {
    let mut each: Vec<&Member> = Vec::new();
    for member in members {
        match each.iter_mut().find(|known| known.key == member.key) {
            Some(known) => *known = member,
            None => each.push(member),
        }
    }
    each
}

// === Edits of one reply ===

/// Where in the document a value is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    keys: Keys,
    absent: Absent,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Keys {
    Root,
    Ours,
    Columns,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Absent {
    Unedited,
    Missing,
}

impl Place {
    pub(crate) const ROOT: Self = Self {
        keys: Keys::Root,
        absent: Absent::Unedited,
    };

    pub(crate) fn member(self, key: &[u32]) -> Self {
        let result = "result".chars().map(u32::from);
        let keys = match self.keys {
            Keys::Root if result.eq(key.iter().copied()) => Keys::Columns,
            Keys::Root => Keys::Ours,
            below => below,
        };
        Self { keys, ..self }
    }

    pub(crate) fn below_element(self) -> Self {
        let keys = match self.keys {
            Keys::Root => Keys::Ours,
            below => below,
        };
        let absent = Absent::Missing;
        Self { keys, absent }
    }
}

/// What a whole reply edits.
pub(crate) fn of_reply(base: &Node, reply: &Node) -> Vec<Edit> {
    match &reply.json {
        Json::Object(members) if !members.is_empty() => edits(base, reply, Place::ROOT),
        _ => Vec::new(),
    }
}

fn replace(reply: &Node) -> Vec<Edit> {
    vec![Edit {
        path: Vec::new(),
        what: What::Replace(reply.clone()),
    }]
}

fn edits(base: &Node, reply: &Node, place: Place) -> Vec<Edit> {
    match (&base.json, &reply.json) {
        (Json::Array(base), Json::Object(reply)) if base.is_empty() && reply.is_empty() => vec![],
        (Json::Object(base), Json::Array(reply)) if base.is_empty() && reply.is_empty() => vec![],
        (Json::Object(base), Json::Object(of_reply)) => {
            object_edits(base, of_reply, place).unwrap_or_else(|| replace(reply))
        }
        (Json::Array(base), Json::Array(of_reply)) => {
            array_edits(base, of_reply, place).unwrap_or_else(|| replace(reply))
        }
        (base, scalar) if same_scalar(base, scalar) => vec![],
        _ => replace(reply),
    }
}

/// What keys have in common that may stand for each other: koipy reads `-` and `_` as one, and a serialiser
/// may be unable to spell half of a surrogate pair.
pub(crate) fn name(key: &[u32], place: Place) -> Vec<u32> {
    let letter = |&c: &u32| match c {
        0x5f if place.keys != Keys::Columns => 0x2d,
        0xd800..0xe000 => 0xfffd,
        c => c,
    };
    key.iter().map(letter).collect()
}

/// The position of the member of the base that a reply means by a key. Of several that are only alike the
/// smallest is meant: the one with dashes.
fn meant(base: &[Member], key: &[u32], place: Place) -> Option<usize> {
    let last = |key: &[u32]| base.iter().rposition(|member| member.key == key);
    let alike = base
        .iter()
        .filter(|member| name(&member.key, place) == name(key, place));
    last(key).or_else(|| last(&alike.min_by(|a, b| a.key.cmp(&b.key))?.key))
}

/// None if a key is missing where none may.
fn object_edits(base: &[Member], reply: &[Member], place: Place) -> Option<Vec<Edit>> {
    let mut known: Vec<Option<&Member>> = vec![None; base.len()];
    let mut added: Vec<Member> = Vec::new();
    for member in reply {
        match meant(base, &member.key, place) {
            Some(position) => known[position] = Some(member),
            None => added.push(member.clone()),
        }
    }
    let mut all = Vec::new();
    for (position, member) in base.iter().enumerate() {
        let counts = base.iter().rposition(|other| other.key == member.key) == Some(position);
        match known[position] {
            Some(reply) => {
                let place = place.member(&member.key);
                all.extend(below(position, edits(&member.value, &reply.value, place)));
            }
            None if counts && place.absent == Absent::Missing => return None,
            None => {}
        }
    }
    all.extend(last_of_each(&added).into_iter().map(|member| Edit {
        path: Vec::new(),
        what: What::Add(New {
            key: member.key.clone(),
            value: member.value.clone(),
            name: member.key.clone(),
        }),
    }));
    Some(all)
}

fn below(position: usize, edits: Vec<Edit>) -> impl Iterator<Item = Edit> {
    edits.into_iter().map(move |mut edit| {
        edit.path.insert(0, position);
        edit
    })
}

/// None if the reply's array replaces the base's.
fn array_edits(base: &[Node], reply: &[Node], place: Place) -> Option<Vec<Edit>> {
    let place = place.below_element();
    if base.len() == reply.len() {
        let pairs = base.iter().zip(reply).enumerate();
        let all: Vec<Edit> = pairs
            .flat_map(|(i, (base, reply))| below(i, edits(base, reply, place)))
            .collect();
        return (all.len() <= 65_536).then_some(all);
    }
    let begins = base.len() < reply.len()
        && base
            .iter()
            .zip(reply)
            .all(|(base, reply)| echoes(base, reply, place));
    begins.then(|| {
        vec![Edit {
            path: Vec::new(),
            what: What::Append(reply[base.len()..].to_vec()),
        }]
    })
}

// === Merge of several ===

pub(crate) struct Merged {
    pub document: Node,
    pub conflicts: Vec<Vec<String>>,
}

/// A place: a path, and the name of a member that isn't there yet.
type Spot = (Vec<usize>, Option<Vec<u32>>);

/// The upper place at which two edits of different backends contradict each other.
fn conflict(one: &Edit, other: &Edit) -> Option<Spot> {
    let upper = |upper: &Edit, lower: &Edit| {
        let at_or_below = lower.path.starts_with(&upper.path);
        let below = lower.path.len() > upper.path.len() || !matches!(lower.what, What::Replace(_));
        at_or_below && below && matches!(upper.what, What::Replace(_))
    };
    if upper(one, other) {
        return Some((one.path.clone(), None));
    }
    if upper(other, one) {
        return Some((other.path.clone(), None));
    }
    if one.path != other.path {
        return None;
    }
    match (&one.what, &other.what) {
        (What::Replace(a), What::Replace(b)) if !same_value(a, b) => Some((one.path.clone(), None)),
        (What::Add(a), What::Add(b)) if a.name == b.name && !same_value(&a.value, &b.value) => {
            Some((one.path.clone(), Some(a.name.clone())))
        }
        _ => None,
    }
}

/// Lets new keys of several backends have one name where koipy would read them as one, unless a backend
/// adds two of them, which it then means to be two.
fn name_alike(base: &Node, edits: &mut [Vec<Edit>]) {
    let before = edits.to_vec();
    for edit in edits.iter_mut().flatten() {
        let What::Add(new) = &mut edit.what else {
            continue;
        };
        if is_in_result(base, &edit.path) {
            continue;
        }
        let alike = name(&new.key, Place::ROOT);
        let adds_two = before.iter().any(|of_one| {
            let same = |other: &&Edit| match &other.what {
                What::Add(new) => other.path == edit.path && name(&new.key, Place::ROOT) == alike,
                _ => false,
            };
            of_one.iter().filter(same).count() > 1
        });
        if !adds_two {
            new.name = alike;
        }
    }
}

fn is_in_result(base: &Node, path: &[usize]) -> bool {
    match (&base.json, path.first()) {
        (Json::Object(members), Some(&first)) => {
            Place::ROOT.member(&members[first].key).keys == Keys::Columns
        }
        _ => false,
    }
}

pub(crate) fn merge(base: &Node, mut edits: Vec<Vec<Edit>>, rule: OnConflict) -> Merged {
    name_alike(base, &mut edits);
    let mut places = std::collections::BTreeSet::new();
    let mut tried: Vec<(&Edit, bool)> = Vec::new();
    for (by, of_one) in edits.iter().enumerate() {
        for edit in of_one {
            let mut stands = true;
            for (other_by, of_other) in edits.iter().enumerate() {
                if other_by == by {
                    continue;
                }
                for place in of_other.iter().filter_map(|other| conflict(edit, other)) {
                    places.insert(place);
                    stands &= match rule {
                        OnConflict::First => by < other_by,
                        OnConflict::Last | OnConflict::Reject => by > other_by,
                    };
                }
            }
            tried.push((edit, stands));
        }
    }
    let spelled = |(path, name): &Spot| {
        let key = name.as_ref().and_then(|name| {
            tried.iter().find_map(|(edit, _)| match &edit.what {
                What::Add(new) if edit.path == *path && new.name == *name => Some(&new.key),
                _ => None,
            })
        });
        pointer(base, path, key.map(Vec::as_slice))
    };
    Merged {
        conflicts: places.iter().map(spelled).collect(),
        document: apply(base, &tried, rule, 0),
    }
}

/// The segments of a JSON Pointer.
fn pointer(base: &Node, path: &[usize], key: Option<&[u32]>) -> Vec<String> {
    let shown = |key: &[u32]| -> String {
        let shown = |&c: &u32| char::from_u32(c).unwrap_or('\u{fffd}');
        key.iter().map(shown).collect()
    };
    let mut segments = Vec::new();
    let mut node = base;
    for &position in path {
        match &node.json {
            Json::Object(members) => {
                segments.push(shown(&members[position].key));
                node = &members[position].value;
            }
            Json::Array(elements) => {
                segments.push(position.to_string());
                node = &elements[position];
            }
            _ => unreachable!("a path goes through containers"),
        }
    }
    segments.extend(key.map(shown));
    segments
}

/// What stands at one place of the base itself.
#[derive(Default)]
struct Here<'a> {
    replaced: Vec<&'a Node>,
    appended: Vec<&'a Vec<Node>>,
    added: Vec<(&'a New, bool)>,
}

impl<'a> Here<'a> {
    fn take(&mut self, edit: &'a Edit, stands: bool, rule: OnConflict) {
        match &edit.what {
            What::Replace(value) if stands => self.replaced.push(value),
            What::Append(rest) if stands => {
                let same = |known: &&Vec<Node>| {
                    known.len() == rest.len() && known.iter().zip(rest).all(|(a, b)| same_value(a, b))
                };
                if !self.appended.iter().any(same) {
                    self.appended.push(rest);
                }
            }
            // A new key has the place of the first backend that adds it, whoever wins.
            What::Add(new) => match self.added.iter_mut().find(|(known, _)| known.name == new.name) {
                Some(known) if stands && !(known.1 && rule == OnConflict::First) => *known = (new, true),
                Some(_) => {}
                None => self.added.push((new, stands)),
            },
            _ => {}
        }
    }
}

/// The base with those edits that stand, all at or below it; `depth` is that of its path.
fn apply(base: &Node, edits: &[(&Edit, bool)], rule: OnConflict, depth: usize) -> Node {
    if edits.iter().all(|(_, stands)| !stands) {
        return base.clone();
    }
    let mut here = Here::default();
    for &(edit, stands) in edits.iter().filter(|(edit, _)| edit.path.len() == depth) {
        here.take(edit, stands, rule);
    }
    let Here {
        replaced,
        appended,
        added,
    } = here;
    // Several that stand are equal, but may be spelled differently.
    let preferred = if rule == OnConflict::First {
        replaced.first()
    } else {
        replaced.last()
    };
    if let Some(value) = preferred {
        return value.respelled();
    }
    let at = |position: usize| -> Vec<(&Edit, bool)> {
        let deeper = edits
            .iter()
            .filter(|(edit, _)| edit.path.get(depth) == Some(&position));
        deeper.copied().collect()
    };
    Node::new(match &base.json {
        Json::Array(elements) => {
            let kept = elements.iter().enumerate();
            let kept = kept.map(|(i, element)| apply(element, &at(i), rule, depth + 1));
            Json::Array(
                kept.chain(appended.into_iter().flatten().map(Node::respelled))
                    .collect(),
            )
        }
        Json::Object(members) => {
            let kept = members.iter().enumerate().map(|(i, member)| Member {
                raw_key: member.raw_key.clone(),
                key: member.key.clone(),
                value: apply(&member.value, &at(i), rule, depth + 1),
            });
            let added = added
                .into_iter()
                .filter(|(_, stands)| *stands)
                .map(|(new, _)| Member {
                    raw_key: None,
                    key: new.key.clone(),
                    value: new.value.respelled(),
                });
            Json::Object(kept.chain(added).collect())
        }
        _ => unreachable!("only containers are edited below"),
    })
}
