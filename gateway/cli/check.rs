//! `koigate check FILE`: what `run` would do with a configuration.

use std::io::Write;

use koigate_config::describe;

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
    write!(anstream::stdout(), "{}", describe(&loaded.plan))?;
    if !loaded.overridden.is_empty() {
        let keys = loaded.overridden.join(", ");
        writeln!(anstream::stdout(), "\nfrom the environment: {keys}")?;
    }
    Ok(())
}
