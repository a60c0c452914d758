// SPDX-License-Identifier: MIT
//! `cargo reprise native`: a program on this machine as it is, with Linux's counters.
//!
//! The program is given what it is given under the kernel: arguments, environment, standard
//! input, files. Linux has what the kernel lacks and the other way round, so only programs
//! that keep to themselves do the same in both places. Three things differ by nature: the
//! files stand in the working directory, which under the kernel is `/`; the environment is
//! in the order of its names; the executable has to be one for Linux, too.

mod become_program;
mod counters;
mod refused;
mod report;
mod start;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::outcome::origin::Origin;
use crate::outcome::told::signal_name;
use crate::workload::named::{self, Given};

pub use become_program::{Become, become_program};
#[cfg(test)]
pub use counters::tests::counts;
pub use counters::{Counts, Event};
pub use refused::Refused;
pub use report::per_cycle;
pub use start::{Ended, Purpose, start};

/// The option for the summary as JSON.
const JSON: &str = "--json";

/// What is asked of the command.
#[derive(Debug)]
pub struct Options {
    /// The program.
    pub program: Given,
    /// Where the summary is written as JSON.
    pub json: Option<PathBuf>,
}

/// Runs the command; returns the exit status, which is the program's own.
pub fn run(options: &Options) -> Result<u8> {
    let named = named::named(&options.program, None)?;
    let files = named.files().written(JSON, options.json.as_ref())?.cleared()?;
    for argument in &named.contents.argv[1..] {
        if let Some((path, _)) =
            named.contents.files.iter().find(|(path, _)| path.as_bytes() == argument.as_slice())
        {
            let inside = path.trim_start_matches('/');
            bail!("{path}: natively that is this machine's file; the one that is given is {inside}");
        }
    }
    let ended = start(&named.path, &named.contents, Purpose::Show)?;
    eprint!("\n{}", report::text(&ended));
    let origin = || Origin::find(None).with_program(named.contents.program.as_deref(), &named.contents.argv);
    files.write_json(JSON, || Ok(origin().stamp(report::value(&ended))))?;
    if let Some(signal) = ended.signal {
        eprintln!("reprise: the program was killed by signal {signal} ({})", signal_name(signal));
    }
    Ok(ended.status)
}
