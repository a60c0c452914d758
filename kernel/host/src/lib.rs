// SPDX-License-Identifier: MIT
//! The kernel's Linux personality on the host, over a model of memory.
//!
//! Compiles `kernel/src/linux.rs` as it is, with stand-ins for what it uses of
//! the rest of the kernel, and runs its unit tests and scenarios; likewise what
//! decodes instructions. Nothing here is part of the kernel.

#![cfg(test)]
#![deny(unsafe_code)]
#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests and stand-ins have the host's memory; of the kernel's own files, clippy sees to the kernel's build"
)]

extern crate alloc;
// `defmt::warn!` and `defmt::error!` are the macros below.
extern crate self as defmt;

/// The kernel's own files; public, as the tests do not use all that the kernel uses.
#[path = "../../src"]
pub mod kernel {
    /// What is known of the processor.
    pub mod arch {
        pub mod decode;
    }
    pub mod linux;
    /// What stands beside memory itself.
    pub mod mem {
        pub mod bitmap;
        pub mod fallible;
        pub mod sorted;
    }
    pub mod object;
    /// The kernel's own tests.
    pub mod selftest {
        pub mod contract;
    }
}

mod arch;
mod heap;
mod mem;
mod tests;

use kernel::{linux, object};

/// Stands in for the kernel's log.
#[macro_export]
macro_rules! warn {
    ($($part:expr),*) => { $crate::heap::quiet(|| std::eprintln!("{:?}", ($(&$part,)*))) };
}

/// Stands in for the kernel's log of errors.
#[macro_export]
macro_rules! error {
    ($($part:expr),*) => { $crate::heap::quiet(|| std::eprintln!("{:?}", ($(&$part,)*))) };
}
