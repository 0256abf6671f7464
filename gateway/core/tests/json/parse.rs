//! Python's JSON into a tree, straight from the grammar: recursive, a character at a time.

use crate::tree::Tree;

/// The tree of a document, if Python would read it and it is at most 128 levels deep.
pub fn parse(bytes: &[u8]) -> Option<Tree> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text: Vec<char> = text.strip_prefix('\u{FEFF}').unwrap_or(text).chars().collect();
    let mut reader = Reader { text: &text, at: 0 };
    reader.space();
    let tree = reader.value(0)?;
    reader.space();
    (reader.at == text.len()).then_some(tree)
}

struct Reader<'a> {
    text: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, wanted: &str) -> Option<()> {
        let end = self.at + wanted.chars().count();
        let found: String = self.text.get(self.at..end)?.iter().collect();
        (found == wanted).then(|| self.at = end)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\n' | '\r' | '\t')) {
            self.at += 1;
        }
    }

    fn value(&mut self, level: usize) -> Option<Tree> {
        match self.peek()? {
            '{' | '[' if level == 128 => None,
            '{' => self.object(level + 1),
            '[' => self.array(level + 1),
            '"' => self.string().map(Tree::Text),
            't' => self.take("true").map(|()| Tree::Bool(true)),
            'f' => self.take("false").map(|()| Tree::Bool(false)),
            'n' => self.take("null").map(|()| Tree::Null),
            _ => self.number(),
        }
    }

    fn array(&mut self, level: usize) -> Option<Tree> {
        let mut elements = Vec::new();
        self.children(']', |reader| {
            elements.push(reader.value(level)?);
            Some(())
        })?;
        Some(Tree::Array(elements))
    }

    fn object(&mut self, level: usize) -> Option<Tree> {
        let mut members = Vec::new();
        self.children('}', |reader| {
            let key = reader.string()?;
            reader.space();
            reader.take(":")?;
            reader.space();
            members.push((key, reader.value(level)?));
            Some(())
        })?;
        Some(Tree::Object(members))
    }

    fn children(&mut self, close: char, mut child: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        self.space();
        if self.peek()? == close {
            self.at += 1;
            return Some(());
        }
        loop {
            self.space();
            child(self)?;
            self.space();
            let next = self.peek()?;
            self.at += 1;
            if next == close {
                return Some(());
            }
            if next != ',' {
                return None;
            }
        }
    }

    fn number(&mut self) -> Option<Tree> {
        let start = self.at;
        if self
            .take("NaN")
            .or_else(|| self.take("Infinity"))
            .or_else(|| self.take("-Infinity"))
            .is_none()
        {
            let _sign = self.take("-");
            if self.take("0").is_none() {
                self.digits()?;
            }
            if self.take(".").is_some() {
                self.digits()?;
            }
            if self.take("e").or_else(|| self.take("E")).is_some() {
                let _sign = self.take("-").or_else(|| self.take("+"));
                self.digits()?;
            }
        }
        Some(Tree::Number(self.text[start..self.at].iter().collect()))
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn string(&mut self) -> Option<Vec<u32>> {
        self.take("\"")?;
        let mut text: Vec<u32> = Vec::new();
        loop {
            let c = self.peek()?;
            self.at += 1;
            match c {
                '"' => return Some(text),
                '\\' => {
                    let (point, is_unit) = self.escape()?;
                    match text.last().copied() {
                        Some(high @ 0xD800..0xDC00) if is_unit && (0xDC00..0xE000).contains(&point) => {
                            text.pop();
                            text.push(0x10000 + (high - 0xD800) * 0x400 + (point - 0xDC00));
                        }
                        _ => text.push(point),
                    }
                }
                c if u32::from(c) < 0x20 => return None,
                c => text.push(u32::from(c)),
            }
        }
    }

    fn escape(&mut self) -> Option<(u32, bool)> {
        let c = self.peek()?;
        self.at += 1;
        let simple = match c {
            '"' | '\\' | '/' => u32::from(c),
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let hex: String = self.text.get(self.at..self.at + 4)?.iter().collect();
                self.at += 4;
                let digits = hex.chars().all(|c| c.is_ascii_hexdigit());
                return u32::from_str_radix(&hex, 16)
                    .ok()
                    .filter(|_| digits)
                    .map(|unit| (unit, true));
            }
            _ => return None,
        };
        Some((simple, false))
    }
}
