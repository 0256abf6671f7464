//! The command line: what can be written, and what it says about itself.
//!
//! clap parses into these types and ends the program itself where that can't be done: 2 for a wrong
//! usage, 0 for `--help` and `--version`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::mock::behaviour::Behaviour;
use super::operator::Address;

/// One URL in, every callback service asked, one answer out: a gateway between koipy and its callback services.
#[derive(Debug, Parser)]
#[command(name = "koigate", version = koigate::version::full(), styles = STYLES, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// What the program is to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Everything that the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway
    ///
    /// Reads the configuration, listens, and passes every hook to the services that its chain names, until
    /// SIGTERM or SIGINT; hooks in flight are finished then. A configuration with a problem, or an address that
    /// is in use, ends it at once with exit status 1.
    Run(RunArgs),
    /// Read a configuration as `run` does, and print the plan of every hook or every problem
    ///
    /// Exit status 0 if `run` would start with it, 1 if not. Nothing is started and no service is asked.
    Check(CheckArgs),
    /// Send a document through a chain, and see what each service was sent, said and changed
    ///
    /// Asks the services that the chain of HOOK names, by the same code as `run`, and prints every call with its
    /// time, what it changed, who disagreed, and the answer. Callbacks have effects: services take these calls for
    /// real ones. Exit status 0 where the bot would go on, 3 where it would refuse.
    Explain(ExplainArgs),
    /// A callback service that answers as told, for trying chains out
    #[command(after_long_help = MOCK_REPLIES)]
    Mock(MockArgs),
    /// See it work on this machine, with nothing installed: three services, the gateway, one hook of each kind
    ///
    /// Starts three small callback services and the gateway in front of them on a real configuration file, sends
    /// hooks through it as koipy does, shows what each service said and what the bot would do with the answer,
    /// and then stays up until Ctrl-C. Only 127.0.0.1 is listened on, and nothing leaves this machine.
    Demo(DemoArgs),
    /// Have a running gateway read its configuration again, and print what that changed
    ///
    /// Exit status 0 if the new configuration runs now, 1 if it can't be used (every problem is printed, and the
    /// gateway goes on with the one it has) or if no gateway answers. A gateway also reads it by itself when the
    /// file changes; this shows at once what came of it.
    #[command(after_long_help = WHERE)]
    Reload(OperatorArgs),
    /// Show what a running gateway runs, and how
    ///
    /// Its configuration and the last reload, the chains, and of every backend the calls in flight and the
    /// connections kept.
    #[command(after_long_help = WHERE)]
    Status(StatusArgs),
    /// Ask a running gateway whether it takes hooks, for health checks
    ///
    /// Prints the phase that it is in. Exit status 0 if it takes hooks, 1 if it is still starting, is stopping, or
    /// does not answer. No token is needed.
    #[command(after_long_help = WHERE)]
    Health(HealthArgs),
    /// Show the last hooks of a running gateway, or all that it remembers of one
    #[command(after_long_help = WHERE)]
    Traces(TracesArgs),
    /// Show what a shadow would have done with the last hooks of a running gateway, and where
    ///
    /// A shadow is called beside the first stage of a hook and has no vote. With how many hooks it agrees, how many it
    /// would have refused, how many it would have changed or let pass that were refused, with how many it failed; and
    /// each of those that it doesn't agree with, with the places that would be different.
    #[command(after_long_help = WHERE)]
    Shadow(ShadowArgs),
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Print what makes a shell complete this program's commands and options
    Completions(CompletionsArgs),
}

/// Which configuration is meant.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration [default: the first there is of ./koigate.toml and /etc/koigate/koigate.toml]
    #[arg(
        long = "config",
        short = 'c',
        value_name = "FILE",
        env = "KOIGATE_CONFIG",
        hide_env_values = true
    )]
    pub(crate) named: Option<PathBuf>,
}

/// What `run` is told.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Which configuration.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Take over from the gateway that runs this configuration: its sockets pass to this one, which it then makes way
    /// for
    #[arg(long)]
    pub(crate) upgrade: bool,
}

/// What `check` is told.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The configuration
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// What `mock` is told.
#[derive(Debug, Args)]
pub(crate) struct MockArgs {
    /// Where it listens; port 0 takes any free port
    #[arg(long, short, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    pub(crate) listen: SocketAddr,
    /// What it answers to every hook: one of the replies that --help lists
    #[arg(long, short, value_name = "SPEC", default_value = "204")]
    pub(crate) reply: Behaviour,
    /// How long it waits before it answers: 300ms, 2s, 1m
    #[arg(long, short, value_name = "TIME", value_parser = duration)]
    pub(crate) delay: Option<Duration>,
}

/// What `demo` is told.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End after the show instead of staying up
    #[arg(long)]
    pub(crate) once: bool,
}

/// Which running gateway is meant.
#[derive(Debug, Args)]
pub(crate) struct OperatorArgs {
    /// Which configuration.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The gateway's admin address instead, as http://host:port
    #[arg(long, value_name = "URL")]
    pub(crate) admin: Option<Address>,
}

/// What `status` is told.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Which gateway.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
    /// Print the JSON as it came
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `health` is told.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Which gateway.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
    /// Only ask whether the process answers at all, also while it is stopping
    #[arg(long)]
    pub(crate) alive: bool,
}

/// What `traces` is told.
#[derive(Debug, Args)]
pub(crate) struct TracesArgs {
    /// One hook, by the X-Request-Id of its answer or of its log line [default: all, the latest first]
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Which gateway.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
    /// Print the JSON as it came
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `shadow` is told.
#[derive(Debug, Args)]
pub(crate) struct ShadowArgs {
    /// The shadow: a backend that a hook of the gateway's configuration names in `shadow`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Which gateway.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
    /// Print the JSON as it came
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `explain` is told.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The hook: onMessage, onPreSend, onResult, or another that has a chain
    #[arg(value_name = "HOOK")]
    pub(crate) hook: String,
    /// Which configuration.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// What the bot would post; - is standard input [default: a sample of the hook]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) document: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Save what each service was sent, and the pictures of the answer, in this folder
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// What `completions` is told.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const MOCK_REPLIES: &str = "\
Replies (SPEC):
  204                     goes on (the default)
  reject[:STATUS][:TEXT]  refuses; the user reads TEXT. STATUS is 401 to 599,
                          403 if left out. A TEXT of digits alone: reject::123
  blacklist:ID[,ID]...    refuses these Telegram users, goes on for all others
  column:NAME[=VALUE]     adds a column to result, with VALUE for every node (a
                          number, true, false, null or else a string), without
                          VALUE the node's place: 1, 2, 3, ... Sends the whole
                          document back, as services do; 204 if it has no nodes
  text:TEXT               goes on, with a message for the user
  picture[:WxH]           goes on, with a PNG: the result as bars and dots, or a
                          test card where there is no result
  echo                    goes on, and sends the document back as it came
  json:BODY               sends BODY, labelled JSON, as it stands, JSON or not
  fail[:STATUS]           the error page of a service that crashed. STATUS is
                          500 to 599, 500 if left out
  hang                    reads the hook and never answers

Examples:
  koigate mock --reply 'reject:你已被加入黑名单'
  koigate mock --listen 127.0.0.1:8082 --reply 'column:倍率=1.5'
  koigate mock --listen 127.0.0.1:8083 --reply picture --delay 800ms";

const WHERE: &str = "\
Which gateway:
  Its address and its token are those of [admin] in the configuration, whatever
  else is wrong with the file. --admin goes before the address; a token from a
  file is then sent only if the file was named too. The variable
  KOIGATE_ADMIN_TOKEN goes before the token.";

/// The longest wait: what is longer is a `hang`.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// A whole number and its unit: `ms`, `s` or `m`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err("write a number and its unit, such as 300ms, 2s or 1m".to_owned()),
    };
    let wait = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(scale))
        .map(Duration::from_millis);
    wait.filter(|wait| *wait <= LONGEST_DELAY)
        .ok_or_else(|| "write a time from 0ms to 60m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn clap_finds_no_fault() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations() {
        let ms = Duration::from_millis;
        for (text, read) in [
            ("0ms", Some(ms(0))),
            ("300ms", Some(ms(300))),
            ("2s", Some(ms(2_000))),
            ("60m", Some(ms(3_600_000))),
            ("61m", None),
            ("", None),
            ("s", None),
            ("300", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615m", None),
        ] {
            assert_eq!(duration(text).ok(), read, "{text:?}");
        }
    }

    #[test]
    fn every_help_fits_eighty_columns() {
        let mut cli = Cli::command().term_width(80);
        cli.build();
        for command in cli.get_subcommands_mut() {
            for help in [command.render_help(), command.render_long_help()] {
                for line in help.to_string().lines() {
                    // A Chinese character is two columns wide.
                    let width: usize = line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
                    assert!(
                        width <= 80,
                        "{} --help: {width} columns: {line}",
                        command.get_name()
                    );
                }
            }
        }
    }

    #[test]
    fn usage() {
        fn check(line: &str, expected: Result<(), clap::error::ErrorKind>) {
            let got = Cli::try_parse_from(line.split(' '))
                .map(drop)
                .map_err(|error| error.kind());
            assert_eq!(got, expected, "{line}");
        }
        use clap::error::ErrorKind;
        check("koigate run --config a.toml", Ok(()));
        check("koigate run", Ok(()));
        check("koigate run a.toml", Err(ErrorKind::UnknownArgument));
        check("koigate check a.toml", Ok(()));
        check("koigate check", Err(ErrorKind::MissingRequiredArgument));
        check("koigate mock", Ok(()));
        check(
            "koigate mock --listen 127.0.0.1:0 --reply fail:503 --delay 2s",
            Ok(()),
        );
        check("koigate mock --listen 8081", Err(ErrorKind::ValueValidation));
        check("koigate mock --reply fall", Err(ErrorKind::ValueValidation));
        check("koigate mock --delay 2", Err(ErrorKind::ValueValidation));
        check("koigate demo --once", Ok(()));
        check(
            "koigate",
            Err(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        );
        check("koigate --version", Err(ErrorKind::DisplayVersion));
        check("koigate reload", Ok(()));
        check(
            "koigate reload --config a.toml --admin http://127.0.0.1:1",
            Ok(()),
        );
        check("koigate reload --json", Err(ErrorKind::UnknownArgument));
        check("koigate reload a.toml", Err(ErrorKind::UnknownArgument));
        check("koigate status --json", Ok(()));
        check(
            "koigate status --admin 127.0.0.1:1",
            Err(ErrorKind::ValueValidation),
        );
        check("koigate health", Ok(()));
        check("koigate health --alive --admin http://127.0.0.1:1", Ok(()));
        check("koigate health --json", Err(ErrorKind::UnknownArgument));
        check("koigate schema", Ok(()));
        check("koigate completions fish", Ok(()));
        check("koigate completions", Err(ErrorKind::MissingRequiredArgument));
        check("koigate completions csh", Err(ErrorKind::InvalidValue));
        check("koigate shadow", Err(ErrorKind::MissingRequiredArgument));
        check("koigate shadow new-columns --json", Ok(()));
        check("koigate observers", Err(ErrorKind::InvalidSubcommand));
    }
}
