// SPDX-License-Identifier: MIT
//! What compiled code refers to and no library here provides: memcpy and its kin,
//! and the personality of unwinding, which never happens.
//!
//! memcpy and its kin are written in assembly, because a compiler may turn a loop of theirs
//! into a call of itself. They use SSE2, 16 bytes a step: an emulator counts every byte of
//! REP MOVSB.

use core::arch::naked_asm;

use crate::arch::tally::{LINES_COPIED, LINES_FILLED};

/// Copies `length` bytes; the regions do not overlap.
///
/// # Safety
/// As for `core::ptr::copy_nonoverlapping` of bytes.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        "cmp rdx, 64",
        "jb 3f",
        "mov rcx, rdx",
        "shr rcx, 6",
        "add [rip + {lines}], rcx",
        "2:",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + 32]",
        "movups xmm3, [rsi + 48]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "movups [rdi + 32], xmm2",
        "movups [rdi + 48], xmm3",
        "add rsi, 64",
        "add rdi, 64",
        "sub rdx, 64",
        "cmp rdx, 64",
        "jae 2b",
        "3:",
        "cmp rdx, 8",
        "jb 5f",
        "4:",
        "mov rcx, [rsi]",
        "mov [rdi], rcx",
        "add rsi, 8",
        "add rdi, 8",
        "sub rdx, 8",
        "cmp rdx, 8",
        "jae 4b",
        "5:",
        "test rdx, rdx",
        "jz 7f",
        "6:",
        "mov cl, [rsi]",
        "mov [rdi], cl",
        "inc rsi",
        "inc rdi",
        "dec rdx",
        "jnz 6b",
        "7:",
        "ret",
        lines = sym LINES_COPIED,
    )
}

/// Copies `length` bytes; the regions may overlap.
///
/// # Safety
/// As for `core::ptr::copy` of bytes.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    naked_asm!(
        // Forwards is right unless `to` lies inside [from, from + length).
        "mov rax, rdi",
        "sub rax, rsi",
        "cmp rax, rdx",
        "jae {forwards}",
        "mov rax, rdi",
        "2:",
        "cmp rdx, 8",
        "jb 3f",
        "mov rcx, [rsi + rdx - 8]",
        "mov [rdi + rdx - 8], rcx",
        "sub rdx, 8",
        "jmp 2b",
        "3:",
        "test rdx, rdx",
        "jz 4f",
        "mov cl, [rsi + rdx - 1]",
        "mov [rdi + rdx - 1], cl",
        "dec rdx",
        "jmp 3b",
        "4:",
        "ret",
        forwards = sym memcpy,
    )
}

/// Fills `length` bytes.
///
/// # Safety
/// As for `core::ptr::write_bytes`.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memset(to: *mut u8, value: i32, length: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        "movzx esi, sil",
        "mov rcx, 0x0101010101010101",
        "imul rsi, rcx",
        "movq xmm0, rsi",
        "punpcklqdq xmm0, xmm0",
        "cmp rdx, 64",
        "jb 3f",
        "mov rcx, rdx",
        "shr rcx, 6",
        "add [rip + {lines}], rcx",
        "2:",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm0",
        "movups [rdi + 32], xmm0",
        "movups [rdi + 48], xmm0",
        "add rdi, 64",
        "sub rdx, 64",
        "cmp rdx, 64",
        "jae 2b",
        "3:",
        "cmp rdx, 8",
        "jb 5f",
        "4:",
        "mov [rdi], rsi",
        "add rdi, 8",
        "sub rdx, 8",
        "cmp rdx, 8",
        "jae 4b",
        "5:",
        "test rdx, rdx",
        "jz 7f",
        "6:",
        "mov [rdi], sil",
        "inc rdi",
        "dec rdx",
        "jnz 6b",
        "7:",
        "ret",
        lines = sym LINES_FILLED,
    )
}

/// Compares `length` bytes as memcmp does.
///
/// # Safety
/// Both regions must be readable.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, length: usize) -> i32 {
    naked_asm!(
        "2:",
        "cmp rdx, 16",
        "jb 3f",
        "movups xmm0, [rdi]",
        "movups xmm1, [rsi]",
        "pcmpeqb xmm0, xmm1",
        "pmovmskb eax, xmm0",
        "cmp eax, 0xffff",
        "jne 3f",
        "add rdi, 16",
        "add rsi, 16",
        "sub rdx, 16",
        "jmp 2b",
        "3:",
        "test rdx, rdx",
        "jz 5f",
        "4:",
        "movzx eax, byte ptr [rdi]",
        "movzx ecx, byte ptr [rsi]",
        "sub eax, ecx",
        "jnz 6f",
        "inc rdi",
        "inc rsi",
        "dec rdx",
        "jnz 4b",
        "5:",
        "xor eax, eax",
        "6:",
        "ret",
    )
}

/// Compares `length` bytes for equality.
///
/// # Safety
/// Both regions must be readable.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, length: usize) -> i32 {
    naked_asm!("jmp {memcmp}", memcmp = sym memcmp)
}

/// The precompiled `alloc` refers to this function; panics abort, so nobody calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Landing pads in the precompiled `alloc` refer to this function; nobody calls it, either.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    panic!("nothing unwinds in the kernel")
}
