//! Load for the gateway and its peers, and services behind them: `koigate-load callers|services`. See `run` in the
//! folder above, which puts both to use.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand};
use koigate_bench::documents::Size;
use koigate_bench::tree::Spelling;

mod callers;
mod services;
mod wire;

/// Load for the gateway and its peers, and services behind them
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sends one document again and again, and prints what came back as a line of JSON
    Callers {
        /// Where to
        #[arg(long)]
        to: SocketAddr,
        /// The path of the URL
        #[arg(long)]
        path: String,
        /// How large a document
        #[arg(long, value_parser = Size::named)]
        document: Size,
        /// How many callers at once, each with its own connection
        #[arg(long)]
        connections: usize,
        /// For how long
        #[arg(long)]
        seconds: f64,
    },
    /// Serves one callback service at each port of 127.0.0.1
    Services {
        /// The ports
        #[arg(required = true)]
        ports: Vec<u16>,
    },
}

fn main() -> io::Result<()> {
    match Arguments::parse().command {
        Command::Services { ports } => services::serve(&ports),
        Command::Callers {
            to,
            path,
            document,
            connections,
            seconds,
        } => {
            let body = document.document().spell(Spelling::PYTHON);
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let seen = callers::call(&callers::Load {
                to,
                request: (head + &body).into_bytes().into(),
                connections,
                time: Duration::from_secs_f64(seconds),
            })?;
            println!("{}", seen.into_json());
            Ok(())
        }
    }
}
