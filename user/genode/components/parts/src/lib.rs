// SPDX-License-Identifier: MIT
//! What the components of the Genode-like stack do that needs no system, so that all of it is tested on the host.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod packets;
pub mod script;
pub mod sums;

pub use script::Script;
