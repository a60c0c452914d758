// SPDX-License-Identifier: MIT
//! The memory of devices, which the kernel reads and writes for programs, through a window of one page.
//!
//! No run has it mapped. The kernel's own devices are not among it: to a program, where they are there is nothing,
//! and so there is where no physical address can be.

use core::arch::asm;

use super::entry::{self, Entry};
use super::frame::{self, Frame};
use super::frames::Memory;
use super::layout;
use super::local::local;
use super::phys::Slot;
use super::translations;
use crate::arch::map::WINDOW as ADDRESS;
use crate::arch::{processor, tally};

const PAGE_LEN: u64 = 4096;
/// Physical addresses below it can be named by a frame.
const NAMED_BITS: u32 = 44;

/// The page through which devices are seen.
struct Window {
    /// Its table entry, when there are page tables.
    slot: Option<Slot>,
    /// The page of the device that it shows.
    shown: Option<u64>,
    /// How many bits a physical address has.
    bits: u32,
}

local! {
    static WINDOW: Window = Window { slot: None, shown: None, bits: 0 };
}

/// Takes a window's table entry over.
pub(super) fn open(slot: Slot) {
    let bits = u32::from(processor::physical_bits()).min(NAMED_BITS);
    WINDOW.with_borrow_mut(|window| *window = Window { slot: Some(slot), shown: None, bits });
}

/// Whether the frame of a number is a device's, or nothing at all.
pub fn is_device(number: u64) -> bool {
    frame::is_device(number)
}

impl Window {
    /// Where an address shows, if there can be a device that is not the kernel's.
    fn show(&mut self, physical: u64) -> Option<u64> {
        let page = physical & !(PAGE_LEN - 1);
        let can_be = page >> self.bits == 0 && is_device(page / PAGE_LEN) && !layout::is_kernels(page);
        let slot = self.slot.filter(|_| can_be)?;
        if self.shown != Some(page) {
            let flags = entry::kernel_flags(Memory::Device);
            slot.set(Entry::new(Frame::at(page), flags));
            tally::PAGES_INVALIDATED.add(1);
            translations::flush(ADDRESS);
            self.shown = Some(page);
        }
        Some(ADDRESS + physical % PAGE_LEN)
    }
}

/// Where an access shows, which has to lie in one page.
fn shown(physical: u64, length: usize) -> Option<u64> {
    assert!(physical % PAGE_LEN + length as u64 <= PAGE_LEN, "{physical:#x} is accessed across a border");
    WINDOW.with_borrow_mut(|window| window.show(physical))
}

/// Makes what reads and what writes a device by one instruction, at any address; where nothing is, all ones are read.
macro_rules! accesses {
    ($type:ty, $class:ident, $register:literal, $read:ident, $write:ident) => {
        #[doc = concat!("Reads a ", stringify!($type), ", once.")]
        pub fn $read(physical: u64) -> $type {
            let Some(address) = shown(physical, size_of::<$type>()) else { return <$type>::MAX };
            let value: $type;
            // SAFETY: the window shows a device that is not the kernel's, and no memory; what a read does to the
            // device, whoever gave it to the program answers for.
            unsafe {
                asm!(concat!("mov ", $register, ", [{address}]"), value = out($class) value,
                     address = in(reg) address, options(nostack, preserves_flags));
            }
            value
        }

        #[doc = concat!("Writes a ", stringify!($type), ", once.")]
        pub fn $write(physical: u64, value: $type) {
            let Some(address) = shown(physical, size_of::<$type>()) else { return };
            // SAFETY: as for the read; no DMA of the device's is known.
            unsafe {
                asm!(concat!("mov [{address}], ", $register), value = in($class) value,
                     address = in(reg) address, options(nostack, preserves_flags));
            }
        }
    };
}

accesses!(u8, reg_byte, "{value}", read_byte, write_byte);
accesses!(u16, reg, "{value:x}", read_word, write_word);
accesses!(u32, reg, "{value:e}", read_double, write_double);
accesses!(u64, reg, "{value:r}", read_quad, write_quad);
