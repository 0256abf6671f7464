//! Words that must never come out: a canary in every secret that the suites configure, send or have forwarded.
//!
//! The gateway of these tests listens for them whenever one ends (`gateway.rs`), so that no test can forget it: in
//! its log, on every page of the operator's side, and in each trace.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// In what is configured as a secret or sent as one: tokens, a backend's headers, userinfo and query of its URL, the
/// secrets that sign, a caller's `Authorization` and cookies, what a document holds of the bot's configuration.
pub(crate) const CANARY: &str = "canary";

/// In what belongs to users: texts, names, replies. A trace shows it to the operator, and nothing else does.
pub(crate) const PRIVATE: &str = "pr1vate";

/// What is in no text at all: the canary, the secrets of the documents in `payload.rs`, and any private key.
const SECRETS: [&str; 5] = [
    CANARY,
    "DO-NOT-LEAK",
    "example-web-password",
    "example-slave-token",
    "PRIVATE KEY",
];

/// The pages of the operator's side that are about no one hook.
const PAGES: [&str; 4] = ["/metrics", "/status", "/traces", "/"];

/// How long an operator waits for a page: the gateway may be stopping, or hold its tongue.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the words of this text give away that only traces may, and what nothing may.
pub(crate) fn found_in(text: &str) -> Vec<&'static str> {
    let mut found = secrets_in(text);
    found.extend(sung(text, PRIVATE).then_some(PRIVATE));
    found
}

/// What a trace gives away.
pub(crate) fn secrets_in(text: &str) -> Vec<&'static str> {
    SECRETS.into_iter().filter(|word| sung(text, word)).collect()
}

/// Whether a word is in a text: as it is, or within base64, wherever it begins there.
fn sung(text: &str, word: &str) -> bool {
    let encoded = (0..3).map(|offset| Cow::Owned(encoded(word, offset)));
    let mut spelled = [Cow::Borrowed(word)].into_iter().chain(encoded);
    spelled.any(|spelling| text.contains(&*spelling))
}

/// The characters of base64 that depend on the word alone where it begins `offset` bytes into a group of three.
fn encoded(word: &str, offset: usize) -> String {
    let bytes = [&b"\0\0"[..offset], word.as_bytes()].concat();
    let whole = STANDARD_NO_PAD.encode(&bytes);
    let first = [0, 2, 3][offset];
    let last = bytes.len() * 8 / 6;
    whole[first..last].to_owned()
}

/// What the operator's side at this address gives away: each page or trace, and the word. Nothing where nobody
/// answers there any more, or where a token is asked for.
pub(crate) fn shown_at(admin: SocketAddr) -> Vec<(String, &'static str)> {
    let mut shown = Vec::new();
    for page in PAGES {
        let Some(text) = page_of(admin, page) else {
            continue;
        };
        shown.extend(found_in(&text).into_iter().map(|word| (page.to_owned(), word)));
        if page == "/traces" {
            for trace in traces_in(&text) {
                let text = page_of(admin, &trace).unwrap_or_default();
                shown.extend(secrets_in(&text).into_iter().map(|word| (trace.clone(), word)));
            }
        }
    }
    shown
}

/// The paths of some of the traces in this list.
fn traces_in(list: &str) -> Vec<String> {
    let ids = list
        .split("\"id\":")
        .skip(1)
        .filter_map(|rest| rest.split('"').nth(1));
    ids.take(20).map(|id| format!("/traces/{id}")).collect()
}

/// Asks without the runtime of the test, since this is needed where a gateway is dropped.
fn page_of(admin: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&admin, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.starts_with("HTTP/1.1 200 ").then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::super::backend::backend;
    use super::super::gateway::gateway;
    use super::super::payload::payload;
    use super::super::reply::{base64, reject, text};
    use super::*;

    #[test]
    fn words_are_found_plain_and_encoded() {
        for before in ["", "u:", "user", "someone:"] {
            let plain = format!("{before}{CANARY}-x");
            for text in [base64(plain.as_bytes()), plain] {
                assert_eq!(found_in(&text), [CANARY], "{text}");
            }
        }
        for key in SECRETS {
            assert_eq!(secrets_in(&format!("bot: {key}-1")), [key]);
        }
        assert_eq!(found_in("pr1vate-text"), [PRIVATE]);
        assert_eq!(secrets_in("pr1vate-text, canaries"), [""; 0]);
        assert_eq!(found_in(&payload("onResult", 3).dumps()), SECRETS[1..4]);
    }

    /// A backend whose name is a canary is seen wherever names are, so that what listens there is known to hear.
    #[tokio::test]
    async fn whatever_comes_out_is_heard() {
        let sings = backend("canary-a").replies(text("pr1vate")).starts();
        let refuses = backend("pr1vate-b").on("onMessage", reject(403, "no")).starts();
        let setup = gateway().backends([&sings, &refuses]).sings_on_purpose();
        let gateway = setup
            .chain("onMessage", "['canary-a', 'pr1vate-b']")
            .starts()
            .await;
        let answer = gateway.koipy().posts("/onMessage", "{}").await;
        let trace = format!("/traces/{}", answer.header("x-request-id").unwrap());
        gateway.line_of(&answer).await;
        let heard = gateway.heard();
        for place in ["the log", "/metrics", "/status", "/traces", &trace] {
            let words: Vec<_> = heard.iter().filter(|(at, _)| at == place).collect();
            let expected = if place == trace { 1 } else { 2 };
            assert_eq!(words.len(), expected, "{place}: {heard:?}");
        }
        assert_eq!(heard.len(), 9, "{heard:?}");
    }
}
