//! One hook, from its first stage to what is left for the answer: who is asked, what each said, what that
//! settles.
//!
//! The tally holds no I/O and owns what it knows, so that its steps that may take long ([`Tally::open_stage`],
//! [`Tally::close_stage`]) can leave the thread. First reject wins lives here, and nothing
//! else here depends on the order of arrival.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::answer::{self, Answer, Draft, Harvest, Json, Wants};
use crate::attachment::{Attachment, AttachmentKind};
use crate::failure::{Failure, FailureKind};
use crate::hook::{Hook, HookName};
use crate::judge::{Judgement, Request, unasked};
use crate::multipart::Form;
use crate::outcome::{CallRecord, CallVerdict, HookVerdict, Merging, Outcome, Said, Source};
use crate::plan::{Backend, BackendId, Chain, OnFailure, Plan, RejectRule};
use crate::reply::Reply;
use crate::shadow::Happened;
use crate::texts;
use crate::view::{Base, Views};

mod fold;
mod record;
mod room;
#[cfg(test)]
pub(crate) mod tests;

/// Whether the hook's answer is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Others still have a say.
    Open,
    /// Nothing that comes can change it.
    Settled,
}

/// The calls of one stage, to be started together.
#[derive(Debug)]
pub struct Requests {
    /// Where their limits and policies are.
    pub plan: Arc<Plan>,
    /// What each backend is asked that is asked at all, in configured order.
    pub asked: Vec<Request>,
}

/// One hook on its way through its chain.
#[derive(Debug)]
pub struct Tally {
    plan: Arc<Plan>,
    chain: Arc<Chain>,
    hook: HookName,
    /// What the current stage is sent.
    base: Arc<Base>,
    /// Whether that is still what the bot posted.
    spelling: Spelling,
    /// Whether it was made when the last stage was closed.
    made: bool,
    /// The next stage to open.
    next: usize,
    /// Where the current stage's calls stand in `calls`.
    current: Range<usize>,
    calls: Vec<CallRecord>,
    /// What the current stage's calls brought, by slot.
    judged: Vec<Option<Judgement>>,
    /// JSON replies that carried something, over all stages.
    carriers: usize,
    /// The last of them, and whether it may pass byte for byte if it stays the only one.
    last: Option<(Reply, Spelling)>,
    attachments: Vec<Attachment>,
    merging: Merging,
    decision: Option<Decision>,
    detail: Detail,
    /// Whether a stage's edits were under a guard that could keep some of them out of the document.
    guarded: bool,
}

/// What the outcome says of edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// How many there are.
    Counted,
    /// Also where the first are and what stands there now, for people.
    Listed,
}

/// Whether a document is the bot's, as the bot spelled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    AsPosted,
    Other,
}

/// What settled a hook.
#[derive(Debug)]
enum Decision {
    Reject { call: usize, reply: Reply },
    FailedClosed { call: usize, message: String },
    Conflict,
}

// === impl Tally ===

impl Tally {
    /// A hook that has not begun.
    pub fn new(plan: Arc<Plan>, chain: Arc<Chain>, hook: Hook) -> Self {
        Self {
            plan,
            chain,
            hook: hook.name,
            base: hook.base,
            spelling: Spelling::AsPosted,
            made: false,
            next: 0,
            current: 0..0,
            calls: Vec::new(),
            judged: Vec::new(),
            carriers: 0,
            last: None,
            attachments: Vec::new(),
            merging: Merging::default(),
            decision: None,
            detail: Detail::Counted,
            guarded: false,
        }
    }

    /// The same, its outcome as detailed as that.
    #[must_use]
    pub fn with_detail(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// Notes that the calls of the stage opened last were started so long after the hook had begun.
    pub fn begin_stage(&mut self, after: Duration) {
        for record in self.calls.get_mut(self.current.clone()).unwrap_or_default() {
            record.started = after;
        }
    }

    /// Opens the next stage: whom to ask what. `None` once the hook is settled or the stages are through. Linear in
    /// the base where a backend has conditions, or guards that change what it is sent.
    pub fn open_stage(&mut self) -> Option<Requests> {
        if self.decision.is_some() || self.next >= self.chain.stages.len() {
            return None;
        }
        let (plan, chain) = (self.plan.clone(), self.chain.clone());
        let stage = chain.stages.get(self.next)?;
        self.next += 1;
        let first = self.calls.len();
        self.judged.clear();
        let mut views = Views::new(self.base.clone());
        let mut asked = Vec::with_capacity(stage.backends.len());
        for &id in &stage.backends {
            if let Some(backend) = plan.backend(id) {
                asked.extend(self.open_call((id, backend), &mut views));
            }
        }
        self.current = first..self.calls.len();
        if chain.reject == RejectRule::First {
            self.decision = self.earliest_refusal();
        }
        if self.decision.is_some() {
            self.ask_nobody(&mut asked);
        }
        drop(views);
        Some(Requests { plan, asked })
    }

    /// Takes the questions of the current stage back before the first is asked: nobody is sent anything.
    pub fn ask_nobody(&mut self, asked: &mut Vec<Request>) {
        asked.clear();
        for record in self.calls.get_mut(self.current.clone()).unwrap_or_default() {
            record.sent = 0;
        }
    }

    /// Opens one call: the question, unless the call ends here.
    fn open_call<'p>(
        &mut self,
        (id, backend): (BackendId, &'p Backend),
        views: &mut Views<'p>,
    ) -> Option<Request> {
        let view = match unasked(backend, &self.base) {
            Some(end) => Err(end),
            None => views.of(&backend.guards).map_err(Judgement::unasked),
        };
        let mut record = CallRecord::unanswered(id, self.next - 1);
        match &view {
            Ok(view) => record.sent = view.bytes().len(),
            Err(end) => record.fill(end),
        }
        let slot = self.judged.len();
        let (view, end) = view.map_or_else(|end| (None, Some(end)), |view| (Some(view), None));
        self.calls.push(record);
        self.judged.push(end);
        Some(Request {
            slot,
            id,
            view: view?,
        })
    }

    /// How many bytes [`Tally::open_stage`] may have to go through.
    pub fn opening_weight(&self) -> usize {
        let next = self.chain.stages.get(self.next);
        let mut backends = next
            .into_iter()
            .flat_map(|stage| &stage.backends)
            .filter_map(|&id| self.plan.backend(id));
        if backends.any(|backend| !backend.when.is_empty() || backend.guards.look_into_documents()) {
            self.base.bytes().len()
        } else {
            0
        }
    }

    /// Takes what the call in this slot of the current stage brought. Once settled, and for a slot that has
    /// its judgement, nothing changes any more.
    pub fn record(&mut self, slot: usize, judgement: Judgement, took: Duration) -> Progress {
        if self.decision.is_some() {
            return Progress::Settled;
        }
        let index = self.current.start + slot;
        let (Some(record), Some(place)) = (self.calls.get_mut(index), self.judged.get_mut(slot)) else {
            return Progress::Open;
        };
        if place.is_some() {
            return Progress::Open;
        }
        record.took = took;
        record.fill(&judgement);
        if self.detail == Detail::Listed {
            record.said = judgement.reply().map(|reply| Box::new(Said::of(reply)));
        }
        let carries = judgement.reply().is_some();
        *place = Some(judgement);
        if carries {
            self.shed_bodies();
        }
        if self.chain.reject == RejectRule::First {
            self.decision = self.refusal(slot);
        }
        self.progress()
    }

    /// Closes the current stage: names who has not answered, lets the earliest reject decide where that is the
    /// rule, and folds the edits into the base in configured order. `elapsed` is the time since the stage's calls
    /// were started. Linear in the base and the edits.
    pub fn close_stage(&mut self, elapsed: Duration) -> Progress {
        self.made = false;
        self.name_the_unanswered(elapsed);
        if self.decision.is_none() {
            self.decision = self.earliest_refusal();
        }
        if self.decision.is_none() {
            self.gather();
        }
        self.progress()
    }

    /// The judgements of the current stage that carry something.
    fn carrying(&self) -> impl Iterator<Item = &Judgement> {
        self.judged
            .iter()
            .flatten()
            .filter(|judgement| judgement.reply().is_some())
    }

    /// Lets the bodies go that can't be the answer any more. With a second JSON reply that is a merge, for which the
    /// edits are enough: whoever is echoed two megabytes by four backends holds them once or twice, not four times.
    fn shed_bodies(&mut self) {
        let edits = |judgement: &&Judgement| matches!(judgement, Judgement::Json { edits: Some(_), .. });
        let edited = self.carrying().filter(edits).count();
        if edited == 0 || self.carriers + edited < 2 {
            return;
        }
        self.judged.iter_mut().flatten().for_each(Judgement::shed_body);
        if let Some((reply, _)) = &mut self.last {
            reply.body = Bytes::new();
        }
    }

    /// What the chain has made of the hook, where shadows are to be compared with that or observers to be told. Asked
    /// before [`Tally::finish`], once the stages are through.
    pub fn happened(&self) -> Option<Happened> {
        if !self.chain.is_watched() {
            return None;
        }
        let verdict = match &self.decision {
            None => HookVerdict::Continue,
            Some(Decision::Reject { .. }) => HookVerdict::Reject,
            Some(Decision::FailedClosed { .. } | Decision::Conflict) => HookVerdict::Error,
        };
        Some(Happened {
            verdict,
            document: self.base.clone(),
            attachments: self.attachments.clone(),
            alone: match &self.last {
                Some((reply, _)) if self.base.document().is_none() => Some(reply.body.clone()),
                _ => None,
            },
        })
    }

    /// What happened, and the draft of the answer to it.
    pub fn finish(mut self, form: Form) -> (Outcome, Draft) {
        let ready = |answer| Draft::Ready(answer, Vec::new());
        let images = match self.decision {
            Some(_) => 0,
            None => self
                .attachments
                .iter()
                .filter(|one| one.kind == AttachmentKind::Image)
                .count(),
        };
        let wants = Wants {
            images: self.chain.images,
            form,
        };
        let (source, draft) = match self.decision.take() {
            Some(Decision::Reject { call, reply }) => {
                (Source::Reject(call), ready(Answer::from_reject(&reply)))
            }
            Some(Decision::FailedClosed { call, message }) => {
                (Source::FailedClosed(call), ready(Answer::text(502, &message)))
            }
            Some(Decision::Conflict) => (Source::Conflict, ready(Answer::text(409, texts::CONFLICT))),
            None => self.harvest(wants),
        };
        let outcome = Outcome {
            plan: self.plan,
            hook: self.hook,
            source,
            calls: self.calls,
            merging: self.merging,
            images,
            dropped: Vec::new(),
        };
        (outcome, draft)
    }

    fn progress(&self) -> Progress {
        match self.decision {
            Some(_) => Progress::Settled,
            None => Progress::Open,
        }
    }

    /// The first refusal of the stage in configured order, if there is one.
    fn earliest_refusal(&self) -> Option<Decision> {
        (0..self.judged.len()).find_map(|slot| self.refusal(slot))
    }

    /// The refusal that this slot's judgement amounts to, if it does.
    fn refusal(&self, slot: usize) -> Option<Decision> {
        let call = self.current.start + slot;
        match self.judged.get(slot)?.as_ref()? {
            Judgement::Reject(reply) => Some(Decision::Reject {
                call,
                reply: reply.clone(),
            }),
            Judgement::Failed { .. } => {
                let backend = self.plan.backend(self.calls.get(call)?.backend)?;
                match &backend.on_failure {
                    OnFailure::Continue => None,
                    OnFailure::Reject { message } => Some(Decision::FailedClosed {
                        call,
                        message: message.clone(),
                    }),
                }
            }
            _ => None,
        }
    }

    /// Whoever has no judgement yet was cancelled by a reject, or else kept from answering by the deadline.
    fn name_the_unanswered(&mut self, elapsed: Duration) {
        let Some(records) = self.calls.get_mut(self.current.clone()) else {
            return;
        };
        for (record, place) in records.iter_mut().zip(&mut self.judged) {
            if place.is_none() {
                record.took = elapsed;
                if self.decision.is_none() {
                    let failure = Failure::new(FailureKind::Timeout, "the hook's deadline came first");
                    let judgement = Judgement::Failed {
                        status: None,
                        failure,
                    };
                    record.fill(&judgement);
                    *place = Some(judgement);
                }
            }
            let policy = self
                .plan
                .backend(record.backend)
                .map(|backend| &backend.on_failure);
            record.failed_open =
                record.verdict == CallVerdict::Failed && matches!(policy, Some(OnFailure::Continue));
        }
    }

    /// Takes in what the stage's replies carry.
    fn gather(&mut self) {
        let judged = std::mem::take(&mut self.judged);
        let mut edited = Vec::new();
        let mut incomparable = false;
        for (slot, judgement) in judged.into_iter().enumerate() {
            match judgement {
                Some(Judgement::Json { reply, edits, .. }) => {
                    self.carriers += 1;
                    self.last = Some((reply, self.spelling_for(slot)));
                    incomparable |= edits.is_none();
                    edited.extend(edits.map(|edits| (slot, edits)));
                }
                Some(Judgement::Attachment(attachment)) => self.attachments.push(attachment),
                _ => {}
            }
        }
        self.merging.failures += u64::from(incomparable);
        if !edited.is_empty() {
            self.fold(&edited);
        }
    }

    /// How the document is spelled that the backend of this slot was sent, as far as a reply of it may stand for it.
    fn spelling_for(&self, slot: usize) -> Spelling {
        let call = self.calls.get(self.current.start + slot);
        let backend = call.and_then(|call| self.plan.backend(call.backend));
        match backend {
            Some(backend) if backend.guards.leave_whole() => self.spelling,
            _ => Spelling::Other,
        }
    }

    /// What is left for the bot when nothing refused.
    fn harvest(&mut self, wants: Wants) -> (Source, Draft) {
        let attachments = std::mem::take(&mut self.attachments);
        let json = self.json(&attachments);
        let source = match (&json, attachments.is_empty()) {
            (Json::None, true) => Source::Nothing,
            _ => Source::Replies,
        };
        (source, answer::compose(Harvest { json, attachments }, wants))
    }

    /// The document of the answer. One backend's own body passes byte for byte where nothing else has to be in
    /// it (gateway.md section 4, last rules).
    fn json(&mut self, attachments: &[Attachment]) -> Json {
        let Some((reply, sent)) = self.last.take() else {
            return Json::None;
        };
        let alone = self.carriers == 1 && sent == Spelling::AsPosted && !self.guarded;
        let attached = attachments
            .iter()
            .any(|attachment| attachment.kind != AttachmentKind::Other);
        match self.base.document() {
            // Nothing could be compared: the last JSON reply stands, whole.
            None => Json::Verbatim(reply),
            Some(_) if alone && !attached => Json::Verbatim(reply),
            Some(document) => Json::Merged(document.bytes().clone()),
        }
    }
}

// === helpers ===

/// The answer to a hook whose task broke: by policy, as if every backend had failed. The first backend of the chain
/// that refuses on failure speaks; without one the bot goes on.
pub fn answer_for_broken(plan: &Plan, chain: &Chain) -> Answer {
    let backends = chain
        .stages
        .iter()
        .flat_map(|stage| &stage.backends)
        .filter_map(|&id| plan.backend(id));
    for backend in backends {
        if let OnFailure::Reject { message } = &backend.on_failure {
            return Answer::text(502, message);
        }
    }
    Answer::no_content()
}
