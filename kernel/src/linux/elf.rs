// SPDX-License-Identifier: MIT
//! Checks of a program before anything of it is loaded.
//!
//! Pure: bytes in, a list of segments or a [`Refusal`] out. Accepted are static
//! 64-bit executables for x86-64 (System V ABI, AMD64 supplement, chapter 4), those
//! included that relocate themselves; section headers are not looked at.

use alloc::vec::Vec;

use elf::abi;
use elf::endian::LittleEndian;
use elf::file::{Class, ELF64_EHDR_TAILSIZE, FileHeader, parse_ident};
use elf::segment::{ProgramHeader, SegmentTable};
use wire::end::Refusal;

use crate::mem::fallible;
use crate::mem::frame;
use crate::mem::space::{Access, PAGE_LEN, USER_END};

/// `sizeof(Elf64_Phdr)`.
pub const HEADER_LEN: u64 = 56;
/// Length of the identification in front of the file header.
const IDENT_LEN: usize = abi::EI_NIDENT;
/// The lowest address of a segment: the first page stays unmapped.
const LOWEST_ADDRESS: u64 = PAGE_LEN;
/// Where programs go that can be anywhere: two thirds up user space, as on Linux.
const ANYWHERE: u64 = (USER_END / 3 * 2) & !(PAGE_LEN - 1);

/// Bytes of a file, of which some stay for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes<'a> {
    /// They are the boot archive's.
    Lasting(&'static [u8]),
    /// They are a copy, or a file's that can be written.
    Passing(&'a [u8]),
}

impl<'a> Bytes<'a> {
    /// The bytes, however long they stay.
    pub fn get(self) -> &'a [u8] {
        match self {
            Self::Lasting(bytes) => bytes,
            Self::Passing(bytes) => bytes,
        }
    }

    /// Those from `offset` on.
    fn part(self, offset: u64, length: u64) -> Result<Self, Refusal> {
        Ok(match self {
            Self::Lasting(bytes) => Self::Lasting(part(bytes, offset, length)?),
            Self::Passing(bytes) => Self::Passing(part(bytes, offset, length)?),
        })
    }
}

/// A segment to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Its address.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
    /// Its content; what is missing up to its end is zero.
    pub bytes: Bytes<'a>,
    /// Its permissions.
    pub access: Access,
    /// Its place among the file's program headers.
    pub rank: usize,
}

/// A program that can be loaded.
#[derive(Debug)]
pub struct Image<'a> {
    /// Its segments, in ascending order; no two overlap.
    pub segments: Vec<Segment<'a>>,
    /// Where it starts.
    pub entry: u64,
    /// Where its program headers are in memory.
    pub headers: u64,
    /// How many there are.
    pub header_count: u64,
    /// Whether its stack is executable.
    pub executable_stack: bool,
}

/// The bytes of a file from `offset` on.
fn part(file: &[u8], offset: u64, length: u64) -> Result<&[u8], Refusal> {
    let end = offset.checked_add(length).ok_or(Refusal::Truncated)?;
    let (Ok(start), Ok(end)) = (usize::try_from(offset), usize::try_from(end)) else {
        return Err(Refusal::Truncated);
    };
    file.get(start..end).ok_or(Refusal::Truncated)
}

fn access_of(flags: u32) -> Access {
    Access {
        // As on the processor, what can be written or executed can be read.
        read: flags & (abi::PF_R | abi::PF_W | abi::PF_X) != 0,
        write: flags & abi::PF_W != 0,
        execute: flags & abi::PF_X != 0,
    }
}

/// A segment of a file that is loaded `base` above the addresses it names.
fn segment<'a>(
    file: Bytes<'a>,
    header: &ProgramHeader,
    rank: usize,
    base: u64,
) -> Result<Segment<'a>, Refusal> {
    let bytes = file.part(header.p_offset, header.p_filesz)?;
    if header.p_memsz < header.p_filesz || header.p_offset % PAGE_LEN != header.p_vaddr % PAGE_LEN {
        return Err(Refusal::Malformed);
    }
    let outside = Refusal::SegmentOutsideUserSpace { address: header.p_vaddr };
    let start = header.p_vaddr.checked_add(base).ok_or(outside)?;
    let end = start
        .checked_add(header.p_memsz)
        .filter(|end| start >= LOWEST_ADDRESS && *end <= USER_END)
        .ok_or(outside)?;
    Ok(Segment { start, end, bytes, access: access_of(header.p_flags), rank })
}

impl<'a> Image<'a> {
    /// Checks a file.
    pub fn parse(whole: Bytes<'a>) -> Result<Self, Refusal> {
        let file = whole.get();
        if !file.starts_with(&abi::ELFMAGIC) {
            return Err(Refusal::NotElf);
        }
        let ident = parse_ident::<LittleEndian>(part(file, 0, IDENT_LEN as u64)?);
        let ident = ident.map_err(|_| Refusal::NotElf)?;
        if ident.1 != Class::ELF64 {
            return Err(Refusal::NotElf);
        }
        let tail = part(file, IDENT_LEN as u64, ELF64_EHDR_TAILSIZE as u64)?;
        let header = FileHeader::parse_tail(ident, tail).map_err(|_| Refusal::Truncated)?;
        if header.e_machine != abi::EM_X86_64 {
            return Err(Refusal::OtherMachine);
        }
        let base = match header.e_type {
            abi::ET_EXEC => 0,
            abi::ET_DYN => ANYWHERE,
            _ => return Err(Refusal::NotStatic),
        };
        if u64::from(header.e_phentsize) != HEADER_LEN || header.e_phnum == abi::PN_XNUM {
            return Err(Refusal::Malformed);
        }
        let header_count = u64::from(header.e_phnum);
        let table = part(file, header.e_phoff, header_count * HEADER_LEN)?;
        let table = SegmentTable::new(LittleEndian, Class::ELF64, table);

        let mut segments = Vec::new();
        let too_many = Refusal::OutOfMemory { needed_pages: 1, free_pages: frame::free_count() };
        fallible::reserve_exact(&mut segments, usize::from(header.e_phnum)).map_err(|_| too_many)?;
        let mut executable_stack = false;
        let mut headers = None;
        for (rank, program_header) in table.iter().enumerate() {
            match program_header.p_type {
                abi::PT_INTERP => return Err(Refusal::NotStatic),
                abi::PT_GNU_STACK => executable_stack = program_header.p_flags & abi::PF_X != 0,
                abi::PT_LOAD if program_header.p_memsz > 0 => {
                    let segment = segment(whole, &program_header, rank, base)?;
                    let offset = header.e_phoff.checked_sub(program_header.p_offset);
                    if let Some(offset) = offset
                        && offset + header_count * HEADER_LEN <= program_header.p_filesz
                    {
                        headers = headers.or(Some(segment.start + offset));
                    }
                    fallible::push_reserved(&mut segments, segment);
                }
                _ => {}
            }
        }
        segments.sort_unstable_by_key(|segment| segment.start);
        let image = Self {
            entry: header.e_entry.wrapping_add(base),
            headers: headers.unwrap_or(0),
            header_count,
            executable_stack,
            segments,
        };
        image.check()?;
        Ok(image)
    }

    /// Checks the segments against each other and the entry against them.
    fn check(&self) -> Result<(), Refusal> {
        if self.segments.array_windows().any(|[lower, upper]| upper.start < lower.end) {
            return Err(Refusal::Malformed);
        }
        let starts = |segment: &Segment<'_>| {
            segment.access.execute && (segment.start..segment.end).contains(&self.entry)
        };
        if self.segments.iter().any(starts) { Ok(()) } else { Err(Refusal::Malformed) }
    }
}

#[cfg(test)]
mod tests;
