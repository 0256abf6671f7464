//! Attachments: the pictures, texts and files that replies carry for the user, and which of them don't arrive.

use std::sync::Arc;

use crate::reply::Reply;

/// What an attachment is, in the order in which one kind goes before another where only one can travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttachmentKind {
    /// A picture.
    Image,
    /// A message.
    Text,
    /// A file.
    File,
    /// Something with a label that the bot does nothing with. It passes only where there is nothing else.
    Other,
}

/// One reply that carries something for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The name of the backend that sent it.
    pub backend: Arc<str>,
    /// What it is.
    pub kind: AttachmentKind,
    /// The whole reply.
    pub reply: Reply,
}

/// An attachment that is not in the answer, for the count and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The name of the backend that sent it.
    pub backend: Arc<str>,
    /// What it was.
    pub kind: AttachmentKind,
    /// Why it is not there.
    pub reason: DropReason,
}

/// Why an attachment is not in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// The answer carries another kind, or JSON that this can't be part of.
    OtherKind,
    /// An answer carries one file, and an earlier one is it.
    OneFile,
    /// `images = "first"`, and an earlier picture is it.
    FirstPicture,
    /// The picture can't be decoded.
    Undecodable,
    /// The picture would break the sheet's limits on pixels and memory.
    TooLarge,
    /// The sheet that it would have been in was not ready at the deadline.
    Late,
    /// The document can't hold it: it is no JSON object.
    NoObject,
    /// There is no room for what the answer would be with it.
    NoRoom,
}

// === impl AttachmentKind ===

impl AttachmentKind {
    /// Every kind, in order of precedence.
    pub const ALL: [Self; 4] = [Self::Image, Self::Text, Self::File, Self::Other];

    /// The word used in metrics, logs and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Text => "text",
            Self::File => "file",
            Self::Other => "other",
        }
    }
}

// === impl Attachment ===

impl Attachment {
    /// This attachment as one that is not in the answer.
    pub fn dropped(&self, reason: DropReason) -> Dropped {
        Dropped {
            backend: self.backend.clone(),
            kind: self.kind,
            reason,
        }
    }
}

// === impl DropReason ===

impl DropReason {
    /// What the log says.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherKind => "can't travel with the rest of the answer",
            Self::OneFile => "an answer carries one file",
            Self::FirstPicture => "only the first picture passes",
            Self::Undecodable => "the picture can't be decoded",
            Self::TooLarge => "the picture is too large for a sheet",
            Self::Late => "the sheet was not ready at the deadline",
            Self::NoObject => "the document is no JSON object",
            Self::NoRoom => "max_buffered has no room for an answer with it",
        }
    }
}
