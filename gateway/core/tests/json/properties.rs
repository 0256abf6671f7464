//! What must hold for any document and any reply (the properties 2, 3, 4, 7 and 8 of the design).

use bytes::Bytes;
use koigate_core::json::diff::{Echoes, Edits, diff};
use koigate_core::json::{Document, Kind, Value};
use koigate_core::merge::{Merged, merge};
use koigate_core::plan::OnConflict;
use proptest::prelude::{Strategy, TestCaseError, prop, prop_assert, prop_assert_eq, proptest};

use crate::dice::Dice;
use crate::oracle::{self, Path, Rule, Segment, same};
use crate::parse::parse;
use crate::tree::{Spelling, Tree};

fn spelling() -> impl Strategy<Value = Spelling> {
    proptest::sample::select(Spelling::ALL.as_slice())
}

/// Spellings that lose nothing, as a base needs to be compared with the tree that it came from.
fn faithful() -> impl Strategy<Value = Spelling> {
    let utf8 = Spelling {
        ascii: false,
        ..Spelling::FLASK
    };
    let wide = Spelling {
        comma: "\n,\t",
        colon: " \r\n: ",
        ..Spelling::PYTHON
    };
    proptest::sample::select(vec![Spelling::PYTHON, Spelling::FLASK, utf8, wide])
}

fn document(json: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(json.as_bytes())).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn edits_of(base: &Document, replies: &[String]) -> Vec<Edits> {
    let mut echoes = Echoes::default();
    let edits = |reply: &String| {
        diff(base, Bytes::copy_from_slice(reply.as_bytes()), &mut echoes)
            .unwrap()
            .edits
    };
    replies.iter().map(edits).collect()
}

fn merged(base: &Document, edits: &[Edits], rule: OnConflict) -> Merged {
    merge(base, &edits.iter().collect::<Vec<_>>(), rule)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The document that a merge leaves.
fn result<'a>(base: &'a Document, merged: &'a Merged) -> &'a Document {
    merged.document.as_ref().unwrap_or(base)
}

proptest! {
    /// Property 2: an echo, in any serialiser's spelling, has no edits.
    #[test]
    fn an_echo_has_no_edits(seed: u64, size in 0_usize..40, base in faithful(), reply in proptest::collection::vec(spelling(), 1..4)) {
        let tree = Dice::new(seed).document(size);
        let base = document(&tree.spell(base));
        let replies: Vec<String> = reply.into_iter().map(|how| tree.spell(how)).collect();
        for (edits, reply) in edits_of(&base, &replies).iter().zip(&replies) {
            prop_assert!(edits.is_empty(), "base {}\nreply {reply}\nedits {edits:?}", text(base.bytes()));
        }
    }

    /// Properties 3 and 4, and every rule between: what the reference on trees makes of it.
    #[test]
    fn merges_as_the_reference_does(seed: u64, size in 0_usize..30, backends in 1_usize..5, how in faithful(), first: bool) {
        let mut dice = Dice::new(seed);
        let tree = dice.document(size);
        let base = document(&tree.spell(how));
        let replies: Vec<String> = (0..backends).map(|_| dice.reply(&tree).spell(how)).collect();
        let trees: Vec<Tree> = replies.iter().map(|reply| parse(reply.as_bytes()).unwrap()).collect();
        let reference: Vec<_> = trees.iter().map(|reply| oracle::diff(&parse(base.bytes()).unwrap(), reply)).collect();
        let edits = edits_of(&base, &replies);
        for (edits, reference) in edits.iter().zip(&reference) {
            prop_assert_eq!(edits.len(), reference.len(), "base {}\nreplies {:#?}\n{:?}", text(base.bytes()), replies, reference);
        }
        let (rule, reference_rule) = if first { (OnConflict::First, Rule::First) } else { (OnConflict::Last, Rule::Last) };
        let merged = merged(&base, &edits, rule);
        let (want, mut conflicts) = oracle::merge(&parse(base.bytes()).unwrap(), &reference, reference_rule);
        let got = parse(result(&base, &merged).bytes()).unwrap();
        prop_assert!(same(&got, &want), "base {}\nreplies {replies:#?}\ngot  {}\nwant {}", text(base.bytes()),
            got.spell(Spelling::PYTHON), want.spell(Spelling::PYTHON));
        prop_assert_eq!(merged.conflicts.total as usize, conflicts.len(), "{:?} {:?}", merged.conflicts, conflicts);
        let mut listed: Vec<_> = merged.conflicts.listed.into_iter().map(|c| (c.pointer, c.first, c.second)).collect();
        listed.sort();
        conflicts.sort();
        prop_assert_eq!(listed, conflicts, "base {}\nreplies {:#?}", text(base.bytes()), replies);
    }

    /// Property 3 on its own words: one backend alone gets its document, keys aside that it left out.
    #[test]
    fn one_backend_gets_its_own(seed: u64, size in 0_usize..40, how in faithful()) {
        let mut dice = Dice::new(seed);
        let tree = dice.document(size);
        let reply = dice.reply(&tree).spell(how);
        let base = document(&tree.spell(how));
        let edits = edits_of(&base, std::slice::from_ref(&reply));
        let merged = merged(&base, &edits, OnConflict::Last);
        let whole = result(&base, &merged);
        // What it got is what it wanted: sent that, it would edit nothing.
        let again = edits_of(whole, std::slice::from_ref(&reply));
        prop_assert!(again[0].is_empty(), "base {}\nreply {reply}\ngot {}", text(base.bytes()), text(whole.bytes()));
    }

    /// Property 4: edits that don't conflict commute.
    #[test]
    fn disjoint_edits_commute(seed: u64, size in 0_usize..40, how in faithful()) {
        let mut dice = Dice::new(seed);
        let tree = dice.document(size);
        let base = document(&tree.spell(how));
        let replies = [dice.reply(&tree).spell(how), dice.reply(&tree).spell(how)];
        let edits = edits_of(&base, &replies);
        let [one, two] = &edits[..] else { unreachable!() };
        let there = merge(&base, &[one, two], OnConflict::Last);
        let back = merge(&base, &[two, one], OnConflict::Last);
        let (there_tree, back_tree) = (parse(result(&base, &there).bytes()).unwrap(), parse(result(&base, &back).bytes()).unwrap());
        prop_assert_eq!(there.conflicts.total, back.conflicts.total);
        if there.conflicts.total == 0 && !both_append(&tree, &replies) && !spelled_apart(&tree, &replies) {
            prop_assert!(same(&there_tree, &back_tree), "base {}\nreplies {replies:#?}", text(base.bytes()));
        }
        let twice = merge(&base, &[one, one], OnConflict::Last);
        prop_assert_eq!(twice.conflicts.total, 0);
        let once = merge(&base, &[one], OnConflict::Last);
        prop_assert_eq!(twice.document.map(|d| d.bytes().clone()), once.document.map(|d| d.bytes().clone()));
    }

    /// Property 8: what nobody edited leaves byte for byte, in the base's order.
    #[test]
    fn the_unedited_stays(seed: u64, size in 0_usize..40, backends in 1_usize..4, how in faithful(), reply in faithful()) {
        let mut dice = Dice::new(seed);
        let tree = dice.document(size);
        let base = document(&tree.spell(how));
        let replies: Vec<String> = (0..backends).map(|_| dice.reply(&tree).spell(reply)).collect();
        let parsed = parse(base.bytes()).unwrap();
        let edited: Vec<Path> = replies.iter()
            .flat_map(|reply| oracle::diff(&parsed, &parse(reply.as_bytes()).unwrap()))
            .map(|(path, _)| path)
            .collect();
        let merged = merged(&base, &edits_of(&base, &replies), OnConflict::Last);
        unedited(base.root(), result(&base, &merged).root(), &mut Vec::new(), &edited)?;
    }

    /// The scanner agrees with a grammar written out, and with `serde_json` on what that can read.
    #[test]
    fn reads_what_the_grammar_says(seed: u64, size in 0_usize..40, how in spelling(), at: prop::sample::Index, put: u8, cut: bool) {
        let mut json = Dice::new(seed).document(size).spell(how).into_bytes();
        let at = at.index(json.len());
        if cut { json.truncate(at) } else { json[at] = put }
        agree(&json)?;
    }

    /// No input panics.
    #[test]
    fn any_bytes(json in "[\\[\\]{}\",:\\\\u0-9eE.+ntfNI -]{0,40}", bytes: Vec<u8>) {
        agree(json.as_bytes())?;
        agree(&bytes)?;
        let base = document(r#"{"a":[{"b":1}],"c":"x"}"#);
        let _any = diff(&base, bytes.into(), &mut Echoes::default());
        let _any = diff(&base, json.into_bytes().into(), &mut Echoes::default());
    }

    /// A broken reply is refused whether it is compared or only checked.
    #[test]
    fn a_reply_is_checked_while_compared(seed: u64, size in 0_usize..30, how in faithful(), at: prop::sample::Index, put: u8) {
        let mut dice = Dice::new(seed);
        let tree = dice.document(size);
        let base = document(&tree.spell(how));
        let mut reply = dice.reply(&tree).spell(how).into_bytes();
        let at = at.index(reply.len());
        reply[at] = put;
        let mut echoes = Echoes::default();
        let _warm = diff(&base, base.bytes().clone(), &mut echoes);
        let compared = diff(&base, reply.clone().into(), &mut echoes);
        prop_assert_eq!(compared.is_ok(), parse(&reply).is_some(), "base {}\nreply {:?}", text(base.bytes()), String::from_utf8_lossy(&reply));
    }

    /// What was added before is checked again where it is not the same, and compared no less.
    #[test]
    fn added_members_are_checked(seed: u64, how in faithful(), at: prop::sample::Index, put in proptest::option::of(0_u8..128)) {
        let added = long(&mut Dice::new(seed)).spell(how);
        let base = document(r#"{"o": 1}"#);
        let mut again = added.clone().into_bytes();
        let at = at.index(again.len());
        again[at] = put.unwrap_or(again[at]);
        let mut echoes = Echoes::default();
        diff(&base, added.into(), &mut echoes).unwrap();
        let together = diff(&base, again.clone().into(), &mut echoes).map(|diff| diff.edits);
        let alone = diff(&base, again.clone().into(), &mut Echoes::default()).map(|diff| diff.edits);
        prop_assert_eq!(alone.is_ok(), parse(&again).is_some(), "{:?}", String::from_utf8_lossy(&again));
        prop_assert_eq!(format!("{alone:?}"), format!("{together:?}"));
    }

    /// What earlier replies taught changes no later one.
    #[test]
    fn echoes_are_only_a_cache(seed: u64, how in spelling()) {
        let mut dice = Dice::new(seed);
        let tree = long(&mut dice);
        let base = document(&tree.spell(Spelling::PYTHON));
        let first = dice.reply(&tree);
        let replies: Vec<String> = vec![first.spell(how), dice.reply(&first).spell(how), first.spell(how)];
        for (together, reply) in edits_of(&base, &replies).iter().zip(&replies) {
            let alone = edits_of(&base, std::slice::from_ref(reply));
            prop_assert_eq!(format!("{:?}", alone[0]), format!("{together:?}"));
        }
    }
}

/// A document whose members are long enough to be remembered.
fn long(dice: &mut Dice) -> Tree {
    let column = |dice: &mut Dice| Tree::Array((0..300).map(|_| dice.value(2, 3)).collect());
    Tree::object([
        (
            "slaveRequest",
            Tree::object([("items", column(dice)), ("o", dice.value(10, 0))]),
        ),
        (
            "result",
            Tree::object([("a", column(dice)), ("b", column(dice)), ("c-d", column(dice))]),
        ),
    ])
}

fn both_append(base: &Tree, replies: &[String]) -> bool {
    let appended = |reply: &String| {
        let edits = oracle::diff(base, &parse(reply.as_bytes()).unwrap());
        edits
            .into_iter()
            .filter(|(_, change)| matches!(change, oracle::Change::Append(_)))
            .map(|(path, _)| path)
    };
    replies
        .iter()
        .map(|reply| appended(reply).collect::<Vec<_>>())
        .reduce(|one, two| one.into_iter().filter(|path| two.contains(path)).collect())
        .is_some_and(|both| !both.is_empty())
}

/// Whether both add the same key, one with `-` where the other has `_`: whose spelling stands is up to the order.
fn spelled_apart(base: &Tree, replies: &[String]) -> bool {
    let added = |reply: &String| {
        let edits = oracle::diff(base, &parse(reply.as_bytes()).unwrap());
        edits.into_iter().filter_map(|(path, change)| match change {
            oracle::Change::Add(key, _) => Some((oracle::folded(&key, &path), path, key)),
            _ => None,
        })
    };
    let [one, two] = replies else { return false };
    let two: Vec<_> = added(two).collect();
    added(one).any(|(alike, path, key)| {
        two.iter()
            .any(|other| other.0 == alike && other.1 == path && other.2 != key)
    })
}

fn unedited(
    base: Value<'_>,
    merged: Value<'_>,
    path: &mut Path,
    edited: &[Path],
) -> Result<(), TestCaseError> {
    let touched = |path: &Path| {
        edited
            .iter()
            .any(|edit| edit.starts_with(path) || path.starts_with(edit))
    };
    if !touched(path) {
        prop_assert_eq!(text(base.raw()), text(merged.raw()));
        return Ok(());
    }
    if edited.contains(path) && base.raw().first() != merged.raw().first() {
        return Ok(());
    }
    let keys = |value: Value<'_>| -> Vec<String> {
        value
            .members()
            .map(|(key, _)| text(key.raw()).to_owned())
            .collect()
    };
    let (ours, theirs) = (keys(base), keys(merged));
    let replaced = edited.contains(path) && !theirs.starts_with(&ours);
    if replaced || edited.contains(path) && base.elements().next().is_some() {
        return Ok(());
    }
    prop_assert!(theirs.starts_with(&ours), "{ours:?} {theirs:?}");
    for ((key, our), (_, their)) in base.members().zip(merged.members()) {
        let Some(Tree::Text(key)) = parse(key.raw()) else {
            panic!("a key is a string")
        };
        path.push(Segment::Key(key));
        unedited(our, their, path, edited)?;
        path.pop();
    }
    for (at, (our, their)) in base.elements().zip(merged.elements()).enumerate() {
        path.push(Segment::Element(at));
        unedited(our, their, path, edited)?;
        path.pop();
    }
    Ok(())
}

/// All who read these bytes agree on whether they are JSON, and on what it holds.
fn agree(json: &[u8]) -> Result<(), TestCaseError> {
    let ours = Document::parse(Bytes::copy_from_slice(json));
    let reference = parse(json);
    let shown = String::from_utf8_lossy(json);
    prop_assert_eq!(ours.is_ok(), reference.is_some(), "{}", shown);
    prop_assert_eq!(
        koigate_core::json::diff::shape(json).is_ok(),
        reference.is_some(),
        "{}",
        shown
    );
    let theirs: Result<serde_json::Value, _> = serde_json::from_slice(json);
    let known = ["NaN", "Infinity", "\\ud", "\\uD"]
        .iter()
        .any(|word| shown.contains(word));
    match (&ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            let theirs = parse(theirs.to_string().as_bytes()).unwrap();
            let ours = read(ours.root());
            prop_assert!(
                is_read_alike(&last_of_repeated(&ours), &theirs),
                "{ours:?}\n{theirs:?}"
            );
        }
        (Ok(_), Err(error)) => {
            let out_of_range = error.to_string().contains("out of range");
            prop_assert!(
                known || out_of_range || json.starts_with(b"\xEF\xBB\xBF"),
                "{shown}: {error}"
            );
        }
        (Err(_), Ok(_)) => prop_assert!(false, "only serde_json reads {shown}"),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

/// `serde_json` keeps the last of repeated keys.
fn last_of_repeated(tree: &Tree) -> Tree {
    match tree {
        Tree::Object(members) => {
            let mut kept: Vec<(Vec<u32>, Tree)> = Vec::new();
            for (key, value) in members {
                kept.retain(|(other, _)| other != key);
                kept.push((key.clone(), last_of_repeated(value)));
            }
            Tree::Object(kept)
        }
        Tree::Array(elements) => Tree::Array(elements.iter().map(last_of_repeated).collect()),
        other => other.clone(),
    }
}

/// Whether `serde_json` read the same: its floats may be one step beside the nearest.
fn is_read_alike(ours: &Tree, theirs: &Tree) -> bool {
    match (ours, theirs) {
        (Tree::Number(a), Tree::Number(b)) => {
            let (a, b): (f64, f64) = (a.parse().unwrap(), b.parse().unwrap());
            (a - b).abs() <= a.abs() * 4.0 * f64::EPSILON
        }
        (Tree::Array(a), Tree::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_read_alike(a, b))
        }
        (Tree::Object(a), Tree::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.iter().any(|(other, b)| key == other && is_read_alike(a, b)))
        }
        _ => ours == theirs,
    }
}

/// Reads a document's value; halves of surrogate pairs are lost, as its cursor loses them.
fn read(value: Value<'_>) -> Tree {
    let text = |value: Value<'_>| {
        value
            .as_str()
            .unwrap_or_default()
            .chars()
            .map(u32::from)
            .collect::<Vec<u32>>()
    };
    match value.kind() {
        Kind::Null => Tree::Null,
        Kind::Bool => Tree::Bool(value.raw() == b"true"),
        Kind::Number => Tree::Number(String::from_utf8_lossy(value.raw()).into_owned()),
        Kind::String => Tree::Text(text(value)),
        Kind::Array => Tree::Array(value.elements().map(read).collect()),
        Kind::Object => Tree::Object(
            value
                .members()
                .map(|(key, value)| (text(key), read(value)))
                .collect(),
        ),
    }
}
