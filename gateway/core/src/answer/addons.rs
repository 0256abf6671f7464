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
/// None where the document is no JSON object. Takes as much memory as the result.
pub(super) fn add(document: &Bytes, attachments: &[Attachment]) -> Option<Bytes> {
    let base = Document::parse(document.clone()).ok()?;
    if base.root().kind() != Kind::Object {
        return None;
    }
    let addition = addition(attachments).into();
    let diff = diff(&base, addition, &mut Echoes::default()).ok()?;
    debug_assert_eq!(diff.shape, Shape::Object);
    let merged = merge(&base, &[&diff.edits], OnConflict::Last);
    Some(merged.document.unwrap_or(base).bytes().clone())
}

/// The document that holds nothing but the attachments.
fn addition(attachments: &[Attachment]) -> String {
    let mut out = String::from(r#"{"addons": {"koigate": {"images": "#);
    push_entries(&mut out, attachments, AttachmentKind::Image);
    out.push_str(r#", "texts": "#);
    push_entries(&mut out, attachments, AttachmentKind::Text);
    out.push_str(r#", "files": "#);
    push_entries(&mut out, attachments, AttachmentKind::File);
    out.push_str("}}}");
    out
}

/// Writes the list of the entries of one kind.
fn push_entries(out: &mut String, attachments: &[Attachment], kind: AttachmentKind) {
    out.push('[');
    let entries = attachments.iter().filter(|attachment| attachment.kind == kind);
    for (nth, attachment) in entries.enumerate() {
        if nth > 0 {
            out.push_str(", ");
        }
        push_entry(out, attachment);
    }
    out.push(']');
}

fn push_entry(out: &mut String, attachment: &Attachment) {
    let reply = &attachment.reply;
    out.push_str(r#"{"backend": "#);
    push_string(out, &attachment.backend);
    out.push_str(r#", "content_type": "#);
    let content_type = reply.content_type.as_deref().map(String::from_utf8_lossy);
    push_optional(out, content_type.as_deref());
    out.push_str(r#", "filename": "#);
    push_optional(out, reply.file_name().as_deref());
    out.push_str(r#", "data": "#);
    if attachment.kind == AttachmentKind::Text {
        push_string(out, &reply.text());
    } else {
        out.push('"');
        STANDARD.encode_string(&reply.body, out);
        out.push('"');
    }
    out.push('}');
}

fn push_optional(out: &mut String, text: Option<&str>) {
    match text {
        Some(text) => push_string(out, text),
        None => out.push_str("null"),
    }
}

/// Writes a JSON string (RFC 8259 section 7).
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\0'..='\x1f' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
}
