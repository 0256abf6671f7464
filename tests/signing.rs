//! Signed calls: what arrives verifies as Standard Webhooks has it, and nothing else does.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::support::backend::{Request, backend};
use crate::support::gateway::gateway;
use crate::support::payload::payload;
use crate::support::reply::no_content;
use crate::support::script::{Script, script};

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str =
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";

/// Whether a request is signed with this secret, as a service checks it.
pub(crate) fn is_signed(request: &Request, secret: &str) -> bool {
    let value = |name| request.head.value(name).expect("a signed call");
    let (id, timestamp) = (value("webhook-id"), value("webhook-timestamp"));
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").expect("a mark"))
        .expect("base64");
    let mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    let mac = mac
        .chain_update(format!("{id}.{timestamp}."))
        .chain_update(&request.body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    value("webhook-signature")
        .split(' ')
        .any(|signature| signature == expected)
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}

#[tokio::test]
async fn a_signed_call_verifies_and_an_unsigned_one_has_no_signature() {
    let signed = backend("signed")
        .set(&format!("sign = {{ secret = '{OLD}' }}"))
        .starts();
    let plain = backend("plain").starts();
    let gateway = gateway().asks_at_once(&[&signed, &plain]).starts().await;
    let after = gateway
        .koipy()
        .fires("onMessage", &payload("onMessage", 12))
        .await;
    let request = signed.request();
    assert!(is_signed(&request, OLD));
    assert!(!is_signed(&request, NEW));
    let id = format!("{}-signed", after.response.header("x-request-id").expect("an id"));
    assert_eq!(request.head.value("webhook-id"), Some(&*id));
    let timestamp: u64 = request
        .head
        .value("webhook-timestamp")
        .expect("one")
        .parse()
        .expect("seconds");
    assert!(timestamp.abs_diff(now()) < 60);
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert_eq!(plain.request().head.value(name), None, "{name}");
    }
}

#[tokio::test]
async fn two_secrets_sign_while_they_are_exchanged() {
    let set = format!("sign = {{ secret = ['{OLD}', {{ env = 'KOIGATE_TEST_SIGN' }}] }}");
    let signed = backend("signed").set(&set).starts();
    let gateway = gateway()
        .with_env("KOIGATE_TEST_SIGN", NEW)
        .asks(&signed)
        .starts()
        .await;
    gateway
        .koipy()
        .fires("onMessage", &payload("onMessage", 12))
        .await;
    let request = signed.request();
    assert!(is_signed(&request, OLD) && is_signed(&request, NEW));
    assert_eq!(
        request
            .head
            .value("webhook-signature")
            .expect("one")
            .split(' ')
            .count(),
        2
    );
}

/// Large bodies are signed off the thread, and what is signed is what is sent: here what an earlier stage made of it.
#[tokio::test]
async fn what_is_signed_is_what_is_sent() {
    let first = backend("first").sets("/message/text", "节点 🐟").starts();
    let second = backend("second")
        .set(&format!("sign = {{ secret = '{NEW}' }}"))
        .starts();
    let gateway = gateway()
        .backends([&first, &second])
        .chain("onResult", "['first', 'second']")
        .starts()
        .await;
    let document = payload("onResult", 2_000);
    gateway.koipy().fires("onResult", &document).await;
    let request = second.request();
    assert!(request.body.len() > 256 * 1024);
    assert_ne!(request.body, document.dumps());
    assert!(is_signed(&request, NEW));
}

/// A connection that is closed under its second call: that call is made again, and is the same message.
#[tokio::test]
async fn a_call_made_again_is_the_same_message() {
    let closes_the_second = |request: &Request| -> Script {
        match request.earlier {
            0 => no_content().into(),
            _ => script().closes(),
        }
    };
    let signed = backend("signed").set(&format!("sign = {{ secret = '{OLD}' }}"));
    let signed = signed.replies_with(closes_the_second).starts();
    let gateway = gateway().asks(&signed).starts().await;
    for _ in 0..2 {
        let after = gateway
            .koipy()
            .fires("onMessage", &payload("onMessage", 12))
            .await;
        assert_eq!(after.response.status, 204);
    }
    let requests = signed.requests();
    assert!(requests.iter().all(|request| is_signed(request, OLD)));
    let ids: Vec<_> = requests
        .iter()
        .map(|request| request.head.value("webhook-id"))
        .collect();
    let [first, second, again] = ids[..] else {
        panic!("{ids:?}")
    };
    assert_ne!(first, second);
    assert_eq!(second, again);
}

#[tokio::test]
async fn no_secret_is_logged() {
    let signed = backend("signed")
        .set(&format!("sign = {{ secret = '{OLD}' }}"))
        .rejects(500, "no")
        .starts();
    let gateway = gateway().log("level = 'trace'").asks(&signed).starts().await;
    gateway
        .koipy()
        .fires("onMessage", &payload("onMessage", 12))
        .await;
    let log = gateway.stops().await.log.join("\n");
    assert!(log.contains("signed=reject"), "{log}");
    for part in [OLD, OLD.trim_start_matches("whsec_"), "v1,"] {
        assert!(!log.contains(part), "{log}");
    }
}
