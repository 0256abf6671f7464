//! A reply edits what the reference says, however its bytes fall; an echo edits nothing; and what earlier
//! replies taught changes nothing.
#![no_main]

use bytes::Bytes;
use koigate_core::json::Document;
use koigate_core::json::diff::{Echoes, diff};
use koigate_fuzz::tree::Spelling;
use koigate_fuzz::{documents, edits, oracle, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut documents = documents(input);
    let Some(base) = documents.next() else { return };
    let Ok(document) = Document::parse(Bytes::copy_from_slice(base)) else {
        return;
    };
    let Some(tree) = parse::parse(base) else { return };
    for how in [Spelling::PYTHON, Spelling::NODE] {
        let echo = diff(&document, tree.spell(how).into(), &mut Echoes::default()).expect("an echo is JSON");
        assert!(echo.edits.is_empty(), "{how:?}");
    }
    let replies: Vec<&[u8]> = documents.collect();
    for (reply, together) in edits(&document, replies.iter().copied()) {
        assert_eq!(together.len(), oracle::diff(&tree, &reply).len());
    }
    for &reply in &replies {
        let alone = edits(&document, std::iter::once(reply));
        let after = edits(
            &document,
            [base, reply]
                .into_iter()
                .chain(replies.iter().copied())
                .chain([reply]),
        );
        if let Some(alone) = alone.first() {
            assert_eq!(
                format!("{alone:?}"),
                format!("{:?}", after.last().expect("it parses again"))
            );
        }
    }
});
