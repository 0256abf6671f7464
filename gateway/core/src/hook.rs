//! Hooks: their names, and how a kind is found where the URL doesn't say it.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::view::Base;

use crate::json::{Document, Kind, Value};

/// The name of a kind of hook: 1 to 40 of `A-Z a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HookName(Arc<str>);

/// One POST from the bot: its kind, its bytes, and the document if they parse (which nobody finds out until
/// somebody has to look into them).
#[derive(Debug, Clone)]
pub struct Hook {
    /// Which kind.
    pub name: HookName,
    /// What was posted, byte for byte; the base of the first stage.
    pub base: Arc<Base>,
}

/// The kinds that koipy has today, in the order in which they fire.
pub const KNOWN: [&str; 3] = ["onMessage", "onPreSend", "onResult"];

impl HookName {
    /// Takes a name if it is one.
    pub fn new(name: &str) -> Option<Self> {
        is_name(name).then(|| Self(name.into()))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether this can name a hook or a backend: 1 to 40 of `A-Z a-z 0-9 _ -`.
pub fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The kind of a hook by its document, where the URL doesn't say it; none if the document is no object.
///
/// `result` a non-empty object: `onResult`. Else `slaveRequest` with non-empty `items`, `proxies`, `task.url` or
/// `Nodes`: `onPreSend`. Else `onMessage` (gateway.md section 1).
pub fn infer(document: &Document) -> Option<&'static str> {
    let root = document.root();
    if root.kind() != Kind::Object {
        return None;
    }
    let [on_message, on_pre_send, on_result] = KNOWN;
    if root
        .get("result")
        .is_some_and(|result| result.kind() == Kind::Object && !result.is_empty())
    {
        return Some(on_result);
    }
    Some(if root.get("slaveRequest").is_some_and(is_filled_request) {
        on_pre_send
    } else {
        on_message
    })
}

/// Whether a `slaveRequest` is more than its defaults.
fn is_filled_request(request: Value<'_>) -> bool {
    let url = request.get("task").and_then(|task| task.get("url"));
    ["items", "proxies", "Nodes", "nodes"]
        .into_iter()
        .any(|key| request.get(key).is_some_and(is_filled))
        || url.is_some_and(is_filled)
}

/// Whether it is an object, an array or a string that holds something.
fn is_filled(value: Value<'_>) -> bool {
    matches!(value.kind(), Kind::Object | Kind::Array | Kind::String) && !value.is_empty()
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for HookName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn names() {
        for (name, good) in [
            ("onMessage", true),
            ("a", true),
            ("png200k", true),
            ("on_x-1", true),
            ("", false),
            ("a b", false),
            ("节点", false),
            ("a/b", false),
            ("0123456789012345678901234567890123456789", true),
            ("01234567890123456789012345678901234567890", false),
        ] {
            assert_eq!(HookName::new(name).is_some(), good, "{name:?}");
        }
    }

    #[test]
    fn kinds_by_document() {
        for (document, kind) in [
            ("[]", None),
            ("null", None),
            ("{}", Some("onMessage")),
            (r#"{"result":{}}"#, Some("onMessage")),
            (r#"{"result":[1]}"#, Some("onMessage")),
            (r#"{"result":null,"slaveRequest":null}"#, Some("onMessage")),
            (
                r#"{"result":{"a":1},"slaveRequest":{"items":[1]}}"#,
                Some("onResult"),
            ),
            (
                r#"{"slaveRequest":{"items":[],"proxies":[],"task":{"url":""}}}"#,
                Some("onMessage"),
            ),
            (r#"{"result":{},"slaveRequest":{"items":[0]}}"#, Some("onPreSend")),
            (r#"{"slaveRequest":{"proxies":[{}]}}"#, Some("onPreSend")),
            (r#"{"slaveRequest":{"task":{"url":"x"}}}"#, Some("onPreSend")),
            (r#"{"slaveRequest":{"task":{"url":null}}}"#, Some("onMessage")),
            (r#"{"slaveRequest":{"Nodes":[1]}}"#, Some("onPreSend")),
            (r#"{"slaveRequest":{"nodes":{"a":1}}}"#, Some("onPreSend")),
            (r#"{"slaveRequest":{"Nodes":[]}}"#, Some("onMessage")),
            (r#"{"result":{},"result":{"a":1}}"#, Some("onResult")),
            (r#"{"\u0072esult":{"a":1}}"#, Some("onResult")),
        ] {
            let parsed = Document::parse(Bytes::from_static(document.as_bytes())).unwrap();
            assert_eq!(infer(&parsed), kind, "{document}");
        }
    }
}
