//! Dispatch over scripted backends, without sockets and on paused time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use koigate_core::attachment::DropReason;
use koigate_core::failure::{Failure, FailureKind};
use koigate_core::guards::Guards;
use koigate_core::hook::{Hook, HookName};
use koigate_core::outcome::{CallVerdict, HookVerdict};
use koigate_core::plan::{
    Admin, Backend, BackendId, BackendTls, Chain, Images, Listen, Log, LogFormat, LogLevel, OnConflict,
    OnFailure, Plan, Queue, RejectRule, Scheme, Server, Stage, StatusSet, TableGuard, Target, Traces,
};
use koigate_core::reply::Reply;
use koigate_core::view::Base;
use proptest::prelude::*;
use tokio::runtime::Handle;
use tokio::time::{advance, sleep};

use super::*;
use crate::buffered::{Full, Room};
use crate::calls::{LINGER, Lost};

/// What a scripted backend does: after so long, this.
#[derive(Clone, Debug)]
struct Script {
    after: Duration,
    brings: Result<Reply, FailureKind>,
    panics: bool,
    backend: Backend,
}

/// How a scripted call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    /// To its own end.
    Through,
    /// Dropped on the way.
    Cut,
}

/// Scripted backends, and what became of every call: backend, how it went, when.
struct Scripted {
    scripts: Vec<Script>,
    began: Instant,
    log: Mutex<Vec<(usize, Went, Duration)>>,
    sent: Mutex<Vec<(usize, Bytes)>>,
    /// For what is made of the replies; without a limit until there is one.
    room: Arc<Room>,
}

/// Notes a call as cut unless it is told that it went through.
struct Noted<'a> {
    scripted: &'a Scripted,
    backend: usize,
    went: Went,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        let entry = (self.backend, self.went, self.scripted.began.elapsed());
        self.scripted.log.lock().unwrap().push(entry);
    }
}

impl Caller for Scripted {
    type Watch = ();

    async fn call(
        &self,
        id: BackendId,
        body: Bytes,
        _started: Instant,
        _lost: &Lost,
    ) -> (Result<Reply, Failure>, ()) {
        (self.brings(id, body).await, ())
    }

    fn hold(&self, bytes: usize) -> Result<Held, Full> {
        let mut held = self.room.open();
        held.cover(bytes)?;
        Ok(held)
    }
}

impl Scripted {
    async fn brings(&self, id: BackendId, body: Bytes) -> Result<Reply, Failure> {
        let script = self.scripts[id.0].clone();
        self.sent.lock().unwrap().push((id.0, body));
        let mut noted = Noted {
            scripted: self,
            backend: id.0,
            went: Went::Cut,
        };
        let after = script.after.min(script.backend.timeout);
        sleep(after).await;
        noted.went = Went::Through;
        assert!(!script.panics, "as scripted");
        match script.brings {
            _ if script.after >= script.backend.timeout => {
                Err(Failure::new(FailureKind::Timeout, "scripted"))
            }
            Ok(reply) => Ok(reply),
            Err(kind) => Err(Failure::new(kind, "scripted")),
        }
    }
}

fn reply(status: u16, content_type: &'static str, body: &'static str) -> Reply {
    Reply {
        status,
        content_type: Some(Bytes::from_static(content_type.as_bytes())),
        content_disposition: None,
        body: Bytes::from_static(body.as_bytes()),
    }
}

fn script(after: u64, brings: Result<Reply, FailureKind>) -> Script {
    let target = Target {
        scheme: Scheme::Http,
        host: "127.0.0.1".into(),
        port: 1,
        authority: "127.0.0.1:1".into(),
        path: "/".into(),
    };
    let backend = Backend {
        name: "".into(),
        replicas: vec![target],
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(1),
        on_failure: OnFailure::Continue,
        failure_statuses: StatusSet::default(),
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
    };
    Script {
        after: Duration::from_millis(after),
        brings,
        panics: false,
        backend,
    }
}

fn goes_on(after: u64) -> Script {
    script(
        after,
        Ok(Reply {
            status: 204,
            ..Reply::default()
        }),
    )
}

fn rejects(after: u64) -> Script {
    script(after, Ok(reply(403, "text/plain", "no")))
}

fn answers(after: u64, json: &'static str) -> Script {
    script(after, Ok(reply(200, "application/json", json)))
}

fn hangs() -> Script {
    goes_on(1_000_000)
}

impl Script {
    fn always_finishes(mut self) -> Self {
        self.backend.always_finish = true;
        self
    }

    fn panicking(mut self) -> Self {
        self.panics = true;
        self
    }

    fn closed(mut self) -> Self {
        self.backend.on_failure = OnFailure::Reject {
            message: "closed".into(),
        };
        self
    }

    fn within(mut self, timeout: u64) -> Self {
        self.backend.timeout = Duration::from_millis(timeout);
        self
    }
}

/// A chain of scripted backends, ready to run.
struct Scene {
    scripted: Arc<Scripted>,
    plan: Arc<Plan>,
    chain: Arc<Chain>,
}

fn scene(stages: Vec<Vec<Script>>) -> Scene {
    let mut scripts: Vec<Script> = Vec::new();
    let mut chain = Vec::new();
    for stage in stages {
        let first = scripts.len();
        scripts.extend(stage);
        chain.push(Stage {
            backends: (first..scripts.len()).map(BackendId).collect(),
        });
    }
    for (index, script) in scripts.iter_mut().enumerate() {
        script.backend.name = format!("b{index}").into();
    }
    let chain = Arc::new(Chain {
        stages: chain,
        deadline: Duration::from_secs(10),
        reject: RejectRule::First,
        on_conflict: OnConflict::Last,
        images: Images::Sheet,
        table_guard: TableGuard::Report,
        shadows: Vec::new(),
        observers: Vec::new(),
    });
    let listen = "127.0.0.1:0".parse().unwrap();
    let plan = Arc::new(Plan {
        server: server(listen),
        admin: Admin {
            listen,
            auth: None,
            traces: Traces::default(),
        },
        log: Log {
            format: LogFormat::Text,
            level: LogLevel::Info,
        },
        backends: scripts
            .iter()
            .map(|script| Arc::new(script.backend.clone()))
            .collect(),
        chains: BTreeMap::new(),
    });
    let scripted = Arc::new(Scripted {
        scripts,
        began: Instant::now(),
        log: Mutex::default(),
        sent: Mutex::default(),
        room: Arc::default(),
    });
    Scene {
        scripted,
        plan,
        chain,
    }
}

/// One that nobody listens with.
fn server(listen: SocketAddr) -> Server {
    Server {
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
    }
}

impl Scene {
    async fn run(&self, deadline: u64) -> (Outcome, Answer) {
        let base = Arc::new(Base::new(Bytes::from_static(
            br#"{"message": {"id": 1}, "result": {}}"#,
        )));
        let hook = Hook {
            name: HookName::new("onMessage").unwrap(),
            base,
        };
        let tally = Tally::new(self.plan.clone(), self.chain.clone(), hook);
        let deadline = self.scripted.began + Duration::from_millis(deadline);
        let done = dispatch(&self.scripted, tally, deadline, Form::Single).await;
        (done.outcome, done.answer)
    }

    fn milliseconds(&self) -> u128 {
        self.scripted.began.elapsed().as_millis()
    }

    /// How every call went, by backend, after everything has come to rest.
    async fn went(&self) -> Vec<(usize, Went, u128)> {
        sleep(Duration::from_secs(3_600)).await;
        let mut log: Vec<_> = self
            .scripted
            .log
            .lock()
            .unwrap()
            .iter()
            .map(|(backend, went, at)| (*backend, *went, at.as_millis()))
            .collect();
        log.sort_unstable_by_key(|(backend, ..)| *backend);
        log
    }
}

fn verdicts(outcome: &Outcome) -> Vec<CallVerdict> {
    outcome.calls.iter().map(|call| call.verdict).collect()
}

#[tokio::test(start_paused = true)]
async fn a_stage_takes_as_long_as_its_slowest_and_stages_follow_one_another() {
    let scene = scene(vec![vec![goes_on(30), goes_on(50)], vec![goes_on(20)]]);
    let (outcome, answer) = scene.run(1_000).await;
    assert_eq!((answer.status, scene.milliseconds()), (204, 70));
    assert_eq!(verdicts(&outcome), [CallVerdict::Continue; 3]);
}

#[tokio::test(start_paused = true)]
async fn the_first_reject_leaves_at_once_and_later_stages_are_not_asked() {
    let scene = scene(vec![vec![hangs(), rejects(40), goes_on(100)], vec![goes_on(1)]]);
    let (outcome, answer) = scene.run(10_000).await;
    assert_eq!((answer.status, scene.milliseconds()), (403, 40));
    assert_eq!(outcome.verdict(), HookVerdict::Reject);
    assert_eq!(
        verdicts(&outcome),
        [
            CallVerdict::Cancelled,
            CallVerdict::Reject,
            CallVerdict::Cancelled
        ]
    );
    let linger = 40 + LINGER.as_millis();
    assert_eq!(
        scene.went().await,
        [
            (0, Went::Cut, linger),
            (1, Went::Through, 40),
            (2, Went::Through, 100)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn who_always_finishes_runs_to_its_own_timeout() {
    let scene = scene(vec![vec![
        hangs().always_finishes(),
        rejects(10),
        goes_on(900).always_finishes(),
    ]]);
    scene.run(10_000).await;
    assert_eq!(
        scene.went().await,
        [
            (0, Went::Through, 5_000),
            (1, Went::Through, 10),
            (2, Went::Through, 900)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_cuts_calls_and_keeps_others_from_starting() {
    let scene = scene(vec![vec![hangs(), goes_on(10)], vec![goes_on(1)]]);
    let (outcome, answer) = scene.run(100).await;
    assert_eq!((answer.status, scene.milliseconds()), (204, 100));
    assert_eq!(
        verdicts(&outcome),
        [CallVerdict::Failed, CallVerdict::Continue, CallVerdict::Failed]
    );
    for call in [0, 2] {
        assert_eq!(
            outcome.calls[call].failure.as_ref().unwrap().kind,
            FailureKind::Timeout
        );
        assert!(outcome.calls[call].failed_open);
    }
    assert_eq!(
        scene.scripted.sent.lock().unwrap().len(),
        2,
        "the third was never asked"
    );
    let sent: Vec<bool> = outcome.calls.iter().map(|call| call.sent > 0).collect();
    assert_eq!(sent, [true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_was_never_asked_has_not_agreed() {
    let scene = scene(vec![vec![hangs()], vec![goes_on(1).closed()]]);
    let (outcome, answer) = scene.run(100).await;
    assert_eq!((answer.status, answer.body.as_ref()), (502, b"closed".as_slice()));
    assert_eq!(outcome.verdict(), HookVerdict::Error);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_a_reject_is_one_from_its_moment() {
    let scene = scene(vec![vec![hangs(), script(20, Err(FailureKind::Reset)).closed()]]);
    let (outcome, answer) = scene.run(10_000).await;
    assert_eq!((answer.status, scene.milliseconds()), (502, 20));
    assert_eq!(verdicts(&outcome), [CallVerdict::Cancelled, CallVerdict::Failed]);
}

#[tokio::test(start_paused = true)]
async fn a_call_has_its_own_timeout_within_the_deadline() {
    let scene = scene(vec![vec![hangs().within(50), goes_on(10)]]);
    let (outcome, _) = scene.run(1_000).await;
    assert_eq!(scene.milliseconds(), 50);
    assert_eq!(verdicts(&outcome), [CallVerdict::Failed, CallVerdict::Continue]);
}

#[tokio::test(start_paused = true)]
async fn ordered_waits_and_takes_the_earliest_in_configured_order() {
    let mut scene = scene(vec![vec![
        rejects(60),
        script(10, Ok(reply(451, "text/plain", "later"))),
    ]]);
    Arc::make_mut(&mut scene.chain).reject = RejectRule::Ordered;
    let (outcome, answer) = scene.run(1_000).await;
    assert_eq!((answer.status, scene.milliseconds()), (403, 60));
    assert_eq!(verdicts(&outcome), [CallVerdict::Reject, CallVerdict::Reject]);
}

#[tokio::test(start_paused = true)]
async fn later_stages_see_earlier_edits_and_the_original_bytes_before_any() {
    let scene = scene(vec![
        vec![answers(5, r#"{"message": {"id": 1}}"#), goes_on(1)],
        vec![answers(5, r#"{"message":{"id":2}}"#)],
        vec![goes_on(1)],
    ]);
    let (outcome, answer) = scene.run(1_000).await;
    let sent = scene.scripted.sent.lock().unwrap();
    let original = br#"{"message": {"id": 1}, "result": {}}"#.as_slice();
    let edited = br#"{"message": {"id": 2}, "result": {}}"#.as_slice();
    assert_eq!(
        (&*sent[2].1, &*sent[3].1),
        (original, edited),
        "an echo is no edit"
    );
    assert_eq!(&*answer.body, edited);
    assert_eq!(
        outcome.calls.iter().map(|call| call.edits).collect::<Vec<_>>(),
        [0, 0, 1, 0]
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_left_lets_calls_end_by_the_same_rule() {
    let scene = scene(vec![vec![hangs(), hangs().always_finishes()]]);
    let left = tokio::time::timeout(Duration::from_millis(30), scene.run(10_000)).await;
    assert!(left.is_err());
    let linger = 30 + LINGER.as_millis();
    assert_eq!(
        scene.went().await,
        [(0, Went::Cut, linger), (1, Went::Through, 5_000)]
    );
}

/// A hook whose task panics leaves nothing behind, and the calls that always finish do.
#[tokio::test(start_paused = true)]
async fn a_call_that_panics_has_ended() {
    let scene = scene(vec![vec![
        goes_on(10).always_finishes().panicking(),
        goes_on(900).always_finishes(),
        goes_on(900),
    ]]);
    let ended = AssertUnwindSafe(scene.run(1_000)).catch_unwind().await;
    assert!(ended.is_err());
    let went = scene.went().await;
    assert_eq!(went[1..], [(1, Went::Through, 900), (2, Went::Cut, 260)]);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

/// What happens to a call that nobody reads happens to it alone, be it when the hook is settled or afterwards.
#[tokio::test(start_paused = true)]
async fn a_call_that_panics_unread_harms_nobody() {
    for panics_after in [10, 100] {
        let scene = scene(vec![vec![
            rejects(10),
            goes_on(panics_after).always_finishes().panicking(),
            goes_on(200),
            goes_on(900).always_finishes(),
        ]]);
        let (outcome, answer) = scene.run(1_000).await;
        assert_eq!((answer.status, scene.milliseconds()), (403, 10));
        assert_eq!(outcome.calls[1].verdict, CallVerdict::Cancelled);
        let through = |after: u64| (Went::Through, u128::from(after));
        let expected = [10, panics_after, 200, 900].map(through);
        let went = scene.went().await.into_iter().map(|(_, went, at)| (went, at));
        assert_eq!(went.collect::<Vec<_>>(), expected);
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    }
}

/// Whoever looks late sees both rejects at once.
#[tokio::test(start_paused = true)]
async fn the_first_to_arrive_decides_also_while_the_thread_is_busy() {
    for (first, second) in [(20, 30), (30, 20)] {
        let scene = scene(vec![vec![rejects(first), rejects(second).always_finishes()]]);
        let busy = tokio::spawn(async {
            sleep(Duration::from_millis(10)).await;
            advance(Duration::from_millis(50)).await;
        });
        let (outcome, _) = scene.run(10_000).await;
        let mut expected = [CallVerdict::Reject, CallVerdict::Cancelled];
        if second < first {
            expected.reverse();
        }
        assert_eq!((scene.milliseconds(), verdicts(&outcome)), (60, expected.into()));
        busy.await.unwrap();
    }
}

/// What a generated backend does.
/// The answer to a hook, how it went otherwise, and how much of the room it took while the answer was there.
async fn roomy(scripts: Vec<Script>, most: usize) -> (String, Vec<(String, DropReason)>, usize) {
    let scene = scene(vec![scripts]);
    scene.scripted.room.limit_to(most);
    let (outcome, answer) = scene.run(10_000).await;
    let held = scene.scripted.room.held();
    assert!(held <= most, "{held} of {most}");
    assert_eq!(answer.status, 200, "{outcome:?}");
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    drop(answer);
    assert_eq!(scene.scripted.room.held(), 0, "it goes with the answer");
    let dropped = outcome
        .dropped
        .into_iter()
        .map(|lost| (lost.backend.to_string(), lost.reason));
    (body, dropped.collect(), held)
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_made_has_its_room_before() {
    let says = |text| script(0, Ok(reply(200, "text/plain", text)));
    let texts = || vec![says("one"), goes_on(0), says("other")];
    let joined = "one\nother".len();
    assert_eq!(
        roomy(texts(), joined).await,
        ("one\nother".into(), vec![], joined)
    );
    let lost = |backend: &str| (backend.to_owned(), DropReason::NoRoom);
    let first = ("one".to_owned(), vec![lost("b2")], 0);
    assert_eq!(
        roomy(texts(), joined - 1).await,
        first,
        "the first passes as it came"
    );
    assert_eq!(roomy(vec![says("alone")], 0).await, ("alone".into(), vec![], 0));

    let edited = r#"{"message": {"id": 1}, "result": {"a": 1}}"#;
    let with = || vec![answers(0, edited), says("one"), says("other")];
    let (whole, dropped, held) = roomy(with(), 1 << 20).await;
    assert!(whole.contains("koigate") && dropped.is_empty());
    // The merged document is gone once the answer is made of it.
    assert_eq!(held, whole.len());
    let (document, dropped, held) = roomy(with(), whole.len()).await;
    assert_eq!(
        document,
        edited.replace(' ', "").replace(":", ": ").replace(",", ", ")
    );
    assert_eq!((dropped, held), (vec![lost("b1"), lost("b2")], document.len()));
}

#[tokio::test(start_paused = true)]
async fn a_sheet_without_room_leaves_the_first_picture() {
    let mut file = std::io::Cursor::new(Vec::new());
    let pixels = image::RgbImage::from_pixel(9, 9, image::Rgb([7; 3]));
    pixels.write_to(&mut file, image::ImageFormat::Png).unwrap();
    let picture = Bytes::from(file.into_inner());
    let draws = || {
        let reply = Reply {
            body: picture.clone(),
            ..reply(200, "image/png", "")
        };
        script(0, Ok(reply))
    };
    for (most, is_alone) in [(1 << 20, false), (0, true)] {
        let scene = scene(vec![vec![draws(), draws()]]);
        scene.scripted.room.limit_to(most);
        let (outcome, answer) = scene.run(10_000).await;
        assert_eq!(answer.body == picture, is_alone);
        let reasons: Vec<_> = outcome.dropped.iter().map(|lost| lost.reason).collect();
        assert_eq!(
            reasons,
            if is_alone {
                vec![DropReason::NoRoom]
            } else {
                vec![]
            }
        );
        let held = if is_alone { 0 } else { answer.body.len() };
        assert_eq!(scene.scripted.room.held(), held);
    }
}

fn any_script() -> impl Strategy<Value = Script> {
    let brings = prop_oneof![
        Just(Ok(Reply {
            status: 204,
            ..Reply::default()
        })),
        Just(Ok(reply(403, "text/plain", "no"))),
        Just(Ok(reply(200, "application/json", r#"{"message": {"id": 2}}"#))),
        Just(Ok(reply(200, "text/plain", "said"))),
        Just(Err(FailureKind::Connect)),
    ];
    (0..2_000u64, brings, any::<bool>(), any::<bool>(), 1..1_500u64).prop_map(
        |(after, brings, always_finish, closed, timeout)| {
            let mut script = script(after, brings).within(timeout);
            script.backend.always_finish = always_finish;
            if closed { script.closed() } else { script }
        },
    )
}

proptest! {
    /// Property 9: whatever drops a hook (a reject, the deadline, a caller who left), its calls end by rule.
    #[test]
    fn calls_end_by_rule(
        stages in prop::collection::vec(prop::collection::vec(any_script(), 1..4), 1..4),
        deadline in 1..3_000u64,
        leaves in 1..3_000u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let scene = scene(stages);
            let ran = tokio::time::timeout(Duration::from_millis(leaves), scene.run(deadline)).await;
            let ended = scene.milliseconds();
            if ran.is_ok() {
                prop_assert!(ended <= u128::from(deadline) + 1, "{ended} ms of {deadline}");
            }
            let went = scene.went().await;
            // A stage asks all of its backends, also those that a reject at once leaves without a say.
            let sent = scene.scripted.sent.lock().unwrap().len();
            prop_assert_eq!(went.len(), sent, "every call that began has ended");
            for (backend, went, at) in went {
                let script = &scene.scripted.scripts[backend];
                match went {
                    Went::Cut => {
                        prop_assert!(!script.backend.always_finish);
                        let late = at.saturating_sub(ended);
                        prop_assert!(late <= LINGER.as_millis() + 2, "cut {late} ms after the hook's end");
                    }
                    Went::Through => prop_assert!(at <= ended + u128::from(script.after.as_millis() as u64)),
                }
            }
            Ok(())
        })?;
    }
}
