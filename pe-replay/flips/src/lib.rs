// SPDX-License-Identifier: MIT
//! Bit flips, on purpose: which bit of what, in which run of which PE, and when.
//!
//! An [`Injection`] says what is to be hit. An [`Injector`] watches a PE, has its runs stopped where
//! something is to be hit, and hits it. The replay engine itself knows nothing of flips: a run that is
//! not hit is executed as if there were no injector.

#![no_std]
#![forbid(unsafe_code)]

mod injection;
mod injector;
mod register;
mod witness;

pub use injection::{Copy, Injection, MAX_INJECTIONS, Saved, Target};
pub use injector::Injector;
pub use register::Flip;
pub use witness::Witness;
