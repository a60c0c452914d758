// SPDX-License-Identifier: MIT
//! String instructions: MOVS, STOS, LODS, SCAS, CMPS, INS and OUTS, with the prefixes that repeat them.
//!
//! Each iteration is complete in itself: the registers say how far the instruction has come.

use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use pe_replay::UserRegisters;

use super::arithmetic::{Arithmetic, DIRECTION, STATUS, ZERO};
use super::environment::{Environment, Wants};
use super::operand::{self, Operand};
use super::port;
use super::progress::{Progress, Stop};
use crate::object::processor::Width;

/// What is done with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Move,
    Store,
    Load,
    Scan,
    Compare,
    Input,
    Output,
}

/// A string instruction.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    kind: Kind,
    /// The length of an element, in bytes.
    length: usize,
    /// The numbers of the operands at RSI and at RDI.
    source: Option<u32>,
    destination: Option<u32>,
    /// Registers count in 32 bits.
    is_short: bool,
    repeats: bool,
    /// What ZF has to be for a repeated comparison to go on.
    goes_on_if: bool,
}

/// What an instruction does, and with elements of which length.
fn kind(mnemonic: Mnemonic) -> Option<(Kind, usize)> {
    use Mnemonic::*;
    Some(match mnemonic {
        Movsb => (Kind::Move, 1),
        Movsw => (Kind::Move, 2),
        Movsd => (Kind::Move, 4),
        Movsq => (Kind::Move, 8),
        Stosb => (Kind::Store, 1),
        Stosw => (Kind::Store, 2),
        Stosd => (Kind::Store, 4),
        Stosq => (Kind::Store, 8),
        Lodsb => (Kind::Load, 1),
        Lodsw => (Kind::Load, 2),
        Lodsd => (Kind::Load, 4),
        Lodsq => (Kind::Load, 8),
        Scasb => (Kind::Scan, 1),
        Scasw => (Kind::Scan, 2),
        Scasd => (Kind::Scan, 4),
        Scasq => (Kind::Scan, 8),
        Cmpsb => (Kind::Compare, 1),
        Cmpsw => (Kind::Compare, 2),
        Cmpsd => (Kind::Compare, 4),
        Cmpsq => (Kind::Compare, 8),
        Insb => (Kind::Input, 1),
        Insw => (Kind::Input, 2),
        Insd => (Kind::Input, 4),
        Outsb => (Kind::Output, 1),
        Outsw => (Kind::Output, 2),
        Outsd => (Kind::Output, 4),
        _ => return None,
    })
}

/// Where the operands of a repeated instruction were found last: most iterations stay in their pages.
#[derive(Default)]
struct Found {
    source: Option<Operand>,
    destination: Option<Operand>,
}

impl Form {
    /// What a decoded instruction is, if it is a string instruction. Some mnemonics are vector instructions', too.
    pub fn new(instruction: &Instruction) -> Option<Self> {
        let (kind, length) = kind(instruction.mnemonic())?;
        let at = |kinds: [OpKind; 2]| {
            (0..instruction.op_count()).find(|operand| kinds.contains(&instruction.op_kind(*operand)))
        };
        let source = at([OpKind::MemorySegRSI, OpKind::MemorySegESI]);
        let destination = at([OpKind::MemoryESRDI, OpKind::MemoryESEDI]);
        source.or(destination)?;
        let is_short =
            instruction.op_kinds().any(|kind| matches!(kind, OpKind::MemorySegESI | OpKind::MemoryESEDI));
        Some(Self {
            kind,
            length,
            source,
            destination,
            is_short,
            repeats: instruction.has_rep_prefix() || instruction.has_repne_prefix(),
            goes_on_if: !instruction.has_repne_prefix(),
        })
    }

    /// Performs `most` iterations at most.
    pub fn perform(
        self,
        instruction: &Instruction,
        most: u64,
        around: &mut impl Environment,
    ) -> Result<Progress, Stop> {
        let mut found = Found::default();
        for _ in 0..most {
            let count = self.count();
            if self.repeats && operand::read(around.registers(), count) == 0 {
                return Ok(Progress::Done);
            }
            self.iterate(instruction, &mut found, around)?;
            let registers = around.registers();
            self.advance(registers);
            if !self.repeats {
                return Ok(Progress::Done);
            }
            let left = operand::read(registers, count).wrapping_sub(1);
            operand::write(registers, count, left);
            let compares = matches!(self.kind, Kind::Scan | Kind::Compare);
            let is_equal = registers.rflags & ZERO != 0;
            if left == 0 || compares && is_equal != self.goes_on_if {
                return Ok(Progress::Done);
            }
            if around.is_over() {
                break;
            }
        }
        Ok(Progress::Unfinished)
    }

    fn count(self) -> Register {
        if self.is_short { Register::ECX } else { Register::RCX }
    }

    fn indices(self) -> [Register; 2] {
        if self.is_short { [Register::ESI, Register::EDI] } else { [Register::RSI, Register::RDI] }
    }

    /// The part of RAX that an element fills.
    fn accumulator(self) -> Register {
        match self.length {
            1 => Register::AL,
            2 => Register::AX,
            4 => Register::EAX,
            _ => Register::RAX,
        }
    }

    /// Moves on by an element.
    fn advance(self, registers: &mut UserRegisters) {
        let length = self.length as u64;
        let step = if registers.rflags & DIRECTION != 0 { length.wrapping_neg() } else { length };
        let [source, destination] = self.indices();
        for (register, is_used) in [(source, self.source), (destination, self.destination)] {
            if is_used.is_some() {
                let next = operand::read(registers, register).wrapping_add(step);
                operand::write(registers, register, next);
            }
        }
    }

    /// Finds an operand, if the instruction has it.
    fn find(
        self,
        instruction: &Instruction,
        operand: Option<u32>,
        wants: Wants,
        last: Option<Operand>,
        around: &mut impl Environment,
    ) -> Result<Option<Operand>, Stop> {
        let Some(operand) = operand else { return Ok(None) };
        let address = operand::address(instruction, operand, around.registers()).ok_or(Stop::Refused)?;
        if let Some(found) = last.and_then(|last| last.moved_to(address)) {
            return Ok(Some(found));
        }
        Operand::of_data(address, self.length, wants, around).map(Some)
    }

    fn iterate(
        self,
        instruction: &Instruction,
        found: &mut Found,
        around: &mut impl Environment,
    ) -> Result<(), Stop> {
        let compares = matches!(self.kind, Kind::Scan | Kind::Compare);
        let wants = if compares { Wants::Read } else { Wants::Write };
        found.source = self.find(instruction, self.source, Wants::Read, found.source, around)?;
        found.destination = self.find(instruction, self.destination, wants, found.destination, around)?;
        let source = match found.source {
            Some(source) => source.load(around),
            None => operand::bytes(self.given(around)),
        };
        match self.kind {
            Kind::Load => operand::write(around.registers(), self.accumulator(), operand::word(&source)),
            Kind::Output => {
                let port = around.registers().rdx as u16;
                around.output(port, self.width(), operand::word(&source) as u32);
            }
            Kind::Scan | Kind::Compare => {
                let other = found.destination.map_or([0; operand::MAX_LEN], |it| it.load(around));
                let arithmetic = Arithmetic { bits: 8 * self.length as u32 };
                let (_, flags) = arithmetic.subtract(operand::word(&source), operand::word(&other), false);
                let registers = around.registers();
                registers.rflags = registers.rflags & !STATUS | flags;
            }
            Kind::Move | Kind::Store | Kind::Input => {
                if let Some(destination) = found.destination {
                    destination.store(&source, around);
                }
            }
        }
        Ok(())
    }

    /// What an instruction without an operand at RSI has in its place.
    fn given(self, around: &mut impl Environment) -> u64 {
        if self.kind == Kind::Input {
            let port = around.registers().rdx as u16;
            return around.input(port, self.width()).into();
        }
        operand::read(around.registers(), self.accumulator())
    }

    /// How many ports are accessed at once.
    fn width(self) -> Width {
        port::width(self.length)
    }
}
