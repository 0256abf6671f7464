//! Responses read strictly: what a caller gets on one connection is these, one after another, and nothing else.

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// In their order.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header that is there once at most.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        let mut named = self
            .headers
            .iter()
            .filter(|(it, _)| it.eq_ignore_ascii_case(name));
        let value = named.next().map(|(_, value)| value.as_slice());
        assert!(named.next().is_none(), "{name} twice in {self:?}");
        value
    }
}

/// Reads a response. `to_head` says that it answers a `HEAD`, so that no body follows.
///
/// # Panics
///
/// These bytes don't begin with a whole response.
pub fn response(bytes: &[u8], to_head: bool) -> (Response, &[u8]) {
    let (status_line, mut rest) = line(bytes);
    let shown = || String::from_utf8_lossy(bytes);
    let status_line = std::str::from_utf8(status_line).expect("ASCII alone");
    let status = status_line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|line| line.split_once(' '));
    let (status, reason) = status.unwrap_or_else(|| panic!("no status line: {}", shown()));
    assert!(
        status.len() == 3 && reason.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{}",
        shown()
    );
    let mut response = Response {
        status: status.parse().expect("three digits"),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let (header, after) = line(rest);
        rest = after;
        if header.is_empty() {
            break;
        }
        response.headers.push(field(header));
    }
    let length = length(&response);
    let bodiless = to_head || response.status < 200 || matches!(response.status, 204 | 304);
    let (body, rest) = rest.split_at(if bodiless { 0 } else { length });
    response.body = body.to_vec();
    (response, rest)
}

fn length(response: &Response) -> usize {
    assert_eq!(response.value("transfer-encoding"), None);
    let length = response.value("content-length").map(|digits| {
        let digits = std::str::from_utf8(digits).expect("digits");
        digits.parse().expect("digits")
    });
    let has_none = response.status < 200 || matches!(response.status, 204 | 304);
    assert_eq!(length.is_none(), has_none, "{response:?}");
    length.unwrap_or(0)
}

fn field(line: &[u8]) -> (String, Vec<u8>) {
    let colon = line.iter().position(|&byte| byte == b':').expect("a colon");
    let (name, value) = line.split_at(colon);
    assert!(
        !name.is_empty()
            && name
                .iter()
                .all(|&byte| byte == b'-' || byte.is_ascii_alphanumeric())
    );
    // RFC 9110 section 5.5.
    let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    assert!(value.iter().all(is_text), "{:?}", String::from_utf8_lossy(line));
    (
        String::from_utf8_lossy(name).into_owned(),
        value[1..].trim_ascii().to_vec(),
    )
}

fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\r' || byte == b'\n');
    let end = end.unwrap_or_else(|| panic!("no line: {:?}", String::from_utf8_lossy(bytes)));
    assert!(
        bytes[end..].starts_with(b"\r\n"),
        "{:?}",
        String::from_utf8_lossy(bytes)
    );
    (&bytes[..end], &bytes[end + 2..])
}
