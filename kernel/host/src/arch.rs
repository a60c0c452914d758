// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/arch.rs`.

pub mod boot;
pub mod channel;
pub mod processor;
pub mod segment;
pub mod tally;

pub use crate::kernel::arch::{decode, line_set, wiring};
