// SPDX-License-Identifier: MIT
//! The host tool `reprise`: builds, boots, feeds, collects, decodes, reports and tests.
//!
//! Data on stdout, talk on stderr. `run` and `native` end with the program's exit status;
//! what goes wrong outside the program is one line `reprise: ...` and status 2.

// The JSON summary is one object with more keys than the default lets a macro expand.
#![recursion_limit = "256"]
#![forbid(unsafe_code)]

// First, since its macros take the place of the standard library's in all that follow.
#[macro_use]
mod host;

mod bench;
mod build;
mod cli;
mod compare;
mod demo;
mod docs;
mod doctor;
mod emulator;
mod fuzz;
#[cfg(test)]
mod house;
mod inject;
mod native;
mod outcome;
mod profile;
mod report;
mod run;
mod suite;
mod workload;

use std::process::ExitCode;

use anyhow::Result;
use cli::{Cli, Command, Unparsed};
use host::{STATUS_FAILURE, children, scratch};
use suite::ci;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    match cli::parse(words.clone()) {
        Ok(Cli { supervisor: None, command })
            if !matches!(command, Command::Become(_) | Command::Tether { .. }) =>
        {
            children::supervise(&words).unwrap_or_else(|error| complain(&format!("{error:#}")))
        }
        Ok(cli) => {
            let status = match work(&cli) {
                Ok(status) => status.into(),
                Err(error) => complain(&format!("{error:#}")),
            };
            children::leave();
            status
        }
        Err(Unparsed::Asked(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(Unparsed::Wrong(message)) => complain(&message),
    }
}

fn complain(message: &str) -> ExitCode {
    children::yield_to_end();
    eprintln!("reprise: {message}");
    STATUS_FAILURE.into()
}

/// Does what a command says, as a supervisor's worker or, to become a program, alone.
fn work(cli: &Cli) -> Result<u8> {
    if let Some(supervisor) = cli.supervisor {
        children::begin(supervisor)?;
    }
    let _scratch = match cli.command {
        Command::Become(_)
        | Command::Tether { .. }
        | Command::Report(_)
        | Command::List
        | Command::Completions(_)
        | Command::Docs(_)
        | Command::Man(_) => None,
        _ => Some(scratch::begin()?),
    };
    dispatch(&cli.command)
}

fn dispatch(command: &Command) -> Result<u8> {
    match command {
        Command::Run(options) => run::run(options),
        Command::List => run::list(),
        Command::Native(options) => native::run(options),
        Command::Become(program) => native::become_program(program),
        Command::Tether { parent, words } => children::become_tethered(*parent, words),
        Command::Profile(options) => profile::run(options),
        Command::Report(options) => report::run(options),
        Command::Bench(options) => bench::run(options),
        Command::Demo => demo::run(),
        Command::Docs(options) => docs::run(options),
        Command::Doctor(options) => doctor::run(options),
        Command::Test { filter, quick, bless } => ci::test(filter.as_deref(), *quick, *bless),
        Command::Ci => ci::ci(),
        Command::Inject(options) => inject::run(options),
        Command::Fuzz(options) => fuzz::run(options),
        Command::Compare(options) => compare::run(options),
        Command::Build => build::run(),
        Command::Completions(shell) => cli::completions(*shell),
        Command::Man(directory) => cli::manual(directory),
    }
}
