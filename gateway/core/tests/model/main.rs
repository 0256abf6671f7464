//! The three-way merge against a model of gateway.md section 4 that shares no line with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong here should fail the test"
)]

mod guards;
mod model;
mod tape;
mod tree;

use std::sync::Arc;

use bytes::Bytes;
use koigate_core::json::Document;
use koigate_core::json::diff::{Diff, Echoes, diff};
use koigate_core::merge::{self, Merged};
use koigate_core::plan::OnConflict;
use koigate_core::view::{Base, Compared, View};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::guards::{Rules, see};
use crate::tape::{Hand, Tape};
use crate::tree::{Json, Node};

const RULES: [OnConflict; 3] = [OnConflict::Last, OnConflict::First, OnConflict::Reject];

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// What the merge is told: a base and the replies of one stage.
#[derive(Debug, Clone)]
struct Stage {
    base: String,
    replies: Vec<String>,
}

impl Stage {
    fn record(base: &[u8], replies: &[Vec<u8>]) -> Self {
        let mut tape = Tape::new(base);
        let hand = tape.hand();
        Self::next(hand.write(&tape.base()), replies)
    }

    fn next(base: String, replies: &[Vec<u8>]) -> Self {
        let tree = tree::parse(base.as_bytes()).unwrap();
        let mut last = (tree.clone(), Hand::PYTHON);
        let replies = replies.iter().map(|reply| {
            let mut tape = Tape::new(reply);
            if tape.says_alike() {
                last.0 = tape.reply(&last.0);
            } else {
                last = (tape.reply(&tree), tape.hand());
            }
            last.1.write(&last.0)
        });
        Self {
            replies: replies.collect(),
            base,
        }
    }

    fn merged(&self, base: &Document, rule: OnConflict) -> (Vec<Diff>, Merged) {
        let mut echoes = Echoes::default();
        let diffs: Vec<Diff> = self
            .replies
            .iter()
            .map(|reply| diff(base, bytes(reply), &mut echoes).unwrap())
            .collect();
        let edits: Vec<_> = diffs.iter().map(|diff| &diff.edits).collect();
        let merged = merge::merge(base, &edits, rule);
        (diffs, merged)
    }

    /// What the model says against what the merge does.
    fn check(&self, base: &Document, rule: OnConflict) -> Result<(), String> {
        let tree = tree::parse(self.base.as_bytes()).ok_or("the model can't read the base")?;
        let edits: Vec<_> = self
            .replies
            .iter()
            .map(|reply| model::of_reply(&tree, &tree::parse(reply.as_bytes()).unwrap()))
            .collect();
        let expected = model::merge(&tree, edits.clone(), rule);
        let (diffs, merged) = self.merged(base, rule);
        for (by, (edits, diff)) in edits.iter().zip(&diffs).enumerate() {
            let len = diff.edits.len();
            if edits.is_empty() != (len == 0) || len > edits.len() {
                return Err(format!("reply {by}: {len} edits for {edits:?}"));
            }
        }
        if edits.iter().all(Vec::is_empty) != merged.document.is_none() {
            return Err(format!("whether a document: {:?}", merged.document));
        }
        if let Some(document) = &merged.document {
            let written = tree::parse(document.bytes()).ok_or("not JSON")?;
            same(&expected.document, &written, "").map_err(|at| {
                let text = String::from_utf8_lossy(document.bytes());
                format!(
                    "at {at}: {text}\nexpected {}",
                    Hand::PYTHON.write(&expected.document)
                )
            })?;
        }
        let listed: Vec<Vec<String>> = merged
            .conflicts
            .listed
            .iter()
            .map(|c| segments(&c.pointer))
            .collect();
        if merged.conflicts.total != expected.conflicts.len() as u64
            || listed.iter().any(|pointer| !expected.conflicts.contains(pointer))
            || listed.len() != expected.conflicts.len().min(32)
        {
            return Err(format!(
                "conflicts {:?}, expected {:?}",
                merged.conflicts, expected.conflicts
            ));
        }
        Ok(())
    }
}

fn segments(pointer: &str) -> Vec<String> {
    let segments = pointer.split('/').skip(1);
    segments
        .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// Where the written document is not what was expected.
fn same(expected: &Node, written: &Node, at: &str) -> Result<(), String> {
    if expected.raw.is_some() && expected.raw != written.raw {
        return Err(format!("{at} (spelling)"));
    }
    let alike = match (&expected.json, &written.json) {
        (Json::Null, Json::Null) => true,
        (Json::Bool(one), Json::Bool(other)) => one == other,
        (Json::Number(one), Json::Number(other)) => one == other,
        (Json::Text(one), Json::Text(other)) => one == other,
        (Json::Array(one), Json::Array(other)) => {
            for (i, (one, other)) in one.iter().zip(other).enumerate() {
                same(one, other, &format!("{at}/{i}"))?;
            }
            one.len() == other.len()
        }
        (Json::Object(one), Json::Object(other)) => {
            for (i, (one, other)) in one.iter().zip(other).enumerate() {
                let at = format!("{at}/#{i}");
                if one.key != other.key || one.raw_key.is_some() && one.raw_key != other.raw_key {
                    return Err(format!("{at} (key)"));
                }
                same(&one.value, &other.value, &at)?;
            }
            one.len() == other.len()
        }
        _ => false,
    };
    alike.then_some(()).ok_or_else(|| at.to_owned())
}

/// What one guarded backend does to a document.
#[derive(Debug, Clone)]
struct Visit {
    base: String,
    rules: Rules,
    reply: String,
}

impl Visit {
    fn record(base: &[u8], reply: &[u8]) -> Self {
        let mut tape = Tape::new(base);
        let hand = tape.hand();
        let base = hand.write(&tape.base());
        let tree = tree::parse(base.as_bytes()).unwrap();
        let mut tape = Tape::new(reply);
        let rules = Rules::next(&mut tape, &tree);
        let seen = see(&tree, &rules);
        // Now and then it answers as if it had seen everything.
        let answered = if tape.die(6) == 1 { &tree } else { &seen.node };
        let reply = tape.reply(answered);
        let reply = tape.hand().write(&reply);
        Self { base, rules, reply }
    }

    /// What the model says against what is sent, what is edited and what is denied.
    fn check(&self) -> Result<(), String> {
        let (guards, tree) = (self.rules.guards(), tree::parse(self.base.as_bytes()).unwrap());
        let base = Arc::new(Base::new(bytes(&self.base)));
        let view = View::new(&base, &guards).ok_or("the base parses")?;
        let seen = see(&tree, &self.rules);
        let sent = tree::parse(view.bytes()).ok_or("what is sent is not JSON")?;
        same(&seen.node, &sent, "").map_err(|at| format!("sent at {at}: {:?}", view.bytes()))?;

        let compared = view
            .compare(bytes(&self.reply), &guards)
            .map_err(|error| error.to_string())?;
        let Compared::Edits { edits, denied, .. } = compared else {
            return Err("the base parses".to_owned());
        };
        let reply = tree::parse(self.reply.as_bytes()).unwrap();
        let of_reply = model::of_reply(&seen.node, &reply);
        let (allowed, over) = guards::allowed(&tree, &seen, of_reply, &self.rules);
        if (denied.count == 0) != (over == 0)
            || denied.count > over
            || denied.places.len() != denied.count.min(32)
        {
            return Err(format!("{denied:?}, expected {over}"));
        }
        let document = base.document().unwrap();
        let merged = merge::merge(document, &[&edits], OnConflict::Last).document;
        let merged = merged.as_ref().unwrap_or(document);
        let expected = model::merge(&tree, vec![allowed], OnConflict::Last).document;
        let written = tree::parse(merged.bytes()).ok_or("the answer is not JSON")?;
        same(&expected, &written, "").map_err(|at| format!("answer at {at}: {:?}", merged.bytes()))
    }

    /// What comes back as it was sent, however it is spelled, is no edit.
    fn check_echo(&self, hand: &[u8]) -> Result<(), String> {
        let guards = self.rules.guards();
        let base = Arc::new(Base::new(bytes(&self.base)));
        let view = View::new(&base, &guards).ok_or("the base parses")?;
        let sent = tree::parse(view.bytes()).ok_or("what is sent is not JSON")?;
        let echo = Tape::new(hand).hand().write(&sent);
        match view.compare(bytes(&echo), &guards) {
            Ok(Compared::Edits { edits, denied, .. }) if edits.is_empty() && denied.count == 0 => Ok(()),
            other => Err(format!("{echo} gave {other:?}")),
        }
    }
}

/// A base, and the tapes of its replies.
fn tapes(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..160), 1..=most)
}

fn stage() -> impl Strategy<Value = Stage> {
    (vec(any::<u8>(), 0..300), tapes(4)).prop_map(|(base, replies)| Stage::record(&base, &replies))
}

fn rule() -> impl Strategy<Value = OnConflict> {
    proptest::sample::select(&RULES)
}

proptest! {
    #[test]
    fn a_guarded_backend_sees_and_edits_what_the_model_says(
        base in vec(any::<u8>(), 0..300),
        reply in vec(any::<u8>(), 0..200),
    ) {
        let visit = Visit::record(&base, &reply);
        visit.check().map_err(|error| TestCaseError::fail(format!("{error}\n{visit:?}")))?;
    }

    #[test]
    fn an_echo_of_what_was_sent_is_no_edit(
        base in vec(any::<u8>(), 0..300),
        reply in vec(any::<u8>(), 0..100),
        hand in vec(any::<u8>(), 0..8),
    ) {
        let visit = Visit::record(&base, &reply);
        visit.check_echo(&hand).map_err(|error| TestCaseError::fail(format!("{error}\n{visit:?}")))?;
    }

    #[test]
    fn a_stage_is_merged_as_the_model_says(stage in stage(), rule in rule()) {
        let document = Document::parse(bytes(&stage.base)).unwrap();
        stage.check(&document, rule).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_merged_document_is_a_base_like_any_other(
        first in stage(),
        second in tapes(3),
        rule in rule(),
    ) {
        let document = Document::parse(bytes(&first.base)).unwrap();
        if let Some(merged) = first.merged(&document, rule).1.document {
            let written = String::from_utf8(merged.bytes().to_vec()).unwrap();
            let second = Stage::next(written, &second);
            second.check(&merged, rule).map_err(|at| TestCaseError::fail(format!("{second:?}\n{at}")))?;
        }
    }
}
