//! `koigate shadow`: what a shadow would have done with the last hooks of a running gateway.

use std::io::Write;

use koigate::traces::ShadowReport;
use koigate_core::hook::is_name;

use super::args::ShadowArgs;
use super::error::CommandError;
use super::operator::Operator;
use super::trace;
use super::traces::read;

/// Prints it on standard output; with `--json` as it came.
///
/// # Errors
///
/// No gateway answers, it has no such shadow, or nobody reads standard output.
pub(crate) fn shadow(args: ShadowArgs) -> Result<(), CommandError> {
    let name = args.name;
    // Nothing else is a backend's name, or makes a path of its own.
    if !is_name(&name) {
        return Err(CommandError::NoShadow { name });
    }
    let operator = Operator::find(args.operator)?;
    let path = format!("/shadows/{name}");
    let reply = operator.get(&path)?;
    if reply.status == 404 {
        return Err(CommandError::NoShadow { name });
    }
    let (text, report) = read::<ShadowReport>(&operator, &path, reply)?;
    let mut out = anstream::stdout();
    Ok(if args.json {
        write!(out, "{text}")
    } else {
        trace::shadow::report(&mut out, &report)
    }?)
}
