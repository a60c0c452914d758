// SPDX-License-Identifier: MIT
//! Blocks of user code of known length, on which counters prove themselves.

mod long;

use pe_replay::UserRegisters;
use pe_replay::stop::{Cause, vector};
use pe_replay::user::TRAP_FLAG;
use pmu::{Block, Entry, MAX_AFTER, Sample, TRAILING, Trapped, Workbench};
use strum::VariantArray as _;

use super::stop_kind;
use crate::arch::context::{self, Start};
use crate::arch::segment::{USER_CS, USER_SS};
use crate::arch::{machine, watchdog};
use crate::mem::space::{Access, BadAddress, OutOfFrames, PAGE_LEN, Space};

/// Where the blocks are mapped meanwhile.
const CODE: u64 = 0x40_0000;
const READ_ONLY: u64 = CODE + PAGE_LEN;
/// What a locked instruction adds to, and the stack at its end.
const DATA: u64 = READ_ONLY + PAGE_LEN;

const INC_RAX: &[u8] = &[0x48, 0xff, 0xc0];
const SYSCALL: &[u8] = &[0x0f, 0x05];
const INCREMENTS_PER_LOOP: u64 = 7;
/// Offsets of the blocks in their page.
const LOOP_AT: u64 = 0;
const FAULT_AT: u64 = 0x100;
const LOCKED_AT: u64 = 0x340;
const TRAPPED_AT: u64 = 0x380;
const TRAPPED_LEN: u64 = 0x20;
const LONG_AT: u64 = 0x400;
/// LOCK ADD [RDI], RAX; DEC RAX; JNZ back; SYSCALL.
const LOCKED: [u8; 11] = [0xf0, 0x48, 0x01, 0x07, 0x48, 0xff, 0xc8, 0x75, 0xf7, 0x0f, 0x05];
const LOCKED_DECREMENT: u64 = LOCKED_AT + 4;
const LOCKED_JUMP: u64 = LOCKED_AT + 7;

/// All instructions of such a block.
fn instructions(trapped: Trapped) -> [&'static [u8]; TRAILING as usize + 2] {
    const MOV_SS: &[u8] = &[0x8e, 0xd0];
    const PAUSE: &[u8] = &[0xf3, 0x90];
    const PUSHF: &[u8] = &[0x9c];
    const POP_RDX: &[u8] = &[0x5a];
    let (first, second) = match trapped {
        Trapped::Plain => (INC_RAX, INC_RAX),
        Trapped::Shadow => (MOV_SS, INC_RAX),
        Trapped::Pause => (PAUSE, INC_RAX),
        Trapped::Flags => (PUSHF, POP_RDX),
    };
    [first, second, INC_RAX, INC_RAX, SYSCALL]
}

fn trapped_at(trapped: Trapped) -> u64 {
    TRAPPED_AT + trapped as u64 * TRAPPED_LEN
}

/// Does something with the known blocks, mapped in `space` meanwhile.
pub fn on_bench<T>(
    space: &mut Space,
    mxcsr_mask: u32,
    work: impl FnOnce(&mut dyn Workbench) -> T,
) -> Result<T, OutOfFrames> {
    let access = |write, execute| Access { read: true, write, execute };
    space.map_zeroed(CODE, access(false, true))?;
    space.map_zeroed(READ_ONLY, access(false, false))?;
    space.map_zeroed(DATA, access(true, false))?;
    // First writes are not to fault.
    if let Some(page) = space.tracked(DATA) {
        space.switch(&page, page.frame, pe_replay::Access::Open);
    }
    if let Err(BadAddress(address)) = load_blocks(space) {
        panic!("{address:#x} was mapped just now");
    }
    let done = work(&mut UserBlocks::new(mxcsr_mask));
    for page in [CODE, READ_ONLY, DATA] {
        space.unmap(page);
    }
    Ok(done)
}

fn load_blocks(space: &mut Space) -> Result<(), BadAddress> {
    let jump_back = [0xeb, (-(INCREMENTS_PER_LOOP as i8 * 3 + 2)) as u8];
    let store = [0x48, 0x89, 0x03];
    for (at, increments, last) in
        [(LOOP_AT, INCREMENTS_PER_LOOP, &jump_back[..]), (FAULT_AT, MAX_AFTER.into(), &store)]
    {
        for index in 0..increments {
            space.load(CODE + at + index * INC_RAX.len() as u64, INC_RAX)?;
        }
        space.load(CODE + at + increments * INC_RAX.len() as u64, last)?;
    }
    for &trapped in Trapped::VARIANTS {
        let mut at = CODE + trapped_at(trapped);
        for instruction in instructions(trapped) {
            space.load(at, instruction)?;
            at += instruction.len() as u64;
        }
    }
    space.load(CODE + LONG_AT, &long::code())?;
    space.load(CODE + LOCKED_AT, &LOCKED)
}

/// The blocks in user mode.
struct UserBlocks {
    mxcsr_mask: u32,
    block: Block,
    /// Where a block starts: only a few registers differ from one block to the next.
    start: UserRegisters,
    state: UserRegisters,
    /// Instructions of the block before this stretch.
    executed: u64,
}

impl UserBlocks {
    fn new(mxcsr_mask: u32) -> Self {
        let start = UserRegisters {
            rbx: READ_ONLY,
            rdi: DATA,
            rsp: DATA + PAGE_LEN,
            ..UserRegisters::new(USER_CS, USER_SS)
        };
        Self { mxcsr_mask, block: Block::Loop, state: start.clone(), start, executed: 0 }
    }

    /// From the start of the block, or from where it was left.
    fn stretch(&mut self, entry: Entry, from_start: bool) -> Option<Sample> {
        watchdog::wind(machine::now());
        let step = entry.step || self.block == Block::Step;
        let start =
            Start { timer: entry.timer, step, resume: false, interrupts_off: false, fresh: from_start };
        let source = from_start.then_some(&self.start);
        let stretch = context::enter(source, &mut self.state, start, self.mxcsr_mask);
        self.state.rflags &= !TRAP_FLAG;
        let kind = stop_kind(stretch.cause);
        let is_debug = matches!(stretch.cause, Cause::Exception { vector: vector::DEBUG, .. });
        let ended = match (self.block, stretch.cause) {
            (_, Cause::Counter) => true,
            (Block::Fault(_), cause) => cause.write_fault() == Some(READ_ONLY),
            (Block::Step, _) => is_debug,
            (Block::Breakpoint(_), cause) => cause == Cause::Breakpoint,
            (Block::Trapped(_), cause) => cause == Cause::Syscall || step && is_debug,
            (Block::Long(_) | Block::Locked(_), cause) => cause == Cause::Syscall,
            (Block::Loop, _) => false,
        };
        let so_far = self.executed_by(stretch.cause);
        let before = core::mem::replace(&mut self.executed, so_far);
        let elapsed = stretch.left.wrapping_sub(stretch.entered);
        let trap_shown = self.block == Block::Trapped(Trapped::Flags) && self.state.rdx & TRAP_FLAG != 0;
        ended.then(|| Sample { kind, elapsed, executed: so_far - before, trap_shown })
    }

    /// Instructions of the block so far, as the registers tell.
    fn executed_by(&self, cause: Cause) -> u64 {
        let own = u64::from(cause == Cause::Syscall);
        let at = self.state.rip.wrapping_sub(CODE);
        match self.block {
            Block::Loop => {
                let jumps = self.state.rax / INCREMENTS_PER_LOOP;
                let jump_is_next = self.state.rax.is_multiple_of(INCREMENTS_PER_LOOP) && at != LOOP_AT;
                self.state.rax + jumps - u64::from(jump_is_next)
            }
            Block::Long(loops) => {
                long::executed(2 * u64::from(loops), self.state.rax, at.wrapping_sub(LONG_AT)) + own
            }
            Block::Locked(loops) => {
                let rounds = 3 * (u64::from(loops) - self.state.rax);
                rounds + u64::from(at == LOCKED_DECREMENT) - u64::from(at == LOCKED_JUMP) + own
            }
            Block::Trapped(trapped) => {
                let ends = instructions(trapped).into_iter().scan(trapped_at(trapped), |end, instruction| {
                    *end += instruction.len() as u64;
                    Some(*end)
                });
                ends.take_while(|&end| end <= at).count() as u64
            }
            Block::Fault(_) | Block::Step | Block::Breakpoint(_) => self.state.rax,
        }
    }
}

impl Workbench for UserBlocks {
    fn execute(&mut self, block: Block, entry: Entry) -> Option<Sample> {
        let len = INC_RAX.len() as u64;
        let skipped = |after: u8| u64::from(MAX_AFTER - after) * len;
        let (start, breakpoint) = match block {
            Block::Loop | Block::Step => (LOOP_AT, None),
            Block::Fault(after) => (FAULT_AT + skipped(after), None),
            Block::Breakpoint(after) => (FAULT_AT, Some(CODE + FAULT_AT + u64::from(after) * len)),
            Block::Long(loops) => (LONG_AT + long::start(2 * u64::from(loops)).1, None),
            Block::Locked(_) => (LOCKED_AT, None),
            Block::Trapped(trapped) => (trapped_at(trapped), None),
        };
        self.block = block;
        self.executed = 0;
        self.start.rip = CODE + start;
        self.start.rax = match block {
            Block::Long(loops) => long::start(2 * u64::from(loops)).0,
            Block::Locked(loops) => loops.into(),
            Block::Trapped(Trapped::Shadow) => USER_SS.into(),
            _ => 0,
        };
        machine::set_breakpoint(breakpoint);
        let sample = self.stretch(entry, true);
        machine::set_breakpoint(None);
        sample
    }

    fn resume(&mut self, entry: Entry) -> Option<Sample> {
        self.stretch(entry, false)
    }
}
