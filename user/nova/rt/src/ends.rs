// SPDX-License-Identifier: MIT
//! Instructions that end a processing element, each in a function of its own. Their symbols begin with `end_`, so that
//! whoever has a trace and the image tells by the addresses in it which end was which.

use core::arch::naked_asm;

use crate::raw::Registers;

macro_rules! hypercalls {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(registers: &mut Registers) {
            naked_asm!(
                "mov r9, rdi",
                "mov rdi, [r9]", "mov rsi, [r9 + 8]", "mov rdx, [r9 + 16]", "mov rax, [r9 + 24]", "mov r8, [r9 + 32]",
                "syscall",
                "mov [r9], rdi", "mov [r9 + 8], rsi", "mov [r9 + 16], rdx", "mov [r9 + 24], rax", "mov [r9 + 32], r8",
                "ret",
            )
        }
    )*};
}

hypercalls! {
    /// Ends a PE by a call.
    end_call;
    /// Ends a PE by a delegation.
    end_delegate;
    /// Ends a PE by a revocation.
    end_revoke;
    /// Ends a PE by raising a signal.
    end_signal;
    /// Ends a PE by waiting for a signal.
    end_receive;
    /// Ends a PE by waiting for an interrupt.
    end_interrupt;
}

macro_rules! instructions {
    ($($(#[$doc:meta])* $name:ident: $($text:literal),+;)*) => {$(
        $(#[$doc])*
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(first: u64, second: u64) -> u64 {
            naked_asm!($($text,)+ "ret")
        }
    )*};
}

instructions! {
    /// Ends a PE by the fault of a read of the word at `first`, unless it is mapped.
    end_fault: "mov rax, [rdi]";
    /// Ends a PE by an undefined instruction of two bytes; returns `second`.
    end_exception: "mov rax, rsi", "ud2";
    /// Ends a PE by a write of `second` to the port `first`.
    end_port_write: "mov edx, edi", "mov eax, esi", "out dx, al";
    /// Ends a PE by a read of the port `first`.
    end_port_read: "mov edx, edi", "xor eax, eax", "in al, dx";
    /// Ends a PE by the addition of `second` to a device's register at `first`.
    end_device_change: "mov eax, esi", "lock add [rdi], eax";
    /// Ends a PE by the read of a device's register at `first`.
    end_device_read: "mov eax, [rdi]";
    /// Ends a PE by the question for the time.
    end_time: "rdtsc", "shl rdx, 32", "or rax, rdx";
    /// Ends PEs by the limit, if `first` turns of a loop are more instructions than that; adds up what they come to.
    end_limit: "mov rax, rsi", "2:", "rol rax, 5", "add rax, rdi", "dec rdi", "jnz 2b";
}

/// The entry of a portal whose worker ends a PE by its reply: RSP is at the beginning of the stack, RDI the portal's
/// id.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub extern "C" fn end_reply() {
    naked_asm!(
        "mov rbx, rsp",
        "mov rsi, [rsp]",
        "call [rsp + 8]",
        "mov rsp, rbx",
        "mov rdi, rax",
        "shl rdi, 8",
        "or rdi, 1",
        "syscall",
        "ud2",
    )
}
