//! What is not wrong, but seldom meant. It is looked for only in a plan that stands.

mod server;

use koigate_core::guards::{Power, Sight};
use koigate_core::hook::KNOWN;
use koigate_core::plan::{Backend, BackendId, Chain, OnFailure, Plan, Scheme, Target};
use koigate_core::pointer::Pointer;

use super::in_file_order;
use super::shape::{Absence, absence};
use super::url::is_this_machine;
use crate::describe::worst_case;
use crate::file::{self, File};
use crate::near::nearest;
use crate::place::{Placed, Span};
use crate::problem::{Warning, quotable};
use crate::report::Findings;

/// The hooks that come before a test, whose rejects keep it from running.
const BEFORE_THE_TEST: [&str; 2] = ["onMessage", "onPreSend"];

/// Notes everything that the author should know of a plan.
pub(super) fn note(file: &File, plan: &Plan, findings: &mut Findings) {
    if plan.chains.is_empty() {
        findings.note(&(0..0), Warning::NoHooks);
    }
    server::note(&file.server, &plan.server, findings);
    server::note_drain(file, plan, findings);
    for (name, _) in in_file_order(&file.hooks) {
        note_name(name, findings);
        if let Some(chain) = plan.chains.get(name.value.as_str()) {
            note_deadline(name, (plan, chain), findings);
            note_answers(name, (plan, chain), findings);
        }
    }
    for (index, (name, written)) in in_file_order(&file.backends).into_iter().enumerate() {
        let Some(backend) = plan.backends.get(index) else {
            continue;
        };
        let id = BackendId(index);
        note_backend(backend, is_called(plan, id), &name.span, findings);
        let max_reply = written
            .max_reply
            .as_ref()
            .map_or(&name.span, |written| &written.span);
        server::note_reply(backend, &plan.server, max_reply, findings);
        // Who has written it down has thought about it.
        if written.on_failure.is_none() {
            note_open_guard(backend, &hooks_of(plan, id), &name.span, findings);
        }
        note_conditions((plan, id), written, findings);
        if let Some(connect) = &written.connect_timeout {
            note_connect(backend, &connect.span, findings);
        }
    }
}

/// Warns of a backend's own conditions that look where a document of one of its hooks has nothing. What isn't there
/// an earlier stage may add, unless it seems to be misspelt.
fn note_conditions((plan, id): (&Plan, BackendId), written: &file::Backend, findings: &mut Findings) {
    let places = written.when.iter().flat_map(|when| &when.value);
    for place in places.filter_map(|condition| condition.value.0.at.as_ref()) {
        let Ok(pointer) = Pointer::parse(&place.value) else {
            continue;
        };
        for (hook, chain) in &plan.chains {
            let stage = chain.stages.iter().position(|stage| stage.backends.contains(&id));
            // Observers are told of what all stages have left, so that an earlier one may have added it.
            let stage = stage.or_else(|| chain.observers.contains(&id).then_some(usize::MAX));
            // Shadows are sent what the first stage is sent.
            let Some(stage) = stage.or_else(|| chain.shadows.contains(&id).then_some(0)) else {
                continue;
            };
            let nearest = match absence(hook.as_str(), &pointer) {
                Some(Absence::Misspelt(meant)) => Some(meant),
                Some(Absence::Empty) if stage == 0 => None,
                Some(Absence::Empty) | None => continue,
            };
            let (hook, place_written) = (hook.to_string(), quotable(&place.value));
            findings.note(
                &place.span,
                Warning::ImpossiblePlace {
                    hook,
                    place: place_written,
                    nearest,
                },
            );
            // Once is enough.
            break;
        }
    }
}

fn note_name(name: &Placed<String>, findings: &mut Findings) {
    let nearest = nearest(&name.value, KNOWN).filter(|nearest| *nearest != name.value);
    if let Some(nearest) = nearest {
        let name_written = name.value.clone();
        findings.note(
            &name.span,
            Warning::NearlyKnownHook {
                name: name_written,
                nearest,
            },
        );
    }
}

fn note_connect(backend: &Backend, span: &Span, findings: &mut Findings) {
    let timeout = backend.timeout;
    if backend.connect_timeout > timeout {
        findings.note(span, Warning::LongConnect { timeout });
    }
}

/// Warns where the longest timeouts of a chain's stages add up past its deadline.
fn note_deadline(name: &Placed<String>, (plan, chain): (&Plan, &Chain), findings: &mut Findings) {
    let (sum, deadline) = (worst_case(plan, chain), chain.deadline);
    if sum > deadline {
        let hook = name.value.clone();
        findings.note(&name.span, Warning::PastDeadline { hook, sum, deadline });
    }
}

/// Warns where two backends of a hook may answer what one answer can't bring to the user together. Only of those
/// that say what they may answer: who says nothing may answer everything, and seldom does.
fn note_answers(name: &Placed<String>, (plan, chain): (&Plan, &Chain), findings: &mut Findings) {
    let ids = chain.stages.iter().flat_map(|stage| &stage.backends);
    let backends: Vec<&Backend> = ids
        .filter_map(|id| plan.backend(*id))
        .map(|backend| &**backend)
        .filter(|backend| !backend.guards.may.are_all())
        .collect();
    let answers = |backend: &Backend| {
        backend
            .guards
            .may
            .iter()
            .filter(|power| *power != Power::Reject)
            .collect()
    };
    for (index, first) in backends.iter().enumerate() {
        let its: Vec<Power> = answers(first);
        for second in backends.iter().skip(index + 1) {
            let others: Vec<Power> = answers(second);
            let apart = its.iter().find_map(|one| {
                let other = others.iter().find(|other| are_apart(*one, **other))?;
                Some((one.as_str(), other.as_str()))
            });
            if let Some((one, other)) = apart {
                let hook = name.value.clone();
                let (first, second) = ((first.name.to_string(), one), (second.name.to_string(), other));
                findings.note(&name.span, Warning::AnswersApart { hook, first, second });
                return;
            }
        }
    }
}

/// Whether one answer can't bring both to the user: documents are merged, pictures drawn on a sheet and texts
/// joined, but no two kinds travel together, nor do two files.
fn are_apart(one: Power, other: Power) -> bool {
    one != other || one == Power::File
}

fn note_backend(backend: &Backend, is_called: bool, span: &Span, findings: &mut Findings) {
    let name = backend.name.to_string();
    if !is_called {
        findings.note(span, Warning::UnusedBackend { name });
        return;
    }
    let is_in_the_open = |target: &&Target| target.scheme == Scheme::Http && !is_this_machine(&target.host);
    let in_the_open = backend.replicas.iter().find(is_in_the_open);
    if let Some(target) = in_the_open.filter(|_| sees_configuration(backend)) {
        let host = target.host.clone();
        findings.note(span, Warning::PlainHttp { backend: name, host });
    }
}

/// Whether a backend is sent some of the bot's own configuration.
fn sees_configuration(backend: &Backend) -> bool {
    let Ok(config) = Pointer::parse("/config") else {
        return true;
    };
    match &backend.guards.sight {
        Sight::Whole => true,
        Sight::Hide(places) => !places.iter().any(|place| place.covers(&config)),
        Sight::Show(places) => places.iter().any(|place| place.meets(&config)),
    }
}

/// A guard is a backend that can keep a test from running: any that is asked before it and may reject.
/// One whose failure lets the test run fails open. That may be right (points) or not (a blacklist), so it is
/// warned of until the backend itself says which: `[defaults]` decides for nobody in particular.
fn note_open_guard(backend: &Backend, hooks: &[&str], span: &Span, findings: &mut Findings) {
    let hooks: Vec<String> = hooks
        .iter()
        .filter(|hook| BEFORE_THE_TEST.contains(hook))
        .map(|hook| (*hook).to_owned())
        .collect();
    let may_reject = backend.guards.may.allow(Power::Reject);
    if may_reject && backend.on_failure == OnFailure::Continue && !hooks.is_empty() {
        let backend = backend.name.to_string();
        findings.note(span, Warning::FailsOpen { backend, hooks });
    }
}

/// Whether some hook calls this backend, with a vote or without.
fn is_called(plan: &Plan, id: BackendId) -> bool {
    plan.chains
        .values()
        .any(|chain| chain.called().any(|called| called == id))
}

/// The hooks in whose chains this backend is.
fn hooks_of(plan: &Plan, id: BackendId) -> Vec<&str> {
    let is_in = |chain: &Chain| chain.stages.iter().any(|stage| stage.backends.contains(&id));
    plan.chains
        .iter()
        .filter(|(_, chain)| is_in(chain))
        .map(|(name, _)| name.as_str())
        .collect()
}
