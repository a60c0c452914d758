// SPDX-License-Identifier: MIT
//! What the engine is asked to do: how often each PE is run, how the results are
//! compared, what follows a difference, and the bounds.

use serde::{Deserialize, Serialize};

/// How often each PE is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Once, with the same PE boundaries but without tracking and comparison.
    Off,
    /// Twice, compared.
    Dual,
    /// Three times, compared; what two of the runs agree on is committed.
    Triple,
}

/// What follows when two runs of a PE differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recovery {
    /// The PE starts again.
    Restart,
    /// The PE is run a third time, and what two of the three runs agree on is
    /// committed. Where all differ it starts again.
    Vote,
}

/// How the pages that two runs wrote are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// Byte by byte: each run has its own copy of every written page.
    Bytes,
    /// By a 128-bit hash (XXH3) of each page, and one over these hashes and the
    /// registers. All runs work in the same frame.
    ///
    /// A wrong result passes if its hash is the right one's. XXH3 is no cryptographic
    /// hash and has no proven bound; for faults that know nothing of it, a
    /// collision is taken to have the probability 2^-128 a comparison, so
    /// n comparisons miss a fault with a probability of at most n / 2^128.
    Hash,
}

/// When the caches are flushed, so that no run reuses a damaged line of the one
/// before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flush {
    /// Never.
    Never,
    /// Between the runs, the lines of the pages that were written or read.
    Lines,
    /// Between the runs, all caches (WBINVD).
    All,
    /// Only before a PE is executed again: all caches.
    Retry,
}

/// The smallest dirty-frame limit: more pages than any one instruction writes,
/// so that a PE that starts with an empty set always makes progress.
pub const MIN_DIRTY_PAGES: u16 = 8;
/// The largest dirty-frame limit: the capacity of the written set.
pub const MAX_DIRTY_PAGES: u16 = 1024;
/// The smallest instruction limit.
pub const MIN_LIMIT: u64 = 10;
/// The largest instruction limit. It bounds how long an interrupt is held back,
/// and the watchdog that ends a runaway run must be set well above it.
pub const MAX_LIMIT: u64 = 10_000_000;
/// The instruction limit where none is asked for.
pub const DEFAULT_LIMIT: u64 = 100_000;
/// Divergences of one PE in a row after which it gets a verdict.
pub const MAX_DIVERGENCES: u8 = 3;

/// The bounds and the mode under which every PE is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How often each PE is executed.
    pub mode: Mode,
    /// What follows when two runs differ.
    pub recovery: Recovery,
    /// How written pages are compared.
    pub comparison: Comparison,
    /// When the caches are flushed.
    pub flush: Flush,
    /// Instructions after which a PE ends if nothing else ended it.
    pub limit: u64,
    /// Written pages at which a PE ends before it writes one more.
    pub max_dirty: u16,
}

impl Policy {
    /// What is done where nothing is asked for.
    pub const DEFAULT: Self = Self {
        mode: Mode::Dual,
        recovery: Recovery::Restart,
        comparison: Comparison::Bytes,
        flush: Flush::Never,
        limit: DEFAULT_LIMIT,
        max_dirty: MAX_DIRTY_PAGES,
    };

    /// Frames that a written page needs beside its home.
    pub fn frames_per_page(&self) -> u16 {
        match self.comparison {
            Comparison::Bytes => 3,
            Comparison::Hash => 1,
        }
    }

    /// Whether both bounds lie between their least and their largest values.
    pub fn is_within_bounds(&self) -> bool {
        (MIN_LIMIT..=MAX_LIMIT).contains(&self.limit)
            && (MIN_DIRTY_PAGES..=MAX_DIRTY_PAGES).contains(&self.max_dirty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_within_bounds_up_to_both_ends() {
        let (limit, max_dirty) = (DEFAULT_LIMIT, MAX_DIRTY_PAGES);
        for (limit, max_dirty, is_within) in [
            (MIN_LIMIT, MIN_DIRTY_PAGES, true),
            (MAX_LIMIT, MAX_DIRTY_PAGES, true),
            (MIN_LIMIT - 1, max_dirty, false),
            (MAX_LIMIT + 1, max_dirty, false),
            (limit, MIN_DIRTY_PAGES - 1, false),
            (limit, MAX_DIRTY_PAGES + 1, false),
        ] {
            let policy = Policy { limit, max_dirty, ..Policy::DEFAULT };
            assert_eq!(policy.is_within_bounds(), is_within, "{limit}, {max_dirty}");
        }
    }

    #[test]
    fn a_hash_takes_the_place_of_two_frames() {
        let frames = |comparison| Policy { comparison, ..Policy::DEFAULT }.frames_per_page();
        assert_eq!((frames(Comparison::Bytes), frames(Comparison::Hash)), (3, 1));
    }
}
