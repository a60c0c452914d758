// SPDX-License-Identifier: MIT
//! RDTSC and RDTSCP.

use pe_replay::UserRegisters;

/// An instruction that reads the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// RDTSCP: it asks for the processor's number, too.
    pub with_processor: bool,
    /// Its length.
    pub length: u64,
}

impl Reading {
    /// Gives the thread the time, and the number of the one processor, and goes behind the instruction.
    pub fn answer(self, registers: &mut UserRegisters, time: u64) {
        registers.rax = time & u64::from(u32::MAX);
        registers.rdx = time >> 32;
        if self.with_processor {
            registers.rcx = 0;
        }
        registers.rip = registers.rip.wrapping_add(self.length);
    }
}
