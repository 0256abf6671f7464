//! What is not wrong, but seldom meant, in words.

use std::time::Duration;

use super::{conditions, guards, list, server, tls};
use crate::problem::Warning;
use crate::units::duration;

pub(super) fn warning(warning: &Warning) -> (String, String) {
    match warning {
        Warning::UnusedBackend { name } => (
            format!("no hook asks `{name}`"),
            "Name it in a chain, as a shadow or as an observer, or remove it.".into(),
        ),
        Warning::NoHooks => (
            "no hook has a chain, so every hook is answered 204".into(),
            "Add `[hooks.onMessage]` with a chain.".into(),
        ),
        Warning::NearlyKnownHook { name, nearest } => (
            format!("the bot has no hook `{name}`, but `{nearest}`"),
            format!("Write `[hooks.{nearest}]`, unless the name is meant."),
        ),
        Warning::FailsOpen { backend, hooks } => (
            format!("if `{backend}` fails, {} goes on without it", list(hooks, "`")),
            "Add `on_failure = \"reject\"` if it guards something, or `on_failure = \"continue\"` if not."
                .into(),
        ),
        Warning::PastDeadline { hook, sum, deadline } => past_deadline(hook, *sum, *deadline),
        Warning::PlainHttp { backend, host } => (
            format!(
                "`{backend}` is sent the bot's whole configuration, tokens included, over plain HTTP to {host}"
            ),
            "Use https, or hide it: `hide = [\"/config\"]`; unless nobody else can read on that network."
                .into(),
        ),
        Warning::ImpossiblePlace { hook, place, nearest } => {
            conditions::impossible_place(hook, place, nearest.as_deref())
        }
        Warning::ElementNamed { segment } => guards::element_named(segment),
        Warning::AnswersApart { hook, first, second } => {
            guards::answers_apart(hook, (&first.0, first.1), (&second.0, second.1))
        }
        Warning::LongConnect { timeout } => long_connect(*timeout),
        Warning::ShortToken { least } => (
            format!(
                "a token of fewer than {least} characters can be guessed by whoever reaches this address"
            ),
            "Write a longer one, such as `openssl rand -hex 32` prints.".into(),
        ),
        Warning::Certificate { path, validity } => tls::validity(path, validity),
        Warning::OpenToAll { listen } => server::open_to_all(*listen),
        Warning::TokenInClear { listen } => server::token_in_clear(*listen),
        Warning::ReplyUnbuffered {
            backend,
            max_reply,
            max_body,
            max_buffered,
        } => server::reply_unbuffered(backend, *max_reply, *max_body, *max_buffered),
        Warning::ShortDrain {
            drain,
            hook,
            deadline,
        } => server::short_drain(*drain, hook, *deadline),
        Warning::NearlyOverride { meant } => (
            "this variable overrides nothing".into(),
            format!("Set `{meant}` if that is meant: `__` stands between a table and its key."),
        ),
    }
}

fn past_deadline(hook: &str, sum: Duration, deadline: Duration) -> (String, String) {
    let (sum, deadline) = (duration(sum), duration(deadline));
    (
        format!("the timeouts of `{hook}` add up to {sum}, past its deadline of {deadline}"),
        "Shorten the timeouts, ask backends at the same time, or set a later deadline.".into(),
    )
}

fn long_connect(timeout: Duration) -> (String, String) {
    let timeout = duration(timeout);
    (
        format!("connecting can't take longer than the whole exchange, {timeout}"),
        "Shorten it, or set a longer `timeout`.".into(),
    )
}
