// SPDX-License-Identifier: MIT
//! Physical memory, the kernel's own address space, and user address spaces.
//!
//! One of the two places in the kernel where `unsafe` is allowed (the other is
//! `arch`). User memory is reached by a software walk and the direct map only:
//! the kernel never uses a user virtual address.
#![expect(unsafe_code, reason = "page tables and raw memory are handled here and nowhere else")]

mod aliases;
pub mod bitmap;
pub mod code;
pub mod device;
mod entry;
pub mod fallible;
pub mod frame;
mod frames;
pub mod heap;
pub mod layout;
mod local;
pub mod page_cache;
pub mod phys;
pub mod pool;
mod runtime;
pub mod shared;
pub mod sorted;
pub mod space;
mod tables;
mod translations;
