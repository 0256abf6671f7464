//! Text in lines of a terminal's width.

use std::fmt::{self, Write};

use unicode_width::UnicodeWidthChar;

/// The columns of a terminal that nobody has widened.
const COLUMNS: usize = 80;

/// How much further what goes on is indented.
const HANGING: usize = 2;

/// What no line begins with.
const CLOSING: [char; 12] = [
    '，', '。', '；', '：', '！', '？', '、', '）', '」', '』', '”', '》',
];

/// Writes a text indented, and goes on below, indented further, where it is too wide. A line ends at a space or beside a
/// wide character, which takes two columns.
pub(super) fn write_wrapped(out: &mut String, indent: usize, text: &str) -> fmt::Result {
    let mut column = indent;
    write!(out, "{:indent$}", "")?;
    for word in words(text) {
        let width: usize = word.chars().filter_map(char::width).sum();
        let shown: usize = word.trim_end().chars().filter_map(char::width).sum();
        if column + shown > COLUMNS && column > indent + HANGING {
            out.truncate(out.trim_end().len());
            column = indent + HANGING;
            write!(out, "\n{:column$}", "")?;
        }
        out.push_str(word);
        column += width;
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    Ok(())
}

/// A text in the parts that stay together, each with what closes it.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let end = at + letter.len_utf8();
        let Some((_, next)) = letters.peek() else {
            break;
        };
        let is_wide = |c: char| c.width() == Some(2);
        let may_end = (letter == ' ' || is_wide(letter) || is_wide(*next)) && *next != ' ';
        if may_end && !CLOSING.contains(next) {
            words.extend(text.get(start..end));
            start = end;
        }
    }
    words.extend(text.get(start..));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (text, expected) in [
            ("short".to_owned(), "  short\n".to_owned()),
            (
                format!("{} b", "a".repeat(78)),
                format!("  {}\n    b\n", "a".repeat(78)),
            ),
            (
                format!("{} bb", "a".repeat(75)),
                format!("  {} bb\n", "a".repeat(75)),
            ),
            // A word that fits into no line isn't cut.
            (
                format!("see {} ok", "a".repeat(90)),
                format!("  see\n    {}\n    ok\n", "a".repeat(90)),
            ),
            ("文".repeat(39), format!("  {}\n", "文".repeat(39))),
            ("文".repeat(41), format!("  {}\n    文文\n", "文".repeat(39))),
            (
                format!("{}，好", "文".repeat(39)),
                format!("  {}\n    文，好\n", "文".repeat(38)),
            ),
        ] {
            let mut out = String::new();
            write_wrapped(&mut out, 2, &text).unwrap();
            assert_eq!(out, expected);
        }
    }
}
