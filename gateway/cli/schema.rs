//! `koigate schema`: the configuration's JSON Schema.

use std::io::Write;

use super::error::CommandError;

/// Prints it on standard output.
///
/// # Errors
///
/// Nobody reads standard output.
pub(crate) fn schema() -> Result<(), CommandError> {
    // The form with `#` is indented.
    writeln!(anstream::stdout(), "{:#}", koigate_config::schema().as_value())?;
    Ok(())
}
