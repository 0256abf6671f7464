//! `koigate traces`: the last hooks of a running gateway, in a line each, or all of one.

use std::io::{self, Write};

use koigate::traces::{Summary, Trace};
use serde::de::DeserializeOwned;

use super::args::TracesArgs;
use super::error::CommandError;
use super::operator::{Operator, Reply, visible};
use super::palette::{self, TITLE};
use super::trace;

/// Prints them on standard output; with `--json` as they came.
///
/// # Errors
///
/// No gateway answers, it does not know the hook, or nobody reads standard output.
pub(crate) fn traces(args: TracesArgs) -> Result<(), CommandError> {
    let operator = Operator::find(args.operator)?;
    let mut out = anstream::stdout();
    let Some(id) = args.id else {
        let reply = operator.get("/traces")?;
        let (text, list) = read::<Vec<Summary>>(&operator, "/traces", reply)?;
        return Ok(if args.json {
            write!(out, "{text}")
        } else {
            table(&mut out, &list)
        }?);
    };
    // An id is 32 hexadecimal digits; nothing else makes a path of its own.
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(CommandError::NoTrace { id });
    }
    let path = format!("/traces/{id}");
    let reply = operator.get(&path)?;
    if reply.status == 404 {
        return Err(CommandError::NoTrace { id });
    }
    let (text, hook) = read::<Trace>(&operator, &path, reply)?;
    Ok(if args.json {
        write!(out, "{text}")
    } else {
        trace::write(&mut out, &hook)
    }?)
}

/// What came from this path, as it came and read.
pub(super) fn read<T: DeserializeOwned>(
    operator: &Operator,
    path: &str,
    reply: Reply,
) -> Result<(String, T), CommandError> {
    match serde_json::from_str(&reply.text) {
        Ok(read) if reply.status == 200 => Ok((reply.text, read)),
        _ => Err(operator.unexpected(path, reply).into()),
    }
}

fn table(out: &mut impl Write, list: &[Summary]) -> io::Result<()> {
    if list.is_empty() {
        return writeln!(out, "no hook is remembered yet");
    }
    let hooks = list
        .iter()
        .map(|hook| hook.hook.len())
        .max()
        .unwrap_or_default()
        .max(4);
    writeln!(
        out,
        "{TITLE}{:<32}  {:<12}  {:<hooks$}  {:<8}  {:>9}  BACKENDS{TITLE:#}",
        "ID", "AT", "HOOK", "VERDICT", "MS"
    )?;
    for hook in list {
        let Summary { id, at, ms, .. } = hook;
        // The day is the same for most; the whole moment stands in the trace.
        let time = at
            .split_once('T')
            .map_or(at.as_str(), |(_, time)| time.trim_end_matches('Z'));
        let style = palette::verdict(&hook.verdict);
        writeln!(
            out,
            "{:<32}  {:<12}  {:<hooks$}  {style}{:<8}{style:#}  {ms:>9.1}  {}",
            visible(id),
            visible(time),
            visible(&hook.hook),
            visible(&hook.verdict),
            visible(&hook.backends)
        )?;
    }
    Ok(())
}
