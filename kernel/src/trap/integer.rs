// SPDX-License-Identifier: MIT
//! What integer instructions do with one operand in memory.

mod condition;
mod extended;

use iced_x86::{ConditionCode, Instruction, Mnemonic, OpKind, Register};
use pe_replay::UserRegisters;

use self::condition::holds;
use super::arithmetic::{Arithmetic, CARRY, Flagged, ROTATED, STATUS, ZERO, crc};
use super::environment::Use;
use super::operand::{self, DIVIDE, mask};
use super::progress::Stop;

/// What an instruction does with its memory operand, which is the operand of this number.
pub fn usage(instruction: &Instruction, operand: u32) -> Option<Use> {
    use Mnemonic::*;
    let is_first = operand == 0;
    let usage = match instruction.mnemonic() {
        // To load a selector takes checks of the descriptor.
        Mov if !is_first && instruction.op0_register().is_segment_register() => return None,
        Mov | Movbe if is_first => Use::Write,
        Mov | Movbe | Movzx | Movsx | Movsxd => Use::Read,
        Movnti => Use::Write,
        Cmp | Test | Bt => Use::Read,
        Add | Or | Adc | Sbb | And | Sub | Xor if is_first => Use::Change,
        Add | Or | Adc | Sbb | And | Sub | Xor => Use::Read,
        Inc | Dec | Not | Neg | Rol | Ror | Rcl | Rcr | Shl | Sal | Shr | Sar | Shld | Shrd => Use::Change,
        Xchg | Xadd | Cmpxchg | Bts | Btr | Btc => Use::Change,
        Mul | Imul | Div | Idiv | Bsf | Bsr | Tzcnt | Lzcnt | Popcnt | Crc32 => Use::Read,
        Andn | Bextr | Bzhi | Blsi | Blsmsk | Blsr | Pdep | Pext | Mulx | Rorx | Sarx | Shlx | Shrx
        | Adcx | Adox => Use::Read,
        _ => match instruction.condition_code() {
            ConditionCode::None => return None,
            _ if is_cmov(instruction) => Use::Read,
            _ if is_set(instruction) => Use::Write,
            _ => return None,
        },
    };
    Some(usage)
}

fn is_cmov(instruction: &Instruction) -> bool {
    instruction.op_count() == 2 && instruction.op0_register().is_gpr()
}

fn is_set(instruction: &Instruction) -> bool {
    instruction.op_count() == 1 && instruction.memory_size().size() == 1
}

/// An integer instruction at work.
struct Work<'a> {
    instruction: &'a Instruction,
    /// The number of the memory operand.
    operand: u32,
    /// The length of the memory operand, in bytes.
    length: usize,
    registers: &'a mut UserRegisters,
}

/// Does what an instruction does with the value of its memory operand; returns what is written there, if it
/// is written. Nothing is changed where that fails.
pub fn evaluate(
    instruction: &Instruction,
    operand: u32,
    length: usize,
    value: u64,
    registers: &mut UserRegisters,
) -> Result<u64, Stop> {
    Work { instruction, operand, length, registers }.done(value)
}

impl Work<'_> {
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic { bits: 8 * self.length as u32 }
    }

    fn flags(&self) -> u64 {
        self.registers.rflags
    }

    fn carry(&self) -> bool {
        self.flags() & CARRY != 0
    }

    /// Gives some flags the values that they have among `flags`.
    fn set_flags(&mut self, which: u64, flags: u64) {
        self.registers.rflags = self.registers.rflags & !which | flags & which;
    }

    /// The value of an operand that is a register or stands in the instruction.
    fn value(&self, operand: u32) -> u64 {
        match self.instruction.op_kind(operand) {
            OpKind::Register if self.instruction.op_register(operand).is_segment_register() => {
                self.selector(self.instruction.op_register(operand))
            }
            OpKind::Register => operand::read(self.registers, self.instruction.op_register(operand)),
            _ => self.instruction.immediate(operand) & mask(self.length),
        }
    }

    fn selector(&self, segment: Register) -> u64 {
        match segment {
            Register::ES => self.registers.es.into(),
            Register::DS => self.registers.ds.into(),
            Register::FS => self.registers.fs.into(),
            Register::GS => self.registers.gs.into(),
            Register::CS => self.registers.cs,
            _ => self.registers.ss,
        }
    }

    /// The value of the first operand that is not the one in memory.
    fn other(&self) -> u64 {
        self.value(if self.operand == 0 { 1 } else { 0 })
    }

    /// Writes the register that is an operand.
    fn set(&mut self, operand: u32, value: u64) {
        operand::write(self.registers, self.instruction.op_register(operand), value);
    }

    /// Writes the result of an operation of two operands to the first one, whichever that is.
    fn finish(&mut self, (result, flags): Flagged) -> u64 {
        self.set_flags(STATUS, flags);
        if self.operand != 0 {
            self.set(0, result);
        }
        result
    }

    /// The first and the second operand.
    fn both(&self, value: u64) -> (u64, u64) {
        if self.operand == 0 { (value, self.other()) } else { (self.other(), value) }
    }

    fn done(mut self, value: u64) -> Result<u64, Stop> {
        use Mnemonic::*;
        let it = self.arithmetic();
        let (a, b) = match self.instruction.op_count() {
            2 => self.both(value),
            _ => (value, 0),
        };
        let carry = self.carry();
        let result = match self.instruction.mnemonic() {
            Add => self.finish(it.add(a, b, false)),
            Adc => self.finish(it.add(a, b, carry)),
            Sub => self.finish(it.subtract(a, b, false)),
            Sbb => self.finish(it.subtract(a, b, carry)),
            And => self.finish(it.bitwise(a & b)),
            Or => self.finish(it.bitwise(a | b)),
            Xor => self.finish(it.bitwise(a ^ b)),
            Cmp => self.compared(it.subtract(a, b, false)),
            Test => self.compared(it.bitwise(a & b)),
            Inc => self.counted(it.add(value, 1, false)),
            Dec => self.counted(it.subtract(value, 1, false)),
            Neg => self.finish(it.subtract(0, value, false)),
            Not => !value & it.mask(),
            Rol | Ror | Rcl | Rcr | Shl | Sal | Shr | Sar => self.shifted(value),
            Shld | Shrd => self.shifted_from(value),
            Bt | Bts | Btr | Btc => self.bit(value),
            Xchg => {
                let before = self.other();
                self.set(self.other_register(), value);
                before
            }
            Xadd => {
                let (sum, flags) = it.add(value, self.other(), false);
                self.set_flags(STATUS, flags);
                self.set(self.other_register(), value);
                sum
            }
            Cmpxchg => self.exchanged(value),
            Mul | Imul | Div | Idiv if self.instruction.op_count() == 1 => return self.accumulated(value),
            Imul => self.multiplied(value),
            Bsf | Bsr | Tzcnt | Lzcnt | Popcnt => self.counted_bits(value),
            Crc32 => {
                let sum = crc(self.value(0) as u32, value, self.length);
                self.set(0, sum.into());
                value
            }
            Mov | Movzx | Movnti if self.operand == 0 => self.other(),
            Mov | Movzx => self.loaded(value),
            Movsx | Movsxd => self.loaded(it.signed(value) as u64),
            Movbe if self.operand == 0 => self.swapped(self.other()),
            Movbe => self.loaded(self.swapped(value)),
            Andn | Bextr | Bzhi | Blsi | Blsmsk | Blsr | Pdep | Pext | Mulx | Rorx | Sarx | Shlx | Shrx
            | Adcx | Adox => self.extended(value),
            _ => self.conditional(value),
        };
        Ok(result)
    }

    fn loaded(&mut self, value: u64) -> u64 {
        self.set(0, value);
        value
    }

    fn swapped(&self, value: u64) -> u64 {
        value.swap_bytes() >> (64 - 8 * self.length)
    }

    fn compared(&mut self, (_, flags): Flagged) -> u64 {
        self.set_flags(STATUS, flags);
        0
    }

    fn counted(&mut self, (result, flags): Flagged) -> u64 {
        self.set_flags(STATUS & !CARRY, flags);
        result
    }

    /// The number of the operand that is not the one in memory, of two.
    fn other_register(&self) -> u32 {
        1 - self.operand
    }

    fn shifted(&mut self, value: u64) -> u64 {
        use Mnemonic::*;
        let (it, carry) = (self.arithmetic(), self.carry());
        let count = it.distance(self.value(1));
        if count == 0 {
            return value;
        }
        let (which, done) = match self.instruction.mnemonic() {
            Rol => (ROTATED, Some(it.rotate_left(value, count))),
            Ror => (ROTATED, Some(it.rotate_right(value, count))),
            Rcl => (ROTATED, it.rotate_carry_left(value, carry, count)),
            Rcr => (ROTATED, it.rotate_carry_right(value, carry, count)),
            Shr => (STATUS, Some(it.shift_right(value, count))),
            Sar => (STATUS, Some(it.shift_right_signed(value, count))),
            _ => (STATUS, Some(it.shift_left(value, count))),
        };
        let Some((result, flags)) = done else { return value };
        self.set_flags(which, flags);
        result
    }

    fn shifted_from(&mut self, value: u64) -> u64 {
        let it = self.arithmetic();
        let (filler, count) = (self.value(1), it.distance(self.value(2)));
        if count == 0 {
            return value;
        }
        self.finish(match self.instruction.mnemonic() {
            Mnemonic::Shld => it.shift_left_from(value, filler, count),
            _ => it.shift_right_from(value, filler, count),
        })
    }

    fn bit(&mut self, value: u64) -> u64 {
        let bit = 1 << (self.value(1) % u64::from(self.arithmetic().bits));
        self.set_flags(CARRY, if value & bit != 0 { CARRY } else { 0 });
        match self.instruction.mnemonic() {
            Mnemonic::Bts => value | bit,
            Mnemonic::Btr => value & !bit,
            Mnemonic::Btc => value ^ bit,
            _ => value,
        }
    }

    /// A part of RAX as long as the operand.
    fn accumulator(&self) -> Register {
        match self.length {
            1 => Register::AL,
            2 => Register::AX,
            4 => Register::EAX,
            _ => Register::RAX,
        }
    }

    fn exchanged(&mut self, value: u64) -> u64 {
        let accumulator = self.accumulator();
        let expected = operand::read(self.registers, accumulator);
        let (_, flags) = self.arithmetic().subtract(expected, value, false);
        self.set_flags(STATUS, flags);
        if flags & ZERO != 0 {
            return self.other();
        }
        operand::write(self.registers, accumulator, value);
        value
    }

    /// The registers that hold the low and the high half of a product.
    fn halves(&self) -> (Register, Register) {
        match self.length {
            1 => (Register::AL, Register::AH),
            2 => (Register::AX, Register::DX),
            4 => (Register::EAX, Register::EDX),
            _ => (Register::RAX, Register::RDX),
        }
    }

    fn accumulated(mut self, value: u64) -> Result<u64, Stop> {
        use Mnemonic::*;
        let it = self.arithmetic();
        let (low, high) = self.halves();
        let [a, b] = [low, high].map(|register| operand::read(self.registers, register));
        let (low_result, high_result) = match self.instruction.mnemonic() {
            Mul | Imul => {
                let is_signed = self.instruction.mnemonic() == Imul;
                let product = if is_signed { it.multiply_signed(a, value) } else { it.multiply(a, value) };
                self.set_flags(ROTATED, product.2);
                (product.0, product.1)
            }
            Div => it.divide(b, a, value).ok_or(Stop::Exception(DIVIDE))?,
            _ => it.divide_signed(b, a, value).ok_or(Stop::Exception(DIVIDE))?,
        };
        operand::write(self.registers, low, low_result);
        operand::write(self.registers, high, high_result);
        Ok(value)
    }

    fn multiplied(&mut self, value: u64) -> u64 {
        let by = if self.instruction.op_count() == 3 { self.value(2) } else { self.value(0) };
        let (low, _, flags) = self.arithmetic().multiply_signed(value, by);
        self.set_flags(ROTATED, flags);
        self.loaded(low)
    }

    fn counted_bits(&mut self, value: u64) -> u64 {
        use Mnemonic::*;
        let bits = self.arithmetic().bits;
        let leading = value.leading_zeros() - (64 - bits);
        let trailing = value.trailing_zeros().min(bits);
        let zero = |is_set: bool| if is_set { ZERO } else { 0 };
        let carry = if value == 0 { CARRY } else { 0 };
        let (result, which, flags) = match self.instruction.mnemonic() {
            Bsf | Bsr if value == 0 => {
                self.set_flags(ZERO, ZERO);
                return value;
            }
            Bsf => (trailing, ZERO, 0),
            Bsr => (bits - 1 - leading, ZERO, 0),
            Tzcnt => (trailing, ZERO | CARRY, zero(trailing == 0) | carry),
            Lzcnt => (leading, ZERO | CARRY, zero(leading == 0) | carry),
            _ => (value.count_ones(), STATUS, zero(value == 0)),
        };
        self.set_flags(which, flags);
        self.loaded(result.into())
    }

    /// SETcc and CMOVcc, which writes its register whether the condition holds or not.
    fn conditional(&mut self, value: u64) -> u64 {
        let holds = holds(self.instruction.condition_code(), self.flags());
        if is_cmov(self.instruction) {
            return self.loaded(if holds { value } else { self.value(0) });
        }
        holds.into()
    }
}
