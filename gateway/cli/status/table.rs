//! A status as a table, within 80 columns wherever words can be broken.

mod beside;

use std::io::{self, Write};
use std::iter;
use std::time::Duration;

use anstyle::Style;
use jiff::Timestamp;
use koigate::admin::status::{Backend, Configuration, Reload, Replica, Status};
use unicode_width::UnicodeWidthChar;

use super::super::operator::visible;
use super::super::palette::{BAD, GOOD, NAME, ODD, PLAIN, TITLE};

/// The width of the whole.
const COLUMNS: usize = 80;
/// The width of the names on the left.
const LABEL: usize = 15;
/// As many digits of a hash as tell two files apart.
const DIGITS: usize = 12;

/// Writes all of it. `now` is what ages are counted to.
pub(super) fn write(out: &mut impl Write, status: &Status, now: Timestamp) -> io::Result<()> {
    heading(out, status)?;
    let in_flight = status.hooks_in_flight;
    let scheme = if status.listening.tls { "https" } else { "http" };
    let hooks = urls(scheme, &status.listening.hooks);
    let hooks = format!("{hooks} ({in_flight} in flight)");
    entry(out, "hooks", PLAIN, &hooks)?;
    entry(out, "admin", PLAIN, &urls("http", &status.listening.admin))?;
    configuration(out, &status.configuration, now)?;
    chains(out, status)?;
    backends(out, &status.backends)?;
    beside::shadows(out, &status.backends)?;
    beside::observers(out, &status.backends)
}

fn heading(out: &mut impl Write, status: &Status) -> io::Result<()> {
    let revision = status.revision.as_ref().map(|revision| format!(" ({revision})"));
    let version = format!("koigate {}{}", status.version, revision.unwrap_or_default());
    let style = if status.phase == "ready" { GOOD } else { ODD };
    let (version, phase) = (visible(&version), visible(&status.phase));
    let up = age(Duration::from_secs(status.uptime_seconds));
    writeln!(
        out,
        "{TITLE}{version}{TITLE:#}  {style}{phase}{style:#}, up {up}, since {}\n",
        moment(status.started_at)
    )
}

fn configuration(out: &mut impl Write, configuration: &Configuration, now: Timestamp) -> io::Result<()> {
    entry(out, "configuration", PLAIN, &configuration.path)?;
    let digits: String = configuration.hash.chars().take(DIGITS).collect();
    let (generation, read) = (configuration.generation, when(configuration.loaded_at, now));
    entry(
        out,
        "",
        PLAIN,
        &format!("generation {generation}, SHA-256 {digits}…"),
    )?;
    entry(out, "", PLAIN, &format!("read {read}"))?;
    match &configuration.last_reload {
        Some(reload) => last_reload(out, reload, now)?,
        None => entry(out, "last reload", PLAIN, "none since the start")?,
    }
    if !configuration.needs_restart.is_empty() {
        entry(out, "needs restart", ODD, &configuration.needs_restart.join(", "))?;
    }
    Ok(())
}

fn last_reload(out: &mut impl Write, reload: &Reload, now: Timestamp) -> io::Result<()> {
    let by = match reload.trigger.as_str() {
        "watch" => "a changed file",
        "signal" => "SIGHUP",
        "request" => "request",
        other => other,
    };
    let asked = format!("{}, by {by}", when(reload.at, now));
    if !reload.ok {
        entry(out, "last reload", BAD, &format!("failed {asked}"))?;
        for problem in &reload.errors {
            entry(out, "", PLAIN, &format!("{} {}", problem.place, problem.code))?;
            entry(out, "", BAD, &format!("  {}", problem.message))?;
            entry(out, "", PLAIN, &format!("  {}", problem.remedy))?;
        }
        return Ok(());
    }
    entry(out, "last reload", GOOD, &format!("good {asked}"))?;
    if reload.changes.is_empty() {
        entry(out, "", PLAIN, "nothing has changed")?;
    }
    for change in &reload.changes {
        entry(out, "", PLAIN, change)?;
    }
    Ok(())
}

fn chains(out: &mut impl Write, status: &Status) -> io::Result<()> {
    if status.hooks.is_empty() {
        return Ok(());
    }
    let width = column("HOOK", status.hooks.keys().map(String::as_str));
    writeln!(out, "\n{TITLE}{:<width$}  CHAIN{TITLE:#}", "HOOK")?;
    for (hook, stages) in &status.hooks {
        let stages: Vec<String> = stages.iter().map(|stage| stage.join(" + ")).collect();
        let chain = stages.join(", then ");
        let shadows = status.shadows.get(hook);
        let beside = shadows.map(|names| format!("beside: {}", names.join(", ")));
        let observers = status.observers.get(hook);
        let after = observers.map(|names| format!("told after: {}", names.join(", ")));
        let hook = visible(hook);
        let mut label = hook.as_str();
        let paragraphs = iter::once(chain).chain(beside).chain(after);
        for line in paragraphs.flat_map(|text| wrapped(&text, COLUMNS.saturating_sub(width + 2))) {
            writeln!(out, "{NAME}{label:<width$}{NAME:#}  {line}")?;
            label = "";
        }
    }
    Ok(())
}

fn backends(out: &mut impl Write, backends: &[Backend]) -> io::Result<()> {
    if backends.is_empty() {
        return Ok(());
    }
    let name = column("BACKEND", backends.iter().map(|backend| backend.name.as_str()));
    let used: Vec<String> = backends
        .iter()
        .map(|backend| format!("{} of {}", backend.in_flight, backend.max_in_flight))
        .collect();
    let calls = column("IN FLIGHT", used.iter().map(String::as_str));
    writeln!(
        out,
        "\n{TITLE}{:<name$}  {:>calls$}  KEPT  URL{TITLE:#}",
        "BACKEND", "IN FLIGHT"
    )?;
    let room = COLUMNS.saturating_sub(name + calls + 10);
    for (backend, used) in backends.iter().zip(&used) {
        let (shown, kept) = (visible(&backend.name), backend.idle_connections);
        let style = if backend.in_flight >= backend.max_in_flight {
            BAD
        } else {
            PLAIN
        };
        let standing = standing(backend);
        let mark = match (backend.shadow, backend.observer) {
            (Some(_), _) => "shadow: ",
            (None, Some(_)) => "observer: ",
            (None, None) => "",
        };
        let text = standing.as_ref().unwrap_or(&backend.url);
        let text = cut(&visible(&format!("{mark}{text}")), room);
        let odd = if is_well(backend) { PLAIN } else { ODD };
        writeln!(
            out,
            "{NAME}{shown:<name$}{NAME:#}  {style}{used:>calls$}{style:#}  {kept:>4}  {odd}{text}{odd:#}"
        )?;
        if standing.is_some() {
            replicas(out, &backend.replicas, (name, calls))?;
        }
    }
    Ok(())
}

/// What there is to say of a backend beside its URL; nothing of one process that is well.
fn standing(backend: &Backend) -> Option<String> {
    let breaker = match backend.breaker.as_deref() {
        None | Some("closed") => None,
        Some("trial") => Some("breaker open, one call tries"),
        Some(_) => Some("breaker open: nobody asks it"),
    };
    let replicas = match &*backend.replicas {
        [] | [_] if backend.up => None,
        [] | [_] => Some("down".to_owned()),
        several => {
            let well = several.iter().filter(|replica| replica.up && !replica.ejected);
            Some(format!("{} of {} replicas well", well.count(), several.len()))
        }
    };
    let parts: Vec<&str> = breaker.into_iter().chain(replicas.as_deref()).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Whether all of it is asked.
fn is_well(backend: &Backend) -> bool {
    let mut replicas = backend.replicas.iter();
    let closed = matches!(backend.breaker.as_deref(), None | Some("closed"));
    closed && replicas.all(|replica| replica.up && !replica.ejected)
}

/// A line for each replica, below its backend's.
fn replicas(out: &mut impl Write, replicas: &[Replica], (name, calls): (usize, usize)) -> io::Result<()> {
    let room = COLUMNS.saturating_sub(name + calls + 10);
    for replica in replicas {
        let (style, mark) = match (replica.up, replica.ejected) {
            (false, _) => (BAD, "checks fail: "),
            (true, true) => (BAD, "left out: "),
            (true, false) => (PLAIN, ""),
        };
        let (used, kept) = (replica.in_flight, replica.idle_connections);
        let url = cut(&visible(&replica.url), room.saturating_sub(mark.len()));
        writeln!(
            out,
            "{:name$}  {used:>calls$}  {kept:>4}  {style}{mark}{style:#}{url}",
            ""
        )?;
    }
    Ok(())
}

/// One line of the upper part, and as many below it as it needs.
fn entry(out: &mut impl Write, label: &str, style: Style, text: &str) -> io::Result<()> {
    let indent = text.len() - text.trim_start_matches(' ').len();
    let mut label = label;
    for line in wrapped(text, COLUMNS - LABEL - indent) {
        writeln!(out, "{label:<LABEL$}{:indent$}{style}{line}{style:#}", "")?;
        label = "";
    }
    Ok(())
}

// === words ===

/// A Unix socket has no URL, and no scheme.
fn urls(scheme: &str, places: &[String]) -> String {
    let url = |place: &String| {
        if place.starts_with("unix:") {
            place.clone()
        } else {
            format!("{scheme}://{place}")
        }
    };
    let urls: Vec<String> = places.iter().map(url).collect();
    urls.join(", ")
}

/// A time of the day, in UTC to the second.
fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A moment, and how long ago it was; where this machine's clock has not come so far, the moment alone.
fn when(time: Timestamp, now: Timestamp) -> String {
    match Duration::try_from(now.duration_since(time)) {
        Ok(passed) => format!("{} ago ({})", age(passed), moment(time)),
        Err(_) => moment(time),
    }
}

/// A duration in its two largest units: `3d 4h`, `12m 0s`, `7s`.
fn age(duration: Duration) -> String {
    const UNITS: [(u64, &str, u64, &str); 3] = [
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ];
    let seconds = duration.as_secs();
    let units = UNITS.iter().find(|(unit, ..)| seconds >= *unit);
    units.map_or_else(
        || format!("{seconds}s"),
        |(large, name, small, smaller)| {
            format!("{}{name} {}{smaller}", seconds / large, seconds % large / small)
        },
    )
}

// === widths ===

/// The width of a column of names and of its heading.
fn column<'a>(heading: &str, cells: impl Iterator<Item = &'a str>) -> usize {
    cells.map(width).fold(heading.len(), usize::max)
}

/// How many columns of a terminal a text takes: two for a Chinese character.
fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(1)).sum()
}

/// Lines of at most this width, broken between words, and within a word that is wider by itself.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in visible(text).split_whitespace() {
        let is_first = line.is_empty();
        if !is_first && width(&line) + 1 + width(word) > room {
            lines.push(std::mem::take(&mut line));
        } else if !is_first {
            line.push(' ');
        }
        for c in word.chars() {
            if width(&line) + c.width().unwrap_or(1) > room {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

/// The text, or as much of its beginning as leaves room for the mark that there is more.
fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let fits = |c: &char| {
        let wide = c.width().unwrap_or(1);
        let fits = wide <= left;
        left = left.saturating_sub(wide);
        fits
    };
    let mut begin: String = text.chars().take_while(fits).collect();
    begin.push('…');
    begin
}

#[cfg(test)]
mod tests;
