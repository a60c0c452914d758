// SPDX-License-Identifier: MIT
//! `cargo reprise fuzz`: random system calls of hostile arguments, without replay and with it; both have to show the
//! same, and the kernel has to come through.
//!
//! The calls are made by `user/fuzz`, a program that prints a digest of all that came of them. What a seed finds is found
//! again with that seed; the calls before the end, or those before the first difference, are told.

mod finding;
mod told;
mod trial;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use pe_replay::{Mode, Policy};
use serde_json::{Value, json};
use wire::Name;
use wire::counter::CounterChoice;

use self::finding::Finding;
pub use self::trial::Bench;
use self::trial::Found;
use crate::emulator::Emulator;
use crate::host::destination::Files;
use crate::host::packages;
use crate::outcome::origin::Origin;
use crate::outcome::table::grouped;
use crate::workload::artifacts::Guest;
use crate::workload::catalogue;

/// The option that names a file to be written.
const JSON: &str = "--json";
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
    /// Where it is written as JSON what came of each seed.
    pub json: Option<PathBuf>,
}

/// Runs the command; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    let Options { seed: first, seeds, calls, policy, machine, timeout, ref json } = *options;
    let files = Files::default().written(JSON, json.as_ref())?.cleared()?;
    packages::ensure_present(&[
        packages::COMPILER,
        match machine {
            Emulator::Qemu => packages::QEMU,
            Emulator::Bochs => packages::BOCHS,
        },
    ])?;
    let kernel = Guest::build_kernel(CounterChoice::default())?;
    let fuzzer = catalogue::fuzzer()?;
    let bench = Bench::new(kernel, &fuzzer, machine, timeout)?;
    let mode = policy.mode.name();
    let mut tried = Vec::new();
    for seed in (0..seeds).map(|index| first.wrapping_add(index)) {
        let came = bench.compare(seed, calls, &[Policy { mode: Mode::Off, ..policy }, policy])?;
        if !files.has_standard_output() {
            match &came {
                Ok(found) => println!(
                    "seed {seed:<6} {} calls, digest {}, the same in off and {mode}, no divergence",
                    grouped(found.calls),
                    found.digest
                ),
                Err(finding) => println!("seed {seed:<6} WRONG: {finding}"),
            }
        }
        tried.push((seed, came));
    }
    files.write_json(JSON, || {
        let origin = Origin::find(Some(machine)).with("seed", first).with("seeds", seeds);
        Ok(origin.with_program(Some(&fs::read(&fuzzer)?), &[]).stamp(value(&policy, &tried)))
    })?;
    Ok(if tried.iter().all(|(_, came)| came.is_ok()) { 0 } else { STATUS_WRONG })
}

/// What came of seeds, as JSON.
fn value(policy: &Policy, tried: &[(u64, Result<Found, Finding>)]) -> Value {
    let seed = |(seed, came): &(u64, Result<Found, Finding>)| match came {
        Ok(found) => {
            json!({ "seed": seed, "calls": found.calls, "digest": found.digest, "finding": null })
        }
        Err(finding) => {
            json!({ "seed": seed, "calls": null, "digest": null, "finding": finding.to_string() })
        }
    };
    json!({
        "mode": policy.mode.name(), "recovery": policy.recovery.name(), "compare": policy.comparison.name(),
        "flush": policy.flush.name(), "limit": policy.limit, "max_dirty": policy.max_dirty,
        "seeds": tried.iter().map(seed).collect::<Vec<_>>(),
        "wrong": tried.iter().filter(|(_, came)| came.is_err()).count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::finding::What;

    #[test]
    fn json_has_each_seed() {
        let policy = Policy::DEFAULT;
        let found = Found { calls: 12, digest: "ab".into() };
        let finding = Finding { seed: 8, policy, what: What::Differs { first: Vec::new() } };
        let value = value(&policy, &[(7, Ok(found)), (8, Err(finding))]);
        assert_eq!((&value["mode"], &value["wrong"]), (&json!("dual"), &json!(1)));
        assert_eq!(value["seeds"][0], json!({ "seed": 7, "calls": 12, "digest": "ab", "finding": null }));
        let finding = value["seeds"][1]["finding"].as_str().unwrap();
        assert!(finding.starts_with("seed 8: dual shows something else than off"), "{finding}");
    }
}
