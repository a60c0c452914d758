// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem.rs`.

pub mod frame;
pub mod shared;
pub mod space;

pub use crate::kernel::mem::{fallible, sorted};
