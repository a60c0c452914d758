// SPDX-License-Identifier: MIT
//! What has to be known of an instruction to stop before or after it.

/// An instruction, as far as stopping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Address of the one behind it.
    pub next: u64,
    /// A REP string instruction that counts in RCX. One with a 32-bit address size
    /// counts in ECX and is none.
    pub repeats: bool,
    /// A single step over it takes the next instruction along: MOV SS and POP SS on
    /// processors (Intel SDM vol. 3B, 19.3.1.4), PAUSE under QEMU.
    pub holds_debug_back: bool,
}

/// Decodes instructions; the crate has no decoder of its own.
pub trait Decoder {
    /// The instruction at an address in user space; one that cannot be read is
    /// nothing special.
    fn decode(&mut self, rip: u64) -> Instruction;
}
