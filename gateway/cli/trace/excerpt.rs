//! The beginning of a document as a person reads it: in one line, with the letters that Python spells as escapes.

use std::iter;

use super::super::operator::visible;

/// The beginning of a document's text.
pub(super) struct Excerpt {
    pub(super) text: String,
    /// Whether there is more of it.
    pub(super) is_cut: bool,
}

impl Excerpt {
    /// As many characters of this text.
    pub(super) fn of(text: &str, most: usize) -> Self {
        // Line breaks stand between the parts of JSON, and what follows them indents.
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        let line = visible(&legible(&lines.join(" ")));
        let end = line.char_indices().nth(most).map(|(at, _)| at);
        Self {
            text: end.and_then(|end| line.get(..end)).unwrap_or(&line).to_owned(),
            is_cut: end.is_some(),
        }
    }
}

/// The text with the letters beyond ASCII that its `\uXXXX` stand for. What is no letter, half of one, or has a
/// meaning in JSON stays as it is spelled.
fn legible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let spelled = match letter(escape) {
            Some((letter, length)) => {
                out.push(letter);
                length
            }
            None => {
                // A backslash and what it belongs to, so that `\\u8282` is none.
                let length = escape.chars().take(2).map(char::len_utf8).sum();
                out.push_str(escape.get(..length).unwrap_or(escape));
                length
            }
        };
        rest = escape.get(spelled..).unwrap_or_default();
    }
    out + rest
}

/// The letter that an escape at the beginning of this text spells, and the length of that.
fn letter(text: &str) -> Option<(char, usize)> {
    let first = unit(text)?;
    let second = text.get(6..).and_then(unit);
    let units = iter::once(first).chain(second);
    let letter = char::decode_utf16(units).next()?.ok()?;
    (!letter.is_ascii()).then(|| (letter, 6 * letter.len_utf16()))
}

fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts() {
        for (text, most, expected) in [
            ("", 3, ("", false)),
            ("abc", 3, ("abc", false)),
            ("节点名称", 3, ("节点名", true)),
            ("{\n    \"a\": [\r\n        1]\n}", 99, ("{ \"a\": [ 1] }", false)),
            (r#""\u8282\u70B9""#, 99, ("\"节点\"", false)),
            (r#""\u8282\u70b9""#, 2, ("\"节", true)),
            (r"\ud83c\udded\ud83c\uddf0 x", 99, ("🇭🇰 x", false)),
            // Half a letter, what JSON needs, what is spelled otherwise, and what is no escape at all.
            (
                r#"\ud83c \udded \u0022 \u000a \n \\u8282 \\\u8282 \u82 \u+282 \"#,
                99,
                (
                    r#"\ud83c \udded \u0022 \u000a \n \\u8282 \\节 \u82 \u+282 \"#,
                    false,
                ),
            ),
            (r"\ud83c\u8282", 99, (r"\ud83c节", false)),
            // Nothing moves a terminal's cursor.
            ("a\u{1b}[2J\\u009b", 99, ("a\u{fffd}[2J\u{fffd}", false)),
        ] {
            let Excerpt { text: shown, is_cut } = Excerpt::of(text, most);
            assert_eq!((&*shown, is_cut), expected, "{text}");
        }
    }
}
