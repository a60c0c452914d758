// SPDX-License-Identifier: MIT
//! A counter on the bench: stretches of blocks, seen by both.

use super::report::Measured;
use crate::back_end::{BackEnd, Entry, Lateness, Reading, StopKind, Stopped};
use crate::counter::Counter;
use crate::workbench::{Block, Sample, Workbench};

/// Interrupts inside one block, at most.
const RESUMES: u32 = 1_000;

/// A counter, and somebody who executes blocks for it.
pub(crate) struct Trial<'a> {
    pub(crate) counter: &'a mut Counter<dyn BackEnd + 'a>,
    pub(crate) workbench: &'a mut dyn Workbench,
}

/// A stretch of a block, as the workbench and as the counter saw it.
pub(crate) struct Stretch {
    /// What the workbench saw: how it ended, and what was executed.
    pub(crate) seen: Sample,
    /// What the counter tells of it, biases taken off.
    pub(super) told: Reading,
    /// What the counter counted, nothing taken off.
    pub(super) raw: u64,
}

impl Stretch {
    /// What an interrupt is that nothing called for.
    pub(super) fn uncalled(&self) -> Measured {
        if self.told.own { Measured::Premature } else { Measured::Uncalled }
    }
}

impl Trial<'_> {
    /// One stretch of a block from its start, or of the one that was begun last, with the
    /// counter armed.
    pub(super) fn enter(&mut self, block: Option<Block>, entry: Entry) -> Result<Stretch, Measured> {
        let sample = match block {
            Some(block) => self.workbench.execute(block, entry),
            None => self.workbench.resume(entry),
        };
        // Also a counter whose interrupt never came is disarmed.
        let (kind, elapsed) = sample.map_or((StopKind::Debug, 0), |sample| (sample.kind, sample.elapsed));
        let reading = self.counter.back_end.stop(Stopped { kind, elapsed, swallowed: false, passed: 0 });
        let seen = sample.ok_or(Measured::NoEnd)?;
        let (raw, biases) = (reading.instructions, self.counter.calibration.biases);
        Ok(Stretch { seen, told: Reading { instructions: biases.remove(kind, 0, raw), ..reading }, raw })
    }

    /// One stretch from the start of a block.
    pub(crate) fn execute(&mut self, block: Block, budget: u64) -> Result<Stretch, Measured> {
        let entry = self.counter.arm(budget);
        self.enter(Some(block), entry)
    }

    /// Goes on with a block, with the counter far from overflowing.
    pub(super) fn resume(&mut self) -> Result<Stretch, Measured> {
        let entry = self.counter.arm(self.longest());
        self.enter(None, entry)
    }

    /// One stretch of a block to its own end, which for the endless one is the budget, and
    /// for all others comes before that.
    pub(super) fn whole(&mut self, block: Block, budget: u64) -> Result<Stretch, Measured> {
        let stretch = self.execute(block, budget)?;
        let Sample { kind, executed: seen, .. } = stretch.seen;
        if kind != block.end() {
            return Err(stretch.uncalled());
        }
        let is_never_late = self.counter.back_end.nature().lateness == Lateness::Never;
        let is_missed = kind == StopKind::Counter && is_never_late && seen != budget;
        if is_missed { Err(Measured::Stop { asked: budget, seen }) } else { Ok(stretch) }
    }

    /// A block to its own end, however often the counter interrupts it, the first
    /// time after `budget`: instructions executed, instructions counted, interrupts.
    pub(super) fn through(&mut self, block: Block, budget: u64) -> Result<(u64, u64, u32), Measured> {
        let (mut executed, mut counted) = (0, 0);
        let mut stretch = self.execute(block, budget)?;
        for interrupts in 0..RESUMES {
            executed += stretch.seen.executed;
            counted += stretch.told.instructions;
            if stretch.seen.kind == block.end() {
                return Ok((executed, counted, interrupts));
            }
            stretch = self.resume()?;
        }
        Err(Measured::NoEnd)
    }

    /// A block to its own end, of which no instruction may be miscounted; says how
    /// often the counter interrupted it.
    pub(super) fn exactly(&mut self, block: Block, budget: u64) -> Result<u32, Measured> {
        let (executed, counted, interrupts) = self.through(block, budget)?;
        if executed == counted { Ok(interrupts) } else { Err(Measured::Counted { executed, counted }) }
    }

    /// The largest budget.
    pub(super) fn longest(&self) -> u64 {
        self.counter.back_end.nature().longest
    }
}
