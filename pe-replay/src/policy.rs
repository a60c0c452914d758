// SPDX-License-Identifier: MIT
//! What the engine is asked to do: how often each PE is run, and its bounds.

use serde::{Deserialize, Serialize};

/// How often each PE is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Once, with the same PE boundaries but without tracking and comparison.
    Off,
    /// Twice, compared.
    Dual,
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
    /// Instructions after which a PE ends if nothing else ended it.
    pub limit: u64,
    /// Written pages at which a PE ends before it writes one more.
    pub max_dirty: u16,
}

impl Policy {
    /// Whether both bounds lie between their least and their largest values.
    pub fn is_within_bounds(&self) -> bool {
        (MIN_LIMIT..=MAX_LIMIT).contains(&self.limit)
            && (MIN_DIRTY_PAGES..=MAX_DIRTY_PAGES).contains(&self.max_dirty)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { mode: Mode::Dual, limit: DEFAULT_LIMIT, max_dirty: MAX_DIRTY_PAGES }
    }
}
