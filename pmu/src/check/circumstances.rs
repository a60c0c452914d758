// SPDX-License-Identifier: MIT
//! Checks of what surrounds a counter: locked instructions, hypervisors, System
//! Management Mode.

use super::report::Measured;
use super::trial::Trial;
use crate::back_end::Smm;
use crate::workbench::Block;

/// Iterations of the block with a locked instruction.
const LOCK_LOOPS: u32 = 500;
/// Repetitions of the block with a locked instruction.
pub const LOCK_BLOCKS: u32 = 16;
/// Further trials where a hypervisor lends the counter.
const TRIALS: u32 = 8;

impl Trial<'_> {
    /// A locked instruction that is executed on speculation and then once more is
    /// counted twice.
    pub(super) fn locks(&mut self) -> Result<Measured, Measured> {
        let block = Block::Locked(LOCK_LOOPS);
        for _ in 0..LOCK_BLOCKS {
            self.exactly(block, self.longest())?;
        }
        if !self.counter.back_end.swap_locks() {
            return Ok(Measured::Blocks(LOCK_BLOCKS));
        }
        let stretch = self.whole(block, self.longest());
        self.counter.back_end.swap_locks();
        match stretch?.raw {
            0 => Ok(Measured::Speculative(0)),
            locks => Err(Measured::Speculative(locks)),
        }
    }

    /// A counter that is lent may be taken away for a while, which one trial need not
    /// show.
    pub(super) fn trials(&mut self) -> Result<Measured, Measured> {
        if !self.counter.back_end.nature().lent {
            return Ok(Measured::AsAsked);
        }
        let first = self.counter.calibration.biases;
        let mut worst = self.counter.calibration.skid;
        for _ in 0..TRIALS {
            self.exact()?;
            self.one_interrupt()?;
            self.clear()?;
            self.bias()?;
            self.skid()?;
            self.undisturbed()?;
            let biases = self.counter.calibration.biases;
            if biases != first {
                return Err(Measured::Moving(first, biases));
            }
            worst = worst.or_worse(self.counter.calibration.skid);
        }
        self.counter.calibration.skid = worst;
        Ok(Measured::Trials(1 + TRIALS))
    }

    /// `before` is what was said before all checks.
    pub(super) fn managed(&mut self, before: Smm) -> Result<Measured, Measured> {
        let Smm { freezes, interrupts } = self.counter.back_end.smm();
        let seen = interrupts.zip(before.interrupts).map(|(after, before)| after.wrapping_sub(before));
        let measured = Measured::Managed(Smm { freezes, interrupts: seen });
        let harmless = freezes.unwrap_or(seen.unwrap_or(0) == 0);
        if harmless { Ok(measured) } else { Err(measured) }
    }
}
