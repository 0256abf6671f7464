//! `json.loads`: Python's own extensions of JSON included.

use super::{Text, Value, insert};

/// Reads one document as `json.loads` does. The error says what is wrong and at which byte.
pub(crate) fn loads(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, at: 0 };
    let value = reader.value()?;
    reader.space();
    match reader.next() {
        None => Ok(value),
        Some(_) => reader.fails("extra data"),
    }
}

/// Where it stands is always at the start of a character.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn fails<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{what} at byte {}", self.at))
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.next() {
            self.at += 1;
        }
    }

    fn takes(&mut self, byte: u8) -> bool {
        let found = self.next() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Result<Value, String> {
        self.space();
        match self.next() {
            Some(b'{') => self.dict(),
            Some(b'[') => self.list(),
            Some(b'"') => self.string().map(Value::Str),
            Some(b'n') => self.word("null", Value::None),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'N') => self.word("NaN", Value::Float(f64::NAN)),
            Some(b'I') => self.word("Infinity", Value::Float(f64::INFINITY)),
            Some(b'-') if self.text[self.at..].starts_with("-I") => {
                self.word("-Infinity", Value::Float(f64::NEG_INFINITY))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.fails("expecting value"),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, String> {
        if !self.text[self.at..].starts_with(word) {
            return self.fails("expecting value");
        }
        self.at += word.len();
        Ok(value)
    }

    fn dict(&mut self) -> Result<Value, String> {
        let mut members = Vec::new();
        self.at += 1;
        self.space();
        if self.takes(b'}') {
            return Ok(Value::Dict(members));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            if !self.takes(b':') {
                return self.fails("expecting ':'");
            }
            insert(&mut members, key, self.value()?);
            self.space();
            if self.takes(b'}') {
                return Ok(Value::Dict(members));
            }
            if !self.takes(b',') {
                return self.fails("expecting ',' or '}'");
            }
        }
    }

    fn list(&mut self) -> Result<Value, String> {
        let mut elements = Vec::new();
        self.at += 1;
        self.space();
        if self.takes(b']') {
            return Ok(Value::List(elements));
        }
        loop {
            elements.push(self.value()?);
            self.space();
            if self.takes(b']') {
                return Ok(Value::List(elements));
            }
            if !self.takes(b',') {
                return self.fails("expecting ',' or ']'");
            }
        }
    }

    fn string(&mut self) -> Result<Text, String> {
        if !self.takes(b'"') {
            return self.fails("expecting a string");
        }
        let mut units = Vec::new();
        loop {
            let Some(byte) = self.next() else {
                return self.fails("unterminated string");
            };
            self.at += 1;
            match byte {
                b'"' => return Ok(Text(units)),
                b'\\' => units.push(self.escape()?),
                0..=0x1f => return self.fails("invalid control character"),
                b' '..=0x7f => units.push(byte.into()),
                _ => {
                    let rest = &self.text[self.at - 1..];
                    let character = rest.chars().next().expect("where it stands a character begins");
                    units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
                    self.at += character.len_utf8() - 1;
                }
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Result<u16, String> {
        let unit = match self.next() {
            Some(same @ (b'"' | b'\\' | b'/')) => same,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.four_digits(),
            _ => return self.fails("invalid escape"),
        };
        self.at += 1;
        Ok(unit.into())
    }

    fn four_digits(&mut self) -> Result<u16, String> {
        let digits = self.text.get(self.at + 1..self.at + 5);
        match digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
            None => self.fails("invalid escape"),
            Some(digits) => {
                self.at += 5;
                Ok(u16::from_str_radix(digits, 16).expect("four hexadecimal digits"))
            }
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        self.takes(b'-');
        let first = self.next();
        let whole = self.digits();
        if whole == 0 || (whole > 1 && first == Some(b'0')) {
            return self.fails("not a number");
        }
        let end_of_whole = self.at;
        self.fraction();
        self.exponent();
        let digits = &self.text[start..self.at];
        Ok(match digits {
            "-0" => Value::Int("0".into()),
            _ if self.at == end_of_whole => Value::Int(digits.into()),
            _ => Value::Float(
                digits
                    .parse()
                    .expect("a float of JSON's grammar is one of Rust's"),
            ),
        })
    }

    /// A point and digits, or nothing, as Python's pattern has it.
    fn fraction(&mut self) {
        let start = self.at;
        if self.takes(b'.') && self.digits() == 0 {
            self.at = start;
        }
    }

    /// An exponent, or nothing.
    fn exponent(&mut self) {
        let start = self.at;
        if self.takes(b'e') || self.takes(b'E') {
            let _sign = self.takes(b'+') || self.takes(b'-');
            if self.digits() == 0 {
                self.at = start;
            }
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.next() {
            self.at += 1;
        }
        self.at - start
    }
}

#[cfg(test)]
mod tests {
    use super::loads;

    #[test]
    fn reads_what_python_reads() {
        // `json.dumps(json.loads(left))` is right, as CPython answers.
        for (text, dumped) in [
            ("null", "null"),
            (" [1 , 2.0,\n-0, -0.0] ", "[1, 2.0, 0, -0.0]"),
            (r#"{"a": 1, "b": 2, "a": 3}"#, r#"{"a": 3, "b": 2}"#),
            ("[NaN, Infinity, -Infinity]", "[NaN, Infinity, -Infinity]"),
            (r#""\ud83c""#, r#""\ud83c""#),
            (r#""\ud83c\udded""#, r#""\ud83c\udded""#),
            ("\"\u{1f1ed}\"", r#""\ud83c\udded""#),
            (r#""\u0041\/\b\f\n\r\t\"\\""#, r#""A/\b\f\n\r\t\"\\""#),
            ("\"\u{7f}节\"", r#""\u007f\u8282""#),
            ("\u{feff}{}", "{}"),
            ("-1001987654321", "-1001987654321"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1E400", "Infinity"),
        ] {
            assert_eq!(
                loads(text.as_bytes()).map(|v| v.dumps()).as_deref(),
                Ok(dumped),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_python_refuses() {
        for text in [
            "",
            "[",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "{a: 1}",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "nan",
            "'a'",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\n\"",
            "[] []",
            "tru",
        ] {
            assert!(loads(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(loads(b"\"\xff\"").is_err(), "no UTF-8");
    }
}
