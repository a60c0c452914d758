// SPDX-License-Identifier: MIT
//! Checks of the overflow interrupt.

use super::report::Measured;
use super::trial::Trial;
use crate::skid::Skid;
use crate::workbench::Block;

/// Overflows in a row: the second shows that the first was acknowledged.
pub const OVERFLOWS: u32 = 2;
const BUDGET: u64 = 1_000;
/// Interrupts on which the skid is measured.
const SAMPLES: usize = 1_000;
/// Interrupts that come later than that stop nothing.
pub const LATEST: u64 = 1 << 18;

impl Trial<'_> {
    pub(super) fn one_interrupt(&mut self) -> Result<Measured, Measured> {
        for overflow in 1..=OVERFLOWS {
            let stretch = self.execute(Block::Loop, BUDGET).map_err(|_| Measured::NoInterrupt(overflow))?;
            if !stretch.told.own {
                return Err(Measured::Uncalled);
            }
            // A second interrupt for the same overflow would come now.
            if self.whole(Block::Long(500), self.longest())?.told.strays > 0 {
                return Err(Measured::Late);
            }
        }
        Ok(Measured::AsAsked)
    }

    pub(super) fn clear(&mut self) -> Result<Measured, Measured> {
        self.execute(Block::Loop, BUDGET)?;
        if self.counter.back_end.is_clear() { Ok(Measured::AsAsked) } else { Err(Measured::StillSet) }
    }

    pub(super) fn skid(&mut self) -> Result<Measured, Measured> {
        let mut latenesses = [0; SAMPLES];
        for (lateness, index) in latenesses.iter_mut().zip(0..) {
            // All positions in the loop, and no rhythm.
            let asked = 100 + index * 7919 % 1009;
            let stretch = self.whole(Block::Loop, asked)?;
            if !stretch.told.own {
                return Err(Measured::Uncalled);
            }
            let late = stretch.seen.executed.checked_sub(asked).filter(|&late| late <= LATEST);
            *lateness = late.ok_or(Measured::Stop { asked, seen: stretch.seen.executed })? as u32;
        }
        self.counter.calibration.skid = Skid::of(&mut latenesses);
        Ok(Measured::Skid(self.counter.calibration.skid, self.counter.margin()))
    }
}
