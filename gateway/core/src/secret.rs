//! A string that is never printed.

use std::fmt;

/// A configured secret: a token, a header's value. `Debug` shows that there is one, never which.
///
/// There is no `Display`; who needs the text says so with [`Secret::expose`], and can be found by that name.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_text() {
        let shown = format!("{:?}", Secret::new("canary-5381"));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
