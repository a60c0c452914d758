// SPDX-License-Identifier: MIT
//! Checks of the count itself.

use super::{Failure, Measured, Trial};
use crate::back_end::{Lateness, StopKind};
use crate::constant::Constant;
use crate::workbench::{Block, MAX_AFTER};

/// Iterations and repetitions of the exact blocks: 10 to 10^6 instructions, a
/// thousand times each as long as that is quick.
const SIZES: [(u32, u32); 6] =
    [(5, 1000), (50, 1000), (500, 1000), (5_000, 1000), (50_000, 100), (500_000, 10)];
/// Repetitions of each stop whose bias is measured.
const STOPS: u32 = 16;
/// Budgets for the endless loop: each position in it.
const BUDGETS: [u64; 12] = [200, 201, 202, 203, 204, 205, 206, 207, 500, 1001, 9_973, 20_000];
/// Cuts into the block with an interrupt inside, and repetitions of each.
const CUTS: [u64; 6] = [150, 151, 400, 999, 1_500, 1_999];
const CUT_REPEATS: u32 = 16;
const CUT_LOOPS: u32 = 1_000;
/// What is larger is no bias, but a counter that does not count from where it was
/// set.
const LARGEST_BIAS: i64 = 1_000;

impl Trial<'_> {
    pub(super) fn present(&mut self) -> Result<Measured, Failure> {
        self.counter.back_end.probe().map(|()| Measured::Kept).map_err(Measured::Unkept)
    }

    pub(super) fn moves(&mut self) -> Result<Measured, Failure> {
        let longest = self.counter.back_end.longest();
        let (short, short_counted, _) = self.through(Block::Long { loops: 5 }, longest)?;
        let (long, long_counted, _) = self.through(Block::Long { loops: 5_000 }, longest)?;
        let by = long - short;
        let counted = long_counted as i64 - short_counted as i64;
        let measured = Measured::Moved { by, counted };
        if counted > 0 { Ok(measured) } else { Err(measured) }
    }

    pub(super) fn exact(&mut self) -> Result<Measured, Failure> {
        let mut bias = Constant::default();
        let mut instructions = 0;
        for (loops, repeats) in SIZES {
            for _ in 0..repeats {
                let (sample, reading) = self.whole(Block::Long { loops })?;
                instructions += sample.executed;
                bias.add(reading.instructions as i64 - sample.executed as i64);
            }
        }
        let blocks = bias.seen;
        let bias = spread(&bias)?;
        self.counter.calibration.biases.syscall = bias;
        Ok(Measured::Exact { blocks, instructions, bias })
    }

    /// Counts from minus each power of two that is a budget. A counter with fewer
    /// bits than it claims loses the upper ones of what is written.
    pub(super) fn width(&mut self) -> Result<Measured, Failure> {
        let longest = self.counter.back_end.longest();
        let powers = (12..63).map(|bit| 1 << bit).take_while(|&budget| budget < longest);
        for budget in powers.chain([longest]) {
            let (sample, reading) = self.execute(Block::Long { loops: 100 }, budget)?;
            if sample.kind != StopKind::Syscall || reading.instructions != sample.executed {
                return Err(Measured::Narrow { budget });
            }
        }
        Ok(Measured::Width { longest })
    }

    pub(super) fn bias(&mut self) -> Result<Measured, Failure> {
        let mut biases = self.counter.calibration.biases;
        let (mut counter, mut fault, mut debug) =
            (Constant::default(), Constant::default(), Constant::default());
        for _ in 0..STOPS {
            for after in 0..=MAX_AFTER {
                let (sample, reading) = self.whole(Block::Fault { after })?;
                fault.add(reading.instructions as i64 - sample.executed as i64);
                for block in [Block::Step, Block::Breakpoint { after }] {
                    let (sample, reading) = self.whole(block)?;
                    debug.add(reading.instructions as i64 - sample.executed as i64);
                }
            }
            for budget in BUDGETS {
                let (sample, reading) = self.execute(Block::Loop, budget)?;
                counter.add(reading.instructions as i64 - sample.executed as i64);
            }
        }
        (biases.counter, biases.fault, biases.debug) = (spread(&counter)?, spread(&fault)?, spread(&debug)?);
        let never_late = self.counter.back_end.lateness() == Lateness::Never;
        let calibration = &mut self.counter.calibration;
        calibration.biases = biases;
        if !never_late {
            // Whatever an entry adds is in this bias, too: armed for so much more, the
            // counter does not overflow before its budget is used up.
            calibration.lead = biases.counter.max(0);
        }
        Ok(Measured::Biases(biases))
    }

    pub(super) fn undisturbed(&mut self) -> Result<Measured, Failure> {
        // The rest of the block is longer than the interrupt can be late.
        let loops = CUT_LOOPS + self.counter.calibration.skid.largest as u32;
        let mut blocks = 0;
        for cut in CUTS.into_iter().cycle().take(CUTS.len() * CUT_REPEATS as usize) {
            let (executed, counted, interrupts) = self.through(Block::Long { loops }, cut)?;
            if executed != counted {
                return Err(Measured::Disturbed { executed, counted });
            }
            blocks += u32::from(interrupts > 0);
        }
        if blocks == 0 {
            return Err(Measured::NoInterrupt { overflow: 1 });
        }
        Ok(Measured::Undisturbed { blocks })
    }
}

fn spread(bias: &Constant) -> Result<i64, Failure> {
    match bias.range() {
        Some((least, most)) if least == most && least.abs() <= LARGEST_BIAS => Ok(least),
        Some((least, most)) => Err(Measured::Spread { least, most }),
        None => Err(Measured::NoEnd),
    }
}
