// SPDX-License-Identifier: MIT
//! `cargo reprise fuzz`: random system calls of hostile arguments, without replay and with it; both have to show the
//! same, and the kernel has to come through.
//!
//! The calls are made by `user/fuzz`, a program that prints a digest of all that came of them. What a seed finds is found
//! again with that seed; the calls before the end, or those before the first difference, are told.

mod finding;
mod told;
mod trial;

use std::time::Duration;

use anyhow::Result;
use pe_replay::{Mode, Policy};
use wire::Name;
use wire::counter::CounterChoice;

pub use self::trial::Bench;
use crate::emulator::Emulator;
use crate::host::packages;
use crate::outcome::table::grouped;
use crate::workload::artifacts::Guest;
use crate::workload::catalogue;

/// The status when anything was wrong.
const STATUS_WRONG: u8 = 1;

/// What is asked of the command.
#[derive(Clone, Debug)]
pub struct Options {
    /// The first seed.
    pub seed: u64,
    /// Seeds that are tried, one after the other.
    pub seeds: u64,
    /// Calls of each seed.
    pub calls: u64,
    /// How PEs are run in the run that is held against one without replay.
    pub policy: Policy,
    /// The emulator.
    pub machine: Emulator,
    /// When a run is given up.
    pub timeout: Duration,
}

/// Runs the command; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    let Options { seed: first, seeds, calls, policy, machine, timeout } = *options;
    packages::ensure_present(&[
        packages::COMPILER,
        match machine {
            Emulator::Qemu => packages::QEMU,
            Emulator::Bochs => packages::BOCHS,
        },
    ])?;
    let kernel = Guest::build_kernel(CounterChoice::default())?;
    let bench = Bench::new(kernel, &catalogue::fuzzer()?, machine, timeout)?;
    let mode = policy.mode.name();
    let mut wrong = 0;
    for seed in (0..seeds).map(|index| first.wrapping_add(index)) {
        match bench.compare(seed, calls, &[Policy { mode: Mode::Off, ..policy }, policy])? {
            Ok(found) => println!(
                "seed {seed:<6} {} calls, digest {}, the same in off and {mode}, no divergence",
                grouped(found.calls),
                found.digest
            ),
            Err(finding) => {
                println!("seed {seed:<6} WRONG: {finding}");
                wrong += 1;
            }
        }
    }
    Ok(if wrong == 0 { 0 } else { STATUS_WRONG })
}
