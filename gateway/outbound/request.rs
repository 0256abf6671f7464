//! What a backend is sent: built afresh, nothing of the caller's but the document.

use bytes::Bytes;
use koigate_core::hook::HookName;
use koigate_core::plan::{Backend, Target};

use super::sign::Signature;

/// The header that marks a request as ours. A hook that carries it has come round in a loop.
pub const HOOK_HEADER: &str = "X-Koigate-Hook";

/// The header that tells an observer how the hook ended, before it has read anything else.
pub const VERDICT_HEADER: &str = "X-Koigate-Verdict";

const USER_AGENT: &str = concat!("koigate/", env!("CARGO_PKG_VERSION"));

/// What every request to one backend for one kind of hook begins with, up to the length of its body.
///
/// It holds configured headers, which may be secrets: there is no `Debug`.
pub struct Template {
    head: Box<[u8]>,
}

/// What one replica is asked in an active check: a `GET` without a body.
///
/// It holds configured headers, which may be secrets: there is no `Debug`.
pub struct Check {
    head: Box<[u8]>,
}

/// One request.
///
/// The marks go into the header as they are: each must be a header value (RFC 9110 section 5.5).
#[derive(Clone)]
pub struct Request<'a> {
    /// What it begins with.
    pub template: &'a Template,
    /// `X-Request-Id`: the hook's.
    pub request_id: &'a str,
    /// `Idempotency-Key`: the same for the same hook and backend.
    pub idempotency_key: &'a str,
    /// W3C `traceparent`.
    pub traceparent: &'a [u8],
    /// `X-Koigate-Verdict`, for an observer: how the hook ended.
    pub verdict: Option<&'static str>,
    /// What it is signed with, where the backend wants that.
    pub signature: Option<Signature>,
    /// The document.
    pub body: Bytes,
}

// === impl Template ===

impl Template {
    /// For calls to `backend` for hooks of this name.
    ///
    /// A configured header takes the place of one of ours of the same name. The plan has none that frame the
    /// message or mark the call.
    pub fn new(backend: &Backend, target: &Target, hook: &HookName) -> Self {
        let ours = [
            ("Host", target.authority.as_str()),
            ("User-Agent", USER_AGENT),
            ("Content-Type", "application/json"),
            ("Accept-Encoding", "identity"),
            (HOOK_HEADER, hook.as_str()),
        ];
        let line = format!("POST {} HTTP/1.1\r\n", target.path_for(hook));
        Self {
            head: (head(line, &ours, backend) + "Content-Length: ")
                .into_bytes()
                .into(),
        }
    }
}

// === impl Check ===

impl Check {
    /// Of this replica of `backend`, with the headers that its calls have, at a path of its own.
    pub fn new(backend: &Backend, target: &Target, path: &str) -> Self {
        let ours = [
            ("Host", target.authority.as_str()),
            ("User-Agent", USER_AGENT),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ];
        let head = head(format!("GET {path} HTTP/1.1\r\n"), &ours, backend);
        Self {
            head: (head + "\r\n").into_bytes().into(),
        }
    }

    /// All of it.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }
}

/// The request line, our headers, and those that are configured, each in the place of ours of the same name.
fn head(mut line: String, ours: &[(&str, &str)], backend: &Backend) -> String {
    let replaced = |name: &str| {
        let mut theirs = backend.headers.iter();
        theirs.any(|header| header.name.eq_ignore_ascii_case(name))
    };
    let ours = ours.iter().copied().filter(|(name, _)| !replaced(name));
    let theirs = backend
        .headers
        .iter()
        .map(|header| (header.name.as_str(), header.value.expose()));
    for (name, value) in ours.chain(theirs) {
        line.extend([name, ": ", value, "\r\n"]);
    }
    line
}

// === impl Request ===

impl Request<'_> {
    /// Writes the head to the end of `output`.
    pub(super) fn write_head(&self, output: &mut Vec<u8>) {
        let mut length = itoa::Buffer::new();
        // In pieces as large as can be, since each is a copy of its own.
        for piece in [
            &self.template.head,
            length.format(self.body.len()).as_bytes(),
            b"\r\nX-Request-Id: ",
            self.request_id.as_bytes(),
            b"\r\nIdempotency-Key: ",
            self.idempotency_key.as_bytes(),
            b"\r\ntraceparent: ",
            self.traceparent,
            b"\r\n",
        ] {
            output.extend_from_slice(piece);
        }
        if let Some(verdict) = self.verdict {
            for piece in [VERDICT_HEADER, ": ", verdict, "\r\n"] {
                output.extend_from_slice(piece.as_bytes());
            }
        }
        if let Some(signature) = &self.signature {
            signature.write(output);
        }
        output.extend_from_slice(b"\r\n");
    }
}
