// SPDX-License-Identifier: MIT
//! The options of `compare`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use wire::config::Job;

use super::clock::ClockArgs;
use super::policy::PolicyArgs;
use super::program::ProgramArgs;
use super::values::{MOST_SECONDS, StyleArgs, number};
use crate::compare;
use crate::emulator::{MAX_MEMORY_MIB, MIN_MEMORY_MIB};
use crate::workload::request::{self, Request};

/// `cargo reprise compare`.
#[derive(Args, Debug)]
pub struct CompareArgs {
    /// The program
    #[command(flatten)]
    pub program: ProgramArgs,
    /// How processing elements are run, beside `--mode off` and `--mode dual`
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// What the program takes for the time
    #[command(flatten)]
    pub clock: ClockArgs,
    /// Memory for kernel and program
    #[arg(long, value_name = "MIB", default_value_t = 256,
          value_parser = number::<u32>(MIN_MEMORY_MIB.into(), MAX_MEMORY_MIB.into()))]
    pub memory: u32,
    /// Seed of everything random that the program can see
    #[arg(long, value_name = "N", default_value_t = request::SEED, value_parser = number::<u64>(0, u64::MAX))]
    pub seed: u64,
    /// Seconds after which one run is ended
    #[arg(long, value_name = "S", default_value_t = 600,
          value_parser = number::<u64>(1, MOST_SECONDS))]
    pub timeout: u64,
    /// How the table is printed
    #[command(flatten)]
    pub style: StyleArgs,
    /// Write the figures as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl From<CompareArgs> for compare::Options {
    fn from(args: CompareArgs) -> Self {
        let CompareArgs { program, policy, clock, memory, seed, timeout, style, json } = args;
        let request = Request {
            policy: policy.into(),
            clock: clock.into(),
            memory_mib: memory,
            seed,
            timeout: Duration::from_secs(timeout),
            ..Request::job(Job::Run)
        };
        Self { program: program.into(), request, style: style.into(), json }
    }
}
