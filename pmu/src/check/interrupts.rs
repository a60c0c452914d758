// SPDX-License-Identifier: MIT
//! Checks of the overflow interrupt.

use super::{Failure, Measured, Trial, uncalled};
use crate::back_end::{Lateness, StopKind};
use crate::skid::Histogram;
use crate::workbench::Block;

/// Overflows in a row: the second shows that the first was acknowledged.
const OVERFLOWS: u32 = 2;
const BUDGET: u64 = 1_000;
/// Interrupts on which the skid is measured.
const SAMPLES: u64 = 1_000;
/// Interrupts that come later than that stop nothing.
const LATEST: u64 = 1 << 18;

impl Trial<'_> {
    pub(super) fn one_interrupt(&mut self) -> Result<Measured, Failure> {
        for overflow in 1..=OVERFLOWS {
            let (_, reading) =
                self.execute(Block::Loop, BUDGET).map_err(|_| Measured::NoInterrupt { overflow })?;
            if !reading.own {
                return Err(Measured::Uncalled);
            }
            // A second interrupt for the same overflow would come now.
            let (_, reading) = self.whole(Block::Long { loops: 500 })?;
            if reading.strays > 0 {
                return Err(Measured::Late);
            }
        }
        Ok(Measured::Interrupts(OVERFLOWS))
    }

    pub(super) fn clear(&mut self) -> Result<Measured, Failure> {
        self.execute(Block::Loop, BUDGET)?;
        if self.counter.back_end.is_clear() { Ok(Measured::Clear) } else { Err(Measured::StillSet) }
    }

    pub(super) fn skid(&mut self) -> Result<Measured, Failure> {
        let mut histogram = Histogram::new();
        for index in 0..SAMPLES {
            // All positions in the loop, and no rhythm.
            let asked = 100 + index * 7919 % 1009;
            let (sample, reading) = self.execute(Block::Loop, asked)?;
            if !reading.own || sample.kind != StopKind::Counter {
                return Err(uncalled(reading));
            }
            let late = sample.executed.checked_sub(asked);
            let late = late.ok_or(Measured::Early { asked, seen: sample.executed })?;
            if late > LATEST {
                return Err(Measured::TooLate { late });
            }
            histogram.add(late);
        }
        let skid = histogram.summary();
        if self.counter.back_end.lateness() == Lateness::Never && skid.largest > 0 {
            return Err(Measured::Inexact { late: skid.largest });
        }
        self.counter.calibration.skid = skid;
        Ok(Measured::Skid(skid, self.counter.margin()))
    }
}
