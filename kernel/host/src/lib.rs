// SPDX-License-Identifier: MIT
//! The kernel's Linux personality on the host, over a model of memory.
//!
//! Compiles `kernel/src/linux.rs` as it is, with stand-ins for what it uses of
//! the rest of the kernel, and runs its unit tests and scenarios, and what
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
        pub mod acpi;
        pub mod decode;
        pub mod line_set;
        pub mod wiring;
    }
    pub mod executive;
    pub mod linux;
    /// Frames and page tables, over stand-ins for memory and the processor.
    pub mod mem {
        pub mod aliases;
        pub mod bitmap;
        pub mod entry;
        pub mod fallible;
        pub mod frame;
        pub mod frames;
        #[path = "../../host/src/physical/layout.rs"]
        pub mod layout;
        #[path = "../../host/src/physical/local.rs"]
        pub mod local;
        pub mod page_cache;
        #[path = "../../host/src/physical/phys.rs"]
        pub mod phys;
        pub mod pool;
        pub mod shared;
        pub mod sorted;
        pub mod space;
        pub mod tables;
        #[path = "../../host/src/physical/translations.rs"]
        pub mod translations;
    }
    pub mod nova;
    pub mod object;
    pub mod personality;
    /// The kernel's own tests.
    pub mod selftest {
        pub mod contract;
    }
    pub mod trap;
}

/// The list of cases once more, for the stand-in on which the personality's tests rely.
#[path = "../../src"]
mod stand_in {
    pub(crate) use crate::mem;
    pub mod selftest {
        #[expect(clippy::duplicate_mod, reason = "its cases are about the other kind of space here")]
        pub mod contract;
    }
}

mod arch;
mod heap;
mod mem;
mod processor;
mod tests;
mod toy;

use kernel::{executive, linux, nova, object, personality, trap};

/// Stands in for the kernel's log.
#[macro_export]
macro_rules! warn {
    ($($part:expr),*) => { $crate::heap::quiet(|| std::eprintln!("{:?}", ($(&$part,)*))) };
}

/// Stands in for the kernel's log of what is worth knowing.
#[macro_export]
macro_rules! info {
    ($($part:expr),*) => { $crate::heap::quiet(|| std::eprintln!("{:?}", ($(&$part,)*))) };
}

/// Stands in for what shows a value in the kernel's log as its text.
pub struct Display2Format<'a, T: std::fmt::Display + ?Sized>(pub &'a T);

impl<T: std::fmt::Display + ?Sized> std::fmt::Debug for Display2Format<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Stands in for the kernel's log of errors.
#[macro_export]
macro_rules! error {
    ($($part:expr),*) => { $crate::heap::quiet(|| std::eprintln!("{:?}", ($(&$part,)*))) };
}
