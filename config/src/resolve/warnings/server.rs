//! What is seldom meant of the side that faces the bot.

use std::net::SocketAddr;

use koigate_core::plan::{Backend, Listen, Plan, Server};

use crate::file::{self, Addresses, File};
use crate::place::{Placed, Span};
use crate::problem::Warning;
use crate::report::Findings;
use crate::resolve::auth::Reach;
use crate::resolve::in_file_order;
use crate::resolve::listen::reach;

/// Notes addresses that other machines reach, and who may read or send what there.
pub(super) fn note(written: &file::Server, server: &Server, findings: &mut Findings) {
    let asks_for_certificate = server.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let is_open = server.auth.is_none() && server.allow.is_empty() && !asks_for_certificate;
    let is_in_clear = server.auth.is_some() && server.tls.is_none();
    // Each address is written: the default is this machine's own.
    for (listen, span) in server.listen.iter().zip(places(written)) {
        let Some(listen) = open(listen) else {
            continue;
        };
        if is_open {
            findings.note(span, Warning::OpenToAll { listen });
        }
        if is_in_clear {
            findings.note(span, Warning::TokenInClear { listen });
        }
    }
}

/// Notes a backend whose largest reply is never held beside the largest hook.
pub(super) fn note_reply(backend: &Backend, server: &Server, span: &Span, findings: &mut Findings) {
    let Server {
        max_body,
        max_buffered,
        ..
    } = *server;
    let max_reply = backend.max_reply;
    if max_reply.saturating_add(max_body) > max_buffered {
        let backend = backend.name.to_string();
        findings.note(
            span,
            Warning::ReplyUnbuffered {
                backend,
                max_reply,
                max_body,
                max_buffered,
            },
        );
    }
}

/// Notes that a stop may cut the hook that may take the longest.
pub(super) fn note_drain(file: &File, plan: &Plan, findings: &mut Findings) {
    let drain = plan.server.drain;
    let deadlines = in_file_order(&file.hooks)
        .into_iter()
        .filter_map(|(name, written)| {
            let chain = plan.chains.get(name.value.as_str())?;
            Some((name, written, chain.deadline))
        });
    // The first in the file of those that may take the same.
    let Some((name, written, deadline)) = deadlines.rev().max_by_key(|(.., deadline)| *deadline) else {
        return;
    };
    if drain >= deadline {
        return;
    }
    let hook = name.value.clone();
    let meant = [&file.server.drain, &written.deadline, &file.server.deadline];
    let meant = meant.into_iter().flatten().next();
    let span = meant.map_or(&name.span, |written| &written.span);
    findings.note(
        span,
        Warning::ShortDrain {
            drain,
            hook,
            deadline,
        },
    );
}

/// The address, if other machines reach it.
fn open(listen: &Listen) -> Option<SocketAddr> {
    match listen {
        Listen::Tcp(address) if reach(*address) == Reach::OtherMachines => Some(*address),
        Listen::Tcp(_) | Listen::Unix(_) => None,
    }
}

/// Where each address is written.
fn places(written: &file::Server) -> Vec<&Span> {
    match &written.listen {
        None => Vec::new(),
        Some(Placed {
            value: Addresses::One(_),
            span,
        }) => vec![span],
        Some(Placed {
            value: Addresses::Many(texts),
            ..
        }) => texts.iter().map(|text| &text.span).collect(),
    }
}
