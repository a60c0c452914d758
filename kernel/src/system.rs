// SPDX-License-Identifier: MIT
//! The run of a NOVA system: its modules are left to it where they lie, and with them all memory that the kernel does
//! not keep.

use alloc::vec::Vec;
use core::ops::Range;

use arrayvec::ArrayVec;
use wire::config::{Config, entry};
use wire::end::{EndRecord, Refusal};
use wire::nova::Module;

use crate::arch::acpi::Roots;
use crate::arch::acpi::madt::MAX_IO_APICS;
use crate::arch::boot::{BootInfo, MapEntry, Region};
use crate::arch::{firmware, serial};
use crate::mem::fallible::{self, Exhausted};
use crate::mem::frame::{self, OutOfFrames, Setup};
use crate::mem::heap;
use crate::mem::shared::SharedFrame;
use crate::mem::space::PAGE_LEN;
use crate::nova::image::{Image, Segment};
use crate::nova::information::{self, Memory, kind};
use crate::nova::root::Beginning;
use crate::nova::{Nova, bios, frames};
use crate::object::archive::Archive;
use crate::replay::{self, Platform};
use crate::run;

/// The ROM of the BIOS and of its extensions, which is read like memory.
const ROM: Region = Region { start: 0xc_0000, end: 0x10_0000 };
/// Kinds of memory in the firmware's map that are read like memory: tables of ACPI.
const READABLE: [u32; 2] = [3, 4];
/// Pieces of memory that programs do not have, at most.
const WITHHELD: usize = 8 + MAX_IO_APICS;

/// What a system begins with.
pub struct Delivered<'a> {
    /// The firmware's memory map.
    map: &'a [MapEntry],
    /// The memory of the modules.
    modules: &'static mut [u8],
    /// What the kernel keeps of memory.
    kept: ArrayVec<Region, 5>,
    /// Where the channel lies.
    channel: Region,
}

/// Sets `length` bytes aside for the kernel, and leaves all other memory to programs. The modules lie in the archive.
pub fn set_aside<'a>(
    boot: &'a BootInfo,
    setup: &Setup,
    length: u64,
    (archive, modules): (Region, &'static mut [u8]),
    channel: Region,
) -> Result<Delivered<'a>, OutOfFrames> {
    let readable = boot.map.iter().filter(|piece| READABLE.contains(&piece.kind));
    let readable = readable.map(|piece| Region { start: piece.start, end: piece.start + piece.length });
    let own = frame::set_aside(length, setup, &boot.memory, readable.chain([ROM]))?;
    let place = frame::region_of(modules);
    let around = [Region { end: place.start, ..archive }, Region { start: place.end, ..archive }];
    #[expect(clippy::disallowed_methods, reason = "an ArrayVec takes nothing of the heap")]
    let kept = own.into_iter().chain(around).filter(|region| region.start < region.end).collect();
    Ok(Delivered { map: &boot.map, modules, kept, channel })
}

/// The frames that a piece of memory has a part of.
fn touched(region: &Region) -> Range<u64> {
    region.start / PAGE_LEN..region.end.div_ceil(PAGE_LEN)
}

/// The modules that the archive lists.
fn modules(archive: &Archive<'static>) -> Result<Vec<Module>, Refusal> {
    let mut rest = archive.find(entry::MODULES).ok_or(Refusal::NoProgram)?;
    let mut modules = Vec::new();
    while !rest.is_empty() {
        let (module, behind) = Module::take(rest).map_err(|_| Refusal::NoProgram)?;
        fallible::push(&mut modules, module).map_err(out_of_memory)?;
        rest = behind;
    }
    Ok(modules)
}

fn out_of_memory(Exhausted: Exhausted) -> Refusal {
    Refusal::OutOfMemory { needed_pages: 1, free_pages: frame::free_count() }
}

/// Describes memory as a system is told of it: first as firmware does, then the modules, then what the kernel keeps,
/// and where the firmware's tables are listed.
fn describe(delivered: &Delivered<'_>, start: u64, modules: &[Module]) -> Result<Vec<Memory>, Exhausted> {
    let mut all = Vec::new();
    for MapEntry { start: address, length, kind } in delivered.map {
        let piece = Memory { address: *address, length: *length, kind: *kind as i32, more: 0 };
        fallible::push(&mut all, piece)?;
    }
    for module in modules {
        let at = |page: u32| start + u64::from(page) * PAGE_LEN;
        let (address, length) = (at(module.page), module.length);
        let more = module.command_line.map_or(0, |page| at(page) as u32);
        fallible::push(&mut all, Memory { address, length, kind: kind::MODULE, more })?;
    }
    let kept = delivered.kept.iter().map(|region| (kind::KERNEL, region));
    for (kind, region) in kept.chain([(kind::RESERVED, &delivered.channel)]) {
        let Range { start, end } = touched(region);
        let piece = Memory { address: start * PAGE_LEN, length: (end - start) * PAGE_LEN, kind, more: 0 };
        fallible::push(&mut all, piece)?;
    }
    let Roots { rsdt, xsdt } = firmware::tables().roots;
    for (kind, list) in [(kind::RSDT, rsdt), (kind::XSDT, xsdt)] {
        if let Some(address) = list {
            fallible::push(&mut all, Memory { address, length: 0, kind, more: 0 })?;
        }
    }
    Ok(all)
}

/// All frames that programs do not have, in ascending order.
fn withheld(delivered: &Delivered<'_>) -> ArrayVec<Range<u64>, WITHHELD> {
    let controllers = firmware::controllers().map(|start| Region { start, end: start + PAGE_LEN });
    let kept = delivered.kept.iter().chain([&delivered.channel]).copied();
    let regions = kept.chain(controllers);
    #[expect(clippy::disallowed_methods, reason = "an ArrayVec takes nothing of the heap")]
    let mut all: ArrayVec<_, WITHHELD> = regions.map(|region| touched(&region)).collect();
    all.sort_unstable_by_key(|range| range.start);
    all
}

/// Boots the archive's first module and runs the system to its end.
pub fn run(
    config: &Config,
    archive: &Archive<'static>,
    delivered: Delivered<'_>,
    platform: &Platform,
) -> Result<EndRecord, Refusal> {
    run::record_header(config, platform);
    let list = modules(archive)?;
    let root = list.first().ok_or(Refusal::NoProgram)?;
    let start = u64::from(root.page) * PAGE_LEN;
    let bytes =
        start.checked_add(root.length).and_then(|end| delivered.modules.get(start as usize..end as usize));
    let image = Image::read(bytes.ok_or(Refusal::Truncated)?)?;
    let place = frame::region_of(delivered.modules);
    let memory = describe(&delivered, place.start, &list).map_err(out_of_memory)?;
    let khz = (platform.rate.ticks_a_second() / 1000) as u32;
    let information = information::page(khz, &memory).ok_or(Refusal::Malformed)?;
    let memory = frames::spans(&withheld(&delivered), &touched(&ROM)).map_err(out_of_memory)?;
    let first = (place.start + start) / PAGE_LEN;
    let mapped = |segment: &Segment| (segment.page, first + segment.first, segment.count, segment.rights);
    let mapped = fallible::collect(image.segments.iter().map(mapped)).map_err(out_of_memory)?;
    frame::leave_to_programs(delivered.modules);
    if let Some(page) = SharedFrame::numbered(0) {
        bios::fill(&page, serial::is_there);
    }
    let copies = replay::reserve(&config.policy, true) as u64;
    let kernel_pages = frame::free_count().saturating_sub(copies) + heap::free() / PAGE_LEN;
    let beginning = Beginning {
        entry: image.entry,
        information: &information,
        memory: &memory,
        image: &mapped,
        kernel_pages,
        until: archive.find(entry::UNTIL).unwrap_or_default(),
    };
    let end = run::execute::<Nova>(config, &beginning, platform, config.trace, config.max_instructions);
    serial::drain();
    end
}
