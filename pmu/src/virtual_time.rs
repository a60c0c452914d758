// SPDX-License-Identifier: MIT
//! The counter of instruction-counting emulators: the APIC timer and the TSC.
//!
//! Where one instruction takes one tick of virtual time (QEMU's `-icount
//! shift=0`, Bochs' `sync=none`), the time stamp counter counts instructions and
//! the APIC timer, undivided, is an overflow interrupt without skid. Both also
//! count the kernel's own instructions; those between the time stamps and user
//! mode are the bias.

use displaydoc::Display;

use crate::back_end::{BackEnd, Entry, Lateness, Reading, Repeats, StopKind, Stopped, Unkept};
use crate::constant::Constant;
use crate::counter::{Calibration, Counter};
use crate::workbench::{Block, MAX_AFTER, Sample, Workbench};

/// Repetitions of every measurement; all must agree.
const REPEATS: u32 = 4;
/// Timer values for the endless loop: neighbours, to see every position in the
/// loop, and some of the size of real limits.
const TIMERS: [u32; 20] = [
    100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 500, 1000, 1001, 9973, 10_000, 50_000,
    100_000,
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

/// Why virtual time is not trusted. As text: the description of the variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
pub enum Fault {
    /// time does not move with the instructions, or the timer is dead
    Dead,
    /// known blocks take {least} to {most} ticks more than their instructions
    Spread {
        /// Smallest bias seen.
        least: i64,
        /// Largest bias seen.
        most: i64,
    },
    /// stopped after {seen} instructions instead of {asked}
    Inexact {
        /// Instructions asked for.
        asked: u64,
        /// Instructions executed.
        seen: u64,
    },
}

fn constant(constant: &Constant) -> Result<i64, Fault> {
    match constant.range() {
        Some((least, most)) if least == most => Ok(least),
        Some((least, most)) => Err(Fault::Spread { least, most }),
        None => Err(Fault::Dead),
    }
}

fn bias(sample: Sample) -> i64 {
    sample.elapsed as i64 - sample.executed as i64
}

impl VirtualTime {
    /// Measures lead and biases, and that they are constants. Its registers are the
    /// entry code's.
    pub fn calibrate(workbench: &mut dyn Workbench) -> Result<Clock, Fault> {
        let (mut lead, mut counter) = (Constant::default(), Constant::default());
        let (mut fault, mut debug, mut syscall) =
            (Constant::default(), Constant::default(), Constant::default());
        let mut execute = |block: Block, timer: u32| {
            let sample = workbench.execute(block, Entry { timer, step: false });
            sample.filter(|sample| sample.kind == block.end()).ok_or(Fault::Dead)
        };
        for _ in 0..REPEATS {
            for timer in TIMERS {
                let sample = execute(Block::Loop, timer)?;
                if sample.elapsed == 0 || sample.executed == 0 {
                    return Err(Fault::Dead);
                }
                lead.add(i64::from(timer) - sample.executed as i64);
                if let Err(Fault::Spread { .. }) = constant(&lead) {
                    return Err(Fault::Inexact { asked: timer.into(), seen: sample.executed });
                }
                counter.add(bias(sample));
            }
            for after in 0..=MAX_AFTER {
                fault.add(bias(execute(Block::Fault { after }, 0)?));
                syscall.add(bias(execute(Block::Syscall { after }, 0)?));
                debug.add(bias(execute(Block::Step, 0)?));
            }
        }
        let constants = [&lead, &counter, &fault, &debug, &syscall];
        let mut calibration = Calibration { lead: constant(&lead)?, ..Calibration::default() };
        calibration.biases.counter = constant(&counter)?;
        calibration.biases.fault = constant(&fault)?;
        calibration.biases.debug = constant(&debug)?;
        calibration.biases.syscall = constant(&syscall)?;
        let comparisons = constants.iter().map(|constant| constant.seen).sum();
        Ok(Counter { calibration, back_end: Self { comparisons } })
    }
}

impl Clock {
    /// What to arm the timer with so that it stops user mode after `budget`
    /// instructions. Budgets beyond 2^31 are cut to that.
    #[inline]
    pub fn timer(&self, budget: u64) -> u32 {
        let budget = budget.min(LONGEST) as i64;
        (budget + self.calibration.lead).clamp(1, i64::from(u32::MAX)) as u32
    }

    /// The user instructions in `elapsed` ticks between the time stamps.
    #[inline]
    pub fn instructions(&self, kind: StopKind, elapsed: u64) -> u64 {
        self.calibration.biases.remove(kind, elapsed)
    }
}

impl BackEnd for VirtualTime {
    fn name(&self) -> &'static str {
        "virtual time"
    }

    fn probe(&mut self) -> Result<(), Unkept> {
        // Its registers are the entry code's; calibration has seen them work.
        Ok(())
    }

    fn longest(&self) -> u64 {
        LONGEST
    }

    fn repeats(&self) -> Repeats {
        Repeats::PerIteration
    }

    fn lateness(&self) -> Lateness {
        Lateness::Never
    }

    fn arm(&mut self, budget: u64) -> Entry {
        Entry { timer: budget.clamp(1, u64::from(u32::MAX)) as u32, step: false }
    }

    fn stop(&mut self, stopped: Stopped) -> Reading {
        Reading { instructions: stopped.elapsed, own: stopped.kind == StopKind::Counter, strays: 0 }
    }

    fn is_clear(&mut self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An emulator with a constant lead and biases, and a way to misbehave.
    struct Model {
        executions: u32,
        late: fn(u32) -> u64,
        extra: fn(u32) -> u64,
        dead: bool,
    }

    impl Default for Model {
        fn default() -> Self {
            Self { executions: 0, late: |_| 0, extra: |_| 0, dead: false }
        }
    }

    impl Workbench for Model {
        fn execute(&mut self, block: Block, entry: Entry) -> Option<Sample> {
            if self.dead {
                return None;
            }
            self.executions += 1;
            let extra = (self.extra)(self.executions);
            let (executed, bias) = match block {
                Block::Loop => (u64::from(entry.timer) - 22 + (self.late)(self.executions), 40),
                Block::Fault { after } => (after.into(), 41),
                Block::Step => (1, 44),
                Block::Breakpoint { after } => (after.into(), 44),
                Block::Syscall { after } => (u64::from(after) + 1, 46),
                Block::Long { loops } => (2 * u64::from(loops) + 1, 46),
                Block::Locked { .. } | Block::Trapped(_) => return None,
            };
            Some(Sample { kind: block.end(), elapsed: executed + bias + extra, executed, trap_shown: false })
        }

        fn resume(&mut self, _: Entry) -> Option<Sample> {
            None
        }
    }

    #[test]
    fn constants_are_found() {
        let counter = VirtualTime::calibrate(&mut Model::default()).unwrap();
        let Calibration { lead, biases, .. } = counter.calibration;
        assert_eq!((lead, biases.counter, biases.fault), (22, 40, 41));
        assert_eq!((biases.debug, biases.syscall), (44, 46));
        assert_eq!(counter.timer(1000), 1022);
        assert_eq!(counter.instructions(StopKind::Counter, 1040), 1000);
        assert_eq!(counter.instructions(StopKind::Fault, 41), 0);
    }

    #[test]
    fn a_counter_that_never_stops_is_refused() {
        let mut model = Model { dead: true, ..Model::default() };
        assert_eq!(VirtualTime::calibrate(&mut model), Err(Fault::Dead));
    }

    #[test]
    fn a_late_interrupt_is_refused() {
        let mut model = Model { late: |n| u64::from(n == 7), ..Model::default() };
        assert!(matches!(VirtualTime::calibrate(&mut model), Err(Fault::Inexact { .. })));
    }

    #[test]
    fn a_varying_bias_is_refused() {
        let mut model = Model { extra: |n| u64::from(n == 30), ..Model::default() };
        assert!(matches!(VirtualTime::calibrate(&mut model), Err(Fault::Spread { .. })));
    }
}
