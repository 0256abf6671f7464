//! `koigate reload`: a running gateway reads its configuration again.

use std::io::Write;

use super::args::OperatorArgs;
use super::error::CommandError;
use super::operator::{Operator, Reply, visible};
use super::say;

/// Prints what has changed on standard output, or every problem on standard error.
///
/// # Errors
///
/// The new configuration can't be used, no gateway answers, or nobody reads standard output.
pub(crate) fn reload(args: OperatorArgs) -> Result<(), CommandError> {
    let operator = Operator::find(args)?;
    let reply = operator.post("/reload")?;
    match reply {
        Reply { status: 200, text } => write!(anstream::stdout(), "{}", visible(&text))?,
        Reply { status: 422, text } => {
            say(format_args!("{}", visible(&text)));
            return Err(CommandError::NotReloaded);
        }
        reply => return Err(operator.unexpected("/reload", reply).into()),
    }
    Ok(())
}
