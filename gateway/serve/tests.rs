//! Who may send a hook, judged on the head alone.

use std::net::SocketAddr;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use koigate_config::Process;
use koigate_core::plan::{Backend, OnFailure};
use koigate_core::secret::Secret;

use super::*;
use crate::inbound::Connection;
use crate::live::Ground;
use crate::outbound::Connector;

const PLAN: &str = "[backends.a]\nurl = 'http://127.0.0.1:9/'\n[hooks.onMessage]\nchain = ['a']\n[server]\nmax_in_flight = 1\n";

/// A door on this plan, after something has been changed in it.
fn door(change: impl FnOnce(&mut Plan)) -> Hooks {
    let mut plan = koigate_config::parse(PLAN, "test", &Process).unwrap().plan;
    change(&mut plan);
    let metrics = Arc::new(Metrics::new().unwrap());
    let ground = Ground {
        connector: Connector::new().unwrap(),
        metrics: metrics.clone(),
        room: Arc::default(),
    };
    let running = Arc::new(ArcSwap::from_pointee(Running::new(plan, None, &ground)));
    Hooks::new(running, metrics, Arc::default())
}

fn guarded(plan: &mut Plan) {
    plan.server.auth = Some(Auth {
        tokens: vec![Secret::new("canary-1"), Secret::new("canary:2")],
    });
    plan.server.allow = vec!["127.0.0.0/8".parse().unwrap()];
}

/// A head with this request line and these header lines, seen from this address.
fn head(request: &str, lines: &str, peer: Option<&str>) -> Head {
    let raw = format!("{request} HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let peer: Option<SocketAddr> = peer.map(|peer| peer.parse().unwrap());
    Head::read(raw.into()).unwrap().seen_from(peer)
}

fn basic(user_and_password: &str) -> String {
    format!("Authorization: basic {}\r\n", STANDARD.encode(user_and_password))
}

#[test]
fn strangers_are_refused_before_anything_else_is_told() {
    let (here, mapped, elsewhere) = (
        Some("127.0.0.1:5"),
        Some("[::ffff:127.0.0.1]:5"),
        Some("192.0.2.1:5"),
    );
    let with_token = "POST /onMessage?token=canary-1";
    for (request, lines, peer, expected) in [
        (with_token, "", here, 200),
        (with_token, "", mapped, 200),
        (with_token, "", None, 200),
        (with_token, "", elsewhere, 403),
        ("POST /onMessage?token=canary%3A2", "", here, 200),
        ("POST /?hook=onMessage&token=canary-1", "", here, 200),
        ("POST /onMessage", "Authorization: Bearer canary-1\r\n", here, 200),
        (
            "POST /onMessage",
            "authorization: BEARER  canary:2\r\n",
            here,
            200,
        ),
        ("POST /onMessage", &basic("bot:canary-1"), here, 200),
        ("POST /onMessage", &basic(":canary-1"), here, 200),
        ("POST /onMessage", &basic("somebody else:canary:2"), here, 200),
        ("POST /onMessage?token=wrong", &basic("bot:canary-1"), here, 200),
        ("POST /onMessage", "", here, 401),
        ("POST /onMessage", "", None, 401),
        ("POST /onMessage", "", elsewhere, 403),
        ("POST /onMessage?token=canary-1x", "", here, 401),
        ("POST /onMessage?token=CANARY-1", "", here, 401),
        ("POST /onMessage?token=", "", here, 401),
        ("POST /onMessage", "Authorization: Bearer\r\n", here, 401),
        ("POST /onMessage", "Authorization: canary-1\r\n", here, 401),
        ("POST /onMessage", "Authorization: Digest canary-1\r\n", here, 401),
        ("POST /onMessage", "Authorization: Basic canary-1\r\n", here, 401),
        ("POST /onMessage", &basic("canary-1"), here, 401),
        ("POST /onMessage", &basic("canary-1:"), here, 401),
        (
            "POST /onMessage",
            "Authorization: Bearer canary-1\r\nAuthorization: Bearer canary-1\r\n",
            here,
            401,
        ),
        ("POST /onMessage", "Cookie: token=canary-1\r\n", here, 401),
        ("GET /onMessage", "", here, 401),
        ("POST /nowhere", "", here, 401),
        ("POST /nowhere?token=canary-1", "", here, 404),
        ("GET /onMessage?token=canary-1", "", here, 405),
        ("POST /nowhere?token=canary-1", "", elsewhere, 403),
    ] {
        let response = door(guarded).admit(&head(request, lines, peer)).err();
        let status = response.as_ref().map_or(200, |response| response.answer.status);
        assert_eq!(status, expected, "{request} {lines:?} {peer:?}");
        let shown = format!("{response:?}{:?}", head(request, lines, peer));
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn refusals_say_why_close_and_are_counted() {
    let door = door(guarded);
    let stranger = door
        .admit(&head("POST /", "", Some("127.0.0.1:5")))
        .err()
        .unwrap();
    let outsider = door
        .admit(&head("POST /", "", Some("192.0.2.1:5")))
        .err()
        .unwrap();
    assert_eq!(stranger.answer.body, texts::UNAUTHORIZED);
    assert_eq!(outsider.answer.body, texts::FORBIDDEN);
    for response in [&stranger, &outsider] {
        assert_eq!(response.connection, Connection::Close);
        assert!(response.headers.iter().any(|(name, _)| *name == "X-Request-Id"));
    }
    let challenges = stranger
        .headers
        .iter()
        .filter(|(name, _)| *name == "WWW-Authenticate");
    assert_eq!(challenges.count(), 2);
    for reason in ["auth", "source"] {
        let counter = door.metrics.request_rejections.with_label_values(&[reason]);
        assert_eq!(counter.get(), 1, "{reason}");
    }
    let taken = door.in_flight.count();
    assert_eq!(taken, 0, "strangers take no place");
}

#[test]
fn without_tokens_and_networks_everybody_is_let_in() {
    let door = door(|_| {});
    for (request, lines) in [
        ("POST /onMessage", ""),
        ("POST /?token=any", "Authorization: Bearer any\r\n"),
    ] {
        let admitted = door.admit(&head(request, lines, Some("192.0.2.1:5")));
        assert!(admitted.is_ok(), "{request}");
    }
}

/// A deadline that no clock can hold is a fault that only a test can have.
#[tokio::test]
async fn a_panic_in_a_hooks_task_is_an_answer_by_policy() {
    let message = "closed".to_owned();
    for (policy, expected) in [(OnFailure::Continue, 204), (OnFailure::Reject { message }, 502)] {
        let door = door(|plan| {
            plan.backends[0] = Arc::new(Backend {
                on_failure: policy.clone(),
                ..Backend::clone(&plan.backends[0])
            });
            for chain in plan.chains.values_mut() {
                *chain = Arc::new(Chain {
                    deadline: Duration::MAX,
                    ..Chain::clone(chain)
                });
            }
        });
        for _ in 0..2 {
            let head = head("POST /onMessage", "", Some("127.0.0.1:5"));
            let pass = door.admit(&head).ok().unwrap().pass;
            let body = Bytes::from_static(b"{}");
            let response = door
                .serve(
                    pass,
                    Request {
                        head,
                        body,
                        uncounted: None,
                    },
                )
                .await;
            assert_eq!(response.answer.status, expected, "{policy:?}");
            assert!(response.headers.iter().any(|(name, _)| *name == "X-Request-Id"));
        }
        let errors = door.metrics.hooks.with_label_values(&["onMessage", "error"]);
        assert_eq!((errors.get(), door.in_flight.count()), (2, 0));
    }
}
