// SPDX-License-Identifier: MIT
//! What the components of the Genode-like stack do that needs no system, so that all of it is tested on the host.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod packets;
pub mod random;
pub mod script;
pub mod settings;
pub mod sums;
pub mod timeouts;
pub mod uart;

pub use script::Script;
pub use settings::Settings;
