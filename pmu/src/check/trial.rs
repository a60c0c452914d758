// SPDX-License-Identifier: MIT
//! A counter on the bench: stretches of blocks, seen by both.

use super::report::Measured;
use crate::back_end::{BackEnd, StopKind, Stopped};
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
    /// What ended it.
    pub(super) kind: StopKind,
    /// User instructions, as the registers tell.
    pub(crate) executed: u64,
    /// User instructions, as the counter tells.
    pub(super) counted: u64,
    /// What the counter counted beyond those executed, nothing taken off.
    pub(super) surplus: i64,
    /// The counter's own interrupt ended it.
    pub(super) own: bool,
    /// Interrupts that meant nothing.
    pub(super) strays: u32,
    /// The flags stored so far have TF.
    pub(super) trap_shown: bool,
}

impl Stretch {
    /// What an interrupt is that nothing called for.
    pub(super) fn uncalled(&self) -> Measured {
        if self.own { Measured::Premature } else { Measured::Uncalled }
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
        let reading = self.counter.back_end.stop(Stopped { kind, elapsed, swallowed: false });
        let Sample { executed, trap_shown, .. } = sample.ok_or(Measured::NoEnd)?;
        let counted = self.counter.calibration.biases.remove(kind, reading.instructions);
        let surplus = reading.instructions as i64 - executed as i64;
        Ok(Stretch { kind, executed, counted, surplus, own: reading.own, strays: reading.strays, trap_shown })
    }

    /// One stretch of a block to its own end, with the counter far from overflowing.
    pub(super) fn whole(&mut self, block: Block) -> Result<Stretch, Measured> {
        let stretch = self.execute(block, self.longest())?;
        if stretch.kind == block.end() { Ok(stretch) } else { Err(stretch.uncalled()) }
    }

    /// A block to its own end, however often the counter interrupts it, the first
    /// time after `budget`: instructions executed, instructions counted, interrupts.
    pub(super) fn through(&mut self, block: Block, budget: u64) -> Result<(u64, u64, u32), Measured> {
        let mut stretch = self.execute(block, budget)?;
        let (mut executed, mut counted) = (stretch.executed, stretch.counted);
        for interrupts in 0..RESUMES {
            if stretch.kind == block.end() {
                return Ok((executed, counted, interrupts));
            }
            stretch = self.resume()?;
            executed += stretch.executed;
            counted += stretch.counted;
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
