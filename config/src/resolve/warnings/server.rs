//! What is seldom meant of the side that faces the bot.

use std::net::SocketAddr;

use koigate_core::plan::{Backend, Listen, Server};

use crate::file::{self, Addresses};
use crate::place::{Placed, Span};
use crate::problem::Warning;
use crate::report::Findings;
use crate::resolve::auth::Reach;
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
