// SPDX-License-Identifier: MIT
//! A small processor on the real registers: one instruction at a time.
//!
//! It knows nothing of PEs, counters or tracking. Machine and reference share
//! it, so that what they differ in is only how they drive it.

use pe_replay::user::{INTERRUPT_FLAG, TRAP_FLAG, USER_FLAGS, UserRegisters, xsave};

/// The RFLAGS bits that are flipped.
pub const INJECTABLE_FLAGS: u64 = USER_FLAGS | INTERRUPT_FLAG;

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
    /// REPNE SCASQ, which also ends where it finds what RAX holds.
    RepneScas,
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
    /// A store of such a value, which is in no register.
    StoreRandom(At),
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
pub fn step(user: &mut UserRegisters, program: &[Op], bus: &mut impl Bus) -> Result<(), Trap> {
    if user.rip >= USER_END {
        return Err(Trap::before(PROTECTION));
    }
    let end = CODE + OP_LEN * program.len() as u64;
    if !(CODE..end).contains(&user.rip) {
        // Not present, user, fetch.
        let (error, address) = (1 << 2 | 1 << 4, user.rip);
        return Err(Trap::Exception { vector: FAULT, error, address, retired: false });
    }
    let op = op_at(program, user.rip).ok_or(Trap::before(UNDEFINED))?;
    let traced = user.rflags & TRAP_FLAG != 0;
    execute(user, op, program.len(), bus)?;
    if traced { Err(Trap::after(DEBUG)) } else { Ok(()) }
}

fn execute(user: &mut UserRegisters, op: Op, length: usize, bus: &mut impl Bus) -> Result<(), Trap> {
    let next = user.rip + OP_LEN;
    let goto = |target: u16| CODE + OP_LEN * (u64::from(target) % length as u64);
    let address = |user: &UserRegisters, (base, displacement): At| {
        user.gprs()[usize::from(base)].wrapping_add_signed(displacement.into())
    };
    let get = |user: &UserRegisters, index: u8| user.gprs()[usize::from(index)];
    match op {
        Op::MovImm(to, value) => *user.gpr_mut(to) = value,
        Op::Mov(to, from) => *user.gpr_mut(to) = get(user, from),
        Op::Alu(alu, to, from) => {
            let (x, y) = (get(user, to), get(user, from));
            let value = arithmetic(&mut user.rflags, alu, x, y);
            *user.gpr_mut(to) = value;
        }
        Op::AddImm(to, value) => {
            let (x, y) = (get(user, to), value as u64);
            let value = arithmetic(&mut user.rflags, Alu::Add, x, y);
            *user.gpr_mut(to) = value;
        }
        Op::Load(to, at) => {
            let mut bytes = [0; 8];
            bus.read(address(user, at), &mut bytes)?;
            *user.gpr_mut(to) = u64::from_le_bytes(bytes);
        }
        Op::LoadByte(to, at) => {
            let mut byte = [0];
            bus.read(address(user, at), &mut byte)?;
            *user.gpr_mut(to) = byte[0].into();
        }
        Op::Store(at, from) => bus.write(address(user, at), &get(user, from).to_le_bytes())?,
        Op::StoreByte(at, from) => bus.write(address(user, at), &[get(user, from) as u8])?,
        Op::Push(from) => push(user, get(user, from), bus)?,
        Op::Pop(to) => {
            let value = pop(user, bus)?;
            *user.gpr_mut(to) = value;
        }
        Op::Pushf => push(user, user.rflags, bus)?,
        Op::Popf => {
            let value = pop(user, bus)?;
            user.rflags = user.rflags & !USER_FLAGS | value & USER_FLAGS;
        }
        Op::Jump(condition, target) => {
            let taken = match condition {
                Condition::Always => true,
                Condition::Zero => user.rflags & ZF != 0,
                Condition::NotZero => user.rflags & ZF == 0,
                Condition::Carry => user.rflags & CF != 0,
                Condition::Sign => user.rflags & SF != 0,
            };
            user.rip = if taken { goto(target) } else { next };
            return Ok(());
        }
        Op::Loop(target) => {
            user.rcx = user.rcx.wrapping_sub(1);
            user.rip = if user.rcx != 0 { goto(target) } else { next };
            return Ok(());
        }
        Op::RepStos if user.rcx == 0 => {}
        Op::RepStos => {
            bus.write(user.rdi, &user.rax.to_le_bytes())?;
            let step = if user.rflags & DF == 0 { 8 } else { -8 };
            user.rdi = user.rdi.wrapping_add_signed(step);
            user.rcx -= 1;
            return Ok(());
        }
        Op::RepneScas if user.rcx == 0 => {}
        Op::RepneScas => {
            let mut bytes = [0; 8];
            bus.read(user.rdi, &mut bytes)?;
            arithmetic(&mut user.rflags, Alu::Sub, user.rax, u64::from_le_bytes(bytes));
            let step = if user.rflags & DF == 0 { 8 } else { -8 };
            user.rdi = user.rdi.wrapping_add_signed(step);
            user.rcx -= 1;
            if user.rflags & ZF == 0 {
                return Ok(());
            }
        }
        Op::MovX(to, from) => {
            let low = get(user, from);
            set_vector(user, xsave::XMM, to, u128::from(low) << 64 | u128::from(!low));
        }
        Op::AddX(to, from) => {
            let (x, y) = (vector(user, xsave::XMM, to), vector(user, xsave::XMM, from));
            set_vector(user, xsave::XMM, to, x.wrapping_add(y));
        }
        Op::XorX(to, from) => {
            let (x, y) = (vector(user, xsave::XMM, to), vector(user, xsave::XMM, from));
            set_vector(user, xsave::XMM, to, x ^ y);
        }
        Op::LoadX(to, at) => {
            let mut bytes = [0; 16];
            bus.read(address(user, at), &mut bytes)?;
            set_vector(user, xsave::XMM, to, u128::from_le_bytes(bytes));
        }
        Op::StoreX(at, from) => {
            bus.write(address(user, at), &vector(user, xsave::XMM, from).to_le_bytes())?;
        }
        Op::Widen(to, from) => {
            let value = vector(user, xsave::XMM, from).rotate_left(3);
            set_vector(user, xsave::YMM, to, value);
        }
        Op::Fld(from) => fld(user, get(user, from)),
        Op::SetMxcsr(from) => {
            let value = get(user, from) as u32 & 0xffff;
            user.extended.0[xsave::MXCSR..xsave::MXCSR + 4].copy_from_slice(&value.to_le_bytes());
        }
        Op::WriteFsBase(from) => user.fs_base = get(user, from) % USER_END,
        Op::WriteGsBase(from) => user.gs_base = get(user, from) % USER_END,
        Op::SetSelectors(value) => {
            (user.ds, user.es, user.fs, user.gs) = (value, !value, value >> 1, value << 1);
        }
        Op::Syscall => {
            user.rcx = next;
            user.r11 = user.rflags;
            user.rip = next;
            return Err(Trap::Syscall);
        }
        Op::Undefined => return Err(Trap::before(UNDEFINED)),
        Op::Breakpoint => {
            user.rip = next;
            return Err(Trap::after(BREAKPOINT));
        }
        Op::Divide(by) => {
            let quotient = user.rax.checked_div(get(user, by)).ok_or(Trap::before(DIVIDE))?;
            user.rdx = user.rax.wrapping_sub(quotient.wrapping_mul(get(user, by)));
            user.rax = quotient;
        }
        Op::PortIo | Op::Rdtsc => return Err(Trap::before(PROTECTION)),
        Op::Random(to) => *user.gpr_mut(to) = bus.random(),
        Op::StoreRandom(at) => {
            let value = bus.random();
            bus.write(address(user, at), &value.to_le_bytes())?;
        }
    }
    user.rip = next;
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

fn push(user: &mut UserRegisters, value: u64, bus: &mut impl Bus) -> Result<(), Trap> {
    let top = user.rsp.wrapping_sub(8);
    bus.write(top, &value.to_le_bytes())?;
    user.rsp = top;
    Ok(())
}

fn pop(user: &mut UserRegisters, bus: &mut impl Bus) -> Result<u64, Trap> {
    let mut bytes = [0; 8];
    bus.read(user.rsp, &mut bytes)?;
    user.rsp = user.rsp.wrapping_add(8);
    Ok(u64::from_le_bytes(bytes))
}

fn vector(user: &UserRegisters, bank: usize, index: u8) -> u128 {
    let at = bank + 16 * usize::from(index);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&user.extended.0[at..at + 16]);
    u128::from_le_bytes(bytes)
}

fn set_vector(user: &mut UserRegisters, bank: usize, index: u8, value: u128) {
    let at = bank + 16 * usize::from(index);
    user.extended.0[at..at + 16].copy_from_slice(&value.to_le_bytes());
}

/// Shifts the stack by one and leaves traces in all of the x87 environment.
fn fld(user: &mut UserRegisters, value: u64) {
    let rip = user.rip;
    let area = &mut user.extended.0;
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
