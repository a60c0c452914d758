// SPDX-License-Identifier: MIT
//! How late overflow interrupts are, and how early a counter is armed for it.

use crate::back_end::Lateness;

/// Room in a margin for the breakpoint hits that show that a loop is tight; see
/// [`crate::exact::PATIENCE`].
pub const ROOM: u64 = 64;

/// How late interrupts were, in instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skid {
    /// Interrupts that it was measured on.
    pub samples: u32,
    /// The smallest.
    pub least: u64,
    /// What 99 of 100 do not exceed.
    pub common: u64,
    /// The largest.
    pub largest: u64,
}

/// So much earlier than a target a counter is armed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margin {
    /// From afar: no interrupt is that late.
    pub far: u64,
    /// In tight loops, where every instruction too early costs a debug exception:
    /// hardly any interrupt is that late. At most `far`.
    pub near: u64,
}

impl Skid {
    /// What single latenesses, one at least, come to.
    pub(crate) fn of(latenesses: &mut [u32]) -> Self {
        latenesses.sort_unstable();
        let last = latenesses.len() - 1;
        let [least, common, largest] =
            [0, last - latenesses.len() / 100, last].map(|at| latenesses[at].into());
        Self { samples: latenesses.len() as u32, least, common, largest }
    }

    /// The margin for it.
    ///
    /// `far` is twice the largest skid seen, with some [`ROOM`], and at least the
    /// vendor's: rr, reverie and bedrock all had to raise constants that they had
    /// thought safe. `near` is the largest seen, or twice what 99 of 100 do not
    /// exceed where that is less: with a long tail, one more repetition in a
    /// hundred is cheaper than thousands of debug exceptions each time.
    pub fn margin(&self, lateness: Lateness) -> Margin {
        let near = self.largest.min(2 * self.common);
        let measured = if self.largest == 0 { 0 } else { 2 * self.largest + ROOM };
        let least = match lateness {
            Lateness::Never => 0,
            Lateness::AtLeast(floor) => floor,
        };
        Margin { far: measured.max(least), near }
    }

    /// Of two measurements the worse one.
    #[must_use]
    pub(crate) fn or_worse(self, other: Self) -> Self {
        Self {
            samples: self.samples + other.samples,
            least: self.least.min(other.least),
            common: self.common.max(other.common),
            largest: self.largest.max(other.largest),
        }
    }
}

impl Margin {
    /// That of the next attempt, after a target was missed.
    #[must_use]
    pub fn doubled(self) -> Self {
        let double = |margin: u64| margin.max(1).saturating_mul(2);
        Self { far: double(self.far), near: double(self.near) }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    #[test]
    fn the_summary_tells_the_tail_from_the_rest() {
        let mut latenesses: Vec<u32> =
            (0..1000).map(|n| if n == 500 { 9_000 } else { n % 100 + 7 }).collect();
        let skid = Skid::of(&mut latenesses);
        // The largest ten are 9,000 and nine times 106.
        assert_eq!(skid, Skid { samples: 1000, least: 7, common: 106, largest: 9_000 });
        assert_eq!(skid.margin(Lateness::AtLeast(100)), Margin { far: 18_064, near: 212 });
        let mut tenfold: Vec<u32> = (0..1000).map(|n| if n < 11 { 9_000 } else { n % 100 }).collect();
        assert_eq!(
            Skid::of(&mut tenfold).common,
            9_000,
            "eleven of a thousand are more than one of a hundred"
        );
        tenfold[999] = 5;
        assert_eq!(Skid::of(&mut tenfold).common, 99);
        assert_eq!(Skid::of(&mut [3]), Skid { samples: 1, least: 3, common: 3, largest: 3 });
    }

    #[test]
    fn of_two_measurements_the_worse_one_stays() {
        let one = Skid { samples: 10, least: 3, common: 7, largest: 9 };
        let other = Skid { samples: 5, least: 4, common: 6, largest: 90 };
        let worse = Skid { samples: 15, least: 3, common: 7, largest: 90 };
        assert_eq!((one.or_worse(other), other.or_worse(one)), (worse, worse));
    }

    #[test]
    fn without_skid_only_the_vendor_asks_for_a_margin() {
        let margins = [Lateness::Never, Lateness::AtLeast(100), Lateness::AtLeast(10_000)]
            .map(|lateness| Skid::default().margin(lateness).far);
        assert_eq!(margins, [0, 100, 10_000]);
    }
}
