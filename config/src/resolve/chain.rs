//! One hook's chain.

use std::time::Duration;

use koigate_core::hook::is_name;
use koigate_core::plan::{BackendId, Chain, Images, OnConflict, RejectRule, Stage, TableGuard};

use super::{Surroundings, quantity, word};
use crate::file::{self, Step};
use crate::near::nearest;
use crate::place::{Placed, Span};
use crate::problem::{ChainProblem, KeyProblem, quotable};
use crate::read::Lost;
use crate::report::Findings;

/// Turns names into places in the plan, each at most once.
struct Roster<'a> {
    /// The backends' names, in the file's order.
    names: &'a [&'a Placed<String>],
    lost: &'a Lost,
    /// Who is in the chain already.
    taken: Vec<BackendId>,
}

/// A chain, or nothing where it has no stages. Whatever else is wrong is noted.
pub(super) fn resolve(
    (name, hook): (&Placed<String>, &file::Hook),
    names: &[&Placed<String>],
    deadline: Duration,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Chain> {
    if !is_name(&name.value) {
        let bad = quotable(&name.value);
        findings.note(&name.span, KeyProblem::BadName { name: bad });
    }
    let deadline = quantity::duration(hook.deadline.as_ref(), deadline, findings);
    let Some(chain) = &hook.chain else {
        if !around.lost.covers(&["hooks", &name.value, "chain"]) {
            let table = format!("hooks.{}", quotable(&name.value));
            findings.note(&name.span, KeyProblem::Missing { key: "chain", table });
        }
        return None;
    };
    if chain.value.is_empty() {
        findings.note(&chain.span, ChainProblem::Empty);
    }
    let mut roster = Roster::new(names, around.lost);
    let stages = chain.value.iter();
    let stages = stages.map(|step| roster.stage(step, findings)).collect();
    Some(Chain {
        stages,
        shadows: beside(hook.shadow.as_ref(), Roster::new(names, around.lost), findings),
        observers: beside(hook.observers.as_ref(), Roster::new(names, around.lost), findings),
        deadline,
        reject: reject(hook),
        on_conflict: on_conflict(hook),
        images: images(hook),
        table_guard: table_guard(hook),
    })
}

// === impl Roster ===

impl<'a> Roster<'a> {
    fn new(names: &'a [&'a Placed<String>], lost: &'a Lost) -> Self {
        let taken = Vec::new();
        Self { names, lost, taken }
    }

    fn stage(&mut self, step: &Placed<Step>, findings: &mut Findings) -> Stage {
        let backends = match &step.value {
            Step::One(name) => self.id(name, &step.span, findings).into_iter().collect(),
            Step::Together(names) => {
                if names.is_empty() {
                    findings.note(&step.span, ChainProblem::EmptyStage);
                }
                names
                    .iter()
                    .filter_map(|name| self.id(&name.value, &name.span, findings))
                    .collect()
            }
        };
        Stage { backends }
    }

    fn id(&mut self, name: &str, span: &Span, findings: &mut Findings) -> Option<BackendId> {
        let Some(index) = self.names.iter().position(|known| known.value == name) else {
            if !self.lost.covers(&["backends", name]) {
                let known = self.names.iter().map(|known| known.value.as_str());
                let nearest = nearest(name, known).map(str::to_owned);
                findings.note(
                    span,
                    ChainProblem::UnknownBackend {
                        name: quotable(name),
                        nearest,
                    },
                );
            }
            return None;
        };
        let id = BackendId(index);
        if self.taken.contains(&id) {
            findings.note(
                span,
                ChainProblem::Twice {
                    name: name.to_owned(),
                },
            );
        }
        self.taken.push(id);
        Some(id)
    }
}

/// The backends of a list that is no part of the chain.
fn beside(
    written: Option<&Placed<Vec<Placed<String>>>>,
    mut roster: Roster<'_>,
    findings: &mut Findings,
) -> Vec<BackendId> {
    let names = written.iter().flat_map(|written| &written.value);
    names
        .filter_map(|name| roster.id(&name.value, &name.span, findings))
        .collect()
}

/// Notes every shadow that has a vote somewhere. Its limits, its breaker and its connections would be those of a
/// backend that hooks depend on.
pub(super) fn note_votes(hooks: &[(&Placed<String>, &file::Hook)], findings: &mut Findings) {
    for shadow in hooks
        .iter()
        .flat_map(|(_, hook)| &hook.shadow)
        .flat_map(|shadow| &shadow.value)
    {
        let voting = hooks.iter().find(|(_, hook)| is_asked(hook, &shadow.value));
        if let Some((hook, _)) = voting {
            let (name, hook) = (shadow.value.clone(), quotable(&hook.value));
            findings.note(&shadow.span, ChainProblem::ShadowVotes { name, hook });
        }
    }
}

/// Notes every observer that is asked somewhere. Its limits and its connections would be those of a backend that hooks
/// depend on, or of a shadow, whose calls are made at once or not at all.
pub(super) fn note_asked(hooks: &[(&Placed<String>, &file::Hook)], findings: &mut Findings) {
    for observer in hooks
        .iter()
        .flat_map(|(_, hook)| &hook.observers)
        .flat_map(|observers| &observers.value)
    {
        let asking = hooks
            .iter()
            .find(|(_, hook)| is_asked(hook, &observer.value) || is_shadow(hook, &observer.value));
        if let Some((hook, _)) = asking {
            let (name, hook) = (observer.value.clone(), quotable(&hook.value));
            findings.note(&observer.span, ChainProblem::ObserverAsked { name, hook });
        }
    }
}

fn is_shadow(hook: &file::Hook, name: &str) -> bool {
    let mut shadows = hook.shadow.iter().flat_map(|shadow| &shadow.value);
    shadows.any(|shadow| shadow.value == name)
}

/// Whether a chain names this backend.
fn is_asked(hook: &file::Hook, name: &str) -> bool {
    let mut steps = hook.chain.iter().flat_map(|chain| &chain.value);
    steps.any(|step| match &step.value {
        Step::One(one) => one == name,
        Step::Together(names) => names.iter().any(|one| one.value == name),
    })
}

fn reject(hook: &file::Hook) -> RejectRule {
    match word(hook.reject.as_ref(), file::RejectRule::First) {
        file::RejectRule::First => RejectRule::First,
        file::RejectRule::Ordered => RejectRule::Ordered,
    }
}

fn on_conflict(hook: &file::Hook) -> OnConflict {
    match word(hook.on_conflict.as_ref(), file::OnConflict::Last) {
        file::OnConflict::Last => OnConflict::Last,
        file::OnConflict::First => OnConflict::First,
        file::OnConflict::Reject => OnConflict::Reject,
    }
}

fn images(hook: &file::Hook) -> Images {
    match word(hook.images.as_ref(), file::Images::Sheet) {
        file::Images::Sheet => Images::Sheet,
        file::Images::First => Images::First,
    }
}

fn table_guard(hook: &file::Hook) -> TableGuard {
    match word(hook.table_guard.as_ref(), file::TableGuard::Report) {
        file::TableGuard::Report => TableGuard::Report,
        file::TableGuard::Drop => TableGuard::Drop,
        file::TableGuard::Off => TableGuard::Off,
    }
}
