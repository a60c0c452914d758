// SPDX-License-Identifier: MIT
//! What is recorded of a PE.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::{DelimiterKind, Digest, ThreadNumber};
use pe_replay::Difference;
use pe_replay::phases::Phases;
use pe_replay::policy::MAX_DIVERGENCES;

/// One committed PE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeRecord {
    /// Whose it is.
    pub thread: ThreadNumber,
    /// Sequence number, from 0.
    pub sequence: u64,
    /// What ended it.
    pub delimiter: DelimiterKind,
    /// RIP at its end.
    pub rip: u64,
    /// Its instructions, counted once.
    pub instructions: u64,
    /// Pages that it wrote.
    pub frames_written: u16,
    /// Write faults that the tracker took for them.
    pub write_faults: u16,
    /// Where the time went, failed attempts included.
    pub phases: Phases,
    /// First difference of each failed attempt.
    pub divergences: ArrayVec<Difference, { MAX_DIVERGENCES as usize }>,
    /// Second runs repeated because the counter overshot.
    pub counter_misses: u16,
    /// Flips that hit this PE.
    pub flips: u16,
    /// Debug exceptions taken to stop exactly, all attempts.
    pub debug_exceptions: u32,
    /// The digest of what it left behind, where that was asked for.
    pub digest: Option<Digest>,
}
