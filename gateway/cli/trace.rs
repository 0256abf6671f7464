//! One hook as text: every call with its time as a bar, what it changed, conflicts, and the answer. `explain` and
//! `traces` print it.

mod excerpt;
mod sent;
pub(super) mod shadow;

use std::io::{self, Write};

use koigate::traces::{Answered, Call, Change, Trace};

use self::excerpt::Excerpt;
use super::operator::visible;
use super::palette::{self, NAME, ODD, QUIET, TITLE};

/// How wide the whole time of a hook is drawn.
const BAR: usize = 20;
/// How wide a value may be shown.
const VALUE: usize = 44;

/// Writes all of it.
pub(super) fn write(out: &mut impl Write, trace: &Trace) -> io::Result<()> {
    let summary = &trace.summary;
    let (hook, id, at) = (visible(&summary.hook), visible(&summary.id), visible(&summary.at));
    writeln!(out, "{TITLE}{hook}{TITLE:#}  {QUIET}{id}  {at}{QUIET:#}")?;
    let names = trace.calls.iter().map(|call| call.backend.len()).max();
    let columns = Columns {
        name: names.unwrap_or_default(),
        whole: summary.ms.max(0.001),
    };
    let mut stage = 0;
    for call in &trace.calls {
        let opens = call.stage != stage;
        stage = call.stage;
        columns.call(out, call, opens)?;
        seen(out, call, trace.document.as_deref())?;
        changes(out, call)?;
        denied(out, call)?;
    }
    conflicts(out, trace)?;
    answer(out, trace)?;
    shadow::beside(out, trace)
}

/// How the columns of one trace are laid out.
struct Columns {
    name: usize,
    /// The milliseconds that a whole bar is.
    whole: f64,
}

impl Columns {
    fn call(&self, out: &mut impl Write, call: &Call, opens: bool) -> io::Result<()> {
        let style = palette::verdict(&call.verdict);
        let number = if opens {
            format!("{}.", call.stage)
        } else {
            String::new()
        };
        let (name, verdict) = (visible(&call.backend), visible(&call.verdict));
        let width = self.name;
        writeln!(
            out,
            "{number:<3} {NAME}{name:<width$}{NAME:#}  {style}{verdict:<9}{style:#} {:>9}  {}  {}",
            milliseconds(call.ms),
            self.bar(call),
            brought(call)
        )
    }

    /// When a call ran, as part of the whole hook.
    fn bar(&self, call: &Call) -> String {
        let column = |ms: f64| ((ms / self.whole * BAR as f64).round() as usize).min(BAR);
        let from = column(call.start_ms).min(BAR - 1);
        let to = column(call.start_ms + call.ms).max(from + 1);
        format!(
            "{}{}{}",
            "·".repeat(from),
            "█".repeat(to - from),
            "·".repeat(BAR - to)
        )
    }
}

/// What a reply brought, or why there was none.
fn brought(call: &Call) -> String {
    if let Some(failure) = &call.failure {
        let (kind, detail, policy) = (
            visible(&failure.kind),
            visible(&failure.detail),
            visible(&failure.policy),
        );
        return match &*policy {
            "none" => format!("{kind}: {detail}"),
            policy => format!("{kind}: {detail}; policy: {policy}"),
        };
    }
    let mut words = Vec::new();
    words.extend(call.status.map(|status| status.to_string()));
    words.extend(
        call.content_type
            .as_deref()
            .filter(|label| !label.is_empty())
            .map(visible),
    );
    words.extend(call.reply_bytes.map(bytes));
    words.join(" ")
}

/// What a backend was sent, and what was kept from it.
fn seen(out: &mut impl Write, call: &Call, posted: Option<&str>) -> io::Result<()> {
    if call.sent_bytes > 0 {
        let length = bytes(call.sent_bytes);
        match call.sent.as_deref() {
            None => writeln!(out, "      sent {length}")?,
            Some(sent) if Some(sent) == posted => writeln!(out, "      sent {length}, as posted")?,
            Some(sent) => writeln!(out, "      sent {length}: {}", sent::shown(sent))?,
        }
    }
    for (what, places) in [("hidden", &call.hidden), ("shown only", &call.shown)] {
        if !places.is_empty() {
            let places: Vec<_> = places.iter().map(|place| visible(place)).collect();
            writeln!(out, "      {QUIET}{what} {}{QUIET:#}", places.join(" "))?;
        }
    }
    Ok(())
}

fn changes(out: &mut impl Write, call: &Call) -> io::Result<()> {
    write_changes(out, &call.changes, call.edits)
}

/// The places that are listed, and how many more there are of so many.
fn write_changes(out: &mut impl Write, listed: &[Change], count: usize) -> io::Result<()> {
    for change in listed {
        writeln!(
            out,
            "      {} {}  {}",
            visible(&change.kind),
            visible(&change.at),
            value(change)
        )?;
    }
    let more = count.saturating_sub(listed.len());
    if more > 0 {
        writeln!(out, "      and {more} more places")?;
    }
    Ok(())
}

/// What it tried and may not.
fn denied(out: &mut impl Write, call: &Call) -> io::Result<()> {
    for place in &call.denied_places {
        writeln!(out, "      {ODD}denied{ODD:#} {}", visible(place))?;
    }
    let more = call.denied.saturating_sub(call.denied_places.len());
    if more > 0 {
        writeln!(out, "      {ODD}denied{ODD:#} {more} more places")?;
    }
    if let Some(what) = &call.overreach {
        writeln!(out, "      {ODD}denied{ODD:#} its {}", visible(what))?;
    }
    Ok(())
}

fn value(change: &Change) -> String {
    let Some(value) = &change.value else {
        return format!("{QUIET}hidden, {}{QUIET:#}", bytes(change.bytes));
    };
    let Excerpt { text, is_cut } = Excerpt::of(value, VALUE);
    if is_cut || value.len() < change.bytes {
        format!("{text}{QUIET}… {}{QUIET:#}", bytes(change.bytes))
    } else {
        text
    }
}

fn conflicts(out: &mut impl Write, trace: &Trace) -> io::Result<()> {
    if trace.conflicts == 0 {
        return Ok(());
    }
    writeln!(out, "{TITLE}conflicts{TITLE:#}  {}", trace.conflicts)?;
    for conflict in &trace.conflicts_listed {
        let (at, first, second) = (
            visible(&conflict.at),
            visible(&conflict.first),
            visible(&conflict.second),
        );
        writeln!(
            out,
            "      {at}  {NAME}{first}{NAME:#} and {NAME}{second}{NAME:#} differ"
        )?;
    }
    Ok(())
}

fn answer(out: &mut impl Write, trace: &Trace) -> io::Result<()> {
    let Answered {
        status,
        content_type,
        bytes: length,
    } = &trace.answer;
    for column in &trace.wrong_columns {
        let (at, backends) = (visible(&column.at), visible(&column.backends.join(", ")));
        let found = column
            .found
            .map_or_else(|| "no list".to_owned(), |found| found.to_string());
        let fate = if column.dropped { "left out" } else { "reported" };
        let expected = column.expected;
        writeln!(
            out,
            "{ODD}column{ODD:#}  {at} of {backends}: {found} instead of {expected}, {fate}"
        )?;
    }
    for dropped in &trace.dropped {
        let (backend, kind, reason) = (
            visible(&dropped.backend),
            visible(&dropped.kind),
            visible(&dropped.reason),
        );
        writeln!(out, "{ODD}dropped{ODD:#}  the {kind} of {backend}: {reason}")?;
    }
    let style = palette::verdict(&trace.summary.verdict);
    let mut words = vec![status.to_string()];
    if *length > 0 {
        words.extend([visible(content_type), bytes(*length)]);
    }
    let (source, took) = (visible(&trace.source), milliseconds(trace.summary.ms));
    writeln!(
        out,
        "{TITLE}answer{TITLE:#}  {style}{}{style:#}  after {took}: {source}",
        words.join(" ")
    )
}

/// A length for people: `512 B`, `12.3 KB`, `1.2 MB`.
fn bytes(length: usize) -> String {
    let length = length as f64;
    if length < 1_000.0 {
        format!("{length} B")
    } else if length < 1_000_000.0 {
        format!("{:.1} KB", length / 1_000.0)
    } else {
        format!("{:.1} MB", length / 1_000_000.0)
    }
}

fn milliseconds(ms: f64) -> String {
    format!("{ms:.1} ms")
}
