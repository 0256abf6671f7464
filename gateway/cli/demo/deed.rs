//! What koipy does with the one answer.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use koigate_core::answer::Answer;
use koigate_core::json::{Document, Value};

/// What koipy does with an answer, by its status and `Content-Type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Goes on with the test.
    GoesOn,
    /// Refuses to go on, and shows this.
    Refuses(String),
    /// Takes no notice of a status like this, and goes on.
    Ignores(u16),
    /// Goes on, and sends a picture of so many bytes.
    SendsPicture(usize),
    /// Goes on, and sends this as a message.
    SendsText(String),
    /// Goes on, and sends a file of so many bytes.
    SendsFile(usize),
    /// Goes on with the document as it came back.
    Takes(Changes),
}

/// What a document that came back would change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Columns of `result` that were not there.
    pub(crate) added: Vec<String>,
    /// Columns of `result` that were there, and differ.
    pub(crate) replaced: Vec<String>,
    /// Pictures under `addons.koigate`, which koipy itself doesn't read.
    pub(crate) pictures: usize,
}

/// What koipy does with this answer to this document.
pub(crate) fn deed(sent: &Bytes, answer: &Answer) -> Deed {
    match answer.status {
        204 => return Deed::GoesOn,
        200 => {}
        401.. => return Deed::Refuses(String::from_utf8_lossy(&answer.body).into_owned()),
        status => return Deed::Ignores(status),
    }
    match media(answer).as_str() {
        "image/png" | "image/jpeg" => Deed::SendsPicture(answer.body.len()),
        "text/plain" | "plain/text" => Deed::SendsText(String::from_utf8_lossy(&answer.body).into_owned()),
        "application/json" => match Document::parse(answer.body.clone()) {
            Ok(returned) => Deed::Takes(changes(sent, &returned)),
            Err(_) => Deed::GoesOn,
        },
        "" => Deed::SendsFile(answer.body.len()),
        _ => Deed::GoesOn,
    }
}

/// The pictures that an answer carries: itself, or those beside its document.
pub(crate) fn pictures(answer: &Answer) -> Vec<Bytes> {
    match media(answer).as_str() {
        "image/png" | "image/jpeg" => vec![answer.body.clone()],
        "application/json" => Document::parse(answer.body.clone())
            .map(|returned| carried(&returned))
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The media type alone, in lower case; empty if the answer has none.
fn media(answer: &Answer) -> String {
    let content_type = answer
        .content_type
        .as_deref()
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

fn changes(sent: &Bytes, returned: &Document) -> Changes {
    let mut changes = Changes {
        pictures: carried(returned).len(),
        ..Changes::default()
    };
    let sent = Document::parse(sent.clone()).ok();
    let before = sent.as_ref().and_then(|sent| sent.root().get("result"));
    let Some(columns) = returned.root().get("result") else {
        return changes;
    };
    for (key, column) in columns.members() {
        let Some(key) = key.as_str() else { continue };
        match before.and_then(|before| before.get(&key)) {
            None => changes.added.push(key.into_owned()),
            Some(before) if before.raw() != column.raw() => changes.replaced.push(key.into_owned()),
            Some(_) => {}
        }
    }
    changes
}

/// The pictures under `addons.koigate`.
fn carried(returned: &Document) -> Vec<Bytes> {
    let images = || returned.root().get("addons")?.get("koigate")?.get("images");
    let Some(images) = images() else { return Vec::new() };
    let picture = |image: Value<'_>| STANDARD.decode(&*image.get("data")?.as_str()?).ok();
    images.elements().filter_map(picture).map(Bytes::from).collect()
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GoesOn => f.write_str("goes on · 继续"),
            Self::Refuses(text) => write!(f, "refuses, and shows the user · 拒绝，并告诉用户：\n{text}"),
            Self::Ignores(status) => write!(f, "ignores a {status}, and goes on · 忽略，继续"),
            Self::SendsPicture(bytes) => write!(
                f,
                "goes on, and sends the picture · 继续，并发送图片 ({} KB)",
                bytes.div_ceil(1000)
            ),
            Self::SendsText(text) => write!(f, "goes on, and sends the message · 继续，并发送消息：\n{text}"),
            Self::SendsFile(bytes) => write!(
                f,
                "goes on, and sends the file · 继续，并发送文件 ({} KB)",
                bytes.div_ceil(1000)
            ),
            Self::Takes(changes) => changes.fmt(f),
        }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("goes on, and takes the document · 继续，并采用返回的文档")?;
        for (what, columns) in [
            ("new columns · 新增的列：", &self.added),
            ("changed columns · 改动的列：", &self.replaced),
        ] {
            if !columns.is_empty() {
                write!(f, "\n{what}{}", columns.join(", "))?;
            }
        }
        match self.pictures {
            0 => Ok(()),
            count => write!(
                f,
                "\n{count} × picture in addons.koigate, which koipy does not show · 另附图片，koipy 不会显示"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = r#"{"result": {"节点名称": ["a"], "延迟RTT": [NaN]}}"#;

    fn check(status: u16, content_type: Option<&'static str>, body: &str, expected: &Deed) {
        let content_type = content_type.map(|value| Bytes::from_static(value.as_bytes()));
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = Answer {
            status,
            content_type,
            content_disposition: None,
            body,
        };
        assert_eq!(
            deed(&Bytes::from_static(SENT.as_bytes()), &answer),
            *expected,
            "{answer:?}"
        );
    }

    #[test]
    fn by_status() {
        check(204, None, "", &Deed::GoesOn);
        check(403, Some("image/png"), "不行", &Deed::Refuses("不行".to_owned()));
        check(401, None, "", &Deed::Refuses(String::new()));
        check(400, None, "", &Deed::Ignores(400));
        check(302, None, "", &Deed::Ignores(302));
        check(201, Some("text/plain"), "", &Deed::Ignores(201));
    }

    #[test]
    fn by_content_type() {
        check(200, Some("IMAGE/PNG; x=y"), "12345", &Deed::SendsPicture(5));
        check(
            200,
            Some("text/plain; charset=utf-8"),
            "好",
            &Deed::SendsText("好".to_owned()),
        );
        check(200, Some("plain/text"), "好", &Deed::SendsText("好".to_owned()));
        check(200, None, "123", &Deed::SendsFile(3));
        check(200, Some("text/html"), "<p>", &Deed::GoesOn);
        check(200, Some("application/json"), "no JSON", &Deed::GoesOn);
    }

    #[test]
    fn by_document() {
        let takes = |added: &[&str], replaced: &[&str], pictures| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            Deed::Takes(Changes {
                added: owned(added),
                replaced: owned(replaced),
                pictures,
            })
        };
        let json = Some("application/json");
        check(200, json, SENT, &takes(&[], &[], 0));
        check(
            200,
            json,
            r#"{"result": {"延迟RTT": [1], "倍率": [2]}}"#,
            &takes(&["倍率"], &["延迟RTT"], 0),
        );
        let attached = r#"{"addons": {"koigate": {"images": [{"data": "aGk="}, {"data": "!"}]}}}"#;
        check(200, json, attached, &takes(&[], &[], 1));
    }

    #[test]
    fn pictures_of_an_answer() {
        let answer = |content_type: &'static str, body: &'static str| Answer {
            status: 200,
            content_type: Some(Bytes::from_static(content_type.as_bytes())),
            content_disposition: None,
            body: Bytes::from_static(body.as_bytes()),
        };
        let attached = r#"{"addons": {"koigate": {"images": [{"data": "aGk="}]}}}"#;
        assert_eq!(pictures(&answer("image/png", "hi")), ["hi"]);
        assert_eq!(pictures(&answer("application/json", attached)), ["hi"]);
        assert_eq!(pictures(&answer("text/plain", "hi")), Vec::<Bytes>::new());
    }
}
