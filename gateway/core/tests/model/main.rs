//! The three-way merge against a model of gateway.md section 4 that shares no line with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong here should fail the test"
)]

mod model;
mod tape;
mod tree;

use bytes::Bytes;
use koigate_core::json::Document;
use koigate_core::json::diff::{Diff, Echoes, diff};
use koigate_core::merge::{self, Merged};
use koigate_core::plan::OnConflict;
use proptest::collection::vec;
use proptest::prelude::*;

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
