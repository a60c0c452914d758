// SPDX-License-Identifier: MIT
//! The root task of a Genode-like system: it has all of the machine, and gives it to init by sessions.
//!
//! One thread, a worker, serves all calls and all faults, so that nothing needs a lock: [`state::Core`] is its own. The
//! main thread starts init as init starts its children, by sessions and the loader of genode-rt, and rests.
//!
//! Whatever a component asks for is answered. What it takes is accounted to it: RAM and capabilities in core's books,
//! kernel memory by pages of its RAM quota.
#![no_std]
#![no_main]

extern crate alloc;

mod boot;
mod cpu;
mod devices;
mod domain;
mod heap;
mod kernel;
mod machine;
mod memory;
mod object;
mod pager;
mod parent;
mod region_map;
mod serve;
mod sessions;
mod state;

nova_rt::entry!(boot::begin);
