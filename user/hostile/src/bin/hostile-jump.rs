// SPDX-License-Identifier: MIT
//! Control transfers to where no user code can be: non-canonical, the kernel's half, the end of user space.
#![no_std]
#![no_main]

use hostile::{Case, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run(arguments, CASES)
}

/// The lowest and highest non-canonical addresses, with 48 address bits.
const LOW: u64 = 0x0000_8000_0000_0000;
const HIGH: u64 = 0xffff_7fff_ffff_ffff;
/// User space ends here, one page below [`LOW`].
const END: u64 = 0x0000_7fff_ffff_f000;

const CASES: &[Case] = attacks! {
    "ret-low" (LOW): "push rsi", "ret";
    "ret-high" (HIGH): "push rsi", "ret";
    "ret-imm" (LOW): "push rsi", "ret 8";
    "jmp-low" (LOW): "jmp rsi";
    "jmp-high" (HIGH): "jmp rsi";
    "jmp-memory" (LOW): "push rsi", "jmp [rsp]";
    "call-low" (LOW): "call rsi";
    "call-high" (HIGH): "call rsi";
    "iretq-low" (LOW):
        "mov ecx, ss", "push rcx", "lea rax, [rsp + 8]", "push rax", "pushfq", "mov ecx, cs", "push rcx",
        "push rsi", "iretq";
    "iretq-high" (HIGH):
        "mov ecx, ss", "push rcx", "lea rax, [rsp + 8]", "push rax", "pushfq", "mov ecx, cs", "push rcx",
        "push rsi", "iretq";
    // With a stack pointer that is not canonical either.
    "iretq-stack" (LOW):
        "mov ecx, ss", "push rcx", "push rsi", "pushfq", "mov ecx, cs", "push rcx", "push rsi", "iretq";
    "retfq-low" (LOW): "mov ecx, cs", "push rcx", "push rsi", "retfq";
    "jmp-null" (0): "jmp rsi";
    "jmp-unmapped" (0x1234_5000): "jmp rsi";
    "jmp-end" (END): "jmp rsi";
    "jmp-last-byte" (LOW - 1): "jmp rsi";
    "jmp-half" (0xffff_8000_0000_0000): "jmp rsi";
    "jmp-direct-map" (0xffff_8880_0000_0000): "jmp rsi";
    "jmp-kernel" (0xffff_ffff_8000_0000): "jmp rsi";
    "jmp-kernel-text" (0xffff_ffff_8010_0000): "jmp rsi";
    "jmp-vsyscall" (0xffff_ffff_ff60_0000): "xor edi, edi", "xor esi, esi", "mov rax, 0xffffffffff600000", "call rax",
        "xor eax, eax", "ret";
    "jmp-top" (u64::MAX): "jmp rsi";
    // The page at the very top of the lower half must not be had.
    "map-last-page" (END):
        "mov eax, 9", "mov rdi, rsi", "mov esi, 4096", "mov edx, 7", "mov r10d, 0x32", "mov r8, -1", "xor r9d, r9d",
        "syscall", "add rax, 12", "ret";
    // SYSCALL as the last two bytes of the last page there is: the address to return to is the end of user space.
    "syscall-at-end" (END - 4096):
        "mov r12, rsi", "mov eax, 9", "mov rdi, rsi", "mov esi, 4096", "mov edx, 7", "mov r10d, 0x32", "mov r8, -1",
        "xor r9d, r9d", "syscall", "cmp rax, r12", "jne 2f", "lea rbx, [r12 + 4094]", "mov word ptr [rbx], 0x050f",
        "mov eax, 39", "jmp rbx", "2: ret";
    // A step over the end, and an instruction that would lie half behind it.
    "nop-at-end" (END - 4096):
        "mov r12, rsi", "mov eax, 9", "mov rdi, rsi", "mov esi, 4096", "mov edx, 7", "mov r10d, 0x32", "mov r8, -1",
        "xor r9d, r9d", "syscall", "cmp rax, r12", "jne 2f", "lea rbx, [r12 + 4095]", "mov byte ptr [rbx], 0x90",
        "jmp rbx", "2: ret";
    "half-at-end" (END - 4096):
        "mov r12, rsi", "mov eax, 9", "mov rdi, rsi", "mov esi, 4096", "mov edx, 7", "mov r10d, 0x32", "mov r8, -1",
        "xor r9d, r9d", "syscall", "cmp rax, r12", "jne 2f", "lea rbx, [r12 + 4095]", "mov byte ptr [rbx], 0x0f",
        "jmp rbx", "2: ret";
    "int3-at-end" (END - 4096):
        "mov r12, rsi", "mov eax, 9", "mov rdi, rsi", "mov esi, 4096", "mov edx, 7", "mov r10d, 0x32", "mov r8, -1",
        "xor r9d, r9d", "syscall", "cmp rax, r12", "jne 2f", "lea rbx, [r12 + 4095]", "mov byte ptr [rbx], 0xcc",
        "jmp rbx", "2: ret";
};
