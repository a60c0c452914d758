// SPDX-License-Identifier: MIT
//! The kernel's half of every address space.
//!
//! ```text
//! ffff800000000000  direct map: physical memory, read-write, no-execute;
//!                   without the pages that hold the kernel image
//! ffffffff80200000  the image: text (execute), rodata (read), data (read-write),
//!                   nothing both writable and executable; guard pages unmapped
//! ffffffffc0000000  local APIC and IO-APIC, uncached
//! ```

use x86_64::PhysAddr;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::page_table::PageTableEntry;
use x86_64::structures::paging::{PageTable, PageTableFlags as Flags, PhysFrame};

use super::frame::{self, Frame, OutOfFrames};
use super::phys::{self, DIRECT_MAP};
use crate::arch::boot::Region;
use crate::arch::map::{APIC, IO_APIC};
use crate::arch::{segment, tally};

const APIC_PHYSICAL: u64 = 0xfee0_0000;
const IO_APIC_PHYSICAL: u64 = 0xfec0_0000;

const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;
const PAGE: u64 = 4096;
const LARGE_PAGE: u64 = 2 << 20;
/// The first entry of the top table that belongs to the kernel.
pub const FIRST_KERNEL_ENTRY: usize = 256;
/// Physical memory below is left to firmware, boot information and boot code.
const LOW_MEMORY: u64 = 2 << 20;

unsafe extern "C" {
    static __text_start: u8;
    static __rodata_start: u8;
    static __data_start: u8;
    static __image_end: u8;
}

/// Where the kernel image lies in physical memory, low memory included.
pub fn image() -> Region {
    Region { start: 0, end: (&raw const __image_end as u64 - KERNEL_BASE).next_multiple_of(LARGE_PAGE) }
}

/// Where the kernel image ends in physical memory. Up to the end of [`image`] nobody's memory follows, but a boot
/// loader may have put the archive there.
pub fn image_end() -> u64 {
    (&raw const __image_end as u64 - KERNEL_BASE).next_multiple_of(PAGE)
}

/// The table entry that `address` needs at `level` (4 is the top).
pub fn index(address: u64, level: u32) -> usize {
    (address >> (12 + 9 * (level - 1)) & 511) as usize
}

/// A page table, by its frame.
///
/// # Safety
/// `table` must be one, and no other reference to it may be in use.
pub unsafe fn table(table: Frame) -> &'static mut PageTable {
    // SAFETY: passed on to the caller; the frame lies in the direct map.
    unsafe { &mut *phys::pointer(table.address()) }
}

/// The next table below `entry`, made if it is not there.
///
/// # Safety
/// `entry` must be an entry of a page table above level 1 that maps no large page.
pub unsafe fn descend(entry: &mut PageTableEntry, flags: Flags) -> Result<Frame, OutOfFrames> {
    if entry.is_unused() {
        let new = frame::allocate()?;
        phys::clear(new);
        entry.set_addr(PhysAddr::new(new.address()), flags);
    }
    Ok(Frame::at(entry.addr().as_u64()))
}

fn map(root: Frame, virt: u64, physical: u64, level: u32, flags: Flags) -> Result<(), OutOfFrames> {
    let mut current = root;
    for at in (level + 1..=4).rev() {
        // SAFETY: `current` is a table under construction that nobody else refers to.
        current = unsafe { descend(&mut table(current)[index(virt, at)], Flags::PRESENT | Flags::WRITABLE)? };
    }
    // SAFETY: likewise.
    let entry = unsafe { &mut table(current)[index(virt, level)] };
    entry.set_addr(PhysAddr::new(physical), flags);
    Ok(())
}

/// Builds the kernel's half and switches to it. `memory_end` is the end of
/// physical memory. The boot page tables and the identity map are gone then.
pub fn init(memory_end: u64) -> Result<Frame, OutOfFrames> {
    let root = frame::allocate()?;
    phys::clear(root);
    let data = Flags::PRESENT | Flags::WRITABLE | Flags::NO_EXECUTE;
    let image = image();
    for physical in (0..memory_end).step_by(LARGE_PAGE as usize) {
        let holds_image = physical >= LOW_MEMORY && physical < image.end;
        if !holds_image {
            map(root, DIRECT_MAP + physical, physical, 2, data | Flags::HUGE_PAGE)?;
        }
    }
    for physical in (image_end()..image.end).step_by(PAGE as usize) {
        map(root, DIRECT_MAP + physical, physical, 1, data)?;
    }
    let sections = [
        (&raw const __text_start as u64, &raw const __rodata_start as u64, Flags::PRESENT),
        (
            &raw const __rodata_start as u64,
            &raw const __data_start as u64,
            Flags::PRESENT | Flags::NO_EXECUTE,
        ),
        (&raw const __data_start as u64, &raw const __image_end as u64, data),
    ];
    for (start, end, flags) in sections {
        for address in (start..end).step_by(PAGE as usize) {
            if !segment::guards().any(|guard| guard == address) {
                map(root, address, address - KERNEL_BASE, 1, flags)?;
            }
        }
    }
    let device = data | Flags::NO_CACHE | Flags::WRITE_THROUGH;
    map(root, APIC, APIC_PHYSICAL, 1, device)?;
    map(root, IO_APIC, IO_APIC_PHYSICAL, 1, device)?;
    switch_to(root);
    Ok(root)
}

/// Makes `root` the current top table.
pub fn switch_to(root: Frame) {
    tally::SPACES_LOADED.add(1);
    // SAFETY: every root comes from `init` or is a copy of its kernel half, so the
    // code and stack in use stay mapped.
    unsafe {
        Cr3::write(PhysFrame::containing_address(PhysAddr::new(root.address())), Cr3Flags::empty());
    }
}

/// A mapped piece of the kernel's half: a page, or a large page.
#[derive(Clone, Copy, Debug)]
pub struct KernelPage {
    /// Where it is.
    pub address: u64,
    /// It can be written.
    pub writable: bool,
    /// It can be executed.
    pub executable: bool,
    /// User mode can reach it.
    pub user: bool,
}

/// Everything that is mapped in the kernel's half now, by a walk of the tables.
pub fn kernel_pages() -> impl Iterator<Item = KernelPage> {
    let root = Frame::at(Cr3::read().0.start_address().as_u64());
    entries(root, 4, 0).filter(|(index, ..)| *index >= FIRST_KERNEL_ENTRY).flat_map(|(_, entry, base)| {
        let level3 = entries(Frame::at(entry.addr().as_u64()), 3, base);
        level3.flat_map(|(_, entry, base)| {
            entries(Frame::at(entry.addr().as_u64()), 2, base).flat_map(|(_, entry, base)| {
                let large = entry.flags().contains(Flags::HUGE_PAGE);
                let own = large.then(|| (0, entry.clone(), base));
                let below = (!large).then(|| entries(Frame::at(entry.addr().as_u64()), 1, base));
                own.into_iter().chain(below.into_iter().flatten()).map(|(_, entry, address)| KernelPage {
                    address,
                    writable: entry.flags().contains(Flags::WRITABLE),
                    executable: !entry.flags().contains(Flags::NO_EXECUTE),
                    user: entry.flags().contains(Flags::USER_ACCESSIBLE),
                })
            })
        })
    })
}

/// The used entries of a table: index, entry, and the address it starts at.
fn entries(frame: Frame, level: u32, base: u64) -> impl Iterator<Item = (usize, PageTableEntry, u64)> {
    // SAFETY: `frame` is a table of the current tree; entries are copied.
    let table = unsafe { &*table(frame) };
    table.iter().enumerate().filter(|(_, entry)| !entry.is_unused()).map(move |(index, entry)| {
        let address = base | (index as u64) << (12 + 9 * (level - 1));
        let sign = if level == 4 && index >= FIRST_KERNEL_ENTRY { 0xffff << 48 } else { 0 };
        (index, entry.clone(), address | sign)
    })
}
