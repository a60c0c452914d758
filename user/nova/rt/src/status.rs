// SPDX-License-Identifier: MIT
//! What a hypercall answers.

use core::fmt;

/// The status of a hypercall, the low byte of RDI.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(pub u8);

impl Status {
    /// The call was done.
    pub const SUCCESS: Self = Self(0);
    /// A deadline passed, the call would block, or the callee is dead.
    pub const TIMEOUT: Self = Self(1);
    /// The callee died while it served the call.
    pub const ABORTED: Self = Self(2);
    /// There is no such hypercall.
    pub const BAD_HYPERCALL: Self = Self(3);
    /// A capability is missing, of another kind or without a right, or a selector is occupied.
    pub const BAD_CAPABILITY: Self = Self(4);
    /// A parameter is wrong.
    pub const BAD_PARAMETER: Self = Self(5);
    /// The machine lacks a feature.
    pub const BAD_FEATURE: Self = Self(6);
    /// There is no such processor.
    pub const BAD_CPU: Self = Self(7);
    /// There is no such device.
    pub const BAD_DEVICE: Self = Self(8);
    /// Kernel memory is used up.
    pub const OUT_OF_MEMORY: Self = Self(9);
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.0)
    }
}
