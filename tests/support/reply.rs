//! Replies as callback services give them, and what they look like on the wire.

use base64::Engine;
use bytes::Bytes;

use super::python::Value;
use super::script::{Script, script};

/// A well-formed HTTP/1.1 reply with a `Content-Length`.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    fields: Vec<(String, String)>,
    body: Bytes,
}

/// Nothing to say: 204.
pub(crate) fn no_content() -> Reply {
    status(204)
}

/// A status with neither type nor body.
pub(crate) fn status(status: u16) -> Reply {
    Reply {
        status,
        fields: Vec::new(),
        body: Bytes::new(),
    }
}

/// A refusal with a text.
pub(crate) fn reject(refusal: u16, text: &str) -> Reply {
    status(refusal)
        .typed("text/plain; charset=utf-8")
        .with(text.to_owned())
}

/// 200 with a JSON body, as it stands.
pub(crate) fn json_body(body: impl Into<Bytes>) -> Reply {
    status(200).typed("application/json").with(body)
}

/// 200 with a document in Python's spelling.
pub(crate) fn document(value: &Value) -> Reply {
    json_body(value.dumps())
}

/// 200 with a text.
pub(crate) fn text(text: &str) -> Reply {
    status(200).typed("text/plain").with(text.to_owned())
}

/// 200 with a picture of one colour, as PNG.
pub(crate) fn png(width: u32, height: u32, colour: [u8; 3]) -> Reply {
    status(200)
        .typed("image/png")
        .with(picture(width, height, colour, image::ImageFormat::Png))
}

/// 200 with a file: no `Content-Type`, a name in `Content-Disposition`.
pub(crate) fn file(name: &str, body: impl Into<Bytes>) -> Reply {
    status(200)
        .header("Content-Disposition", &format!("attachment; filename=\"{name}\""))
        .with(body)
}

/// The bytes of a picture of one colour.
pub(crate) fn picture(width: u32, height: u32, colour: [u8; 3], format: image::ImageFormat) -> Bytes {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let pixels = colour.repeat(width as usize * height as usize);
    image::RgbImage::from_raw(width, height, pixels)
        .expect("three bytes a pixel")
        .write_to(&mut bytes, format)
        .expect("a picture of one colour can be written");
    bytes.into_inner().into()
}

/// Base64 as `addons.koigate` has it.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

impl Reply {
    /// The same with this body.
    pub(crate) fn with(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with this `Content-Type`.
    pub(crate) fn typed(mut self, content_type: &str) -> Self {
        self.fields.retain(|(name, _)| name != "Content-Type");
        self.header("Content-Type", content_type)
    }

    /// The same with one header more.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same after so many milliseconds.
    pub(crate) fn after(self, ms: u64) -> Script {
        Script::from(self).after(ms)
    }

    /// As Python's development server says it: HTTP/1.0, the body ends with the connection.
    pub(crate) fn until_close(self) -> Script {
        let mut wire = format!("HTTP/1.0 {} OK\r\n", self.status);
        self.write_fields(&mut wire);
        script().sends(join(wire, &self.body)).closes()
    }

    /// In chunks of at most this size.
    pub(crate) fn chunked(self, size: usize) -> Script {
        let mut head = format!("HTTP/1.1 {} OK\r\nTransfer-Encoding: chunked\r\n", self.status);
        self.write_fields(&mut head);
        let chunks = self
            .body
            .chunks(size)
            .fold(script().sends(head), |script, chunk| {
                let size = format!("{:x};ext=\"a\"\r\n", chunk.len());
                script.sends(join(join_text(size, chunk), b"\r\n"))
            });
        chunks.sends("0\r\nX-Trailer: 1\r\n\r\n")
    }

    /// With these bytes in front, such as an interim response.
    pub(crate) fn behind(self, bytes: &'static str) -> Script {
        script().sends(join_text(bytes.to_owned(), &self.to_wire()))
    }

    /// Head and body.
    pub(crate) fn to_wire(&self) -> Bytes {
        let mut head = format!("HTTP/1.1 {} OK\r\n", self.status);
        if self.status != 204 {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        self.write_fields(&mut head);
        join(head, &self.body)
    }

    fn write_fields(&self, head: &mut String) {
        for (name, value) in &self.fields {
            *head += &format!("{name}: {value}\r\n");
        }
        *head += "\r\n";
    }
}

impl From<Reply> for Script {
    fn from(reply: Reply) -> Self {
        script().sends(reply.to_wire())
    }
}

fn join(head: impl Into<Vec<u8>>, body: &[u8]) -> Bytes {
    let mut whole = head.into();
    whole.extend_from_slice(body);
    whole.into()
}

fn join_text(head: String, body: &[u8]) -> Vec<u8> {
    let mut whole = head.into_bytes();
    whole.extend_from_slice(body);
    whole
}
