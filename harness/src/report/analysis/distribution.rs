// SPDX-License-Identifier: MIT
//! How often which value was seen, in memory that does not grow with the number of values.
//!
//! Values below 2,048 have a place each; larger ones share one with those that have the same eleven leading binary
//! digits. A place knows the least value in it, so what comes out was really seen: a quantile is at most a thousandth
//! too low, and exact where a place has one value only.

/// Leading binary digits in which values of one place agree.
const DIGITS: u32 = 11;
/// Places are made so many at a time.
const CHUNK: usize = 256;
/// The most ranges that a picture is given, roughly.
const MOST_RANGES: u64 = 48;

/// A place.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    count: u64,
    least: u64,
}

/// How often which value was seen.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    /// Empty where nothing was seen.
    chunks: Vec<Vec<Place>>,
    count: u64,
    highest: u64,
}

/// How many values lie in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first value of the range.
    pub from: u64,
    /// The first value behind it.
    pub to: u64,
    /// How many values lie in it.
    pub count: u64,
}

/// The number of the place of a value.
fn place(value: u64) -> usize {
    let octave = (u64::BITS - value.leading_zeros()).saturating_sub(DIGITS);
    ((octave as usize) << (DIGITS - 1)) + (value >> octave) as usize
}

impl Distribution {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        self.count_in(place(value), Place { count: 1, least: value });
        self.highest = self.highest.max(value);
    }

    /// Counts all values of another one.
    pub fn merge(&mut self, other: &Self) {
        for (at, chunk) in other.chunks.iter().enumerate() {
            let seen = chunk.iter().enumerate().filter(|(_, place)| place.count > 0);
            seen.for_each(|(within, place)| self.count_in(at * CHUNK + within, *place));
        }
        self.highest = self.highest.max(other.highest);
    }

    fn count_in(&mut self, at: usize, more: Place) {
        let (chunk, within) = (at / CHUNK, at % CHUNK);
        if self.chunks.len() <= chunk {
            self.chunks.resize_with(chunk + 1, Vec::new);
        }
        let chunk = &mut self.chunks[chunk];
        if chunk.is_empty() {
            chunk.resize(CHUNK, Place::default());
        }
        let place = &mut chunk[within];
        place.least = if place.count == 0 { more.least } else { place.least.min(more.least) };
        place.count += more.count;
        self.count += more.count;
    }

    fn seen(&self) -> impl Iterator<Item = &Place> {
        self.chunks.iter().flatten().filter(|place| place.count > 0)
    }

    /// The largest value.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// The middle value, the lower of two; 0 if there is none.
    pub fn median(&self) -> u64 {
        let rank = self.count.saturating_sub(1) / 2;
        let mut below = 0;
        let mut middle = self.seen().skip_while(|place| {
            below += place.count;
            below <= rank
        });
        middle.next().map_or(0, |place| place.least)
    }

    /// The values by ranges that a picture has room for, from the first that has some to the last: equal ones where
    /// values are few, else four for each doubling.
    pub fn ranges(&self) -> Vec<Range> {
        let Some(first) = self.seen().next() else { return Vec::new() };
        let (first, span) = (first.least, self.highest - first.least);
        let next = |from: u64| {
            if span < MOST_RANGES {
                return from + 1;
            }
            // The four sizes between powers of two, and single values below eight.
            let power = from.max(1).ilog2();
            from.saturating_add((1 << power.saturating_sub(2)).max(1))
        };
        let mut from = first;
        if span >= MOST_RANGES && first > 0 {
            from = 1 << first.ilog2();
            while next(from) <= first {
                from = next(from);
            }
        }
        let mut seen = self.seen().peekable();
        let mut ranges = Vec::new();
        while seen.peek().is_some() {
            let to = next(from);
            let mut count = 0;
            while let Some(place) = seen.next_if(|place| place.least < to || to == u64::MAX) {
                count += place.count;
            }
            ranges.push(Range { from, to, count });
            from = to;
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Distribution {
        let mut all = Distribution::default();
        values.into_iter().for_each(|value| all.add(value));
        all
    }

    #[test]
    fn medians_are_the_lower_middle_value_and_nearly_exact() {
        assert_eq!(of([]).median(), 0);
        assert_eq!(of([7]).median(), 7);
        assert_eq!(of([4, 1, 3, 2]).median(), 2);
        assert_eq!(of([100_000; 9]).median(), 100_000);
        let (odd, large) = (of((0..10_001).map(|at| at * 997)), of([u64::MAX, u64::MAX - 1, 5]));
        let exact = 5_000 * 997;
        assert!(odd.median() <= exact && odd.median() > exact - exact / 1000, "{}", odd.median());
        assert_eq!((large.highest(), large.median()), (u64::MAX, u64::MAX - 1));
    }

    #[test]
    fn places_are_in_the_order_of_values() {
        let mut last = 0;
        for value in (0..5000).chain((13..64).flat_map(|power| [(1 << power) - 1, 1 << power])) {
            assert!(place(value) >= last, "{value}");
            last = place(value);
        }
        assert_eq!((place(2047), place(2048), place(2049)), (2047, 2048, 2048));
    }

    #[test]
    fn two_distributions_are_one() {
        let (mut one, all) = (of([1, 5, 70_000]), of([1, 5, 70_000, 0, 5, 90_000]));
        one.merge(&of([0, 5, 90_000]));
        assert_eq!((one.median(), one.highest()), (all.median(), all.highest()));
        assert_eq!(one.ranges(), all.ranges());
    }

    #[test]
    fn ranges_have_all_values_and_no_gap() {
        for values in [vec![0, 0, 3], vec![1, 7, 300, 100_000, 100_000], (0..4000).collect(), vec![9_000_000]]
        {
            let ranges = of(values.iter().copied()).ranges();
            assert_eq!(ranges.iter().map(|range| range.count).sum::<u64>(), values.len() as u64);
            assert!(ranges.windows(2).all(|pair| pair[0].to == pair[1].from));
            let (first, last) = (ranges.first().unwrap(), ranges.last().unwrap());
            assert!(first.count > 0 && last.count > 0 && ranges.len() < 120, "{ranges:?}");
        }
        assert_eq!(of([]).ranges(), []);
        let few = [(2, 3, 1), (3, 4, 0), (4, 5, 2)].map(|(from, to, count)| Range { from, to, count });
        assert_eq!(of([2, 4, 4]).ranges(), few);
    }
}
