//! A backend's whole HTTP answer, and what its headers say of the body.

use bytes::Bytes;

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
