// SPDX-License-Identifier: MIT
//! Good tables, and every way in which one byte or one address of them can be wrong.

use super::madt::{IoApic, MAX_IO_APICS, Override};
use super::*;
use crate::arch::wiring::{Polarity, Trigger};

/// Where the test's memory begins, and where its tables lie.
const BASE: u64 = 0xf_0000;
const RSDT: u64 = 0xf_0100;
const XSDT: u64 = 0xf_0200;
const MADT: u64 = 0xf_0300;
const FADT: u64 = 0xf_0500;
const HPET: u64 = 0xf_0700;

/// A piece of memory.
struct Piece(Vec<u8>);

impl Physical for Piece {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let Some(offset) = address.checked_sub(BASE).map(|offset| offset as usize) else { return false };
        let from = offset.checked_add(into.len()).and_then(|end| self.0.get(offset..end));
        from.map(|from| into.copy_from_slice(from)).is_some()
    }
}

impl Piece {
    fn put(&mut self, address: u64, bytes: &[u8]) {
        let offset = (address - BASE) as usize;
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    /// Puts a table with its length and its checksum.
    fn put_table(&mut self, address: u64, signature: &Signature, body: &[u8]) {
        let mut bytes =
            [&signature[..], &(HEADER_LEN as u32 + body.len() as u32).to_le_bytes(), &[0; 28], body];
        let mut bytes = std::mem::take(&mut bytes).concat();
        bytes[9] = 0u8.wrapping_sub(sum(&bytes));
        self.put(address, &bytes);
    }

    fn put_rsdp(&mut self, address: u64, revision: u8) {
        let mut bytes = [0; RSDP2_LEN];
        bytes[..8].copy_from_slice(b"RSD PTR ");
        bytes[15] = revision;
        bytes[16..20].copy_from_slice(&(RSDT as u32).to_le_bytes());
        bytes[8] = 0u8.wrapping_sub(sum(&bytes[..RSDP_LEN]));
        bytes[20..24].copy_from_slice(&(RSDP2_LEN as u32).to_le_bytes());
        bytes[24..32].copy_from_slice(&XSDT.to_le_bytes());
        bytes[32] = 0u8.wrapping_sub(sum(&bytes));
        self.put(address, &bytes[..if revision < 2 { RSDP_LEN } else { RSDP2_LEN }]);
    }
}

fn io_apic(address: u32, first: u32) -> Vec<u8> {
    [&[1, 12, 0, 0], &address.to_le_bytes()[..], &first.to_le_bytes()].concat()
}

fn overridden(source: u8, line: u32, flags: u16) -> Vec<u8> {
    [&[2, 10, 0, source], &line.to_le_bytes()[..], &flags.to_le_bytes()].concat()
}

/// The table that QEMU's machine has, and a little more.
fn controllers() -> Vec<u8> {
    let start = [0xfee0_0000u32.to_le_bytes(), 1u32.to_le_bytes()].concat();
    let processor = [0, 8, 0, 0, 1, 0, 0, 0];
    let unknown = [0x7f, 2];
    let nmi = [4, 6, 0xff, 0, 0, 1];
    [
        &start[..],
        &processor,
        &io_apic(0xfec0_0000, 0),
        &overridden(0, 2, 0),
        &unknown,
        &overridden(9, 9, 0xd),
        &overridden(10, 10, 0xf),
        &nmi,
    ]
    .concat()
}

fn fixed() -> Vec<u8> {
    let mut bytes = vec![0; 244 - HEADER_LEN];
    let mut put = |offset: usize, from: &[u8]| {
        bytes[offset - HEADER_LEN..offset - HEADER_LEN + from.len()].copy_from_slice(from);
    };
    put(46, &9u16.to_le_bytes());
    put(56, &0x600u32.to_le_bytes());
    put(88, &[4]);
    put(80, &0xafe0u32.to_le_bytes());
    put(92, &[4]);
    bytes
}

fn timer(space: u8, address: u64) -> Vec<u8> {
    [&0x8086_a201u32.to_le_bytes()[..], &[space, 64, 0, 0], &address.to_le_bytes(), &[0; 4]].concat()
}

/// All tables as they should be.
fn good(revision: u8) -> Piece {
    let mut memory = Piece(vec![0; 0x1000]);
    memory.put_rsdp(BASE + 0x40, revision);
    let tables = [FADT, MADT, HPET];
    memory.put_table(RSDT, b"RSDT", &tables.map(|address| (address as u32).to_le_bytes()).concat());
    memory.put_table(XSDT, b"XSDT", &tables.map(u64::to_le_bytes).concat());
    memory.put_table(MADT, b"APIC", &controllers());
    memory.put_table(FADT, b"FACP", &fixed());
    memory.put_table(HPET, b"HPET", &timer(0, 0xfed0_0000));
    memory
}

fn read(memory: &Piece) -> Result<Tables, Fault> {
    Tables::read(memory, Some(BASE + 0x40))
}

#[test]
fn good_tables_are_read_by_either_list_and_from_wherever_they_are_named() {
    for (revision, roots) in
        [(0, Roots { rsdt: Some(RSDT), xsdt: None }), (2, Roots { rsdt: Some(RSDT), xsdt: Some(XSDT) })]
    {
        let memory = good(revision);
        let tables = read(&memory).unwrap();
        assert_eq!(Tables::read(&memory, None).as_ref(), Ok(&tables), "by a search of the BIOS area");
        assert_eq!((tables.roots, tables.hpet), (roots, Some(0xfed0_0000)));
        let madt = tables.madt.unwrap();
        assert!(madt.has_8259);
        assert_eq!(madt.io_apics[..], [IoApic { address: 0xfec0_0000, first: 0 }]);
        let said = |source, line, trigger, polarity| Override { source, line, trigger, polarity };
        assert_eq!(
            madt.overrides[..],
            [
                said(0, 2, None, None),
                said(9, 9, Some(Trigger::Level), Some(Polarity::High)),
                said(10, 10, Some(Trigger::Level), Some(Polarity::Low)),
            ]
        );
        let fadt = tables.fadt.unwrap();
        let enables = |port| Some(fadt::Enables { port, count: 2 });
        assert_eq!((fadt.line, fadt.enables), (9, [enables(0x602), None, enables(0xafe2), None]));
    }
}

#[test]
fn without_tables_there_is_nothing_and_no_fault() {
    assert_eq!(Tables::read(&Piece(vec![0; 0x1000]), None), Ok(Tables::default()));
    assert_eq!(Tables::read(&Piece(Vec::new()), None), Ok(Tables::default()));
}

#[test]
fn a_timer_that_is_not_in_memory_is_none() {
    let mut memory = good(2);
    memory.put_table(HPET, b"HPET", &timer(1, 0x500));
    assert_eq!(read(&memory).unwrap().hpet, None);
}

#[test]
fn every_damaged_byte_is_noticed() {
    for (name, start, end) in [
        ("RSDP", 0x40, 0x40 + RSDP2_LEN),
        ("XSDT", 0x200, 0x200 + HEADER_LEN + 24),
        ("MADT", 0x300, 0x300 + HEADER_LEN + controllers().len()),
        ("FADT", 0x500, 0x500 + 244),
        ("HPET", 0x700, 0x700 + HEADER_LEN + 20),
    ] {
        for offset in start..end {
            for bit in 0..8 {
                let mut memory = good(2);
                memory.0[offset] ^= 1 << bit;
                let found = read(&memory);
                // A table that has lost its name is a table of another kind.
                let is_renamed = (offset - start) < 4 && !matches!(name, "RSDP" | "XSDT");
                assert_eq!(found.is_ok(), is_renamed, "{name} at {}, bit {bit}: {found:?}", offset - start);
            }
        }
    }
}

#[test]
fn lengths_addresses_and_entries_are_refused_by_name() {
    let wrong_length = |length: u32| {
        let mut memory = good(2);
        memory.put(MADT + 4, &length.to_le_bytes());
        read(&memory).unwrap_err()
    };
    for length in [0, 1, 35, 0x1_0001, u32::MAX] {
        assert_eq!(
            wrong_length(length),
            Fault { table: *b"APIC", address: MADT, flaw: Flaw::Length(length) }
        );
    }
    // So long that it leaves memory.
    assert_eq!(wrong_length(0x1000).flaw, Flaw::Outside);
    let with_list = |list: &[u8]| {
        let mut memory = good(2);
        memory.put_table(XSDT, b"XSDT", list);
        read(&memory)
    };
    for address in [0, 0x1_0000, u64::MAX, u64::MAX - 3, BASE + 0xffe] {
        let fault = with_list(&address.to_le_bytes()).unwrap_err();
        assert_eq!((fault.address, fault.flaw), (address, Flaw::Outside));
    }
    assert_eq!(with_list(&[1, 2, 3]).unwrap_err().flaw, Flaw::Length(39));
    // A list that names itself is one of the tables that nobody needs.
    assert_eq!(with_list(&XSDT.to_le_bytes()).unwrap().madt, None);
    let with_entries = |entries: &[u8]| {
        let mut memory = good(2);
        memory.put_table(MADT, b"APIC", &[&[0; 8], entries].concat());
        read(&memory).map(|tables| tables.madt.unwrap())
    };
    for entry in [
        &[0, 0][..],
        &[9, 1],
        &[1, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[2, 9, 0, 0, 0, 0, 0, 0, 0],
        &[0, 8, 1],
        &[5],
    ] {
        assert_eq!(with_entries(entry).unwrap_err().flaw, Flaw::Entry(44), "{entry:?}");
    }
    assert_eq!(with_entries(&io_apic(0xfec0_0008, 0)).unwrap_err().flaw, Flaw::Address(0xfec0_0008));
    let many = |count| with_entries(&io_apic(0xfec0_0000, 0).repeat(count));
    assert!(many(MAX_IO_APICS).is_ok());
    let text = many(MAX_IO_APICS + 1).unwrap_err().to_string();
    assert_eq!(text, "the ACPI table APIC at 0xf0300 has more than 8 I/O APICs");
    let mut memory = good(2);
    memory.put_table(HPET, b"HPET", &timer(0, 0xfed0_0010));
    assert_eq!(read(&memory).unwrap_err().flaw, Flaw::Address(0xfed0_0010));
    memory.put_table(HPET, b"HPET", &[]);
    assert_eq!(read(&memory).unwrap_err().flaw, Flaw::Length(36));
}

#[test]
fn what_the_loader_tells_has_to_be_there() {
    for told in [0, BASE + 0x41, u64::MAX] {
        let fault = Tables::read(&good(2), Some(told)).unwrap_err();
        assert_eq!(fault, Fault { table: RSDP, address: told, flaw: Flaw::Signature });
    }
    // In the BIOS area, what looks like it and is damaged does not hide the one that is right.
    let mut memory = good(2);
    memory.put(BASE + 0x20, b"RSD PTR ");
    assert!(Tables::read(&memory, None).is_ok_and(|tables| tables.madt.is_some()));
}

#[test]
fn noise_is_survived() {
    let mut state = 0x5245_5052_4953_4501u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    for _ in 0..20_000 {
        let mut memory = good(2);
        for _ in 0..1 + noise() % 8 {
            let at = [RSDT, XSDT, MADT, FADT, HPET][(noise() % 5) as usize];
            memory.put(at + noise() % 96, &[noise() as u8]);
        }
        // The checksums of all tables are right again, so that the rest is looked at.
        for at in [RSDT, XSDT, MADT, FADT, HPET] {
            let start = (at - BASE) as usize;
            let length = (u32_at(&memory.0, start + 4) as usize).min(memory.0.len() - start);
            let total = sum(&memory.0[start..start + length]);
            memory.0[start + 9] = memory.0[start + 9].wrapping_sub(total);
        }
        let _ = read(&memory);
    }
}
