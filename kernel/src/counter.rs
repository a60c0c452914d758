// SPDX-License-Identifier: MIT
//! The instruction counter in use, and its calibration on blocks of user code.

mod choose;

use pe_replay::Uprr;
use pe_replay::stop::{Cause, vector};
use pe_replay::wire::config::Config;
use pe_replay::wire::end::{CounterFault, CounterReport};
use pmu::{Block, Calibration, Entry, Fault, MAX_AFTER, Sample, StopKind, Workbench};

pub use choose::{Counting, Selection, choose};

use crate::arch::context::{self, Start};
use crate::arch::segment::{USER_CS, USER_SS};
use crate::arch::{machine, watchdog};
use crate::mem::space::{Access, BadAddress, OutOfFrames, PAGE_LEN, Space};

/// Where the blocks are mapped meanwhile.
const CODE: u64 = 0x40_0000;
const READ_ONLY: u64 = CODE + PAGE_LEN;

const INC_RAX: [u8; 3] = [0x48, 0xff, 0xc0];
const INCREMENTS_PER_LOOP: u64 = 7;
/// Offsets of the blocks in their page.
const LOOP_AT: u64 = 0;
const FAULT_AT: u64 = 0x100;
const SYSCALL_AT: u64 = 0x200;
const LONG_AT: u64 = 0x300;
/// DEC RAX, JNZ back to it, SYSCALL.
const LONG: [u8; 7] = [0x48, 0xff, 0xc8, 0x75, 0xfb, 0x0f, 0x05];
const LONG_JUMP: u64 = LONG_AT + 3;

/// Why there is no counter.
pub enum CounterError {
    /// It failed its calibration.
    Fault(CounterFault),
    /// There was no memory for it.
    OutOfFrames,
}

impl From<OutOfFrames> for CounterError {
    fn from(OutOfFrames: OutOfFrames) -> Self {
        Self::OutOfFrames
    }
}

impl From<Fault> for CounterError {
    fn from(fault: Fault) -> Self {
        Self::Fault(match fault {
            Fault::Dead => CounterFault::Dead,
            Fault::Spread { least, most } => CounterFault::Spread { least, most },
            Fault::Inexact { asked, seen } => CounterFault::Inexact { asked, seen },
        })
    }
}

/// The bias that belongs to a cause.
#[inline]
pub fn stop_kind(cause: Cause) -> StopKind {
    match cause {
        Cause::Syscall => StopKind::Syscall,
        Cause::Counter => StopKind::Counter,
        Cause::Watchdog | Cause::Breakpoint | Cause::Exception { vector: vector::DEBUG, .. } => {
            StopKind::Debug
        }
        Cause::Exception { .. } => StopKind::Fault,
    }
}

/// What the host is told about a calibrated counter.
pub fn report(counting: &Counting) -> CounterReport {
    let calibration = match counting.other {
        Some(counter) => *counter.lock().calibration(),
        None => counting.clock.calibration,
    };
    let Calibration { lead, biases, skid: _ } = calibration;
    CounterReport {
        kind: counting.kind,
        arm_lead: lead,
        bias_counter: biases.counter,
        bias_page_fault: biases.fault,
        bias_debug: biases.debug,
        bias_syscall: biases.syscall,
        comparisons: counting.clock.comparisons,
    }
}

/// Finds the counter that the configuration asks for, on blocks in `space`, which is
/// left as it was.
pub fn select(config: &Config, space: &mut Space, mxcsr_mask: u32) -> Result<Selection, CounterError> {
    on_bench(space, mxcsr_mask, |bench| choose(config.counter, config.counter_faults, bench))?
}

/// Does something with the known blocks, mapped in `space` meanwhile.
pub fn on_bench<T>(
    space: &mut Space,
    mxcsr_mask: u32,
    work: impl FnOnce(&mut dyn Workbench) -> T,
) -> Result<T, OutOfFrames> {
    let code = Access { read: true, write: false, execute: true };
    space.map_zeroed(CODE, code)?;
    space.map_zeroed(READ_ONLY, Access { read: true, write: false, execute: false })?;
    if let Err(BadAddress(address)) = load_blocks(space) {
        panic!("{address:#x} was mapped just now");
    }
    let done = work(&mut UserBlocks::new(mxcsr_mask));
    space.unmap(CODE);
    space.unmap(READ_ONLY);
    Ok(done)
}

fn load_blocks(space: &mut Space) -> Result<(), BadAddress> {
    let jump_back = [0xeb, (-(INCREMENTS_PER_LOOP as i8 * 3 + 2)) as u8];
    let store = [0x48, 0x89, 0x03];
    let syscall = [0x0f, 0x05];
    for (at, increments, last) in [
        (LOOP_AT, INCREMENTS_PER_LOOP, &jump_back[..]),
        (FAULT_AT, MAX_AFTER.into(), &store),
        (SYSCALL_AT, MAX_AFTER.into(), &syscall),
    ] {
        for index in 0..increments {
            space.load(CODE + at + index * INC_RAX.len() as u64, &INC_RAX)?;
        }
        space.load(CODE + at + increments * INC_RAX.len() as u64, last)?;
    }
    space.load(CODE + LONG_AT, &LONG)
}

/// The blocks in user mode.
struct UserBlocks {
    mxcsr_mask: u32,
    block: Block,
    state: Uprr,
    /// Instructions of the block before this stretch.
    executed: u64,
}

impl UserBlocks {
    fn new(mxcsr_mask: u32) -> Self {
        Self { mxcsr_mask, block: Block::Loop, state: Uprr::new(USER_CS, USER_SS), executed: 0 }
    }

    fn stretch(&mut self, entry: Entry, fresh: bool) -> Option<Sample> {
        watchdog::wind(machine::now());
        let step = entry.step || self.block == Block::Step;
        let start = Start { timer: entry.timer, step, resume: false, interrupts_off: false, fresh };
        let stretch = context::enter(None, &mut self.state, start, self.mxcsr_mask);
        let kind = stop_kind(stretch.cause);
        let ended = match (self.block, stretch.cause) {
            (_, Cause::Counter) => true,
            (Block::Fault { .. }, cause) => cause.write_fault() == Some(READ_ONLY),
            (Block::Step, Cause::Exception { vector, .. }) => vector == vector::DEBUG,
            (Block::Breakpoint { .. }, cause) => cause == Cause::Breakpoint,
            (Block::Syscall { .. } | Block::Long { .. }, cause) => cause == Cause::Syscall,
            (Block::Loop | Block::Step, _) => false,
        };
        let so_far = self.executed_by(stretch.cause);
        let before = core::mem::replace(&mut self.executed, so_far);
        let elapsed = stretch.left.wrapping_sub(stretch.entered);
        ended.then(|| Sample { kind, elapsed, executed: so_far - before })
    }

    /// Instructions of the block so far, as the registers tell.
    fn executed_by(&self, cause: Cause) -> u64 {
        let own = u64::from(cause == Cause::Syscall);
        match self.block {
            Block::Loop => {
                let jumps = self.state.rax / INCREMENTS_PER_LOOP;
                let jump_is_next =
                    self.state.rax.is_multiple_of(INCREMENTS_PER_LOOP) && self.state.rip != CODE + LOOP_AT;
                self.state.rax + jumps - u64::from(jump_is_next)
            }
            Block::Long { loops } => {
                let jump_is_next = self.state.rip == CODE + LONG_JUMP;
                2 * (u64::from(loops) - self.state.rax) - u64::from(jump_is_next) + own
            }
            Block::Fault { .. } | Block::Step | Block::Breakpoint { .. } | Block::Syscall { .. } => {
                self.state.rax + own
            }
        }
    }
}

impl Workbench for UserBlocks {
    fn execute(&mut self, block: Block, entry: Entry) -> Option<Sample> {
        let len = INC_RAX.len() as u64;
        let skipped = |after: u8| u64::from(MAX_AFTER - after) * len;
        let (start, breakpoint) = match block {
            Block::Loop | Block::Step => (LOOP_AT, None),
            Block::Fault { after } => (FAULT_AT + skipped(after), None),
            Block::Breakpoint { after } => (FAULT_AT, Some(CODE + FAULT_AT + u64::from(after) * len)),
            Block::Syscall { after } => (SYSCALL_AT + skipped(after), None),
            Block::Long { .. } => (LONG_AT, None),
        };
        self.block = block;
        self.executed = 0;
        self.state = Uprr::new(USER_CS, USER_SS);
        self.state.rip = CODE + start;
        self.state.rbx = READ_ONLY;
        if let Block::Long { loops } = block {
            self.state.rax = loops.into();
        }
        machine::set_breakpoint(breakpoint);
        let sample = self.stretch(entry, true);
        machine::set_breakpoint(None);
        sample
    }

    fn resume(&mut self, entry: Entry) -> Option<Sample> {
        self.stretch(entry, false)
    }
}
