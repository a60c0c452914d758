// SPDX-License-Identifier: MIT
//! How late overflow interrupts are, and how early a counter is armed for it.

use displaydoc::Display;

use crate::back_end::Lateness;

/// Room in a margin for the breakpoint hits that show that a loop is tight; see
/// [`crate::exact::PATIENCE`].
pub const ROOM: u64 = 64;

/// {samples} interrupts {least} to {largest} late, 99 of 100 at most {common}
///
/// This is the lateness that was measured, in instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Display)]
#[ignore_extra_doc_attributes]
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

/// {far}, {near} in tight loops
///
/// So much earlier than a target a counter is armed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Display)]
#[ignore_extra_doc_attributes]
pub struct Margin {
    /// From afar: no interrupt is that late.
    pub far: u64,
    /// In tight loops, where every instruction too early costs a debug exception:
    /// hardly any interrupt is that late. At most `far`.
    pub near: u64,
}

impl Skid {
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
            Lateness::AtLeast(floor) | Lateness::Unbounded(floor) => u64::from(floor),
        };
        Margin { far: measured.max(least), near }
    }
}

impl Skid {
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

/// Values up to 15 have a bucket each, then eight buckets a power of two.
const BUCKETS: usize = 16 + 8 * 28;

/// Collects single latenesses in little room.
pub(crate) struct Histogram {
    buckets: [u16; BUCKETS],
    skid: Skid,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { buckets: [0; BUCKETS], skid: Skid { least: u64::MAX, ..Skid::default() } }
    }

    fn bucket(value: u64) -> usize {
        if value < 16 {
            return value as usize;
        }
        let power = value.ilog2();
        let eighth = (value >> (power - 3)) & 7;
        (16 + (power - 4) as usize * 8 + eighth as usize).min(BUCKETS - 1)
    }

    /// The largest value of a bucket.
    fn edge(bucket: usize) -> u64 {
        let Some(above) = bucket.checked_sub(16) else { return bucket as u64 };
        let (power, eighth) = ((above / 8) as u32 + 4, (above % 8) as u64);
        ((9 + eighth) << (power - 3)) - 1
    }

    pub(crate) fn add(&mut self, value: u64) {
        let bucket = &mut self.buckets[Self::bucket(value)];
        *bucket = bucket.saturating_add(1);
        self.skid.samples += 1;
        self.skid.least = self.skid.least.min(value);
        self.skid.largest = self.skid.largest.max(value);
    }

    pub(crate) fn summary(&self) -> Skid {
        let wanted = self.skid.samples - self.skid.samples / 100;
        let mut seen = 0;
        let common = self.buckets.iter().position(|&bucket| {
            seen += u32::from(bucket);
            seen >= wanted
        });
        let common = common.map_or(0, Self::edge).min(self.skid.largest);
        Skid { common, ..self.skid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bucket_that_ends_at_or_above_it() {
        for value in (0..5000).chain([65_535, 65_536, 1 << 20, u64::from(u32::MAX) - 1]) {
            let edge = Histogram::edge(Histogram::bucket(value));
            assert!(edge >= value && edge <= value + value / 8, "{value}: {edge}");
        }
    }

    #[test]
    fn the_summary_tells_the_tail_from_the_rest() {
        let mut histogram = Histogram::new();
        for value in 0..1000 {
            histogram.add(if value == 500 { 9_000 } else { value % 100 });
        }
        let skid = histogram.summary();
        assert_eq!((skid.samples, skid.least, skid.largest), (1000, 0, 9_000));
        assert!((99..112).contains(&skid.common), "{skid:?}");
        let margin = skid.margin(Lateness::AtLeast(100));
        assert_eq!(margin.far, 18_064);
        assert_eq!(margin.near, 2 * skid.common);
    }

    #[test]
    fn after_a_miss_both_margins_are_doubled_and_none_stays_zero() {
        let margin = Margin { far: 264, near: 100 };
        assert_eq!(margin.doubled(), Margin { far: 528, near: 200 });
        assert_eq!(Margin::default().doubled(), Margin { far: 2, near: 2 });
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
        let margins = [Lateness::Never, Lateness::AtLeast(100), Lateness::Unbounded(10_000)]
            .map(|lateness| Skid::default().margin(lateness).far);
        assert_eq!(margins, [0, 100, 10_000]);
    }
}
