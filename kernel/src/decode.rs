// SPDX-License-Identifier: MIT
//! What the engine has to know of an instruction in user space to stop before or after it.

mod bytes;

use pmu::exact::Instruction;

use crate::delimit;
use crate::mem::space::Space;

/// The instruction at `rip`; one that cannot be read is nothing special.
pub fn instruction(space: &Space, rip: u64) -> Instruction {
    bytes::instruction(&delimit::code_at(space, rip), rip)
}
