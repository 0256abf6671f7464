//! A plan in words, for `koigate check`: what is listened on, and what each hook runs. No secret is shown, nor
//! the query of a URL, which may hold one.

use std::fmt::{self, Write};

use koigate_core::guards::{Guards, Keys, Power, Sight};
use koigate_core::plan::{
    Backend, Chain, Images, OnConflict, OnFailure, Plan, RejectRule, Scheme, Stage, Target,
};
use koigate_core::pointer::Pointer;

use crate::units::{duration, size};

/// What a plan does, in lines of text; the last ends with a newline.
pub fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = write_plan(&mut text, plan);
    text
}

fn write_plan(out: &mut String, plan: &Plan) -> fmt::Result {
    let server = &plan.server;
    let urls: Vec<String> = server
        .listen
        .iter()
        .map(|listen| format!("http://{listen}{}/", server.path))
        .collect();
    let (body, hooks) = (size(server.max_body), server.max_in_flight);
    writeln!(
        out,
        "server  {}  body up to {body}, {hooks} hooks at once",
        urls.join(", ")
    )?;
    writeln!(out, "admin   http://{}/", plan.admin.listen)?;
    for (name, chain) in &plan.chains {
        writeln!(out, "\n{name}  {}", rules(chain))?;
        for (index, stage) in chain.stages.iter().enumerate() {
            write_stage(out, plan, index + 1, stage)?;
        }
    }
    Ok(())
}

/// One line a backend. The stage's number stands once, so that who is asked together is seen.
fn write_stage(out: &mut String, plan: &Plan, number: usize, stage: &Stage) -> fmt::Result {
    let mut number = format!("{number}.");
    for backend in stage.backends.iter().filter_map(|id| plan.backend(*id)) {
        writeln!(out, "  {number:<3} {}", line(backend, width(plan)))?;
        number.clear();
        for line in guards(&backend.guards) {
            writeln!(out, "      {:width$}  {line}", "", width = width(plan))?;
        }
    }
    Ok(())
}

fn rules(chain: &Chain) -> String {
    let reject = match chain.reject {
        RejectRule::First => "first reject wins",
        RejectRule::Ordered => "first reject in order wins",
    };
    let conflicts = match chain.on_conflict {
        OnConflict::Last => "of conflicting edits the last stands",
        OnConflict::First => "of conflicting edits the first stands",
        OnConflict::Reject => "conflicting edits reject",
    };
    let images = match chain.images {
        Images::Sheet => "pictures on one sheet",
        Images::First => "the first picture alone",
    };
    format!(
        "within {}; {reject}; {conflicts}; {images}",
        duration(chain.deadline)
    )
}

fn line(backend: &Backend, width: usize) -> String {
    let failure = match &backend.on_failure {
        OnFailure::Continue => "go on without it",
        OnFailure::Reject { .. } => "reject",
    };
    let signed = if backend.sign.is_empty() { "" } else { "; signed" };
    format!(
        "{:<width$}  {}  timeout {}; if it fails: {failure}{signed}",
        backend.name,
        url(&backend.target),
        duration(backend.timeout)
    )
}

/// What a backend is kept from, a line each.
fn guards(guards: &Guards) -> Vec<String> {
    let mut lines = Vec::new();
    match &guards.sight {
        Sight::Whole => {}
        Sight::Hide(places) => lines.push(format!("is not sent {}", listed(places))),
        Sight::Show(places) if places.is_empty() => lines.push("is sent an empty document".into()),
        Sight::Show(places) => lines.push(format!("is sent only {}", listed(places))),
    }
    match guards.keys {
        Keys::AsIs => {}
        Keys::Kebab => lines.push("is sent keys like from-user".into()),
        Keys::Snake => lines.push("is sent keys like from_user".into()),
    }
    if !guards.may.are_all() {
        let powers: Vec<&str> = guards.may.iter().map(Power::as_str).collect();
        lines.push(match powers.as_slice() {
            [] => "may answer nothing".into(),
            powers => format!("may answer only {}", powers.join(", ")),
        });
    }
    if let (Some(places), true) = (&guards.may_change, guards.may.allow(Power::Json)) {
        lines.push(match places.as_slice() {
            [] => "may change nothing".into(),
            places => format!("may change only {}", listed(places)),
        });
    }
    lines
}

fn listed(places: &[Pointer]) -> String {
    let places: Vec<&str> = places.iter().map(Pointer::as_str).collect();
    places.join(", ")
}

/// A backend's URL for people: without a user, and each value of the query masked.
pub fn url(target: &Target) -> String {
    let scheme = match target.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let (path, query) = match target.path.split_once('?') {
        Some((path, query)) => (path, format!("?{}", masked(query))),
        None => (target.path.as_str(), String::new()),
    };
    format!("{scheme}://{}{path}{query}", target.authority)
}

fn masked(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((_, "" | "{hook}")) => pair.to_owned(),
        Some((name, _)) => format!("{name}=***"),
        None => "***".to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn width(plan: &Plan) -> usize {
    plan.backends
        .iter()
        .map(|backend| backend.name.len())
        .max()
        .unwrap_or_default()
}
