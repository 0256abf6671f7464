//! The side that faces the bot in words: where it is, who may send hooks, and its limits.

use ipnet::IpNet;
use koigate_core::plan::{Listen, Server};

use crate::resolve::{DRAIN, MAX_BUFFERED, MAX_CONNECTIONS};
use crate::units::{duration, size};

/// Where hooks are sent, one URL or socket after the other.
pub(super) fn places(server: &Server) -> Vec<String> {
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    let path = &server.path;
    let place = |listen: &Listen| match listen {
        Listen::Tcp(address) => format!("{scheme}://{address}{path}/"),
        Listen::Unix(_) if path.is_empty() => listen.to_string(),
        Listen::Unix(_) => format!("{listen}, below {path}/"),
    };
    server.listen.iter().map(place).collect()
}

/// What is to be said of it, a paragraph each.
pub(super) fn details(server: &Server) -> Vec<String> {
    let mut details = Vec::from_iter(callers(server));
    let body = size(server.max_body);
    details.push(format!(
        "bodies up to {body}, {} hooks at once",
        server.max_in_flight
    ));
    let limits = limits(server);
    if !limits.is_empty() {
        details.push(limits.join(", "));
    }
    details.extend(parting(server));
    details
}

/// How it ends, unless as usual.
fn parting(server: &Server) -> Option<String> {
    let drain = format!("hooks in flight for {}", duration(server.drain));
    if !server.lame_duck.is_zero() {
        let lame_duck = duration(server.lame_duck);
        return Some(format!(
            "when told to stop: callers for {lame_duck} more, {drain}"
        ));
    }
    (server.drain != DRAIN).then(|| format!("when told to stop: {drain}"))
}

/// Who may send hooks, unless everybody may.
fn callers(server: &Server) -> Option<String> {
    let asks_for_certificate = server.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let has = match (server.auth.is_some(), asks_for_certificate) {
        (true, true) => "for whoever has a token and a certificate",
        (true, false) => "for whoever has a token",
        (false, true) => "for whoever has a certificate",
        (false, false) if server.allow.is_empty() => return None,
        (false, false) => "for callers",
    };
    let networks: Vec<String> = server.allow.iter().map(network).collect();
    if networks.is_empty() {
        return Some(has.to_owned());
    }
    Some(format!("{has} from {}", networks.join(", ")))
}

/// A network, or the address alone if it is one.
fn network(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        return network.addr().to_string();
    }
    network.to_string()
}

/// The limits that aren't the usual ones.
fn limits(server: &Server) -> Vec<String> {
    let (all, of_one) = (server.max_connections, server.max_connections_per_address);
    [
        (server.max_buffered != MAX_BUFFERED).then(|| format!("{} in memory", size(server.max_buffered))),
        (all != MAX_CONNECTIONS).then(|| format!("{all} connections")),
        (of_one != all).then(|| format!("{of_one} connections of one address")),
    ]
    .into_iter()
    .flatten()
    .collect()
}
