// SPDX-License-Identifier: MIT
//! A counter on the bench: stretches of blocks, seen by both.

use super::report::Measured;
use crate::back_end::{BackEnd, Reading, StopKind, Stopped};
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
    /// What the counter counted beyond what was executed, nothing taken off.
    pub(super) surplus: i64,
}

impl Stretch {
    /// What an interrupt is that nothing called for.
    pub(super) fn uncalled(&self) -> Measured {
        if self.told.own { Measured::Premature } else { Measured::Uncalled }
    }
}

impl Trial<'_> {
    /// One stretch from the start of a block.
    pub(crate) fn execute(&mut self, block: Block, budget: u64) -> Result<Stretch, Measured> {
        let entry = self.counter.arm(budget);
        let sample = self.workbench.execute(block, entry);
        self.read(sample)
    }

    /// Goes on with a block, with the counter far from overflowing.
    pub(super) fn resume(&mut self) -> Result<Stretch, Measured> {
        let entry = self.counter.arm(self.longest());
        let sample = self.workbench.resume(entry);
        self.read(sample)
    }

    /// Reads the counter after a stretch.
    pub(super) fn read(&mut self, sample: Option<Sample>) -> Result<Stretch, Measured> {
        // Also a counter whose interrupt never came is disarmed.
        let (kind, elapsed) = sample.map_or((StopKind::Debug, 0), |sample| (sample.kind, sample.elapsed));
        let raw = self.counter.back_end.stop(Stopped { kind, elapsed, swallowed: false, passed: 0 });
        let seen = sample.ok_or(Measured::NoEnd)?;
        let instructions = self.counter.calibration.biases.remove(kind, raw.instructions);
        let surplus = raw.instructions as i64 - seen.executed as i64;
        Ok(Stretch { seen, told: Reading { instructions, ..raw }, surplus })
    }

    /// One stretch of a block to its own end, with the counter far from overflowing.
    pub(super) fn whole(&mut self, block: Block) -> Result<Stretch, Measured> {
        let stretch = self.execute(block, self.longest())?;
        if stretch.seen.kind == block.end() { Ok(stretch) } else { Err(stretch.uncalled()) }
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
