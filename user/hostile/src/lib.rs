// SPDX-License-Identifier: MIT
//! What the attacks share: a table of named cases and the choice of one of them.
//!
//! Every program takes one argument, the name of a case, or `list`. A case that
//! comes back returns 0 if the kernel behaved, which ends the program with status
//! 0; any other value ends it with status 1. `expect.toml` says how each case has
//! to end. An attack is a naked function, so that no compiled code stands between
//! the bad state and the instruction that meets it.
#![no_std]

pub mod calls;

use core::ops::Range;

use rt::output::{STDERR, STDOUT, line};

/// Memory for an attack to use: zero, page-aligned, on the stack.
#[repr(C, align(4096))]
pub struct Scratch(pub [u8; 8192]);

/// An attack; it gets scratch memory in RDI and the case's value in RSI.
pub type Attack = extern "C" fn(&mut Scratch, u64) -> u64;

/// One case of a program.
#[derive(Clone, Copy)]
pub struct Case {
    /// What the command line calls it.
    pub name: &'static str,
    /// What it does.
    pub attack: Attack,
    /// Which of several values it does it with.
    pub value: u64,
}

/// A value to attack with, and its part of the case's name.
pub type Named = (&'static str, u64);

/// Runs the case that the arguments name and returns the program's status.
#[must_use]
pub fn run(mut arguments: rt::Arguments, cases: &[Case]) -> i32 {
    let wanted = arguments.nth(1).unwrap_or(b"");
    if wanted == b"list" {
        cases.iter().for_each(|case| line(STDOUT, format_args!("{}", case.name)));
        return 0;
    }
    match cases.iter().find(|case| case.name.as_bytes() == wanted) {
        Some(case) => attack(case.attack, case.value),
        None => usage(),
    }
}

/// As [`run`], for every case with every value: `CASE-VALUE`.
#[must_use]
pub fn run_product(mut arguments: rt::Arguments, cases: &[Case], values: &[Named]) -> i32 {
    let wanted = arguments.nth(1).unwrap_or(b"");
    if wanted == b"list" {
        for case in cases {
            values.iter().for_each(|(name, _)| line(STDOUT, format_args!("{}-{name}", case.name)));
        }
        return 0;
    }
    for case in cases {
        let rest = wanted.strip_prefix(case.name.as_bytes()).and_then(|rest| rest.strip_prefix(b"-"));
        if let Some(&(_, value)) = values.iter().find(|(name, _)| Some(name.as_bytes()) == rest) {
            return attack(case.attack, value);
        }
    }
    usage()
}

/// As [`run`], for `numbered` with every number of `numbers` as well: the number is the name.
#[must_use]
pub fn run_numbered(arguments: rt::Arguments, numbered: Attack, numbers: Range<u64>, cases: &[Case]) -> i32 {
    let wanted = arguments.clone().nth(1).unwrap_or(b"");
    if wanted == b"list" {
        numbers.for_each(|number| line(STDOUT, format_args!("{number}")));
        return run(arguments, cases);
    }
    match core::str::from_utf8(wanted).ok().and_then(|wanted| wanted.parse().ok()) {
        Some(number) if numbers.contains(&number) => attack(numbered, number),
        _ => run(arguments, cases),
    }
}

fn attack(attack: Attack, value: u64) -> i32 {
    i32::from(attack(&mut Scratch([0; 8192]), value) != 0)
}

/// Says how the program is called and returns its status.
#[must_use]
pub fn usage() -> i32 {
    line(STDERR, format_args!("one argument: the name of a case, or `list` to see them"));
    2
}

/// Makes a `&[Case]` of lines `"name" (value): "instruction", "instruction";`.
///
/// RDI and RSI are as in [`Attack`]; all instructions are Intel syntax; the code
/// returns 0 in RAX, or never returns. RBX, RBP, R12 to R15 may be spoilt
/// by an attack that does not return.
#[macro_export]
macro_rules! attacks {
    ($($name:literal $(($value:expr))? : $($line:expr),+ ;)+) => {
        &[$($crate::Case {
            name: $name,
            attack: {
                #[unsafe(naked)]
                extern "C" fn attack(_: &mut $crate::Scratch, _: u64) -> u64 {
                    core::arch::naked_asm!($($line),+)
                }
                attack
            },
            value: 0 $(+ $value)?,
        }),+]
    };
}
