// SPDX-License-Identifier: MIT
//! Checks of debug exceptions, with which the last instructions to a place are
//! done.

use core::iter::repeat_n;

use strum::VariantArray as _;

use super::report::Measured;
use super::trial::Trial;
use crate::back_end::{Entry, StopKind};
use crate::workbench::{Block, TRAILING, Trapped};

/// Repetitions of each block.
const REPEATS: usize = 16;

impl Trial<'_> {
    /// A single step takes one instruction, but for those that are known to take the
    /// next one along, and counts as what it takes; nobody sees the trap flag but who is known to.
    pub(super) fn steps(&mut self) -> Result<Measured, Measured> {
        let (mut steps, mut shown) = (0, false);
        let mut taken = [0; Trapped::VARIANTS.len()];
        for &trapped in repeat_n(Trapped::VARIANTS, REPEATS).flatten() {
            let block = Block::Trapped(trapped);
            let mut at = 0;
            while at <= TRAILING.into() {
                let (begun, over) = if at == 0 { (Some(block), trapped) } else { (None, Trapped::Plain) };
                let entry = Entry { step: true, ..self.counter.arm(self.longest()) };
                let stretch = self.enter(begun, entry)?;
                let (executed, counted) = (stretch.seen.executed, stretch.told.instructions);
                match stretch.seen.kind {
                    StopKind::Debug if counted != executed => {
                        return Err(Measured::Counted { executed, counted });
                    }
                    StopKind::Debug => {}
                    StopKind::Counter => return Err(stretch.uncalled()),
                    StopKind::Fault | StopKind::Syscall => return Err(Measured::Untrapped(trapped)),
                }
                if executed == 0 || executed > 1 + u64::from(over.may_swallow()) {
                    return Err(Measured::Step(over, executed));
                }
                if at == 0 {
                    taken[trapped as usize] = executed.max(taken[trapped as usize]);
                }
                (at, steps) = (at + executed, steps + 1);
                shown |= stretch.seen.trap_shown;
            }
            let last = self.resume()?.seen;
            if (last.kind, last.executed) != (StopKind::Syscall, 1) {
                return Err(Measured::Step(trapped, last.executed));
            }
            if self.whole(Block::Trapped(Trapped::Flags), self.longest())?.seen.trap_shown {
                return Err(Measured::TrapShown);
            }
        }
        let [_, shadow, pause, _] = taken;
        Ok(Measured::Steps { steps, shadow, pause, shown })
    }
}
