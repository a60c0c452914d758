// SPDX-License-Identifier: MIT
//! Limits of the kernel that a program has come to: it was told an error, and its user is told the limit.

use serde::{Deserialize, Serialize};

/// What there is only so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limited {
    /// Threads at a time, of all processes.
    Threads,
    /// Processes at a time, ended ones that nobody has waited for included.
    Processes,
}

/// A limit that was come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachedLimit {
    /// What there is no more of.
    pub of: Limited,
    /// How many there may be.
    pub most: u32,
    /// How often one more was refused.
    pub times: u64,
}
