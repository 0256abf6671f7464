//! What a mock does with a hook, as `--reply SPEC` spells it.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// What a mock does with every hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Goes on, with 204.
    Continue,
    /// Refuses.
    Reject(Refusal),
    /// Refuses these Telegram users, and goes on for all others.
    Blacklist(Vec<i64>),
    /// Adds a column to `result`, and sends the whole document back.
    Column {
        /// The column's key in `result`.
        name: String,
        /// What stands in it.
        cells: Cells,
    },
    /// Goes on, with a message for the user.
    Text(String),
    /// Goes on, with a picture.
    Picture(Size),
    /// Sends the document back as it came.
    Echo,
    /// Sends this body, labelled JSON.
    Json(String),
    /// Shows the error page of a crashed service, with this status.
    Fail(u16),
    /// Never answers.
    Hang,
}

/// A refusal: above 400, and what the user reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// 401 to 599.
    pub(crate) status: u16,
    /// What the bot shows to the user.
    pub(crate) text: String,
}

/// What stands in an added column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cells {
    /// 1, 2, 3, ...
    Places,
    /// The same for every node: one JSON value.
    Same(String),
}

/// A picture's size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// From left to right.
    pub(crate) width: u32,
    /// From top to bottom.
    pub(crate) height: u32,
}

/// Why a SPEC is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpecError {
    /// Its first word is no behaviour.
    #[error(
        "{0:?} is no behaviour: it is one of 204, reject, blacklist, column, text, picture, echo, json, fail, hang"
    )]
    Unknown(String),
    /// It takes nothing after its name.
    #[error("{0} takes nothing after it")]
    Surplus(&'static str),
    /// Something has to follow its name.
    #[error("write {0}")]
    Missing(&'static str),
    /// No status, or not one of those.
    #[error("{status:?} is no status from {} to {}", .allowed.start(), .allowed.end())]
    Status {
        /// What was written.
        status: String,
        /// What may be written.
        allowed: RangeInclusive<u16>,
    },
    /// No number of a Telegram user.
    #[error("{0:?} is no Telegram user's number, such as 5381204417")]
    User(String),
    /// No size of a picture.
    #[error("{0:?} is no size: write WIDTHxHEIGHT, such as 800x600, each from 1 to 5000")]
    Size(String),
}

/// What a refused user reads where nothing else was said.
pub(crate) const REFUSED: &str = "测试请求被拒绝 (refused)";

const REJECT_STATUSES: RangeInclusive<u16> = 401..=599;
const FAIL_STATUSES: RangeInclusive<u16> = 500..=599;
const DEFAULT_REJECT: u16 = 403;
const DEFAULT_FAIL: u16 = 500;
const DEFAULT_SIZE: Size = Size {
    width: 800,
    height: 600,
};
/// Keeps a drawn picture under 75 MB of memory.
const LONGEST_SIDE: u32 = 5000;

// === impl Behaviour ===

impl FromStr for Behaviour {
    type Err = SpecError;

    fn from_str(spec: &str) -> Result<Self, SpecError> {
        let (name, rest) = match spec.split_once(':') {
            Some((name, rest)) => (name, Some(rest)),
            None => (spec, None),
        };
        match name {
            "204" => alone(rest, "204", Self::Continue),
            "reject" => rest
                .map_or_else(|| Ok(Refusal::of(REFUSED)), reject)
                .map(Self::Reject),
            "blacklist" => blacklist(rest.unwrap_or_default()),
            "column" => column(rest.unwrap_or_default()),
            "text" => text(rest.unwrap_or_default()),
            "picture" => rest.map_or(Ok(DEFAULT_SIZE), size).map(Self::Picture),
            "echo" => alone(rest, "echo", Self::Echo),
            "json" => rest
                .map(|body| Self::Json(body.to_owned()))
                .ok_or(SpecError::Missing("json:BODY")),
            "fail" => rest
                .map_or(Ok(DEFAULT_FAIL), |rest| status(rest, FAIL_STATUSES))
                .map(Self::Fail),
            "hang" => alone(rest, "hang", Self::Hang),
            _ => Err(SpecError::Unknown(name.to_owned())),
        }
    }
}

impl Display for Behaviour {
    /// As a SPEC that reads as this again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continue => f.write_str("204"),
            Self::Reject(Refusal { status, text }) => write!(f, "reject:{status}:{text}"),
            Self::Blacklist(users) => {
                let users: Vec<String> = users.iter().map(i64::to_string).collect();
                write!(f, "blacklist:{}", users.join(","))
            }
            Self::Column { name, cells } => write!(f, "column:{name}{cells}"),
            Self::Text(text) => write!(f, "text:{text}"),
            Self::Picture(Size { width, height }) => write!(f, "picture:{width}x{height}"),
            Self::Echo => f.write_str("echo"),
            Self::Json(body) => write!(f, "json:{body}"),
            Self::Fail(status) => write!(f, "fail:{status}"),
            Self::Hang => f.write_str("hang"),
        }
    }
}

impl Display for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Places => Ok(()),
            Self::Same(value) => match serde_json::from_str::<String>(value) {
                Ok(text) => write!(f, "={text}"),
                Err(_) => write!(f, "={value}"),
            },
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// With the usual status.
    pub(crate) fn of(text: &str) -> Self {
        Self {
            status: DEFAULT_REJECT,
            text: text.to_owned(),
        }
    }
}

/// A behaviour that takes nothing after its name.
fn alone(rest: Option<&str>, name: &'static str, behaviour: Behaviour) -> Result<Behaviour, SpecError> {
    match rest {
        None => Ok(behaviour),
        Some(_) => Err(SpecError::Surplus(name)),
    }
}

/// `[STATUS][:TEXT]` or `TEXT`: digits alone up to the first colon are a status.
fn reject(rest: &str) -> Result<Refusal, SpecError> {
    let (first, after) = match rest.split_once(':') {
        Some((first, after)) => (first, Some(after)),
        None => (rest, None),
    };
    if !first.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Refusal::of(rest));
    }
    let status = if first.is_empty() {
        DEFAULT_REJECT
    } else {
        status(first, REJECT_STATUSES)?
    };
    Ok(Refusal {
        status,
        text: after.unwrap_or(REFUSED).to_owned(),
    })
}

fn blacklist(rest: &str) -> Result<Behaviour, SpecError> {
    if rest.is_empty() {
        return Err(SpecError::Missing(
            "blacklist:ID, or several with commas between them",
        ));
    }
    let user = |id: &str| id.trim().parse().map_err(|_| SpecError::User(id.to_owned()));
    rest.split(',')
        .map(user)
        .collect::<Result<_, _>>()
        .map(Behaviour::Blacklist)
}

fn column(rest: &str) -> Result<Behaviour, SpecError> {
    let (name, cells) = match rest.split_once('=') {
        Some((name, value)) => (name, Cells::Same(scalar(value))),
        None => (rest, Cells::Places),
    };
    if name.is_empty() {
        return Err(SpecError::Missing("column:NAME or column:NAME=VALUE"));
    }
    Ok(Behaviour::Column {
        name: name.to_owned(),
        cells,
    })
}

fn text(rest: &str) -> Result<Behaviour, SpecError> {
    if rest.is_empty() {
        return Err(SpecError::Missing("text:TEXT (an empty message carries nothing)"));
    }
    Ok(Behaviour::Text(rest.to_owned()))
}

/// A number, `true`, `false` or `null` stays what it is; anything else becomes a string.
fn scalar(value: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(value) {
        Ok(read) if !read.is_array() && !read.is_object() && !read.is_string() => value.trim().to_owned(),
        _ => serde_json::Value::from(value).to_string(),
    }
}

fn status(text: &str, allowed: RangeInclusive<u16>) -> Result<u16, SpecError> {
    match text.parse() {
        Ok(status) if allowed.contains(&status) => Ok(status),
        _ => Err(SpecError::Status {
            status: text.to_owned(),
            allowed,
        }),
    }
}

fn size(text: &str) -> Result<Size, SpecError> {
    let side = |side: &str| side.parse().ok().filter(|side| (1..=LONGEST_SIDE).contains(side));
    text.split_once('x')
        .and_then(|(width, height)| {
            Some(Size {
                width: side(width)?,
                height: side(height)?,
            })
        })
        .ok_or_else(|| SpecError::Size(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: &str, expected: Result<Behaviour, &str>) {
        let got = spec.parse::<Behaviour>().map_err(|error| error.to_string());
        if let Ok(behaviour) = &got {
            assert_eq!(
                behaviour.to_string().parse().as_ref(),
                Ok(behaviour),
                "{spec:?} is shown as {behaviour}"
            );
        }
        assert_eq!(got, expected.map_err(str::to_owned), "{spec:?}");
    }

    #[test]
    fn what_takes_nothing() {
        check("204", Ok(Behaviour::Continue));
        check("echo", Ok(Behaviour::Echo));
        check("hang", Ok(Behaviour::Hang));
        check("hang:5s", Err("hang takes nothing after it"));
        check("echo:", Err("echo takes nothing after it"));
        check(
            "",
            Err(
                r#""" is no behaviour: it is one of 204, reject, blacklist, column, text, picture, echo, json, fail, hang"#,
            ),
        );
        check(
            "200",
            Err(
                r#""200" is no behaviour: it is one of 204, reject, blacklist, column, text, picture, echo, json, fail, hang"#,
            ),
        );
    }

    #[test]
    fn refusals() {
        fn ok(spec: &str, status: u16, text: &str) {
            check(
                spec,
                Ok(Behaviour::Reject(Refusal {
                    status,
                    text: text.to_owned(),
                })),
            );
        }
        ok("reject", 403, REFUSED);
        ok("reject:", 403, REFUSED);
        ok("reject:429", 429, REFUSED);
        ok("reject:429:", 429, "");
        ok("reject:429:稍后再试", 429, "稍后再试");
        ok("reject:稍后再试", 403, "稍后再试");
        ok("reject:注意: 已拉黑", 403, "注意: 已拉黑");
        ok("reject::429", 403, "429");
        ok("reject:403:a:b", 403, "a:b");
        check("reject:400", Err(r#""400" is no status from 401 to 599"#));
        check("reject:99999", Err(r#""99999" is no status from 401 to 599"#));
        check("blacklist:1,-2, 3", Ok(Behaviour::Blacklist(vec![1, -2, 3])));
        check(
            "blacklist",
            Err("write blacklist:ID, or several with commas between them"),
        );
        check(
            "blacklist:1,",
            Err(r#""" is no Telegram user's number, such as 5381204417"#),
        );
    }

    #[test]
    fn columns() {
        fn ok(spec: &str, name: &str, cells: Cells) {
            check(
                spec,
                Ok(Behaviour::Column {
                    name: name.to_owned(),
                    cells,
                }),
            );
        }
        ok("column:序号", "序号", Cells::Places);
        ok("column:倍率=1.50", "倍率", Cells::Same("1.50".to_owned()));
        ok("column:a=null", "a", Cells::Same("null".to_owned()));
        ok("column:a=", "a", Cells::Same(r#""""#.to_owned()));
        ok("column:a=x=\"y\"", "a", Cells::Same(r#""x=\"y\"""#.to_owned()));
        ok("column:a=[1]", "a", Cells::Same(r#""[1]""#.to_owned()));
        ok("column:a=\"b\"", "a", Cells::Same(r#""\"b\"""#.to_owned()));
        check("column", Err("write column:NAME or column:NAME=VALUE"));
        check("column:=1", Err("write column:NAME or column:NAME=VALUE"));
    }

    #[test]
    fn what_is_carried() {
        check("text:好", Ok(Behaviour::Text("好".to_owned())));
        check("text:", Err("write text:TEXT (an empty message carries nothing)"));
        check("json:", Ok(Behaviour::Json(String::new())));
        check("json:{\"a\": 1}", Ok(Behaviour::Json("{\"a\": 1}".to_owned())));
        check("json", Err("write json:BODY"));
        check("picture", Ok(Behaviour::Picture(DEFAULT_SIZE)));
        check(
            "picture:1x5000",
            Ok(Behaviour::Picture(Size {
                width: 1,
                height: 5000,
            })),
        );
        for wrong in ["", "x", "0x1", "1x5001", "10", "1x2x3", "-1x1", "1 x 1"] {
            let error =
                format!("{wrong:?} is no size: write WIDTHxHEIGHT, such as 800x600, each from 1 to 5000");
            check(&format!("picture:{wrong}"), Err(&error));
        }
    }

    #[test]
    fn failures() {
        check("fail", Ok(Behaviour::Fail(500)));
        check("fail:503", Ok(Behaviour::Fail(503)));
        check("fail:404", Err(r#""404" is no status from 500 to 599"#));
        check("fail:", Err(r#""" is no status from 500 to 599"#));
    }
}
