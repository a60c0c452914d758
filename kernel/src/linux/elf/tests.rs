// SPDX-License-Identifier: MIT
//! Tests of the ELF checks, on headers made here.

use super::*;

const RX: u32 = abi::PF_R | abi::PF_X;
const BASE: u64 = 0x40_0000;

/// A file with these segments: type, flags, offset, address, length in file and memory.
fn file(segments: &[(u32, u32, u64, u64, u64, u64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(abi::ELFMAGIC);
    bytes.extend([abi::ELFCLASS64, abi::ELFDATA2LSB, abi::EV_CURRENT]);
    bytes.resize(IDENT_LEN, 0);
    bytes.extend(abi::ET_EXEC.to_le_bytes());
    bytes.extend(abi::EM_X86_64.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((BASE + 0x100).to_le_bytes());
    bytes.extend(64_u64.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    for half in [64, HEADER_LEN as u16, segments.len() as u16, 64, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    for &(kind, flags, offset, address, in_file, in_memory) in segments {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        for word in [offset, address, address, in_file, in_memory, PAGE_LEN] {
            bytes.extend(word.to_le_bytes());
        }
    }
    bytes.resize(0x2000, 0xcc);
    bytes
}

const TEXT: (u32, u32, u64, u64, u64, u64) = (abi::PT_LOAD, RX, 0, BASE, 0x1000, 0x1000);

fn refusal(bytes: &[u8]) -> Refusal {
    Image::parse(Bytes::Passing(bytes)).unwrap_err()
}

#[test]
fn a_static_executable_is_accepted() {
    let data = (abi::PT_LOAD, abi::PF_R | abi::PF_W, 0x1000, BASE + 0x1000, 0x800, 0x4000);
    let stack = (abi::PT_GNU_STACK, abi::PF_R | abi::PF_W, 0, 0, 0, 0);
    let bytes = file(&[TEXT, data, stack]);
    let image = Image::parse(Bytes::Passing(&bytes)).unwrap();
    assert_eq!((image.entry, image.headers, image.header_count), (BASE + 0x100, BASE + 64, 3));
    assert!(!image.executable_stack);
    let data = image.segments[1];
    assert_eq!((data.start, data.end, data.bytes.get().len()), (BASE + 0x1000, BASE + 0x5000, 0x800));
    assert_eq!(data.access, Access { read: true, write: true, execute: false });
}

#[test]
fn what_is_no_program_for_this_machine_is_refused() {
    assert_eq!(refusal(b""), Refusal::NotElf);
    assert_eq!(refusal(b"#!/bin/sh\n"), Refusal::NotElf);
    let bytes = file(&[TEXT]);
    for (at, value, expected) in [
        (abi::EI_CLASS, abi::ELFCLASS32, Refusal::NotElf),
        (abi::EI_DATA, abi::ELFDATA2MSB, Refusal::NotElf),
        (16, abi::ET_REL as u8, Refusal::NotStatic),
        (18, abi::EM_AARCH64 as u8, Refusal::OtherMachine),
        (54, 32, Refusal::Malformed),
    ] {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        assert_eq!(refusal(&bytes), expected);
    }
}

#[test]
fn what_can_be_anywhere_is_put_somewhere() {
    let text = (abi::PT_LOAD, RX, 0, 0, 0x1000, 0x1000);
    let mut bytes = file(&[text, (abi::PT_LOAD, abi::PF_R | abi::PF_W, 0x1000, 0x3000, 0x10, 0x2000)]);
    bytes[16] = abi::ET_DYN as u8;
    bytes[24..32].copy_from_slice(&0x100_u64.to_le_bytes());
    let image = Image::parse(Bytes::Passing(&bytes)).unwrap();
    assert_eq!((image.entry, image.headers), (ANYWHERE + 0x100, ANYWHERE + 64));
    let segments: Vec<_> = image.segments.iter().map(|segment| (segment.start, segment.end)).collect();
    assert_eq!(segments, [(ANYWHERE, ANYWHERE + 0x1000), (ANYWHERE + 0x3000, ANYWHERE + 0x5000)]);
    assert_eq!(ANYWHERE, 0x5555_5555_4000);
    // At its own addresses it may not begin at 0, and elsewhere it may not reach too far.
    bytes[16] = abi::ET_EXEC as u8;
    assert_eq!(refusal(&bytes), Refusal::SegmentOutsideUserSpace { address: 0 });
    let mut bytes = file(&[(abi::PT_LOAD, RX, 0, USER_END - 0x1000, 0x1000, 0x1000)]);
    bytes[16] = abi::ET_DYN as u8;
    assert_eq!(refusal(&bytes), Refusal::SegmentOutsideUserSpace { address: USER_END - 0x1000 });
}

#[test]
fn a_dynamic_program_is_refused() {
    assert_eq!(refusal(&file(&[(abi::PT_INTERP, 4, 0, BASE, 8, 8), TEXT])), Refusal::NotStatic);
}

#[test]
fn every_cut_is_refused_and_none_panics() {
    let bytes = file(&[TEXT, (abi::PT_LOAD, abi::PF_R, 0x1000, BASE + 0x1000, 0x1000, 0x1000)]);
    for length in abi::ELFMAGIC.len()..bytes.len() {
        assert_eq!(refusal(&bytes[..length]), Refusal::Truncated, "cut to {length} bytes");
    }
}

#[test]
fn segments_outside_user_space_are_refused() {
    for address in [0, USER_END, u64::MAX - 0xfff, 0xffff_ffff_8000_0000] {
        let bytes = file(&[TEXT, (abi::PT_LOAD, abi::PF_R, 0, address, 0x100, 0x1000)]);
        assert_eq!(refusal(&bytes), Refusal::SegmentOutsideUserSpace { address });
    }
    let bytes = file(&[TEXT, (abi::PT_LOAD, abi::PF_R, 0, BASE + 0x1000, 0, u64::MAX)]);
    assert_eq!(refusal(&bytes), Refusal::SegmentOutsideUserSpace { address: BASE + 0x1000 });
}

#[test]
fn contradictions_are_refused() {
    let cases = [
        // Overlap.
        (abi::PT_LOAD, abi::PF_R, 0x800, BASE + 0x800, 0x100, 0x100),
        // More in the file than in memory.
        (abi::PT_LOAD, abi::PF_R, 0, BASE + 0x2000, 0x100, 0x10),
        // Offset and address differ within the page.
        (abi::PT_LOAD, abi::PF_R, 8, BASE + 0x2000, 0x100, 0x100),
    ];
    for case in cases {
        assert_eq!(refusal(&file(&[TEXT, case])), Refusal::Malformed);
    }
    // The entry is not in an executable segment.
    assert_eq!(refusal(&file(&[(abi::PT_LOAD, abi::PF_R, 0, BASE, 0x1000, 0x1000)])), Refusal::Malformed);
    assert_eq!(refusal(&file(&[])), Refusal::Malformed);
}
