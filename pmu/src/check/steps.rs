// SPDX-License-Identifier: MIT
//! Checks of debug exceptions, with which the last instructions to a place are
//! done.

use super::{Failure, Measured, Trial};
use crate::back_end::{Entry, Reading, StopKind};
use crate::workbench::{Block, Sample, TRAILING, Trapped};

/// Repetitions of each block.
const REPEATS: u32 = 16;

impl Trial<'_> {
    /// A single step takes one instruction, but for those that are known to take the
    /// next one along; nobody sees the trap flag but who is known to.
    pub(super) fn steps(&mut self) -> Result<Measured, Failure> {
        let mut steps = 0;
        let mut taken = [0; Trapped::ALL.len()];
        let mut shown = false;
        for _ in 0..REPEATS {
            for (trapped, taken) in Trapped::ALL.into_iter().zip(&mut taken) {
                let block = Block::Trapped(trapped);
                let first = self.step(trapped, |trial, entry| trial.workbench.execute(block, entry))?;
                let took = first.executed;
                if took == 0 || took > 1 + u64::from(trapped.may_swallow()) {
                    return Err(Measured::Step { trapped, took });
                }
                *taken = took.max(*taken);
                steps += 1;
                for _ in took..=TRAILING.into() {
                    let sample = self.step(trapped, |trial, entry| trial.workbench.resume(entry))?;
                    if sample.executed != 1 {
                        return Err(Measured::Step { trapped: Trapped::Plain, took: sample.executed });
                    }
                    steps += 1;
                    shown |= sample.trap_shown;
                }
                let (last, _) = self.resume(self.counter.back_end.longest())?;
                if (last.kind, last.executed) != (StopKind::Syscall, 1) {
                    return Err(Measured::Step { trapped, took: last.executed });
                }
            }
            let (free, _) = self.whole(Block::Trapped(Trapped::Flags))?;
            if free.trap_shown {
                return Err(Measured::TrapShown);
            }
        }
        let [_, shadow, pause, _] = taken;
        Ok(Measured::Steps { steps, shadow, pause, shown })
    }

    /// One step, which the counter does not end and counts as what it is.
    fn step(
        &mut self,
        trapped: Trapped,
        enter: impl FnOnce(&mut Self, Entry) -> Option<Sample>,
    ) -> Result<Sample, Failure> {
        let entry = self.counter.arm(self.counter.back_end.longest());
        let sample = enter(self, Entry { step: true, ..entry });
        let (sample, Reading { instructions: counted, own, .. }) = self.read(sample)?;
        let Sample { kind, executed, .. } = sample;
        match kind {
            StopKind::Debug if counted == executed => Ok(sample),
            StopKind::Debug => Err(Measured::Miscounted { executed, counted }),
            StopKind::Counter => Err(Measured::Uncalled { own }),
            StopKind::Fault | StopKind::Syscall => Err(Measured::Untrapped { trapped }),
        }
    }
}
