// SPDX-License-Identifier: MIT
//! Which thread something is told of.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A thread by the numbers that it has in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ThreadNumber {
    /// The number of its process, from 1 in the order in which processes begin.
    pub process: u32,
    /// Its number within the process, from 1 in the order in which threads begin.
    pub thread: u32,
}

impl fmt::Display for ThreadNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {} of process {}", self.thread, self.process)
    }
}
