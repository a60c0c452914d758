// SPDX-License-Identifier: MIT
//! The hypercall itself: five registers in, five out.

use core::arch::asm;

/// The registers that carry arguments and results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Registers {
    /// Selector, flags and number; the status afterwards.
    pub rdi: u64,
    /// The first parameter or result.
    pub rsi: u64,
    /// The second parameter or result.
    pub rdx: u64,
    /// The third parameter.
    pub rax: u64,
    /// The fourth parameter.
    pub r8: u64,
}

impl Registers {
    /// The registers of a call by number, flags and selector, with its parameters.
    #[must_use]
    pub const fn new(number: u64, flags: u64, selector: u64, parameters: [u64; 4]) -> Self {
        let [rsi, rdx, rax, r8] = parameters;
        Self { rdi: selector << 8 | flags << 4 | number, rsi, rdx, rax, r8 }
    }
}

/// Makes a hypercall and returns what its registers hold afterwards.
pub fn hypercall(registers: Registers) -> Registers {
    let Registers { mut rdi, mut rsi, mut rdx, mut rax, mut r8 } = registers;
    // SAFETY: SYSCALL changes RCX and R11, the registers of results, and memory, of which the compiler assumes
    // nothing over this block; all else is kept by the interface.
    unsafe {
        asm!("syscall", inlateout("rdi") rdi, inlateout("rsi") rsi, inlateout("rdx") rdx,
             inlateout("rax") rax, inlateout("r8") r8, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    Registers { rdi, rsi, rdx, rax, r8 }
}
