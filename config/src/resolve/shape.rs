//! What is known of the bot's documents: enough to tell a place that can't be there from one that may be.
//!
//! Documents are open: a release may add members, so that only what is nearly a known name is taken for a mistake.

use koigate_core::hook::KNOWN;
use koigate_core::pointer::Pointer;

use crate::near::nearest;

/// A member of the bot's documents, and the members that it has.
struct Member(&'static str, &'static [Member]);

const USER: &[Member] = &[
    Member("id", &[]),
    Member("is-bot", &[]),
    Member("first-name", &[]),
    Member("last-name", &[]),
    Member("username", &[]),
    Member("language-code", &[]),
];

const CHAT: &[Member] = &[
    Member("id", &[]),
    Member("type", &[]),
    Member("title", &[]),
    Member("username", &[]),
];

const MESSAGE: &[Member] = &[
    Member("id", &[]),
    Member("from-user", USER),
    Member("date", &[]),
    Member("chat", CHAT),
    Member("reply-to-message", &[]),
    Member("mentioned", &[]),
    Member("text", &[]),
    Member("entities", &[]),
    Member("outgoing", &[]),
];

const REQUEST: &[Member] = &[
    Member("slave", &[]),
    Member("items", &[]),
    Member(
        "task",
        &[Member("url", &[]), Member("name", &[]), Member("creator", &[])],
    ),
    Member("runtime", &[]),
    Member("proxies", &[]),
];

/// The five members of every document.
const DOCUMENT: &[Member] = &[
    Member("message", MESSAGE),
    Member("config", &[]),
    Member("slaveRequest", REQUEST),
    Member("result", &[]),
    Member("addons", &[]),
];

/// Why nothing stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// It is spelled nearly as this one, which the bot's documents have.
    Misspelt(String),
    /// The bot sends nothing there; a backend may put something there for those after it.
    Empty,
}

/// Why the documents that the bot sends for this hook have nothing at a place, if that is certain. Nothing is certain
/// of hooks that it doesn't have.
pub(super) fn absence(hook: &str, place: &Pointer) -> Option<Absence> {
    let [on_message, on_pre_send, _] = KNOWN;
    if !KNOWN.contains(&hook) {
        return None;
    }
    let mut segments = place.as_str().split('/').skip(1);
    let first = segments.next()?;
    if let Some(absence) = misspelt(place.as_str()) {
        return Some(absence);
    }
    let has_result = hook != on_message && hook != on_pre_send;
    let is_empty = match first {
        "*" | "message" | "config" => false,
        "result" => !has_result && segments.next().is_some(),
        "addons" => segments.next().is_some(),
        other => !is_alike(other, "slaveRequest"),
    };
    is_empty.then_some(Absence::Empty)
}

/// Whether a segment is nearly a known name; with the place that was probably meant.
fn misspelt(place: &str) -> Option<Absence> {
    let segments: Vec<&str> = place.split('/').collect();
    let mut members = DOCUMENT;
    for (index, segment) in segments.iter().enumerate().skip(1) {
        if let Some(known) = members.iter().find(|Member(name, _)| is_alike(segment, name)) {
            members = known.1;
            continue;
        }
        let meant = nearest(segment, members.iter().map(|Member(name, _)| *name))?;
        let mut meant_segments = segments.clone();
        *meant_segments.get_mut(index)? = meant;
        return Some(Absence::Misspelt(meant_segments.join("/")));
    }
    None
}

/// Whether both are one key: the bot reads `-` and `_` alike.
fn is_alike(one: &str, other: &str) -> bool {
    one.replace('-', "_") == other.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_are_there_and_places_that_are_not() {
        let misspelt = |meant: &str| Some(Absence::Misspelt(meant.to_owned()));
        for (hook, place, expected) in [
            ("onMessage", "/message/chat/id", None),
            ("onMessage", "/message/from_user/is_bot", None),
            ("onMessage", "/message/from-user/id", None),
            ("onMessage", "/message/sender_chat/id", None),
            ("onMessage", "/message/entities/*/type", None),
            ("onMessage", "/*/chat", None),
            ("onMessage", "/slaveRequest/items", None),
            ("onMessage", "/slave-request", misspelt("/slaveRequest")),
            ("onMessage", "/mesage/chat/id", misspelt("/message/chat/id")),
            ("onMessage", "/Message/chat/id", misspelt("/message/chat/id")),
            ("onMessage", "/message/caht/id", misspelt("/message/chat/id")),
            (
                "onMessage",
                "/message/chat/titel",
                misspelt("/message/chat/title"),
            ),
            ("onResult", "/results/RTT", misspelt("/result/RTT")),
            ("onResult", "/slaveRequest/proxy", None),
            (
                "onResult",
                "/slaveRequest/taks/url",
                misspelt("/slaveRequest/task/url"),
            ),
            ("onMessage", "/result", None),
            ("onMessage", "/result/RTT", Some(Absence::Empty)),
            ("onPreSend", "/result/*", Some(Absence::Empty)),
            ("onResult", "/result/RTT/*", None),
            ("onResult", "/result/any thing", None),
            ("onResult", "/addons/vip", Some(Absence::Empty)),
            ("onResult", "/addons", None),
            ("onPreSend", "/vip", Some(Absence::Empty)),
            ("onPreSend", "/", Some(Absence::Empty)),
            ("onOther", "/vip/mesage", None),
            ("onMessage", "", None),
        ] {
            let pointer = Pointer::parse(place).unwrap();
            assert_eq!(absence(hook, &pointer), expected, "{hook} {place}");
        }
    }
}
