//! The rules of gateway.md section 4 on trees: slow, short, and of a different make.

use crate::dice::KEY_RESULT;
use crate::tree::Tree;

/// Where something stands: a key, or the place of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// A member; of a base's repeated key the last.
    Key(Vec<u32>),
    /// An element.
    Element(usize),
}

/// The way to a place.
pub type Path = Vec<Segment>;

/// What a backend changed at a place.
#[derive(Debug, Clone)]
pub enum Change {
    /// The value there is another one.
    Set(Tree),
    /// The object there has one more member.
    Add(Vec<u32>, Tree),
    /// The array there has more elements.
    Append(Vec<Tree>),
}

/// The edits of a reply.
pub fn diff(base: &Tree, reply: &Tree) -> Vec<(Path, Change)> {
    let mut edits = Vec::new();
    if matches!(reply, Tree::Object(members) if !members.is_empty()) {
        compare(base, reply, &mut Vec::new(), &mut edits);
    }
    edits
}

fn compare(base: &Tree, reply: &Tree, path: &mut Path, edits: &mut Vec<(Path, Change)>) {
    let mark = edits.len();
    let keeps = match (base, reply) {
        (Tree::Object(ours), Tree::Object(theirs)) => objects(ours, theirs, path, edits),
        (Tree::Array(ours), Tree::Array(theirs)) => arrays(ours, theirs, path, edits),
        _ => echoes(base, reply),
    };
    if !keeps {
        edits.truncate(mark);
        edits.push((path.clone(), Change::Set(reply.clone())));
    }
}

type Members = [(Vec<u32>, Tree)];

fn objects(ours: &Members, theirs: &Members, path: &mut Path, edits: &mut Vec<(Path, Change)>) -> bool {
    let named: Vec<Vec<u32>> = theirs.iter().map(|(key, _)| meant(ours, key, path)).collect();
    for (at, (key, value)) in named
        .iter()
        .zip(theirs.iter().map(|(_, value)| value))
        .enumerate()
    {
        let counts = !named[at + 1..].contains(key);
        let Some((_, our)) = ours.iter().rfind(|(name, _)| name == key) else {
            // A repeated new key stands where it stood first.
            if let Some(last) = named
                .iter()
                .rposition(|name| name == key)
                .filter(|_| !named[..at].contains(key))
            {
                edits.push((path.clone(), Change::Add(key.clone(), theirs[last].1.clone())));
            }
            continue;
        };
        if counts {
            path.push(Segment::Key(key.clone()));
            compare(our, value, path, edits);
            path.pop();
        }
    }
    let below_element = path.iter().any(|segment| matches!(segment, Segment::Element(_)));
    !below_element || ours.iter().all(|(key, _)| named.contains(key))
}

/// The base's key that a reply's key means; itself if it is new.
fn meant(ours: &Members, key: &[u32], path: &Path) -> Vec<u32> {
    if ours.iter().any(|(name, _)| name == key) {
        return key.to_vec();
    }
    let alike = ours
        .iter()
        .map(|(name, _)| name)
        .filter(|name| folded(name, path) == folded(key, path));
    alike.min().cloned().unwrap_or_else(|| key.to_vec())
}

pub fn folded(key: &[u32], path: &[Segment]) -> Vec<u32> {
    let below_result = path.first() == Some(&Segment::Key(KEY_RESULT.to_vec()));
    let fold = |&point: &u32| match point {
        0x2D if !below_result => 0x5F,
        0xD800..0xE000 => 0xFFFD,
        other => other,
    };
    key.iter().map(fold).collect()
}

fn arrays(ours: &[Tree], theirs: &[Tree], path: &mut Path, edits: &mut Vec<(Path, Change)>) -> bool {
    if theirs.len() < ours.len() {
        return false;
    }
    let mark = edits.len();
    for (at, (our, their)) in ours.iter().zip(theirs).enumerate() {
        path.push(Segment::Element(at));
        compare(our, their, path, edits);
        path.pop();
    }
    if theirs.len() > ours.len() {
        if edits.len() > mark {
            return false;
        }
        edits.push((path.clone(), Change::Append(theirs[ours.len()..].to_vec())));
    }
    true
}

/// Whether a scalar, or a value of another kind, is an echo.
fn echoes(base: &Tree, reply: &Tree) -> bool {
    match (base, reply) {
        (Tree::Number(our), Tree::Null) => !float(our).is_finite(),
        (Tree::Text(our), Tree::Text(their)) => {
            let like = |(a, b): (&u32, &u32)| a == b || ((0xD800..0xE000).contains(a) && *b == 0xFFFD);
            our.len() == their.len() && our.iter().zip(their).all(like)
        }
        (Tree::Object(our), Tree::Array(their)) => our.is_empty() && their.is_empty(),
        (Tree::Array(our), Tree::Object(their)) => our.is_empty() && their.is_empty(),
        _ => same(base, reply),
    }
}

/// Whether two values are equal as JSON values.
pub fn same(a: &Tree, b: &Tree) -> bool {
    match (a, b) {
        (Tree::Number(a), Tree::Number(b)) => {
            float(a) == float(b) || (float(a).is_nan() && float(b).is_nan())
        }
        (Tree::Array(a), Tree::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Tree::Object(a), Tree::Object(b)) => {
            let last =
                |members: &Members, key: &[u32]| members.iter().rfind(|(k, _)| k == key).map(|m| m.1.clone());
            let within = |a: &Members, b: &Members| {
                a.iter().all(|(key, _)| match (last(a, key), last(b, key)) {
                    (Some(a), Some(b)) => same(&a, &b),
                    _ => false,
                })
            };
            within(a, b) && within(b, a)
        }
        _ => a == b,
    }
}

fn float(digits: &str) -> f64 {
    digits.parse().unwrap_or(f64::NAN)
}

/// Which of two conflicting edits stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The later backend's.
    Last,
    /// The earlier backend's.
    First,
}

/// A place, and the two backends that disagree about it.
pub type Conflict = (String, usize, usize);

/// Applies the edits of all backends, and says what they disagree about.
pub fn merge(base: &Tree, all: &[Vec<(Path, Change)>], rule: Rule) -> (Tree, Vec<Conflict>) {
    let edits: Vec<(usize, &Path, &Change)> = all
        .iter()
        .enumerate()
        .flat_map(|(by, list)| list.iter().map(move |(path, change)| (by, path, change)))
        .collect();
    let keys = Keys { edits: &edits };
    let mut merged = base.clone();
    let mut applied: Vec<Edit<'_>> = Vec::new();
    let mut conflicts: Vec<(String, Vec<(usize, usize)>)> = Vec::new();
    for &one in &edits {
        let opponents: Vec<_> = edits.iter().filter(|&&other| keys.conflict(one, other)).collect();
        for other in &opponents {
            let pair = (one.0.min(other.0), one.0.max(other.0));
            let place = keys.upper(one, **other);
            match conflicts.iter_mut().find(|(known, _)| *known == place) {
                Some((_, pairs)) => pairs.push(pair),
                None => conflicts.push((place, vec![pair])),
            }
        }
        // Of equal additions the rule's spelling stays.
        let settled = |earlier: &Edit<'_>| {
            is_same_append(*earlier, one) || (rule == Rule::First && keys.add_the_same(*earlier, one))
        };
        let loses = opponents
            .iter()
            .any(|other| (other.0 > one.0) == (rule == Rule::Last));
        if !loses && !applied.iter().any(settled) {
            applied.push(one);
            apply(&mut merged, one, &keys);
        }
    }
    let first = |(place, mut pairs): (String, Vec<(usize, usize)>)| {
        pairs.sort_unstable();
        (place, pairs[0].0, pairs[0].1)
    };
    (merged, conflicts.into_iter().map(first).collect())
}

fn is_same_append((_, path, change): Edit<'_>, (_, other_path, other): Edit<'_>) -> bool {
    match (change, other) {
        (Change::Append(a), Change::Append(b)) => {
            path == other_path && same(&Tree::Array(a.clone()), &Tree::Array(b.clone()))
        }
        _ => false,
    }
}

type Edit<'a> = (usize, &'a Path, &'a Change);

/// Tells which new keys are one.
struct Keys<'a> {
    edits: &'a [Edit<'a>],
}

impl Keys<'_> {
    fn conflict(&self, (by, path, change): Edit<'_>, (other_by, other_path, other): Edit<'_>) -> bool {
        if by == other_by {
            return false;
        }
        match (change, other) {
            (Change::Set(a), Change::Set(b)) if path == other_path => !same(a, b),
            (Change::Add(key, a), Change::Add(other_key, b)) if path == other_path => {
                self.identity(path, key) == self.identity(path, other_key) && !same(a, b)
            }
            (Change::Set(_), _) if other_path.starts_with(path) => true,
            (_, Change::Set(_)) if path.starts_with(other_path) => true,
            _ => false,
        }
    }

    fn add_the_same(&self, (_, path, change): Edit<'_>, (_, other_path, other): Edit<'_>) -> bool {
        match (change, other) {
            (Change::Add(key, a), Change::Add(other_key, b)) if path == other_path => {
                self.identity(path, key) == self.identity(path, other_key) && same(a, b)
            }
            _ => false,
        }
    }

    /// What a new key of the object at a path is known by: its folded self, unless one backend added two such.
    fn identity(&self, path: &Path, key: &[u32]) -> Vec<u32> {
        if path.first() == Some(&Segment::Key(KEY_RESULT.to_vec())) {
            return key.to_vec();
        }
        let alike: Vec<usize> = self
            .edits
            .iter()
            .filter(|(_, other, change)| {
                *other == path && matches!(change, Change::Add(k, _) if folded(k, path) == folded(key, path))
            })
            .map(|(by, ..)| *by)
            .collect();
        let mut backends = alike.clone();
        backends.dedup();
        if backends.len() < alike.len() {
            key.to_vec()
        } else {
            folded(key, path)
        }
    }

    /// The pointer of the place of a conflict.
    fn upper(&self, (_, path, change): Edit<'_>, (_, other_path, other): Edit<'_>) -> String {
        match (change, other) {
            (Change::Add(key, _), Change::Add(..)) if path == other_path => {
                let first = self.edits.iter().find_map(|(_, other, change)| match change {
                    Change::Add(k, _)
                        if *other == path && self.identity(path, k) == self.identity(path, key) =>
                    {
                        Some(k)
                    }
                    _ => None,
                });
                pointer(path) + &segment(first.unwrap_or(key))
            }
            _ if path.len() <= other_path.len() && matches!(change, Change::Set(_)) => pointer(path),
            _ => pointer(other_path),
        }
    }
}

/// The JSON Pointer of a path.
pub fn pointer(path: &[Segment]) -> String {
    let step = |one: &Segment| match one {
        Segment::Key(key) => segment(key),
        Segment::Element(at) => format!("/{at}"),
    };
    path.iter().map(step).collect()
}

fn segment(key: &[u32]) -> String {
    let text: String = key
        .iter()
        .map(|&p| char::from_u32(p).unwrap_or('\u{FFFD}'))
        .collect();
    format!("/{}", text.replace('~', "~0").replace('/', "~1"))
}

fn apply(root: &mut Tree, (_, path, change): Edit<'_>, keys: &Keys<'_>) {
    let Some(target) = path.iter().try_fold(root, |tree, segment| match (tree, segment) {
        (Tree::Object(members), Segment::Key(key)) => members
            .iter_mut()
            .rfind(|(name, _)| name == key)
            .map(|(_, value)| value),
        (Tree::Array(elements), Segment::Element(at)) => elements.get_mut(*at),
        _ => None,
    }) else {
        panic!("no {path:?}");
    };
    match (target, change) {
        (target, Change::Set(value)) => *target = value.clone(),
        (Tree::Object(members), Change::Add(key, value)) => {
            let same =
                |(name, _): &&mut (Vec<u32>, Tree)| keys.identity(path, name) == keys.identity(path, key);
            match members.iter_mut().find(same) {
                Some(member) => *member = (key.clone(), value.clone()),
                None => members.push((key.clone(), value.clone())),
            }
        }
        (Tree::Array(elements), Change::Append(more)) => {
            elements.extend(more.iter().cloned());
        }
        (target, change) => panic!("{change:?} at {target:?}"),
    }
}
