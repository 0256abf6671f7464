//! A plan in words, for `koigate check`: what is listened on, what each hook runs, how long that takes at worst, and
//! what happens when a backend fails. What is as everywhere isn't said. No secret is shown, nor the query of a
//! URL, which may hold one.
//!
//! Lines fit into a terminal of 80 columns, where a Chinese character takes two, unless a URL or a text is longer
//! than that.

mod backend;
mod server;
mod wrap;

use std::fmt::{self, Write};
use std::time::Duration;

use self::wrap::write_wrapped;
use crate::Loaded;
use crate::units::duration;
use koigate_core::plan::{
    Backend, Chain, Images, OnConflict, Plan, RejectRule, Scheme, Stage, TableGuard, Target,
};

/// URLs stand below each other, as long as the names are not longer than that.
const NAMES: usize = 24;

// === impl Loaded ===

impl Loaded {
    /// What the plan does, and which keys come from the environment, in lines of text; the last ends with a newline.
    pub fn describe(&self) -> String {
        let mut text = describe(&self.plan);
        if !self.overridden.is_empty() {
            let keys = format!("from the environment: {}", self.overridden.join(", "));
            text.push('\n');
            // Writing to a string can't fail.
            let _ = write_wrapped(&mut text, 0, &keys);
        }
        text
    }
}

// === helpers ===

/// What a plan does, in lines of text; the last ends with a newline.
pub fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = write_plan(&mut text, plan);
    text
}

fn write_plan(out: &mut String, plan: &Plan) -> fmt::Result {
    let mut label = "server";
    for place in server::places(&plan.server) {
        writeln!(out, "{label:<6}  {place}")?;
        label = "";
    }
    for detail in server::details(&plan.server) {
        write_wrapped(out, 8, &detail)?;
    }
    let who = match &plan.admin.auth {
        Some(_) => "whoever has a token",
        None => "callers on this machine",
    };
    writeln!(out, "admin   http://{}/, for {who}", plan.admin.listen)?;
    for (name, chain) in &plan.chains {
        write_chain(out, plan, name.as_str(), chain)?;
    }
    Ok(())
}

fn write_chain(out: &mut String, plan: &Plan, name: &str, chain: &Chain) -> fmt::Result {
    let (sum, deadline) = (worst_case(plan, chain), chain.deadline);
    let (at_worst, deadline) = (duration(sum.min(deadline)), duration(deadline));
    if sum <= chain.deadline {
        writeln!(out, "\n{name}  at worst {at_worst}, deadline {deadline}")?;
    } else {
        let sum = duration(sum);
        writeln!(
            out,
            "\n{name}  at worst {at_worst}: the deadline cuts timeouts that add up to {sum}"
        )?;
    }
    for rule in rules(chain) {
        writeln!(out, "  {rule}")?;
    }
    let names = chain
        .called()
        .filter_map(|id| plan.backend(id))
        .map(|backend| backend.name.len());
    let width = names.filter(|width| *width <= NAMES).max().unwrap_or_default();
    for (index, stage) in chain.stages.iter().enumerate() {
        write_stage(out, plan, (index + 1, stage), width)?;
    }
    if !chain.shadows.is_empty() {
        writeln!(
            out,
            "  -   beside the first stage, compared and counted, never used"
        )?;
    }
    for backend in chain.shadows.iter().filter_map(|id| plan.backend(*id)) {
        write_backend(out, backend, ("", width), &backend::shadow_details(backend))?;
    }
    if !chain.observers.is_empty() {
        writeln!(out, "  -   told of the outcome, once the answer has left")?;
    }
    for backend in chain.observers.iter().filter_map(|id| plan.backend(*id)) {
        write_backend(out, backend, ("", width), &backend::observer_details(backend))?;
    }
    Ok(())
}

/// One backend stands beside its stage's number, several below it.
fn write_stage(out: &mut String, plan: &Plan, (number, stage): (usize, &Stage), width: usize) -> fmt::Result {
    let mut number = format!("{number}.");
    if stage.backends.len() > 1 {
        writeln!(out, "  {number:<4}at the same time")?;
        number.clear();
    }
    for backend in stage.backends.iter().filter_map(|id| plan.backend(*id)) {
        write_backend(out, backend, (&number, width), &backend::details(backend))?;
    }
    Ok(())
}

fn write_backend(
    out: &mut String,
    backend: &Backend,
    (number, width): (&str, usize),
    details: &[String],
) -> fmt::Result {
    let name = &backend.name;
    let mut urls = backend.replicas.iter().map(url);
    let column = if name.len() <= width {
        let first = urls.next().unwrap_or_default();
        writeln!(out, "  {number:<4}{name:<width$}  {first}")?;
        8 + width
    } else {
        writeln!(out, "  {number:<4}{name}")?;
        8
    };
    for url in urls {
        writeln!(out, "{:column$}{url}", "")?;
    }
    for detail in details {
        write_wrapped(out, 8, detail)?;
    }
    Ok(())
}

/// How long a chain takes when every backend fails by its timeout: the longest of each stage, one after the other.
pub(crate) fn worst_case(plan: &Plan, chain: &Chain) -> Duration {
    let longest = |stage: &Stage| {
        let backends = stage.backends.iter().filter_map(|id| plan.backend(*id));
        backends.map(|backend| backend.timeout).max().unwrap_or_default()
    };
    chain.stages.iter().map(longest).sum()
}

/// What isn't as in other chains.
fn rules(chain: &Chain) -> Vec<&'static str> {
    let reject = match chain.reject {
        RejectRule::First => None,
        RejectRule::Ordered => Some("of several rejects the first in the chain's order decides"),
    };
    let conflicts = match chain.on_conflict {
        OnConflict::Last => None,
        OnConflict::First => Some("of conflicting edits the first in the chain's order stands"),
        OnConflict::Reject => Some("conflicting edits refuse the hook with 409"),
    };
    let images = match chain.images {
        Images::Sheet => None,
        Images::First => Some("of several pictures the first alone is sent"),
    };
    let columns = match chain.table_guard {
        TableGuard::Report => None,
        TableGuard::Drop => Some("columns of the wrong length are dropped"),
        TableGuard::Off => Some("columns may have any length"),
    };
    [reject, conflicts, images, columns]
        .into_iter()
        .flatten()
        .collect()
}

/// A backend's URL for people: without a user, and each value of the query masked.
pub fn url(target: &Target) -> String {
    let scheme = match target.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    format!("{scheme}://{}{}", target.authority, path(&target.path))
}

/// Path and query, each value of the query masked.
fn path(text: &str) -> String {
    match text.split_once('?') {
        Some((path, query)) => format!("{path}?{}", masked(query)),
        None => text.to_owned(),
    }
}

fn masked(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((_, "" | "{hook}")) => pair.to_owned(),
        Some((name, _)) => format!("{name}=***"),
        None => "***".to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}
