//! Puts pieces into a document: what they don't replace stays byte for byte.

use super::scan::slice;

/// A piece, and the span of the base that it takes the place of. Where the span is empty, it stands at the
/// closing bracket of a container, and the piece is one more child of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    /// Where the span begins.
    pub(crate) at: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// What takes its place.
    pub(crate) piece: &'a [u8],
}

/// The base with these changes, which come in order and don't overlap.
pub(crate) fn splice<'a>(base: &[u8], changes: impl Iterator<Item = Change<'a>> + Clone) -> Vec<u8> {
    let added = |change: Change<'_>| change.piece.len() + usize::from(change.at == change.end);
    let removed: usize = changes.clone().map(|change| change.end - change.at).sum();
    let capacity = base.len() - removed + changes.clone().map(added).sum::<usize>();
    let mut whole = Vec::with_capacity(capacity);
    let mut copied = 0;
    for change in changes {
        whole.extend_from_slice(slice(base, copied, change.at));
        copied = change.end;
        if change.at == change.end && !opens_container(&whole) {
            whole.push(b',');
        }
        whole.extend_from_slice(change.piece);
    }
    whole.extend_from_slice(slice(base, copied, base.len()));
    whole
}

/// Whether a container has just been opened, so that what comes next is its first child.
fn opens_container(written: &[u8]) -> bool {
    let last = written
        .iter()
        .rev()
        .find(|c| !matches!(c, b' ' | b'\n' | b'\r' | b'\t'));
    matches!(last, Some(b'{' | b'['))
}
