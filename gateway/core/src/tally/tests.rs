//! The tally by tables, and properties 1 and 5: arrival does not matter, settled is final.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

mod columns;
mod conditions;

use super::*;
use crate::guards::Guards;
use crate::judge::judge;
use crate::outcome::HookVerdict;
use crate::plan::{
    Admin, Backend, BackendId, BackendTls, Images, Listen, Log, LogFormat, LogLevel, OnConflict, Queue,
    Scheme, Server, Stage, StatusSet, TableGuard, Target, Traces,
};

mod guards;
mod room;
mod shadows;

const DOCUMENT: &str =
    r#"{"message": {"id": 1}, "result": {"节点名称": ["a", "b"], "n": 1.0}, "addons": {}}"#;

/// What a backend brings.
type Brought = Result<Reply, FailureKind>;

fn reply(status: u16, content_type: &str, body: &str) -> Brought {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let content_type = (!content_type.is_empty()).then(|| Bytes::copy_from_slice(content_type.as_bytes()));
    Ok(Reply {
        status,
        content_type,
        content_disposition: None,
        body,
    })
}

fn json(body: &str) -> Brought {
    reply(200, "application/json", body)
}

fn text(body: &str) -> Brought {
    reply(200, "text/plain", body)
}

fn reject(body: &str) -> Brought {
    reply(403, "text/plain", body)
}

fn nothing() -> Brought {
    reply(204, "", "")
}

/// The policies of a chain under test.
#[derive(Debug, Clone)]
struct Rules {
    reject: RejectRule,
    on_conflict: OnConflict,
    on_failure: OnFailure,
}

const OPEN: Rules = Rules {
    reject: RejectRule::First,
    on_conflict: OnConflict::Last,
    on_failure: OnFailure::Continue,
};

fn closed() -> OnFailure {
    OnFailure::Reject {
        message: "closed".into(),
    }
}

/// A backend without anything particular.
pub(crate) fn any_backend() -> Backend {
    backend(&OPEN, 0)
}

fn backend(rules: &Rules, index: usize) -> Backend {
    let target = Target {
        scheme: Scheme::Http,
        host: "127.0.0.1".into(),
        port: 1,
        authority: "127.0.0.1:1".into(),
        path: "/".into(),
    };
    Backend {
        name: format!("b{index}").into(),
        replicas: vec![target],
        timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(1),
        on_failure: rules.on_failure.clone(),
        failure_statuses: StatusSet(vec![500..=599]),
        headers: Vec::new(),
        max_reply: 1 << 20,
        max_in_flight: 1,
        retries: 0,
        breaker: None,
        health: None,
        tls: BackendTls::default(),
        queue: Queue::default(),
        always_finish: false,
        when: Vec::new(),
        sign: Vec::new(),
        guards: Guards::default(),
    }
}

fn plan(rules: &Rules, stages: &[usize]) -> (Arc<Plan>, Arc<Chain>) {
    let count: usize = stages.iter().sum();
    let mut ids = (0..count).map(BackendId);
    let chain = Chain {
        stages: stages
            .iter()
            .map(|&size| Stage {
                backends: ids.by_ref().take(size).collect(),
            })
            .collect(),
        deadline: Duration::from_secs(1),
        reject: rules.reject,
        on_conflict: rules.on_conflict,
        images: Images::First,
        table_guard: TableGuard::Report,
        shadows: Vec::new(),
        observers: Vec::new(),
    };
    let listen = "127.0.0.1:0".parse().unwrap();
    let plan = Plan {
        server: Server {
            listen: vec![Listen::Tcp(listen)],
            path: String::new(),
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
        backends: (0..count).map(|index| Arc::new(backend(rules, index))).collect(),
        chains: BTreeMap::new(),
    };
    (Arc::new(plan), Arc::new(chain))
}

/// Runs a hook whose stage `n` gets the replies of `stages[n]`, in the order of `arrival` (slots by rank).
fn run(
    rules: &Rules,
    document: &str,
    stages: &[Vec<Brought>],
    arrival: impl Fn(usize, usize) -> u64,
) -> (Outcome, Draft) {
    let sizes: Vec<usize> = stages.iter().map(Vec::len).collect();
    drive(plan(rules, &sizes), document, stages, arrival)
}

fn drive(
    plan: (Arc<Plan>, Arc<Chain>),
    document: &str,
    stages: &[Vec<Brought>],
    arrival: impl Fn(usize, usize) -> u64,
) -> (Outcome, Draft) {
    through(plan, document, stages, arrival).finish(Form::Single)
}

/// The same up to where the stages are through.
fn through(
    (plan, chain): (Arc<Plan>, Arc<Chain>),
    document: &str,
    stages: &[Vec<Brought>],
    arrival: impl Fn(usize, usize) -> u64,
) -> Tally {
    let base = Arc::new(Base::new(Bytes::copy_from_slice(document.as_bytes())));
    let hook = Hook {
        name: HookName::new("onResult").unwrap(),
        base,
    };
    let mut tally = Tally::new(plan, chain, hook);
    let mut stage = 0;
    while let Some(Requests { mut asked, .. }) = tally.open_stage() {
        asked.sort_by_key(|request| arrival(stage, request.slot));
        for request in asked {
            let brought = stages[stage][request.slot]
                .clone()
                .map_err(|kind| Failure::new(kind, "told to"));
            let judgement = judged(&tally, &request, brought);
            if tally.record(request.slot, judgement, Duration::ZERO) == Progress::Settled {
                break;
            }
        }
        tally.close_stage(Duration::ZERO);
        stage += 1;
    }
    tally
}

/// What this means that a backend of the tally's plan has brought.
fn judged(tally: &Tally, request: &Request, brought: Result<Reply, Failure>) -> Judgement {
    judge(tally.plan.backend(request.id).unwrap(), request, brought)
}

fn answer(draft: Draft) -> Answer {
    match draft {
        Draft::Ready(answer, _) => answer,
        Draft::Joint(joining) => joining.join().0,
        Draft::Sheet(_) => panic!("no pictures here"),
    }
}

/// What stands in a row of a table: status and body of the answer.
fn check(what: &str, rules: &Rules, stages: &[Vec<Brought>], status: u16, body: &str) -> Outcome {
    let (outcome, draft) = run(rules, DOCUMENT, stages, |_, slot| slot as u64);
    let answer = answer(draft);
    assert_eq!(
        (answer.status, std::str::from_utf8(&answer.body).unwrap()),
        (status, body),
        "{what}"
    );
    outcome
}

const PATCH: &str = r#"{"result":{"k":5}}"#;
const OTHER: &str = r#"{"result":{"j":6}}"#;
const ECHO: &str = r#"{"message":{"id":1},"result":{"n":1}}"#;

#[test]
fn what_becomes_of_documents() {
    let check = |what, stages: &[Vec<Brought>], body: &str| {
        check(what, &OPEN, stages, 200, body);
    };
    let with_k = DOCUMENT.replace("1.0}", "1.0,\"k\":5}");
    let with_both = DOCUMENT.replace("1.0}", "1.0,\"k\":5,\"j\":6}");
    let (patch, echo, other) = (json(PATCH), json(ECHO), json(OTHER));
    check(
        "one passes byte for byte",
        &[vec![nothing(), patch.clone()]],
        PATCH,
    );
    check("an echo alone too", &[vec![echo.clone()]], ECHO);
    check("two are whole", &[vec![patch.clone(), echo]], &with_k);
    check(
        "over stages too",
        &[vec![patch.clone()], vec![other.clone()]],
        &with_both,
    );
    check(
        "a second stage alone was sent the original",
        &[vec![nothing()], vec![other]],
        OTHER,
    );
    check(
        "{} and null are nothing",
        &[vec![json("{}"), json("null"), patch]],
        PATCH,
    );
}

#[test]
fn of_several_documents_only_the_edits_are_held() {
    let held = |base: &str, stages: &[&[&str]]| {
        let sizes: Vec<usize> = stages.iter().map(|stage| stage.len()).collect();
        let (plan, chain) = plan(&OPEN, &sizes);
        let hook = Hook {
            name: HookName::new("onResult").unwrap(),
            base: Arc::new(Base::new(Bytes::copy_from_slice(base.as_bytes()))),
        };
        let mut tally = Tally::new(plan, chain, hook);
        let mut held = Vec::new();
        for stage in stages {
            for request in tally.open_stage().unwrap().asked {
                let slot = request.slot;
                let judgement = judged(&tally, &request, Ok(json(stage[slot]).unwrap()));
                tally.record(slot, judgement, Duration::ZERO);
                let last = tally.last.as_ref().map_or(0, |(reply, _)| reply.body.len());
                let judged: usize = tally.carrying().map(Judgement::body_len).sum();
                held.push((judged, last, tally.weight()));
            }
            tally.close_stage(Duration::ZERO);
        }
        held
    };
    let (base, patch, echo) = (DOCUMENT.len(), PATCH.len(), ECHO.len());
    let edit = r#""k":5"#.len();
    assert_eq!(
        held(DOCUMENT, &[&[ECHO, PATCH, ECHO]]),
        [
            (echo, 0, base + echo),
            (edit, 0, base + edit),
            (edit, 0, base + edit)
        ]
    );
    assert_eq!(
        held(DOCUMENT, &[&["{}", PATCH]]),
        [(0, 0, 0), (patch, 0, base + patch)]
    );
    assert_eq!(
        held(DOCUMENT, &[&[ECHO], &[PATCH]]),
        [(echo, 0, base + echo), (edit, 0, base + edit)],
        "nor is what an earlier stage said"
    );
    let most = r#"{"k":"most of it"}"#;
    assert_eq!(
        held("{}", &[&["{\"a\":1}", most]])[1].0,
        r#"{"a":1}"#.len() + most.len(),
        "what would save little is not copied"
    );
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(400_000));
    let more = format!(r#"{},"b":"{}"}}"#, &large[..large.len() - 1], "y".repeat(150_000));
    assert_eq!(
        held(&large, &[&[PATCH, &more]])[1].0,
        PATCH.len() + more.len(),
        "nor much, since the copy would count nowhere"
    );
    assert_eq!(
        held("{broken", &[&[PATCH, ECHO]])[1].0,
        patch + echo,
        "one of them will be the answer"
    );
}

#[test]
fn what_becomes_of_a_chain() {
    let check = |what, stages: &[Vec<Brought>], status, body| {
        check(what, &OPEN, stages, status, body);
    };
    let ignored = vec![reply(302, "", "x"), reply(400, "", "y")];
    check("nobody says anything", &[vec![nothing(), nothing()]], 204, "");
    check("a text alone passes", &[vec![text("hi")]], 200, "hi");
    check("texts are joined", &[vec![text("hi"), text("ho")]], 200, "hi\nho");
    check(
        "reject",
        &[vec![json(PATCH), reject("no")], vec![nothing()]],
        403,
        "no",
    );
    check("what the bot ignores is ignored", &[ignored], 204, "");
    check(
        "a failure is passed over",
        &[vec![Err(FailureKind::Reset), json(PATCH)]],
        200,
        PATCH,
    );
    check(
        "broken JSON is a failure",
        &[vec![json("{"), json(PATCH)]],
        200,
        PATCH,
    );
}

#[test]
fn failures_by_policy() {
    let rules = Rules {
        on_failure: closed(),
        ..OPEN
    };
    let outcome = check("bad JSON", &rules, &[vec![nothing(), json("{")]], 502, "closed");
    assert_eq!(outcome.verdict(), HookVerdict::Error);
    assert_eq!(
        outcome.calls[1].failure.as_ref().unwrap().kind,
        FailureKind::BadJson
    );
    assert!(!outcome.calls[1].failed_open);
    check(
        "a failure status",
        &rules,
        &[vec![reply(503, "", "")]],
        502,
        "closed",
    );
}

#[test]
fn conflicts_by_policy() {
    let (one, two) = (json(r#"{"message":{"id":2}}"#), json(r#"{"message":{"id":3}}"#));
    let set = |id: u8| DOCUMENT.replace(r#""id": 1"#, &format!(r#""id": {id}"#));
    let rules = |on_conflict| Rules { on_conflict, ..OPEN };
    let both = [vec![one.clone(), two.clone()]];
    let last = check("the last stands", &OPEN, &both, 200, &set(3));
    assert_eq!(last.merging.conflicts, 1);
    let listed = &last.merging.listed[0];
    assert_eq!(
        (&*listed.pointer, &*listed.first, &*listed.second),
        ("/message/id", "b0", "b1")
    );
    check("the first stands", &rules(OnConflict::First), &both, 200, &set(2));
    let refused = check("refused", &rules(OnConflict::Reject), &both, 409, texts::CONFLICT);
    assert_eq!(
        (refused.verdict(), refused.source),
        (HookVerdict::Error, Source::Conflict)
    );
    let apart = [vec![one], vec![two]];
    let apart = check(
        "stages do not conflict",
        &rules(OnConflict::Reject),
        &apart,
        200,
        &set(3),
    );
    assert_eq!(apart.merging.conflicts, 0);
}

#[test]
fn counts_of_a_call() {
    let stages = [vec![
        json("[1]"),
        json(r#"{"message":{"id":2},"result":{"n":2}}"#),
        Err(FailureKind::Connect),
    ]];
    let (outcome, _) = run(&OPEN, DOCUMENT, &stages, |_, slot| slot as u64);
    assert!(outcome.calls[0].not_an_object);
    assert_eq!(outcome.calls[1].edits, 2);
    assert!(outcome.calls[2].failed_open);
    assert_eq!(outcome.merging.merges, 1);
}

#[test]
fn a_base_that_does_not_parse_leaves_the_last_json_reply() {
    let stages = [vec![json(r#"{"a":1}"#), json(r#"{"b":2}"#), nothing()]];
    let (outcome, draft) = run(&OPEN, "{broken", &stages, |_, slot| slot as u64);
    assert_eq!(&*answer(draft).body, br#"{"b":2}"#);
    assert_eq!((outcome.merging.failures, outcome.merging.merges), (1, 0));
}

/// The same hook, counted and listed: the answer is the same, and only the listed one says where and what.
#[test]
fn the_detail_of_an_outcome() {
    let brought = [
        json(r#"{"result":{"n":2}}"#),
        reply(200, "text/plain; charset=gbk", "ok"),
        json(DOCUMENT),
    ];
    let seen = [Detail::Counted, Detail::Listed].map(|detail| {
        let (plan, chain) = plan(&OPEN, &[2, 1]);
        let name = HookName::new("onResult").unwrap();
        let base = Arc::new(Base::new(DOCUMENT.into()));
        let mut tally = Tally::new(plan, chain, Hook { name, base }).with_detail(detail);
        let mut brought = brought.iter().cloned();
        let mut after = Duration::ZERO;
        while let Some(requests) = tally.open_stage() {
            after += Duration::from_millis(7);
            tally.begin_stage(after);
            for (slot, request) in requests.asked.iter().enumerate() {
                let reply = brought.next().unwrap().map_err(|kind| Failure::new(kind, ""));
                let judgement = judged(&tally, request, reply);
                tally.record(slot, judgement, Duration::ZERO);
            }
            tally.close_stage(Duration::ZERO);
        }
        let (outcome, draft) = tally.finish(Form::Single);
        (outcome.calls, answer(draft).body)
    });
    let [(counted, answered), (listed, same)] = seen;
    assert_eq!(answered, same);
    assert!(
        counted
            .iter()
            .all(|call| call.changes.is_empty() && call.said.is_none())
    );
    let said = |call: &CallRecord| {
        call.said
            .clone()
            .map(|said| (said.content_type, said.length, said.text))
    };
    let label = "text/plain; charset=gbk".to_owned();
    assert_eq!(said(&listed[1]), Some((label, 2, "ok".to_owned())));
    assert_eq!(
        said(&listed[2]),
        Some(("application/json".into(), DOCUMENT.len(), String::new()))
    );
    let changes: Vec<_> = listed.iter().flat_map(|call| &call.changes).collect();
    let told: Vec<_> = changes
        .iter()
        .map(|change| (&*change.pointer, &*change.value))
        .collect();
    // The last was sent 2 and brings 1.0 back.
    assert_eq!(told, [("/result/n", "2"), ("/result/n", "1.0")]);
    let begun: Vec<_> = listed
        .iter()
        .map(|call| (call.stage, call.started.as_millis()))
        .collect();
    assert_eq!(begun, [(0, 7), (0, 7), (1, 14)]);
    assert_eq!(listed[0].sent, DOCUMENT.len());
}

#[test]
fn the_unanswered_are_named() {
    let rules = Rules {
        on_failure: closed(),
        ..OPEN
    };
    let (plan, chain) = plan(&rules, &[2]);
    let base = Arc::new(Base::new(Bytes::from_static(b"{}")));
    let mut tally = Tally::new(
        plan,
        chain,
        Hook {
            name: HookName::new("onMessage").unwrap(),
            base,
        },
    );
    tally.open_stage().unwrap();
    let agreed = Judgement::Nothing {
        status: 204,
        not_an_object: false,
    };
    assert_eq!(tally.record(1, agreed, Duration::ZERO), Progress::Open);
    assert_eq!(tally.close_stage(Duration::from_secs(9)), Progress::Settled);
    let (outcome, draft) = tally.finish(Form::Single);
    assert_eq!(answer(draft).status, 502);
    assert_eq!(outcome.source, Source::FailedClosed(0));
    assert_eq!(outcome.calls[0].took, Duration::from_secs(9));
}

/// A reply of any kind, rejects and failures among them.
fn any_reply() -> impl Strategy<Value = Brought> {
    prop_oneof![
        3 => any_acceptance(),
        1 => (401..999u16, "[a-c]{0,3}").prop_map(|(status, body)| reply(status, "text/plain", &body)),
    ]
}

/// A reply of any kind that refuses nothing.
fn any_acceptance() -> impl Strategy<Value = Brought> {
    prop_oneof![
        Just(nothing()),
        Just(json("{}")),
        Just(json("3")),
        Just(json("{")),
        Just(json(DOCUMENT)),
        (1..4u8).prop_map(|id| json(&format!(r#"{{"message":{{"id":{id}}}}}"#))),
        (1..4u8, "[a-c]").prop_map(|(n, key)| json(&format!(r#"{{"result":{{"{key}":{n}}}}}"#))),
        "[a-c]{0,3}".prop_map(|body| text(&body)),
        Just(reply(200, "image/png", "picture")),
        Just(reply(302, "", "")),
        Just(Err(FailureKind::Timeout)),
    ]
}

fn any_stages(replies: impl Strategy<Value = Brought> + 'static) -> impl Strategy<Value = Vec<Vec<Brought>>> {
    prop::collection::vec(prop::collection::vec(replies, 1..5), 1..4)
}

fn any_conflict_rule() -> impl Strategy<Value = OnConflict> {
    prop_oneof![
        Just(OnConflict::Last),
        Just(OnConflict::First),
        Just(OnConflict::Reject)
    ]
}

/// Ranks for up to four slots of up to three stages.
fn any_arrival() -> impl Strategy<Value = [u64; 12]> {
    any::<[u64; 12]>()
}

fn shown(rules: &Rules, stages: &[Vec<Brought>], arrival: &[u64; 12]) -> String {
    let (outcome, draft) = run(rules, DOCUMENT, stages, |stage, slot| arrival[stage * 4 + slot]);
    format!("{outcome:?} {draft:?}")
}

proptest! {
    /// Property 1: without a reject the outcome does not depend on the order of arrival.
    #[test]
    fn arrival_does_not_matter_without_a_reject(
        stages in any_stages(any_acceptance()),
        on_conflict in any_conflict_rule(),
        one in any_arrival(),
        two in any_arrival(),
    ) {
        let rules = Rules { on_conflict, ..OPEN };
        prop_assert_eq!(shown(&rules, &stages, &one), shown(&rules, &stages, &two));
    }

    /// Nor does it with rejects, where they are taken in configured order.
    #[test]
    fn arrival_does_not_matter_where_rejects_are_ordered(
        stages in any_stages(any_reply()),
        fails_closed in any::<bool>(),
        one in any_arrival(),
        two in any_arrival(),
    ) {
        let on_failure = if fails_closed { closed() } else { OnFailure::Continue };
        let rules = Rules { reject: RejectRule::Ordered, on_failure, ..OPEN };
        prop_assert_eq!(shown(&rules, &stages, &one), shown(&rules, &stages, &two));
    }

    /// Property 5: settled is final, whatever still comes.
    #[test]
    fn settled_is_final(late in prop::collection::vec(any_reply(), 3), reject_status in 401..599u16) {
        let (plan, chain) = plan(&OPEN, &[4, 1]);
        let base = Arc::new(Base::new(Bytes::from_static(DOCUMENT.as_bytes())));
        let mut tally = Tally::new(plan, chain, Hook { name: HookName::new("onResult").unwrap(), base });
        let requests = tally.open_stage().unwrap();
        let refusal = Judgement::Reject(reply(reject_status, "text/plain", "first").unwrap());
        prop_assert_eq!(tally.record(2, refusal, Duration::ZERO), Progress::Settled);
        for (slot, brought) in [0, 1, 3].into_iter().zip(late) {
            let judgement = judged(&tally, &requests.asked[slot], brought.map_err(|kind| Failure::new(kind, "late")));
            prop_assert_eq!(tally.record(slot, judgement, Duration::ZERO), Progress::Settled);
        }
        tally.close_stage(Duration::ZERO);
        prop_assert!(tally.open_stage().is_none());
        let (outcome, draft) = tally.finish(Form::Single);
        let answer = answer(draft);
        prop_assert_eq!((answer.status, &*answer.body), (reject_status, b"first".as_slice()));
        prop_assert_eq!(outcome.source, Source::Reject(2));
        let cancelled = outcome.calls.iter().filter(|call| call.verdict == CallVerdict::Cancelled).count();
        prop_assert_eq!(cancelled, 3);
    }
}
