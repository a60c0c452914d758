// SPDX-License-Identifier: MIT
//! The vsyscall page: three calls at fixed addresses, which C libraries from before 2012 jump to.
//!
//! Nothing is mapped there, as on Linux whose page can only be executed (arch/x86/entry/vsyscall):
//! a thread that jumps there faults, its call is performed, and it goes on at its return address.

use linux_raw_sys::general::{SI_KERNEL, SIGSEGV};
use pe_replay::UserRegisters;
use pe_replay::stop::FAULT_FETCH;
use syscalls::Sysno;

use super::errno::{EFAULT, Failure};
use super::signal::{Detail, Info};
use super::view::View;
use super::{Linux, Next};
use crate::mem::space::PAGE_LEN;
use crate::object::clock::Moment;

/// The address of the page.
const PAGE: u64 = 0xffff_ffff_ff60_0000;
/// Length of a return address.
const RETURN_LEN: u64 = 8;

/// Whether a page fault is a jump into the page.
pub fn is_jump((address, error): (u64, u32)) -> bool {
    error & FAULT_FETCH != 0 && address & !(PAGE_LEN - 1) == PAGE
}

/// The call at an address.
fn call_at(address: u64) -> Option<Sysno> {
    match address.wrapping_sub(PAGE) {
        0 => Some(Sysno::gettimeofday),
        0x400 => Some(Sysno::time),
        0x800 => Some(Sysno::getcpu),
        _ => None,
    }
}

impl Linux {
    /// Performs the call that the current thread has jumped to, and returns from it.
    ///
    /// What on Linux is taken for an attack gets SIGSEGV here too: a jump to anywhere else in the
    /// page, a stack that has no return address, a bad pointer.
    #[cold]
    pub fn vsyscall(&mut self, view: &mut View, state: &mut UserRegisters, now: Moment) -> Next {
        self.clock.set(now);
        let call = call_at(state.rip).ok_or(Failure::Errno(EFAULT));
        let done = call.and_then(|call| {
            let back = self.user(view.space).u64(state.rsp)?;
            let value = self.perform(view, state, call, [state.rdi, state.rsi, 0, 0, 0, 0])?;
            Ok((back, value))
        });
        match done {
            Ok((back, value)) => {
                (state.rip, state.rsp) = (back, state.rsp.wrapping_add(RETURN_LEN));
                self.conclude(view, state, Ok(value))
            }
            // With room made, the thread jumps there again.
            Err(Failure::End(Next::OutOfMemory)) if self.makes_room(view.scheduler) => Next::Yield,
            Err(Failure::End(next)) => next,
            Err(Failure::Errno(_) | Failure::Wait(_)) => {
                let info = Info { signal: SIGSEGV, code: SI_KERNEL as i32, detail: Detail::None };
                self.thread.signals.force(&mut self.handlers[self.process.handlers], info);
                self.deliver(view, state)
            }
        }
    }
}
