//! What was probably meant where the text isn't TOML: the slips of who writes such a file for the first time, or with
//! a Chinese keyboard.

use crate::mask::start_of_line;
use crate::place::Span;
use crate::problem::Slip;

/// Characters of a Chinese keyboard, and those of ASCII that they stand in for.
const FULL_WIDTH: [(char, char); 15] = [
    ('＝', '='),
    ('，', ','),
    ('、', ','),
    ('：', '='),
    ('。', '.'),
    ('［', '['),
    ('】', ']'),
    ('【', '['),
    ('］', ']'),
    ('｛', '{'),
    ('｝', '}'),
    ('＃', '#'),
    ('－', '-'),
    ('＿', '_'),
    ('\u{3000}', ' '),
];

/// Quotation marks that aren't TOML's.
const QUOTES: [char; 10] = ['“', '”', '„', '‟', '＂', '‘', '’', '＇', '「', '」'];

/// What was probably meant at the place of which the parser says this.
pub(super) fn slip(text: &str, span: &Span, message: &str) -> Option<Slip> {
    let line = line_at(text, span);
    let rest = text.get(span.start..).unwrap_or_default();
    let first = rest.chars().next();
    // What the parser points at is one character, or all that it takes for a value. Of that the first that isn't ASCII
    // counts: a Chinese text without quotes has such characters too, but doesn't begin with them.
    let pointed = text.get(span.clone()).unwrap_or_default();
    let foreign = first
        .into_iter()
        .chain(pointed.chars())
        .find(|letter| !letter.is_ascii());
    if let Some(slip) = foreign.and_then(typed) {
        return Some(slip);
    }
    if is_colon_entry(line) {
        return Some(Slip::Colon);
    }
    let is_key = message.contains("unquoted key") && first.is_some_and(|letter| !letter.is_ascii());
    [
        (is_key, Slip::Name),
        (message.contains("duplicate key"), Slip::Duplicate),
        (message.contains("escape"), Slip::Backslash),
        (message.contains("boolean"), Slip::Boolean),
        (message.contains("unclosed"), Slip::Unclosed),
        (message.contains("missing comma"), Slip::Comma),
        (message.contains("invalid basic string"), Slip::OpenString),
        (
            message.contains("must be quoted") || message.contains("expected nothing"),
            Slip::Unquoted,
        ),
    ]
    .into_iter()
    .find_map(|(is_it, slip)| is_it.then_some(slip))
}

/// A character that a Chinese keyboard, or a word processor, has put there.
fn typed(letter: char) -> Option<Slip> {
    if QUOTES.contains(&letter) {
        return Some(Slip::Quotes);
    }
    let (wrong, right) = *FULL_WIDTH.iter().find(|(wrong, _)| *wrong == letter)?;
    Some(Slip::FullWidth { wrong, right })
}

/// The format that a text without a line of TOML's is in, if that is plain.
pub(super) fn other_format(text: &str) -> Option<&'static str> {
    let mut lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.clone().next()?;
    if first.starts_with('{') {
        return Some("JSON");
    }
    let is_yaml = is_colon_entry(first) || first == "---";
    (is_yaml && lines.all(|line| !line.contains('=') && !line.starts_with('['))).then_some("YAML")
}

/// `key: value`, as YAML has it.
fn is_colon_entry(line: &str) -> bool {
    let line = line.trim_start();
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    end.is_some_and(|end| {
        let rest = line.get(end..).unwrap_or_default().trim_start();
        end > 0 && rest.starts_with(':')
    })
}

fn line_at<'a>(text: &'a str, span: &Span) -> &'a str {
    let start = start_of_line(text, span.start);
    text.get(start..)
        .and_then(|rest| rest.lines().next())
        .unwrap_or_default()
}
