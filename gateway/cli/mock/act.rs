//! What a mock answers to one hook: the document in, the answer out, nothing else.

use bytes::Bytes;
use koigate_core::answer::Answer;
use koigate_core::json::diff::{Echoes, diff};
use koigate_core::json::{Document, Value};
use koigate_core::merge::merge;
use koigate_core::plan::OnConflict;

use super::behaviour::{Behaviour, Cells, Refusal};
use super::poster::{self, Row};

/// What a mock does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Answers.
    Answer(Answer),
    /// Says nothing for as long as it runs.
    Silence,
}

/// The column of names: as long as every other column.
const NAMES: &str = "节点名称";
/// The column that a poster's bars show.
const SPEEDS: &str = "平均速度";
/// Columns of words that are no verdict on a service.
const DESCRIPTIONS: [&str; 2] = [NAMES, "类型"];
/// What a user on a blacklist reads.
const BLACKLISTED: &str = "你已被加入黑名单，不能使用测试功能 (you are on the blacklist)";
/// The page that a framework shows in place of a handler that raised.
const ERROR_PAGE: &str = "<!doctype html>\n<title>Error</title>\n<h1>Internal Server Error</h1>\n<p>The mock was told to fail.</p>\n";

// === impl Behaviour ===

impl Behaviour {
    /// What a mock of this behaviour does with this document, be it JSON or not.
    pub(crate) fn act(&self, body: &Bytes) -> Act {
        let answer = match self {
            Self::Continue => Answer::no_content(),
            Self::Reject(refusal) => refusal.answer(),
            Self::Blacklist(users) => match user_of(body) {
                Some(user) if users.contains(&user) => Refusal::of(BLACKLISTED).answer(),
                _ => Answer::no_content(),
            },
            Self::Column { name, cells } => match add_column(body, name, cells) {
                Some(document) => carrying("application/json", document),
                None => Answer::no_content(),
            },
            Self::Text(text) => Answer::text(200, text),
            Self::Picture(size) => carrying("image/png", poster::draw(&rows_of(body), *size)),
            Self::Echo => carrying("application/json", body.clone()),
            Self::Json(json) => carrying("application/json", Bytes::copy_from_slice(json.as_bytes())),
            Self::Fail(status) => Answer {
                status: *status,
                ..carrying(
                    "text/html; charset=utf-8",
                    Bytes::from_static(ERROR_PAGE.as_bytes()),
                )
            },
            Self::Hang => return Act::Silence,
        };
        Act::Answer(answer)
    }
}

// === impl Refusal ===

impl Refusal {
    fn answer(&self) -> Answer {
        Answer::text(self.status, &self.text)
    }
}

fn carrying(content_type: &'static str, body: Bytes) -> Answer {
    let content_type = Some(Bytes::from_static(content_type.as_bytes()));
    Answer {
        status: 200,
        content_type,
        content_disposition: None,
        body,
    }
}

/// Who sent the message, as Telegram numbers users; releases of koipy spell the key in two ways.
fn user_of(body: &Bytes) -> Option<i64> {
    let document = Document::parse(body.clone()).ok()?;
    let message = document.root().get("message")?;
    let user = message.get("from-user").or_else(|| message.get("from_user"))?;
    std::str::from_utf8(user.get("id")?.raw()).ok()?.parse().ok()
}

/// The document with one column more, or `None` where there are no nodes.
///
/// Built like any merge of the gateway's, so that a document with `NaN` in it, and the order of its keys,
/// survive.
fn add_column(body: &Bytes, name: &str, cells: &Cells) -> Option<Bytes> {
    let document = Document::parse(body.clone()).ok()?;
    let nodes = document.root().get("result")?.get(NAMES)?.elements().count();
    if nodes == 0 {
        return None;
    }
    let cells: Vec<String> = (1..=nodes).map(|place| cells.at(place)).collect();
    let key = serde_json::Value::from(name);
    let patch = format!(r#"{{"result": {{{key}: [{}]}}}}"#, cells.join(", "));
    let edits = diff(&document, patch.into(), &mut Echoes::default()).ok()?.edits;
    let merged = merge(&document, &[&edits], OnConflict::Last).document;
    Some(merged.unwrap_or(document).bytes().clone())
}

// === impl Cells ===

impl Cells {
    /// The JSON for the node at this place, counted from 1.
    fn at(&self, place: usize) -> String {
        match self {
            Self::Places => place.to_string(),
            Self::Same(value) => value.clone(),
        }
    }
}

/// The rows of a poster: every node's speed, and what the columns of words say of it.
fn rows_of(body: &Bytes) -> Vec<Row> {
    let Ok(document) = Document::parse(body.clone()) else {
        return Vec::new();
    };
    let Some(result) = document.root().get("result") else {
        return Vec::new();
    };
    let nodes = result.get(NAMES).map_or(0, |names| names.elements().count());
    let mut rows = vec![
        Row {
            speed: 0.0,
            marks: Vec::new()
        };
        nodes
    ];
    for (key, column) in result.members() {
        match key.as_str().as_deref() {
            Some(SPEEDS) => rows
                .iter_mut()
                .zip(column.elements())
                .for_each(|(row, cell)| row.speed = number(cell)),
            Some(name) if DESCRIPTIONS.contains(&name) => {}
            _ => mark_all(&mut rows, column),
        }
    }
    rows
}

/// A dot in every row, if this is a column of words.
fn mark_all(rows: &mut [Row], column: Value<'_>) {
    let words: Option<Vec<_>> = column.elements().map(|cell| cell.as_str()).collect();
    if let Some(words) = words.filter(|words| words.len() == rows.len()) {
        for (row, word) in rows.iter_mut().zip(words) {
            row.marks.push(poster::mark(&word));
        }
    }
}

/// A cell's number, 0 for what is none or not finite.
fn number(cell: Value<'_>) -> f64 {
    let number = std::str::from_utf8(cell.raw())
        .ok()
        .and_then(|text| text.parse().ok());
    number
        .filter(|number: &f64| number.is_finite())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use image::ImageFormat;

    use super::*;
    use crate::cli::mock::behaviour::Size;
    use crate::cli::mock::poster::Mark;

    const RESULT: &str = r#"{"message": {"from-user": {"id": 7}}, "result": {"节点名称": ["a", "b"], "平均速度": [NaN, 2e6],
        "Netflix": ["解锁(HK)", "失败"], "类型": ["x", "y"], "线程": 4}, "addons": {}}"#;

    /// Status, content type and body of what a mock of this SPEC answers.
    fn answer(spec: &str, body: &str) -> (u16, Option<String>, String) {
        let behaviour: Behaviour = spec.parse().unwrap();
        let Act::Answer(answer) = behaviour.act(&Bytes::copy_from_slice(body.as_bytes())) else {
            panic!("{spec} is silent")
        };
        let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
        (answer.status, answer.content_type.map(text), text(answer.body))
    }

    fn check(spec: &str, body: &str, expected: (u16, Option<&str>, &str)) {
        let (status, content_type, body) = answer(spec, body);
        assert_eq!(
            (status, content_type.as_deref(), body.as_str()),
            expected,
            "{spec}"
        );
    }

    #[test]
    fn what_looks_at_nothing() {
        let json = Some("application/json");
        let text = Some("text/plain; charset=utf-8");
        check("204", "x", (204, None, ""));
        check("reject:429:慢点", "x", (429, text, "慢点"));
        check("text:好", "x", (200, text, "好"));
        check("echo", "{\"a\": NaN}", (200, json, "{\"a\": NaN}"));
        check("json:{", "x", (200, json, "{"));
        check(
            "fail:502",
            "x",
            (502, Some("text/html; charset=utf-8"), ERROR_PAGE),
        );
        assert_eq!(Behaviour::Hang.act(&Bytes::new()), Act::Silence);
    }

    #[test]
    fn a_blacklist_knows_both_spellings() {
        for (body, status) in [
            (RESULT, 403),
            (r#"{"message": {"from_user": {"id": 7}}}"#, 403),
            (r#"{"message": {"from-user": {"id": 8}}}"#, 204),
            (r#"{"message": {"from-user": {"id": "7"}}}"#, 204),
            (r#"{"message": {}}"#, 204),
            ("no JSON", 204),
        ] {
            assert_eq!(answer("blacklist:1,7", body).0, status, "{body}");
        }
    }

    #[test]
    fn a_column_is_added_behind_the_others_and_nothing_else_changes() {
        let with = |column: &str| RESULT.replace("\"线程\": 4", &format!("\"线程\": 4,{column}"));
        let json = Some("application/json");
        check("column:序号", RESULT, (200, json, &with("\"序号\": [1, 2]")));
        check(
            "column:a\"b=x",
            RESULT,
            (200, json, &with(r#""a\"b": ["x", "x"]"#)),
        );
        check("column:a", r#"{"result": {"节点名称": []}}"#, (204, None, ""));
        check("column:a", r#"{"result": {}}"#, (204, None, ""));
        check("column:a", "no JSON", (204, None, ""));
    }

    #[test]
    fn a_poster_has_a_row_for_each_node() {
        let row = |speed, mark| Row {
            speed,
            marks: vec![mark],
        };
        let rows = rows_of(&Bytes::from_static(RESULT.as_bytes()));
        assert_eq!(rows, [row(0.0, Mark::Good), row(2e6, Mark::Bad)]);
        assert_eq!(rows_of(&Bytes::from_static(b"no JSON")), []);
    }

    #[test]
    fn pictures_are_pngs_of_the_size_asked_for() {
        for body in [RESULT, "no JSON"] {
            for (width, height) in [(1, 1), (3, 500), (640, 7), (800, 600)] {
                let behaviour = Behaviour::Picture(Size { width, height });
                let Act::Answer(answer) = behaviour.act(&Bytes::copy_from_slice(body.as_bytes())) else {
                    panic!()
                };
                let picture = image::load_from_memory_with_format(&answer.body, ImageFormat::Png).unwrap();
                assert_eq!((picture.width(), picture.height()), (width, height));
                assert_eq!(answer.content_type.as_deref(), Some(&b"image/png"[..]));
            }
        }
    }
}
