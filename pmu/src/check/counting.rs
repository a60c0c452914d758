// SPDX-License-Identifier: MIT
//! Checks of the count itself.

use super::constant::Constant;
use super::report::Measured;
use super::trial::Trial;
use crate::back_end::{Lateness, StopKind};
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

impl Trial<'_> {
    pub(super) fn moves(&mut self) -> Result<Measured, Measured> {
        let (short, few, _) = self.through(Block::Long(5), self.longest())?;
        let (long, many, _) = self.through(Block::Long(5_000), self.longest())?;
        let moved = Measured::Counted { executed: long - short, counted: many.saturating_sub(few) };
        if many > few { Ok(moved) } else { Err(moved) }
    }

    pub(super) fn exact(&mut self) -> Result<Measured, Measured> {
        let mut bias = Constant::default();
        let mut instructions = 0;
        for (loops, repeats) in SIZES {
            for _ in 0..repeats {
                let stretch = self.whole(Block::Long(loops))?;
                instructions += stretch.seen.executed;
                bias.add(stretch.surplus);
            }
        }
        let (blocks, bias) = (bias.seen, bias.value()?);
        self.counter.calibration.biases.syscall = bias;
        Ok(Measured::Exact { blocks, instructions, bias })
    }

    /// Counts from minus each power of two that is a budget. A counter with fewer
    /// bits than it claims loses the upper ones of what is written.
    pub(super) fn width(&mut self) -> Result<Measured, Measured> {
        let longest = self.longest();
        let powers = (12..63).map(|bit| 1 << bit).take_while(|&budget| budget < longest);
        for budget in powers.chain([longest]) {
            let stretch = self.execute(Block::Long(100), budget)?;
            if stretch.seen.kind != StopKind::Syscall || stretch.told.instructions != stretch.seen.executed {
                return Err(Measured::Budget(budget));
            }
        }
        Ok(Measured::Budget(longest))
    }

    /// Measures what each kind of stop adds to a count, which has to be the same every
    /// time, with these budgets for the endless loop; says how often it has compared.
    pub(crate) fn biases(&mut self, repeats: u32, budgets: &[u64]) -> Result<u32, Measured> {
        let never_late = self.counter.back_end.nature().lateness == Lateness::Never;
        let [mut counter, mut fault, mut debug, mut syscall] = [(); 4].map(|()| Constant::default());
        for _ in 0..repeats {
            for after in 0..=MAX_AFTER {
                fault.add(self.whole(Block::Fault(after))?.surplus);
                debug.add(self.whole(Block::Step)?.surplus);
                debug.add(self.whole(Block::Breakpoint(after))?.surplus);
                syscall.add(self.whole(Block::Long(1 + u32::from(after)))?.surplus);
            }
            for &asked in budgets {
                let stretch = self.execute(Block::Loop, asked)?;
                if never_late && stretch.seen.executed != asked {
                    return Err(Measured::Stop { asked, seen: stretch.seen.executed });
                }
                counter.add(stretch.surplus);
            }
        }
        let biases = &mut self.counter.calibration.biases;
        biases.counter = counter.value()?;
        biases.fault = fault.value()?;
        biases.debug = debug.value()?;
        biases.syscall = syscall.value()?;
        Ok(counter.seen + fault.seen + debug.seen + syscall.seen)
    }

    pub(super) fn bias(&mut self) -> Result<Measured, Measured> {
        self.biases(STOPS, &BUDGETS)?;
        let calibration = &mut self.counter.calibration;
        if self.counter.back_end.nature().lateness != Lateness::Never {
            // Whatever an entry adds is in this bias, too: armed for so much more, the
            // counter does not overflow before its budget is used up.
            calibration.lead = calibration.biases.counter.max(0) as u64;
        }
        Ok(Measured::Biases(calibration.biases))
    }

    pub(super) fn undisturbed(&mut self) -> Result<Measured, Measured> {
        // The rest of the block is longer than the interrupt can be late.
        let loops = CUT_LOOPS + self.counter.calibration.skid.largest as u32;
        let mut blocks = 0;
        for cut in CUTS.into_iter().cycle().take(CUTS.len() * CUT_REPEATS as usize) {
            let interrupts = self.exactly(Block::Long(loops), cut)?;
            blocks += u32::from(interrupts > 0);
        }
        if blocks > 0 { Ok(Measured::Blocks(blocks)) } else { Err(Measured::NoInterrupt(1)) }
    }
}
