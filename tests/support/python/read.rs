//! `json.loads`: Python's own extensions of JSON included.

use super::{Text, Value, insert};

/// Reads one document as `json.loads` does. The error says what is wrong and at which byte.
pub(crate) fn loads(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, at: 0 };
    let value = reader.value()?;
    reader.space();
    match reader.rest() {
        "" => Ok(value),
        _ => reader.fails("extra data"),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fails<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{what} at byte {}", self.at))
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn takes(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn value(&mut self) -> Result<Value, String> {
        const WORDS: [(&str, Value); 6] = [
            ("null", Value::None),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ];
        self.space();
        for (word, value) in WORDS {
            if self.takes(word) {
                return Ok(value);
            }
        }
        match self.rest().as_bytes().first() {
            Some(b'{') => self.dict(),
            Some(b'[') => self.list(),
            Some(b'"') => self.string().map(Value::Str),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.fails("expecting value"),
        }
    }

    fn dict(&mut self) -> Result<Value, String> {
        let mut members = Vec::new();
        self.takes("{");
        self.space();
        if self.takes("}") {
            return Ok(Value::Dict(members));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            if !self.takes(":") {
                return self.fails("expecting ':'");
            }
            insert(&mut members, key, self.value()?);
            self.space();
            if self.takes("}") {
                return Ok(Value::Dict(members));
            }
            if !self.takes(",") {
                return self.fails("expecting ',' or '}'");
            }
        }
    }

    fn list(&mut self) -> Result<Value, String> {
        let mut elements = Vec::new();
        self.takes("[");
        self.space();
        if self.takes("]") {
            return Ok(Value::List(elements));
        }
        loop {
            elements.push(self.value()?);
            self.space();
            if self.takes("]") {
                return Ok(Value::List(elements));
            }
            if !self.takes(",") {
                return self.fails("expecting ',' or ']'");
            }
        }
    }

    fn string(&mut self) -> Result<Text, String> {
        if !self.takes("\"") {
            return self.fails("expecting a string");
        }
        let mut units = Vec::new();
        loop {
            let Some(character) = self.rest().chars().next() else {
                return self.fails("unterminated string");
            };
            self.at += character.len_utf8();
            match character {
                '"' => return Ok(Text(units)),
                '\\' => units.push(self.escape()?),
                '\0'..='\x1f' => return self.fails("invalid control character"),
                _ => units.extend_from_slice(character.encode_utf16(&mut [0; 2])),
            }
        }
    }

    fn escape(&mut self) -> Result<u16, String> {
        const SHORT: [(&str, u8); 8] = [
            ("\"", b'"'),
            ("\\", b'\\'),
            ("/", b'/'),
            ("b", 8),
            ("f", 12),
            ("n", b'\n'),
            ("r", b'\r'),
            ("t", b'\t'),
        ];
        for (letter, unit) in SHORT {
            if self.takes(letter) {
                return Ok(unit.into());
            }
        }
        let digits = self
            .rest()
            .get(1..5)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits {
            Some(digits) if self.takes("u") => {
                self.at += 4;
                Ok(u16::from_str_radix(digits, 16).expect("four hexadecimal digits"))
            }
            _ => self.fails("invalid escape"),
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        self.takes("-");
        let whole = self.digits();
        if whole == 0 || (whole > 1 && self.text[self.at - whole..].starts_with('0')) {
            return self.fails("not a number");
        }
        let end_of_whole = self.at;
        self.part(&["."]);
        self.part(&["e+", "e-", "e", "E+", "E-", "E"]);
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

    /// Takes one of the openings with the digits behind it, or nothing, as Python's pattern does.
    fn part(&mut self, openings: &[&str]) {
        let start = self.at;
        for opening in openings {
            if self.takes(opening) {
                if self.digits() > 0 {
                    return;
                }
                self.at = start;
            }
        }
    }

    fn digits(&mut self) -> usize {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        self.at += count;
        count
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
