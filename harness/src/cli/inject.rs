// SPDX-License-Identifier: MIT
//! The options of `inject`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pe_replay::policy::{DEFAULT_LIMIT, MAX_DIRTY_PAGES, MAX_LIMIT, MIN_DIRTY_PAGES, MIN_LIMIT};
use pe_replay::{Mode, Policy, Recovery};

use super::clock::ClockArgs;
use super::policy::CompareName;
use super::program::ProgramArgs;
use super::values::{StyleArgs, number};
use crate::emulator::{MAX_MEMORY_MIB, MIN_MEMORY_MIB};
use crate::inject::{self, Asked, Scope, Subjects};

/// `cargo reprise inject`.
#[derive(Args, Debug)]
pub struct InjectArgs {
    /// Flips in run 1, which have a counterpart without replay; half as many again have none
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = number::<u64>(1, 10_000_000))]
    pub count: u64,
    /// Seed of the campaign
    #[arg(long, value_name = "S", default_value_t = inject::SEED, value_parser = number::<u64>(0, u64::MAX))]
    pub seed: u64,
    /// The programs that bits are flipped in where none is named
    #[arg(long, value_enum, default_value_t = ProgramsName::Single, conflicts_with_all = ["words", "elf"])]
    pub programs: ProgramsName,
    /// The program that bits are flipped in, in place of those
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Instructions after which a processing element of this program ends; 100,000 if absent
    #[arg(long, value_name = "N", value_parser = number::<u64>(MIN_LIMIT, MAX_LIMIT))]
    pub limit: Option<u64>,
    /// Written pages at which a processing element of this program ends; 1,024 if absent
    #[arg(long, value_name = "N", value_parser = number::<u16>(MIN_DIRTY_PAGES.into(), MAX_DIRTY_PAGES.into()))]
    pub max_dirty: Option<u16>,
    /// Memory for kernel and this program; 256 if absent
    #[arg(long, value_name = "MIB", value_parser = number::<u32>(MIN_MEMORY_MIB.into(), MAX_MEMORY_MIB.into()))]
    pub memory: Option<u32>,
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
    /// How the tables are printed
    #[command(flatten)]
    pub style: StyleArgs,
    /// Write the table as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write each flip to a file as a line of CSV: what it hit and where, and what came of it
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the result to a file as a page with pictures, which needs no other file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
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

impl TryFrom<InjectArgs> for inject::Options {
    type Error = &'static str;

    fn try_from(args: InjectArgs) -> Result<Self, Self::Error> {
        let policies = args.policies();
        let InjectArgs { count, seed, programs, clock, style, json, csv, html, .. } = args;
        let program = args.program;
        let has_bounds = args.limit.is_some() || args.max_dirty.is_some() || args.memory.is_some();
        let is_given = program.stdin.is_some() || !program.files.is_empty() || !program.env.is_empty();
        let subjects = if program.elf.is_some() || !program.words.is_empty() {
            Subjects::Own(Asked {
                program: program.into(),
                limit: args.limit.unwrap_or(DEFAULT_LIMIT),
                max_dirty: args.max_dirty.unwrap_or(MAX_DIRTY_PAGES),
                memory_mib: args.memory.unwrap_or(256),
            })
        } else if has_bounds || is_given {
            return Err(
                "--limit, --max-dirty, --memory, --stdin, --file and --env are for a program: name it, or give its --elf",
            );
        } else {
            programs.subjects()
        };
        if (csv.is_some() || html.is_some()) && matches!(subjects, Subjects::RootTasks | Subjects::Components)
        {
            return Err(
                "--csv, --html: root tasks are hit many at a time, and nothing is written of each flip",
            );
        }
        Ok(Self {
            count,
            seed,
            subjects,
            policies,
            clock: clock.into(),
            style: style.into(),
            json,
            csv,
            html,
        })
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

impl ProgramsName {
    fn subjects(self) -> Subjects {
        match self {
            Self::Single => Subjects::Programs(Scope::All),
            Self::Threads => Subjects::Programs(Scope::Threads),
            Self::Calls => Subjects::Programs(Scope::Calls),
            Self::Shared => Subjects::Programs(Scope::Shared),
            Self::Nova => Subjects::RootTasks,
            Self::Init => Subjects::Components,
        }
    }
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
