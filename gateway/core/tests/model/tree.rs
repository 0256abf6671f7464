//! Python's JSON as a tree, read the slow and simple way.

/// A value, and how the document spelled it.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The bytes that it was read from; none if it was put together or must only be equal.
    pub raw: Option<String>,
    pub json: Json,
}

#[derive(Debug, Clone)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// The digits, or `NaN`, `Infinity`, `-Infinity`.
    Number(String),
    /// Code points, halves of surrogate pairs among them.
    Text(Vec<u32>),
    Array(Vec<Node>),
    Object(Vec<Member>),
}

#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub raw_key: Option<String>,
    pub key: Vec<u32>,
    pub value: Node,
}

impl Node {
    pub(crate) fn new(json: Json) -> Self {
        Self { raw: None, json }
    }

    /// Without memory of any spelling but that of numbers.
    pub(crate) fn respelled(&self) -> Self {
        Self::new(match &self.json {
            Json::Array(elements) => Json::Array(elements.iter().map(Self::respelled).collect()),
            Json::Object(members) => Json::Object(
                members
                    .iter()
                    .map(|member| Member {
                        raw_key: None,
                        key: member.key.clone(),
                        value: member.value.respelled(),
                    })
                    .collect(),
            ),
            scalar => scalar.clone(),
        })
    }
}

/// Reads a document; none if it is not JSON as Python reads it.
pub(crate) fn parse(bytes: &[u8]) -> Option<Node> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut reader = Reader {
        rest: text.strip_prefix('\u{feff}').unwrap_or(text),
    };
    let node = reader.padded(|reader| reader.value(0))?;
    reader.rest.is_empty().then_some(node)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn eat(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn padded<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.space();
        let value = read(self)?;
        self.space();
        Some(value)
    }

    /// What `read` reads, and the text it was read from.
    fn spelled<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<(&'a str, T)> {
        let from = self.rest;
        let value = read(self)?;
        Some((&from[..from.len() - self.rest.len()], value))
    }

    fn value(&mut self, above: usize) -> Option<Node> {
        let (raw, json) = self.spelled(|reader| reader.json(above))?;
        Some(Node {
            raw: Some(raw.to_owned()),
            json,
        })
    }

    fn json(&mut self, above: usize) -> Option<Json> {
        for (word, json) in [
            ("null", Json::Null),
            ("true", Json::Bool(true)),
            ("false", Json::Bool(false)),
            ("NaN", Json::Number("NaN".into())),
            ("Infinity", Json::Number("Infinity".into())),
            ("-Infinity", Json::Number("-Infinity".into())),
        ] {
            if self.eat(word).is_some() {
                return Some(json);
            }
        }
        match self.rest.chars().next()? {
            '"' => Some(Json::Text(self.text()?)),
            '[' | '{' if above == 128 => None,
            '[' => {
                let elements = self.list('[', ']', |reader| reader.value(above + 1))?;
                Some(Json::Array(elements))
            }
            '{' => Some(Json::Object(
                self.list('{', '}', |reader| reader.member(above + 1))?,
            )),
            _ => Some(Json::Number(self.number()?)),
        }
    }

    fn member(&mut self, above: usize) -> Option<Member> {
        let (raw_key, key) = self.spelled(Self::text)?;
        self.padded(|reader| reader.eat(":"))?;
        Some(Member {
            raw_key: Some(raw_key.to_owned()),
            key,
            value: self.value(above)?,
        })
    }

    fn list<T>(
        &mut self,
        open: char,
        close: char,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.rest = self.rest.strip_prefix(open)?;
        self.space();
        let mut items = Vec::new();
        if let Some(rest) = self.rest.strip_prefix(close) {
            self.rest = rest;
            return Some(items);
        }
        loop {
            items.push(self.padded(&mut item)?);
            if let Some(rest) = self.rest.strip_prefix(close) {
                self.rest = rest;
                return Some(items);
            }
            self.eat(",")?;
        }
    }

    fn digits(&mut self) -> Option<()> {
        let rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        (rest.len() < self.rest.len()).then(|| self.rest = rest)
    }

    fn number(&mut self) -> Option<String> {
        let (raw, ()) = self.spelled(|reader| {
            let _sign = reader.eat("-");
            if reader.eat("0").is_none() {
                reader.digits()?;
            }
            if reader.eat(".").is_some() {
                reader.digits()?;
            }
            if reader.eat("e").or_else(|| reader.eat("E")).is_some() {
                let _sign = reader.eat("+").or_else(|| reader.eat("-"));
                reader.digits()?;
            }
            Some(())
        })?;
        Some(raw.to_owned())
    }

    fn text(&mut self) -> Option<Vec<u32>> {
        self.eat("\"")?;
        let mut points = Vec::new();
        loop {
            let c = self.rest.chars().next()?;
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '"' => return Some(points),
                '\\' => {
                    let point = self.escape()?;
                    let high = points.last().copied().filter(|p| (0xd800..0xdc00).contains(p));
                    match high {
                        // Only two escapes make a pair: what is not escaped is never a half.
                        Some(high) if (0xdc00..0xe000).contains(&point) => {
                            points.pop();
                            points.push(0x10000 + ((high - 0xd800) << 10) + (point - 0xdc00));
                        }
                        _ => points.push(point),
                    }
                }
                '\0'..' ' => return None,
                c => points.push(c.into()),
            }
        }
    }

    fn escape(&mut self) -> Option<u32> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(match c {
            '"' | '\\' | '/' => c.into(),
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let (hex, rest) = self.rest.split_at_checked(4)?;
                if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return None;
                }
                self.rest = rest;
                u32::from_str_radix(hex, 16).ok()?
            }
            _ => return None,
        })
    }
}
