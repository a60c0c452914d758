// SPDX-License-Identifier: MIT
//! The operands of an instruction that is performed: registers, addresses, and bytes in memory or in devices.
//!
//! An operand in memory is cut at the border of a page, and from there on into ascending pieces of eight bytes at
//! most, each a power of two. What is a device's is accessed piece by piece, each once.

use iced_x86::{Instruction, Register};
use pe_replay::UserRegisters;
use pe_replay::stop::vector;

use super::environment::{Environment, Place, Wants};
use super::progress::Stop;
use crate::mem::space::PAGE_LEN;
use crate::object::processor::Piece;

/// The vector of a quotient that does not fit.
pub const DIVIDE: u8 = 0;
/// The vector of an address beyond the stack segment.
pub const STACK: u8 = 12;

/// The longest operand, in bytes.
pub const MAX_LEN: usize = 32;

/// The bytes of an operand, the lowest address first; those behind its length mean nothing.
pub type Bytes = [u8; MAX_LEN];

/// The low bits of a word, as many as there are in so many bytes.
pub fn mask(bytes: usize) -> u64 {
    u64::MAX >> (64 - 8 * bytes.clamp(1, 8))
}

/// The first eight bytes, as a number.
pub fn word(bytes: &Bytes) -> u64 {
    let [first, ..] = bytes.as_chunks::<8>().0 else { return 0 };
    u64::from_le_bytes(*first)
}

/// The bytes of a number.
pub fn bytes(word: u64) -> Bytes {
    let mut bytes = [0; MAX_LEN];
    bytes[..8].copy_from_slice(&word.to_le_bytes());
    bytes
}

fn is_high(register: Register) -> bool {
    matches!(register, Register::AH | Register::CH | Register::DH | Register::BH)
}

/// What a general register, or a part of one, holds.
pub fn read(registers: &UserRegisters, register: Register) -> u64 {
    let whole = registers.gprs()[register.full_register().number()];
    let shift = if is_high(register) { 8 } else { 0 };
    whole >> shift & mask(register.size())
}

/// Writes a general register, or a part of one. A write of four bytes clears those above.
pub fn write(registers: &mut UserRegisters, register: Register, value: u64) {
    let whole = registers.gpr_mut(register.full_register().number() as u8);
    let size = register.size();
    let shift = if is_high(register) { 8 } else { 0 };
    let kept = if size >= 4 { 0 } else { *whole & !(mask(size) << shift) };
    *whole = kept | (value & mask(size)) << shift;
}

/// Where a segment begins.
pub fn segment_base(registers: &UserRegisters, segment: Register) -> u64 {
    match segment {
        Register::FS => registers.fs_base,
        Register::GS => registers.gs_base,
        _ => 0,
    }
}

/// The address of an operand in memory; `None` if it has no single one.
pub fn address(instruction: &Instruction, operand: u32, registers: &UserRegisters) -> Option<u64> {
    instruction.virtual_address(operand, 0, |register, _, _| {
        if register.is_segment_register() {
            Some(segment_base(registers, register))
        } else {
            register.is_gpr().then(|| read(registers, register))
        }
    })
}

fn page(address: u64) -> u64 {
    address & !(PAGE_LEN - 1)
}

fn is_canonical(address: u64) -> bool {
    ((address as i64) << 16 >> 16) as u64 == address
}

/// How many bytes, and at which offset, come next of an operand at `address` of which `left` are left.
fn piece(address: u64, left: usize) -> (Piece, usize) {
    let room = (PAGE_LEN - address % PAGE_LEN) as usize;
    match left.min(room) {
        8.. => (Piece::Quad, 8),
        4.. => (Piece::Double, 4),
        2.. => (Piece::Word, 2),
        _ => (Piece::Byte, 1),
    }
}

/// The pieces of an operand: the address of each, its offset, and how long it is.
fn pieces(address: u64, length: usize) -> impl Iterator<Item = (u64, usize, Piece, usize)> {
    let mut offset = 0;
    core::iter::from_fn(move || {
        let at = address.wrapping_add(offset as u64);
        let begun = offset;
        let (kind, step) = (begun < length).then(|| piece(at, length - begun))?;
        offset += step;
        Some((at, begun, kind, step))
    })
}

/// An operand that was found, in one page or in two.
#[derive(Clone, Copy, Debug)]
pub struct Operand {
    address: u64,
    length: usize,
    first: Place,
    second: Place,
}

impl Operand {
    /// Finds an operand, all of it, before anything is accessed; `wild` is the exception of an address that is none.
    pub fn locate(
        address: u64,
        length: usize,
        wants: Wants,
        wild: u8,
        around: &mut impl Environment,
    ) -> Result<Self, Stop> {
        let last = address.wrapping_add(length as u64 - 1);
        if !is_canonical(address) || !is_canonical(last) {
            return Err(Stop::Exception(wild));
        }
        let first = around.locate(address, wants)?;
        let second = if page(last) == page(address) { first } else { around.locate(page(last), wants)? };
        Ok(Self { address, length, first, second })
    }

    /// Finds an operand that is not addressed by way of the stack.
    pub fn of_data(
        address: u64,
        length: usize,
        wants: Wants,
        around: &mut impl Environment,
    ) -> Result<Self, Stop> {
        Self::locate(address, length, wants, vector::GENERAL_PROTECTION, around)
    }

    /// Whether a part of it is a device's.
    pub fn is_device(&self) -> bool {
        [self.first, self.second].iter().any(|place| *place != Place::Memory)
    }

    /// Whether it begins in the same page as it ends, and so where it is says where its neighbours in there are.
    pub fn moved_to(&self, address: u64) -> Option<Self> {
        let last = address.wrapping_add(self.length as u64 - 1);
        let is_in_page = page(address) == page(self.address) && page(last) == page(self.address);
        is_in_page.then_some(Self { address, second: self.first, ..*self })
    }

    /// Where a byte of it lies: in memory, or at a physical address.
    fn physical(&self, at: u64) -> Option<u64> {
        match if page(at) == page(self.address) { self.first } else { self.second } {
            Place::Memory => None,
            Place::Device(base) => Some(base + at % PAGE_LEN),
        }
    }

    /// Reads all of it.
    pub fn load(&self, around: &mut impl Environment) -> Bytes {
        let mut value = [0; MAX_LEN];
        for (at, offset, piece, length) in pieces(self.address, self.length) {
            let into = &mut value[offset..offset + length];
            match self.physical(at) {
                None => around.load(at, into),
                Some(physical) => {
                    let read = around.read_device(physical, piece).to_le_bytes();
                    into.copy_from_slice(&read[..length]);
                }
            }
        }
        value
    }

    /// Writes all of it.
    pub fn store(&self, value: &Bytes, around: &mut impl Environment) {
        for (at, offset, piece, length) in pieces(self.address, self.length) {
            let from = &value[offset..offset + length];
            match self.physical(at) {
                None => around.store(at, from),
                Some(physical) => {
                    let mut written = [0; 8];
                    written[..length].copy_from_slice(from);
                    around.write_device(physical, piece, u64::from_le_bytes(written));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(address: u64, length: usize) -> Vec<usize> {
        pieces(address, length).map(|(.., length)| length).collect()
    }

    #[test]
    fn operands_are_cut_at_borders_and_into_eights() {
        assert_eq!(lengths(0x1000, 4), [4]);
        assert_eq!(lengths(0x1003, 8), [8]);
        assert_eq!(lengths(0x1000, 32), [8; 4]);
        assert_eq!(lengths(0x1ffe, 4), [2, 2]);
        assert_eq!(lengths(0x1ffd, 4), [2, 1, 1]);
        assert_eq!(lengths(0x1ffc, 16), [4, 8, 4]);
        assert_eq!(lengths(0x1ff9, 8), [4, 2, 1, 1]);
        assert_eq!(lengths(u64::MAX, 2), [1, 1]);
    }

    #[test]
    fn parts_of_registers_are_where_they_are() {
        let mut registers = UserRegisters::new(0, 0);
        registers.rax = 0x1122_3344_5566_7788;
        let seen = [Register::AL, Register::AH, Register::AX, Register::EAX, Register::RAX];
        let values = seen.map(|register| read(&registers, register));
        assert_eq!(values, [0x88, 0x77, 0x7788, 0x5566_7788, 0x1122_3344_5566_7788]);
        for (register, value) in [
            (Register::AL, 0x1122_3344_5566_77ff),
            (Register::AH, 0x1122_3344_5566_ffff),
            (Register::AX, 0x1122_3344_5566_ffff),
            (Register::EAX, 0xffff_ffff),
            (Register::RAX, u64::MAX),
        ] {
            write(&mut registers, register, u64::MAX);
            assert_eq!(registers.rax, value, "{register:?}");
        }
        write(&mut registers, Register::SPL, 0x55);
        assert_eq!(registers.rsp, 0x55);
    }
}
