//! What the program can be told to do, one file or folder a command.

pub(crate) mod args;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod error;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod mock;
pub(crate) mod operator;
mod palette;
pub(crate) mod reload;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod shadow;
pub(crate) mod status;
mod trace;
pub(crate) mod traces;

use std::fmt;
use std::io::Write;
use std::path::Path;

use koigate::live::Configuration;
use koigate::offload::SPARE;
use koigate::server::Ended;
use koigate_config::{Color, Loaded, Process, Report};
use tokio::runtime::Builder;

use self::error::CommandError;

/// Reads a configuration to show it. Every problem is printed to standard error; the warnings are the caller's to
/// show.
///
/// # Errors
///
/// It has a problem.
pub(crate) fn load(path: &Path) -> Result<Loaded, CommandError> {
    koigate_config::load(path, &Process).map_err(|report| unusable(path, &report))
}

/// The same to run it.
///
/// # Errors
///
/// It has a problem.
pub(crate) fn read(path: &Path) -> Result<Configuration, CommandError> {
    Configuration::read(path).map_err(|report| unusable(path, &report))
}

/// Prints every problem of a configuration, for the failure that it is.
pub(crate) fn unusable(path: &Path, report: &Report) -> CommandError {
    print(report);
    CommandError::Unusable {
        path: path.to_owned(),
        problems: report.findings().len(),
    }
}

/// Runs this to its end, on so many threads, or on one a core for 0. Whatever else runs there ends with it: a picture
/// that is being drawn for nobody any more is not waited for.
///
/// # Errors
///
/// Its own, or the system refuses the threads.
pub(crate) fn block_on<T>(
    threads: usize,
    future: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    let mut builder = Builder::new_multi_thread();
    if threads > 0 {
        builder.worker_threads(threads);
    }
    run_on(&mut builder, future)
}

/// The same, on this thread alone.
///
/// # Errors
///
/// Its own, or the system refuses what a runtime needs.
pub(crate) fn block_on_this_thread<T>(
    future: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    run_on(&mut Builder::new_current_thread(), future)
}

fn run_on<T>(
    builder: &mut Builder,
    future: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    builder.thread_keep_alive(SPARE);
    let runtime = builder.enable_all().build().map_err(CommandError::System)?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
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

/// Prints what was found in a file to standard error, each with its line.
pub(crate) fn print(report: &Report) {
    if !report.is_empty() {
        // anstream takes the colours out again where there is no terminal.
        say(format_args!("{}\n", report.render(Color::Always)));
    }
}

/// Writes to standard error. Where that is full or closed nobody is left to be told, but the exit status.
pub(crate) fn say(words: fmt::Arguments<'_>) {
    let _ = anstream::stderr().write_fmt(words);
}
