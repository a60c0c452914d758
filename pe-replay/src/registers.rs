// SPDX-License-Identifier: MIT
//! What the engine asks of a register set: a normal form, a comparison, a digest, a position.

use crate::compare::Field;
use crate::inject::Target;

/// The registers of user code, or of whatever else is executed.
pub trait RegisterSet: Clone + PartialEq {
    /// Brings the registers to the normal form, in which equal states are equal.
    fn normalize(&mut self);
    /// Brings what was in the normal form back to it after changes by the kernel.
    fn renormalize(&mut self) {
        self.normalize();
    }
    /// Tells `check` each field with its two values; both sides are in the normal form.
    fn compare(&self, other: &Self, check: &mut impl FnMut(Field, u64, u64));
    /// Gives `each` all bytes that count, in an order that stands still.
    fn bytes(&self, each: &mut impl FnMut(&[u8]));
    /// RIP and RCX, which together with a count of instructions are a position.
    fn position(&self) -> (u64, u64);
    /// Changes RIP and RCX.
    fn set_position(&mut self, rip: u64, rcx: u64);
    /// The trap flag.
    fn is_trapping(&self) -> bool;
    /// Clears the trap flag.
    fn clear_trap(&mut self);
    /// The zero flag, which some string instructions end on.
    fn is_zero(&self) -> bool;
    /// Whether the counter's interrupt can stop user code.
    fn is_interruptible(&self) -> bool;
    /// Flips a bit of a register. Targets outside the register set do nothing.
    fn flip(&mut self, target: Target, bit: u8);
}
