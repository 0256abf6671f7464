//! Header values of the form `first; name=value; name="value"` (RFC 9110 section 5.6.6), which
//! `Content-Type`, `Content-Disposition` and the ranges of `Accept` all have.
//!
//! Real services write these by hand, so nothing is refused: what is outside the grammar is read the way
//! its writer meant it, and says so with [`Spelling::Loose`].

use std::borrow::Cow;

/// One `name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter<'a> {
    /// The name, as spelled; names are compared without case.
    pub(crate) name: &'a [u8],
    /// The value, without quotes and escapes.
    pub(crate) value: Cow<'a, [u8]>,
    /// How well it was written.
    pub(crate) spelling: Spelling,
}

/// Whether a parameter keeps to the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// A token, or a quoted string that ends.
    Exact,
    /// Anything else: blanks in a bare value, a quote inside a quoted one, no end.
    Loose,
}

/// The parameters of a value, in order.
#[derive(Debug, Clone)]
pub(crate) struct Parameters<'a> {
    /// What has not been read yet; begins at a `;` or is empty.
    rest: &'a [u8],
}

/// Splits a header's value into what stands before the first `;`, trimmed, and the parameters after it.
pub(crate) fn split(value: &[u8]) -> (&[u8], Parameters<'_>) {
    let (first, rest) = split_before(value, b';');
    (first.trim_ascii(), Parameters { rest })
}

// === impl Parameter ===

impl Parameter<'_> {
    /// Whether this is the parameter of that name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

// === impl Parameters ===

impl<'a> Parameters<'a> {
    /// The first parameter of that name.
    pub(crate) fn find(mut self, name: &str) -> Option<Parameter<'a>> {
        Iterator::find(&mut self, |parameter| parameter.is(name))
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        while let Some(rest) = self.rest.strip_prefix(b";") {
            let rest = rest.trim_ascii_start();
            let end = rest
                .iter()
                .position(|&b| b == b'=' || b == b';')
                .unwrap_or(rest.len());
            let (name, rest) = rest.split_at_checked(end)?;
            let name = name.trim_ascii_end();
            let (value, spelling) = match rest.strip_prefix(b"=").map(<[u8]>::trim_ascii_start) {
                Some(value) => self.take_value(value),
                None => {
                    self.rest = rest;
                    (Cow::Borrowed(&b""[..]), Spelling::Loose)
                }
            };
            if !name.is_empty() {
                return Some(Parameter {
                    name,
                    value,
                    spelling,
                });
            }
        }
        None
    }
}

impl<'a> Parameters<'a> {
    /// Reads a value that begins here, and leaves `rest` at the `;` after it.
    fn take_value(&mut self, from: &'a [u8]) -> (Cow<'a, [u8]>, Spelling) {
        if let Some(quoted) = from.strip_prefix(b"\"") {
            let (value, spelling, rest) = quoted_string(quoted);
            self.rest = rest;
            return (value, spelling);
        }
        let (value, rest) = split_before(from, b';');
        self.rest = rest;
        let value = value.trim_ascii();
        let exact = !value.is_empty() && value.iter().all(|&b| is_token_byte(b));
        let spelling = if exact { Spelling::Exact } else { Spelling::Loose };
        (Cow::Borrowed(value), spelling)
    }
}

/// Reads a quoted string from after its opening quote: the value, how it was spelled, and what follows it.
///
/// Only `\"` and `\\` are escapes, since Windows paths come with bare backslashes; and a quote ends the
/// string only where the parameter ends too, since names with quotes in them are seldom escaped.
fn quoted_string(from: &[u8]) -> (Cow<'_, [u8]>, Spelling, &[u8]) {
    let mut value = Vec::new();
    let mut spelling = Spelling::Exact;
    let mut rest = from;
    loop {
        rest = match rest {
            [] => return (Cow::Owned(value), Spelling::Loose, rest),
            [b'\\', escaped @ (b'"' | b'\\'), after @ ..] => {
                value.push(*escaped);
                after
            }
            [b'"', after @ ..] => {
                let after = after.trim_ascii_start();
                if matches!(after, [] | [b';', ..]) {
                    return (Cow::Owned(value), spelling, after);
                }
                spelling = Spelling::Loose;
                value.push(b'"');
                rest.get(1..).unwrap_or_default()
            }
            [byte, after @ ..] => {
                value.push(*byte);
                after
            }
        };
    }
}

/// Splits before the first such byte; the second part is empty where there is none.
fn split_before(bytes: &[u8], at: u8) -> (&[u8], &[u8]) {
    let end = memchr::memchr(at, bytes).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, b""))
}

/// A `tchar` of RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each parameter as `name=value`, loose ones with a `~` before them.
    fn read(value: &str) -> Vec<String> {
        let shown = |p: Parameter<'_>| {
            let mark = if p.spelling == Spelling::Loose { "~" } else { "" };
            format!(
                "{mark}{}={}",
                String::from_utf8_lossy(p.name),
                String::from_utf8_lossy(&p.value)
            )
        };
        split(value.as_bytes()).1.map(shown).collect()
    }

    #[test]
    fn parameters_are_read_as_they_were_meant() {
        let check = |value: &str, expected: &[&str]| assert_eq!(read(value), expected, "{value}");
        check("text/plain", &[]);
        check("text/plain;", &[]);
        check("a; charset=utf-8", &["charset=utf-8"]);
        check("a;CharSet=\"gbk\" ; x=y", &["CharSet=gbk", "x=y"]);
        check("a;; ;b=c", &["b=c"]);
        check("a; b", &["~b="]);
        check("a; =c; d=e", &["d=e"]);
        check("a; b=", &["~b="]);
        check("a; b=c d; e=f", &["~b=c d", "e=f"]);
        check("a; b=\"c;d\"; e=f", &["b=c;d", "e=f"]);
        check("a; b=\"c\\\"d\\\\e\"", &["b=c\"d\\e"]);
        check("a; b=\"C:\\dir\\c.txt\"", &["b=C:\\dir\\c.txt"]);
        check("a; b=\"c\"d.txt\"; e=f", &["~b=c\"d.txt", "e=f"]);
        check("a; b=\"never ends; e=f", &["~b=never ends; e=f"]);
        check("a; b = \"c\" ; e", &["b=c", "~e="]);
    }

    #[test]
    fn the_first_part_is_trimmed() {
        assert_eq!(split(b" text/plain ;x").0, b"text/plain");
        assert_eq!(split(b"").0, b"");
    }
}
