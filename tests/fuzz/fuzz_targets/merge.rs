//! Replies merge into what the reference says, with its conflicts; the result is JSON.
#![no_main]

use bytes::Bytes;
use koigate_core::json::Document;
use koigate_core::merge::merge;
use koigate_core::plan::OnConflict;
use koigate_fuzz::oracle::{self, Rule};
use koigate_fuzz::{documents, edits, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut documents = documents(input);
    let Some(base) = documents.next() else { return };
    let Ok(document) = Document::parse(Bytes::copy_from_slice(base)) else {
        return;
    };
    let Some(tree) = parse::parse(base) else { return };
    let replies = edits(&document, documents.take(4));
    let reference: Vec<_> = replies
        .iter()
        .map(|(reply, _)| oracle::diff(&tree, reply))
        .collect();
    let edits: Vec<_> = replies.iter().map(|(_, edits)| edits).collect();
    for (rule, of_reference) in [(OnConflict::Last, Rule::Last), (OnConflict::First, Rule::First)] {
        let merged = merge(&document, &edits, rule);
        let (want, conflicts) = oracle::merge(&tree, &reference, of_reference);
        let whole = merged.document.as_ref().unwrap_or(&document);
        Document::parse(whole.bytes().clone()).expect("what was merged is JSON");
        let got = parse::parse(whole.bytes()).expect("what was merged is JSON");
        assert!(
            oracle::same(&got, &want),
            "{}",
            String::from_utf8_lossy(whole.bytes())
        );
        assert_eq!(merged.conflicts.total as usize, conflicts.len());
    }
});
