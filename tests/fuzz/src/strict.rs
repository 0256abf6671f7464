//! What a request is, read the slow and obvious way from RFC 9112 and the list of what is refused: lines are
//! looked for in the whole input, and nothing is kept between two reads.

/// The largest head, in bytes, with the empty line that may stand before it.
const MAX_HEAD: usize = 32 * 1024;

/// The most header lines.
const MAX_LINES: usize = 100;

/// The most of extensions and trailers of a chunked body, in bytes.
const MAX_DROPPED: usize = 16 * 1024;

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub method: String,
    /// As it came.
    pub target: String,
    /// The minor version.
    pub minor: u8,
    /// In their order, without white space around the values.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// A whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub head: Head,
    pub body: Vec<u8>,
}

/// What the beginning of some input is.
#[derive(Debug, PartialEq, Eq)]
pub enum Beginning<'a, T> {
    /// This, and what follows it.
    Whole(T, &'a [u8]),
    /// A part of something.
    Part,
    /// Nothing that may be acted upon.
    Wrong,
}

/// Everything that one connection's input asks.
#[derive(Debug, Default)]
pub struct Conversation {
    pub requests: Vec<Request>,
    /// How often `100 Continue` is due.
    pub continues: usize,
    /// Whether a refusal comes after the last of them.
    pub refused: bool,
    /// Whether one has begun after the last of them that is not whole. It may be refused for what has come.
    pub unfinished: bool,
    /// Whether a body ends with trailers.
    pub trailed: bool,
    /// Whether the last that has begun is a `HEAD`, so that a refusal of it has no body.
    pub ends_in_head: bool,
}

/// Reads all that a connection asks, where a body has at most `max_body` bytes.
pub fn conversation(mut input: &[u8], max_body: usize) -> Conversation {
    let mut conversation = Conversation::default();
    while !input.is_empty() {
        let line = input.strip_prefix(b"\r\n").unwrap_or(input);
        conversation.ends_in_head = line.starts_with(b"HEAD ");
        let (head, rest) = match head(input) {
            Beginning::Whole(head, rest) => (head, rest),
            Beginning::Part => {
                conversation.unfinished = true;
                break;
            }
            Beginning::Wrong => {
                conversation.refused = true;
                break;
            }
        };
        let announced = head.length();
        let fits = announced.is_none_or(|length| length <= max_body as u64);
        conversation.continues += usize::from(head.awaits_continue() && announced != Some(0) && fits);
        let (body, rest) = match body(&head, rest, max_body) {
            Beginning::Whole(body, rest) => (body, rest),
            Beginning::Part => {
                conversation.unfinished = true;
                break;
            }
            Beginning::Wrong => {
                conversation.refused = true;
                break;
            }
        };
        let (body, trailed) = body;
        conversation.trailed |= trailed;
        input = if head.closes() { &[] } else { rest };
        conversation.requests.push(Request { head, body });
    }
    conversation
}

/// Reads a head.
pub fn head(input: &[u8]) -> Beginning<'_, Head> {
    let bytes = input.strip_prefix(b"\r\n").unwrap_or(input);
    let mut lines = Vec::new();
    let mut rest = bytes;
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            return Beginning::Part;
        };
        let line = &rest[..end];
        rest = &rest[end + 2..];
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    if input.len() - rest.len() > MAX_HEAD || lines.len() > MAX_LINES + 1 {
        return Beginning::Wrong;
    }
    match parse(&lines) {
        Some(head) => Beginning::Whole(head, rest),
        None => Beginning::Wrong,
    }
}

fn parse(lines: &[&[u8]]) -> Option<Head> {
    let (first, lines) = lines.split_first()?;
    let parts: Vec<&[u8]> = first.split(|&byte| byte == b' ').collect();
    let [method, target, version] = parts.as_slice() else {
        return None;
    };
    let minor = match *version {
        b"HTTP/1.1" => 1,
        b"HTTP/1.0" => 0,
        _ => return None,
    };
    let head = Head {
        method: token(method)?,
        target: readable_target(target)?,
        minor,
        headers: lines.iter().map(|line| field(line)).collect::<Option<_>>()?,
    };
    head.is_unambiguous().then_some(head)
}

/// RFC 9110 section 5.6.2.
fn token(bytes: &[u8]) -> Option<String> {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    (!bytes.is_empty() && bytes.iter().all(is_tchar)).then(|| String::from_utf8_lossy(bytes).into_owned())
}

fn field(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let value = &line[colon + 1..];
    is_text(value).then_some(())?;
    Some((token(&line[..colon])?, value.trim_ascii().to_vec()))
}

/// What a field's value is made of, RFC 9110 section 5.5.
fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}

fn readable_target(bytes: &[u8]) -> Option<String> {
    let target = std::str::from_utf8(bytes).ok()?;
    let no_control = !target.is_empty() && target.bytes().all(|byte| byte > b' ' && byte != 0x7f);
    (no_control && !target.contains('#')).then_some(())?;
    if target == "*" || target.starts_with('/') {
        return Some(target.to_owned());
    }
    let (scheme, rest) = target.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let is_http = ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str());
    (is_http && !authority.is_empty() && is_host(authority.as_bytes())).then(|| target.to_owned())
}

/// RFC 3986 section 3.2.2, without the comma.
fn is_host(bytes: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(byte);
    bytes.iter().all(is_allowed)
}

impl Head {
    /// The values of a header.
    pub fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self
            .headers
            .iter()
            .filter(|(it, _)| it.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_slice()).collect()
    }

    /// One host, and one way to say where the body ends.
    fn is_unambiguous(&self) -> bool {
        let hosts = self.values("host");
        let lengths = self.values("content-length");
        let codings = self.values("transfer-encoding");
        let digits = |value: &&[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let chunked = |value: &&[u8]| value.eq_ignore_ascii_case(b"chunked");
        hosts.len() <= 1
            && hosts.len() >= usize::from(self.minor)
            && hosts.iter().all(|host| is_host(host))
            && lengths.len() <= 1
            && lengths.iter().all(digits)
            && codings.len() <= usize::from(self.minor)
            && codings.iter().all(chunked)
            && lengths.len() + codings.len() <= 1
    }

    /// What the body has, in bytes; nothing where it comes in chunks.
    pub fn length(&self) -> Option<u64> {
        if !self.values("transfer-encoding").is_empty() {
            return None;
        }
        let digits = self.values("content-length").first().copied().unwrap_or(b"0");
        let digits = std::str::from_utf8(digits).expect("digits alone");
        Some(digits.parse().unwrap_or(u64::MAX))
    }

    /// Whether no request follows this one.
    pub fn closes(&self) -> bool {
        self.says("close") || (self.minor == 0 && !self.says("keep-alive"))
    }

    /// Whether the caller waits to be told to send its body.
    pub fn awaits_continue(&self) -> bool {
        let expects = |value: &&[u8]| value.eq_ignore_ascii_case(b"100-continue");
        self.minor == 1 && self.values("expect").iter().any(expects)
    }

    /// Whether `Connection` has this option.
    fn says(&self, option: &str) -> bool {
        let values = self.values("connection");
        let mut options = values.iter().flat_map(|value| value.split(|&byte| byte == b','));
        options.any(|it| it.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    }
}

/// A body, and whether trailers follow it.
type Body = (Vec<u8>, bool);

/// Reads the body that follows this head.
fn body<'a>(head: &Head, input: &'a [u8], max_body: usize) -> Beginning<'a, Body> {
    let Some(length) = head.length() else {
        return chunks(input, max_body);
    };
    match usize::try_from(length) {
        Ok(length) if length <= max_body => match input.split_at_checked(length) {
            Some((body, rest)) => Beginning::Whole((body.to_vec(), false), rest),
            None => Beginning::Part,
        },
        _ => Beginning::Wrong,
    }
}

/// RFC 9112 section 7.1.
fn chunks(mut input: &[u8], max_body: usize) -> Beginning<'_, Body> {
    let mut body = Vec::new();
    let mut dropped = 0;
    loop {
        let digits = input.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, after) = input.split_at(digits);
        if size.len() > 16 {
            return Beginning::Wrong;
        }
        if after
            .first()
            .is_some_and(|next| digits == 0 || !b"\r; \t".contains(next))
        {
            return Beginning::Wrong;
        }
        let (extension, rest) = match line(after) {
            Beginning::Whole(extension, rest) => (extension, rest),
            Beginning::Part => return Beginning::Part,
            Beginning::Wrong => return Beginning::Wrong,
        };
        dropped += extension.len();
        let padding = extension.iter().take_while(|byte| b" \t".contains(byte)).count();
        let is_extension = extension.get(padding).is_none_or(|&next| next == b';');
        if dropped > MAX_DROPPED || !is_extension || !is_text(extension) {
            return Beginning::Wrong;
        }
        let size = std::str::from_utf8(size).expect("digits alone");
        let size = u64::from_str_radix(size, 16).expect("16 digits at most");
        if size == 0 {
            return trailers(rest, body, dropped);
        }
        // However much of it has come: more than fits is refused once it is there.
        let come = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        if body.len() + come > max_body {
            return Beginning::Wrong;
        }
        body.extend_from_slice(&rest[..come]);
        let rest = &rest[come..];
        match rest {
            [] | [b'\r'] => return Beginning::Part,
            [b'\r', b'\n', rest @ ..] => input = rest,
            _ => return Beginning::Wrong,
        }
    }
}

/// Reads the lines after the last chunk, up to the empty one.
fn trailers(mut input: &[u8], body: Vec<u8>, mut dropped: usize) -> Beginning<'_, Body> {
    let mut trailed = false;
    loop {
        match line(input) {
            Beginning::Whole([], rest) => return Beginning::Whole((body, trailed), rest),
            // A folded line, or a control character that looks like one.
            Beginning::Whole([b' ' | b'\t', ..], _) => return Beginning::Wrong,
            Beginning::Whole(trailer, rest) => {
                trailed = true;
                dropped += trailer.len();
                if dropped > MAX_DROPPED || !is_text(trailer) {
                    return Beginning::Wrong;
                }
                input = rest;
            }
            Beginning::Part => return Beginning::Part,
            Beginning::Wrong => return Beginning::Wrong,
        }
    }
}

/// A line, which holds neither half of its end.
fn line(input: &[u8]) -> Beginning<'_, &[u8]> {
    match input.iter().position(|&byte| byte == b'\r' || byte == b'\n') {
        Some(end) if input[end..].starts_with(b"\r\n") => Beginning::Whole(&input[..end], &input[end + 2..]),
        Some(end) if input[end..] != b"\r"[..] => Beginning::Wrong,
        _ => Beginning::Part,
    }
}
