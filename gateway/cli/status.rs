//! `koigate status`: what a running gateway runs, for a person at a terminal of 80 columns.

mod table;

use std::io::Write;

use jiff::Timestamp;
use koigate::admin::status::Status;

use super::args::StatusArgs;
use super::error::CommandError;
use super::operator::{Operator, Reply};

/// Prints it on standard output: as a table, or with `--json` as it came.
///
/// # Errors
///
/// No gateway answers, or nobody reads standard output.
pub(crate) fn status(args: StatusArgs) -> Result<(), CommandError> {
    let operator = Operator::find(args.operator)?;
    let reply = operator.get("/status")?;
    let status = match serde_json::from_str::<Status>(&reply.text) {
        Ok(status) if reply.status == 200 => status,
        _ => return Err(operator.unexpected("/status", reply).into()),
    };
    let mut out = anstream::stdout();
    let Reply { text, .. } = reply;
    if args.json {
        write!(out, "{text}")?;
    } else {
        table::write(&mut out, &status, Timestamp::now())?;
    }
    Ok(())
}
