// SPDX-License-Identifier: MIT
//! The instruction counter in use, and its calibration on blocks of user code.

use pe_replay::Uprr;
use pe_replay::stop::{Cause, vector};
use pe_replay::wire::end::{CounterFault, CounterReport};
use pmu::{Block, Fault, MAX_AFTER, Sample, StopKind, VirtualTime, Workbench};

use crate::arch::context::{self, Start};
use crate::arch::segment::{USER_CS, USER_SS};
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
        Cause::Watchdog | Cause::Exception { vector: vector::DEBUG, .. } => StopKind::Debug,
        Cause::Exception { .. } => StopKind::Fault,
    }
}

/// What the host is told about a calibrated counter.
pub fn report(counter: &VirtualTime) -> CounterReport {
    CounterReport {
        arm_lead: counter.arm_lead,
        bias_counter: counter.bias_counter,
        bias_page_fault: counter.bias_fault,
        bias_debug: counter.bias_debug,
        bias_syscall: counter.bias_syscall,
        comparisons: counter.comparisons,
    }
}

/// Calibrates the counter in `space`, which is left as it was.
pub fn calibrate(space: &mut Space, mxcsr_mask: u32) -> Result<VirtualTime, CounterError> {
    let code = Access { read: true, write: false, execute: true };
    space.map_zeroed(CODE, code)?;
    space.map_zeroed(READ_ONLY, Access { read: true, write: false, execute: false })?;
    if let Err(BadAddress(address)) = load_blocks(space) {
        panic!("{address:#x} was mapped just now");
    }
    let counter = VirtualTime::calibrate(&mut UserBlocks { mxcsr_mask });
    space.unmap(CODE);
    space.unmap(READ_ONLY);
    Ok(counter?)
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
    Ok(())
}

struct UserBlocks {
    mxcsr_mask: u32,
}

impl Workbench for UserBlocks {
    fn execute(&mut self, block: Block) -> Option<Sample> {
        let skipped = |after: u8| u64::from(MAX_AFTER - after) * INC_RAX.len() as u64;
        let (start, timer, step) = match block {
            Block::Loop { timer } => (LOOP_AT, timer, false),
            Block::Fault { after } => (FAULT_AT + skipped(after), 0, false),
            Block::Step => (LOOP_AT, 0, true),
            Block::Syscall { after } => (SYSCALL_AT + skipped(after), 0, false),
        };
        let mut state = Uprr::new(USER_CS, USER_SS);
        state.rip = CODE + start;
        state.rbx = READ_ONLY;
        let start = Start { timer, step, interrupts_off: false, fresh: true };
        let stretch = context::enter(None, &mut state, start, self.mxcsr_mask);
        let executed = match (block, stretch.cause) {
            (Block::Loop { .. }, Cause::Counter) => {
                let jumps = state.rax / INCREMENTS_PER_LOOP;
                let jump_is_next =
                    state.rax.is_multiple_of(INCREMENTS_PER_LOOP) && state.rip != CODE + LOOP_AT;
                state.rax + jumps - u64::from(jump_is_next)
            }
            (Block::Fault { .. }, cause) if cause.write_fault() == Some(READ_ONLY) => state.rax,
            (Block::Step, Cause::Exception { vector: vector::DEBUG, .. }) => state.rax,
            (Block::Syscall { .. }, Cause::Syscall) => state.rax + 1,
            (Block::Loop { .. } | Block::Fault { .. } | Block::Step | Block::Syscall { .. }, _) => {
                return None;
            }
        };
        Some(Sample { elapsed: stretch.left.wrapping_sub(stretch.entered), executed })
    }
}
