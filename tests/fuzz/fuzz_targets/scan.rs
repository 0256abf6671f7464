//! Any bytes are JSON exactly if the grammar says so, and a cursor finds in them what the grammar does.
#![no_main]

use bytes::Bytes;
use koigate_core::json::diff::shape;
use koigate_core::json::{Document, Value};
use koigate_fuzz::parse::parse;
use koigate_fuzz::tree::Tree;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let document = Document::parse(Bytes::copy_from_slice(input));
    let reference = parse(input);
    assert_eq!(document.is_ok(), reference.is_some());
    assert_eq!(shape(input).is_ok(), reference.is_some());
    if let (Ok(document), Some(tree)) = (document, reference) {
        assert_eq!(document.root().raw(), &document.bytes()[..]);
        walk(document.root(), &tree);
    }
});

fn walk(value: Value<'_>, tree: &Tree) {
    assert_eq!(parse(value.raw()).as_ref(), Some(tree));
    match tree {
        Tree::Object(members) => {
            assert_eq!(value.members().count(), members.len());
            value
                .members()
                .zip(members)
                .for_each(|((_, value), (_, tree))| walk(value, tree));
        }
        Tree::Array(elements) => {
            assert_eq!(value.elements().count(), elements.len());
            value
                .elements()
                .zip(elements)
                .for_each(|(value, tree)| walk(value, tree));
        }
        _ => assert_eq!(value.members().count() + value.elements().count(), 0),
    }
}
