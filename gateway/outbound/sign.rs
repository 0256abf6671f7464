//! Signatures by Standard Webhooks 1.0, so that a backend can tell the gateway's calls from anybody else's: an
//! HMAC-SHA256 over `id.timestamp.body`, the body being the bytes that are sent.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use koigate_core::plan::Backend;
use sha2::Sha256;

/// Signs the calls to one backend.
///
/// It holds keys: there is no `Debug`.
pub struct Signer {
    /// What follows the hook's id, so that no two calls share one.
    backend: Box<str>,
    /// Each key, taken in.
    keys: Vec<Hmac<Sha256>>,
}

/// The headers that sign one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `webhook-id`: the same for one hook and backend, and no other.
    id: String,
    /// `webhook-timestamp`: seconds since 1970.
    timestamp: u64,
    /// `webhook-signature`: `v1,` and base64 for each key, with spaces between.
    signatures: String,
}

// === impl Signer ===

impl Signer {
    /// For calls to `backend`, if they are signed.
    pub fn new(backend: &Backend) -> Option<Self> {
        let keys: Vec<_> = backend
            .sign
            .iter()
            // HMAC takes a key of any length (RFC 2104), so that each is taken in.
            .filter_map(|key| Hmac::new_from_slice(key.expose()).ok())
            .collect();
        (!keys.is_empty()).then(|| Self {
            backend: (*backend.name).into(),
            keys,
        })
    }

    /// Signs what is sent for the hook with this id. Neither the id nor a backend's name has a full stop, so that
    /// what is signed can be read in one way only. Linear in the body, once for each key.
    pub fn sign(&self, request_id: &str, at: SystemTime, body: &[u8]) -> Signature {
        let id = format!("{request_id}-{}", self.backend);
        let timestamp = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Signature {
            signatures: signatures(&self.keys, &format!("{id}.{timestamp}."), body),
            id,
            timestamp,
        }
    }

    /// How much work signing this body is, in bytes that are only compared (`offload::HEAVY`): each is hashed once a key,
    /// and counted four times for that. A megabyte is compared in 20 to 300 us, and hashed in 600 at best.
    pub fn weight(&self, body: &[u8]) -> usize {
        4 * body.len() * self.keys.len()
    }
}

/// What each key makes of `before` and `body`.
fn signatures(keys: &[Hmac<Sha256>], before: &str, body: &[u8]) -> String {
    let signature = |key: &Hmac<Sha256>| {
        let mac = key.clone().chain_update(before).chain_update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    keys.iter().map(signature).collect::<Vec<_>>().join(" ")
}

// === impl Signature ===

impl Signature {
    /// Writes the three headers to the end of `output`.
    pub(super) fn write(&self, output: &mut Vec<u8>) {
        let lines = write!(
            output,
            "webhook-id: {}\r\nwebhook-timestamp: {}\r\nwebhook-signature: {}\r\n",
            self.id, self.timestamp, self.signatures,
        );
        debug_assert!(lines.is_ok(), "a vector takes whatever is written");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use koigate_core::secret::{Secret, SigningKey};

    use super::*;
    use crate::offload::HEAVY;
    use crate::outbound::tests::backend;

    /// The keys of these tests: that of the tests of Standard Webhooks' own libraries, and the longest there can be.
    const KEYS: [&str; 2] = [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==",
    ];

    fn signer(keys: &[&str]) -> Option<Signer> {
        let mut backend = backend(([127, 0, 0, 1], 8081).into());
        let parse = |key: &&str| SigningKey::parse(&Secret::new(*key)).unwrap();
        backend.sign = keys.iter().map(parse).collect();
        Signer::new(&backend)
    }

    /// The vector of Standard Webhooks' own libraries.
    #[test]
    fn the_published_signature() {
        let signer = signer(&KEYS[..1]).unwrap();
        let before = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.";
        let found = signatures(&signer.keys, before, br#"{"test": 2432232314}"#);
        assert_eq!(found, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// What is expected was computed with Python's `hmac`.
    #[test]
    fn the_headers_of_a_call() {
        let check = |keys: &[&str], body: &str, signatures: &str| {
            let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
            let signature = signer(keys).unwrap().sign("request-1", at, body.as_bytes());
            let mut output = Vec::new();
            signature.write(&mut output);
            let expected = format!(
                "webhook-id: request-1-fake\r\nwebhook-timestamp: 1700000000\r\nwebhook-signature: {signatures}\r\n"
            );
            assert_eq!(String::from_utf8(output).unwrap(), expected);
        };
        let [old, new] = KEYS;
        check(&[old], "", "v1,vMfb6X1s7l/rvR/AmCVTGqj/ACMA9YAje+i/Wqj7Alw=");
        check(
            &[new],
            "{\"a\":\"节\"}",
            "v1,KigyMrfsSSSVEZuCrWD+CbNJWxOiECmP7f+A0E2OGtQ=",
        );
        let both =
            "v1,eSVNaz2tfYi05ZPrBgLiGIyFbl9ntYghJKd4G0Oa7kw= v1,KigyMrfsSSSVEZuCrWD+CbNJWxOiECmP7f+A0E2OGtQ=";
        check(&[old, new], "{\"a\":\"节\"}", both);
    }

    #[test]
    fn large_bodies_are_signed_off_the_thread_and_earlier_with_more_keys() {
        for (count, length) in [(1, 256 * 1024), (2, 128 * 1024)] {
            let signer = signer(&KEYS[..count]).unwrap();
            let weight = |length| signer.weight(&vec![0; length]);
            assert!(
                weight(length) >= HEAVY && weight(length - 1) < HEAVY,
                "{count} keys"
            );
        }
    }

    #[test]
    fn without_a_key_there_is_no_signer() {
        assert!(signer(&[]).is_none());
    }
}
