// SPDX-License-Identifier: MIT
//! Plain moves between vector registers and memory, of 4 to 32 bytes.

use iced_x86::{EncodingKind, Instruction, Mnemonic, OpKind};
use pe_replay::UserRegisters;
use pe_replay::user::xsave;

use super::environment::Use;
use super::operand::Bytes;

/// The part of a register that is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// As much as the operand has; a load clears the rest of the low half.
    All,
    /// The low eight bytes; a load leaves the next eight.
    Low,
    /// The eight bytes above these; a load leaves the low ones.
    High,
}

/// A move of a vector register.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    part: Part,
    register: usize,
    /// The register that the other half comes from, of an instruction that names it.
    from: Option<usize>,
    /// A load changes the upper half, too.
    is_extended: bool,
    /// What it does with memory.
    pub usage: Use,
    /// The address has to be a multiple of the operand's length.
    pub is_aligned: bool,
}

/// The number of a register that such an instruction can move.
fn number(instruction: &Instruction, operand: u32) -> Option<usize> {
    let register = instruction.op_register(operand);
    let is_vector = register.is_xmm() || register.is_ymm();
    (instruction.op_kind(operand) == OpKind::Register && is_vector && register.number() < 16)
        .then(|| register.number())
}

impl Move {
    /// The move that an instruction is, whose memory operand has this number; `None` if it is none.
    pub fn new(instruction: &Instruction, operand: u32) -> Option<Self> {
        use Mnemonic::*;
        let part = match instruction.mnemonic() {
            Movd | Movq | Movss | Movsd | Movups | Movupd | Movdqu | Lddqu | Movaps | Movapd | Movdqa
            | Movntps | Movntpd | Movntdq | Movntdqa | Vmovd | Vmovq | Vmovss | Vmovsd | Vmovups
            | Vmovupd | Vmovdqu | Vlddqu | Vmovaps | Vmovapd | Vmovdqa | Vmovntps | Vmovntpd | Vmovntdq
            | Vmovntdqa => Part::All,
            Movlps | Movlpd | Vmovlps | Vmovlpd => Part::Low,
            Movhps | Movhpd | Vmovhps | Vmovhpd => Part::High,
            _ => return None,
        };
        let is_aligned = matches!(
            instruction.mnemonic(),
            Movaps
                | Movapd
                | Movdqa
                | Movntps
                | Movntpd
                | Movntdq
                | Movntdqa
                | Vmovaps
                | Vmovapd
                | Vmovdqa
                | Vmovntps
                | Vmovntpd
                | Vmovntdq
                | Vmovntdqa
        );
        let is_extended = match instruction.encoding() {
            EncodingKind::Legacy => false,
            EncodingKind::VEX => true,
            _ => return None,
        };
        let usage = if operand == 0 { Use::Write } else { Use::Read };
        let register = number(instruction, if operand == 0 { 1 } else { 0 })?;
        let from = if operand == 2 { Some(number(instruction, 1)?) } else { None };
        Some(Self { part, register, from, is_extended, usage, is_aligned })
    }

    /// Loads the register with what was read.
    pub fn load(self, value: &Bytes, length: usize, registers: &mut UserRegisters) {
        registers.extended.normalize();
        let area = &mut registers.extended.0;
        let at = |register: usize| xsave::XMM + 16 * register;
        let to = at(self.register);
        if let Some(from) = self.from {
            area.copy_within(at(from)..at(from) + 16, to);
        }
        match self.part {
            Part::All => {
                area[to..to + 16].fill(0);
                let low = length.min(16);
                area[to..to + low].copy_from_slice(&value[..low]);
            }
            Part::Low => area[to..to + 8].copy_from_slice(&value[..8]),
            Part::High => area[to + 8..to + 16].copy_from_slice(&value[..8]),
        }
        if self.is_extended {
            let to = xsave::YMM + 16 * self.register;
            area[to..to + 16].fill(0);
            if length > 16 {
                area[to..to + 16].copy_from_slice(&value[16..]);
            }
        }
    }

    /// What the register has to be written.
    pub fn stored(self, registers: &mut UserRegisters) -> Bytes {
        registers.extended.normalize();
        let area = &registers.extended.0;
        let (low, high) = (xsave::XMM + 16 * self.register, xsave::YMM + 16 * self.register);
        let mut value = [0; 32];
        value[..16].copy_from_slice(&area[low..low + 16]);
        value[16..].copy_from_slice(&area[high..high + 16]);
        if self.part == Part::High {
            value.copy_within(8..16, 0);
        }
        value
    }
}
