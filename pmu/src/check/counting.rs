// SPDX-License-Identifier: MIT
//! Checks of the count itself.

use core::iter::repeat_n;

use strum::VariantArray as _;

use super::report::Measured;
use super::trial::{Stretch, Trial};
use crate::back_end::{Lateness, StopKind};
use crate::workbench::{Block, MAX_AFTER};

/// Iterations and repetitions of the exact blocks: 10 to 10^6 instructions, a
/// thousand times each as long as that is quick.
const SIZES: [(u32, usize); 6] =
    [(5, 1000), (50, 1000), (500, 1000), (5_000, 1000), (50_000, 100), (500_000, 10)];
/// What is larger is no bias, but a counter that does not count from where it was
/// set.
const LARGEST_BIAS: i64 = 1_000;
/// Repetitions of each stop whose bias is measured.
const STOPS: usize = 16;
/// Budgets for the endless loop: each position in it.
const BUDGETS: [u64; 12] = [200, 201, 202, 203, 204, 205, 206, 207, 500, 1001, 9_973, 20_000];
/// Cuts into the block with an interrupt inside, and repetitions of each.
const CUTS: [u64; 6] = [150, 151, 400, 999, 1_500, 1_999];
const CUT_REPEATS: usize = 16;
const CUT_LOOPS: u32 = 1_000;

impl Trial<'_> {
    pub(super) fn moves(&mut self) -> Result<Measured, Measured> {
        let (short, few, _) = self.through(Block::Long(5), self.longest())?;
        let (long, many, _) = self.through(Block::Long(5_000), self.longest())?;
        let moved = Measured::Counted { executed: long - short, counted: many.saturating_sub(few) };
        if many > few { Ok(moved) } else { Err(moved) }
    }

    pub(super) fn exact(&mut self) -> Result<Measured, Measured> {
        let longest = self.longest();
        let (blocks, instructions) = self.calibrate(
            SIZES.iter().flat_map(|&(loops, repeats)| repeat_n((Block::Long(loops), longest), repeats)),
        )?;
        let bias = self.counter.calibration.biases.0[StopKind::Syscall as usize];
        Ok(Measured::Exact { blocks, instructions, bias })
    }

    /// Executes blocks, each with its budget. What the counter counts beyond them has to be
    /// the same each time that they end alike, and is the bias from now on. Returns how many
    /// blocks and instructions there were.
    fn calibrate(&mut self, blocks: impl Iterator<Item = (Block, u64)>) -> Result<(u32, u64), Measured> {
        let mut ranges = [None; StopKind::VARIANTS.len()];
        let (mut count, mut instructions) = (0, 0);
        for (block, budget) in blocks {
            let Stretch { seen, raw, .. } = self.whole(block, budget)?;
            let surplus = raw as i64 - seen.executed as i64;
            let (least, most) = ranges[seen.kind as usize].get_or_insert((surplus, surplus));
            (*least, *most) = (surplus.min(*least), surplus.max(*most));
            (count, instructions) = (count + 1, instructions + seen.executed);
        }
        for (bias, range) in self.counter.calibration.biases.0.iter_mut().zip(ranges) {
            let Some((least, most)) = range else { continue };
            if least != most || least.abs() > LARGEST_BIAS {
                return Err(Measured::Spread { least, most });
            }
            *bias = least;
        }
        Ok((count, instructions))
    }

    /// Counts from minus each power of two that is a budget. A counter with fewer
    /// bits than it claims loses the upper ones of what is written.
    pub(super) fn width(&mut self) -> Result<Measured, Measured> {
        let longest = self.longest();
        let powers = (12..63).map(|bit| 1 << bit).take_while(|&budget| budget < longest);
        for budget in powers.chain([longest]) {
            if self.exactly(Block::Long(100), budget) != Ok(0) {
                return Err(Measured::Budget(budget));
            }
        }
        Ok(Measured::Budget(longest))
    }

    /// Measures what each kind of stop adds to a count, with these budgets for the endless
    /// loop; says how often it has compared.
    pub(crate) fn biases(&mut self, repeats: usize, budgets: &[u64]) -> Result<u32, Measured> {
        let longest = self.longest();
        let ends = (0..=MAX_AFTER).flat_map(|after| {
            let long = Block::Long(1 + u32::from(after));
            [Block::Fault(after), Block::Step, Block::Breakpoint(after), long].map(|block| (block, longest))
        });
        let all = ends.chain(budgets.iter().map(|&asked| (Block::Loop, asked)));
        let (compared, _) = self.calibrate(repeat_n(all, repeats).flatten())?;
        Ok(compared)
    }

    pub(super) fn bias(&mut self) -> Result<Measured, Measured> {
        self.biases(STOPS, &BUDGETS)?;
        let calibration = &mut self.counter.calibration;
        if self.counter.back_end.nature().lateness != Lateness::Never {
            // Whatever an entry adds is in this bias, too: armed for so much more, the
            // counter does not overflow before its budget is used up.
            calibration.lead = calibration.biases.0[StopKind::Counter as usize].max(0) as u64;
        }
        Ok(Measured::Biases(calibration.biases))
    }

    pub(super) fn undisturbed(&mut self) -> Result<Measured, Measured> {
        // The rest of the block is longer than the interrupt can be late.
        let loops = CUT_LOOPS + self.counter.calibration.skid.largest as u32;
        let mut blocks = 0;
        for cut in CUTS.into_iter().cycle().take(CUTS.len() * CUT_REPEATS) {
            let interrupts = self.exactly(Block::Long(loops), cut)?;
            blocks += u32::from(interrupts > 0);
        }
        if blocks > 0 { Ok(Measured::Blocks(blocks)) } else { Err(Measured::NoInterrupt(1)) }
    }
}
