// SPDX-License-Identifier: MIT
//! Starting a component in a fresh domain: its executable's segments, its stack, its parent's portal, its first thread.
//!
//! Segments that are only read are shown as they lie in the ROM; those that are written are copied into memory of the
//! new domain's own quota. Core starts init by this, and init its children.

use elf::abi::{EM_X86_64, ET_DYN, PF_W, PF_X, PT_LOAD};
use elf::endian::LittleEndian;
use elf::file::{Class, ELF64_EHDR_TAILSIZE, FileHeader, parse_ident};
use elf::segment::{ProgramHeader, SegmentTable};
use nova_rt::PAGE;

use crate::Failure;
use crate::cap::Cap;
use crate::dataspace::Attached;
use crate::layout::{IMAGE, STACK, STACKS, stack, utcb};
use crate::services::{Name, access, cpu, cpu_thread, kind, pd, rom};

/// Length of an ELF identification, and of a program header.
const IDENT_LEN: usize = 16;
const HEADER_LEN: u64 = 56;

/// Why a component was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unstarted {
    /// The ROM is no executable of this kind.
    NotElf,
    /// Memory for a segment that is written could not be had.
    Segment(Failure),
    /// Something else was not done.
    Other(Failure),
}

impl From<Failure> for Unstarted {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

/// What a component is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// Its domain, which is fresh.
    pub pd: pd::Client,
    /// What makes its threads.
    pub cpu: cpu::Client,
    /// Its executable.
    pub binary: rom::Client,
    /// The portal by which it finds its parent.
    pub parent: Cap,
}

/// Where the executable begins, and its segments.
fn segments(bytes: &[u8]) -> Option<(u64, SegmentTable<'_, LittleEndian>)> {
    let (ident, rest) = bytes.split_at_checked(IDENT_LEN)?;
    let ident = parse_ident::<LittleEndian>(ident).ok().filter(|ident| ident.1 == Class::ELF64)?;
    let header = FileHeader::parse_tail(ident, rest.get(..ELF64_EHDR_TAILSIZE)?).ok()?;
    let fits = header.e_machine == EM_X86_64
        && header.e_type == ET_DYN
        && u64::from(header.e_phentsize) == HEADER_LEN
        && header.e_entry < STACKS - IMAGE;
    let end = header.e_phoff.checked_add(u64::from(header.e_phnum) * HEADER_LEN)?;
    let table = bytes.get(usize::try_from(header.e_phoff).ok()?..usize::try_from(end).ok()?)?;
    fits.then(|| (IMAGE + header.e_entry, SegmentTable::new(LittleEndian, Class::ELF64, table)))
}

/// A segment in whole pages.
struct Pages {
    /// Where its first page lies in the file.
    offset: u64,
    /// Where its first page is to be.
    address: u64,
    /// The bytes of all its pages, in memory.
    size: u64,
    /// Its own bytes in the file.
    file: core::ops::Range<usize>,
}

fn pages(header: &ProgramHeader, length: usize) -> Option<Pages> {
    let &ProgramHeader { p_offset, p_vaddr, p_filesz, p_memsz, .. } = header;
    let inside = p_vaddr % PAGE;
    let end = p_offset.checked_add(p_filesz).filter(|end| *end <= length as u64)?;
    let is_possible = p_offset % PAGE == inside
        && p_memsz >= p_filesz
        && p_vaddr.checked_add(p_memsz).is_some_and(|end| end <= STACKS - IMAGE);
    is_possible.then(|| Pages {
        offset: p_offset - inside,
        address: IMAGE + p_vaddr - inside,
        size: (inside + p_memsz).next_multiple_of(PAGE),
        file: p_offset as usize..end as usize,
    })
}

/// Shows the executable in the component's address space; `own` is the address space of the caller, in which it is
/// read. Tells where it begins.
fn load(own: pd::Client, parts: &Parts) -> core::result::Result<u64, Unstarted> {
    let (rom, size) = parts.binary.dataspace()?;
    let image = Attached::new(own, rom, size, 0)?;
    let bytes = image.bytes();
    let (entry, headers) = segments(bytes).ok_or(Unstarted::NotElf)?;
    for header in headers.iter().filter(|header| header.p_type == PT_LOAD && header.p_memsz > 0) {
        let Pages { offset, address, size, file } = pages(&header, bytes.len()).ok_or(Unstarted::NotElf)?;
        let execute = if header.p_flags & PF_X == 0 { 0 } else { access::EXECUTE };
        if header.p_flags & PF_W == 0 {
            parts.pd.attach(rom, offset, size, address, execute)?;
            continue;
        }
        let memory = parts.pd.alloc_ds(size).map_err(Unstarted::Segment)?;
        let mut copy = Attached::new(own, memory, size, access::WRITE)?;
        let at = file.start - offset as usize;
        copy.bytes_mut()[at..at + file.len()].copy_from_slice(&bytes[file]);
        drop(copy);
        parts.pd.attach(memory, 0, 0, address, access::WRITE | execute)?;
    }
    Ok(entry)
}

/// Starts a component; `own` is the address space of the caller.
pub fn start(
    own: pd::Client,
    name: &str,
    parts: &Parts,
) -> core::result::Result<cpu_thread::Client, Unstarted> {
    let Parts { pd, cpu, parent, .. } = *parts;
    let entry = load(own, parts)?;
    let memory = pd.alloc_ds(STACK).map_err(Unstarted::Segment)?;
    pd.attach(memory, 0, 0, stack(0), access::WRITE)?;
    pd.assign_parent(parent)?;
    let name = Name::from(name).map_err(|_| Failure::BadArgument)?;
    let (thread, _) = cpu.create_thread(pd.0, name, kind::GLOBAL, 0, utcb(0))?;
    let thread = cpu_thread::Client(thread);
    thread.start(entry, utcb(0))?;
    Ok(thread)
}
