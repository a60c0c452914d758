// SPDX-License-Identifier: MIT
//! The options of `fuzz`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::policy::PolicyArgs;
use super::values::{MOST_SECONDS, MachineName, number};
use crate::fuzz;

/// `cargo reprise fuzz`.
#[derive(Args, Debug)]
pub struct FuzzArgs {
    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = number::<u64>(0, u64::MAX))]
    pub seed: u64,
    /// Seeds that are tried, one after the other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number::<u64>(1, 1_000_000))]
    pub seeds: u64,
    /// Calls of each seed, at least
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = number::<u64>(1, 1_000_000_000))]
    pub calls: u64,
    /// How processing elements are run in the run that is held against one without replay
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// The emulator
    #[arg(long, value_enum, default_value_t = MachineName::Qemu)]
    pub machine: MachineName,
    /// Seconds after which a run is ended, and wrong
    #[arg(long, value_name = "S", default_value_t = 3600, value_parser = number::<u64>(1, MOST_SECONDS))]
    pub timeout: u64,
    /// Write what came of each seed as JSON to a file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl From<FuzzArgs> for fuzz::Options {
    fn from(args: FuzzArgs) -> Self {
        let FuzzArgs { seed, seeds, calls, policy, machine, timeout, json } = args;
        let timeout = Duration::from_secs(timeout);
        Self { seed, seeds, calls, policy: policy.into(), machine: machine.into(), timeout, json }
    }
}
