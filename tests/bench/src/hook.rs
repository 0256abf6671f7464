//! One hook through dispatch, over backends that answer at once: what the gateway's own part of a hook costs,
//! without sockets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use koigate::calls::{Caller, Lost};
use koigate::dispatch::dispatch;
use koigate_core::answer::Answer;
use koigate_core::failure::Failure;
use koigate_core::guards::Guards;
use koigate_core::hook::{Hook, HookName};
use koigate_core::multipart::Form;
use koigate_core::plan::{
    Admin, Backend, BackendId, BackendTls, Chain, Images, Listen, Log, LogFormat, LogLevel, OnConflict,
    OnFailure, Plan, Queue, RejectRule, Scheme, Server, Stage, StatusSet, TableGuard, Target, Traces,
};
use koigate_core::reply::Reply;
use koigate_core::tally::Tally;
use koigate_core::view::Base;
use tokio::time::Instant;

/// Backends that all say the same, at once.
pub struct AtOnce(pub Reply);

impl Caller for AtOnce {
    type Watch = ();

    async fn call(
        &self,
        _backend: BackendId,
        _body: Bytes,
        _started: Instant,
        _lost: &Lost,
    ) -> (Result<Reply, Failure>, ()) {
        (Ok(self.0.clone()), ())
    }
}

/// Runs one hook over one stage of `backends` that all say `reply`.
///
/// # Panics
///
/// If a call has to be waited for.
#[inline(never)]
#[allow(clippy::expect_used, reason = "a count of something else should stop")]
pub fn answered(plan: Arc<Plan>, chain: Arc<Chain>, body: Bytes, caller: &Arc<AtOnce>) -> Answer {
    let name = HookName::new("onMessage").expect("a name");
    let tally = Tally::new(
        plan,
        chain,
        Hook {
            name,
            base: Arc::new(Base::new(body)),
        },
    );
    let deadline = Instant::now() + Duration::from_secs(10);
    dispatch(caller, tally, deadline, Form::Single)
        .now_or_never()
        .expect("nothing to wait for")
        .answer
}

/// A plan of one stage with so many backends.
pub fn plan(backends: usize) -> (Arc<Plan>, Arc<Chain>) {
    let chain = Arc::new(Chain {
        stages: vec![Stage {
            backends: (0..backends).map(BackendId).collect(),
        }],
        deadline: Duration::from_secs(10),
        reject: RejectRule::First,
        on_conflict: OnConflict::Last,
        images: Images::Sheet,
        table_guard: TableGuard::Report,
        shadows: Vec::new(),
        observers: Vec::new(),
    });
    let listen = ([127, 0, 0, 1], 0).into();
    let plan = Plan {
        server: Server {
            listen: vec![Listen::Tcp(listen)],
            path: String::new(),
            max_body: 1 << 25,
            max_in_flight: 1024,
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
        backends: (0..backends).map(backend).collect(),
        chains: BTreeMap::new(),
    };
    (Arc::new(plan), chain)
}

fn backend(index: usize) -> Arc<Backend> {
    Arc::new(Backend {
        name: format!("b{index}").into(),
        replicas: vec![Target {
            scheme: Scheme::Http,
            host: "127.0.0.1".into(),
            port: 1,
            authority: "127.0.0.1:1".into(),
            path: "/".into(),
        }],
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(1),
        on_failure: OnFailure::Continue,
        failure_statuses: StatusSet::default(),
        headers: Vec::new(),
        max_reply: 1 << 25,
        max_in_flight: 256,
        retries: 0,
        breaker: None,
        health: None,
        tls: BackendTls::default(),
        queue: Queue::default(),
        always_finish: false,
        when: Vec::new(),
        sign: Vec::new(),
        guards: Guards::default(),
    })
}
