//! What is remembered, for how long, and what is shown of it.

use std::sync::Arc;

use koigate_core::attachment::{AttachmentKind, DropReason, Dropped as Left};
use koigate_core::changes::{Change as Edited, ChangeKind};
use koigate_core::failure::{Failure as Why, FailureKind};
use koigate_core::guards::Denied;
use koigate_core::hook::HookName;
use koigate_core::outcome::{
    CallVerdict, Disagreement, HookVerdict, Merging, Said, Source, WrongColumn as WrongColumnOf,
};
use koigate_core::plan::{BackendId, Plan};
use koigate_core::pointer::Pointer;
use koigate_core::shadow::{Finding, Would};

use super::*;

fn limits(keep: usize, memory: usize, hide: &[&str]) -> plan::Traces {
    plan::Traces {
        keep,
        memory,
        hide: hide.iter().map(|text| Pointer::parse(text).unwrap()).collect(),
    }
}

/// The backends of every hook here.
const BACKENDS: [&str; 5] = ["a", "guard", "points", "columns", "new"];

fn plan() -> Plan {
    let text: String = BACKENDS
        .map(|name| format!("[backends.{name}]\nurl = 'http://127.0.0.1:1/'\n"))
        .concat();
    koigate_config::parse(&text, "koigate.toml", &koigate_config::Process)
        .unwrap()
        .plan
}

fn call(name: &str, verdict: CallVerdict) -> CallRecord {
    CallRecord {
        backend: BackendId(BACKENDS.iter().position(|one| *one == name).unwrap()),
        verdict,
        status: Some(200),
        failure: None,
        stage: 0,
        started: Duration::from_micros(120),
        took: Duration::from_micros(3_456),
        sent: 700,
        said: None,
        edits: 0,
        changes: Vec::new(),
        denied: Denied::default(),
        overreach: None,
        wrong_columns: 0,
        failed_open: false,
        not_an_object: false,
    }
}

fn hook(id: &str, document: usize, calls: Vec<CallRecord>) -> Finished {
    Finished {
        id: id.into(),
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_123),
        took: Duration::from_micros(4_321),
        document: vec![b'x'; document].into(),
        outcome: Outcome {
            plan: Arc::new(plan()),
            hook: HookName::new("onResult").unwrap(),
            source: Source::Replies,
            calls,
            merging: Merging::default(),
            images: 0,
            dropped: Vec::new(),
        },
        answered: Answered {
            status: 204,
            content_type: String::new(),
            bytes: 0,
        },
    }
}

fn ids(traces: &Traces) -> Vec<String> {
    traces
        .summaries(&limits(usize::MAX, usize::MAX, &[]))
        .into_iter()
        .map(|hook| hook.id.to_string())
        .collect()
}

#[test]
fn the_latest_come_first_and_the_oldest_go() {
    let traces = Traces::default();
    for id in ["a", "b", "c", "d"] {
        traces.keep(hook(id, 0, Vec::new()), &limits(3, 1 << 20, &[]));
    }
    assert_eq!(ids(&traces), ["d", "c", "b"]);
    // A reload that keeps fewer is heeded by the next hook; 0 keeps none.
    traces.keep(hook("e", 0, Vec::new()), &limits(1, 1 << 20, &[]));
    assert_eq!(ids(&traces), ["e"]);
    traces.keep(hook("f", 0, Vec::new()), &limits(0, 1 << 20, &[]));
    assert_eq!(ids(&traces), [""; 0]);
    assert_eq!(traces.kept().bytes, 0);
}

#[test]
fn memory_is_bounded_by_what_is_held() {
    let traces = Traces::default();
    for id in 0..100 {
        traces.keep(
            hook(&id.to_string(), 10_000, Vec::new()),
            &limits(1_000, 100_000, &[]),
        );
        assert!(traces.kept().bytes <= 100_000);
    }
    assert_eq!(ids(&traces).len(), 9);
    // A document too large to keep costs nothing; its outcome is kept.
    traces.keep(
        hook("large", LARGEST_DOCUMENT + 1, Vec::new()),
        &limits(1_000, 100_000, &[]),
    );
    assert_eq!(ids(&traces).first().map(String::as_str), Some("large"));
    assert_eq!(ids(&traces).len(), 10);
    let weight: usize = traces.kept().hooks().map(Finished::weight).sum();
    assert_eq!(traces.kept().bytes, weight);
}

/// What a hook lists is held like its document.
#[test]
fn every_list_of_a_hook_has_its_weight() {
    let bare = || hook("id", 0, vec![call("a", CallVerdict::Continue)]);
    let pointer = || format!("/result/{}", "x".repeat(900));
    let lists: [fn(&mut Finished, String); 5] = [
        |hook, pointer| {
            let (first, second) = (Arc::from("a"), Arc::from("b"));
            hook.outcome.merging.listed = vec![Disagreement {
                pointer,
                first,
                second,
            }];
        },
        |hook, pointer| {
            hook.outcome.merging.wrong_columns = vec![WrongColumnOf {
                pointer,
                found: Some(1),
                expected: 2,
                backends: vec![Arc::from("a")],
                dropped: false,
            }];
        },
        |hook, pointer| hook.outcome.calls[0].denied.places = vec![pointer],
        |hook, pointer| {
            hook.outcome.calls[0].changes = vec![Edited {
                pointer,
                kind: ChangeKind::Added,
                value: String::new(),
                length: 1,
            }];
        },
        |hook, _| {
            let one = Left {
                backend: Arc::from("a"),
                kind: AttachmentKind::Image,
                reason: DropReason::Late,
            };
            hook.outcome.dropped = vec![one; 50];
        },
    ];
    for (place, list) in lists.into_iter().enumerate() {
        let mut listing = bare();
        list(&mut listing, pointer());
        let (with, without) = (listing.weight(), bare().weight());
        assert!(with >= without + 900, "{place}: {with} {without}");
    }
}

#[test]
fn a_trace_says_what_happened() {
    let mut failed = call("points", CallVerdict::Failed);
    failed.status = None;
    failed.failed_open = true;
    failed.failure = Some(Box::new(Why::new(FailureKind::Timeout, "no whole reply in time")));
    let mut finished = hook("id", 10, vec![call("guard", CallVerdict::Continue), failed]);
    finished.outcome.merging.conflicts = 40;
    finished.outcome.merging.listed = vec![Disagreement {
        pointer: "/result/n".into(),
        first: Arc::from("guard"),
        second: Arc::from("points"),
    }];
    let traces = Traces::default();
    let limits = limits(1, 1 << 20, &[]);
    traces.keep(finished, &limits);
    assert_eq!(traces.find("other", &limits), None);
    let trace = traces.find("id", &limits).unwrap();
    assert_eq!(trace.summary, traces.summaries(&limits)[0]);
    assert_eq!(trace.summary.at, "2026-09-21T14:13:20.123Z");
    assert_eq!(trace.summary.backends, "guard=continue points=failed");
    assert_eq!(
        (trace.summary.ms, trace.calls[0].start_ms, trace.calls[0].ms),
        (4.32, 0.12, 3.46)
    );
    let failure = trace.calls[1].failure.clone().unwrap();
    assert_eq!((&*failure.kind, &*failure.policy), ("timeout", "continue"));
    assert_eq!(
        (trace.conflicts, &*trace.conflicts_listed[0].at),
        (40, "/result/n")
    );
    // What is shown can be read back.
    let json = serde_json::to_string(&trace).unwrap();
    assert_eq!(serde_json::from_str::<Trace>(&json).unwrap(), trace);
}

/// A value shows neither at a hidden place, nor below one, nor above one.
#[test]
fn what_is_hidden_is_in_no_trace() {
    fn check(pointer: &str, hidden: &[&str], shows: bool) {
        let mut changing = call("columns", CallVerdict::Continue);
        changing.said = Some(Box::new(Said {
            content_type: "application/json".into(),
            length: 9,
            text: "what a user reads".into(),
        }));
        changing.changes = vec![Edited {
            pointer: pointer.into(),
            kind: ChangeKind::Replaced,
            value: "canary".into(),
            length: 6,
        }];
        let traces = Traces::default();
        let limits = limits(1, 1 << 20, hidden);
        traces.keep(hook("id", 0, vec![changing]), &limits);
        let json = serde_json::to_string(&traces.find("id", &limits)).unwrap();
        assert_eq!(json.contains("canary"), shows, "{pointer} {hidden:?}");
        assert!(!json.contains("what a user reads"), "{json}");
    }
    let hidden = ["/config", "/slaveRequest/proxies", "/message/from-user"];
    check("/result/n", &hidden, true);
    check("/configuration", &hidden, true);
    check("/slaveRequest/task", &hidden, true);
    check("/config", &hidden, false);
    check("/config/bot/token", &hidden, false);
    check("/slaveRequest/proxies/3/password", &hidden, false);
    check("/slaveRequest/proxies/-", &hidden, false);
    check("/slaveRequest", &hidden, false);
    check("/message/from_user/id", &hidden, false);
    check("", &hidden, false);
    check("/a/b", &["/*/b"], false);
    check("/a/c", &["/*/b"], true);
    // An element that a backend replaces or appends holds whatever is hidden of any.
    let parts = ["/slaveRequest/proxies/*/password"];
    check("/slaveRequest/proxies/3", &parts, false);
    check("/slaveRequest/proxies/-", &parts, false);
    check("/slave_request/proxies", &parts, true);
    check("/slaveRequest/proxies/3/password/0", &parts, false);
    check("/slaveRequest/proxies/3/server", &parts, true);
    check("/a", &["/*/b"], false);
}

/// The document is shown without what is hidden, byte for byte; one that nobody can cut is not shown.
#[test]
fn the_document_of_a_trace() {
    fn check(document: &str, hidden: &[&str], expected: Option<&str>) {
        let traces = Traces::default();
        let limits = limits(1, 1 << 20, hidden);
        let mut finished = hook("id", 0, Vec::new());
        finished.document = Bytes::copy_from_slice(document.as_bytes());
        traces.keep(finished, &limits);
        let shown = traces.find("id", &limits).unwrap().document;
        assert_eq!(shown.as_deref(), expected, "{document} {hidden:?}");
    }
    let document = r#"{"config": {"token": "canary"}, "message": {"id": 1.0}}"#;
    check(document, &[], Some(document));
    check(document, &["/config"], Some(r#"{"message": {"id": 1.0}}"#));
    check(document, &["/config", "/message"], Some("{}"));
    check(document, &["/nowhere"], Some(document));
    check("{broken canary", &["/config"], None);
    check("", &["/config"], None);
}

fn shadowed(id: &str, would: Option<Would>, changes: usize) -> Shadowed {
    let change = Edited {
        pointer: "/config/token".into(),
        kind: ChangeKind::Replaced,
        value: "canary".into(),
        length: 6,
    };
    Shadowed {
        id: id.to_owned(),
        at: SystemTime::UNIX_EPOCH,
        hook: HookName::new("onResult").unwrap(),
        happened: HookVerdict::Continue,
        plan: Arc::new(plan()),
        finding: Finding {
            call: call("new", CallVerdict::Continue),
            would,
            differences: changes,
            changes: vec![change; changes],
        },
    }
}

#[test]
fn shadows_are_reported_and_hide_what_is_hidden() {
    let traces = Traces::default();
    let limits = limits(10, 1 << 20, &["/config"]);
    traces.keep(hook("a", 0, Vec::new()), &limits);
    let all = Would::ALL
        .map(Some)
        .into_iter()
        .chain([None, Some(Would::Change)]);
    for would in all {
        traces.keep_shadow(shadowed("a", would, 1), &limits);
    }
    let report = traces.report("new", &limits);
    let counts = (report.agree, report.reject, report.change, report.fail);
    assert_eq!((counts, report.hooks.len()), ((1, 1, 2, 1), 6));
    assert_eq!(traces.find("a", &limits).unwrap().shadows.len(), 6);
    assert_eq!(traces.report("guard", &limits).hooks.len(), 0);
    // What is shown can be read back.
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("canary"), "{json}");
    assert_eq!(serde_json::from_str::<ShadowReport>(&json).unwrap(), report);
}

/// They are bounded in number and bytes, and hooks and shadows together hold what traces may.
#[test]
fn shadows_have_their_part_of_the_memory() {
    let traces = Traces::default();
    let few = limits(3, 1 << 20, &[]);
    for id in ["a", "b", "c", "d"] {
        traces.keep_shadow(shadowed(id, Some(Would::Agree), 0), &few);
    }
    let ids = |limits: &plan::Traces| -> Vec<String> {
        let hooks = traces.report("new", limits).hooks;
        hooks.into_iter().map(|hook| hook.id.to_string()).collect()
    };
    assert_eq!(ids(&few), ["d", "c", "b"]);
    let small = limits(1_000, 100_000, &[]);
    for id in 0..100 {
        traces.keep_shadow(shadowed(&id.to_string(), Some(Would::Change), 30), &small);
        traces.keep(hook(&id.to_string(), 10_000, Vec::new()), &small);
        let (hooks, shadows) = (traces.kept().bytes, traces.shadows.held());
        assert!(
            shadows <= 25_000 && hooks + shadows <= 100_000,
            "{hooks} {shadows}"
        );
    }
    assert!(!ids(&small).is_empty());
    assert!(ids(&limits(0, 100_000, &[])).is_empty());
    assert_eq!(traces.shadows.held(), 0);
}
