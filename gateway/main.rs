//! The program: arguments in, one command, an exit status out. 2 is a wrong usage, 1 a failure.

mod cli;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::args::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => cli::run::run(args),
        Command::Check(args) => cli::check::check(&args),
        Command::Mock(args) => cli::mock::run(args),
        Command::Demo(args) => cli::demo::run(&args),
        Command::Reload(args) => cli::reload::reload(args),
        Command::Status(args) => cli::status::status(args),
        Command::Schema => cli::schema::schema(),
        Command::Completions(args) => cli::completions::completions(&args),
    };
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    // With its sources, from what was tried to what stood in the way.
    anstream::eprintln!("{ERROR}error:{ERROR:#} {:#}", anyhow::Error::from(error));
    ExitCode::FAILURE
}

const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
