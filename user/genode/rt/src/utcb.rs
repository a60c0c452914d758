// SPDX-License-Identifier: MIT
//! The current thread's message page, and the selectors at which it receives capabilities.

use core::arch::asm;

use nova_rt::Utcb;
use nova_rt::crd::Crd;

use crate::cap;
use crate::layout::{STACK_SLOT, utcb};

/// The UTCB of the current thread, which stands on the stack of its slot.
#[must_use]
pub fn current() -> Utcb {
    let stack: u64;
    // SAFETY: the instruction reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) stack, options(nomem, nostack, preserves_flags)) };
    Utcb::at((stack & !(STACK_SLOT - 1)) + (utcb(0) & (STACK_SLOT - 1)))
}

/// Sees to it that the next message's capabilities can be received.
pub fn open_window(utcb: Utcb) {
    let (_, receive) = utcb.windows();
    let receive = if receive == Crd::NULL { cap::window() } else { receive };
    utcb.set_windows(Crd::ALL_OBJECTS, receive);
}

/// Keeps what was received, so that the next message's capabilities go elsewhere.
pub fn renew_window(utcb: Utcb) {
    utcb.set_windows(Crd::ALL_OBJECTS, cap::window());
}

/// Goes on elsewhere, on the stack that ends at an address; nothing of the old one is needed any more.
pub fn go_on(stack: u64, argument: u64, elsewhere: extern "C" fn(u64) -> !) -> ! {
    // SAFETY: the caller's stack stays where it is, and the new one is the current thread's alone.
    unsafe {
        asm!("mov rsp, {stack}", "xor ebp, ebp", "call {elsewhere}", "ud2", stack = in(reg) stack,
             elsewhere = in(reg) elsewhere, in("rdi") argument, options(noreturn))
    }
}
