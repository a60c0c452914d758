// SPDX-License-Identifier: MIT
//! The counter of instruction-counting emulators: the APIC timer and the TSC.
//!
//! Where one instruction takes one tick of virtual time (QEMU's `-icount
//! shift=0`, Bochs' `sync=none`), the time stamp counter counts instructions and
//! the APIC timer, undivided, is an overflow interrupt without skid. Both also
//! count the kernel's own instructions; those between the time stamps and user
//! mode are the bias.

use crate::back_end::{BackEnd, Entry, Lateness, Nature, Reading, Repeats, StopKind, Stopped};
use crate::check::report::Measured;
use crate::check::trial::Trial;
use crate::counter::Counter;
use crate::workbench::{Block, Workbench};

/// Repetitions of every measurement; all must agree.
const REPEATS: usize = 4;
/// Budgets for the endless loop: neighbours, to see every position in the loop, and
/// some of the size of real limits.
const BUDGETS: [u64; 23] = [
    100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 500, 1000, 1001, 9973,
    10_000, 50_000, 100_000,
];
/// The largest budget; the timer has 32 bits.
const LONGEST: u64 = 1 << 31;

/// The time of an emulator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VirtualTime {
    /// Comparisons that stand behind its calibration.
    pub comparisons: u32,
}

/// Virtual time, calibrated: lead and biases are in ticks, which are instructions.
pub type Clock = Counter<VirtualTime>;

impl VirtualTime {
    /// Measures lead and biases, and that they are constants. Its registers are the
    /// entry code's.
    pub fn calibrate(workbench: &mut dyn Workbench) -> Result<Clock, Measured> {
        let mut clock = Counter::new(Self::default());
        let mut trial = Trial { counter: &mut clock, workbench };
        let [asked, ..] = BUDGETS;
        let seen = trial.execute(Block::Loop, asked)?.seen.executed;
        // What the first stretch says is held against all others.
        trial.counter.calibration.lead = asked.checked_sub(seen).ok_or(Measured::Stop { asked, seen })?;
        clock.back_end.comparisons = trial.biases(REPEATS, &BUDGETS)?;
        Ok(clock)
    }
}

impl BackEnd for VirtualTime {
    fn nature(&self) -> Nature {
        Nature { longest: LONGEST, repeats: Repeats::PerIteration, lateness: Lateness::Never, lent: false }
    }

    fn arm(&mut self, budget: u64) -> Entry {
        Entry { timer: budget.min(LONGEST) as u32, step: false }
    }

    fn stop(&mut self, stopped: Stopped) -> Reading {
        Reading { instructions: stopped.elapsed, own: stopped.kind == StopKind::Counter, strays: 0 }
    }

    fn stamped(&self, measured: i64) -> Option<i64> {
        Some(measured)
    }
}

#[cfg(test)]
mod tests;
