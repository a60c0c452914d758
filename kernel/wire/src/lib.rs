// SPDX-License-Identifier: MIT
//! What kernel and host tell each other: postcard, versioned.
//!
//! - host to kernel: a newc archive that holds a [`Config`](config::Config) and
//!   the files named in [`config::entry`];
//! - kernel to host: a [`channel`] of byte streams, which carry program output,
//!   [`record`]s, the log and at last one [`end::EndRecord`].
//!
//! A reader refuses a version that it does not know.

#![no_std]
#![forbid(unsafe_code)]

pub mod brief;
pub mod channel;
pub mod checks;
pub mod clock;
pub mod config;
pub mod counter;
pub mod device;
pub mod difference;
pub mod digest;
pub mod end;
pub mod events;
pub mod flip;
pub mod injection;
pub mod isolation;
pub mod kind;
pub mod limit;
pub mod name;
pub mod nova;
pub mod pe;
pub mod record;
pub mod registers;
pub mod task;
pub mod thread;

pub use digest::Digest;
pub use events::Events;
pub use kind::DelimiterKind;
pub use name::{GPR_NAMES, Name};
pub use thread::ThreadNumber;

/// The version of everything in this crate; any change of a type raises it.
pub const VERSION: u16 = 19;

/// Why bytes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Written by another version of Reprise.
    #[error("wire version {found} is not known (this is {VERSION})")]
    Version {
        /// The version found.
        found: u16,
    },
    /// Not what it claims to be, or cut short.
    #[error("malformed or cut short")]
    Malformed,
}
