//! Log format and filter; installs the subscriber. Logs go to standard error, so that output stays for commands.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

#[derive(Clone, Debug, clap::Args)]
pub struct LogConfig {
    /// What is logged, as `tracing` filters: `info`, `zapgate=debug,info`, …
    #[arg(long, env = "RUST_LOG", default_value = "info", value_parser = parse_filter, global = true)]
    pub log: String,
    /// How it is written. Unset: `pretty` on a terminal, else `json`.
    #[arg(long, env = "LOG_FORMAT", value_enum, global = true)]
    pub log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Pretty,
    Json,
}

fn parse_filter(raw: &str) -> Result<String, String> {
    let wrong = |_| String::from("must be a filter such as info, or zapgate=debug,info");
    EnvFilter::try_new(raw).map(|_| raw.to_owned()).map_err(wrong)
}

/// The HTTP server's account of its own workers tells an operator nothing. A filter that names it wins.
const QUIET: &str = "actix_server=warn";

/// Starts logging for the whole process.
///
/// # Errors
/// When logging was started before.
pub fn install(config: &LogConfig) -> Result<(), TryInitError> {
    let on_terminal = if std::io::stderr().is_terminal() { LogFormat::Pretty } else { LogFormat::Json };
    let filter = EnvFilter::new(format!("{QUIET},{}", config.log));
    // A log that can't be written (a full disk) must not end the task that wanted to write it.
    let base = fmt().log_internal_errors(false).with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format.unwrap_or(on_terminal) {
        LogFormat::Pretty => base.with_target(false).compact().finish().try_init(),
        LogFormat::Json => base.json().flatten_event(true).finish().try_init(),
    }
}
