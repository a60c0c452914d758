// SPDX-License-Identifier: MIT
//! SplitMix64: what goes wrong, and when, follows from a seed.
//!
//! Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
//! OOPSLA 2014, section 5.

/// A stream of pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One of 0 to `bound`, both included, all but equally likely.
    pub fn up_to(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * (u128::from(bound) + 1)) >> 64) as u64
    }

    /// True once in `n` times; never for 0.
    pub fn one_in(&mut self, n: u32) -> bool {
        n != 0 && self.up_to(u64::from(n) - 1) == 0
    }
}
