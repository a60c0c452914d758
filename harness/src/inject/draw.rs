// SPDX-License-Identifier: MIT
//! Which bit is flipped when: each instruction that a program executes, and each bit of
//! the target, is as likely as any other.

use std::fmt;
use std::ops::Range;

use flips::{Copy, Injection, Saved, Target};
use pe_replay::{Comparison, Mode, Recovery, Run};
use wire::injection::{INJECTABLE_FLAGS, bits};

use super::random::Random;
use super::subject::Subject;

/// What a program sees of itself.
#[derive(Clone, std::marker::Copy, Debug, PartialEq, Eq)]
pub enum Seen {
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
}

impl Seen {
    const ALL: [Self; 5] = [Self::General, Self::Rip, Self::Rflags, Self::Xmm, Self::Memory];
}

/// What is hit: a row of the table.
#[derive(Clone, std::marker::Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// What a program sees, in a run.
    Seen(Seen, Run),
    /// What a program sees, in the third run of a vote that another flip, in run 2, brings about.
    Vote,
    /// One of the engine's own copies of a page.
    Copy(Copy),
    /// One of the engine's own saved states.
    Saved(Saved),
}

impl Class {
    /// The classes that there are without replay, too.
    pub const PAIRED: [Self; 5] = [
        Self::Seen(Seen::General, Run::First),
        Self::Seen(Seen::Rip, Run::First),
        Self::Seen(Seen::Rflags, Run::First),
        Self::Seen(Seen::Xmm, Run::First),
        Self::Seen(Seen::Memory, Run::First),
    ];

    /// The classes that there are with replay only.
    pub fn unpaired(mode: Mode, recoveries: &[Recovery], comparison: Comparison) -> Vec<Self> {
        let later = |run| Seen::ALL.map(|seen| Self::Seen(seen, run));
        let mut classes = later(Run::Second).to_vec();
        if mode == Mode::Triple {
            classes.extend(later(Run::Third));
        } else if recoveries.contains(&Recovery::Vote) {
            classes.push(Self::Vote);
        }
        classes.push(Self::Copy(Copy::Checkpoint));
        if comparison == Comparison::Bytes {
            classes.extend([Self::Copy(Copy::Second), Self::Copy(Copy::Spare)]);
        }
        classes.extend([Saved::Start, Saved::Shadow, Saved::Result].map(Self::Saved));
        classes
    }

    /// The class of memory in run 1, and those of it that there are with replay only.
    pub fn memory() -> (Vec<Self>, Vec<Self>) {
        let memory = |run| vec![Self::Seen(Seen::Memory, run)];
        (memory(Run::First), memory(Run::Second))
    }

    /// Whether the same flip is possible without replay.
    pub fn is_paired(self) -> bool {
        matches!(self, Self::Seen(_, Run::First))
    }

    /// Whether a flip may end in a verdict on the engine's own copies: with what a PE
    /// started from there twice, and no telling which of the two is right.
    pub fn may_lose_the_start(self, comparison: Comparison) -> bool {
        match self {
            Self::Saved(Saved::Start | Saved::Shadow) => true,
            Self::Copy(Copy::Checkpoint) => comparison == Comparison::Hash,
            Self::Saved(Saved::Result) | Self::Copy(_) | Self::Seen(..) | Self::Vote => false,
        }
    }

    /// Whether the flips concern XMM registers.
    pub fn is_vector(self) -> bool {
        matches!(self, Self::Seen(Seen::Xmm, _))
    }

    /// Draws what hits one run of the program.
    pub fn flips(self, random: &mut Random, subject: &Subject, mode: Mode) -> Vec<Injection> {
        let instructions = subject.instructions();
        let (pe, at) = place(instructions, random.below(instructions.iter().sum()));
        let any_run = &Run::ALL[..if mode == Mode::Triple { 3 } else { 2 }];
        let seen = |random: &mut Random, seen, run| {
            let (target, bit) = seen_target(random, seen, subject);
            Injection { pe, run, at, target, bit }
        };
        match self {
            Self::Seen(what, run) => vec![seen(random, what, run)],
            Self::Vote => {
                let first = seen(random, Seen::Rip, Run::Second);
                // Run 3 is hit elsewhere, or two runs would agree on what is wrong.
                let what = *random.one(&[Seen::General, Seen::Rflags, Seen::Memory]);
                vec![first, seen(random, what, Run::Third)]
            }
            Self::Copy(copy) => {
                let (address, bit) = (any_byte(random, subject.memory()), random.below(8) as u8);
                let run = *random.one(any_run);
                vec![Injection { pe, run, at, target: Target::Copy(copy, address), bit }]
            }
            Self::Saved(saved) => {
                let target = Target::Saved(saved, random.below(16) as u8);
                let bit = random.below(bits(target).into()) as u8;
                let run = *random.one(any_run);
                // What a run starts from matters only until it has.
                let at = if saved == Saved::Result { at } else { 0 };
                vec![Injection { pe, run, at, target, bit }]
            }
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::Seen(seen, run) => {
                let what = match seen {
                    Seen::General => "general registers",
                    Seen::Rip => "RIP",
                    Seen::Rflags => "RFLAGS",
                    Seen::Xmm => "XMM registers",
                    Seen::Memory => "memory",
                };
                format!("{what}, run {}", run.number())
            }
            Self::Vote => "RIP in run 2, any in run 3".to_owned(),
            Self::Copy(copy) => match copy {
                Copy::Checkpoint => "page checkpoint",
                Copy::Second => "run 2's page",
                Copy::Spare => "spare page",
            }
            .to_owned(),
            Self::Saved(saved) => match saved {
                Saved::Start => "saved start registers",
                Saved::Shadow => "their shadow",
                Saved::Result => "run 1's saved result",
            }
            .to_owned(),
        })
    }
}

fn seen_target(random: &mut Random, seen: Seen, subject: &Subject) -> (Target, u8) {
    let target = match seen {
        Seen::General => Target::Gpr(random.below(16) as u8),
        Seen::Rip => Target::Rip,
        Seen::Rflags => Target::Rflags,
        Seen::Xmm => Target::Xmm(random.below(16) as u8),
        Seen::Memory => Target::Memory(any_byte(random, subject.memory())),
    };
    let bit = match seen {
        Seen::Rflags => any_bit(random, INJECTABLE_FLAGS),
        Seen::General | Seen::Rip | Seen::Xmm | Seen::Memory => random.below(bits(target).into()) as u8,
    };
    (target, bit)
}

/// Draws the address of a byte of several ranges.
pub fn any_byte(random: &mut Random, ranges: &[Range<u64>]) -> u64 {
    let bytes = ranges.iter().map(|range| range.end - range.start).sum();
    byte(ranges, random.below(bytes))
}

/// Draws a bit that is set in `mask`.
pub fn any_bit(random: &mut Random, mask: u64) -> u8 {
    nth_bit(mask, random.below(mask.count_ones().into()))
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
    fn every_instruction_byte_and_flag_can_be_hit() {
        let places: Vec<_> = (0..5).map(|chosen| place(&[2, 0, 3], chosen)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]);
        let bytes: Vec<_> = (0..3).map(|chosen| byte(&[16..18, 32..33], chosen)).collect();
        assert_eq!(bytes, [16, 17, 32]);
        let bits = (0..INJECTABLE_FLAGS.count_ones().into()).map(|n| 1 << nth_bit(INJECTABLE_FLAGS, n));
        assert_eq!(bits.sum::<u64>(), INJECTABLE_FLAGS);
    }

    #[test]
    fn every_kind_of_target_has_a_row_of_its_own() {
        let both = [Recovery::Restart, Recovery::Vote];
        let rows = |mode, recoveries, comparison| {
            let classes = [&Class::PAIRED[..], &Class::unpaired(mode, recoveries, comparison)].concat();
            let names: std::collections::HashSet<_> = classes.iter().map(Class::to_string).collect();
            assert_eq!(names.len(), classes.len());
            names.len()
        };
        assert_eq!(rows(Mode::Dual, &both, Comparison::Bytes), 5 + 5 + 1 + 3 + 3);
        assert_eq!(rows(Mode::Dual, &both[..1], Comparison::Hash), 5 + 5 + 1 + 3);
        assert_eq!(rows(Mode::Triple, &both[..1], Comparison::Bytes), 5 + 10 + 3 + 3);
    }
}
