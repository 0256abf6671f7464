//! `koigate health`: whether a running gateway takes hooks, for whoever starts it and looks after it.
//!
//! An image without a shell has no other program that could ask.

use std::io::Write;

use koigate::server::Phase;

use super::args::HealthArgs;
use super::error::CommandError;
use super::operator::{Operator, visible};

/// Prints the phase that it is in on standard output; with `--alive` that it answers.
///
/// # Errors
///
/// It takes no hooks, no gateway answers, or nobody reads standard output.
pub(crate) fn health(args: HealthArgs) -> Result<(), CommandError> {
    let operator = Operator::find(args.operator)?;
    let path = if args.alive { "/healthz" } else { "/readyz" };
    let reply = operator.get(path)?;
    match (reply.status, phase(&reply.text)) {
        (200, _) => write!(anstream::stdout(), "{}", visible(&reply.text))?,
        (503, Some(phase)) => return Err(CommandError::Unready { phase }),
        _ => return Err(operator.unexpected(path, reply).into()),
    }
    Ok(())
}

/// What a gateway says that takes no hooks; somebody else would say something else.
fn phase(text: &str) -> Option<&'static str> {
    let phases = [Phase::Starting, Phase::Draining].map(Phase::as_str);
    phases.into_iter().find(|phase| *phase == text.trim())
}
