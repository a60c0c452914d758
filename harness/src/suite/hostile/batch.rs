// SPDX-License-Identifier: MIT
//! Programs one after the other in one boot, and what each of them left behind.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pe_replay::{Mode, Policy};
use wire::config::Job;
use wire::end::End;

use super::super::programs::Shown;
use super::Context;
use crate::emulator::Emulator;
use crate::outcome::batch;
pub use crate::outcome::batch::Ended;
use crate::workload::request::{self, Request};

/// The program that comes last.
const WELL_BEHAVED: &str = "tiny";

/// A batch takes seconds, and an attack must not hang the kernel.
const TIMEOUT: Duration = Duration::from_secs(200);

/// How a batch is run.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The emulator.
    pub machine: Emulator,
    /// How often each PE is run.
    pub mode: Mode,
}

/// One program of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The program.
    pub program: &'a str,
    /// The program's only argument.
    pub case: &'a str,
}

/// Runs them all in one boot, and the well-behaved program behind them; fails if that one
/// is disturbed, or the kernel did not get there.
pub fn run(context: &Context, setting: Setting, entries: &[Entry]) -> Result<Vec<Ended>> {
    let mut request = Request { machine: setting.machine, ..Request::job(Job::Batch) };
    request.timeout = TIMEOUT;
    request.policy = Policy { mode: setting.mode, ..Policy::DEFAULT };
    let names: BTreeSet<&str> = entries.iter().map(|entry| entry.program).chain([WELL_BEHAVED]).collect();
    for name in names {
        let program = request::read_program(&context.executable(name)?)?;
        request.contents.programs.push((name.to_owned(), program));
    }
    let word = |word: &str| word.as_bytes().to_vec();
    request.contents.batch =
        entries.iter().map(|entry| vec![word(entry.program), word(entry.case)]).collect();
    request.contents.batch.push(vec![word(WELL_BEHAVED)]);

    let outcome = context.boot(&request)?;
    let mut ended = batch::ended(&outcome.finished.streams)?;
    // Bochs sends nothing before the end.
    let next = || match (setting.machine, entries.get(ended.len())) {
        (Emulator::Qemu, Some(entry)) => format!("in {} {}", entry.program, entry.case),
        (Emulator::Qemu, None) => format!("in or after {WELL_BEHAVED}"),
        (Emulator::Bochs, _) => format!("in one of {} attacks", entries.len()),
    };
    let expected = entries.len() + 1;
    let end = outcome.end().with_context(next)?;
    ensure!(*end == End::Batch { programs: expected as u32 }, "{end:?} instead of {expected} programs");
    ensure!(ended.len() == expected, "{} records of {expected} programs", ended.len());
    let last = ended.pop().context("the batch is empty")?;
    let natively = context.program(WELL_BEHAVED, &[])?;
    let natively = Shown::natively(&context.executable(WELL_BEHAVED)?, &natively.contents)?;
    ensure!(
        last.end() == End::Exited { status: 0 } && last.stdout == natively.stdout && last.stderr.is_empty(),
        "{WELL_BEHAVED} after the attacks: {:?}, {}",
        last.end(),
        last.stdout.escape_ascii()
    );
    Ok(ended)
}
