// SPDX-License-Identifier: MIT
//! How far the performing of an instruction has come, or why it has not begun.

use super::environment::Fault;

/// How far an instruction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is performed, and the thread stands behind it.
    Done,
    /// So many iterations are, and the thread stands at it still.
    Unfinished,
}

/// Why an instruction is not performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A page is missing, or does not allow what is wanted.
    Fault(Fault),
    /// It raises an exception of its own, with this vector and the error code zero, or none.
    Exception(u8),
    /// It is none that can be performed.
    Refused,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
