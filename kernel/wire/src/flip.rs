// SPDX-License-Identifier: MIT
//! What is recorded of flips where they are made, and of the difference that they lead to.

use flips::Injection;
use serde::{Deserialize, Serialize};

/// A flip that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flipped {
    /// The flip that was asked for.
    pub flip: Injection,
    /// RIP of the run that was hit, before the flip: the instruction that it would have executed next.
    pub rip: u64,
    /// When the flip was made, in the counter's unit.
    pub ticks: u64,
    /// Whether there was such a byte.
    pub has_hit: bool,
}

/// A difference that was seen between runs of a PE in which bits had been flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noticed {
    /// The PE's sequence number.
    pub pe: u64,
    /// When the difference was seen, in the counter's unit.
    pub ticks: u64,
}

/// A page that a PE has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenPage {
    /// The PE's sequence number.
    pub pe: u64,
    /// The page's first address.
    pub address: u64,
}
