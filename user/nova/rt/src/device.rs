// SPDX-License-Identifier: MIT
//! Instructions that access devices, one a function.

use core::arch::asm;

/// Makes functions of one instruction on a register of a device's of four bytes; what it takes and gives is in
/// EAX, and in EDX what else it takes.
macro_rules! instructions {
    ($($(#[$doc:meta])* $name:ident: $text:literal;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(address: u64, value: u32, other: u32) -> u32 {
                let result;
                // SAFETY: the instruction accesses what lies at the address, which the caller has from a device, or
                // is a page fault of this program. It changes no other register.
                unsafe {
                    asm!($text, inout("eax") value => result, inout("edx") other => _, in("rdi") address,
                         options(nostack));
                }
                result
            }
        )*
    };
}

instructions! {
    /// Reads the word at an address.
    read: "mov eax, [rdi]";
    /// Writes a word at an address.
    write: "mov [rdi], eax";
    /// Writes a word at an address, past the caches.
    write_past: "movnti [rdi], eax";
    /// Adds to the word at an address.
    add: "lock add [rdi], eax";
    /// Adds to the word at an address, and tells what it was.
    exchange_and_add: "lock xadd [rdi], eax";
    /// Exchanges the word at an address.
    exchange: "xchg [rdi], eax";
    /// Replaces the word at an address by `other` if it is `value`; tells what it was.
    compare_and_exchange: "lock cmpxchg [rdi], edx";
    /// Sets bit 5 of the word at an address.
    set_bit: "bts dword ptr [rdi], 5";
    /// Shifts the word at an address left.
    shift: "shl dword ptr [rdi], 1";
    /// Compares the word at an address with a value.
    compare: "cmp [rdi], eax";
    /// Multiplies by the word at an address.
    multiply: "mul dword ptr [rdi]";
}

/// Copies words of four bytes, by REP MOVSD.
pub fn copy(from: u64, to: u64, count: u64) {
    // SAFETY: one of both is a device's, and the other one memory that the caller has for this.
    unsafe {
        asm!("rep movsd", inout("rsi") from => _, inout("rdi") to => _, inout("rcx") count => _,
             options(nostack, preserves_flags));
    }
}

/// Reads the same port into bytes, by REP INSB.
pub fn input_bytes(port: u16, to: u64, count: u64) {
    // SAFETY: the caller has memory for this.
    unsafe {
        asm!("rep insb", in("dx") port, inout("rdi") to => _, inout("rcx") count => _,
             options(nostack, preserves_flags));
    }
}

/// Writes bytes to the same port, by REP OUTSB.
pub fn output_bytes(port: u16, from: u64, count: u64) {
    // SAFETY: what is read is memory of the caller's.
    unsafe {
        asm!("rep outsb", in("dx") port, inout("rsi") from => _, inout("rcx") count => _,
             options(nostack, preserves_flags));
    }
}

/// Loads a vector register with a register of a device's of four bytes, and stores it to another one.
pub fn carry(from: u64, to: u64) {
    // SAFETY: as above; XMM0 is given up.
    unsafe {
        asm!("movd xmm0, dword ptr [{from}]", "movss dword ptr [{to}], xmm0", from = in(reg) from, to = in(reg) to,
             out("xmm0") _, options(nostack, preserves_flags));
    }
}
