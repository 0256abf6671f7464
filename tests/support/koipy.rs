//! A fake koipy: posts documents as the bot does, and acts on answers as the bot does.

use std::net::SocketAddr;

use bytes::Bytes;

use super::python::{self, Value};
use super::wire::{Response, Wire};

/// The bot, with the one URL that its operator gave it.
#[derive(Clone, Debug)]
pub(crate) struct Koipy {
    address: SocketAddr,
    release: Release,
}

/// Releases differ in what they say of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// Before 1.11.5: no `Content-Type`.
    Old,
    /// `Content-Type: application/json`.
    New,
}

/// The userinfo of its URL, `bot:canary`: whoever asks for no token keeps it to himself all the same.
const SECRET: &str = "Authorization: Basic Ym90OmNhbmFyeQ==\r\n";

/// Where the bot stands after a hook.
#[derive(Debug)]
pub(crate) struct After {
    /// The answer it got.
    pub(crate) response: Response,
    /// Whether it goes on with the test.
    pub(crate) goes_on: bool,
    /// The document that it goes on with.
    pub(crate) holds: Value,
    /// What the user sees because of the answer.
    pub(crate) shows: Option<Shown>,
}

/// What the bot sends to its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Refusal(String),
    Message(String),
    Picture(Bytes),
    File { name: Option<String>, body: Bytes },
}

impl Koipy {
    /// A bot of a new release whose URL leads here.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self {
            address,
            release: Release::New,
        }
    }

    /// The same bot, older.
    pub(crate) fn old(self) -> Self {
        Self {
            release: Release::Old,
            ..self
        }
    }

    /// Fires a hook under its own path, `/onMessage`, and acts on the answer.
    pub(crate) async fn fires(&self, hook: &str, document: &Value) -> After {
        let response = self.posts(&format!("/{hook}"), document.dumps()).await;
        After::of(hook, document, response)
    }

    /// A connection of its own, for what is no whole request.
    pub(crate) async fn connects(&self) -> Wire {
        Wire::connect(self.address).await
    }

    /// Posts a body to this path and gives the bare answer back.
    pub(crate) async fn posts(&self, path: &str, body: impl AsRef<[u8]>) -> Response {
        let mut wire = Wire::connect(self.address).await;
        wire.write(self.request(path, body.as_ref()))
            .await
            .expect("the gateway reads");
        wire.answered().await
    }

    /// A request as the bot's HTTP library writes it.
    pub(crate) fn request(&self, path: &str, body: &[u8]) -> Vec<u8> {
        let content_type = match self.release {
            Release::Old => "",
            Release::New => "Content-Type: application/json\r\n",
        };
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n\
             User-Agent: Python/3.11 aiohttp/3.9.5\r\n{SECRET}{content_type}Content-Length: {}\r\n\r\n",
            self.address,
            body.len(),
        )
        .into_bytes();
        request.extend_from_slice(body);
        request
    }
}

impl After {
    /// Acts on an answer to this hook.
    fn of(hook: &str, document: &Value, response: Response) -> Self {
        let (goes_on, shows) = match response.status {
            200 => (true, shown(&response)),
            401.. => (false, Some(Shown::Refusal(response.text()))),
            _ => (true, None),
        };
        let mut holds = document.clone();
        if response.status == 200 && media_type(&response).as_deref() == Some("application/json") {
            take_over(hook, &mut holds, &response.body);
        }
        Self {
            response,
            goes_on,
            holds,
            shows,
        }
    }

    /// The refusal that the user reads.
    pub(crate) fn refusal(&self) -> &str {
        match &self.shows {
            Some(Shown::Refusal(text)) => text,
            other => panic!("no refusal: {other:?}, {:?}", self.response),
        }
    }

    /// The answer's JSON, whole.
    pub(crate) fn answer(&self) -> Value {
        assert_eq!(self.response.status, 200, "{:?}", self.response);
        assert_eq!(
            media_type(&self.response).as_deref(),
            Some("application/json"),
            "{:?}",
            self.response
        );
        python::json(&self.response.body)
    }
}

/// What the bot sends on because of a 200.
fn shown(response: &Response) -> Option<Shown> {
    match media_type(response).as_deref() {
        Some("image/png" | "image/jpeg") => Some(Shown::Picture(response.body.clone())),
        Some("text/plain" | "plain/text") => Some(Shown::Message(response.text())),
        None => Some(Shown::File {
            name: file_name(response),
            body: response.body.clone(),
        }),
        Some(_) => None,
    }
}

/// What the bot does with the JSON of a 200. At `onMessage` there is nothing yet that it would take over.
fn take_over(hook: &str, holds: &mut Value, body: &[u8]) {
    let Ok(reply) = python::loads(body) else { return };
    match hook {
        "onPreSend" => *holds = reply,
        "onResult" => {
            if let Some(result) = reply.find("/result") {
                holds.at_mut("/result").update(result);
            }
        }
        _ => {}
    }
}

fn media_type(response: &Response) -> Option<String> {
    let value = response.header("content-type")?;
    let media_type = value.split(';').next().unwrap_or_default();
    Some(media_type.trim().to_ascii_lowercase())
}

fn file_name(response: &Response) -> Option<String> {
    let value = response.header("content-disposition")?;
    let (_, name) = value.split_once("filename=")?;
    let name = match name.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => name.split(';').next(),
    };
    name.map(|name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::backend::{Told, backend};
    use super::super::reply::{file, json_body, no_content, reject, status, text};
    use super::*;

    /// What the bot does without any gateway in between.
    async fn check(hook: &str, service: Told, goes_on: bool, shows: Option<Shown>, result: &str) {
        let service = service.starts();
        let document = python::json(r#"{"result": {"a": [1], "b": [2]}}"#);
        let after = Koipy::at(service.address).fires(hook, &document).await;
        assert_eq!((after.goes_on, after.shows), (goes_on, shows), "{hook}");
        assert_eq!(after.holds.at("/result").dumps(), result, "{hook}");
        assert_eq!(service.request().document(), document);
    }

    #[tokio::test]
    async fn acts_as_the_bot_does() {
        const SAME: &str = r#"{"a": [1], "b": [2]}"#;
        let told = |reply: super::super::reply::Reply| backend("service").replies(reply);
        let merged = r#"{"a": [9], "b": [2], "c": [3]}"#;
        let partial = r#"{"result": {"a": [9], "c": [3]}}"#;
        check("onResult", told(json_body(partial)), true, None, merged).await;
        check(
            "onPreSend",
            told(json_body(partial)),
            true,
            None,
            r#"{"a": [9], "c": [3]}"#,
        )
        .await;
        check("onMessage", told(json_body(partial)), true, None, SAME).await;
        check("onResult", told(json_body("{")), true, None, SAME).await;
        check("onResult", told(no_content()), true, None, SAME).await;
        check("onResult", told(status(400)), true, None, SAME).await;
        check("onResult", told(status(302)), true, None, SAME).await;
        let refused = Some(Shown::Refusal("没有积分".into()));
        check("onMessage", told(reject(403, "没有积分")), false, refused, SAME).await;
        let message = Some(Shown::Message("完成".into()));
        check(
            "onResult",
            told(text("完成").typed("Plain/Text; charset=utf-8")),
            true,
            message,
            SAME,
        )
        .await;
        let name = Some("a.txt".into());
        let sent = Some(Shown::File {
            name,
            body: "x".into(),
        });
        check("onResult", told(file("a.txt", "x")), true, sent, SAME).await;
    }
}
