//! What one backend is sent, and how its reply is compared with that.
//!
//! A [`Base`] is the document a stage's backends are asked about. Whether it parses is found out when a JSON
//! reply has to be compared with it, and not before: most hooks end in a row of 204s, and none of those has to
//! look into three megabytes. A [`View`] is the base as one backend sees it.

use std::sync::{Arc, Mutex, OnceLock, TryLockError};

use bytes::Bytes;

use crate::json::diff::{Diff, Echoes, Shape, diff, shape};
use crate::json::{Document, SyntaxError};

/// The document that the backends of one stage are asked about.
#[derive(Debug)]
pub struct Base {
    bytes: Bytes,
    /// Parsed at the first look; `None` inside where it does not parse.
    document: OnceLock<Option<Document>>,
    /// What earlier replies to this base looked like: a cache that changes no result.
    echoes: Mutex<Echoes>,
}

/// The base as one backend is sent it.
#[derive(Debug, Clone)]
pub struct View {
    base: Arc<Base>,
}

/// A JSON reply, compared with what its backend was sent.
#[derive(Debug)]
pub enum Compared {
    /// What it edited.
    Edits(Diff),
    /// The base does not parse, so that only the reply's own shape is known.
    Alone(Shape),
}

// === impl Base ===

impl Base {
    /// A base of these bytes, not looked into yet.
    pub fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            document: OnceLock::new(),
            echoes: Mutex::default(),
        }
    }

    /// A base that is known to parse.
    pub fn parsed(document: Document) -> Self {
        let base = Self::new(document.bytes().clone());
        // A fresh cell takes its first value.
        let _ = base.document.set(Some(document));
        base
    }

    /// The bytes, as they came in or as the last merge wrote them.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The document, if the bytes are one. The first call parses, in time linear in the bytes.
    pub fn document(&self) -> Option<&Document> {
        self.document
            .get_or_init(|| Document::parse(self.bytes.clone()).ok())
            .as_ref()
    }

    fn compare(&self, reply: Bytes) -> Result<Compared, SyntaxError> {
        let Some(document) = self.document() else {
            return shape(&reply).map(Compared::Alone);
        };
        let compared = match self.echoes.try_lock() {
            Ok(mut echoes) => diff(document, reply, &mut echoes),
            // A cache whose holder panicked, or who is just at it, is done without: waiting would cost more.
            Err(TryLockError::Poisoned(_) | TryLockError::WouldBlock) => {
                diff(document, reply, &mut Echoes::default())
            }
        };
        compared.map(Compared::Edits)
    }
}

// === impl View ===

impl View {
    /// The whole base, byte for byte.
    pub fn whole(base: Arc<Base>) -> Self {
        Self { base }
    }

    /// What is sent.
    pub fn bytes(&self) -> &Bytes {
        self.base.bytes()
    }

    /// Compares a JSON reply with what was sent. Linear in both; validates the reply on the way.
    ///
    /// # Errors
    ///
    /// The reply is not JSON as Python reads it (gateway.md section 4).
    pub fn compare(&self, reply: Bytes) -> Result<Compared, SyntaxError> {
        self.base.compare(reply)
    }
}
