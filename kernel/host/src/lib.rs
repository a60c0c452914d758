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

/// Public, as the tests do not use all that the kernel uses.
#[path = "../../src"]
pub mod kernel {
    pub mod archive;
    /// What the engine has to know of an instruction.
    pub mod decode {
        pub mod bytes;
    }
    pub mod linux;
    /// The kernel's own tests.
    pub mod selftest {
        pub mod contract;
    }
    /// The set of free frames.
    pub mod mem {
        pub mod bitmap;
    }
    pub mod sorted;
}

mod channel;
mod heap;
mod mem;
mod tests;

use kernel::{archive, linux, sorted};

/// Stands in for the kernel's log.
#[macro_export]
macro_rules! warn {
    ($($part:expr),*) => { $crate::heap::quiet(|| std::eprintln!("{:?}", ($(&$part,)*))) };
}

/// Likewise.
#[macro_export]
macro_rules! error {
    ($($part:expr),*) => { $crate::heap::quiet(|| std::eprintln!("{:?}", ($(&$part,)*))) };
}

/// Stands in for `kernel/src/arch.rs`.
mod arch {
    pub mod processor {
        pub fn hwcap() -> u32 {
            0x0178_bfbf
        }
    }
}
