// SPDX-License-Identifier: MIT
//! The host tool `reprise`: builds, boots, feeds, collects, decodes, reports and tests.
//!
//! Data on stdout, talk on stderr. `run` and `native` end with the program's exit status;
//! what goes wrong outside the program is one line `reprise: ...` and status 2.

#![forbid(unsafe_code)]

mod archive;
mod artifacts;
mod batch;
mod bench;
mod ci;
mod cli;
mod clock;
mod doctor;
mod image;
mod inject;
mod json;
mod log;
mod machine;
mod model;
mod named;
mod native;
mod packages;
mod program;
mod report;
mod request;
mod run;
mod suite;
mod told;
mod trace_file;
mod verdict;

use std::process::ExitCode;

use anyhow::Result;
use cli::Command;

/// The status of everything that is not the program's own.
const STATUS_FAILURE: u8 = 2;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(message) => return complain(&message),
    };
    match dispatch(&cli.command) {
        Ok(status) => status.into(),
        Err(error) => complain(&format!("{error:#}")),
    }
}

fn complain(message: &str) -> ExitCode {
    eprintln!("reprise: {message}");
    STATUS_FAILURE.into()
}

fn dispatch(command: &Command) -> Result<u8> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Native(args) => native::run(args),
        Command::Become(args) => native::become_program(args),
        Command::Report(args) => run::report(args),
        Command::Bench(args) => bench::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Test { filter, bless } => ci::test(filter.as_deref(), *bless),
        Command::Ci => ci::ci(),
        Command::Inject(args) => inject::run(args),
        Command::Build => ci::build(),
    }
}
