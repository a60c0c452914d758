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
    /// Frames and page tables, over stand-ins for memory and the processor.
    pub mod mem {
        pub mod aliases;
        pub mod bitmap;
        pub mod entry;
        pub mod frame;
        pub mod frames;
        #[path = "../../host/src/physical/layout.rs"]
        pub mod layout;
        #[path = "../../host/src/physical/local.rs"]
        pub mod local;
        #[path = "../../host/src/physical/phys.rs"]
        pub mod phys;
        pub mod shared;
        pub mod space;
        pub mod tables;
        #[path = "../../host/src/physical/translations.rs"]
        pub mod translations;
    }
    pub mod sorted;
}

/// The list of cases once more, for the stand-in on which the personality's tests rely.
#[path = "../../src"]
mod stand_in {
    pub(crate) use crate::mem;
    pub mod selftest {
        pub mod contract;
    }
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
    pub mod boot {
        /// A piece of memory.
        #[derive(Clone, Copy, Debug)]
        pub struct Region {
            pub start: u64,
            pub end: u64,
        }
    }
    pub mod tally {
        /// Counts nothing.
        pub struct Tally;
        impl Tally {
            pub fn add(&self, _more: u64) {}
        }
        pub static PAGES_INVALIDATED: Tally = Tally;
    }
    pub mod processor {
        pub fn hwcap() -> u32 {
            0x0178_bfbf
        }
    }
}
