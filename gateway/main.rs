//! The program: arguments in, one command, an exit status out. 2 is a wrong usage, 1 a failure;
//! `explain` has one of its own.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

use crate::cli::args::{Cli, Command};
use crate::cli::error::CommandError;

/// The one whose memory goes back to the system after a burst, by a thread of its own; how soon stands in
/// `.cargo/config.toml`, and `_RJEM_MALLOC_CONF` in the environment changes it.
///
/// Resident seconds after 10,000 heads that never ended, which take some 200 MiB: glibc 183 MiB, and no less with
/// `MALLOC_ARENA_MAX` and `MALLOC_TRIM_THRESHOLD_`; mimalloc 74 MiB at its best; jemalloc 19 MiB. The CPU time of a
/// hook is the same with all three, give or take 3 %.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            // With its sources, from what was tried to what stood in the way.
            cli::say(format_args!(
                "{ERROR}error:{ERROR:#} {:#}\n",
                anyhow::Error::from(error)
            ));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Run(args) => cli::run::run(&args),
        Command::Check(args) => cli::check::check(&args),
        Command::Explain(args) => return cli::explain::explain(args),
        Command::Mock(args) => cli::mock::run(args),
        Command::Demo(args) => cli::demo::run(&args),
        Command::Reload(args) => cli::reload::reload(args),
        Command::Status(args) => cli::status::status(args),
        Command::Health(args) => cli::health::health(args),
        Command::Traces(args) => cli::traces::traces(args),
        Command::Shadow(args) => cli::shadow::shadow(args),
        Command::Schema => cli::schema::schema(),
        Command::Completions(args) => cli::completions::completions(&args),
    }
    .map(|()| ExitCode::SUCCESS)
}

const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
