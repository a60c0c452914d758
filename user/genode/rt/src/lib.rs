// SPDX-License-Identifier: MIT
//! A runtime for the components of a Genode-like system on the NOVA interface, and what core shares with them.
//!
//! A component is a static executable that relocates itself. It begins with a portal to its parent, a capability of
//! its own domain, and a stack; all else it asks its parent and core for. [`services`] is the table of all calls;
//! [`component!`] makes a function the main thread; an [`Entrypoint`](entrypoint::Entrypoint) serves objects;
//! [`Signals`](signal::Signals) are received by the main thread. Calls made to others and calls served never wait for
//! each other's message page: each thread has its own, found by its stack.
#![no_std]
#![expect(
    unsafe_code,
    reason = "the border between a component and its kernel is made of raw registers and pointers"
)]

extern crate alloc;

// The routines that compiled code calls by name.
use rt as _;

pub mod cap;
pub mod dataspace;
pub mod entrypoint;
pub mod env;
pub mod failure;
pub mod heap;
mod kernel_memory;
pub mod layout;
pub mod loader;
pub mod lock;
pub mod message;
#[cfg(feature = "component")]
mod panic;
pub mod print;
pub mod rpc;
pub mod services;
pub mod signal;
#[cfg(feature = "component")]
pub mod start;
mod unwind;
pub mod utcb;

pub use arrayvec::{ArrayString, ArrayVec};
pub use cap::Cap;
pub use env::Env;
pub use failure::Failure;
pub use nova_rt::{PAGE, Utcb, access, hypercall};

/// What a call comes to.
pub type Result<T> = core::result::Result<T, Failure>;

/// Makes all that threads share ready for more than one of them.
fn share() -> Result<()> {
    #[cfg(feature = "component")]
    start::share()?;
    Env::share()
}

/// Waits for ever.
pub fn stop() -> ! {
    let never = Cap::fresh();
    loop {
        match hypercall::create_sm(never.selector(), layout::DOMAIN, 0) {
            nova_rt::Status::OUT_OF_MEMORY if Env::get().pd.kquota(1).is_ok() => (),
            _ => {
                let _ = hypercall::down(never.selector(), 0);
            }
        }
    }
}
