//! What should be known of the side that faces the bot, in words.

use std::net::SocketAddr;
use std::time::Duration;

use crate::units::{duration, size};

pub(super) fn body_unbuffered(max_body: usize, max_buffered: usize) -> (String, String) {
    let (body, buffered) = (size(max_body), size(max_buffered));
    (
        format!("a hook may have {body}, and no more than {buffered} are held at once"),
        format!("Write a `max_buffered` of {body} or more, or a smaller `max_body`."),
    )
}

pub(super) fn open_to_all(listen: SocketAddr) -> (String, String) {
    (
        format!("other machines reach {listen}, and hooks are taken from all of them"),
        "Add `auth = { token = { env = \"NAME\" } }` or `allow = [\"192.0.2.7\"]`, or listen on 127.0.0.1; unless only \
         the bot reaches it, as on a network of containers."
            .into(),
    )
}

pub(super) fn token_in_clear(listen: SocketAddr) -> (String, String) {
    (
        format!("other machines reach {listen}, and the token travels there in plain HTTP"),
        "Add `tls = { cert = \"cert.pem\", key = \"key.pem\" }`, or listen on 127.0.0.1 behind a proxy that speaks TLS; \
         unless nobody else can read on that network."
            .into(),
    )
}

pub(super) fn reply_unbuffered(
    backend: &str,
    max_reply: usize,
    max_body: usize,
    max_buffered: usize,
) -> (String, String) {
    let (reply, body, buffered) = (size(max_reply), size(max_body), size(max_buffered));
    (
        format!(
            "a reply of `{backend}` may have {reply}, and a hook {body}: more than the {buffered} held at once"
        ),
        format!(
            "Write a `server.max_buffered` of {} or more, or a smaller `max_reply`.",
            size(max_reply.saturating_add(max_body))
        ),
    )
}

pub(super) fn short_drain(drain: Duration, hook: &str, deadline: Duration) -> (String, String) {
    let (drain, deadline) = (duration(drain), duration(deadline));
    (
        format!("a stop waits {drain} for hooks in flight, and `{hook}` may take {deadline}"),
        format!("Write a `server.drain` of {deadline} or more, or an earlier deadline."),
    )
}
