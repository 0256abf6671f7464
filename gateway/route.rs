//! Which hook a request is, as far as its URL says it (gateway.md section 1).

use koigate_core::hook::{HookName, KNOWN};
use koigate_core::plan::Plan;

use crate::inbound::{Head, Refusal};

/// The kind of a hook, before its body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The URL says it.
    Named(HookName),
    /// The document has to.
    Inferred,
}

/// Finds the kind in the path, or else in the query.
///
/// # Errors
///
/// [`Refusal::Path`] where no hook lives there, [`Refusal::Method`] where one does and the request is no `POST`.
pub fn route(plan: &Plan, head: &Head) -> Result<Kind, Refusal> {
    let kind = named(plan, head.path(), head.query()).ok_or(Refusal::Path)?;
    match head.method() {
        "POST" => Ok(kind),
        _ => Err(Refusal::Method),
    }
}

fn named(plan: &Plan, path: &str, query: Option<&str>) -> Option<Kind> {
    let rest = path.strip_prefix(plan.server.path.as_str())?;
    match rest {
        "" | "/" => {}
        _ => return hook(plan, rest.strip_prefix('/')?.trim_end_matches('/')).map(Kind::Named),
    }
    match query.and_then(asked) {
        Some(name) => hook(plan, name).map(Kind::Named),
        None => Some(Kind::Inferred),
    }
}

/// The value of the query's `hook` parameter. Names have no character that needs percent-encoding.
fn asked(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("hook="))
}

/// The hook of this name, if koipy has it or the configuration does.
fn hook(plan: &Plan, name: &str) -> Option<HookName> {
    if let Some((known, _)) = plan.chains.get_key_value(name) {
        return Some(known.clone());
    }
    KNOWN.contains(&name).then(|| HookName::new(name)).flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use koigate_core::plan::{
        Admin, Chain, Images, Listen, Log, LogFormat, LogLevel, OnConflict, RejectRule, Server, TableGuard,
        Traces,
    };

    use super::*;

    fn plan(path: &str) -> Plan {
        let listen = "127.0.0.1:0".parse().unwrap();
        let chain = Chain {
            stages: Vec::new(),
            deadline: Duration::from_secs(1),
            reject: RejectRule::First,
            on_conflict: OnConflict::Last,
            images: Images::Sheet,
            table_guard: TableGuard::Report,
            shadows: Vec::new(),
            observers: Vec::new(),
        };
        Plan {
            server: Server {
                listen: vec![Listen::Tcp(listen)],
                path: path.into(),
                max_body: 1,
                max_in_flight: 1,
                max_buffered: 1 << 28,
                max_connections: 1_024,
                max_connections_per_address: 1_024,
                drain: Duration::from_secs(30),
                lame_duck: Duration::ZERO,
                threads: 1,
                tls: None,
                auth: None,
                allow: Vec::new(),
            },
            admin: Admin {
                listen,
                auth: None,
                traces: Traces::default(),
            },
            log: Log {
                format: LogFormat::Text,
                level: LogLevel::Info,
            },
            backends: Vec::new(),
            chains: BTreeMap::from([(HookName::new("onPoints").unwrap(), chain.into())]),
        }
    }

    #[test]
    fn kinds() {
        let none = "none";
        for (prefix, path, query, expected) in [
            ("", "/", None, "inferred"),
            ("", "/onMessage", None, "onMessage"),
            ("", "/onMessage/", None, "onMessage"),
            ("", "/onPoints", None, "onPoints"),
            ("", "/onmessage", None, none),
            ("", "/a/onMessage", None, none),
            ("", "/", Some("hook=onResult"), "onResult"),
            ("", "/", Some("a=b&hook=onPoints&c"), "onPoints"),
            ("", "/", Some("hook=nobody"), none),
            ("", "/", Some("hooks=onResult"), "inferred"),
            ("", "/onMessage", Some("hook=onResult"), "onMessage"),
            ("/koi", "/koi", None, "inferred"),
            ("/koi", "/koi/", None, "inferred"),
            ("/koi", "/koi/onPreSend", None, "onPreSend"),
            ("/koi", "/koionPreSend", None, none),
            ("/koi", "/onPreSend", None, none),
            ("/koi", "/", None, none),
        ] {
            let found = match named(&plan(prefix), path, query) {
                None => none.to_owned(),
                Some(Kind::Inferred) => "inferred".to_owned(),
                Some(Kind::Named(hook)) => hook.to_string(),
            };
            assert_eq!(found, expected, "{prefix:?} {path:?} {query:?}");
        }
    }
}
