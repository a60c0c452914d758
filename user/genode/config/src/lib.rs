// SPDX-License-Identifier: MIT
//! What the configuration of an init says, and what follows from it, as pure logic.
//!
//! The language and the messages are those of Genode's init. Nothing here opens a session or starts a child: texts go
//! in, values and [`Message`]s come out, so that all of it is tested on the host.
#![no_std]

extern crate alloc;

pub mod args;
pub mod bytes;
pub mod config;
pub mod environment;
pub mod label;
pub mod message;
pub mod policy;
pub mod priority;
pub mod quota;
pub mod read;
pub mod replay;
pub mod requests;
pub mod route;
pub mod service;
pub mod session;
pub mod start;
pub mod xml;

pub use args::Args;
pub use bytes::Bytes;
pub use config::Config;
pub use message::Message;
pub use quota::Quota;
pub use start::Start;
