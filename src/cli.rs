//! The command line: one file per command of INTERFACE §1.

mod client;
mod demo;
mod migrate;
mod openapi;
mod serve;
mod token;

use std::io::Write;

use clap::builder::Resettable;
use clap::{Arg, Command as Usage, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::Settings;
use crate::telemetry::LogConfig;

/// The durable, multi-tenant gateway between Evolution API (WhatsApp) and your SaaS.
#[derive(Debug, Parser)]
#[command(name = "zapgate", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Settings,
    #[command(flatten, next_help_heading = "Logs")]
    log: LogConfig,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (also what plain `zapgate` does).
    Serve(Box<Settings>),
    /// Run a server in a throwaway folder with three sample users and recorded events; prints a URL to open.
    Demo(Box<demo::DemoArgs>),
    /// Mint a user's token with `JWT_SECRET`, or with the secret kept in the database.
    Token(Box<token::TokenArgs>),
    /// Give a user to the instances that have none; asks the running server.
    Migrate(Box<migrate::MigrateArgs>),
    // clap shows this as it stands: no backticks around a name.
    #[command(about = "Print the OpenAPI 3.1 document")]
    Openapi,
}

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// Wrong usage or configuration, one line per fault.
    Usage(Vec<String>),
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(cause: E) -> Self {
        Self::Failed(cause.into())
    }
}

impl Cli {
    /// What was asked, by options and environment; says what is wrong, or the help, and ends the process if need be. A
    /// variable that is set but empty counts as unset, as compose files and panels leave them.
    pub fn read() -> Self {
        let matches = empty_is_unset(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|fault| fault.exit())
    }

    pub fn log(&self) -> &LogConfig {
        &self.log
    }
}

fn empty_is_unset(usage: Usage) -> Usage {
    let forget = |arg: Arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        if value.is_some_and(|value| value.is_empty()) { arg.env(Resettable::Reset) } else { arg }
    };
    usage.mut_args(forget).mut_subcommands(empty_is_unset)
}

/// Runs the command to its end.
///
/// # Errors
/// [`Failure`].
pub fn run(cli: Cli) -> Result<(), Failure> {
    let work = async {
        match cli.command {
            None => serve::run(cli.serve).await,
            Some(Command::Serve(settings)) => serve::run(*settings).await,
            Some(Command::Demo(args)) => demo::run(*args).await,
            Some(Command::Token(args)) => token::run(*args),
            Some(Command::Migrate(args)) => migrate::run(*args).await,
            Some(Command::Openapi) => openapi::run(),
        }
    };
    crate::app::block_on(work)
}

/// Writes faults to standard error, a line each.
pub fn say_faults(faults: &[String]) {
    let mut err = std::io::stderr().lock();
    for fault in faults {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(err, "zapgate: {fault}");
    }
}

/// Writes a line to standard output.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
