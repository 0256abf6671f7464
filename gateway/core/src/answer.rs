//! The one response that the bot gets.

use bytes::Bytes;

/// The one response that the bot gets, as far as the protocol knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code, 200 to 599.
    pub status: u16,
    /// The value of `Content-Type`, if it has one.
    pub content_type: Option<Bytes>,
    /// The value of `Content-Disposition`, if it has one.
    pub content_disposition: Option<Bytes>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// A short text for a person, `text/plain; charset=utf-8`.
    pub fn text(status: u16, text: &str) -> Self {
        Self {
            status,
            content_type: Some(Bytes::from_static(b"text/plain; charset=utf-8")),
            content_disposition: None,
            body: Bytes::copy_from_slice(text.as_bytes()),
        }
    }

    /// 204: the bot goes on.
    pub fn no_content() -> Self {
        Self {
            status: 204,
            ..Self::default()
        }
    }
}
