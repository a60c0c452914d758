// SPDX-License-Identifier: MIT
//! The firmware's tables (ACPI 6.5, chapter 5), as far as interrupts need them.
//!
//! Nothing in them is trusted: each address is looked up in the memory map, each length is held against what it is
//! a part of, and a table counts only if its bytes sum to zero. Whatever is wrong is a [`Fault`] that names the
//! table and the place. Nothing follows a chain, so nothing can go round in circles.
//!
//! The `acpi` crate was looked at: it takes lengths and addresses on trust, and an entry of length 0 keeps it busy
//! for ever.

pub mod fadt;
pub mod hpet;
pub mod madt;
mod table;
#[cfg(test)]
mod tests;

use core::fmt;

use self::fadt::Fadt;
use self::madt::Madt;
use self::table::{HEADER_LEN, Table};

/// The signature of a table: four characters.
pub type Signature = [u8; 4];

/// Memory in which firmware leaves its tables.
pub trait Physical {
    /// Copies what lies at an address; `false` if not all of it is memory that firmware may use.
    fn read(&self, address: u64, into: &mut [u8]) -> bool;
}

/// What is wrong with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It does not lie in memory that firmware may use.
    Outside,
    /// Something else lies where it should.
    Signature,
    /// Its length in bytes is none that it can have.
    Length(u32),
    /// Its bytes do not sum to zero.
    Checksum,
    /// The entry at this offset has a length that it cannot have.
    Entry(u32),
    /// It has more of something than there is room for.
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// It names something by an address that cannot be.
    Address(u64),
}

/// A table that is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which one.
    pub table: Signature,
    /// Where it lies.
    pub address: u64,
    /// What is wrong.
    pub flaw: Flaw,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ACPI table ")?;
        for byte in self.table {
            write!(f, "{}", if byte.is_ascii_graphic() { char::from(byte) } else { '?' })?;
        }
        write!(f, " at {:#x} ", self.address)?;
        match self.flaw {
            Flaw::Outside => f.write_str("does not lie in the firmware's memory"),
            Flaw::Signature => f.write_str("is not there"),
            Flaw::Length(length) => write!(f, "cannot have {length} bytes"),
            Flaw::Checksum => f.write_str("has a wrong checksum"),
            Flaw::Entry(offset) => write!(f, "has an entry at {offset} whose length is wrong"),
            Flaw::TooMany { what, most } => write!(f, "has more than {most} {what}"),
            Flaw::Address(address) => write!(f, "names the address {address:#x}"),
        }
    }
}

/// Where the lists of tables lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// The list with addresses of 32 bits.
    pub rsdt: Option<u64>,
    /// The list with addresses of 64 bits.
    pub xsdt: Option<u64>,
}

/// What the tables say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Where the lists lie.
    pub roots: Roots,
    /// The interrupt controllers.
    pub madt: Option<Madt>,
    /// The firmware's own events.
    pub fadt: Option<Fadt>,
    /// Where the registers of the event timer lie.
    pub hpet: Option<u64>,
}

/// The signature and the length of the first structure's first version.
const RSDP_SIGNATURE: [u8; 8] = *b"RSD PTR ";
const RSDP_LEN: usize = 20;
/// The length of its second version.
const RSDP2_LEN: usize = 36;
/// The longest one that is read.
const MAX_RSDP_LEN: usize = 256;
/// How it is named in faults.
const RSDP: Signature = *b"RSDP";
/// Where a PC's firmware leaves the address of its data area, in units of 16 bytes.
const EBDA_SEGMENT: u64 = 0x40e;
/// The BIOS area.
const BIOS: (u64, u64) = (0xe_0000, 0x10_0000);
/// The first structure lies at a multiple of so many bytes.
const STEP: usize = 16;

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(field)
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from(u32_at(bytes, offset)) | u64::from(u32_at(bytes, offset + 4)) << 32
}

/// The lists that the structure at an address names, if it is one that counts.
fn roots_at(memory: &impl Physical, address: u64) -> Result<Option<Roots>, Fault> {
    let mut bytes = [0; MAX_RSDP_LEN];
    if !memory.read(address, &mut bytes[..RSDP_LEN]) || bytes[..8] != RSDP_SIGNATURE {
        return Ok(None);
    }
    let fault = |flaw| Fault { table: RSDP, address, flaw };
    if sum(&bytes[..RSDP_LEN]) != 0 {
        return Err(fault(Flaw::Checksum));
    }
    let named = |address: u64| (address != 0).then_some(address);
    let rsdt = named(u32_at(&bytes, 16).into());
    let revision = bytes[15];
    if revision < 2 {
        return Ok(Some(Roots { rsdt, xsdt: None }));
    }
    if !memory.read(address, &mut bytes[..RSDP2_LEN]) {
        return Err(fault(Flaw::Outside));
    }
    // A longer one is a later version, whose further fields do not matter.
    let length = u32_at(&bytes, 20);
    if !(RSDP2_LEN..=MAX_RSDP_LEN).contains(&(length as usize)) {
        return Err(fault(Flaw::Length(length)));
    }
    let bytes = &mut bytes[..length as usize];
    if !memory.read(address, bytes) {
        return Err(fault(Flaw::Outside));
    }
    if sum(bytes) != 0 {
        return Err(fault(Flaw::Checksum));
    }
    Ok(Some(Roots { rsdt, xsdt: named(u64_at(bytes, 24)) }))
}

/// The lists that a structure within an area names.
fn roots_within(memory: &impl Physical, (start, end): (u64, u64)) -> Result<Option<Roots>, Fault> {
    let mut damaged = None;
    for address in (start..end).step_by(STEP) {
        // What only looks like it is passed over, unless nothing else is found.
        match roots_at(memory, address) {
            Ok(None) => {}
            Ok(roots) => return Ok(roots),
            Err(fault) => damaged = damaged.or(Some(fault)),
        }
    }
    damaged.map_or(Ok(None), Err)
}

/// The lists, from where the boot loader says that they are named, or from where a PC's firmware leaves that.
fn find_roots(memory: &impl Physical, told: Option<u64>) -> Result<Option<Roots>, Fault> {
    if let Some(address) = told {
        let fault = Fault { table: RSDP, address, flaw: Flaw::Signature };
        return roots_at(memory, address)?.map(Some).ok_or(fault);
    }
    let mut segment = [0; 2];
    if memory.read(EBDA_SEGMENT, &mut segment) {
        let area = u64::from(u16::from_le_bytes(segment)) << 4;
        let roots = roots_within(memory, (area, area + 1024))?;
        if area != 0 && roots.is_some() {
            return Ok(roots);
        }
    }
    roots_within(memory, BIOS)
}

/// Does something with each table of a list, in its order.
fn for_each_table(
    memory: &impl Physical,
    roots: Roots,
    mut act: impl FnMut(u64) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (address, signature, width) = match roots {
        Roots { xsdt: Some(address), .. } => (address, *b"XSDT", 8),
        Roots { rsdt: Some(address), .. } => (address, *b"RSDT", 4),
        Roots { rsdt: None, xsdt: None } => return Ok(()),
    };
    let list = Table::read(memory, address, signature)?;
    if !(list.len() - HEADER_LEN).is_multiple_of(width) {
        return Err(list.fault(Flaw::Length(list.len() as u32)));
    }
    for offset in (HEADER_LEN..list.len()).step_by(width) {
        let mut entry = [0; 8];
        list.copy(offset, &mut entry[..width])?;
        act(u64::from_le_bytes(entry))?;
    }
    Ok(())
}

impl Tables {
    /// Reads the tables. `told` is where the boot loader says that they begin, if it says anything.
    pub fn read(memory: &impl Physical, told: Option<u64>) -> Result<Self, Fault> {
        let Some(roots) = find_roots(memory, told)? else { return Ok(Self::default()) };
        let mut found = Self { roots, ..Self::default() };
        for_each_table(memory, roots, |address| {
            let mut signature = [0; 4];
            if !memory.read(address, &mut signature) {
                return Err(Fault { table: *b"????", address, flaw: Flaw::Outside });
            }
            let table = |signature| Table::read(memory, address, signature);
            // Of several of a kind the first one counts. Whatever else there is, nobody needs to be right.
            match &signature {
                b"APIC" if found.madt.is_none() => found.madt = Some(Madt::read(&table(signature)?)?),
                b"FACP" if found.fadt.is_none() => found.fadt = Some(Fadt::read(&table(signature)?)?),
                b"HPET" if found.hpet.is_none() => found.hpet = hpet::read(&table(signature)?)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(found)
    }
}
