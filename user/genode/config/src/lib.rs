// SPDX-License-Identifier: MIT
//! What the configuration of an init says, and what follows from it, as pure logic.
//!
//! The language and the messages are those of Genode's init. Nothing here opens a session or starts a child: texts go
//! in, values and [`Message`]s come out, so that all of it is tested on the host.
#![no_std]

extern crate alloc;

pub mod args;
pub mod bytes;
pub mod label;
pub mod message;
pub mod xml;

pub use args::Args;
pub use bytes::Bytes;
pub use message::Message;
