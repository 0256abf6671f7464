//! Values that are the same but for how they are spelled: spaces, characters escaped or not, numbers.
//!
//! A service in another language than the bot's spells each column of an echo so. The general way finds that too,
//! value by value; this one runs through a whole container in one go, whatever is nested in it, in the base's order,
//! in less than half the time. What may differ is no more than makes sure that the reply is sound where the base is:
//! nobody else checks it.

use super::dense::same_text;
use super::echoes::Stretches;
use crate::json::read::{Index, Source, is_scalar};
use crate::json::scan::{self, byte, slice, space};
use crate::json::{number, text};

/// Two texts, and how far they have been found to mean the same.
struct Alike<'a> {
    /// The base up to the end of the value.
    base: Source<'a>,
    reply: &'a [u8],
    b: usize,
    r: usize,
    stretches: &'a mut Stretches,
}

/// A difference that may be one of meaning.
struct Unlike;

/// Where in the reply the base's value ends that goes from `b` to `end`, if the reply has the same at `r`, however it
/// is spelled; else how far in the base it has.
pub(super) fn alike(
    base: &[u8],
    (b, end): (usize, usize),
    reply: &[u8],
    r: usize,
    stretches: &mut Stretches,
) -> Result<usize, usize> {
    let base = Source {
        bytes: slice(base, 0, end),
        index: &Index::EMPTY,
    };
    let mut alike = Alike {
        base,
        reply,
        b,
        r,
        stretches,
    };
    while alike.b < end {
        if alike.step().is_err() {
            return Err(alike.b);
        }
    }
    Ok(alike.r)
}

impl Alike<'_> {
    /// One token, and the space behind it; behind a comma or a colon many.
    #[inline(always)]
    fn step(&mut self) -> Result<(), Unlike> {
        let (ours, theirs) = (self.base.byte(self.b), byte(self.reply, self.r));
        match ours {
            b',' | b':' if ours == theirs => self.marks(),
            b'"' if theirs == b'"' => self.strings()?,
            b'[' | b']' | b'{' | b'}' if ours == theirs => self.advance(1, 1),
            b'-' | b'0'..=b'9' => self.numbers()?,
            b't' | b'f' | b'n' => self.words()?,
            _ => return Err(Unlike),
        }
        self.b = space(self.base.bytes, self.b);
        self.r = space(self.reply, self.r);
        Ok(())
    }

    #[inline(always)]
    fn advance(&mut self, ours: usize, theirs: usize) {
        (self.b, self.r) = (self.b + ours, self.r + theirs);
    }

    /// A comma or a colon, and the space behind it; then as much as is the same but for such spaces.
    fn marks(&mut self) {
        let (b, r) = (self.b + 1, self.r + 1);
        (self.b, self.r) = (space(self.base.bytes, b), space(self.reply, r));
        match (self.b > b, self.r > r) {
            (true, false) => self.stretch(),
            (false, true) => (self.r, self.b) = same_text(self.reply, self.r, self.base.bytes, self.b),
            _ => {}
        }
    }

    /// Whether the reply goes on with this number of the base's, and no further.
    fn starts_with_number(&self, number: &[u8]) -> bool {
        let end = self.r + number.len();
        slice(self.reply, self.r, end) == number && !is_scalar(byte(self.reply, end))
    }

    fn words(&mut self) -> Result<(), Unlike> {
        let ours = self.base.slice(self.b, self.base.scalar_end(self.b));
        if ours != slice(self.reply, self.r, self.r + ours.len()) {
            return Err(Unlike);
        }
        self.advance(ours.len(), ours.len());
        Ok(())
    }

    fn numbers(&mut self) -> Result<(), Unlike> {
        let ours = self.base.slice(self.b, self.base.scalar_end(self.b));
        // An integer that Python knows as a float, and others as a number.
        if let Some(integer) = ours.strip_suffix(b".0")
            && self.starts_with_number(integer)
        {
            self.advance(ours.len(), integer.len());
            return Ok(());
        }
        let end = scan::number(self.reply, self.r).map_err(|_| Unlike)?;
        let theirs = slice(self.reply, self.r, end);
        if !number::same(ours, theirs) {
            return Err(Unlike);
        }
        self.advance(ours.len(), theirs.len());
        Ok(())
    }

    /// As much of the base as the reply has too, only without the spaces.
    fn stretch(&mut self) {
        let (base, reply) = (self.base.bytes, self.reply);
        let (b, r) = (self.b, self.r);
        (self.b, self.r) = match self.stretches.recall((b, base.len()), reply, r) {
            Some(behind) => behind,
            // No further than to where one begins that is known.
            None => same_text(slice(base, 0, self.stretches.next_begin(base.len())), b, reply, r),
        };
        self.stretches.note((b, self.b), (r, self.r));
    }

    /// Two strings; while they are escaped in one and not in the other, those that follow them too.
    #[inline(always)]
    fn strings(&mut self) -> Result<(), Unlike> {
        let base = self.base.bytes;
        let (mut b, mut r) = (self.b + 1, self.r + 1);
        let mut is_escaped = false;
        loop {
            let same = text::same_plain(base, b, self.reply, r);
            (b, r) = (b + same, r + same);
            (b, r) = match (byte(base, b), byte(self.reply, r)) {
                (b'"', b'"') => {
                    (self.b, self.r) = (b + 1, r + 1);
                    match self.next_strings() {
                        Some((b, r)) if is_escaped => {
                            is_escaped = false;
                            (b + 1, r + 1)
                        }
                        _ => return Ok(()),
                    }
                }
                // The digits behind `u` are the same too, or the next round finds out.
                (b'\\', b'\\') if byte(base, b + 1) == byte(self.reply, r + 1) => (b + 2, r + 2),
                (b'\\', 0x80..) => {
                    is_escaped = true;
                    text::same_escaped(base, b, self.reply, r).ok_or(Unlike)?
                }
                (0x80.., b'\\') => {
                    is_escaped = true;
                    let (r, b) = text::same_escaped(self.reply, r, base, b).ok_or(Unlike)?;
                    (b, r)
                }
                _ => return Err(Unlike),
            };
        }
    }

    /// Where the next strings begin, if only a comma or a colon is before them.
    #[inline(always)]
    fn next_strings(&self) -> Option<(usize, usize)> {
        let mark = self.base.byte(self.b);
        if !matches!(mark, b',' | b':') || mark != byte(self.reply, self.r) {
            return None;
        }
        let (b, r) = (space(self.base.bytes, self.b + 1), space(self.reply, self.r + 1));
        (self.base.byte(b) == b'"' && byte(self.reply, r) == b'"').then_some((b, r))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
    use serde_json::Value;

    use super::{Stretches, alike};
    use crate::json::Document;

    /// Where the two are found to differ, if they are: in bytes of the base.
    fn check(base: &str, reply: &str, differ: Option<usize>) {
        let found = alike(
            base.as_bytes(),
            (0, base.len()),
            reply.as_bytes(),
            0,
            &mut Stretches::default(),
        );
        let expected = differ.map_or(Ok(reply.len()), Err);
        assert_eq!(found, expected, "{base} {reply}");
    }

    #[test]
    fn spellings_of_the_same() {
        for (base, reply) in [
            ("[1, 2]", "[1,2]"),
            ("[1,2]", "[1, 2]"),
            ("[1,2]", "[\n  1,\n  2\n]"),
            ("[12.0, 3]", "[12,3]"),
            ("[1e2, 0.1]", "[100,0.10]"),
            (r#"["a, b", "c"]"#, r#"["a, b","c"]"#),
            (r#"["\u8282\u70b9 1"]"#, "[\"\u{8282}\u{70b9} 1\"]"),
            ("[\"\u{e9}\u{1f600}\"]", r#"["\u00e9\ud83d\ude00"]"#),
            (r#"["\n\u0041"]"#, r#"["\n\u0041"]"#),
            (r#"{"a": true, "b": {"c": null}}"#, r#"{"a":true,"b":{"c":null}}"#),
        ] {
            check(base, reply, None);
        }
    }

    #[test]
    fn what_may_differ_is_left_to_others() {
        for (base, reply, at) in [
            (r#"["a, b", "c"]"#, r#"["a,b","c"]"#, 1),
            ("[1, 2]", "[1, 3]", 4),
            ("[1, 2]", "[1 2]", 2),
            ("[12]", "[1 2]", 1),
            ("[1.0]", "[1.]", 1),
            ("[true]", "[tr ue]", 1),
            // Broken escapes stand for U+FFFD, and are none.
            ("[\"\u{fffd}\"]", r#"["\uzzzz"]"#, 1),
            ("[\"\u{fffd}\"]", r#"["\ufffd"]"#, 1),
            // A quote that is escaped on one side ends the string on the other.
            (r#"["\u0022"]"#, "[\"\"\"]", 1),
            (r#"["\ud83d"]"#, "[\"\u{fffd}\"]", 1),
            (r#"{"a": 1, "b": 2}"#, r#"{"b":2,"a":1}"#, 1),
        ] {
            check(base, reply, Some(at));
        }
    }

    /// Lists of what Python's serialiser writes, longer than what is looked at together.
    fn pieces() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec(any::<u32>().prop_map(piece), 1..60)
    }

    fn piece(dice: u32) -> String {
        const PARTS: [&str; 10] = ["ab", " ", ",", ":", ", ", "\\\"", "\\\\", "\\n", "\\u8282", "节"];
        let parts = |many: u32| (0..many).map(|nth| PARTS[(dice >> (5 + 3 * nth)) as usize % PARTS.len()]);
        match dice % 8 {
            0..=2 => format!("{}", dice >> ((dice >> 3) % 29)),
            3 => format!("{}.{}", dice >> 12, dice % 100),
            4 => format!("{}.0", dice >> 9),
            5 => format!("\"{}\"", parts(dice >> 3 & 7).collect::<String>()),
            6 => "[1, {\"a\": \"b, c\"}]".to_owned(),
            _ => "null".to_owned(),
        }
    }

    /// The value, numbers as floats.
    fn read(json: &str) -> Option<Value> {
        fn floats(value: Value) -> Value {
            match value {
                Value::Number(number) => number.as_f64().into(),
                Value::Array(list) => list.into_iter().map(floats).collect(),
                Value::Object(members) => members
                    .into_iter()
                    .map(|(key, value)| (key, floats(value)))
                    .collect(),
                other => other,
            }
        }
        serde_json::from_str(json).ok().map(floats)
    }

    proptest! {
        /// A list without its spaces is alike, and so is one that is sent again.
        #[test]
        fn lists_without_spaces(pieces in pieces()) {
            let base = format!("[{}]", pieces.join(", "));
            let dense = format!("[{}]", pieces.join(",").replace("[1, {", "[1,{"));
            let mut stretches = Stretches::default();
            for _ in 0..2 {
                let found = alike(base.as_bytes(), (0, base.len()), dense.as_bytes(), 0, &mut stretches);
                prop_assert_eq!(found, Ok(dense.len()), "{} {}", base, dense);
                stretches.settle(&dense.clone().into());
            }
        }

        /// Whatever is taken for the same is sound, and means the same.
        #[test]
        fn nothing_else_is_taken_for_the_same(
            pieces in pieces(),
            spaced in any::<bool>(),
            at in any::<proptest::sample::Index>(),
            other in "[0-9., :\"\\\\\\[\\]{}a节]|\\\\u8282|",
        ) {
            let spellings = [format!("[{}]", pieces.join(", ")), format!("[{}]", pieces.join(","))];
            let [base, reply] = if spaced { spellings } else { [spellings[1].clone(), spellings[0].clone()] };
            let places: Vec<usize> = reply.char_indices().map(|(at, _)| at).collect();
            let begin = places[at.index(places.len())];
            let end = begin + reply[begin..].chars().next().map_or(0, char::len_utf8);
            let changed = format!("{}{other}{}", &reply[..begin], &reply[end..]);
            let found = alike(
                base.as_bytes(),
                (0, base.len()),
                changed.as_bytes(),
                0,
                &mut Stretches::default(),
            );
            if let Ok(end) = found {
                let value = &changed[..end];
                prop_assert!(Document::parse(value.to_owned().into()).is_ok(), "{value}");
                prop_assert_eq!(read(&base), read(value), "{} {}", base, value);
            }
        }
    }
}
