// SPDX-License-Identifier: MIT
//! The counter of instruction-counting emulators: the APIC timer and the TSC.
//!
//! Where one instruction takes one tick of virtual time (QEMU's `-icount
//! shift=0`, Bochs' `sync=none`), the time stamp counter counts instructions and
//! the APIC timer, undivided, is an overflow interrupt without skid. Both also
//! count the kernel's own instructions; those between the time stamps and user
//! mode are the bias.

use crate::{Block, Fault, MAX_AFTER, Sample, StopKind, Workbench};

/// Repetitions of every measurement; all must agree.
const REPEATS: u32 = 4;
/// Timer values for the endless loop: neighbours, to see every position in the
/// loop, and some of the size of real limits.
const TIMERS: [u32; 20] = [
    100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 500, 1000, 1001, 9973, 10_000, 50_000,
    100_000,
];

/// A calibrated counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualTime {
    /// Ticks between arming and the first user instruction.
    pub arm_lead: i64,
    /// Ticks counted beyond the user's instructions when the counter stops them.
    pub bias_counter: i64,
    /// Likewise when a fault does.
    pub bias_fault: i64,
    /// Likewise when #DB does.
    pub bias_debug: i64,
    /// Likewise when a system call does.
    pub bias_syscall: i64,
    /// Comparisons that stand behind these.
    pub comparisons: u32,
}

/// A value that must come out the same every time.
#[derive(Default)]
struct Constant {
    range: Option<(i64, i64)>,
    seen: u32,
}

impl Constant {
    fn add(&mut self, value: i64) {
        let (least, most) = self.range.unwrap_or((value, value));
        self.range = Some((least.min(value), most.max(value)));
        self.seen += 1;
    }

    fn value(&self) -> Result<i64, Fault> {
        match self.range {
            Some((least, most)) if least == most => Ok(least),
            Some((least, most)) => Err(Fault::Spread { least, most }),
            None => Err(Fault::Dead),
        }
    }
}

fn bias(sample: Sample) -> i64 {
    sample.elapsed as i64 - sample.executed as i64
}

impl VirtualTime {
    /// Measures lead and biases, and that they are constants.
    pub fn calibrate(workbench: &mut impl Workbench) -> Result<Self, Fault> {
        let (mut lead, mut counter) = (Constant::default(), Constant::default());
        let (mut fault, mut debug, mut syscall) =
            (Constant::default(), Constant::default(), Constant::default());
        for _ in 0..REPEATS {
            for timer in TIMERS {
                let sample = workbench.execute(Block::Loop { timer }).ok_or(Fault::Dead)?;
                if sample.elapsed == 0 || sample.executed == 0 {
                    return Err(Fault::Dead);
                }
                lead.add(i64::from(timer) - sample.executed as i64);
                if let Err(Fault::Spread { .. }) = lead.value() {
                    return Err(Fault::Inexact { asked: timer.into(), seen: sample.executed });
                }
                counter.add(bias(sample));
            }
            for after in 0..=MAX_AFTER {
                let sample = workbench.execute(Block::Fault { after }).ok_or(Fault::Dead)?;
                fault.add(bias(sample));
                let sample = workbench.execute(Block::Syscall { after }).ok_or(Fault::Dead)?;
                syscall.add(bias(sample));
                debug.add(bias(workbench.execute(Block::Step).ok_or(Fault::Dead)?));
            }
        }
        let constants = [&lead, &counter, &fault, &debug, &syscall];
        Ok(Self {
            arm_lead: lead.value()?,
            bias_counter: counter.value()?,
            bias_fault: fault.value()?,
            bias_debug: debug.value()?,
            bias_syscall: syscall.value()?,
            comparisons: constants.iter().map(|constant| constant.seen).sum(),
        })
    }

    /// What to arm the timer with so that it stops user mode after `budget`
    /// instructions. Budgets beyond 2^31 are cut to that.
    #[inline]
    pub fn timer(&self, budget: u64) -> u32 {
        let budget = budget.min(1 << 31) as i64;
        (budget + self.arm_lead).clamp(1, i64::from(u32::MAX)) as u32
    }

    /// The user instructions in `elapsed` ticks between the time stamps.
    #[inline]
    pub fn instructions(&self, kind: StopKind, elapsed: u64) -> u64 {
        let bias = match kind {
            StopKind::Counter => self.bias_counter,
            StopKind::Fault => self.bias_fault,
            StopKind::Debug => self.bias_debug,
            StopKind::Syscall => self.bias_syscall,
        };
        (elapsed as i64).saturating_sub(bias).max(0) as u64
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
        fn execute(&mut self, block: Block) -> Option<Sample> {
            if self.dead {
                return None;
            }
            self.executions += 1;
            let extra = (self.extra)(self.executions);
            Some(match block {
                Block::Loop { timer } => {
                    let executed = u64::from(timer) - 22 + (self.late)(self.executions);
                    Sample { elapsed: executed + 40 + extra, executed }
                }
                Block::Fault { after } => {
                    Sample { elapsed: u64::from(after) + 41 + extra, executed: after.into() }
                }
                Block::Step => Sample { elapsed: 1 + 44 + extra, executed: 1 },
                Block::Syscall { after } => {
                    let executed = u64::from(after) + 1;
                    Sample { elapsed: executed + 46 + extra, executed }
                }
            })
        }
    }

    #[test]
    fn constants_are_found() {
        let counter = VirtualTime::calibrate(&mut Model::default()).unwrap();
        assert_eq!(
            (
                counter.arm_lead,
                counter.bias_counter,
                counter.bias_fault,
                counter.bias_debug,
                counter.bias_syscall
            ),
            (22, 40, 41, 44, 46)
        );
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
