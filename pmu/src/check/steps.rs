// SPDX-License-Identifier: MIT
//! Checks of debug exceptions, with which the last instructions to a place are
//! done.

use strum::VariantArray as _;

use super::report::Measured;
use super::trial::{Stretch, Trial};
use crate::back_end::{Entry, StopKind};
use crate::workbench::{Block, TRAILING, Trapped};

/// Repetitions of each block.
const REPEATS: u32 = 16;

impl Trial<'_> {
    /// A single step takes one instruction, but for those that are known to take the
    /// next one along; nobody sees the trap flag but who is known to.
    pub(super) fn steps(&mut self) -> Result<Measured, Measured> {
        let mut steps = 0;
        let mut taken = [0; Trapped::VARIANTS.len()];
        let mut shown = false;
        for _ in 0..REPEATS {
            for (&trapped, taken) in Trapped::VARIANTS.iter().zip(&mut taken) {
                let mut at = 0;
                while at <= TRAILING.into() {
                    let stretch = self.step(trapped, at == 0)?;
                    let stepped = if at == 0 { trapped } else { Trapped::Plain };
                    let took = stretch.seen.executed;
                    if took == 0 || took > 1 + u64::from(stepped.may_swallow()) {
                        return Err(Measured::Step(stepped, took));
                    }
                    if at == 0 {
                        *taken = took.max(*taken);
                    }
                    at += took;
                    steps += 1;
                    shown |= stretch.seen.trap_shown;
                }
                let last = self.resume()?;
                if (last.seen.kind, last.seen.executed) != (StopKind::Syscall, 1) {
                    return Err(Measured::Step(trapped, last.seen.executed));
                }
            }
            if self.whole(Block::Trapped(Trapped::Flags))?.seen.trap_shown {
                return Err(Measured::TrapShown);
            }
        }
        let [_, shadow, pause, _] = taken;
        Ok(Measured::Steps { steps, shadow, pause, shown })
    }

    /// One step, the block's first or a later one, which the counter does not end and
    /// counts as what it is.
    fn step(&mut self, trapped: Trapped, first: bool) -> Result<Stretch, Measured> {
        let entry = Entry { step: true, ..self.counter.arm(self.longest()) };
        let sample = if first {
            self.workbench.execute(Block::Trapped(trapped), entry)
        } else {
            self.workbench.resume(entry)
        };
        let stretch = self.read(sample)?;
        let (executed, counted) = (stretch.seen.executed, stretch.told.instructions);
        match stretch.seen.kind {
            StopKind::Debug if counted == executed => Ok(stretch),
            StopKind::Debug => Err(Measured::Counted { executed, counted }),
            StopKind::Counter => Err(stretch.uncalled()),
            StopKind::Fault | StopKind::Syscall => Err(Measured::Untrapped(trapped)),
        }
    }
}
