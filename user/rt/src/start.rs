// SPDX-License-Identifier: MIT
//! From the first instruction to `main`, and the arguments.
//!
//! [`entry!`](crate::entry) defines `_start`. The kernel jumps there with RSP at
//! argc, then the argv pointers, a null, envp, a null and the auxiliary vector
//! (System V ABI, AMD64 supplement, section 3.4.1).

use core::ffi::CStr;

/// Makes `fn main(Arguments) -> i32` the program.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        /// Jumped to by the kernel with RSP at argc, 16-byte aligned; nothing to return to.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        extern "C" fn _start() -> ! {
            core::arch::naked_asm!(
                "xor ebp, ebp",
                "mov rdi, rsp",
                "and rsp, -16",
                "call {enter}",
                "ud2",
                enter = sym entered,
            )
        }

        extern "C" fn entered(stack: $crate::start::InitialStack) -> ! {
            let status: i32 = $main(stack.arguments());
            $crate::sys::exit(status)
        }
    };
}

/// Where RSP pointed at the first instruction.
#[repr(transparent)]
pub struct InitialStack(*const usize);

impl InitialStack {
    /// The program's arguments.
    #[must_use]
    pub fn arguments(&self) -> Arguments {
        // SAFETY: `_start` alone makes this value, of the RSP that the kernel gave it; argc lies there.
        let count = unsafe { self.0.read() };
        // SAFETY: `count` pointers and a null follow argc.
        let next = unsafe { self.0.add(1) }.cast();
        Arguments { next, left: count }
    }
}

/// The program's arguments, its own name first.
#[derive(Clone)]
pub struct Arguments {
    next: *const *const core::ffi::c_char,
    left: usize,
}

impl Iterator for Arguments {
    type Item = &'static [u8];

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // SAFETY: `left` counted this pointer; the kernel put a string with a terminator behind it, and
        // nothing in this program takes the initial stack away.
        let argument = unsafe { CStr::from_ptr(self.next.read()) };
        // SAFETY: the null after the last pointer is still part of the array.
        self.next = unsafe { self.next.add(1) };
        Some(argument.to_bytes())
    }
}
