//! Documents and replies out of a tape of bytes: proptest shrinks the tape, and zeros are the simplest choice.

use crate::tree::{Json, Member, Node};

pub(crate) struct Tape<'a> {
    rest: &'a [u8],
}

const KEYS: [&str; 16] = [
    "a",
    "b",
    "a-b",
    "a_b",
    "result",
    "节点名称",
    "message",
    "c-d-e",
    "c_d_e",
    "c-d_e",
    "c_d-e",
    "",
    "from_user",
    "B",
    "\u{fffd}",
    "/~",
];

const NUMBERS: [&str; 24] = [
    "0",
    "1",
    "1.0",
    "2",
    "-0",
    "-0.0",
    "0.1",
    "1e2",
    "100",
    "-1001987654321",
    "9007199254740993",
    "9007199254740992",
    "9007199254740994",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "2e400",
    "-1e400",
    "1e-400",
    "123456789012345678901234567890",
    "2.5E-1",
    "0.25",
    "0.1000000000000000055",
];

const TEXTS: [&str; 10] = [
    "",
    "x",
    "节点",
    "😀",
    "\"\\\n/",
    "\u{0}\u{7f}",
    "\u{fffd}",
    "x\u{fffd}y",
    "a text that is long enough for its container to be indexed, longer than 64 bytes",
    "null",
];

impl<'a> Tape<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// Less than `below`; zero when the tape has run out.
    pub(crate) fn die(&mut self, below: usize) -> usize {
        let Some((&byte, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        usize::from(byte) % below
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.die(of.len())]
    }

    fn points(&mut self, of: &[&str]) -> Vec<u32> {
        match self.die(10) {
            7 => vec![0xd83c],
            8 => vec![0x78, 0xdf00, 0xd83c],
            9 => vec![0xd83c, 0xfffd],
            _ => self.pick(of).chars().map(u32::from).collect(),
        }
    }

    /// Mostly without lone halves.
    fn key(&mut self) -> Vec<u32> {
        match self.die(24) {
            23 => self.points(&KEYS),
            _ => self.pick(&KEYS).chars().map(u32::from).collect(),
        }
    }

    fn scalar(&mut self) -> Json {
        match self.die(6) {
            0 => Json::Null,
            1 => Json::Bool(true),
            2 => Json::Bool(false),
            3 | 4 => Json::Number(self.pick(&NUMBERS).into()),
            _ => Json::Text(self.points(&TEXTS)),
        }
    }

    pub(crate) fn value(&mut self, depth: usize) -> Node {
        Node::new(match self.die(8) {
            4 | 5 if depth > 0 => {
                let len = self.die(5);
                Json::Array((0..len).map(|_| self.value(depth - 1)).collect())
            }
            6 | 7 if depth > 0 => {
                let len = self.die(6);
                Json::Object((0..len).map(|_| self.member(depth)).collect())
            }
            _ => self.scalar(),
        })
    }

    fn member(&mut self, depth: usize) -> Member {
        Member {
            raw_key: None,
            key: self.key(),
            value: self.value(depth - 1),
        }
    }

    /// The base of a stage: most often an object as koipy's.
    pub(crate) fn base(&mut self) -> Node {
        match self.die(8) {
            0..4 => self.value(4),
            4 => {
                let len = 3 * self.die(120);
                let columns = vec![
                    named("a", self.value(3)),
                    named(
                        "节点名称",
                        Node::new(Json::Array((0..len).map(|_| self.value(1)).collect())),
                    ),
                    named(
                        "延迟RTT",
                        Node::new(Json::Array((0..len).map(|i| number(i % 3)).collect())),
                    ),
                ];
                Node::new(Json::Object(vec![
                    named("message", self.value(3)),
                    named("slave_request", self.value(4)),
                    named("result", Node::new(Json::Object(columns))),
                    named("addons", Node::new(Json::Object(vec![]))),
                ]))
            }
            _ => {
                let len = 1 + self.die(6);
                Node::new(Json::Object((0..len).map(|_| self.member(4)).collect()))
            }
        }
    }

    /// Whether it goes on to say that a reply is much like the one before.
    pub(crate) fn says_alike(&mut self) -> bool {
        self.die(4) == 1
    }

    /// What a backend makes of a document: mostly an echo, here and there an edit.
    pub(crate) fn reply(&mut self, base: &Node) -> Node {
        let habits = Habits {
            script: self.die(4) == 1,
            sorts: self.die(4) == 1,
            lists_for_objects: self.die(6) == 1,
            respells: self.die(4) == 1,
            eagerness: 1 + self.die(40),
        };
        match self.die(24) {
            23 => self.value(4),
            _ => self.mutate(base, &habits),
        }
    }

    fn mutate(&mut self, base: &Node, habits: &Habits) -> Node {
        let edits = self.die(habits.eagerness.max(12)) > 10;
        Node::new(match &base.json {
            _ if edits && self.die(3) == 0 => return self.value(3),
            Json::Array(elements) => {
                let elements = elements
                    .iter()
                    .map(|element| self.mutate(element, habits))
                    .collect();
                self.array(elements, edits, habits)
            }
            Json::Object(members) => {
                let members = members.iter().map(|member| Member {
                    raw_key: None,
                    key: self.respell(&member.key, habits),
                    value: self.mutate(&member.value, habits),
                });
                let members = members.collect();
                self.object(members, edits, habits)
            }
            Json::Number(digits) if habits.script => match digits.as_str() {
                "NaN" | "Infinity" | "-Infinity" => Json::Null,
                "9007199254740993" => Json::Number("9007199254740992".into()),
                "1.0" => Json::Number("1".into()),
                digits => Json::Number(digits.into()),
            },
            Json::Text(points) if habits.script => Json::Text(
                points
                    .iter()
                    .map(|&c| if (0xd800..0xe000).contains(&c) { 0xfffd } else { c })
                    .collect(),
            ),
            Json::Null if edits => Json::Number("NaN".into()),
            scalar if !edits => scalar.clone(),
            _ => self.scalar(),
        })
    }

    fn respell(&mut self, key: &[u32], habits: &Habits) -> Vec<u32> {
        if !habits.respells {
            return key.to_vec();
        }
        let style = self.die(3);
        let respell = |&c: &u32| match (c, style) {
            (0x2d, 1) => 0x5f,
            (0x5f, 2) => 0x2d,
            (c, _) => c,
        };
        key.iter().map(respell).collect()
    }

    fn array(&mut self, mut elements: Vec<Node>, edits: bool, habits: &Habits) -> Json {
        if elements.is_empty() && habits.lists_for_objects {
            return Json::Object(vec![]);
        }
        if edits {
            match self.die(5) {
                0 | 1 => {
                    let len = 1 + self.die(3);
                    elements.extend((0..len).map(|_| self.value(1)));
                }
                2 => elements.truncate(self.die(4)),
                3 => elements.reverse(),
                _ => elements.insert(0, self.value(1)),
            }
        }
        Json::Array(elements)
    }

    fn object(&mut self, mut members: Vec<Member>, edits: bool, habits: &Habits) -> Json {
        if members.is_empty() && habits.lists_for_objects {
            return Json::Array(vec![]);
        }
        if edits {
            match self.die(6) {
                0 | 1 => {
                    let at = self.die(members.len() + 1);
                    members.insert(at, self.member(3));
                }
                2 if !members.is_empty() => {
                    let at = self.die(members.len());
                    members.remove(at);
                }
                3 if !members.is_empty() => {
                    let mut again = members[self.die(members.len())].clone();
                    again.value = self.value(2);
                    let at = self.die(members.len() + 1);
                    members.insert(at, again);
                }
                4 => members.reverse(),
                _ => members.extend([self.member(2), self.member(2)]),
            }
        }
        if habits.sorts {
            members.sort_by(|a, b| a.key.cmp(&b.key));
        }
        Json::Object(members)
    }

    /// One of many ways to spell.
    pub(crate) fn hand(&mut self) -> Hand {
        Hand {
            comma: self.pick(&[", ", ",", " ,\n  "]),
            colon: self.pick(&[": ", ":", "\t: "]),
            around: self.pick(&["", "", "", " ", "\u{feff}", "\u{feff}\n"]),
            ascii: self.die(2) == 0,
        }
    }
}

fn named(key: &str, value: Node) -> Member {
    Member {
        raw_key: None,
        key: key.chars().map(u32::from).collect(),
        value,
    }
}

fn number(number: usize) -> Node {
    Node::new(Json::Number(number.to_string()))
}

/// What a serialiser does to everything that goes through it.
struct Habits {
    script: bool,
    sorts: bool,
    lists_for_objects: bool,
    respells: bool,
    eagerness: usize,
}

/// How a serialiser spells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hand {
    comma: &'static str,
    colon: &'static str,
    around: &'static str,
    ascii: bool,
}

impl Hand {
    /// Python's.
    pub(crate) const PYTHON: Self = Self {
        comma: ", ",
        colon: ": ",
        around: "",
        ascii: true,
    };

    /// A document's text.
    pub(crate) fn write(&self, node: &Node) -> String {
        let mut out = self.around.to_owned();
        self.value(node, &mut out);
        out.push_str(self.around.trim_start_matches('\u{feff}'));
        out
    }

    fn value(&self, node: &Node, out: &mut String) {
        match &node.json {
            Json::Null => out.push_str("null"),
            Json::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Json::Number(digits) => out.push_str(digits),
            Json::Text(points) => self.text(points, out),
            Json::Array(elements) => {
                out.push('[');
                for (i, element) in elements.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { self.comma });
                    self.value(element, out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (i, member) in members.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { self.comma });
                    self.text(&member.key, out);
                    out.push_str(self.colon);
                    self.value(&member.value, out);
                }
                out.push('}');
            }
        }
    }

    fn text(&self, points: &[u32], out: &mut String) {
        out.push('"');
        for &point in points {
            match char::from_u32(point) {
                Some(c @ ('"' | '\\')) => out.extend(['\\', c]),
                Some('\n') => out.push_str("\\n"),
                Some(c) if c >= ' ' && (c.is_ascii() || !self.ascii) => out.push(c),
                Some(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                None => out.push_str(&format!("\\u{point:04X}")),
            }
        }
        out.push('"');
    }
}
