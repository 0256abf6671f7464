//! A backend's whole HTTP answer, and what its headers say of the body.

use std::borrow::Cow;

use bytes::Bytes;
use encoding_rs::{CoderResult, Encoding, UTF_8};

use crate::disposition;
use crate::parameters;

/// How much of a text is decoded at once, in bytes.
const PIECE: usize = 8 * 1024;

/// A backend's whole HTTP answer as far as it matters here: the body is complete, decoded from any
/// transfer or content coding, and within `max_reply`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status code, 200 to 999 (what is outside never becomes a reply).
    pub status: u16,
    /// The value of `Content-Type`, as it came.
    pub content_type: Option<Bytes>,
    /// The value of `Content-Disposition`, as it came.
    pub content_disposition: Option<Bytes>,
    /// The body.
    pub body: Bytes,
}

/// What the body of a 200 is to the bot, by its label alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// A document.
    Json,
    /// A picture.
    Image,
    /// A message.
    Text,
    /// A file.
    File,
    /// A label with which the bot does nothing, such as `text/html`.
    Other,
}

impl Reply {
    /// What the body is, by the media type alone, in any case and whatever its parameters.
    ///
    /// | `Content-Type` | media |
    /// | --- | --- |
    /// | `application/json` | [`Media::Json`] |
    /// | `image/*` | [`Media::Image`] |
    /// | `text/plain`, `plain/text` | [`Media::Text`] |
    /// | none, `application/octet-stream` | [`Media::File`] |
    /// | any other, with `Content-Disposition: attachment` | [`Media::File`] |
    /// | any other | [`Media::Other`] |
    pub fn media(&self) -> Media {
        match self.media_type().to_ascii_lowercase().as_slice() {
            b"application/json" => Media::Json,
            label if label.starts_with(b"image/") => Media::Image,
            b"text/plain" | b"plain/text" => Media::Text,
            b"" | b"application/octet-stream" => Media::File,
            _ if self.is_attached() => Media::File,
            _ => Media::Other,
        }
    }

    /// The media type as the backend spelled it, without parameters; empty where there is none.
    pub fn media_type(&self) -> &[u8] {
        let value = self.content_type.as_deref().unwrap_or_default();
        parameters::split(value).0
    }

    /// The body as text, by the `charset` of `Content-Type`: a label of the WHATWG Encoding Standard, UTF-8
    /// where it is missing or unknown. A byte order mark goes before the label and is no part of the text;
    /// bytes that the encoding doesn't know become U+FFFD.
    pub fn text(&self) -> Cow<'_, str> {
        self.charset().decode(&self.body).0
    }

    /// That text piece by piece, in order: in one piece and as it lies there where it is sound UTF-8, else with no more
    /// memory than a piece takes.
    pub(crate) fn text_in_pieces(&self, mut each: impl FnMut(&str)) {
        let (encoding, mark) = Encoding::for_bom(&self.body).unwrap_or_else(|| (self.charset(), 0));
        let mut rest = self.body.get(mark..).unwrap_or_default();
        if encoding == UTF_8
            && let Ok(text) = str::from_utf8(rest)
        {
            return each(text);
        }
        let mut decoder = encoding.new_decoder_without_bom_handling();
        let mut piece = String::with_capacity(PIECE);
        loop {
            let (result, read, _) = decoder.decode_to_string(rest, &mut piece, true);
            each(&piece);
            piece.clear();
            rest = rest.get(read..).unwrap_or_default();
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }

    /// How long that text is, in bytes of UTF-8.
    pub(crate) fn text_len(&self) -> usize {
        let mut length = 0;
        self.text_in_pieces(|piece| length += piece.len());
        length
    }

    /// The beginning of that text, as far as so many bytes of the body say it. A character that they cut is left out.
    pub fn beginning(&self, most: usize) -> Cow<'_, str> {
        let Some(bytes) = self.body.get(..most).filter(|_| most < self.body.len()) else {
            return self.text();
        };
        let mut decoder = self.charset().new_decoder();
        let mut text = String::with_capacity(decoder.max_utf8_buffer_length(most).unwrap_or(most));
        let _ = decoder.decode_to_string(bytes, &mut text, false);
        Cow::Owned(text)
    }

    /// The file name that `Content-Disposition` gives, made safe: at most 255 bytes, no path, no control
    /// characters, never empty.
    pub fn file_name(&self) -> Option<String> {
        self.content_disposition
            .as_deref()
            .and_then(disposition::file_name)
    }

    /// What the `charset` parameter names. Never the "replacement" encoding, which would swallow the text.
    fn charset(&self) -> &'static Encoding {
        let value = self.content_type.as_deref().unwrap_or_default();
        parameters::split(value)
            .1
            .find("charset")
            .and_then(|charset| Encoding::for_label_no_replacement(&charset.value))
            .unwrap_or(UTF_8)
    }

    /// Whether `Content-Disposition` says `attachment`.
    fn is_attached(&self) -> bool {
        self.content_disposition
            .as_deref()
            .is_some_and(disposition::is_attachment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(content_type: &str, content_disposition: &str, body: &[u8]) -> Reply {
        let header = |value: &str| (value != "-").then(|| Bytes::copy_from_slice(value.as_bytes()));
        Reply {
            status: 200,
            content_type: header(content_type),
            content_disposition: header(content_disposition),
            body: Bytes::copy_from_slice(body),
        }
    }

    #[test]
    fn media_go_by_the_label_alone() {
        let check = |content_type: &str, content_disposition: &str, expected| {
            let media = reply(content_type, content_disposition, b"\x89PNG").media();
            assert_eq!(media, expected, "{content_type} | {content_disposition}");
        };
        check("application/json", "-", Media::Json);
        check("Application/JSON; charset=UTF-8", "-", Media::Json);
        check("application/json;", "attachment; filename=a.json", Media::Json);
        check("application/problem+json", "-", Media::Other);
        check("image/png", "-", Media::Image);
        check("IMAGE/JPEG ; q=1", "attachment", Media::Image);
        check("image/svg+xml", "-", Media::Image);
        check("imagery/png", "-", Media::Other);
        check("text/plain; charset=gbk", "-", Media::Text);
        check("plain/text", "-", Media::Text);
        check("Plain/Text", "attachment", Media::Text);
        check("-", "-", Media::File);
        check("", "-", Media::File);
        check("-", "attachment; filename=a", Media::File);
        check("application/octet-stream", "-", Media::File);
        check("text/csv", "ATTACHMENT ; filename=a.csv", Media::File);
        check("text/html", "attachment", Media::File);
        check("text/html; charset=utf-8", "-", Media::Other);
        check("text/html", "inline; filename=a", Media::Other);
        check("application/pdf", "attachments", Media::Other);
        check("json", "-", Media::Other);
    }

    #[test]
    fn texts_are_decoded_by_their_charset() {
        let check = |content_type: &str, body: &[u8], expected: &str| {
            let reply = reply(content_type, "-", body);
            assert_eq!(reply.text(), expected, "{content_type}");
            let mut pieces = String::new();
            reply.text_in_pieces(|piece| pieces.push_str(piece));
            assert_eq!(pieces, expected, "{content_type}, in pieces");
            assert_eq!(reply.text_len(), expected.len(), "{content_type}");
        };
        check("text/plain", "节点".as_bytes(), "节点");
        check("text/plain; charset=gbk", b"\xbd\xda\xb5\xe3", "节点");
        check("text/plain; Charset=\"GB2312\"", b"\xbd\xda\xb5\xe3", "节点");
        check("text/plain;charset=big5", b"\xb8\x60\xc2\x49", "節點");
        check("text/plain; charset=latin1", b"caf\xe9", "café");
        check("text/plain; charset=utf-16le", b"\x82\x82\xb9\x70", "节点".trim());
        check("text/plain; charset=nonsense", "节点".as_bytes(), "节点");
        check("text/plain; charset=", b"ok", "ok");
        check("text/plain; charset=hz-gb-2312", b"ok", "ok");
        check("text/plain; charset=gbk", b"\xef\xbb\xbf\xe8\x8a\x82", "节");
        check("text/plain", b"\xbd\xda", "\u{fffd}\u{fffd}");
        check("text/plain; charset=gbk", b"a\xff", "a\u{fffd}");
        check("-", b"", "");
    }

    #[test]
    fn long_texts_are_the_same_in_pieces() {
        for (content_type, character) in [
            ("text/plain; charset=gbk", &b"\xbd\xda"[..]),
            ("text/plain; charset=utf-16be", b"\x82\x82"),
            ("text/plain", b"a\xe8\x8a\x82"),
            ("text/plain", b"\xe8\x8a\x82\xff"),
            ("text/plain; charset=iso-2022-jp", b"\x1b$B8@\x1b(B"),
        ] {
            for count in [PIECE / 3, PIECE, 3 * PIECE] {
                let long = reply(content_type, "-", &character.repeat(count));
                let mut pieces = String::new();
                long.text_in_pieces(|piece| pieces.push_str(piece));
                assert!(pieces == long.text(), "{count} of {content_type}");
                assert_eq!(pieces.len(), long.text_len());
            }
        }
    }

    #[test]
    fn texts_begin_as_they_go_on() {
        let check = |content_type: &str, body: &[u8], most: usize, expected: &str| {
            let text = reply(content_type, "-", body);
            assert_eq!(text.beginning(most), expected, "{content_type} {most}");
        };
        check("text/plain", "节点".as_bytes(), 6, "节点");
        check("text/plain", "节点".as_bytes(), 5, "节");
        check("text/plain", "节点".as_bytes(), 2, "");
        check("text/plain; charset=gbk", b"\xbd\xda\xb5\xe3", 3, "节");
        check("text/plain; charset=gbk", b"\xbd\xda\xb5\xe3", 4, "节点");
        check("text/plain; charset=latin1", b"caf\xe9", 9, "café");
        check("text/plain; charset=gbk", b"\xef\xbb\xbf\xe8\x8a\x82", 5, "");
        check("text/plain", b"\xff\xfe\x82\x82\xb9\x70", 5, "节");
        check("text/plain; charset=iso-2022-jp", b"\x1b$B@a\x1b(B", 5, "節");
        check("text/plain", "a节".as_bytes(), 2, "a");
        check("text/plain", b"a\xbd\xda", 3, "a\u{fffd}\u{fffd}");
        check("-", b"", 0, "");
    }

    #[test]
    fn a_media_type_keeps_its_spelling() {
        assert_eq!(
            reply("Plain/Text ; charset=gbk", "-", b"").media_type(),
            b"Plain/Text"
        );
        assert_eq!(reply("-", "-", b"").media_type(), b"");
    }
}
