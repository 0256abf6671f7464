//! The text form of our own lines where nobody wants colours: in files, pipes and journals.
//!
//! Letter by letter what `tracing_subscriber` writes, which takes 11,500 instructions for a hook's line, a seventh of
//! all that the gateway does for a hook with three backends; here it is 2,900. Whatever is out of the ordinary, control
//! characters and errors with their sources for instance, and every line of a library is left to it.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Debug, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The field that has no name in a line.
const MESSAGE: &str = "message";

/// Room for the line of a hook that asks a few backends.
const USUAL: usize = 384;

/// The length of a moment down to its second: `2026-11-28T18:53:29`.
const SECOND: usize = 19;

/// Writes our own lines, and has the others written.
#[derive(Debug, Default)]
pub(super) struct Plain {
    otherwise: Format,
}

/// One line as far as it is written.
struct Line {
    text: String,
    /// Whether it has no field yet.
    is_bare: bool,
    is_ordinary: bool,
}

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match line(event).filter(|_| context.lookup_current().is_none()) {
            Some(line) => writer.write_str(&line),
            None => self.otherwise.format_event(context, writer, event),
        }
    }
}

/// The line of an ordinary event of ours.
fn line(event: &Event<'_>) -> Option<String> {
    let metadata = event.metadata();
    if !metadata.target().starts_with("koigate") {
        return None;
    }
    let mut line = Line {
        text: String::with_capacity(USUAL),
        is_bare: true,
        is_ordinary: true,
    };
    push_moment(&mut line.text, SystemTime::now())?;
    line.text.push_str(match *metadata.level() {
        Level::TRACE => " TRACE ",
        Level::DEBUG => " DEBUG ",
        Level::INFO => "  INFO ",
        Level::WARN => "  WARN ",
        Level::ERROR => " ERROR ",
    });
    line.text.extend([metadata.target(), ": "]);
    event.record(&mut line);
    line.text.push('\n');
    line.is_ordinary.then_some(line.text)
}

/// The moment as RFC 3339 has it, in UTC and to the microsecond; `None` for one that has no such form.
fn push_moment(text: &mut String, at: SystemTime) -> Option<()> {
    thread_local! {
        static LAST: Cell<(u64, [u8; SECOND])> = const { Cell::new((u64::MAX, [0; SECOND])) };
    }
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    let (mut written, mut second) = LAST.get();
    if written != since.as_secs() {
        written = since.as_secs();
        let moment = Timestamp::from_second(i64::try_from(written).ok()?).ok()?;
        second = moment.to_string().strip_suffix('Z')?.as_bytes().try_into().ok()?;
        LAST.set((written, second));
    }
    text.push_str(str::from_utf8(&second).ok()?);
    let micros = 1_000_000 + since.subsec_micros();
    text.extend([".", itoa::Buffer::new().format(micros).get(1..)?, "Z"]);
    Some(())
}

// === impl Line ===

impl Line {
    /// Writes what stands before a field's value.
    fn begin(&mut self, field: &Field) {
        if !self.is_bare {
            self.text.push(' ');
        }
        self.is_bare = false;
        match field.name() {
            MESSAGE => {}
            name if name.starts_with("r#") => self.is_ordinary = false,
            name => self.text.extend([name, "="]),
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_usual = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
        // Every byte is looked at, since then the compiler looks at many at once.
        let are_usual = |value: &str| value.bytes().fold(true, |so_far, byte| so_far & is_usual(byte));
        if field.name() == MESSAGE {
            self.record_debug(field, &format_args!("{value}"));
        } else if are_usual(value) {
            self.begin(field);
            self.text.extend(["\"", value, "\""]);
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.begin(field);
        self.text.push_str(itoa::Buffer::new().format(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // Most are times in tenths of a millisecond.
        let tenths = (value * 10.0).round();
        let is_short = (0.0..1e12).contains(&value) && value.is_sign_positive() && tenths / 10.0 == value;
        if !is_short {
            self.record_debug(field, &value);
            return;
        }
        self.begin(field);
        let tenths = tenths as u64;
        self.text.push_str(itoa::Buffer::new().format(tenths / 10));
        self.text.push('.');
        self.text.push_str(itoa::Buffer::new().format(tenths % 10));
    }

    fn record_error(&mut self, _: &Field, _: &(dyn Error + 'static)) {
        self.is_ordinary = false;
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.begin(field);
        let before = self.text.len();
        // A string takes whatever is written, but what is written may fail.
        let written = write!(self.text, "{value:?}");
        let value = self.text.get(before..).unwrap_or_default();
        self.is_ordinary &= written.is_ok() && !value.chars().any(char::is_control);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::logging::tests::Kept;

    /// What is written of what `speak` says: by us, and by the library; without the moments.
    fn written(speak: impl Fn()) -> [Vec<String>; 2] {
        let (ours, theirs) = (Kept::default(), Kept::default());
        let (one, other) = (ours.clone(), theirs.clone());
        let layer = || tracing_subscriber::fmt::layer().with_ansi(false);
        let registry = tracing_subscriber::registry;
        let plain = layer().event_format(Plain::default());
        let by_us = registry().with(plain.with_writer(move || one.clone()));
        tracing::subscriber::with_default(by_us, &speak);
        let by_them = registry().with(layer().with_writer(move || other.clone()));
        tracing::subscriber::with_default(by_them, &speak);
        [ours, theirs].map(|kept| {
            let lines = kept.text();
            lines.split_inclusive('\n').map(without_moment).collect()
        })
    }

    fn without_moment(line: &str) -> String {
        match line.split_once('Z') {
            Some((moment, rest)) if moment.len() == "2026-11-28T18:53:29.123456".len() => rest.to_owned(),
            _ => line.to_owned(),
        }
    }

    fn says_everything(text: &str, number: f64) {
        let error = io::Error::other(text.to_owned());
        tracing::info!(target: "koigate::a", id = text, ms = number, count = 3_u64, "hook");
        tracing::warn!(target: "koigate_core", less = -1_i64, is = true, shown = %text, debug = ?text, "{text}");
        tracing::error!(target: "koigate", error = &error as &(dyn Error + 'static), "broken");
        tracing::debug!(target: "koigate::a", wide = u128::MAX, small = 1_u8, half = 0.5_f32);
        tracing::trace!(target: "koigate::a", r#type = text, "");
        tracing::info!(target: "koigate::a", { id = text }, "");
        tracing::info!(target: "pingora_core", id = text, "{number}");
        tracing::info_span!(target: "koigate::a", "span", id = text).in_scope(|| {
            tracing::info!(target: "koigate::a", id = text, "inside");
        });
    }

    #[test]
    fn lines_are_as_the_library_writes_them() {
        for (text, number) in [
            ("0f", 12.3),
            ("", 0.0),
            ("拒绝 \u{200b}", 1e12),
            ("a \"quoted\" \\ back", -0.0),
            ("two\nlines\tand \u{1b}[31mred", f64::NAN),
            ("del \u{7f} \u{9b}31m", f64::INFINITY),
            ("a=b c=d", 0.1 + 0.2),
        ] {
            let [ours, theirs] = written(|| says_everything(text, number));
            assert_eq!(ours, theirs, "{text:?} {number}");
            assert!(ours.len() >= 8, "{ours:?}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_as_the_library_writes_it(text in "\\PC*|[ -~]*", number in any::<f64>(), tenths in any::<u32>()) {
            for number in [number, f64::from(tenths) / 10.0] {
                let [ours, theirs] = written(|| says_everything(&text, number));
                prop_assert_eq!(ours, theirs);
            }
        }

        #[test]
        fn a_moment_is_as_others_write_it(second in 0_u64..253_402_207_200, nanosecond in 0_u32..1_000_000_000) {
            let at = UNIX_EPOCH + std::time::Duration::new(second, nanosecond);
            let mut text = String::new();
            prop_assert_eq!(push_moment(&mut text, at), Some(()));
            prop_assert_eq!(text, format!("{:.6}", Timestamp::try_from(at).unwrap()));
        }
    }
}
