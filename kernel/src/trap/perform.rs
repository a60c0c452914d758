// SPDX-License-Identifier: MIT
//! Performing an instruction for a thread, as the processor would have: once, after the PE that ends before it.
//!
//! All operands are found first, for presence and rights. If one is missing, nothing has been accessed, and the
//! instruction begins anew when that is mended. Then what is read is read, and after it what is written is written.
//! An instruction that changes its operand reads it once and writes it once, in any case. LOCK adds nothing.

use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use pe_replay::stop::vector;

use super::environment::{Environment, Use, Wants};
use super::operand::{self, Operand, STACK};
use super::progress::{Progress, Stop};
use super::vector::Move;
use super::{integer, string};

/// What is done with the value of the operand.
enum Form {
    Integer,
    Vector(Move),
}

/// Performs an instruction, and not more than `most` iterations of one that repeats.
pub fn perform(
    instruction: &Instruction,
    most: u64,
    around: &mut impl Environment,
) -> Result<Progress, Stop> {
    let progress = match string::Form::new(instruction) {
        Some(form) => form.perform(instruction, most, around)?,
        None => {
            plain(instruction, around)?;
            Progress::Done
        }
    };
    if progress == Progress::Done {
        let registers = around.registers();
        registers.rip = registers.rip.wrapping_add(instruction.len() as u64);
    }
    Ok(progress)
}

/// The number of the one operand in memory.
fn memory_operand(instruction: &Instruction) -> Option<u32> {
    (0..instruction.op_count()).find(|operand| instruction.op_kind(*operand) == OpKind::Memory)
}

/// Performs an instruction that has an operand in memory and does not repeat.
fn plain(instruction: &Instruction, around: &mut impl Environment) -> Result<(), Stop> {
    let operand = memory_operand(instruction).ok_or(Stop::Refused)?;
    match instruction.mnemonic() {
        Mnemonic::Push => return push(instruction, around),
        Mnemonic::Pop => return pop(instruction, around),
        _ => {}
    }
    let (form, usage) = match Move::new(instruction, operand) {
        Some(found) => (Form::Vector(found), found.usage),
        None => (Form::Integer, integer::usage(instruction, operand).ok_or(Stop::Refused)?),
    };
    let length = instruction.memory_size().size();
    let address = operand::address(instruction, operand, around.registers()).ok_or(Stop::Refused)?;
    let address = address_of_bit(instruction, address, around);
    if let Form::Vector(found) = &form
        && found.is_aligned
        && !address.is_multiple_of(length as u64)
    {
        return Err(Stop::Exception(vector::GENERAL_PROTECTION));
    }
    let found = Operand::locate(address, length, usage.wants(), wild(instruction), around)?;
    let read = if usage == Use::Write { operand::bytes(0) } else { found.load(around) };
    let written = match form {
        Form::Vector(form) if usage == Use::Read => {
            form.load(&read, length, around.registers());
            return Ok(());
        }
        Form::Vector(form) => form.stored(around.registers()),
        Form::Integer => {
            let value = operand::word(&read);
            let done = integer::evaluate(instruction, operand, length, value, around.registers())?;
            operand::bytes(done)
        }
    };
    if usage != Use::Read {
        found.store(&written, around);
    }
    Ok(())
}

/// The exception of an address that is none.
fn wild(instruction: &Instruction) -> u8 {
    if instruction.memory_segment() == Register::SS { STACK } else { vector::GENERAL_PROTECTION }
}

/// The address of the operand in which an instruction that names a bit by a register finds it: the number may lead
/// beyond the operand, to either side.
fn address_of_bit(instruction: &Instruction, address: u64, around: &mut impl Environment) -> u64 {
    use Mnemonic::{Bt, Btc, Btr, Bts};
    let names_bit = matches!(instruction.mnemonic(), Bt | Bts | Btr | Btc);
    if !names_bit || instruction.op1_kind() != OpKind::Register {
        return address;
    }
    let length = instruction.memory_size().size();
    let registers = around.registers();
    let unused = 64 - 8 * length as u32;
    let bit = (operand::read(registers, instruction.op1_register()) << unused) as i64 >> unused;
    let further = (bit >> (8 * length).ilog2()).wrapping_mul(length as i64);
    let segment = operand::segment_base(registers, instruction.memory_segment());
    let offset = address.wrapping_sub(segment).wrapping_add_signed(further);
    let is_short = instruction.memory_base().size() == 4 || instruction.memory_index().size() == 4;
    segment.wrapping_add(if is_short { offset & operand::mask(4) } else { offset })
}

/// PUSH of an operand in memory. The stack is memory, or the instruction is refused.
fn push(instruction: &Instruction, around: &mut impl Environment) -> Result<(), Stop> {
    let length = instruction.memory_size().size();
    let address = operand::address(instruction, 0, around.registers()).ok_or(Stop::Refused)?;
    let from = Operand::locate(address, length, Wants::Read, wild(instruction), around)?;
    let top = around.registers().rsp.wrapping_sub(length as u64);
    let stack = Operand::locate(top, length, Wants::Write, STACK, around)?;
    if stack.is_device() {
        return Err(Stop::Refused);
    }
    let value = from.load(around);
    stack.store(&value, around);
    around.registers().rsp = top;
    Ok(())
}

/// POP to an operand in memory, whose address is that after RSP has moved.
fn pop(instruction: &Instruction, around: &mut impl Environment) -> Result<(), Stop> {
    let length = instruction.memory_size().size();
    let before = around.registers().rsp;
    let stack = Operand::locate(before, length, Wants::Read, STACK, around)?;
    if stack.is_device() {
        return Err(Stop::Refused);
    }
    let after = before.wrapping_add(length as u64);
    around.registers().rsp = after;
    let address = operand::address(instruction, 0, around.registers());
    around.registers().rsp = before;
    let address = address.ok_or(Stop::Refused)?;
    let to = Operand::locate(address, length, Wants::Write, wild(instruction), around)?;
    let value = stack.load(around);
    to.store(&value, around);
    around.registers().rsp = after;
    Ok(())
}
