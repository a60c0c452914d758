// SPDX-License-Identifier: MIT
//! The kernel's half of every address space.
//!
//! ```text
//! ffff800000000000  direct map: physical memory, read-write, no-execute;
//!                   without the pages that hold the kernel image
//! ffffffff80200000  the image: text (execute), rodata (read), data (read-write),
//!                   nothing both writable and executable; guard pages unmapped;
//!                   the entry area is its beginning
//! ffffffffc0000000  local APIC, I/O APICs, event timer, and a window to other devices, uncached
//! ```
//!
//! Isolated, the spaces of users have the entry area of the image only: its code, its tables (read-only), and
//! the stacks that the processor pushes to when it leaves user mode.

use x86_64::structures::paging::PageTableFlags as Flags;

use super::device;
use super::entry::{self, Entry};
use super::frame::{self, Frame, OutOfFrames};
use super::frames::Memory;
use super::phys::{self, DIRECT_MAP, Slot};
pub use super::tables::KernelHalf;
use super::tables::{self, FIRST_KERNEL_ENTRY};
use super::translations;
use crate::arch::boot::Region;
use crate::arch::map::WINDOW;
use crate::arch::{firmware, isolation, segment};

const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;
const PAGE: u64 = 4096;
const LARGE_PAGE: u64 = 2 << 20;
/// Physical memory below is left to firmware, boot information and boot code.
const LOW_MEMORY: u64 = 2 << 20;
/// From here on a PC has ROM, and above that the boot code.
const FIRMWARE: u64 = 1 << 20;

unsafe extern "C" {
    static __entry_start: u8;
    static __entry_tables: u8;
    static __entry_stacks: u8;
    static __text_start: u8;
    static __rodata_start: u8;
    static __data_start: u8;
    static __image_end: u8;
}

/// Whether a page of physical memory is a device's that the kernel keeps for itself.
pub fn is_kernels(page: u64) -> bool {
    firmware::controllers().any(|controller| controller == page)
}

/// Where the kernel image lies in physical memory, with the low memory below it.
pub fn image() -> Region {
    Region { start: 0, end: (&raw const __image_end as u64 - KERNEL_BASE).next_multiple_of(LARGE_PAGE) }
}

/// Where the kernel's code and data lie in physical memory.
pub fn code_and_data() -> Region {
    Region { start: LOW_MEMORY, end: image_end() }
}

/// Where the boot code and the kernel image lie in physical memory.
pub fn boot_and_image() -> Region {
    Region { start: FIRMWARE, end: image_end() }
}

/// Clears what firmware has left in memory that may be used but is low, which is nobody's: whatever has a
/// word of it read finds the same on every machine. Before frames are handed out.
pub fn clear_low(memory: &[Region]) {
    for region in memory {
        // The first page holds what some firmware still looks at.
        phys::clear_unused(Region { start: region.start.max(PAGE), end: region.end.min(FIRMWARE) });
    }
}

/// Where the kernel image ends in physical memory. Up to the end of [`image`] nobody's memory follows, but a boot
/// loader may have put the archive there.
pub fn image_end() -> u64 {
    (&raw const __image_end as u64 - KERNEL_BASE).next_multiple_of(PAGE)
}

fn map(root: Frame, virt: u64, physical: u64, level: u32, flags: Flags) -> Result<Slot, OutOfFrames> {
    let mut table = root;
    for at in (level + 1..=4).rev() {
        let slot = Slot::of(table, virt, at);
        if slot.entry().is_unused() {
            let new = frame::allocate()?;
            phys::clear(new);
            slot.set(Entry::new(new, Flags::PRESENT | Flags::WRITABLE));
        }
        table = slot.entry().frame();
    }
    let slot = Slot::of(table, virt, level);
    slot.set(Entry::new(Frame::at(physical), flags));
    Ok(slot)
}

/// Builds the kernel's half and switches to it. `memory_end` is the end of
/// physical memory. The boot page tables and the identity map are gone then.
pub fn init(memory_end: u64) -> Result<KernelHalf, OutOfFrames> {
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
        (&raw const __entry_start as u64, &raw const __entry_tables as u64, Flags::PRESENT),
        (&raw const __entry_tables as u64, &raw const __text_start as u64, data),
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
    let device = entry::kernel_flags(Memory::Device);
    let mut last = 0;
    for (address, physical) in firmware::devices() {
        map(root, address, physical, 1, device)?;
        last = physical;
    }
    // The window shows what it was opened with until it is moved.
    device::open(map(root, WINDOW, last, 1, device)?);
    translations::load(root);
    Ok(KernelHalf::new(root))
}

/// Takes the kernel out of the page tables of every space that is made from now on, and builds the half that they have
/// instead: the entry area. No space may be there yet.
pub fn isolate(kernel: KernelHalf) -> Result<KernelHalf, OutOfFrames> {
    let root = frame::allocate()?;
    phys::clear(root);
    let tables = Flags::PRESENT | Flags::NO_EXECUTE;
    let area = [
        (&raw const __entry_start as u64, &raw const __entry_tables as u64, Flags::PRESENT),
        (&raw const __entry_tables as u64, &raw const __entry_stacks as u64, tables),
        (&raw const __entry_stacks as u64, &raw const __text_start as u64, tables | Flags::WRITABLE),
    ];
    for (start, end, flags) in area {
        for address in (start..end).step_by(PAGE as usize) {
            map(root, address, address - KERNEL_BASE, 1, flags)?;
        }
    }
    translations::load(kernel.root());
    isolation::isolate();
    Ok(KernelHalf::new(root))
}

/// A mapped piece of the kernel's half: a page, or a large page.
#[derive(Clone, Copy, Debug)]
pub struct KernelPage {
    /// The address that it is mapped at.
    pub address: u64,
    /// Whether it can be written.
    pub writable: bool,
    /// Whether it can be executed.
    pub executable: bool,
    /// Whether user mode can reach it.
    pub user: bool,
}

/// The used entries of a table: the index of each, and the entry.
fn used(table: Frame) -> impl Iterator<Item = (u16, Entry)> {
    let entries = (0..512).map(move |index| (index, Slot::new(table, index).entry()));
    entries.filter(|(_, entry)| !entry.is_unused())
}

/// Everything that is mapped in the kernel's half of the tables that are loaded, by a walk of them.
pub fn kernel_pages() -> impl Iterator<Item = KernelPage> {
    let below = |entry: Entry, level, base| {
        used(entry.frame()).map(move |(index, entry)| (entry, tables::address(base, level, index)))
    };
    let top = used(translations::loaded()).filter(|(index, _)| *index >= FIRST_KERNEL_ENTRY);
    let level3 = top.flat_map(move |(index, entry)| {
        let canonical = tables::address(0xffff << 48, 4, index);
        below(entry, 3, canonical)
    });
    let level2 = level3.flat_map(move |(entry, base)| below(entry, 2, base));
    let pages = level2.flat_map(move |(entry, base)| {
        let is_large = entry.has(Flags::HUGE_PAGE);
        let own = is_large.then_some((entry, base));
        own.into_iter().chain((!is_large).then(|| below(entry, 1, base)).into_iter().flatten())
    });
    pages.map(|(entry, address)| KernelPage {
        address,
        writable: entry.has(Flags::WRITABLE),
        executable: !entry.has(Flags::NO_EXECUTE),
        user: entry.has(Flags::USER_ACCESSIBLE),
    })
}
