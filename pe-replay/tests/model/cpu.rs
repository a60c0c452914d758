// SPDX-License-Identifier: MIT
//! A small processor on the real registers: one instruction at a time.
//!
//! It knows nothing of PEs, counters or tracking. Machine and reference share
//! it, so that what they differ in is only how they drive it.

use pe_replay::uprr::{INTERRUPT_FLAG, TRAP_FLAG, USER_FLAGS, Uprr, xsave};

/// Where the first instruction lies; each takes [`OP_LEN`] bytes.
pub const CODE: u64 = 0x40_0000;
/// Bytes an instruction takes.
pub const OP_LEN: u64 = 4;
/// The first address that is not a user's.
pub const USER_END: u64 = 0x7fff_ffff_f000;

pub const CF: u64 = 1 << 0;
pub const PF: u64 = 1 << 2;
pub const AF: u64 = 1 << 4;
pub const ZF: u64 = 1 << 6;
pub const SF: u64 = 1 << 7;
pub const DF: u64 = 1 << 10;
pub const OF: u64 = 1 << 11;

/// Vectors that instructions raise.
pub const DIVIDE: u8 = 0;
pub const BREAKPOINT: u8 = 3;
pub const UNDEFINED: u8 = 6;
pub const PROTECTION: u8 = 13;
pub const FAULT: u8 = 14;
pub const DEBUG: u8 = 1;

/// What an arithmetic instruction does.
#[derive(Clone, Copy, Debug)]
pub enum Alu {
    Add,
    Adc,
    Sub,
    And,
    Or,
    Xor,
    Mul,
    Rol,
}

/// When a jump is taken.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    Always,
    Zero,
    NotZero,
    Carry,
    Sign,
}

/// A memory operand: base register and displacement.
pub type At = (u8, i32);

/// One instruction. Registers go by their encoding numbers.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    MovImm(u8, u64),
    Mov(u8, u8),
    Alu(Alu, u8, u8),
    AddImm(u8, i32),
    Load(u8, At),
    LoadByte(u8, At),
    Store(At, u8),
    StoreByte(At, u8),
    Push(u8),
    Pop(u8),
    Pushf,
    Popf,
    /// Jumps to an instruction by its number, modulo the program's length.
    Jump(Condition, u16),
    /// Counts RCX down and jumps while it is not zero.
    Loop(u16),
    /// REP STOSQ; each iteration counts, as it does under emulators.
    RepStos,
    MovX(u8, u8),
    AddX(u8, u8),
    XorX(u8, u8),
    LoadX(u8, At),
    StoreX(At, u8),
    /// Fills the upper half of a vector register from lower halves.
    Widen(u8, u8),
    /// Pushes a general register's value onto the x87 stack.
    Fld(u8),
    SetMxcsr(u8),
    WriteFsBase(u8),
    WriteGsBase(u8),
    SetSelectors(u16),
    Syscall,
    Undefined,
    Breakpoint,
    Divide(u8),
    PortIo,
    Rdtsc,
    /// A value that is another one each time.
    Random(u8),
}

/// A refused access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub address: u64,
    pub error: u32,
}

/// What an instruction may reach outside the registers.
pub trait Bus {
    fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Fault>;
    /// Writes all of `bytes` or nothing.
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Fault>;
    fn random(&mut self) -> u64;
}

/// Why an instruction did not just go on to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    Syscall,
    Exception {
        vector: u8,
        error: u32,
        address: u64,
        /// Whether the instruction was completed all the same.
        retired: bool,
    },
}

impl Trap {
    /// An exception instead of the instruction.
    fn before(vector: u8) -> Self {
        Self::Exception { vector, error: 0, address: 0, retired: false }
    }

    /// An exception that follows the instruction.
    fn after(vector: u8) -> Self {
        Self::Exception { vector, error: 0, address: 0, retired: true }
    }

    /// Whether the instruction counts.
    pub fn retired(self) -> bool {
        match self {
            Self::Syscall => true,
            Self::Exception { retired, .. } => retired,
        }
    }
}

impl From<Fault> for Trap {
    fn from(Fault { address, error }: Fault) -> Self {
        if address < USER_END {
            Self::Exception { vector: FAULT, error, address, retired: false }
        } else {
            Self::before(PROTECTION)
        }
    }
}

/// The instruction at `rip`, if there is one.
pub fn op_at(program: &[Op], rip: u64) -> Option<Op> {
    let offset = rip.checked_sub(CODE)?;
    if offset % OP_LEN != 0 {
        return None;
    }
    program.get(usize::try_from(offset / OP_LEN).ok()?).copied()
}

/// Executes one instruction. The extended state must be all there
/// (`machine::xsave::load`).
pub fn step(uprr: &mut Uprr, program: &[Op], bus: &mut impl Bus) -> Result<(), Trap> {
    if uprr.rip >= USER_END {
        return Err(Trap::before(PROTECTION));
    }
    let end = CODE + OP_LEN * program.len() as u64;
    if !(CODE..end).contains(&uprr.rip) {
        // Not present, user, fetch.
        let (error, address) = (1 << 2 | 1 << 4, uprr.rip);
        return Err(Trap::Exception { vector: FAULT, error, address, retired: false });
    }
    let op = op_at(program, uprr.rip).ok_or(Trap::before(UNDEFINED))?;
    let traced = uprr.rflags & TRAP_FLAG != 0;
    execute(uprr, op, program.len(), bus)?;
    if traced { Err(Trap::after(DEBUG)) } else { Ok(()) }
}

fn execute(uprr: &mut Uprr, op: Op, length: usize, bus: &mut impl Bus) -> Result<(), Trap> {
    let next = uprr.rip + OP_LEN;
    let goto = |target: u16| CODE + OP_LEN * (u64::from(target) % length as u64);
    let address = |uprr: &Uprr, (base, displacement): At| {
        uprr.gprs()[usize::from(base)].wrapping_add_signed(displacement.into())
    };
    let get = |uprr: &Uprr, index: u8| uprr.gprs()[usize::from(index)];
    match op {
        Op::MovImm(to, value) => *uprr.gpr_mut(to) = value,
        Op::Mov(to, from) => *uprr.gpr_mut(to) = get(uprr, from),
        Op::Alu(alu, to, from) => {
            let (x, y) = (get(uprr, to), get(uprr, from));
            let value = arithmetic(&mut uprr.rflags, alu, x, y);
            *uprr.gpr_mut(to) = value;
        }
        Op::AddImm(to, value) => {
            let (x, y) = (get(uprr, to), value as u64);
            let value = arithmetic(&mut uprr.rflags, Alu::Add, x, y);
            *uprr.gpr_mut(to) = value;
        }
        Op::Load(to, at) => {
            let mut bytes = [0; 8];
            bus.read(address(uprr, at), &mut bytes)?;
            *uprr.gpr_mut(to) = u64::from_le_bytes(bytes);
        }
        Op::LoadByte(to, at) => {
            let mut byte = [0];
            bus.read(address(uprr, at), &mut byte)?;
            *uprr.gpr_mut(to) = byte[0].into();
        }
        Op::Store(at, from) => bus.write(address(uprr, at), &get(uprr, from).to_le_bytes())?,
        Op::StoreByte(at, from) => bus.write(address(uprr, at), &[get(uprr, from) as u8])?,
        Op::Push(from) => push(uprr, get(uprr, from), bus)?,
        Op::Pop(to) => {
            let value = pop(uprr, bus)?;
            *uprr.gpr_mut(to) = value;
        }
        Op::Pushf => push(uprr, uprr.rflags, bus)?,
        Op::Popf => {
            let value = pop(uprr, bus)?;
            uprr.rflags = uprr.rflags & !USER_FLAGS | value & USER_FLAGS;
        }
        Op::Jump(condition, target) => {
            let taken = match condition {
                Condition::Always => true,
                Condition::Zero => uprr.rflags & ZF != 0,
                Condition::NotZero => uprr.rflags & ZF == 0,
                Condition::Carry => uprr.rflags & CF != 0,
                Condition::Sign => uprr.rflags & SF != 0,
            };
            uprr.rip = if taken { goto(target) } else { next };
            return Ok(());
        }
        Op::Loop(target) => {
            uprr.rcx = uprr.rcx.wrapping_sub(1);
            uprr.rip = if uprr.rcx != 0 { goto(target) } else { next };
            return Ok(());
        }
        Op::RepStos if uprr.rcx == 0 => {}
        Op::RepStos => {
            bus.write(uprr.rdi, &uprr.rax.to_le_bytes())?;
            let step = if uprr.rflags & DF == 0 { 8 } else { -8 };
            uprr.rdi = uprr.rdi.wrapping_add_signed(step);
            uprr.rcx -= 1;
            return Ok(());
        }
        Op::MovX(to, from) => {
            let low = get(uprr, from);
            set_vector(uprr, xsave::XMM, to, u128::from(low) << 64 | u128::from(!low));
        }
        Op::AddX(to, from) => {
            let (x, y) = (vector(uprr, xsave::XMM, to), vector(uprr, xsave::XMM, from));
            set_vector(uprr, xsave::XMM, to, x.wrapping_add(y));
        }
        Op::XorX(to, from) => {
            let (x, y) = (vector(uprr, xsave::XMM, to), vector(uprr, xsave::XMM, from));
            set_vector(uprr, xsave::XMM, to, x ^ y);
        }
        Op::LoadX(to, at) => {
            let mut bytes = [0; 16];
            bus.read(address(uprr, at), &mut bytes)?;
            set_vector(uprr, xsave::XMM, to, u128::from_le_bytes(bytes));
        }
        Op::StoreX(at, from) => {
            bus.write(address(uprr, at), &vector(uprr, xsave::XMM, from).to_le_bytes())?;
        }
        Op::Widen(to, from) => {
            let value = vector(uprr, xsave::XMM, from).rotate_left(3);
            set_vector(uprr, xsave::YMM, to, value);
        }
        Op::Fld(from) => fld(uprr, get(uprr, from)),
        Op::SetMxcsr(from) => {
            let value = get(uprr, from) as u32 & 0xffff;
            uprr.extended.0[xsave::MXCSR..xsave::MXCSR + 4].copy_from_slice(&value.to_le_bytes());
        }
        Op::WriteFsBase(from) => uprr.fs_base = get(uprr, from) % USER_END,
        Op::WriteGsBase(from) => uprr.gs_base = get(uprr, from) % USER_END,
        Op::SetSelectors(value) => {
            (uprr.ds, uprr.es, uprr.fs, uprr.gs) = (value, !value, value >> 1, value << 1);
        }
        Op::Syscall => {
            uprr.rcx = next;
            uprr.r11 = uprr.rflags;
            uprr.rip = next;
            return Err(Trap::Syscall);
        }
        Op::Undefined => return Err(Trap::before(UNDEFINED)),
        Op::Breakpoint => {
            uprr.rip = next;
            return Err(Trap::after(BREAKPOINT));
        }
        Op::Divide(by) => {
            let quotient = uprr.rax.checked_div(get(uprr, by)).ok_or(Trap::before(DIVIDE))?;
            uprr.rdx = uprr.rax.wrapping_sub(quotient.wrapping_mul(get(uprr, by)));
            uprr.rax = quotient;
        }
        Op::PortIo | Op::Rdtsc => return Err(Trap::before(PROTECTION)),
        Op::Random(to) => *uprr.gpr_mut(to) = bus.random(),
    }
    uprr.rip = next;
    Ok(())
}

fn arithmetic(flags: &mut u64, alu: Alu, x: u64, y: u64) -> u64 {
    let carry_in = *flags & CF;
    let (value, carry, overflow) = match alu {
        Alu::Add => {
            (x.wrapping_add(y), x.checked_add(y).is_none(), (x as i64).checked_add(y as i64).is_none())
        }
        Alu::Adc => {
            let sum = u128::from(x) + u128::from(y) + u128::from(carry_in);
            (sum as u64, sum >> 64 != 0, (x ^ sum as u64) & (y ^ sum as u64) >> 63 != 0)
        }
        Alu::Sub => (x.wrapping_sub(y), x < y, (x as i64).checked_sub(y as i64).is_none()),
        Alu::And => (x & y, false, false),
        Alu::Or => (x | y, false, false),
        Alu::Xor => (x ^ y, false, false),
        Alu::Mul => (x.wrapping_mul(y), x.checked_mul(y).is_none(), x.checked_mul(y).is_none()),
        Alu::Rol => (x.rotate_left(y as u32 % 64), x >> 63 != 0, false),
    };
    *flags &= !(CF | PF | AF | ZF | SF | OF);
    let set = [
        (carry, CF),
        ((value as u8).count_ones().is_multiple_of(2), PF),
        ((x ^ y ^ value) & 0x10 != 0, AF),
        (value == 0, ZF),
        (value >> 63 != 0, SF),
        (overflow, OF),
    ];
    *flags |= set.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum::<u64>();
    value
}

fn push(uprr: &mut Uprr, value: u64, bus: &mut impl Bus) -> Result<(), Trap> {
    let top = uprr.rsp.wrapping_sub(8);
    bus.write(top, &value.to_le_bytes())?;
    uprr.rsp = top;
    Ok(())
}

fn pop(uprr: &mut Uprr, bus: &mut impl Bus) -> Result<u64, Trap> {
    let mut bytes = [0; 8];
    bus.read(uprr.rsp, &mut bytes)?;
    uprr.rsp = uprr.rsp.wrapping_add(8);
    Ok(u64::from_le_bytes(bytes))
}

fn vector(uprr: &Uprr, bank: usize, index: u8) -> u128 {
    let at = bank + 16 * usize::from(index);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&uprr.extended.0[at..at + 16]);
    u128::from_le_bytes(bytes)
}

fn set_vector(uprr: &mut Uprr, bank: usize, index: u8, value: u128) {
    let at = bank + 16 * usize::from(index);
    uprr.extended.0[at..at + 16].copy_from_slice(&value.to_le_bytes());
}

/// Shifts the stack by one and leaves traces in all of the x87 environment.
fn fld(uprr: &mut Uprr, value: u64) {
    let rip = uprr.rip;
    let area = &mut uprr.extended.0;
    area.copy_within(xsave::ST..xsave::ST + 112, xsave::ST + 16);
    area[xsave::ST..xsave::ST + 8].copy_from_slice(&value.to_le_bytes());
    area[xsave::ST + 8..xsave::ST + 10].copy_from_slice(&[0xff, 0x3f]);
    let top = (area[xsave::FSW + 1] >> 3).wrapping_sub(1) & 7;
    area[xsave::FSW + 1] = top << 3;
    area[xsave::FTW] |= 1 << top;
    area[xsave::FOP] = value as u8;
    area[xsave::FIP..xsave::FIP + 8].copy_from_slice(&rip.to_le_bytes());
    area[xsave::FDP..xsave::FDP + 8].copy_from_slice(&(value ^ rip).to_le_bytes());
}

/// Flags of a program before its first instruction.
pub const FIRST_FLAGS: u64 = INTERRUPT_FLAG | 2;
