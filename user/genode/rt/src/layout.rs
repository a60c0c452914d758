// SPDX-License-Identifier: MIT
//! Where things are in every component: addresses and selectors that its creator and itself agree on.

use nova_rt::PAGE;

/// Where an executable is loaded.
pub const IMAGE: u64 = 0x100_0000;
/// The stacks of all threads, a slot each; a thread's UTCB is the last page of its slot.
pub const STACKS: u64 = 0x4000_0000;
/// The bytes of a slot.
pub const STACK_SLOT: u64 = 1 << 20;
/// The most threads that a component has.
pub const MOST_THREADS: u64 = 256;
/// The bytes of a thread's stack.
pub const STACK: u64 = 64 << 10;
/// The first address that is given to what is attached anywhere.
pub const ATTACHED: u64 = 0x8000_0000;
/// The address behind all that can be attached.
pub const ATTACHED_END: u64 = 0x7f_ffff_f000;

/// The portal to the parent.
pub const PARENT: u64 = 0x1a;
/// The component's own domain, in which it may make portals and semaphores.
pub const DOMAIN: u64 = 0x1b;
/// The main thread.
pub const MAIN: u64 = 0x1c;
/// The first selector that a component may use as it likes.
pub const FREE: u64 = 0x1000;

/// The address of the UTCB of the thread in a slot.
#[must_use]
pub const fn utcb(slot: u64) -> u64 {
    STACKS + (slot + 1) * STACK_SLOT - PAGE
}

/// The address of the first byte of the stack in a slot; it ends where the UTCB begins.
#[must_use]
pub const fn stack(slot: u64) -> u64 {
    utcb(slot) - STACK
}
