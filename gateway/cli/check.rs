//! `koigate check FILE`: what `run` would do with a configuration.

use std::io::Write;

use super::args::CheckArgs;
use super::error::CommandError;
use super::{load, print};

/// Prints the plan on standard output, and the warnings or every problem on standard error.
///
/// # Errors
///
/// `run` would not start with it, or nobody reads standard output.
pub(crate) fn check(args: &CheckArgs) -> Result<(), CommandError> {
    let loaded = load(&args.file)?;
    print(&loaded.warnings);
    Ok(write!(anstream::stdout(), "{}", loaded.describe())?)
}
