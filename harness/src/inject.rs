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
mod flip;
mod lab;
mod own;
mod plan;
mod random;
mod subject;
pub mod system;
mod tally;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::Result;
use pe_replay::Policy;
use serde_json::Value;
use wire::clock::Clock;

pub use self::campaign::{Campaign, Scope};
pub use self::lab::Lab;
pub use self::own::{Asked, Own};
use self::tally::Report;
use wire::counter::CounterChoice;

use crate::emulator::Emulator;
use crate::host::destination::{Destinations, Files};
use crate::host::{console, packages};
use crate::outcome::origin::Origin;
use crate::outcome::table::Style;
use crate::workload::artifacts::Guest;

/// The seed where none is asked for.
pub const SEED: u64 = 0x5245_5052_4953_4501;
/// Flips after which a log hears how far the campaign has come.
const SAY_EVERY: u64 = 1000;
/// The option for the table as JSON.
const JSON: &str = "--json";
/// The option for a line a flip.
const CSV: &str = "--csv";
/// The option for a page.
const HTML: &str = "--html";
/// The status when anything was wrong.
const STATUS_WRONG: u8 = 1;

/// What is hit.
#[derive(Clone, Debug)]
pub enum Subjects {
    /// Programs that are there for it.
    Programs(Scope),
    /// A program of somebody's own.
    Own(Asked),
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
    /// How tables are shown.
    pub style: Style,
    /// Where the table is written as JSON.
    pub json: Option<PathBuf>,
    /// Where each flip is written as a line of CSV.
    pub csv: Option<PathBuf>,
    /// Where the result is written as a page.
    pub html: Option<PathBuf>,
}

/// Runs the command; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    let mut files = Files::default();
    packages::ensure_present(&[packages::QEMU])?;
    let subjects = match &options.subjects {
        Subjects::Own(asked) => {
            let (own, read) = Own::read(asked)?;
            files = read;
            Ok(Scope::Own(Box::new(own)))
        }
        Subjects::Programs(scope) => Ok(scope.clone()),
        Subjects::RootTasks => Err(system::ROOT_TASKS),
        Subjects::Components => Err(system::COMPONENTS),
    };
    if !matches!(subjects, Ok(Scope::Own(_))) {
        packages::ensure_present(&[packages::COMPILER])?;
    }
    if matches!(subjects, Ok(Scope::Threads)) {
        packages::ensure_present(&[packages::GO])?;
    }
    let files = files.written(JSON, options.json.as_ref())?.written(CSV, options.csv.as_ref())?;
    let files = files.written(HTML, options.html.as_ref())?.kept()?;
    let kernel = Guest::build_kernel(CounterChoice::default())?;
    let scope = match subjects {
        Ok(scope) => scope,
        Err(plans) => return flip_systems(&kernel, plans, options, &files),
    };
    let origin = origin(options, &scope);
    let lab = Lab::new(kernel).with_clock(options.clock);
    let jobs = thread::available_parallelism().map_or(1, NonZero::get);
    let Options { count, seed, .. } = *options;
    let campaign = Campaign { count, seed, policies: options.policies.clone(), scope, jobs };
    let report = conduct(&campaign, &lab)?;
    print!("{}", report.text(options.style));
    files.write(CSV, || Ok([origin.comment().into_bytes(), report.csv()?].concat()))?;
    let name = format!("Flips in {}", campaign.scope);
    files.write(HTML, || Ok(report.page(&name, &origin.value())?.into_bytes()))?;
    conclude(report.failures(), &files, || origin.stamp(report.json()))
}

/// Runs a campaign, and shows how far it has come.
fn conduct(campaign: &Campaign, lab: &Lab) -> Result<Report> {
    let bar = console::progress_bar(Some(0), "{wide_bar} {pos} of {len} flips, {eta} left");
    let report = campaign.run(lab, &|flips, all| {
        bar.set_length(all as u64);
        let before = bar.position();
        bar.inc(flips as u64);
        // A bar is seen on a terminal only.
        if bar.is_hidden() && before / SAY_EVERY != bar.position() / SAY_EVERY {
            eprintln!("inject: {} of {all} flips", bar.position());
        }
    });
    bar.finish_and_clear();
    report
}

/// Names all that went wrong, and writes the JSON; returns the exit status.
fn conclude(failures: &[String], files: &Destinations, json: impl FnOnce() -> Value) -> Result<u8> {
    for failure in failures {
        println!("WRONG: {failure}");
    }
    files.write_json(JSON, || Ok(json()))?;
    Ok(if failures.is_empty() { 0 } else { STATUS_WRONG })
}

/// What a campaign's result depends on.
fn origin(options: &Options, scope: &Scope) -> Origin {
    let origin = Origin::find(Some(Emulator::Qemu)).with("seed", options.seed).with("flips", options.count);
    match scope {
        Scope::Own(own) => origin.with_program(own.contents.program.as_deref(), &own.contents.argv),
        Scope::All | Scope::Shared | Scope::Threads | Scope::Calls => origin,
    }
}

/// Flips bits in root tasks, each under every policy.
fn flip_systems(
    kernel: &Path,
    plans: &'static [system::Plan],
    options: &Options,
    files: &Destinations,
) -> Result<u8> {
    let Options { count, seed, ref policies, .. } = *options;
    let all = count * policies.len() as u64;
    let bar = console::progress_bar(Some(all), "{wide_bar} {pos} of {len} flips, {eta} left");
    let report = system::run(kernel, plans, policies, (count, seed), &|flips| bar.inc(flips as u64));
    bar.finish_and_clear();
    let report = report?;
    print!("{report}");
    let origin = Origin::find(Some(Emulator::Qemu)).with("seed", seed).with("flips", count);
    conclude(report.failures(), files, || origin.stamp(report.json()))
}
