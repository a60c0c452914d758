// SPDX-License-Identifier: MIT
//! Allocation on behalf of the program: it fails, it does not panic.
//!
//! Everything that allocates goes through here. The methods of the standard library that
//! panic where memory ends are refused by clippy in the whole kernel (`kernel/clippy.toml`);
//! here they are called where the room for them has just been made.

#![expect(clippy::disallowed_methods, reason = "room is made, or its being there is tried, before each call")]

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// The kernel heap is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// Makes room for `more` elements.
pub fn reserve<T>(list: &mut Vec<T>, more: usize) -> Result<(), Exhausted> {
    list.try_reserve(more).map_err(|_| Exhausted)
}

/// Makes room for `more` elements and for no others.
pub fn reserve_exact<T>(list: &mut Vec<T>, more: usize) -> Result<(), Exhausted> {
    list.try_reserve_exact(more).map_err(|_| Exhausted)
}

/// Makes room for one more element.
pub fn reserve_one<T>(list: &mut Vec<T>) -> Result<(), Exhausted> {
    reserve(list, 1)
}

/// [`Vec::push`].
pub fn push<T>(list: &mut Vec<T>, value: T) -> Result<(), Exhausted> {
    reserve_one(list)?;
    list.push(value);
    Ok(())
}

/// [`Vec::push`] into room that was made before, where there is no way back.
///
/// # Panics
/// If there is no room: the caller has not made any.
pub fn push_reserved<T>(list: &mut Vec<T>, value: T) {
    assert!(list.len() < list.capacity(), "nobody has made room in this list");
    list.push(value);
}

/// [`Vec::insert`].
pub fn insert<T>(list: &mut Vec<T>, index: usize, value: T) -> Result<(), Exhausted> {
    reserve_one(list)?;
    list.insert(index, value);
    Ok(())
}

/// [`Vec::insert`] into room that was made before, where there is no way back.
///
/// # Panics
/// If there is no room: the caller has not made any.
pub fn insert_reserved<T>(list: &mut Vec<T>, index: usize, value: T) {
    assert!(list.len() < list.capacity(), "nobody has made room in this list");
    list.insert(index, value);
}

/// [`Vec::extend_from_slice`]; to clone an element must not allocate.
pub fn extend<T: Clone>(list: &mut Vec<T>, values: &[T]) -> Result<(), Exhausted> {
    reserve(list, values.len())?;
    list.extend_from_slice(values);
    Ok(())
}

/// A copy of `values` that takes no more memory than they need; to clone one must not allocate.
pub fn copy<T: Clone>(values: &[T]) -> Result<Vec<T>, Exhausted> {
    let mut list = Vec::new();
    reserve_exact(&mut list, values.len())?;
    list.extend_from_slice(values);
    Ok(list)
}

/// A list of what an iterator of known length gives.
pub fn collect<T>(values: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>, Exhausted> {
    let mut list = Vec::new();
    reserve_exact(&mut list, values.len())?;
    for value in values {
        // Whatever length was promised: an iterator can be wrong about it.
        push(&mut list, value)?;
    }
    Ok(list)
}

/// [`Vec::resize_with`].
pub fn resize<T>(list: &mut Vec<T>, length: usize, fill: impl FnMut() -> T) -> Result<(), Exhausted> {
    reserve(list, length.saturating_sub(list.len()))?;
    list.resize_with(length, fill);
    Ok(())
}

/// Puts bytes at the end of a queue.
pub fn enqueue(queue: &mut VecDeque<u8>, bytes: &[u8]) -> Result<(), Exhausted> {
    queue.try_reserve(bytes.len()).map_err(|_| Exhausted)?;
    queue.extend(bytes);
    Ok(())
}

/// A value on the heap that several may hold.
///
/// Stable Rust has no [`Rc::new`] that fails: whether there is room is tried first. What
/// the heap has just given and taken back it gives again, and nobody else allocates in
/// between.
pub fn shared<T>(value: T) -> Result<Rc<T>, Exhausted> {
    try_room::<(usize, usize, T)>()?;
    Ok(Rc::new(value))
}

/// A value on the heap; whether there is room is tried first, as for [`shared`].
pub fn boxed<T>(value: T) -> Result<Box<T>, Exhausted> {
    try_room::<T>()?;
    Ok(Box::new(value))
}

fn try_room<T>() -> Result<(), Exhausted> {
    reserve_exact(&mut Vec::<T>::new(), 1)
}
