//! Replies that become one answer by being written anew: what takes memory beside theirs, which has to be found first.

use bytes::Bytes;

use super::{Answer, Harvest, Json, addons, one_line};
use crate::attachment::{Attachment, DropReason, Dropped};
use crate::multipart;

/// Several replies, still to be joined into one answer.
#[derive(Debug, Clone)]
pub struct Joining {
    what: What,
    /// What could not travel with them.
    dropped: Vec<Dropped>,
    /// How many bytes are written of them, once that is known.
    written: Option<usize>,
}

/// What there is to be joined.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// Texts, two or more.
    Texts(Vec<Attachment>),
    /// A document, and the attachments that are to be in it.
    Document(Bytes, Vec<Attachment>),
    /// Everything, a part each; at least one.
    Parts(Harvest),
}

// === impl Joining ===

impl Joining {
    pub(super) fn new(what: What, dropped: Vec<Dropped>) -> Self {
        Self {
            what,
            dropped,
            written: None,
        }
    }

    /// How many bytes [`Joining::makes`] and [`Joining::join`] go through.
    pub fn weight(&self) -> usize {
        let (document, attachments) = match &self.what {
            What::Texts(texts) => (0, texts),
            What::Document(document, attachments) => (document.len(), attachments),
            What::Parts(Harvest { json, attachments }) => (json.body().map_or(0, Bytes::len), attachments),
        };
        let attached = attachments.iter().map(|attachment| attachment.reply.body.len());
        document + attached.sum::<usize>()
    }

    /// How many bytes [`Joining::join`] makes at most, beside the replies. Linear in them, since texts have to be
    /// decoded for that.
    pub fn makes(&mut self) -> usize {
        let written = self.written();
        match &self.what {
            // The attachments as they are written there, and the document with them in it.
            What::Document(document, _) => document.len() + 2 * written,
            What::Texts(_) | What::Parts(_) => written,
        }
    }

    /// How many bytes are written of the replies.
    fn written(&mut self) -> usize {
        let what = &self.what;
        *self.written.get_or_insert_with(|| match what {
            What::Texts(texts) => joined_len(texts),
            What::Document(_, attachments) => addons::written_len(attachments),
            What::Parts(harvest) => multipart::most(&parts(harvest)),
        })
    }

    /// The answer, and what could not travel with it.
    pub fn join(mut self) -> (Answer, Vec<Dropped>) {
        let written = self.written();
        let Self {
            what, mut dropped, ..
        } = self;
        let answer = match what {
            What::Texts(texts) => joined(&texts, written),
            What::Document(document, attachments) => {
                let document = addons::add(&document, &attachments, written).unwrap_or_else(|| {
                    dropped.extend(lost(&attachments, DropReason::NoObject));
                    document
                });
                Answer::json(document)
            }
            What::Parts(harvest) => multipart::mixed(&parts(&harvest), written),
        };
        (answer, dropped)
    }

    /// The answer where there is no room for that: what passes as it is. That is the document, or else the first
    /// attachment of the kind that goes before the others.
    pub fn without_room(self) -> (Answer, Vec<Dropped>) {
        let Self {
            what, mut dropped, ..
        } = self;
        let (document, attachments) = match what {
            What::Texts(texts) => (None, texts),
            What::Document(document, attachments) => (Some(Answer::json(document)), attachments),
            What::Parts(Harvest { json, attachments }) => (document(&json), attachments),
        };
        let first = match &document {
            Some(_) => None,
            None => first_of_all(&attachments),
        };
        for (index, attachment) in attachments.iter().enumerate() {
            if Some(index) != first {
                dropped.push(attachment.dropped(DropReason::NoRoom));
            }
        }
        let passing = first.and_then(|index| attachments.get(index));
        let answer = document.or_else(|| passing.map(|attachment| Answer::from_reply(&attachment.reply)));
        (answer.unwrap_or_else(Answer::no_content), dropped)
    }
}

fn lost(attachments: &[Attachment], reason: DropReason) -> impl Iterator<Item = Dropped> {
    attachments.iter().map(move |lost| lost.dropped(reason))
}

/// The first attachment of the kind that goes before the others.
fn first_of_all(attachments: &[Attachment]) -> Option<usize> {
    let kinds = attachments.iter().map(|attachment| attachment.kind).enumerate();
    let first = kinds.min_by_key(|&(_, kind)| kind);
    first.map(|(index, _)| index)
}

/// The document as an answer of its own.
fn document(json: &Json) -> Option<Answer> {
    match json {
        Json::None => None,
        Json::Verbatim(reply) => Some(Answer::from_reply(reply)),
        Json::Merged(document) => Some(Answer::json(document.clone())),
    }
}

/// Everything, the document first.
fn parts(Harvest { json, attachments }: &Harvest) -> Vec<Answer> {
    let attachments = attachments.iter().map(|one| Answer::from_reply(&one.reply));
    document(json).into_iter().chain(attachments).collect()
}

/// How many bytes the texts have in one.
fn joined_len(texts: &[Attachment]) -> usize {
    let lines = texts.iter().map(|text| text.reply.text_len() + "\n".len());
    lines.sum::<usize>().saturating_sub("\n".len())
}

/// Texts in one of this length, a line apart, each decoded by its own charset; the label is the first's.
fn joined(texts: &[Attachment], length: usize) -> Answer {
    let mut body = String::with_capacity(length);
    for (nth, text) in texts.iter().enumerate() {
        if nth > 0 {
            body.push('\n');
        }
        text.reply.text_in_pieces(|piece| body.push_str(piece));
    }
    let label = texts.first().map_or(&b""[..], |first| first.reply.media_type());
    let label = one_line(&Bytes::copy_from_slice(label));
    let label = [label.as_ref(), b"; charset=utf-8"].concat();
    Answer {
        status: 200,
        content_type: Some(label.into()),
        content_disposition: None,
        body: body.into(),
    }
}
