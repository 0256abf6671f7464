//! The one response that the bot gets, and how what a chain brought becomes it.

mod addons;
mod drawing;
mod joining;

#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use self::drawing::Drawing;
pub use self::joining::Joining;
use self::joining::What;
use crate::attachment::{Attachment, AttachmentKind, DropReason, Dropped};
use crate::disposition;
use crate::multipart::Form;
use crate::plan::Images;
use crate::reply::Reply;

/// The one response that the bot gets, as far as core decides it: the edge adds its own headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code, 200 to 599.
    pub status: u16,
    /// The value of `Content-Type`; without one the bot takes the body of a 200 for a file. One line.
    pub content_type: Option<Bytes>,
    /// The value of `Content-Disposition`. One line.
    pub content_disposition: Option<Bytes>,
    /// The body.
    pub body: Bytes,
}

/// What a chain that nobody rejected leaves to answer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Harvest {
    /// The document, if anybody sent one that counts.
    pub json: Json,
    /// What replies carry for the user, in the order of the chain.
    pub attachments: Vec<Attachment>,
}

/// The document of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// There is none.
    None,
    /// The one JSON reply of the chain, which passes byte for byte.
    Verbatim(Reply),
    /// The base and everybody's edits, whole.
    Merged(Bytes),
}

/// What the operator and the caller want of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// What becomes of several pictures.
    pub images: Images,
    /// Whether the caller takes several parts.
    pub form: Form,
}

/// An answer, as far as it can be had at once.
#[derive(Debug, Clone)]
pub enum Draft {
    /// The answer, and what could not travel with it.
    Ready(Answer, Vec<Dropped>),
    /// Several replies, still to be joined.
    Joint(Joining),
    /// Several pictures, still to be drawn into one.
    Sheet(Drawing),
}

/// Makes what a chain brought the one answer:
///
/// | document | attachments | answer |
/// | --- | --- | --- |
/// | none | none | 204 |
/// | none | one | that reply, unchanged |
/// | none | pictures | one sheet of them, or the first (`images`) |
/// | none | texts | joined |
/// | none | files | the first |
/// | none | mixed | as above for the first kind there is: pictures, texts, files |
/// | one reply's own | none | that reply, unchanged |
/// | merged | none | the document |
/// | any | some | the whole document, the others in its `addons.koigate` |
///
/// What the bot does nothing with ([`AttachmentKind::Other`]) passes only where it is all there is: a
/// service that says "ok" in HTML has nothing for the user. A caller that takes `multipart/mixed` gets
/// everything there is, each as a part of its own, even one alone; nothing is still 204.
///
/// Nothing is made here: what has to be is a draft ([`Draft::Joint`], [`Draft::Sheet`]).
pub fn compose(harvest: Harvest, wants: Wants) -> Draft {
    if wants.form == Form::Multipart && !harvest.is_empty() {
        return Draft::Joint(Joining::new(What::Parts(harvest), Vec::new()));
    }
    let Harvest { json, attachments } = harvest;
    let (carried, dropped) = carry(&json, attachments, wants.images);
    let answer = match (json, carried.as_slice()) {
        (Json::None, []) => Answer::no_content(),
        (Json::None, [first, _, ..]) if first.kind == AttachmentKind::Image => {
            return Draft::Sheet(Drawing::new(carried, dropped));
        }
        (Json::None, [first, _, ..]) if first.kind == AttachmentKind::Text => {
            return Draft::Joint(Joining::new(What::Texts(carried), dropped));
        }
        (Json::None, [first, ..]) => Answer::from_reply(&first.reply),
        (Json::Verbatim(reply), []) => Answer::from_reply(&reply),
        (Json::Merged(document), []) => Answer::json(document),
        (Json::Verbatim(Reply { body, .. }) | Json::Merged(body), _) => {
            return Draft::Joint(Joining::new(What::Document(body, carried), dropped));
        }
    };
    Draft::Ready(answer, dropped)
}

// === impl Harvest ===

impl Harvest {
    fn is_empty(&self) -> bool {
        matches!(self.json, Json::None) && self.attachments.is_empty()
    }
}

// === impl Json ===

impl Json {
    /// The bytes of the document, if there is one.
    fn body(&self) -> Option<&Bytes> {
        match self {
            Self::None => None,
            Self::Verbatim(Reply { body, .. }) | Self::Merged(body) => Some(body),
        }
    }
}

// === impl Answer ===

impl Answer {
    /// Go on; there is nothing to say.
    pub fn no_content() -> Self {
        Self {
            status: 204,
            content_type: None,
            content_disposition: None,
            body: Bytes::new(),
        }
    }

    /// A text of the gateway's own.
    pub fn text(status: u16, text: &str) -> Self {
        let body = Bytes::copy_from_slice(text.as_bytes());
        Self::labelled(status, "text/plain; charset=utf-8", body)
    }

    /// A document.
    pub fn json(document: Bytes) -> Self {
        Self::labelled(200, "application/json", document)
    }

    /// A picture that the gateway drew.
    fn png(picture: Bytes) -> Self {
        Self::labelled(200, "image/png", picture)
    }

    /// A backend's 200, unchanged: only its file name is made safe.
    pub fn from_reply(reply: &Reply) -> Self {
        Self {
            status: reply.status,
            content_type: reply.content_type.as_ref().map(one_line),
            content_disposition: reply.content_disposition.as_ref().map(disposition::rebuilt),
            body: reply.body.clone(),
        }
    }

    /// A backend's reject, unchanged, whatever its body is. A status that HTTP doesn't have, 600 to 999,
    /// leaves as 502: it may be more than the caller's HTTP client takes.
    pub fn from_reject(reply: &Reply) -> Self {
        Self {
            status: if reply.status < 600 { reply.status } else { 502 },
            content_type: reply.content_type.as_ref().map(one_line),
            content_disposition: reply.content_disposition.as_ref().map(one_line),
            body: reply.body.clone(),
        }
    }

    /// A body with a label of the gateway's own.
    fn labelled(status: u16, content_type: &'static str, body: Bytes) -> Self {
        Self {
            status,
            content_type: Some(Bytes::from_static(content_type.as_bytes())),
            content_disposition: None,
            body,
        }
    }
}

// === what travels, and how ===

/// Sorts out what one answer can carry.
fn carry(json: &Json, attachments: Vec<Attachment>, images: Images) -> (Vec<Attachment>, Vec<Dropped>) {
    let leading = attachments.iter().map(|attachment| attachment.kind).min();
    let mut carried: Vec<Attachment> = Vec::new();
    let mut dropped = Vec::new();
    for attachment in attachments {
        let kind = attachment.kind;
        let again = carried.iter().any(|earlier| earlier.kind == kind);
        let reason = match (json, kind) {
            (_, AttachmentKind::Image) if again && images == Images::First => Some(DropReason::FirstPicture),
            (Json::None, _) if Some(kind) != leading => Some(DropReason::OtherKind),
            (Json::None, AttachmentKind::File | AttachmentKind::Other) if again => Some(DropReason::OneFile),
            (Json::Verbatim(_) | Json::Merged(_), AttachmentKind::Other) => Some(DropReason::OtherKind),
            _ => None,
        };
        match reason {
            Some(reason) => dropped.push(attachment.dropped(reason)),
            None => carried.push(attachment),
        }
    }
    (carried, dropped)
}

/// The value with a blank for each control character. The reader of a reply lets none through; an answer
/// that can't be split does not rest on that.
fn one_line(value: &Bytes) -> Bytes {
    if value.iter().any(u8::is_ascii_control) {
        return value
            .iter()
            .map(|&b| if b.is_ascii_control() { b' ' } else { b })
            .collect();
    }
    value.clone()
}
