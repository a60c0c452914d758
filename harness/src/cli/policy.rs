// SPDX-License-Identifier: MIT
//! The options that say how processing elements are run.

use clap::{Args, ValueEnum};
use pe_replay::policy::{DEFAULT_LIMIT, MAX_DIRTY_PAGES, MAX_LIMIT, MIN_DIRTY_PAGES, MIN_LIMIT};
use pe_replay::{Comparison, Flush, Mode, Policy, Recovery};

use super::values::number;

/// How processing elements are run.
#[derive(Args, Clone, Copy, Debug)]
pub struct PolicyArgs {
    /// Run each processing element once, twice or three times, and compare
    #[arg(long, value_enum, default_value_t = ModeName::Dual)]
    pub mode: ModeName,
    /// What follows when two runs differ
    #[arg(long, value_enum, default_value_t = RecoveryName::Restart)]
    pub recovery: RecoveryName,
    /// How written pages are compared
    #[arg(long, value_enum, default_value_t = CompareName::Bytes)]
    pub compare: CompareName,
    /// When the caches are flushed
    #[arg(long, value_enum, default_value_t = FlushName::None)]
    pub flush: FlushName,
    /// Instructions after which a processing element ends
    #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT,
          value_parser = number::<u64>(MIN_LIMIT, MAX_LIMIT))]
    pub limit: u64,
    /// Written pages at which a processing element ends
    #[arg(long, value_name = "N", default_value_t = MAX_DIRTY_PAGES,
          value_parser = number::<u16>(MIN_DIRTY_PAGES.into(), MAX_DIRTY_PAGES.into()))]
    pub max_dirty: u16,
}

impl From<PolicyArgs> for Policy {
    fn from(args: PolicyArgs) -> Self {
        Self {
            mode: match args.mode {
                ModeName::Off => Mode::Off,
                ModeName::Dual => Mode::Dual,
                ModeName::Triple => Mode::Triple,
            },
            recovery: match args.recovery {
                RecoveryName::Restart => Recovery::Restart,
                RecoveryName::Vote => Recovery::Vote,
            },
            comparison: args.compare.into(),
            flush: match args.flush {
                FlushName::None => Flush::Never,
                FlushName::Clflush => Flush::Lines,
                FlushName::Wbinvd => Flush::All,
                FlushName::Retry => Flush::Retry,
            },
            limit: args.limit,
            max_dirty: args.max_dirty,
        }
    }
}

/// The modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeName {
    /// Each processing element once
    Off,
    /// Each processing element twice
    Dual,
    /// Each processing element three times; two of the results have to agree
    Triple,
}

/// The ways to recover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecoveryName {
    /// The processing element starts again
    Restart,
    /// It is run a third time, and what two of the three runs agree on is taken
    Vote,
}

/// The ways to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareName {
    /// Byte by byte, with four frames for each written page
    Bytes,
    /// By 128-bit hashes, with two frames for each written page
    Hash,
}

impl From<CompareName> for Comparison {
    fn from(name: CompareName) -> Self {
        match name {
            CompareName::Bytes => Self::Bytes,
            CompareName::Hash => Self::Hash,
        }
    }
}

/// The flush policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlushName {
    /// Never
    None,
    /// Between the runs, the lines of all pages that were read or written
    Clflush,
    /// Between the runs, all caches
    Wbinvd,
    /// Only before a processing element is executed again, all caches
    Retry,
}
