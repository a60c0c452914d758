// SPDX-License-Identifier: MIT
//! The closed list of what two runs must agree on: how they ended, and the fields of their registers.
//!
//! Both sides are in the normal form ([`RegisterSet::normalize`]). Each entry of the
//! list has a test of its own below, which fails when the entry is left out.

use crate::difference::{Difference, Field};
use crate::registers::RegisterSet;
use crate::stop::End;

/// What one run left behind, memory apart: the registers, in the normal form, and how it ended.
pub type RunResult<'a, R> = (&'a R, End);

/// The fields on which two runs differ, memory apart, those first that say most.
pub fn differences<'a, R: RegisterSet>(
    a: RunResult<'a, R>,
    b: RunResult<'a, R>,
) -> impl Iterator<Item = Difference> {
    let words = |(registers, end): RunResult<'_, R>| {
        let [kind, error, address] = end.delimiter.words();
        [kind, error, address, registers.position().0, end.count]
    };
    let fields = [Field::Delimiter, Field::ErrorCode, Field::FaultAddress, Field::Rip, Field::Count];
    let ends = fields.into_iter().zip(words(a)).zip(words(b));
    ends.filter_map(|((field, x), y)| difference(field, x, y)).chain(registers(a.0, b.0))
}

/// The fields on which two register sets differ.
pub fn registers<R: RegisterSet>(a: &R, b: &R) -> impl Iterator<Item = Difference> {
    let differences =
        |((field, x), (_, y))| words(x).zip(words(y)).filter_map(move |(x, y)| difference(field, x, y));
    a.parts().zip(b.parts()).flat_map(differences)
}

/// A field as numbers. Longer ones go by words, so that the values reported are those that differ.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    bytes.chunks(size_of::<u64>()).map(word)
}

fn difference(field: Field, first: u64, second: u64) -> Option<Difference> {
    (first != second).then_some(Difference { field, first, second, address: 0 })
}

#[cfg(test)]
mod tests;
