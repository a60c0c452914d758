// SPDX-License-Identifier: MIT
//! The options of `inject`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pe_replay::{Mode, Policy, Recovery};

use super::clock::ClockArgs;
use super::policy::CompareName;
use super::values::number;
use crate::inject::{self, Scope, Subjects};

/// `cargo reprise inject`.
#[derive(Args, Debug)]
pub struct InjectArgs {
    /// Flips in run 1, which have a counterpart without replay; half as many again have none
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = number::<u64>(1, 10_000_000))]
    pub count: u64,
    /// Seed of the campaign
    #[arg(long, value_name = "S", default_value_t = inject::SEED, value_parser = number::<u64>(0, u64::MAX))]
    pub seed: u64,
    /// The programs that bits are flipped in
    #[arg(long, value_enum, default_value_t = ProgramsName::Single)]
    pub programs: ProgramsName,
    /// What follows when two runs differ
    #[arg(long, value_enum, default_value_t = RecoveriesName::Both)]
    pub recovery: RecoveriesName,
    /// Run each processing element twice or three times
    #[arg(long, value_enum, default_value_t = ReplayName::Dual)]
    pub mode: ReplayName,
    /// How written pages are compared
    #[arg(long, value_enum, default_value_t = CompareName::Bytes)]
    pub compare: CompareName,
    /// What the programs take for the time
    #[command(flatten)]
    pub clock: ClockArgs,
    /// Write the table as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl InjectArgs {
    /// The policies to be tried.
    fn policies(&self) -> Vec<Policy> {
        let mode = match self.mode {
            ReplayName::Dual => Mode::Dual,
            ReplayName::Triple => Mode::Triple,
        };
        let recoveries: &[Recovery] = match self.recovery {
            RecoveriesName::Restart => &[Recovery::Restart],
            RecoveriesName::Vote => &[Recovery::Vote],
            RecoveriesName::Both => &[Recovery::Restart, Recovery::Vote],
        };
        let comparison = self.compare.into();
        // Three runs are voted on in any case.
        let recoveries = if mode == Mode::Triple { &recoveries[..1] } else { recoveries };
        recoveries.iter().map(|&recovery| Policy { mode, recovery, comparison, ..Policy::DEFAULT }).collect()
    }
}

impl From<InjectArgs> for inject::Options {
    fn from(args: InjectArgs) -> Self {
        let policies = args.policies();
        let InjectArgs { count, seed, programs, clock, json, .. } = args;
        let subjects = match programs {
            ProgramsName::Single => Subjects::Programs(Scope::All),
            ProgramsName::Threads => Subjects::Programs(Scope::Threads),
            ProgramsName::Calls => Subjects::Programs(Scope::Calls),
            ProgramsName::Shared => Subjects::Programs(Scope::Shared),
            ProgramsName::Nova => Subjects::RootTasks,
            ProgramsName::Init => Subjects::Components,
        };
        Self { count, seed, subjects, policies, clock: clock.into(), json }
    }
}

/// Programs for a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgramsName {
    /// Eight short ones of one thread each
    Single,
    /// Four of several threads, in C, Rust and Go
    Threads,
    /// Eight that make system calls of many kinds
    Calls,
    /// One of two processes, in the memory that these share
    Shared,
    /// Two root tasks of the NOVA interface, by the ends that their processing elements have
    Nova,
    /// Core, init and the components that `run init` boots, by these and by the ends of their processing elements
    Init,
}

/// The modes that compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReplayName {
    /// Each processing element twice
    Dual,
    /// Each processing element three times
    Triple,
}

/// One way to recover, or each in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecoveriesName {
    /// The processing element starts again
    Restart,
    /// It is run a third time
    Vote,
    /// Every flip is tried with restart and with vote
    Both,
}
