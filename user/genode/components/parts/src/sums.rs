// SPDX-License-Identifier: MIT
//! Sums that components compute, of which it is known what they come to.

use alloc::vec::Vec;
use core::hint::black_box;

/// The number that words are made of: 2^64 over the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The FNV-1a hash of so many bytes, of which each is its own index.
#[must_use]
pub fn fnv(count: u64) -> u64 {
    (0..count).fold(0xcbf2_9ce4_8422_2325, |hash, index| {
        (hash ^ (black_box(index) & 0xff)).wrapping_mul(0x100_0000_01b3)
    })
}

/// The word at an index of an area in a round.
#[must_use]
pub const fn word(index: u64, round: u64) -> u64 {
    index.wrapping_add(round).wrapping_mul(SPREAD)
}

/// The sum of so many words as they are after so many rounds.
#[must_use]
pub fn words(count: u64, rounds: u64) -> u64 {
    let Some(last) = rounds.checked_sub(1) else { return 0 };
    // Of an even number and its odd neighbour one can be halved.
    let indices = match count.is_multiple_of(2) {
        true => (count / 2).wrapping_mul(count.wrapping_sub(1)),
        false => count.wrapping_mul((count - 1) / 2),
    };
    indices.wrapping_add(count.wrapping_mul(last)).wrapping_mul(SPREAD)
}

/// What the calls `add(i, 2i + 1)` for all `i` below a count return, in all.
#[must_use]
pub fn echoes(count: u64) -> u64 {
    (0..count).fold(0, |sum: u64, index| sum.wrapping_add(index.wrapping_mul(3).wrapping_add(1)))
}

/// How many primes lie below a number; nothing if there is no memory to find out.
#[must_use]
pub fn primes(below: usize) -> Option<usize> {
    let mut crossed: Vec<bool> = Vec::new();
    crossed.try_reserve_exact(below).ok()?;
    crossed.resize(below, false);
    let mut count = 0;
    for number in 2..below {
        if crossed[number] {
            continue;
        }
        count += 1;
        if let Some(square) = number.checked_mul(number) {
            (square..below).step_by(number).for_each(|multiple| crossed[multiple] = true);
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_is_the_published_one() {
        // The published test vectors: the empty text, and one zero byte.
        assert_eq!((fnv(0), fnv(1)), (0xcbf2_9ce4_8422_2325, 0xaf63_bd4c_8601_b7df));
        assert_eq!(
            fnv(256 + 7),
            (256..263).fold(fnv(256), |hash, at| (hash ^ (at & 0xff)).wrapping_mul(0x100_0000_01b3))
        );
    }

    #[test]
    fn the_sum_of_words_is_the_words_sum() {
        for (count, rounds) in [(0, 1), (1, 1), (2, 3), (512, 1), (513, 7), (4096, 100)] {
            let added = (0..count).fold(0u64, |sum, index| sum.wrapping_add(word(index, rounds - 1)));
            assert_eq!(words(count, rounds), added, "{count} words, {rounds} rounds");
        }
        assert_eq!(words(9, 0), 0);
    }

    #[test]
    fn echoes_come_to_what_the_specification_says() {
        assert_eq!((echoes(100), echoes(1000), echoes(0)), (14_950, 1_499_500, 0));
    }

    #[test]
    fn primes_are_counted() {
        assert_eq!([0, 2, 3, 100, 20_000].map(primes), [Some(0), Some(0), Some(1), Some(25), Some(2262)]);
        assert_eq!(primes(usize::MAX), None);
    }
}
