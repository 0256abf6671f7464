//! From [`File`] to [`Plan`]: names, units, secrets, contradictions. Nothing stops at the first problem; a part
//! that is wrong is noted and left out, and no plan is made.

mod admin;
mod allow;
mod auth;
mod backend;
mod chain;
mod conditions;
mod guards;
mod headers;
mod health;
mod listen;
mod pem;
mod quantity;
mod queue;
mod replicas;
mod secret;
mod server;
mod shape;
mod sign;
mod tls;
mod url;
mod warnings;

pub(crate) use backend::{CONNECT_TIMEOUT, MAX_IN_FLIGHT, MAX_REPLY};
pub(crate) use server::{DRAIN, MAX_BUFFERED, MAX_CONNECTIONS};

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use koigate_core::hook::HookName;
use koigate_core::plan::{Admin, Log, Plan};

use crate::file::{self, File, Word};
use crate::place::Placed;
use crate::read::Lost;
use crate::report::Findings;
use crate::sources::Sources;

/// What lies around the file while it is resolved.
pub(crate) struct Surroundings<'a> {
    /// Where environment variables, files and the time come from.
    pub(crate) sources: &'a dyn Sources,
    /// The folder at which relative paths begin.
    pub(crate) folder: &'a Path,
    /// Keys that were written but couldn't be read.
    pub(crate) lost: &'a Lost,
}

/// Makes a plan of a file, or notes why there is none.
pub(crate) fn resolve(file: &File, around: &Surroundings<'_>, findings: &mut Findings) -> Option<Plan> {
    let listeners = listen::resolve(file, around.lost, findings);
    let server = server::resolve(&file.server, &listeners, around, findings);
    let backends = in_file_order(&file.backends);
    let names: Vec<&Placed<String>> = backends.iter().map(|(name, _)| *name).collect();
    let deadline = server::deadline(&file.server, findings);
    let mut chains = BTreeMap::new();
    let hooks = in_file_order(&file.hooks);
    chain::note_votes(&hooks, findings);
    chain::note_asked(&hooks, findings);
    for (name, hook) in hooks {
        let Some(chain) = chain::resolve((name, hook), &names, deadline, around, findings) else {
            continue;
        };
        if let Some(name) = HookName::new(&name.value) {
            chains.insert(name, Arc::new(chain));
        }
    }
    let inherited = backend::inherited(&file.defaults, around, findings);
    let backends: Vec<_> = backends
        .into_iter()
        .map(|entry| backend::resolve(entry, &inherited, &listeners, around, findings))
        .collect();
    let admin = admin::resolve(&file.admin, listeners.admin.as_ref(), around, findings);
    if findings.has_errors() {
        return None;
    }
    let plan = Plan {
        server: server?,
        admin: admin?,
        log: log(&file.log),
        backends: backends
            .into_iter()
            .map(|backend| backend.map(Arc::new))
            .collect::<Option<_>>()?,
        chains,
    };
    warnings::note(file, &plan, findings);
    Some(plan)
}

/// The operator's side alone, or nothing where something in it is wrong and noted.
pub(crate) fn resolve_admin(
    written: &file::Admin,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Admin> {
    let listener = listen::admin(written, around.lost, findings);
    let admin = admin::resolve(written, listener.as_ref(), around, findings);
    admin.filter(|_| !findings.has_errors())
}

/// The entries of a table of names as they stand in the file.
fn in_file_order<T>(entries: &BTreeMap<Placed<String>, T>) -> Vec<(&Placed<String>, &T)> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(name, _)| name.span.start);
    entries
}

fn log(log: &file::Log) -> Log {
    use file::{LogFormat as F, LogLevel as L};
    use koigate_core::plan::{LogFormat, LogLevel};
    Log {
        format: match word(log.format.as_ref(), F::Text) {
            F::Text => LogFormat::Text,
            F::Json => LogFormat::Json,
        },
        level: match word(log.level.as_ref(), L::Info) {
            L::Error => LogLevel::Error,
            L::Warn => LogLevel::Warn,
            L::Info => LogLevel::Info,
            L::Debug => LogLevel::Debug,
            L::Trace => LogLevel::Trace,
        },
    }
}

/// A word that was written, or the default.
fn word<T: Copy>(written: Option<&Placed<Word<T>>>, default: T) -> T {
    written.map_or(default, |placed| placed.value.0)
}
