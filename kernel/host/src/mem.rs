// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem.rs`.

#[path = "../../src/mem/code.rs"]
pub mod code;
pub mod device;
pub mod frame;
pub mod heap;
pub mod page_cache;
pub mod shared;
pub mod space;

pub use crate::kernel::mem::{fallible, sorted};
