// SPDX-License-Identifier: MIT
//! The registers that are told of a program which was ended.

use serde::{Deserialize, Serialize};

use super::GPR_NAMES;

/// The registers of a program that was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registers {
    /// General registers, in encoding order.
    pub gpr: [u64; GPR_NAMES.len()],
    /// RIP.
    pub rip: u64,
    /// RFLAGS.
    pub rflags: u64,
}
