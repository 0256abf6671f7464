//! What the fuzz targets compare the product with: the references of core's own tests.

#[path = "../../../gateway/core/tests/json/dice.rs"]
pub mod dice;
#[path = "../../../gateway/core/tests/json/oracle.rs"]
pub mod oracle;
#[path = "../../../gateway/core/tests/json/parse.rs"]
pub mod parse;
pub mod responses;
pub mod strict;
#[path = "../../../gateway/core/tests/json/tree.rs"]
pub mod tree;

use bytes::Bytes;
use koigate_core::json::Document;
use koigate_core::json::diff::{Echoes, Edits, diff};

/// The documents of an input: 0xFF, which is in no JSON, stands between them.
pub fn documents(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split(|&byte| byte == 0xFF)
}

/// The edits of replies that parse. Whether one does is asked of the reference.
pub fn edits<'a>(base: &Document, replies: impl Iterator<Item = &'a [u8]>) -> Vec<(tree::Tree, Edits)> {
    let mut echoes = Echoes::default();
    let mut edits = Vec::new();
    for reply in replies {
        let ours = diff(base, Bytes::copy_from_slice(reply), &mut echoes);
        let reference = parse::parse(reply);
        assert_eq!(
            ours.is_ok(),
            reference.is_some(),
            "{}",
            String::from_utf8_lossy(reply)
        );
        edits.extend(reference.into_iter().zip(ours.ok().map(|diff| diff.edits)));
    }
    edits
}

/// Where an input is to be cut, in bytes from cut to cut, and the rest of the input. The first byte says how
/// often at most, the second how far apart.
pub fn take_cuts(input: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    let [count, apart, rest @ ..] = input else {
        return None;
    };
    let apart = usize::from(*apart).max(1);
    let count = usize::from(*count % 32).min(rest.len() / apart + 1);
    Some((vec![apart; count], rest))
}
