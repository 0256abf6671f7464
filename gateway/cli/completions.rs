//! `koigate completions SHELL`: what a shell reads to complete commands and options.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::generate;

use super::args::{Cli, CompletionsArgs};
use super::error::CommandError;

/// Prints it on standard output.
///
/// # Errors
///
/// Nobody reads standard output.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), CommandError> {
    // The generator panics where it can't write, so it writes into memory.
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "koigate", &mut script);
    anstream::stdout().write_all(&script)?;
    Ok(())
}
