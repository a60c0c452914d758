// SPDX-License-Identifier: MIT
//! Where the kernel finds physical memory and the devices of the platform.
//!
//! The boot tables and the final ones (`mem::layout`) map physical memory at the same place;
//! the devices are mapped by the final ones only.

use crate::arch::acpi::madt::MAX_IO_APICS;

/// Where physical address 0 is mapped.
pub const DIRECT_MAP: u64 = 0xffff_8000_0000_0000;
/// Where the local APIC's registers are mapped.
pub const APIC: u64 = 0xffff_ffff_c000_0000;
/// Where the page of the first I/O APIC's registers is mapped; those of the others follow.
pub const IO_APICS: u64 = APIC + 0x1000;
/// Where the page of the event timer's registers is mapped.
pub const HPET: u64 = IO_APICS + MAX_IO_APICS as u64 * 0x1000;
/// Where the kernel sees a page of a device for as long as it accesses that for a program.
pub const WINDOW: u64 = HPET + 0x1000;

/// A pointer to physical memory.
pub fn pointer<T>(address: u64) -> *mut T {
    (DIRECT_MAP + address) as *mut T
}
