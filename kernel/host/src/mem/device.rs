// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem/device.rs`: what is a device's, by a rule.

/// The first frame that is a device's.
pub const FIRST: u64 = 0xf_e000;

/// Whether the frame of a number is a device's.
pub fn is_device(number: u64) -> bool {
    number >= FIRST
}
