//! The program: arguments in, one command, an exit status out. 2 is a wrong usage, 1 a failure;
//! `explain` has one of its own.

mod cli;

use std::hint::black_box;
use std::process::ExitCode;
use std::thread::{Builder, sleep};
use std::time::Duration;

use clap::Parser;
use tikv_jemalloc_ctl::background_thread;
use tikv_jemallocator::Jemalloc;

use crate::cli::args::{Cli, Command};
use crate::cli::error::CommandError;

/// The one whose memory goes back to the system after a burst ([`give_memory_back`]); how soon stands in
/// `.cargo/config.toml`, and `_RJEM_MALLOC_CONF` in the environment changes it.
///
/// Resident seconds after 10,000 heads that never ended, which take some 200 MiB: glibc 183 MiB, and no less with
/// `MALLOC_ARENA_MAX` and `MALLOC_TRIM_THRESHOLD_`; mimalloc 74 MiB at its best; jemalloc 19 MiB. The CPU time of a
/// hook is the same with all three, give or take 3 %.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// More than jemalloc's `oversize_threshold`, in bytes; never written to.
const LARGE: usize = 16 * 1024 * 1024;

/// How often it is seen to that nothing large is kept.
const SWEEP: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    give_memory_back();
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

/// Has what was freed given back to the system: large pieces at once, the others after a while by a thread that looks
/// for them. jemalloc keeps pieces over its `oversize_threshold` apart, and decides with the first of them how long it
/// keeps what was freed of them: not at all, where there is no such thread yet.
fn give_memory_back() {
    let large = || drop(black_box(Vec::<u8>::with_capacity(LARGE)));
    large();
    // Where the system has no such threads (musl), whoever asks for memory looks as well.
    let _ = background_thread::write(true);
    // Who frees a large piece while another one is given back leaves it to whoever frees the next, and that may be
    // nobody for a long time.
    let sweep = move || loop {
        sleep(SWEEP);
        large();
    };
    let _ = Builder::new().name("memory".into()).spawn(sweep);
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
