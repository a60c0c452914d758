// SPDX-License-Identifier: MIT
//! The books of core: which frames are free, what is attached where, what a domain is entitled to, and which objects
//! there are. It calls nobody, so that the host can test it.
//!
//! All memory that it takes on a component's behalf is asked for first, and refused if there is none.
#![no_std]

extern crate alloc;

pub mod account;
pub mod frames;
pub mod regions;
pub mod table;

/// There is no room for one more entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Adds a value to a list at a place, if there is memory for it.
fn insert<T>(list: &mut alloc::vec::Vec<T>, index: usize, value: T) -> Result<(), Full> {
    list.try_reserve(1).map_err(|_| Full)?;
    list.insert(index, value);
    Ok(())
}
