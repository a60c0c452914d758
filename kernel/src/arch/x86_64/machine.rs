// SPDX-License-Identifier: MIT
//! The whole machine: its clock, and how to end it.

use x86_64::instructions::port::PortWriteOnly;
use x86_64::registers::debug::{DebugAddressRegister, Dr0, Dr7};
use x86_64::structures::DescriptorTablePointer;

/// QEMU's isa-debug-exit: status = value * 2 + 1.
const DEBUG_EXIT_PORT: u16 = 0xf4;
/// Bochs' shutdown port, which wants the word "Shutdown".
const BOCHS_SHUTDOWN_PORT: u16 = 0x8900;

/// How the kernel tells the emulator that it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// An end record was written.
    Normal = 0x10,
    /// The kernel panicked.
    Panic = 0x11,
}

/// The time stamp counter.
#[inline]
pub fn now() -> u64 {
    // SAFETY: RDTSC is always allowed in the kernel.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Arms or disarms the one breakpoint, DR0, for execution. It is the user's code
/// that is meant: the kernel's own is nowhere near.
pub fn set_breakpoint(address: Option<u64>) {
    /// LE and L0, and the bit that is always one; the type and length of DR0 are 0:
    /// execution (Intel SDM vol. 3B, figure 19-1).
    const ENABLED: u64 = 1 << 10 | 1 << 8 | 1;
    const DISABLED: u64 = 1 << 10;
    Dr0::write(address.unwrap_or(0));
    Dr7::write_raw(if address.is_some() { ENABLED } else { DISABLED });
}

/// Ends the machine.
pub fn exit(how: Exit) -> ! {
    // SAFETY: these ports end the emulator; elsewhere nothing answers.
    unsafe {
        PortWriteOnly::<u32>::new(DEBUG_EXIT_PORT).write(how as u32);
        let mut bochs = PortWriteOnly::<u8>::new(BOCHS_SHUTDOWN_PORT);
        for byte in b"Shutdown" {
            bochs.write(*byte);
        }
    }
    halt()
}

/// Stops the processor for good.
pub fn halt() -> ! {
    loop {
        x86_64::instructions::interrupts::disable();
        x86_64::instructions::hlt();
    }
}

/// Makes the processor shut down: an exception with no way to handle it.
pub fn triple_fault() -> ! {
    let none = DescriptorTablePointer { limit: 0, base: x86_64::VirtAddr::zero() };
    // SAFETY: that this ends everything is the purpose.
    unsafe {
        x86_64::instructions::tables::lidt(&none);
        core::arch::asm!("ud2", options(noreturn));
    }
}

/// Spins for ever with interrupts off, as a kernel that hangs would.
pub fn hang() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
