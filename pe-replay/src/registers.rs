// SPDX-License-Identifier: MIT
//! What the engine asks of a register set: a normal form, its fields, a position.

use crate::difference::Field;

/// The registers of user code, or of whatever else is executed.
pub trait RegisterSet: Clone + PartialEq {
    /// Brings the registers to the normal form, in which equal states are equal.
    fn normalize(&mut self);
    /// Brings what was in the normal form back to it after changes by the kernel.
    fn renormalize(&mut self) {
        self.normalize();
    }
    /// All fields with their bytes, the least significant one first, in an order that stands still.
    fn parts(&self) -> impl Iterator<Item = (Field, &[u8])>;
    /// RIP and RCX, which together with a count of instructions are a position.
    fn position(&self) -> (u64, u64);
    /// Changes RIP and RCX.
    fn set_position(&mut self, rip: u64, rcx: u64);
    /// RFLAGS.
    fn flags(&self) -> u64;
    /// Clears the trap flag.
    fn clear_trap(&mut self);
}
