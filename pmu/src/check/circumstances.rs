// SPDX-License-Identifier: MIT
//! Checks of what surrounds a counter: locked instructions, hypervisors, System
//! Management Mode.

use super::{Failure, Measured, Seen, Trial};
use crate::back_end::{Entry, Freezing, Smm, Stopped};
use crate::workbench::Block;

/// Iterations of the block with a locked instruction, and its repetitions.
const LOCK_LOOPS: u32 = 500;
const LOCK_BLOCKS: u32 = 16;
/// Further trials where a hypervisor lends the counter.
const TRIALS: u32 = 8;

impl Trial<'_> {
    /// A locked instruction that is executed on speculation and then once more is
    /// counted twice.
    pub(super) fn locks(&mut self) -> Result<Measured, Failure> {
        let block = Block::Locked { loops: LOCK_LOOPS };
        for _ in 0..LOCK_BLOCKS {
            let (executed, counted, _) = self.through(block, self.counter.back_end.longest())?;
            if executed != counted {
                return Err(Measured::Miscounted { executed, counted });
            }
        }
        let watched = self.counter.back_end.watch_locks();
        if watched {
            let sample = self.workbench.execute(block, Entry::PLAIN);
            let (kind, elapsed) = sample.map_or((block.end(), 0), |sample| (sample.kind, sample.elapsed));
            let stopped = Stopped { kind, elapsed, swallowed: false };
            let speculative = self.counter.back_end.speculative_locks(stopped);
            sample.ok_or(Measured::NoEnd)?;
            if speculative > 0 {
                return Err(Measured::Speculative { locks: speculative });
            }
        }
        Ok(if watched {
            Measured::LocksWatched { blocks: LOCK_BLOCKS }
        } else {
            Measured::Locks { blocks: LOCK_BLOCKS }
        })
    }

    /// A counter that is lent may be taken away for a while, which one trial need not
    /// show.
    pub(super) fn trials(&mut self) -> Result<Measured, Failure> {
        if !self.counter.back_end.is_lent() {
            return Ok(Measured::OneTrial);
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
                return Err(Measured::Moving { first, then: biases });
            }
            worst = worst.or_worse(self.counter.calibration.skid);
        }
        self.counter.calibration.skid = worst;
        Ok(Measured::Trials(1 + TRIALS))
    }

    /// `before` is what was said before all checks.
    pub(super) fn managed(&mut self, before: Smm) -> Result<Measured, Failure> {
        let after = self.counter.back_end.smm();
        let seen = after.interrupts.zip(before.interrupts);
        // The register has 32 bits.
        let seen = seen
            .map_or(Seen::Untold, |(after, before)| Seen::Times((after as u32).wrapping_sub(before as u32)));
        let measured = Measured::Managed { freezing: after.freezing, seen };
        match (after.freezing, seen) {
            (Freezing::Refused, _) | (Freezing::Absent, Seen::Times(1..)) => Err(measured),
            (Freezing::Kept, _) | (Freezing::Absent, _) => Ok(measured),
        }
    }
}
