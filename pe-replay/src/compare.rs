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

/// The first field on which two runs differ, memory apart; fields that `skip`
/// names are passed over, which only tests and mutants ask for.
pub fn first_difference<R: RegisterSet>(
    a: RunResult<'_, R>,
    b: RunResult<'_, R>,
    skip: Option<Field>,
) -> Option<Difference> {
    let words = |(registers, end): RunResult<'_, R>| {
        let [kind, error, address] = end.delimiter.words();
        [kind, error, address, registers.position().0, end.count]
    };
    let fields = [Field::Delimiter, Field::ErrorCode, Field::FaultAddress, Field::Rip, Field::Count];
    let ends = fields.into_iter().zip(words(a)).zip(words(b));
    first(ends.map(|((field, x), y)| (field, x, y)), skip).or_else(|| registers(a.0, b.0, skip))
}

/// The first field on which two register sets differ.
pub fn registers<R: RegisterSet>(a: &R, b: &R, skip: Option<Field>) -> Option<Difference> {
    let words = |((field, x), (_, y))| words(x).zip(words(y)).map(move |(x, y)| (field, x, y));
    first(a.parts().zip(b.parts()).flat_map(words), skip)
}

/// A field as numbers. Longer ones go by words, so that the values reported are those that differ.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    bytes.chunks(size_of::<u64>()).map(word)
}

/// The first values that differ.
fn first(mut values: impl Iterator<Item = (Field, u64, u64)>, skip: Option<Field>) -> Option<Difference> {
    let (field, first, second) = values.find(|(field, x, y)| x != y && skip != Some(*field))?;
    Some(Difference { field, first, second, address: 0 })
}

#[cfg(test)]
mod tests;
