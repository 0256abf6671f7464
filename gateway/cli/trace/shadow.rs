//! Shadows as text: below the hook that they were called beside, and over all hooks that are remembered.

use std::io::{self, Write};

use anstyle::Style;
use koigate::traces::{Shadow, ShadowReport, Trace};

use super::super::operator::visible;
use super::super::palette::{BAD, GOOD, NAME, ODD, QUIET, TITLE};
use super::{brought, denied, milliseconds, seen, write_changes};

/// What the shadows of one hook would have done.
pub(super) fn beside(out: &mut impl Write, trace: &Trace) -> io::Result<()> {
    for shadow in &trace.shadows {
        let name = visible(&shadow.call.backend);
        write!(out, "{QUIET}shadow{QUIET:#}  {NAME}{name}{NAME:#}  ")?;
        one(out, shadow, &trace.summary.verdict)?;
        // Where nobody has seen what it was sent, its length says little.
        if shadow.call.sent.is_some() {
            seen(out, &shadow.call, trace.document.as_deref())?;
        }
    }
    Ok(())
}

/// How often it would have done what, and each hook where that is not what happened.
pub(in super::super) fn report(out: &mut impl Write, report: &ShadowReport) -> io::Result<()> {
    let name = visible(&report.backend);
    if report.hooks.is_empty() {
        return writeln!(out, "no hook is remembered that {name} was called beside");
    }
    let ShadowReport {
        agree,
        reject,
        change,
        fail,
        ..
    } = report;
    writeln!(
        out,
        "{TITLE}{name}{TITLE:#}  agrees {agree}, would reject {reject}, would change {change}, fails {fail}"
    )?;
    let apart = report.hooks.iter().filter(|hook| {
        let would = hook.shadow.would.as_deref();
        would.is_some_and(|would| would != "agree")
    });
    for hook in apart {
        let (id, at, kind) = (visible(&hook.id), visible(&hook.at), visible(&hook.hook));
        write!(out, "\n{kind}  {QUIET}{id}  {at}{QUIET:#}\n      ")?;
        one(out, &hook.shadow, &hook.happened)?;
    }
    Ok(())
}

/// What one would have done with a hook that ended like this.
fn one(out: &mut impl Write, shadow: &Shadow, happened: &str) -> io::Result<()> {
    let (words, style) = would(shadow, happened);
    let (call, took) = (&shadow.call, milliseconds(shadow.call.ms));
    writeln!(out, "{style}{words}{style:#}  {took}  {}", brought(call))?;
    write_changes(out, &shadow.differences, shadow.different)?;
    denied(out, call)
}

/// The same in words.
fn would(shadow: &Shadow, happened: &str) -> (String, Style) {
    let refused = happened != "continue";
    match shadow.would.as_deref() {
        Some("agree") if refused => ("agrees: would refuse too".to_owned(), GOOD),
        Some("agree") => ("agrees".to_owned(), GOOD),
        Some("reject") => ("would refuse what went on".to_owned(), BAD),
        Some("change") if refused => ("would let pass what was refused".to_owned(), BAD),
        Some("change") => ("would change the answer".to_owned(), ODD),
        Some("fail") => ("fails".to_owned(), BAD),
        Some(other) => (visible(other), ODD),
        None => (visible(&shadow.call.verdict), QUIET),
    }
}
