// SPDX-License-Identifier: MIT
//! `cargo reprise inject`: the same flipped bits without replay and with it.
//!
//! A flip is *effective* if the program gives a wrong output or status, is ended or does
//! not end in `off`. With replay the same flip has to leave no trace but a restart or a
//! vote. What `off` does not have is hit, too: runs 2 and 3, and the engine's own copies,
//! where a verdict is right if nothing tells which of two copies was hit.

mod alone;
mod bound;
mod campaign;
mod draw;
mod effect;
mod lab;
mod random;
mod subject;
pub mod system;
mod tally;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::Result;
use pe_replay::Policy;
use wire::clock::Clock;

pub use self::campaign::{Campaign, Scope};
pub use self::lab::Lab;
use wire::counter::CounterChoice;

use crate::host::destination::{Destinations, Files};
use crate::host::{console, packages};
use crate::workload::artifacts::Guest;

/// The seed where none is asked for.
pub const SEED: u64 = 0x5245_5052_4953_4501;
/// Flips after which a log hears how far the campaign has come.
const SAY_EVERY: u64 = 1000;
/// The option for the table as JSON.
const JSON: &str = "--json";
/// The status when anything was wrong.
const STATUS_WRONG: u8 = 1;

/// What is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subjects {
    /// Programs.
    Programs(Scope),
    /// Root tasks of the NOVA interface.
    RootTasks,
    /// The components that `run init` boots, with their root task and their init.
    Components,
}

/// What is asked of the command.
#[derive(Debug)]
pub struct Options {
    /// Flips in run 1, which have a counterpart without replay.
    pub count: u64,
    /// The seed of the campaign.
    pub seed: u64,
    /// What is hit.
    pub subjects: Subjects,
    /// The policies that the flips are tried under.
    pub policies: Vec<Policy>,
    /// What the programs take for the time.
    pub clock: Clock,
    /// Where the table is written as JSON.
    pub json: Option<PathBuf>,
}

/// Runs the command; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    packages::ensure_present(&[packages::QEMU, packages::COMPILER])?;
    if options.subjects == Subjects::Programs(Scope::Threads) {
        packages::ensure_present(&[packages::GO])?;
    }
    let files = Files::default().written(JSON, options.json.as_ref())?.kept()?;
    let kernel = Guest::build_kernel(CounterChoice::default())?;
    let Options { count, seed, subjects, .. } = *options;
    let scope = match subjects {
        Subjects::Programs(scope) => scope,
        Subjects::RootTasks => return flip_systems(&kernel, system::ROOT_TASKS, options, files),
        Subjects::Components => return flip_systems(&kernel, system::COMPONENTS, options, files),
    };
    let lab = Lab::new(kernel).with_clock(options.clock);
    let jobs = thread::available_parallelism().map_or(1, NonZero::get);
    let campaign = Campaign { count, seed, policies: options.policies.clone(), scope, jobs };
    let bar = console::progress_bar(Some(0), "{wide_bar} {pos} of {len} flips, {eta} left");
    let report = campaign.run(&lab, &|flips, all| {
        bar.set_length(all as u64);
        let before = bar.position();
        bar.inc(flips as u64);
        // A bar is seen on a terminal only.
        if bar.is_hidden() && before / SAY_EVERY != bar.position() / SAY_EVERY {
            eprintln!("inject: {} of {all} flips", bar.position());
        }
    });
    bar.finish_and_clear();
    let report = report?;
    print!("{report}");
    for failure in report.failures() {
        println!("WRONG: {failure}");
    }
    files.write_json(JSON, || Ok(report.json()))?;
    Ok(if report.failures().is_empty() { 0 } else { STATUS_WRONG })
}

/// Flips bits in root tasks, each under every policy.
fn flip_systems(
    kernel: &Path,
    plans: &'static [system::Plan],
    options: &Options,
    files: Destinations,
) -> Result<u8> {
    let Options { count, seed, ref policies, .. } = *options;
    let all = count * policies.len() as u64;
    let bar = console::progress_bar(Some(all), "{wide_bar} {pos} of {len} flips, {eta} left");
    let report = system::run(kernel, plans, policies, (count, seed), &|flips| bar.inc(flips as u64));
    bar.finish_and_clear();
    let report = report?;
    print!("{report}");
    for failure in report.failures() {
        println!("WRONG: {failure}");
    }
    files.write_json(JSON, || Ok(report.json()))?;
    Ok(if report.failures().is_empty() { 0 } else { STATUS_WRONG })
}
