//! Section 6 of gateway.md word by word: what a backend sees of a tree, and which of its edits may be made.

use koigate_core::guards::{Guards, Keys, Sight};
use koigate_core::pointer::Pointer;

use crate::model::{Edit, New, Place, What, name};
use crate::tape::Tape;
use crate::tree::{Json, Member, Node};

/// A segment of a pointer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Segment {
    Any,
    Key(Vec<u32>),
}

/// The segments of a pointer.
pub(crate) type Way = Vec<Segment>;

/// A backend's guards.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Hidden, or else shown.
    pub hides: bool,
    /// None, and everything is seen.
    pub sight: Option<Vec<Way>>,
    pub keys: Keys,
    pub may_change: Option<Vec<Way>>,
}

/// One step into the document: a key, or an element.
type Step = Option<Vec<u32>>;

/// What is left of a value for a backend.
pub(crate) struct Seen {
    pub node: Node,
    /// Of each child that is left, where it was.
    children: Vec<(usize, Seen)>,
    /// Whether nothing is missing.
    pub whole: bool,
}

impl Rules {
    /// Rules that mostly name places of a document.
    pub(crate) fn next(tape: &mut Tape<'_>, base: &Node) -> Self {
        let sight = (tape.die(5) > 0).then(|| ways(tape, base));
        let hides = tape.die(3) > 0;
        let keys = tape.pick(&[Keys::AsIs, Keys::AsIs, Keys::Kebab, Keys::Snake]);
        let may_change = (tape.die(3) == 1).then(|| ways(tape, base));
        Self {
            hides,
            sight,
            keys,
            may_change,
        }
    }

    pub(crate) fn guards(&self) -> Guards {
        let pointers = |ways: &Vec<Way>| ways.iter().map(|way| pointer(way)).collect();
        let sight = self.sight.as_ref().map(pointers);
        Guards {
            sight: match sight {
                None => Sight::Whole,
                Some(places) if self.hides => Sight::Hide(places),
                Some(places) => Sight::Show(places),
            },
            keys: self.keys,
            may_change: self.may_change.as_ref().map(pointers),
            ..Guards::default()
        }
    }

    fn sight(&self) -> &[Way] {
        self.sight.as_deref().unwrap_or_default()
    }
}

fn ways(tape: &mut Tape<'_>, base: &Node) -> Vec<Way> {
    let len = tape.die(4);
    (0..len).map(|_| way(tape, base)).collect()
}

/// A way into a document, that sometimes leads beside it.
fn way(tape: &mut Tape<'_>, base: &Node) -> Way {
    let mut way = Vec::new();
    let mut at = base;
    loop {
        let (key, child) = match &at.json {
            Json::Object(members) if !members.is_empty() => {
                let member = &members[tape.die(members.len())];
                (Some(member.key.clone()), &member.value)
            }
            Json::Array(elements) if !elements.is_empty() => (None, &elements[tape.die(elements.len())]),
            _ => break,
        };
        way.push(match (tape.die(8), key) {
            (1, _) | (_, None) => Segment::Any,
            (2, Some(key)) => Segment::Key(key.iter().map(|&c| if c == 0x2d { 0x5f } else { c }).collect()),
            (3, Some(_)) => Segment::Key(vec![0x6e]),
            (_, Some(key)) => Segment::Key(key),
        });
        at = child;
        if tape.die(3) == 2 {
            break;
        }
    }
    if way.is_empty() {
        way.push(Segment::Any);
    }
    way
}

fn pointer(way: &[Segment]) -> Pointer {
    let mut text = String::new();
    for segment in way {
        text.push('/');
        match segment {
            Segment::Any => text.push('*'),
            Segment::Key(key) => {
                let key = key.iter().map(|&c| char::from_u32(c).unwrap_or('\u{fffd}'));
                text.push_str(&key.collect::<String>().replace('~', "~0").replace('/', "~1"));
            }
        }
    }
    Pointer::parse(&text).unwrap()
}

// === Places ===

fn place(steps: &[Step]) -> Place {
    steps.iter().fold(Place::ROOT, |place, step| match step {
        Some(key) => place.member(key),
        None => place.below_element(),
    })
}

/// Whether a way leads through exactly these steps.
fn leads(way: &[Segment], steps: &[Step]) -> bool {
    way.len() == steps.len()
        && way
            .iter()
            .zip(steps)
            .enumerate()
            .all(|(i, (segment, step))| match (segment, step) {
                (Segment::Any, _) => true,
                (Segment::Key(_), None) => false,
                (Segment::Key(ours), Some(theirs)) => {
                    let place = place(&steps[..i]);
                    name(ours, place) == name(theirs, place)
                }
            })
}

/// Whether one of the ways leads to the place or to something around it.
fn at_or_above(ways: &[Way], steps: &[Step]) -> bool {
    (0..=steps.len()).any(|len| ways.iter().any(|way| leads(way, &steps[..len])))
}

// === What is seen ===

/// What a backend sees of a document.
pub(crate) fn see(base: &Node, rules: &Rules) -> Seen {
    let mut seen = see_at(base, &mut Vec::new(), rules);
    let dash = match rules.keys {
        Keys::AsIs => return seen,
        Keys::Kebab => 0x2d,
        Keys::Snake => 0x5f,
    };
    respell(&mut seen.node, dash, Place::ROOT);
    seen
}

fn see_at(base: &Node, steps: &mut Vec<Step>, rules: &Rules) -> Seen {
    let mut children = Vec::new();
    for (i, (step, child)) in children_of(base).into_iter().enumerate() {
        steps.push(step);
        let seen = see_at(child, steps, rules);
        let is_named = at_or_above(rules.sight(), steps);
        let stays = match rules.sight {
            None => true,
            Some(_) if rules.hides => !is_named,
            Some(_) => is_named || !seen.children.is_empty(),
        };
        if stays {
            children.push((i, seen));
        }
        steps.pop();
    }
    let whole = children.len() == children_of(base).len() && children.iter().all(|(_, seen)| seen.whole);
    let node = if whole {
        base.clone()
    } else {
        Node::new(left(base, &children))
    };
    Seen {
        node,
        children,
        whole,
    }
}

fn left(base: &Node, children: &[(usize, Seen)]) -> Json {
    match &base.json {
        Json::Array(_) => Json::Array(children.iter().map(|(_, seen)| seen.node.clone()).collect()),
        Json::Object(members) => {
            let member = |(i, seen): &(usize, Seen)| Member {
                value: seen.node.clone(),
                ..members[*i].clone()
            };
            Json::Object(children.iter().map(member).collect())
        }
        scalar => scalar.clone(),
    }
}

fn children_of(node: &Node) -> Vec<(Step, &Node)> {
    match &node.json {
        Json::Array(elements) => elements.iter().map(|element| (None, element)).collect(),
        Json::Object(members) => members
            .iter()
            .map(|member| (Some(member.key.clone()), &member.value))
            .collect(),
        _ => Vec::new(),
    }
}

/// Spells the keys outside of `/result` with one letter, where an object has no other spelling of them.
fn respell(node: &mut Node, dash: u32, place: Place) {
    if place == Place::ROOT.member(&"result".chars().map(u32::from).collect::<Vec<_>>()) {
        return;
    }
    node.raw = None;
    match &mut node.json {
        Json::Array(elements) => elements
            .iter_mut()
            .for_each(|element| respell(element, dash, place.below_element())),
        Json::Object(members) => {
            let keys: Vec<Vec<u32>> = members.iter().map(|member| member.key.clone()).collect();
            for member in members {
                let below = place.member(&member.key);
                let is_alone =
                    |key: &Vec<u32>| *key == member.key || name(key, place) != name(&member.key, place);
                if keys.iter().all(is_alone) {
                    member.raw_key = None;
                    member
                        .key
                        .iter_mut()
                        .filter(|c| [0x2d, 0x5f].contains(c))
                        .for_each(|c| *c = dash);
                }
                respell(&mut member.value, dash, below);
            }
        }
        _ => {}
    }
}

// === Which edits may be made ===

/// Edits of what was seen as edits of the base, and how many of them may not be made.
pub(crate) fn allowed(base: &Node, seen: &Seen, edits: Vec<Edit>, rules: &Rules) -> (Vec<Edit>, usize) {
    let all = edits.len();
    let kept: Vec<Edit> = edits
        .into_iter()
        .filter_map(|edit| allow(base, seen, edit, rules))
        .collect();
    let denied = all - kept.len();
    (kept, denied)
}

fn allow(base: &Node, seen: &Seen, mut edit: Edit, rules: &Rules) -> Option<Edit> {
    let (mut node, mut seen) = (base, seen);
    let mut steps = Vec::new();
    let mut sealed = seals(node, &steps, rules);
    for position in &mut edit.path {
        let (was, below) = &seen.children[*position];
        *position = *was;
        let (step, child) = children_of(node).swap_remove(*was);
        steps.push(step);
        (node, seen) = (child, below);
        sealed |= seals(node, &steps, rules);
    }
    let allows = !sealed
        && match &edit.what {
            What::Replace(value) => seen.whole && is_ground(&steps, rules) && !hides(value, &steps, rules),
            What::Append(_) => is_ground(&[&steps[..], &[None]].concat(), rules),
            What::Add(new) => {
                let added = [&steps[..], &[Some(new.key.clone())]].concat();
                !is_hidden_key(node, seen, new, place(&steps))
                    && is_ground_for(&new.value, &added, rules)
                    && !hides(&new.value, &added, rules)
            }
        };
    allows.then_some(edit)
}

/// Whether `*` reaches into this array.
fn seals(node: &Node, steps: &[Step], rules: &Rules) -> bool {
    let reaches = |way: &Way| {
        way.len() > steps.len() && way[steps.len()] == Segment::Any && leads(&way[..steps.len()], steps)
    };
    matches!(node.json, Json::Array(_))
        && !at_or_above(rules.sight(), steps)
        && rules.sight().iter().any(reaches)
}

fn is_ground(steps: &[Step], rules: &Rules) -> bool {
    rules
        .may_change
        .as_ref()
        .is_none_or(|ways| at_or_above(ways, steps))
}

/// Whether a new value may stand here: all of an object's may.
fn is_ground_for(value: &Node, steps: &[Step], rules: &Rules) -> bool {
    let allows_all = |members: &[Member]| {
        !members.is_empty()
            && members.iter().all(|member| {
                is_ground_for(
                    &member.value,
                    &[steps, &[Some(member.key.clone())]].concat(),
                    rules,
                )
            })
    };
    is_ground(steps, rules) || matches!(&value.json, Json::Object(members) if allows_all(members))
}

/// Whether a value that would stand here is hidden, or has something hidden in it.
fn hides(value: &Node, steps: &[Step], rules: &Rules) -> bool {
    let below = || {
        children_of(value)
            .into_iter()
            .any(|(step, child)| hides(child, &[steps, &[step]].concat(), rules))
    };
    rules.hides && (at_or_above(rules.sight(), steps) || below())
}

/// Whether an object has this key already, where the backend can't see it.
fn is_hidden_key(object: &Node, seen: &Seen, new: &New, place: Place) -> bool {
    let is_seen = |position| seen.children.iter().any(|(was, _)| *was == position);
    children_of(object)
        .into_iter()
        .enumerate()
        .any(|(position, (step, _))| {
            !is_seen(position) && step.is_some_and(|key| name(&key, place) == name(&new.key, place))
        })
}
