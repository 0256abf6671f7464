//! Texts and keys that are never printed.

use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A configured secret: a token, a header's value. `Debug` shows that there is one, never which.
///
/// There is no `Display`; who needs the text says so with [`Secret::expose`], and can be found by that name.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// The key of a signature by Standard Webhooks. `Debug` shows that there is one, never which.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

/// What a signing key begins with when it is written.
const MARK: &str = "whsec_";

/// How many bytes a signing key may have (Standard Webhooks 1.0, "Signature scheme").
const KEY_BYTES: RangeInclusive<usize> = 24..=64;

// === impl Secret ===

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

// === impl SigningKey ===

impl SigningKey {
    /// Reads a key as Standard Webhooks writes one: `whsec_` and the base64 of 24 to 64 bytes, padded.
    pub fn parse(secret: &Secret) -> Option<Self> {
        let bytes = STANDARD.decode(secret.expose().strip_prefix(MARK)?).ok()?;
        KEY_BYTES.contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The key itself, for the one place that signs with it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_text() {
        let shown = format!("{:?}", Secret::new("canary-5381"));
        assert!(!shown.contains("canary"), "{shown}");
        let key = SigningKey::parse(&Secret::new("whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5")).unwrap();
        assert_eq!(key.expose(), b"canarycanarycanarycanary");
        assert_eq!(format!("{key:?}"), "SigningKey");
    }

    #[test]
    fn keys_as_the_specification_writes_them() {
        let written = |bytes: usize| format!("{MARK}{}", STANDARD.encode(vec![7; bytes]));
        for (text, bytes) in [
            (written(24), Some(24)),
            (written(25), Some(25)),
            (written(32), Some(32)),
            (written(64), Some(64)),
            (written(0), None),
            (written(23), None),
            (written(65), None),
            (written(25).replace('=', ""), None),
            (written(32).replace(MARK, ""), None),
            (written(32).replace(MARK, "WHSEC_"), None),
            (written(32).replace(MARK, "whsk_"), None),
            (format!("{} ", written(32)), None),
            (format!("{MARK}{}", "-_".repeat(16)), None),
            (format!("{MARK}{}", "节".repeat(32)), None),
            (String::new(), None),
        ] {
            let key = SigningKey::parse(&Secret::new(text.clone()));
            assert_eq!(key.map(|key| key.expose().len()), bytes, "{text:?}");
        }
    }
}
