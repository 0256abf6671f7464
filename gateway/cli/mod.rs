//! What the program can be told to do, one file or folder a command.

pub(crate) mod args;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod error;
pub(crate) mod mock;
pub(crate) mod run;

use std::path::Path;

use koigate::server::Ended;
use koigate_config::{Color, Loaded, Process, Report};
use tokio::runtime::{Builder, Runtime};

use self::error::CommandError;

/// Reads a configuration, and prints to standard error what its author should know: every problem, or the
/// warnings.
///
/// # Errors
///
/// It has a problem.
pub(crate) fn load(path: &Path) -> Result<Loaded, CommandError> {
    match koigate_config::load(path, &Process) {
        Ok(loaded) => {
            print(&loaded.warnings);
            Ok(loaded)
        }
        Err(report) => {
            print(&report);
            Err(CommandError::Unusable {
                path: path.to_owned(),
                problems: report.findings().len(),
            })
        }
    }
}

/// A runtime with so many threads, or with one a core for 0.
///
/// # Errors
///
/// The system refuses the threads.
pub(crate) fn runtime(threads: usize) -> Result<Runtime, CommandError> {
    let mut builder = Builder::new_multi_thread();
    if threads > 0 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().map_err(CommandError::System)
}

/// A failure where something that was accepted has not been answered.
///
/// # Errors
///
/// It was cut short.
pub(crate) fn whole(ended: Ended) -> Result<(), CommandError> {
    match ended {
        Ended::Drained => Ok(()),
        Ended::CutShort => Err(CommandError::CutShort),
    }
}

fn print(report: &Report) {
    if !report.is_empty() {
        // anstream takes the colours out again where there is no terminal.
        anstream::eprintln!("{}", report.render(Color::Always));
    }
}
