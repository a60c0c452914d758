// SPDX-License-Identifier: MIT
//! What goes through every record of a trace: it is taken out of the bytes, and added up.
//!
//! This is a crate of its own, without generics in its interface, because the tool is built without optimisation: what is
//! called millions of times is optimised here, and the rest of the tool is not waited for.

#![forbid(unsafe_code)]

pub mod analysis;
pub mod durations;
#[cfg(test)]
mod sample;
pub mod spread;
pub mod stream;
pub mod totals;
