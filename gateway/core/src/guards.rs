//! What a backend may see, change and say (gateway.md section 6): as configured, and held against a reply.

mod review;

use std::collections::BTreeSet;

use crate::attachment::AttachmentKind;
use crate::changes::{EXCERPT, excerpt};
use crate::pointer::Pointer;

pub(crate) use self::review::{Review, Reviewed};

/// The guards of one backend. By default there are none: it sees, changes and says everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guards {
    /// What of the document it is sent.
    pub sight: Sight,
    /// How the keys are spelled in that.
    pub keys: Keys,
    /// The only places that it may edit, and what is below them; none, and it may edit everything it sees.
    pub may_change: Option<Vec<Pointer>>,
    /// What it may answer.
    pub may: Powers,
}

/// What of a document a backend is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sight {
    /// All of it.
    #[default]
    Whole,
    /// All but these places.
    Hide(Vec<Pointer>),
    /// These places alone, and what leads to them.
    Show(Vec<Pointer>),
}

/// How the keys outside of `/result` are spelled in what a backend is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keys {
    /// As the bot spelled them.
    #[default]
    AsIs,
    /// `from-user`, as koipy's newer releases spell them.
    Kebab,
    /// `from_user`, as its older ones do.
    Snake,
}

/// What a backend may answer besides that the hook goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Powers(BTreeSet<Power>);

/// One thing that a backend may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Power {
    /// Refuse.
    Reject,
    /// Edit the document.
    Json,
    /// Send a picture.
    Image,
    /// Send a text.
    Text,
    /// Send a file, or anything else that the bot has no word for.
    File,
}

/// Edits that a backend tried and may not make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denied {
    /// How many.
    pub count: usize,
    /// The places of the first of them, at most 32, as JSON Pointers (RFC 6901); long ones are cut.
    pub places: Vec<String>,
}

// === impl Guards ===

impl Guards {
    /// Whether it is sent the document as it is, and may edit all of it.
    pub fn leave_whole(&self) -> bool {
        !self.look_into_documents() && self.edits_freely()
    }

    /// Whether nobody knows what it is sent without looking into the document.
    pub fn look_into_documents(&self) -> bool {
        !self.sees_whole() || self.keys != Keys::AsIs
    }

    /// Whether nothing is kept from it.
    pub fn sees_whole(&self) -> bool {
        self.sight == Sight::Whole
    }

    /// Whether no edit of what it sees is denied.
    pub(crate) fn edits_freely(&self) -> bool {
        self.may_change.is_none() && self.may.allow(Power::Json)
    }

    /// The places that it may edit; none, and it is everything.
    pub(crate) fn ground(&self) -> Option<&[Pointer]> {
        if self.may.allow(Power::Json) {
            self.may_change.as_deref()
        } else {
            Some(&[])
        }
    }
}

// === impl Sight ===

impl Sight {
    /// The places that it names.
    pub fn places(&self) -> &[Pointer] {
        match self {
            Self::Whole => &[],
            Self::Hide(places) | Self::Show(places) => places,
        }
    }
}

// === impl Powers ===

impl Powers {
    /// These alone.
    pub fn of(powers: impl IntoIterator<Item = Power>) -> Self {
        Self(powers.into_iter().collect())
    }

    /// Whether this is one of them.
    pub fn allow(&self, power: Power) -> bool {
        self.0.contains(&power)
    }

    /// Whether they are all there are.
    pub fn are_all(&self) -> bool {
        self.0.len() == Power::ALL.len()
    }

    /// Each of them, in the order of [`Power::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Power> + '_ {
        self.0.iter().copied()
    }
}

/// All of them.
impl Default for Powers {
    fn default() -> Self {
        Self::of(Power::ALL)
    }
}

// === impl Power ===

impl Power {
    /// Every power.
    pub const ALL: [Self; 5] = [Self::Reject, Self::Json, Self::Image, Self::Text, Self::File];

    /// The word of the configuration and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Json => "json",
            Self::Image => "image",
            Self::Text => "text",
            Self::File => "file",
        }
    }
}

/// What it takes to send one. What has no kind of its own needs what files need.
impl From<AttachmentKind> for Power {
    fn from(kind: AttachmentKind) -> Self {
        match kind {
            AttachmentKind::Image => Self::Image,
            AttachmentKind::Text => Self::Text,
            AttachmentKind::File | AttachmentKind::Other => Self::File,
        }
    }
}

// === impl Denied ===

impl Denied {
    /// The most places that are listed.
    pub const LISTED: usize = 32;

    /// A whole reply, whose edits nobody can tell.
    pub(crate) fn whole() -> Self {
        let mut denied = Self::default();
        denied.add(String::new);
        denied
    }

    /// Counts one more, and lists its place while there is room.
    pub(crate) fn add(&mut self, place: impl FnOnce() -> String) {
        self.count += 1;
        if self.places.len() >= Self::LISTED {
            return;
        }
        // A stranger's key may have any length.
        let mut place = place();
        if place.len() > EXCERPT {
            place = excerpt(&place);
            place.push('…');
        }
        self.places.push(place);
    }
}
