// SPDX-License-Identifier: MIT
//! Checks of a root task's image: bytes in, a list of segments or a [`Refusal`] out.
//!
//! An image is mapped where it lies, in whole pages. So a segment has no byte that is not in the file, and its
//! address and its place in the file differ by whole pages.

use alloc::vec::Vec;

use elf::abi;
use elf::endian::LittleEndian;
use elf::file::{Class, ELF64_EHDR_TAILSIZE, FileHeader, parse_ident};
use elf::segment::{ProgramHeader, SegmentTable};
use wire::end::Refusal;

use super::crd::Rights;
use super::root::FIRST_PAGE;
use crate::mem::fallible;
use crate::mem::frame;
use crate::mem::space::PAGE_LEN;

/// Length of a program header.
const HEADER_LEN: u64 = 56;

/// Pages of the image that are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first page that they are mapped at.
    pub page: u64,
    /// The first of them in the image.
    pub first: u64,
    /// How many there are.
    pub count: u64,
    /// What may be done with them.
    pub rights: Rights,
}

/// An image that can be mapped.
#[derive(Debug, PartialEq, Eq)]
pub struct Image {
    /// Its segments; no two have a page in common.
    pub segments: Vec<Segment>,
    /// Where it begins.
    pub entry: u64,
}

fn rights(flags: u32) -> Rights {
    let bits = [(abi::PF_R, Rights::READ), (abi::PF_W, Rights::WRITE), (abi::PF_X, Rights::EXECUTE)];
    let has = bits.into_iter().filter(|(flag, _)| flags & flag != 0);
    Rights::new(has.fold(0, |all, (_, right)| all | right.bits()))
}

/// The pages of a segment of an image that has so many bytes.
fn segment(header: &ProgramHeader, length: u64) -> Result<Segment, Refusal> {
    let &ProgramHeader { p_offset: offset, p_vaddr: address, p_filesz: size, .. } = header;
    let end = offset.checked_add(size).filter(|end| *end <= length).ok_or(Refusal::Truncated)?;
    if header.p_memsz != size || offset % PAGE_LEN != address % PAGE_LEN {
        return Err(Refusal::Malformed);
    }
    let is_inside = |end: &u64| address >= PAGE_LEN && *end <= FIRST_PAGE;
    if address.checked_add(size).filter(is_inside).is_none() {
        return Err(Refusal::SegmentOutsideUserSpace { address });
    }
    let first = offset / PAGE_LEN;
    let count = end.div_ceil(PAGE_LEN) - first;
    Ok(Segment { page: address / PAGE_LEN, first, count, rights: rights(header.p_flags) })
}

/// Whether two segments have a page in common.
fn overlap(a: &Segment, b: &Segment) -> bool {
    a.page < b.page + b.count && b.page < a.page + a.count
}

impl Image {
    /// What the headers of an image say.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let (ident, rest) = bytes.split_at_checked(abi::EI_NIDENT).ok_or(Refusal::NotElf)?;
        let ident = parse_ident::<LittleEndian>(ident).map_err(|_| Refusal::NotElf)?;
        if ident.1 != Class::ELF64 {
            return Err(Refusal::NotElf);
        }
        let tail = rest.get(..ELF64_EHDR_TAILSIZE).ok_or(Refusal::Truncated)?;
        let header = FileHeader::parse_tail(ident, tail).map_err(|_| Refusal::Malformed)?;
        if header.e_machine != abi::EM_X86_64 {
            return Err(Refusal::OtherMachine);
        }
        if header.e_type != abi::ET_EXEC {
            return Err(Refusal::NotStatic);
        }
        if u64::from(header.e_phentsize) != HEADER_LEN {
            return Err(Refusal::Malformed);
        }
        let end =
            header.e_phoff.checked_add(u64::from(header.e_phnum) * HEADER_LEN).ok_or(Refusal::Truncated)?;
        let table = usize::try_from(header.e_phoff).ok().zip(usize::try_from(end).ok());
        let table = table.and_then(|(start, end)| bytes.get(start..end)).ok_or(Refusal::Truncated)?;
        let mut segments = Vec::new();
        for header in SegmentTable::new(LittleEndian, Class::ELF64, table) {
            if header.p_type != abi::PT_LOAD || header.p_memsz == 0 && header.p_filesz == 0 {
                continue;
            }
            let new = segment(&header, bytes.len() as u64)?;
            if new.rights.is_none() || segments.iter().any(|other| overlap(other, &new)) {
                return Err(Refusal::Malformed);
            }
            let out = |_| Refusal::OutOfMemory { needed_pages: 1, free_pages: frame::free_count() };
            fallible::push(&mut segments, new).map_err(out)?;
        }
        Ok(Self { segments, entry: header.e_entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program header: flags, offset, address, size in the file and in memory.
    type Header = (u32, u64, u64, u64, u64);

    fn file(headers: &[Header], length: usize) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend([2u16, 62].iter().flat_map(|it| it.to_le_bytes()));
        bytes.extend(1u32.to_le_bytes());
        bytes.extend([0x10_0010u64, 64, 0].iter().flat_map(|it| it.to_le_bytes()));
        bytes.extend(0u32.to_le_bytes());
        bytes.extend([64u16, 56, headers.len() as u16, 64, 0, 0].iter().flat_map(|it| it.to_le_bytes()));
        for (flags, offset, address, size, in_memory) in headers {
            bytes.extend([1u32, *flags].iter().flat_map(|it| it.to_le_bytes()));
            let words = [*offset, *address, 0, *size, *in_memory, 4096];
            bytes.extend(words.iter().flat_map(|it| it.to_le_bytes()));
        }
        bytes.resize(length.max(bytes.len()), 0);
        bytes
    }

    fn refused(headers: &[Header]) -> Refusal {
        Image::read(&file(headers, 0x5000)).unwrap_err()
    }

    #[test]
    fn segments_are_whole_pages_of_the_file() {
        let headers = [
            (5, 0x1000, 0x10_0000, 0x1234, 0x1234),
            (6, 0x2234, 0x10_3234, 0x800, 0x800),
            (4, 0x3000, 0x20_0000, 1, 1),
        ];
        let image = Image::read(&file(&headers, 0x5000)).unwrap();
        let segment =
            |page, first, count, rights| Segment { page, first, count, rights: Rights::new(rights) };
        assert_eq!(image.entry, 0x10_0010);
        let wanted = [segment(0x100, 1, 2, 5), segment(0x103, 2, 1, 3), segment(0x200, 3, 1, 1)];
        assert_eq!(image.segments, wanted);
    }

    #[test]
    fn what_cannot_be_mapped_where_it_lies_is_refused() {
        assert_eq!(refused(&[(6, 0x1000, 0x10_0000, 0x10, 0x20)]), Refusal::Malformed);
        assert_eq!(refused(&[(6, 0x1001, 0x10_0000, 0x10, 0x10)]), Refusal::Malformed);
        assert_eq!(refused(&[(0, 0x1000, 0x10_0000, 0x10, 0x10)]), Refusal::Malformed);
        assert_eq!(refused(&[(4, 0x4ff0, 0x10_0ff0, 0x20, 0x20)]), Refusal::Truncated);
        assert_eq!(refused(&[(4, !0xfff, 0x10_0000, 0x1000, 0x1000)]), Refusal::Truncated);
        for address in [0, FIRST_PAGE, !0xfff] {
            assert_eq!(refused(&[(4, 0, address, 0x10, 0x10)]), Refusal::SegmentOutsideUserSpace { address });
        }
        let twice = [(4, 0x1000, 0x10_0000, 0x1001, 0x1001), (4, 0x3800, 0x10_1800, 0x10, 0x10)];
        assert_eq!(refused(&twice), Refusal::Malformed);
    }

    #[test]
    fn every_beginning_of_an_image_is_refused_or_read() {
        let whole = file(&[(5, 0x1000, 0x10_0000, 0x100, 0x100)], 0x1100);
        for length in 0..whole.len() {
            assert!(Image::read(&whole[..length]).is_err(), "{length}");
        }
        assert!(Image::read(&whole).is_ok());
    }
}
