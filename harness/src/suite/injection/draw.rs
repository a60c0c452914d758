// SPDX-License-Identifier: MIT
//! Which bit is flipped when: each instruction that a program executes, and each bit of
//! the target, is as likely as any other.

use std::fmt;
use std::ops::Range;

use pe_replay::inject::INJECTABLE_FLAGS;
use pe_replay::{Injection, Run, Target};

use super::subject::Subject;

/// What is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The general registers.
    General,
    /// The instruction pointer.
    Rip,
    /// The flags.
    Rflags,
    /// The XMM registers.
    Xmm,
    /// A byte of the program's data or stack.
    Memory,
    /// A byte that two processes share.
    Shared,
}

impl Class {
    /// The programs that are hit: short ones, whose output depends on most of their state.
    pub fn programs(self) -> &'static [&'static str] {
        match self {
            Self::General | Self::Rip | Self::Rflags | Self::Memory => &["tiny", "registers"],
            // The other one has nothing in them.
            Self::Xmm => &["registers"],
            Self::Shared => &["watched"],
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::General => "general registers",
            Self::Rip => "RIP",
            Self::Rflags => "RFLAGS",
            Self::Xmm => "XMM registers",
            Self::Memory => "memory",
            Self::Shared => "shared memory",
        })
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`: the upper half of the product.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// Draws one flip of a class.
pub fn flip(random: &mut Random, class: Class, subject: &Subject) -> Injection {
    let (pe, at) = place(subject.instructions(), random.below(subject.instructions().iter().sum()));
    let run = [Run::First, Run::Second][random.below(2) as usize];
    let target = match class {
        Class::General => Target::Gpr(random.below(16) as u8),
        Class::Rip => Target::Rip,
        Class::Rflags => Target::Rflags,
        Class::Xmm => Target::Xmm(random.below(16) as u8),
        Class::Memory | Class::Shared => {
            let length = |range: &Range<u64>| range.end - range.start;
            let chosen = random.below(subject.memory().iter().map(length).sum());
            Target::Memory(byte(subject.memory(), chosen))
        }
    };
    let bit = match class {
        Class::Rflags => nth_bit(INJECTABLE_FLAGS, random.below(INJECTABLE_FLAGS.count_ones().into())),
        Class::General | Class::Rip | Class::Xmm | Class::Memory | Class::Shared => {
            random.below(target.bits().into()) as u8
        }
    };
    Injection { pe, run, at, target, bit }
}

/// The PE in which the instruction with the number `chosen` is executed, and its number there.
fn place(instructions: &[u64], chosen: u64) -> (u64, u64) {
    let mut left = chosen;
    for (pe, count) in instructions.iter().enumerate() {
        match left.checked_sub(*count) {
            Some(rest) => left = rest,
            None => return (pe as u64, left),
        }
    }
    unreachable!("the {chosen}th instruction of fewer")
}

/// The address of the byte with the number `chosen` in several ranges.
fn byte(ranges: &[Range<u64>], chosen: u64) -> u64 {
    let mut left = chosen;
    for range in ranges {
        match left.checked_sub(range.end - range.start) {
            Some(rest) => left = rest,
            None => return range.start + left,
        }
    }
    unreachable!("the {chosen}th byte of fewer")
}

/// The number of the bit that is the `n`th one set in `mask`.
fn nth_bit(mask: u64, n: u64) -> u8 {
    let set = (0..64).filter(|bit| (mask >> bit) & 1 == 1);
    set.clone().nth(n as usize).unwrap_or_else(|| unreachable!("the {n}th bit of fewer")) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // The values of Vigna's reference implementation for the seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!(
            [random.next(), random.next(), random.next()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
        assert!((0..1000).all(|_| random.below(7) < 7));
    }

    #[test]
    fn every_instruction_byte_and_flag_can_be_hit() {
        let places: Vec<_> = (0..5).map(|chosen| place(&[2, 0, 3], chosen)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]);
        let bytes: Vec<_> = (0..3).map(|chosen| byte(&[16..18, 32..33], chosen)).collect();
        assert_eq!(bytes, [16, 17, 32]);
        let bits = (0..INJECTABLE_FLAGS.count_ones().into()).map(|n| 1 << nth_bit(INJECTABLE_FLAGS, n));
        assert_eq!(bits.sum::<u64>(), INJECTABLE_FLAGS);
    }
}
