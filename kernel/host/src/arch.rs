// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/arch.rs`.

pub mod channel;
pub mod processor;
