//! Parses what was asked, starts logging, calls the library, picks the exit code: 0 done, 1 failed, 2 wrong usage or
//! configuration.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use zapgate::cli::{Cli, Failure};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::read();
    if zapgate::telemetry::install(cli.log()).is_err() {
        return ExitCode::FAILURE;
    }
    match zapgate::cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(faults)) => {
            zapgate::cli::say_faults(&faults);
            ExitCode::from(2)
        }
        Err(Failure::Failed(cause)) => {
            zapgate::cli::say_faults(&[format!("{cause:#}")]);
            ExitCode::FAILURE
        }
    }
}
