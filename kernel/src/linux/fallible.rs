// SPDX-License-Identifier: MIT
//! Allocation on behalf of the program: it fails, it does not panic.

use alloc::boxed::Box;
use alloc::rc::Rc;
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

/// A value on the heap that several may hold.
///
/// `Rc::new` panics where memory ends; whether there is room is tried first, and
/// nobody else allocates in between.
pub fn shared<T>(value: T) -> Result<Rc<T>, Exhausted> {
    let room = Vec::<(usize, usize, T)>::new();
    probe(room)?;
    Ok(Rc::new(value))
}

/// A value on the heap, likewise.
pub fn boxed<T>(value: T) -> Result<Box<T>, Exhausted> {
    probe(Vec::<T>::new())?;
    Ok(Box::new(value))
}

fn probe<T>(mut room: Vec<T>) -> Result<(), Exhausted> {
    room.try_reserve_exact(1).map_err(|_| Exhausted)
}
