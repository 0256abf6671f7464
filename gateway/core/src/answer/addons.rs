//! Attachments inside a document: `addons.koigate`, which the bot reads nothing of, but whoever asks the
//! gateway on its behalf can.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::attachment::{Attachment, AttachmentKind};
use crate::json::diff::{Echoes, Shape, diff};
use crate::json::{Document, Kind};
use crate::merge::merge;
use crate::plan::OnConflict;

/// The document with `{"addons": {"koigate": {"images": [..], "texts": [..], "files": [..]}}}` merged into
/// it, all three lists always there. An entry is `{"backend", "content_type", "filename", "data"}`: `null`
/// where a reply has no such header, and `data` is base64, or the string itself for a text.
///
/// None where the document is no JSON object. `written` is what [`written_len`] says.
pub(super) fn add(document: &Bytes, attachments: &[Attachment], written: usize) -> Option<Bytes> {
    let base = Document::parse(document.clone()).ok()?;
    if base.root().kind() != Kind::Object {
        return None;
    }
    let mut addition = String::with_capacity(written);
    push_addition(&mut addition, attachments);
    debug_assert_eq!(addition.len(), written);
    let diff = diff(&base, addition.into(), &mut Echoes::default()).ok()?;
    debug_assert_eq!(diff.shape, Shape::Object);
    let merged = merge(&base, &[&diff.edits], OnConflict::Last);
    Some(merged.document.unwrap_or(base).bytes().clone())
}

/// How long the document is that holds nothing but the attachments.
pub(super) fn written_len(attachments: &[Attachment]) -> usize {
    let mut length = Length(0);
    push_addition(&mut length, attachments);
    length.0
}

/// Where it is written to.
trait Out {
    fn push_str(&mut self, text: &str);
    fn push_base64(&mut self, bytes: &[u8]);
}

/// Only how long it would be.
struct Length(usize);

/// Writes the document that holds nothing but the attachments.
fn push_addition(out: &mut impl Out, attachments: &[Attachment]) {
    out.push_str(r#"{"addons": {"koigate": {"images": "#);
    push_entries(out, attachments, AttachmentKind::Image);
    out.push_str(r#", "texts": "#);
    push_entries(out, attachments, AttachmentKind::Text);
    out.push_str(r#", "files": "#);
    push_entries(out, attachments, AttachmentKind::File);
    out.push_str("}}}");
}

/// Writes the list of the entries of one kind.
fn push_entries(out: &mut impl Out, attachments: &[Attachment], kind: AttachmentKind) {
    out.push_str("[");
    let entries = attachments.iter().filter(|attachment| attachment.kind == kind);
    for (nth, attachment) in entries.enumerate() {
        if nth > 0 {
            out.push_str(", ");
        }
        push_entry(out, attachment);
    }
    out.push_str("]");
}

fn push_entry(out: &mut impl Out, attachment: &Attachment) {
    let reply = &attachment.reply;
    out.push_str(r#"{"backend": "#);
    push_string(out, &attachment.backend);
    out.push_str(r#", "content_type": "#);
    let content_type = reply.content_type.as_deref().map(String::from_utf8_lossy);
    push_optional(out, content_type.as_deref());
    out.push_str(r#", "filename": "#);
    push_optional(out, reply.file_name().as_deref());
    out.push_str(r#", "data": ""#);
    if attachment.kind == AttachmentKind::Text {
        reply.text_in_pieces(|piece| push_escaped(out, piece));
    } else {
        out.push_base64(&reply.body);
    }
    out.push_str("\"}");
}

fn push_optional(out: &mut impl Out, text: Option<&str>) {
    match text {
        Some(text) => push_string(out, text),
        None => out.push_str("null"),
    }
}

/// Writes a JSON string (RFC 8259 section 7).
fn push_string(out: &mut impl Out, text: &str) {
    out.push_str("\"");
    push_escaped(out, text);
    out.push_str("\"");
}

/// Writes what stands between the quotes of one.
fn push_escaped(out: &mut impl Out, mut text: &str) {
    let is_escaped = |b: u8| matches!(b, b'"' | b'\\' | ..=0x1f);
    while let Some((plain, rest)) = text
        .bytes()
        .position(is_escaped)
        .and_then(|at| text.split_at_checked(at))
    {
        out.push_str(plain);
        match rest.as_bytes().first() {
            Some(b'"') => out.push_str("\\\""),
            Some(b'\\') => out.push_str("\\\\"),
            Some(b'\n') => out.push_str("\\n"),
            other => out.push_str(&format!("\\u{:04x}", other.copied().unwrap_or_default())),
        }
        text = rest.get(1..).unwrap_or_default();
    }
    out.push_str(text);
}

// === impl Out ===

impl Out for String {
    fn push_str(&mut self, text: &str) {
        self.push_str(text);
    }

    fn push_base64(&mut self, bytes: &[u8]) {
        STANDARD.encode_string(bytes, self);
    }
}

impl Out for Length {
    fn push_str(&mut self, text: &str) {
        self.0 += text.len();
    }

    fn push_base64(&mut self, bytes: &[u8]) {
        // Four letters for three bytes, and for what is left of them (RFC 4648 section 4).
        self.0 += 4 * bytes.len().div_ceil(3);
    }
}
