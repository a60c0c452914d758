// SPDX-License-Identifier: MIT
//! Allocation on behalf of the program: it fails, it does not panic.

use alloc::vec::Vec;

/// The kernel heap is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// Makes room for one more element.
pub fn reserve_one<T>(list: &mut Vec<T>) -> Result<(), Exhausted> {
    list.try_reserve(1).map_err(|_| Exhausted)
}

/// [`Vec::push`].
pub fn push<T>(list: &mut Vec<T>, value: T) -> Result<(), Exhausted> {
    reserve_one(list)?;
    list.push(value);
    Ok(())
}

/// [`Vec::insert`].
pub fn insert<T>(list: &mut Vec<T>, index: usize, value: T) -> Result<(), Exhausted> {
    reserve_one(list)?;
    list.insert(index, value);
    Ok(())
}

/// [`Vec::extend_from_slice`].
pub fn extend(list: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Exhausted> {
    list.try_reserve(bytes.len()).map_err(|_| Exhausted)?;
    list.extend_from_slice(bytes);
    Ok(())
}

/// A copy of `bytes`.
pub fn copy(bytes: &[u8]) -> Result<Vec<u8>, Exhausted> {
    let mut list = Vec::new();
    list.try_reserve_exact(bytes.len()).map_err(|_| Exhausted)?;
    list.extend_from_slice(bytes);
    Ok(list)
}
