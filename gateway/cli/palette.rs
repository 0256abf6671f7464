//! The colours of what the commands print. They show on a terminal alone.

use anstyle::{AnsiColor, Style};

/// A heading.
pub(super) const TITLE: Style = Style::new().bold();
/// The name of a backend, or of whatever else a line is about.
pub(super) const NAME: Style = AnsiColor::Cyan.on_default();
/// As it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// Broken, or refused.
pub(super) const BAD: Style = AnsiColor::Red.on_default();
/// Worth a look.
pub(super) const ODD: Style = AnsiColor::Yellow.on_default();
/// Beside the point.
pub(super) const QUIET: Style = Style::new().dimmed();
/// As everything else.
pub(super) const PLAIN: Style = Style::new();

/// How a verdict of a call or a hook is coloured.
pub(super) fn verdict(word: &str) -> Style {
    match word {
        "continue" => GOOD,
        "reject" | "failed" | "error" => BAD,
        _ => ODD,
    }
}
