//! The log: one line an event on standard error, as text for people or as JSON for machines.
//!
//! What a line says is decided where it is written, through `tracing`; Pingora and others write through `log`,
//! which is bridged. `[log]` of the configuration alone decides: `RUST_LOG` is not read, so that a forgotten
//! variable never changes what a gateway tells about its users.

use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use koigate_core::plan::{Log, LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use self::plain::Plain;
use crate::panics;

mod plain;

/// The most lines that wait to be written. More are dropped: a log that nobody reads must not hold up a hook.
const WAITING: usize = 8192;

/// Lines that found no place among those that wait, once there is a log.
static CROWDED_OUT: OnceLock<ErrorCounter> = OnceLock::new();
/// Lines that could not be written.
static UNWRITTEN: AtomicU64 = AtomicU64::new(0);

/// The log's writer. Dropping it writes what waits, within a second; what is logged after that is lost.
#[must_use = "lines that still wait are lost with the process"]
pub struct Writer {
    _guard: WorkerGuard,
    level: Level,
}

/// The least level that is written, while the log runs.
#[derive(Clone)]
pub struct Level(Arc<dyn Fn(LogLevel) + Send + Sync>);

/// Starts the log of this process; everything logged before is lost. Panics are lines of it from then on.
///
/// Lines are written by a thread of their own, as many at once as are there: a system call a line on the hook's own
/// thread costs a quarter of a hook, and one that blocks would stop it.
///
/// # Errors
///
/// Fails where the process has a log already.
pub fn start(log: Log) -> Result<Writer, TryInitError> {
    let colours = match AutoStream::choice(&io::stderr()) {
        ColorChoice::Never => Colours::Off,
        _ => Colours::On,
    };
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING)
        .thread_name("log")
        .finish(Gathering(Counting(BufWriter::new(io::stderr()))));
    let crowded_out = writer.error_counter();
    let (subscriber, level) = subscriber(log, colours, writer);
    subscriber.try_init()?;
    // There is one log, so there is none yet.
    let _ = CROWDED_OUT.set(crowded_out);
    panics::watch();
    Ok(Writer { _guard: guard, level })
}

/// How many lines have been lost: nobody read fast enough, or the disk was full.
pub fn dropped() -> u64 {
    let crowded_out = CROWDED_OUT.get().map_or(0, ErrorCounter::dropped_lines);
    crowded_out as u64 + UNWRITTEN.load(Ordering::Relaxed)
}

/// Counts what can't be written. What is buffered stays, and is tried again with the next line.
struct Counting<W>(W);

impl<W: Write> Write for Counting<W> {
    /// A whole line each time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line).inspect_err(|_| {
            UNWRITTEN.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Lets lines gather while it rests after each flush, of which there is one when none waits any more. A thread that
/// waits for each line is woken for each, and yields and spins in between: at 9,000 hooks a second, a tenth of what the
/// whole gateway costs. The first line after a rest is written at once, the others a moment later.
struct Gathering<W>(W);

/// How long lines gather: thousands find a place meanwhile ([`WAITING`]).
const REST: Duration = Duration::from_millis(5);

impl<W: Write> Write for Gathering<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.0.flush();
        std::thread::sleep(REST);
        flushed
    }
}

// === impl Writer ===

impl Writer {
    /// What turns its level.
    pub fn level(&self) -> Level {
        self.level.clone()
    }
}

// === impl Level ===

impl Level {
    /// From here on writes what is at this level or above.
    pub fn turn(&self, level: LogLevel) {
        (self.0)(level);
    }
}

/// Whether lines are coloured.
#[derive(Clone, Copy)]
enum Colours {
    /// On a terminal.
    On,
    /// In files, pipes and journals.
    Off,
}

// === helpers ===

/// Everything but where it is installed.
fn subscriber<W>(log: Log, colours: Colours, writer: W) -> (impl tracing::Subscriber + Send + Sync, Level)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(matches!(colours, Colours::On));
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match (log.format, colours) {
        (LogFormat::Text, Colours::On) => Box::new(lines),
        (LogFormat::Text, Colours::Off) => Box::new(lines.event_format(Plain::default())),
        (LogFormat::Json, _) => Box::new(lines.json().flatten_event(true)),
    };
    let (filter, turn) = reload::Layer::new(targets(log.level));
    let level = Level(Arc::new(move |level| {
        // It fails where the subscriber is gone, and nobody reads a level any more.
        let _ = turn.reload(targets(level));
    }));
    (tracing_subscriber::registry().with(lines).with(filter), level)
}

/// Our own crates speak at the configured level. Libraries have their say from `warn` upwards, since a line for
/// each connection would bury the hooks; `trace` lets everybody speak.
fn targets(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let others = match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Error | LogLevel::Warn | LogLevel::Info | LogLevel::Debug => own.min(LevelFilter::WARN),
    };
    Targets::new().with_default(others).with_target("koigate", own)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A writer that keeps what was written.
    #[derive(Clone, Default)]
    pub(crate) struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a log of this form and level writes of what `speak` says.
    pub(crate) fn written(format: LogFormat, level: LogLevel, speak: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let (subscriber, _) = subscriber(Log { format, level }, Colours::Off, move || writer.clone());
        tracing::subscriber::with_default(subscriber, speak);
        kept.text()
    }

    fn everything() {
        tracing::error!(target: "koigate::serve", "own error");
        tracing::warn!(target: "koigate::serve", "own warn");
        tracing::info!(target: "koigate::serve", "own info");
        tracing::debug!(target: "koigate_core", "own debug");
        tracing::trace!(target: "koigate::serve", "own trace");
        tracing::error!(target: "pingora_core", "their error");
        tracing::warn!(target: "pingora_core", "their warn");
        tracing::info!(target: "pingora_core", "their info");
        tracing::trace!(target: "rustls", "their trace");
    }

    #[test]
    fn levels() {
        for (level, own, theirs) in [
            (LogLevel::Error, 1, 1),
            (LogLevel::Warn, 2, 2),
            (LogLevel::Info, 3, 2),
            (LogLevel::Debug, 4, 2),
            (LogLevel::Trace, 5, 4),
        ] {
            let log = written(LogFormat::Text, level, everything);
            let count = |word| log.matches(word).count();
            assert_eq!(
                (count(" own "), count(" their ")),
                (own, theirs),
                "{level:?}: {log}"
            );
        }
    }

    #[test]
    fn the_level_turns_while_it_runs() {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = Log {
            format: LogFormat::Text,
            level: LogLevel::Error,
        };
        let (subscriber, level) = subscriber(log, Colours::Off, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            everything();
            level.turn(LogLevel::Info);
            everything();
        });
        let log = kept.text();
        assert_eq!(log.matches(" own ").count(), 1 + 3, "{log}");
    }

    #[test]
    fn a_json_line_is_one_object_with_its_fields() {
        let log = written(LogFormat::Json, LogLevel::Info, || {
            tracing::info!(target: "koigate::serve", hook = "onMessage", ms = 1.5, "hook");
        });
        assert_eq!(log.lines().count(), 1, "{log}");
        let line: serde_json::Value = serde_json::from_str(&log).unwrap();
        assert_eq!(line["hook"], "onMessage");
        assert_eq!(line["ms"], 1.5);
        assert_eq!(line["message"], "hook");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn a_text_line_has_fields_and_no_escapes() {
        let log = written(LogFormat::Text, LogLevel::Info, || {
            tracing::info!(target: "koigate::serve", ms = 1.5, "hook");
        });
        assert!(log.contains("INFO koigate::serve: hook ms=1.5"), "{log}");
        assert!(!log.contains('\u{1b}'), "{log}");
    }
}
