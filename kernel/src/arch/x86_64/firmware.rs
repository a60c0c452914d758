// SPDX-License-Identifier: MIT
//! What the firmware's tables say of this machine, read once, before anything is made of memory.

use spin::Once;

use super::acpi::madt::{IoApic, MAX_IO_APICS};
use super::acpi::{Fault, Physical, Tables};
use super::boot::{BootInfo, MapEntry};
use super::map::{self, APIC, HPET, IO_APICS};

/// Where the local APIC's registers lie, unless somebody has moved them.
const APIC_PHYSICAL: u64 = 0xfee0_0000;
/// Where a PC's I/O APIC lies if no table names one.
const USUAL_IO_APIC: IoApic = IoApic { address: 0xfec0_0000, first: 0 };
const PAGE: u64 = 4096;
/// What the boot page tables map.
const MAPPED: u64 = 1 << 32;
/// The BIOS area, which not every memory map names, and the first page.
const BIOS: (u64, u64) = (0xe_0000, 0x10_0000);

/// What is known.
struct Firmware {
    tables: Tables,
    /// What is wrong with the tables; nothing of them counts then.
    fault: Option<Fault>,
}

static FIRMWARE: Once<Firmware> = Once::new();

/// Memory that firmware may have its tables in, by the memory map.
struct Memory<'a>(&'a BootInfo);

impl Memory<'_> {
    /// Whether a line of the memory map is memory: of those that are reserved, only what touches memory is.
    fn is_memory(&self, entry: &MapEntry) -> bool {
        const USABLE: u32 = 1;
        const RESERVED: u32 = 2;
        const TABLES: [u32; 2] = [3, 4];
        let touches = |other: &MapEntry| {
            other.kind == USABLE
                && (other.start.saturating_add(other.length) == entry.start
                    || entry.start.saturating_add(entry.length) == other.start)
        };
        entry.kind == USABLE
            || TABLES.contains(&entry.kind)
            || entry.kind == RESERVED && self.0.map.iter().any(touches)
    }
}

impl Physical for Memory<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let Some(end) = address.checked_add(into.len() as u64).filter(|end| *end <= MAPPED) else {
            return false;
        };
        let is_in = |start: u64, last: u64| address >= start && end <= last;
        let entries = self.0.map.iter().filter(|entry| self.is_memory(entry));
        let is_memory = is_in(0, PAGE)
            || is_in(BIOS.0, BIOS.1)
            || entries.into_iter().any(|entry| is_in(entry.start, entry.start.saturating_add(entry.length)));
        if is_memory {
            // SAFETY: the boot page tables map all of it, and it is memory that nobody else refers to yet:
            // any bytes are valid.
            unsafe {
                core::ptr::copy_nonoverlapping(map::pointer::<u8>(address), into.as_mut_ptr(), into.len())
            };
        }
        is_memory
    }
}

/// Reads the tables, with the boot page tables loaded.
pub fn read(boot: &BootInfo) {
    FIRMWARE.call_once(|| match Tables::read(&Memory(boot), boot.rsdp) {
        Ok(tables) => Firmware { tables, fault: None },
        Err(fault) => Firmware { tables: Tables::default(), fault: Some(fault) },
    });
}

/// What the tables say.
///
/// # Panics
/// If they were not read.
pub fn tables() -> &'static Tables {
    match FIRMWARE.get() {
        Some(firmware) => &firmware.tables,
        None => panic!("the firmware's tables were not read"),
    }
}

/// What is wrong with the tables, if anything is.
pub fn fault() -> Option<Fault> {
    FIRMWARE.get().and_then(|firmware| firmware.fault)
}

/// The I/O APICs, in their order.
pub fn io_apics() -> &'static [IoApic] {
    match &tables().madt {
        Some(madt) => &madt.io_apics,
        None => core::slice::from_ref(&USUAL_IO_APIC),
    }
}

/// Where the pages of the interrupt controllers lie, which programs do not get.
pub fn controllers() -> impl Iterator<Item = u64> {
    core::iter::once(APIC_PHYSICAL).chain(io_apics().iter().map(|it| it.address & !(PAGE - 1)))
}

/// The pages of devices that the kernel uses: where each is mapped, and where it lies.
pub fn devices() -> impl Iterator<Item = (u64, u64)> {
    const _: () = assert!(IO_APICS + MAX_IO_APICS as u64 * PAGE <= HPET);
    let io_apics = io_apics().iter().enumerate();
    let io_apics = io_apics.map(|(index, it)| (IO_APICS + index as u64 * PAGE, it.address & !(PAGE - 1)));
    let hpet = tables().hpet.map(|address| (HPET, address & !(PAGE - 1)));
    core::iter::once((APIC, APIC_PHYSICAL)).chain(io_apics).chain(hpet)
}
