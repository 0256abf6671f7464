//! Hooks: their names, and how a kind is found where the URL doesn't say it.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// The name of a kind of hook: 1 to 40 of `A-Z a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HookName(Arc<str>);

/// One POST from the bot: its kind and its bytes. Whether they parse is nobody's business until
/// somebody has to look into them.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Which kind.
    pub name: HookName,
    /// What was posted, byte for byte.
    pub body: Bytes,
}

/// The kinds that koipy has today, in the order in which they fire.
pub const KNOWN: [&str; 3] = ["onMessage", "onPreSend", "onResult"];

impl HookName {
    /// Takes a name if it is one.
    pub fn new(name: &str) -> Option<Self> {
        is_name(name).then(|| Self(name.into()))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether this can name a hook or a backend: 1 to 40 of `A-Z a-z 0-9 _ -`.
pub fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for HookName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, good) in [
            ("onMessage", true),
            ("a", true),
            ("png200k", true),
            ("on_x-1", true),
            ("", false),
            ("a b", false),
            ("节点", false),
            ("a/b", false),
            ("0123456789012345678901234567890123456789", true),
            ("01234567890123456789012345678901234567890", false),
        ] {
            assert_eq!(HookName::new(name).is_some(), good, "{name:?}");
        }
    }
}
