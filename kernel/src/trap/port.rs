// SPDX-License-Identifier: MIT
//! Port I/O: an access is decoded from committed registers, and performed once.

use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use pe_replay::UserRegisters;

use crate::object::processor::{Processor, Width};

/// Neighbouring ports that an instruction accesses at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The first one.
    pub first: u16,
    /// How many.
    pub count: u16,
}

impl Ports {
    /// The ports that INS and OUTS access with these registers.
    pub fn of_string(instruction: &Instruction, registers: &UserRegisters) -> Option<Self> {
        let count = match instruction.mnemonic() {
            Mnemonic::Insb | Mnemonic::Outsb => 1,
            Mnemonic::Insw | Mnemonic::Outsw => 2,
            Mnemonic::Insd | Mnemonic::Outsd => 4,
            _ => return None,
        };
        Some(Self { first: registers.rdx as u16, count })
    }

    /// The number of each; one beyond 65,535 is nobody's.
    pub fn numbers(self) -> impl Iterator<Item = u64> {
        (0..u64::from(self.count)).map(move |index| u64::from(self.first) + index)
    }
}

/// By how many bytes a port is accessed for an element of so many.
pub fn width(length: usize) -> Width {
    match length {
        1 => Width::Byte,
        2 => Width::Word,
        _ => Width::Double,
    }
}

/// One access to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The first port.
    pub port: u16,
    /// How many neighbouring ports.
    pub width: Width,
    /// OUT: what is written.
    pub value: Option<u32>,
    /// The instruction's length.
    pub length: u64,
}

impl Access {
    /// What a decoded IN or OUT does with these registers.
    pub fn new(instruction: &Instruction, registers: &UserRegisters) -> Option<Self> {
        let writes = instruction.mnemonic() == Mnemonic::Out;
        let (port, data) = if writes { (0, 1) } else { (1, 0) };
        let port = match instruction.op_kind(port) {
            OpKind::Immediate8 => u16::from(instruction.immediate8()),
            OpKind::Register => registers.rdx as u16,
            _ => return None,
        };
        let (width, value) = match instruction.op_register(data) {
            Register::AL => (Width::Byte, registers.rax & 0xff),
            Register::AX => (Width::Word, registers.rax & 0xffff),
            Register::EAX => (Width::Double, registers.rax & 0xffff_ffff),
            _ => return None,
        };
        let value = writes.then_some(value as u32);
        Some(Self { port, width, value, length: instruction.len() as u64 })
    }

    /// The ports that it accesses.
    pub fn ports(self) -> Ports {
        Ports { first: self.port, count: self.width.bytes().into() }
    }

    /// Performs the access, which the personality has allowed, and goes behind the instruction; returns what was
    /// read or written.
    pub fn perform(self, processor: &mut impl Processor, registers: &mut UserRegisters) -> u32 {
        let accessed = match self.value {
            Some(value) => {
                processor.output(self.port, self.width, value);
                value
            }
            None => {
                let read = processor.input(self.port, self.width);
                let value = u64::from(read);
                registers.rax = match self.width {
                    Width::Byte => registers.rax & !0xff | value & 0xff,
                    Width::Word => registers.rax & !0xffff | value & 0xffff,
                    // A write of 32 bits clears those above.
                    Width::Double => value,
                };
                read
            }
        };
        registers.rip = registers.rip.wrapping_add(self.length);
        accessed
    }
}

#[cfg(test)]
mod tests {
    use iced_x86::{Decoder, DecoderOptions};

    use super::*;

    fn access(code: &[u8]) -> Access {
        let mut registers = UserRegisters::new(0, 0);
        (registers.rax, registers.rdx) = (0x1122_3344_5566_7788, 0x9_03f8);
        let instruction = Decoder::new(64, code, DecoderOptions::NONE).decode();
        Access::new(&instruction, &registers).unwrap()
    }

    #[test]
    fn every_form_is_decoded() {
        let cases: [(&[u8], u16, Width, Option<u32>); 12] = [
            (&[0xe4, 0x60], 0x60, Width::Byte, None),
            (&[0x66, 0xe5, 0x60], 0x60, Width::Word, None),
            (&[0xe5, 0x60], 0x60, Width::Double, None),
            (&[0xec], 0x3f8, Width::Byte, None),
            (&[0x66, 0xed], 0x3f8, Width::Word, None),
            (&[0xed], 0x3f8, Width::Double, None),
            (&[0xe6, 0x80], 0x80, Width::Byte, Some(0x88)),
            (&[0x66, 0xe7, 0x80], 0x80, Width::Word, Some(0x7788)),
            (&[0xe7, 0x80], 0x80, Width::Double, Some(0x5566_7788)),
            (&[0xee], 0x3f8, Width::Byte, Some(0x88)),
            (&[0x66, 0xef], 0x3f8, Width::Word, Some(0x7788)),
            // With REX.W it is no wider.
            (&[0x48, 0xef], 0x3f8, Width::Double, Some(0x5566_7788)),
        ];
        for (code, port, width, value) in cases {
            assert_eq!(access(code), Access { port, width, value, length: code.len() as u64 }, "{code:02x?}");
        }
    }
}
