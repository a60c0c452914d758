// SPDX-License-Identifier: MIT
//! How long interrupts are held back: from a PE's first instruction to its commit.

use pe_replay::TimedPhase;
use wire::record::PeRecord;

/// Delays in the counter's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Of an interrupt that comes at any moment of any PE, as likely as at any other: half of
    /// them wait longer.
    pub median: u64,
    /// The longest that one could have waited.
    pub longest: u64,
}

impl Latency {
    /// Those of a run.
    pub fn of(records: &[PeRecord], longest: u64) -> Self {
        let mut holds: Vec<u64> = records.iter().map(hold).collect();
        Self { median: median_delay(&mut holds), longest }
    }
}

/// How long one PE holds interrupts back: all its phases but the kernel's other work.
fn hold(record: &PeRecord) -> u64 {
    record.phases.total() - record.phases.get(TimedPhase::Other)
}

/// The median of what is left of a hold at a random moment of it.
///
/// At such a moment more than `delay` is left for a share of the sum of all holds that is
/// the sum of `hold - delay`, where that is positive; for the median it is one half.
fn median_delay(holds: &mut [u64]) -> u64 {
    holds.sort_unstable();
    let all: u128 = holds.iter().map(|hold| u128::from(*hold)).sum();
    let (mut least, mut most) = (0, holds.last().copied().unwrap_or(0));
    while least < most {
        let delay = least + (most - least) / 2;
        let above = holds.iter().rev().map_while(|hold| hold.checked_sub(delay));
        let left: u128 = above.map(u128::from).sum();
        if 2 * left > all {
            least = delay + 1;
        } else {
            most = delay;
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_moment_of_equal_holds_is_in_the_middle_of_one() {
        assert_eq!(median_delay(&mut [100, 100, 100]), 50);
        assert_eq!(median_delay(&mut []), 0);
        assert_eq!(median_delay(&mut [0, 0]), 0);
    }

    #[test]
    fn a_long_hold_is_hit_more_often_than_a_short_one() {
        // Of 1,090 units of time 1,000 are in the long one; 545 are left in 545 of them.
        let mut holds = [10, 1000, 10, 10, 10, 10, 10, 10, 10, 10];
        assert_eq!(median_delay(&mut holds), 455);
    }
}
