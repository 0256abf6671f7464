//! What one backend is sent, and how its reply is compared with that.
//!
//! A [`Base`] is the document a stage's backends are asked about. Whether it parses is found out when a JSON
//! reply has to be compared with it, and not before: most hooks end in a row of 204s, and none of those has to
//! look into three megabytes. A [`View`] is the base as one backend sees it: less what is hidden from it, its keys
//! as it spells them, and the way back from its edits to the base.

use std::sync::{Arc, Mutex, OnceLock, TryLockError};

use bytes::Bytes;

use crate::failure::{Failure, FailureKind};
use crate::guards::{Denied, Guards, Keys, Review, Reviewed};
use crate::json::cut::Cuts;
use crate::json::diff::{Diff, Echoes, Edits, Shape, diff, shape};
use crate::json::respell::{Joint, respell};
use crate::json::{Document, SyntaxError};

mod sight;

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
    /// What is sent where that is not the base itself.
    own: Option<Arc<Own>>,
}

/// What a backend is sent that does not see everything as it is.
#[derive(Debug)]
struct Own {
    sent: Base,
    /// What it lacks of the base's document.
    cuts: Cuts,
}

/// What the backends of one stage are sent: those under the same guards the same, made once.
#[derive(Debug)]
pub(crate) struct Views<'g> {
    base: Arc<Base>,
    made: Vec<(&'g Guards, View)>,
}

/// A JSON reply, compared with what its backend was sent.
#[derive(Debug)]
pub enum Compared {
    /// What it edited, and how far its backend may.
    Edits {
        /// What the reply is as a whole.
        shape: Shape,
        /// What it changes of the base.
        edits: Edits,
        /// What it may not change.
        denied: Denied,
    },
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

    /// Puts the bytes of what parses into the keeping of `keep`, which gives the same back.
    pub(crate) fn keep(&mut self, keep: impl FnOnce(Bytes) -> Bytes) {
        if let Some(Some(document)) = self.document.get_mut() {
            document.keep(keep);
            self.bytes = document.bytes().clone();
        }
    }

    fn diff(&self, document: &Document, reply: Bytes) -> Result<Diff, SyntaxError> {
        match self.echoes.try_lock() {
            Ok(mut echoes) => diff(document, reply, &mut echoes),
            // A cache whose holder panicked, or who is just at it, is done without: waiting would cost more.
            Err(TryLockError::Poisoned(_) | TryLockError::WouldBlock) => {
                diff(document, reply, &mut Echoes::default())
            }
        }
    }
}

// === impl View ===

impl View {
    /// The whole base, byte for byte.
    pub fn whole(base: Arc<Base>) -> Self {
        Self { base, own: None }
    }

    /// The base as these guards let a backend see it; none if something has to be kept from it and nobody can
    /// tell what, since the base does not parse. Linear in the bytes where the guards say anything.
    pub fn new(base: &Arc<Base>, guards: &Guards) -> Option<Self> {
        let whole = Self::whole(base.clone());
        if !guards.look_into_documents() {
            return Some(whole);
        }
        let Some(document) = base.document() else {
            return guards.sees_whole().then_some(whole);
        };
        let cuts = sight::cuts(document, &guards.sight);
        let left = (!cuts.is_empty()).then(|| cuts.apply(document));
        let respelled =
            joint(guards.keys).and_then(|joint| respell(left.as_ref().unwrap_or(document), joint));
        let own = respelled.or(left).map(|sent| Own {
            sent: Base::parsed(sent),
            cuts,
        });
        Some(Self {
            own: own.map(Arc::new),
            ..whole
        })
    }

    /// What is sent.
    pub fn bytes(&self) -> &Bytes {
        self.sent().bytes()
    }

    /// What is sent, as a document, if it parses. The first call for a base parses that.
    pub fn document(&self) -> Option<&Document> {
        self.sent().document()
    }

    /// Compares a JSON reply with what was sent, by a backend under these guards. Linear in both; validates the
    /// reply on the way.
    ///
    /// # Errors
    ///
    /// The reply is not JSON as Python reads it (gateway.md section 4).
    pub fn compare(&self, reply: Bytes, guards: &Guards) -> Result<Compared, SyntaxError> {
        let sent = self.sent();
        let (Some(base), Some(document)) = (self.base.document(), sent.document()) else {
            return shape(&reply).map(Compared::Alone);
        };
        let Diff { shape, edits } = sent.diff(document, reply)?;
        let Reviewed { edits, denied } = self.review(base, guards, edits);
        Ok(Compared::Edits { shape, edits, denied })
    }

    /// Brings edits of what was sent to the base, as far as they may be made.
    fn review(&self, base: &Document, guards: &Guards, edits: Edits) -> Reviewed {
        if edits.is_empty() || guards.sees_whole() && guards.edits_freely() {
            let denied = Denied::default();
            return Reviewed { edits, denied };
        }
        let none = Cuts::default();
        let cuts = self.own.as_ref().map_or(&none, |own| &own.cuts);
        Review::new(base, cuts, guards).of(edits)
    }

    fn sent(&self) -> &Base {
        self.own.as_ref().map_or(&*self.base, |own| &own.sent)
    }
}

// === impl Views ===

impl<'g> Views<'g> {
    /// Views of this base.
    pub(crate) fn new(base: Arc<Base>) -> Self {
        let made = Vec::new();
        Self { base, made }
    }

    /// What a backend under these guards is sent.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Condition`] if something has to be kept from it and the base does not parse.
    pub(crate) fn of(&mut self, guards: &'g Guards) -> Result<View, Failure> {
        if !guards.look_into_documents() {
            return Ok(View::whole(self.base.clone()));
        }
        let is_same = |made: &&(&Guards, View)| made.0.sight == guards.sight && made.0.keys == guards.keys;
        if let Some((_, view)) = self.made.iter().find(is_same) {
            return Ok(view.clone());
        }
        let view = View::new(&self.base, guards).ok_or_else(|| {
            let detail = "the document does not parse: what is to be hidden in it can't be found";
            Failure::new(FailureKind::Condition, detail)
        })?;
        self.made.push((guards, view.clone()));
        Ok(view)
    }
}

fn joint(keys: Keys) -> Option<Joint> {
    match keys {
        Keys::AsIs => None,
        Keys::Kebab => Some(Joint::Dash),
        Keys::Snake => Some(Joint::Underscore),
    }
}

#[cfg(test)]
mod tests;
