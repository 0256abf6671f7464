//! `[admin]`: where the operator's side listens, who may come in, and what is remembered for them.

use std::ops::RangeInclusive;

use koigate_core::plan::{Admin, Traces};
use koigate_core::pointer::Pointer;

use super::auth::Reach;
use super::listen::Listener;
use super::{Surroundings, auth, guards, listen, quantity};
use crate::file;
use crate::problem::AuthProblem;
use crate::report::Findings;

/// How many hooks may be remembered; `memory` bounds what they hold.
const KEEP: RangeInclusive<usize> = 0..=100_000;
const KEPT: usize = 200;
const MEMORY: usize = 32 << 20;
/// Where the bot's own secrets and its users' are.
const HIDDEN: [&str; 3] = ["/config", "/slaveRequest/proxies", "/slaveRequest/slave/token"];

/// The operator's side, or nothing where it is wrong and noted.
pub(super) fn resolve(
    written: &file::Admin,
    listener: Option<&Listener>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Admin> {
    let reach = listener.map_or(Reach::ThisMachine, |listener| listen::reach(listener.address));
    let auth = auth::resolve(("admin", written.auth.as_ref()), reach, around, findings);
    let listener = listener?;
    let is_unguarded = written.auth.is_none() && !around.lost.covers(&["admin", "auth"]);
    if let (Reach::OtherMachines, true, Some(span)) = (reach, is_unguarded, &listener.span) {
        let listen = listener.address;
        findings.note(span, AuthProblem::AdminExposed { listen });
    }
    Some(Admin {
        listen: listener.address,
        auth,
        traces: traces(&written.traces, findings),
    })
}

fn traces(written: &file::Traces, findings: &mut Findings) -> Traces {
    let hide = match &written.hide {
        Some(written) => guards::places("hide", written, findings),
        None => HIDDEN
            .iter()
            .filter_map(|place| Pointer::parse(place).ok())
            .collect(),
    };
    Traces {
        keep: quantity::number(written.keep.as_ref(), KEPT, KEEP, findings),
        memory: quantity::size(written.memory.as_ref(), MEMORY, findings),
        hide,
    }
}
