//! Python's JSON on bytes: what the bot and most services read and write, and no strict parser does.
//!
//! `NaN`, `Infinity`, `-Infinity` and lone halves of surrogate pairs are values like any other, numbers
//! have any length, a BOM at the start is no part of the document. Nesting beyond 128 levels, raw control
//! characters in strings, bytes that are not UTF-8 and anything else that Python's `json` refuses do not
//! parse (gateway.md section 4).
//!
//! There is no tree. A [`Document`] is bytes and an index that tells where its longer containers end;
//! [`Value`] is a cursor into it; [`diff`](mod@diff) reads a reply once, beside the document that it
//! answers; and what comes of it is spliced: untouched bytes stay as they came.
//!
//! - `scan` reads what nobody has checked, `read` what has been;
//! - `text` and `number` say when two spellings mean the same;
//! - [`diff`](mod@diff) finds what a backend really edited; `splice` applies it; `locate` names places;
//! - `cut` leaves parts out, `respell` changes dashes in keys: what a backend is sent instead of the whole.

pub(crate) mod cut;
pub mod diff;
mod lanes;
mod list;
pub(crate) mod locate;
pub(crate) mod number;
mod read;
pub(crate) mod respell;
mod scan;
pub(crate) mod splice;
pub(crate) mod text;
mod value;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use self::read::{Index, Source};
pub(crate) use self::value::{Child, Entry};
pub use self::value::{Elements, Kind, Members, Value};

/// The longest document, in bytes, that can be read: offsets are kept in 32 bits.
const MAX_LEN: usize = u32::MAX as usize;

/// Why bytes are not JSON as Python reads it. Offsets are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// No token of JSON can stand here (or the end came too early).
    #[error("not JSON at byte {at}")]
    Malformed {
        /// Where reading stopped.
        at: usize,
    },
    /// A container inside of 128 others.
    #[error("nested deeper than 128 levels at byte {at}")]
    TooDeep {
        /// Where the container begins.
        at: usize,
    },
    /// Bytes that are not UTF-8 (RFC 3629), surrogates written as three bytes among them.
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// The first byte that isn't.
        at: usize,
    },
    /// Longer than offsets of 32 bits reach.
    #[error("longer than 4 GiB")]
    TooLong,
}

/// A checked document: the bytes of one JSON value, and an index of its longer containers.
///
/// A clone shares both. The index takes 12 bytes a container of more than 64 bytes, and is made when the
/// document is parsed, or, for one that was spliced from checked parts, when it is first looked into.
#[derive(Debug, Clone)]
pub struct Document {
    bytes: Bytes,
    index: Arc<OnceLock<Index>>,
}

// === impl Document ===

impl Document {
    /// Checks bytes and makes a document of them; they are shared, not copied.
    ///
    /// # Errors
    ///
    /// Anything that Python's `json` refuses to read, and nesting beyond 128 levels.
    pub fn parse(bytes: Bytes) -> Result<Self, SyntaxError> {
        if bytes.len() > MAX_LEN {
            return Err(SyntaxError::TooLong);
        }
        let bytes = without_bom(bytes);
        let start = scan::space(&bytes, 0);
        let bytes = bytes.slice(start..);
        let mut index = Index::for_bytes(bytes.len());
        let (_, end) = scan::document(&bytes, &mut index)?;
        index.shrink();
        Ok(Self {
            bytes: bytes.slice(..end),
            index: Arc::new(OnceLock::from(index)),
        })
    }

    /// Takes bytes that are one checked value, spliced from checked parts.
    pub(crate) fn spliced(bytes: Bytes) -> Self {
        Self {
            bytes,
            index: Arc::default(),
        }
    }

    /// Takes bytes that are one checked value, and their index.
    fn indexed(bytes: Bytes, index: Index) -> Self {
        Self {
            bytes,
            index: Arc::new(OnceLock::from(index)),
        }
    }

    /// The same document in other bytes: letters of keys are others, and no offset is.
    fn respelled(&self, bytes: Bytes) -> Self {
        Self {
            bytes,
            index: self.index.clone(),
        }
    }

    /// The value's bytes, without a BOM and without white space around it.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Puts the bytes into the keeping of `keep`, which gives the same back.
    pub(crate) fn keep(&mut self, keep: impl FnOnce(Bytes) -> Bytes) {
        self.bytes = keep(std::mem::take(&mut self.bytes));
    }

    /// A cursor at the whole value.
    pub fn root(&self) -> Value<'_> {
        Value::new(self.source(), Source::ROOT)
    }

    fn source(&self) -> Source<'_> {
        Source {
            bytes: &self.bytes,
            index: self.index.get_or_init(|| index(&self.bytes)),
        }
    }
}

/// The index of bytes that are known to be sound.
fn index(bytes: &[u8]) -> Index {
    let mut index = Index::for_bytes(bytes.len());
    if bytes.len() <= MAX_LEN {
        // Spliced from checked parts at the depth where they were checked, it can't fail.
        let _sound = scan::value(bytes, 0, 0, &mut index);
    }
    index.shrink();
    index
}

/// The same bytes without a BOM at their start.
fn without_bom(bytes: Bytes) -> Bytes {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.slice(3..)
    } else {
        bytes
    }
}
