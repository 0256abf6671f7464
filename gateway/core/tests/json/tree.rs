//! JSON as a tree, and how the serialisers of the world spell it: what tests compare the merge with.
//!
//! The product builds no trees; this one is slow, plain, and of a different make on purpose.

/// A JSON value. Text is code points, so that halves of surrogate pairs can stand alone.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is spelled, Python's three words among them.
    Number(String),
    /// A string.
    Text(Vec<u32>),
    /// An array.
    Array(Vec<Tree>),
    /// An object, in order.
    Object(Vec<(Vec<u32>, Tree)>),
}

/// How one serialiser spells values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelling {
    /// Between children.
    pub comma: &'static str,
    /// Behind a key.
    pub colon: &'static str,
    /// Whether what is not ASCII is escaped.
    pub ascii: bool,
    /// Whether keys are sorted.
    pub sorted: bool,
    /// What numbers become.
    pub numbers: Numbers,
    /// What half a surrogate pair becomes: U+FFFD, or itself, escaped.
    pub replaces: bool,
    /// What an empty container becomes.
    pub empty: Option<&'static str>,
}

/// What numbers become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// What they were.
    Kept,
    /// 64-bit floats, as JavaScript writes them; `null` where it can't.
    Floats,
    /// What they were, but `null` for what JSON has no word for.
    Strict,
}

impl Spelling {
    /// `json.dumps` with its defaults.
    pub const PYTHON: Self = Self {
        comma: ", ",
        colon: ": ",
        ascii: true,
        sorted: false,
        numbers: Numbers::Kept,
        replaces: false,
        empty: None,
    };
    /// `flask.jsonify`.
    pub const FLASK: Self = Self {
        comma: ",",
        colon: ":",
        sorted: true,
        ..Self::PYTHON
    };
    /// `JSON.stringify`, which spells halves of pairs as escapes.
    pub const NODE: Self = Self {
        comma: ",",
        colon: ":",
        ascii: false,
        numbers: Numbers::Floats,
        ..Self::PYTHON
    };
    /// `orjson.dumps`.
    pub const ORJSON: Self = Self {
        numbers: Numbers::Strict,
        replaces: true,
        ..Self::NODE
    };
    /// `encoding/json` over `map[string]any`.
    pub const GO: Self = Self {
        sorted: true,
        replaces: true,
        ..Self::NODE
    };
    /// `json_encode(json_decode($x, true))`, which knows no empty object.
    pub const PHP: Self = Self {
        ascii: true,
        replaces: true,
        empty: Some("[]"),
        ..Self::NODE
    };
    /// `cjson`, which knows no empty array.
    pub const LUA: Self = Self {
        ascii: false,
        empty: Some("{}"),
        ..Self::PHP
    };
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::PYTHON,
        Self::FLASK,
        Self::NODE,
        Self::ORJSON,
        Self::GO,
        Self::PHP,
        Self::LUA,
    ];
}

impl Tree {
    /// An object of these members.
    pub fn object<const N: usize>(members: [(&str, Tree); N]) -> Self {
        Self::Object(
            members
                .map(|(key, value)| (key.chars().map(u32::from).collect(), value))
                .into(),
        )
    }

    /// Writes it.
    pub fn spell(&self, how: Spelling) -> String {
        let mut out = String::new();
        self.write(how, &mut out);
        out
    }

    fn write(&self, how: Spelling, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(&number(digits, how.numbers)),
            Self::Text(text) => write_text(text, how, out),
            Self::Array(elements) => {
                if let (true, Some(empty)) = (elements.is_empty(), how.empty) {
                    return out.push_str(empty);
                }
                out.push('[');
                for (n, element) in elements.iter().enumerate() {
                    out.push_str(if n == 0 { "" } else { how.comma });
                    element.write(how, out);
                }
                out.push(']');
            }
            Self::Object(members) => write_members(members, how, out),
        }
    }
}

fn write_members(members: &[(Vec<u32>, Tree)], how: Spelling, out: &mut String) {
    if let (true, Some(empty)) = (members.is_empty(), how.empty) {
        return out.push_str(empty);
    }
    let mut members: Vec<_> = members.iter().collect();
    if how.sorted {
        members.sort_by_key(|(key, _)| key);
    }
    out.push('{');
    for (n, (key, value)) in members.into_iter().enumerate() {
        out.push_str(if n == 0 { "" } else { how.comma });
        write_text(key, how, out);
        out.push_str(how.colon);
        value.write(how, out);
    }
    out.push('}');
}

fn write_text(text: &[u32], how: Spelling, out: &mut String) {
    out.push('"');
    for &point in text {
        let half = (0xD800..0xE000).contains(&point);
        match char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER) {
            _ if half && !how.replaces => out.push_str(&format!("\\u{point:04x}")),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c if how.ascii && !c.is_ascii() => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn number(digits: &str, numbers: Numbers) -> String {
    let float: f64 = digits.parse().unwrap_or(f64::NAN);
    match numbers {
        Numbers::Kept => digits.to_owned(),
        _ if !float.is_finite() => "null".to_owned(),
        Numbers::Strict => digits.to_owned(),
        Numbers::Floats if float == 0.0 => "0".to_owned(),
        Numbers::Floats if float.abs() >= 1e21 => format!("{float:e}"),
        Numbers::Floats => float.to_string(),
    }
}
