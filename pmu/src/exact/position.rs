// SPDX-License-Identifier: MIT
//! What names one place in an execution.

/// A place in an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Instructions before it.
    pub count: u64,
    /// The next instruction.
    pub rip: u64,
    /// RCX, which matters inside REP string instructions.
    pub rcx: u64,
}
