// SPDX-License-Identifier: MIT
//! RFLAGS set to what they must not be at a system call, an exception and a return.
#![no_std]
#![no_main]

use hostile::{Case, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run(arguments, CASES)
}

/// Flags by bit.
const TF: u64 = 1 << 8;
const DF: u64 = 1 << 10;
const NT: u64 = 1 << 14;
const RF: u64 = 1 << 16;
const VM: u64 = 1 << 17;
const AC: u64 = 1 << 18;
const VIF: u64 = 1 << 19;
const VIP: u64 = 1 << 20;
const ID: u64 = 1 << 21;
/// The unprivileged ones that stay over a system call.
const ALL: u64 = NT | DF | AC | ID | 0xcd5 & !DF;

const CASES: &[Case] = attacks! {
    // Set, getpid, read back: the flag is still there, and is taken away before compiled code runs again.
    "nt-syscall" (NT): "pushfq", "or [rsp], rsi", "popfq", "mov eax, 39", "syscall", "pushfq", "pop rax",
        "mov rdx, rax", "xor rdx, rsi", "push rdx", "popfq", "not rax", "and rax, rsi", "ret";
    "df-syscall" (DF): "pushfq", "or [rsp], rsi", "popfq", "mov eax, 39", "syscall", "pushfq", "pop rax",
        "mov rdx, rax", "xor rdx, rsi", "push rdx", "popfq", "not rax", "and rax, rsi", "ret";
    "ac-syscall" (AC): "pushfq", "or [rsp], rsi", "popfq", "mov eax, 39", "syscall", "pushfq", "pop rax",
        "mov rdx, rax", "xor rdx, rsi", "push rdx", "popfq", "not rax", "and rax, rsi", "ret";
    "id-syscall" (ID): "pushfq", "or [rsp], rsi", "popfq", "mov eax, 39", "syscall", "pushfq", "pop rax",
        "mov rdx, rax", "xor rdx, rsi", "push rdx", "popfq", "not rax", "and rax, rsi", "ret";
    "all-syscall" (ALL): "pushfq", "or [rsp], rsi", "popfq", "mov eax, 39", "syscall", "pushfq", "pop rax",
        "mov rdx, rax", "xor rdx, rsi", "push rdx", "popfq", "not rax", "and rax, rsi", "ret";
    // The kernel copies strings for the program while DF is set: uname into the scratch area begins with "Linu".
    "df-copy" (DF): "pushfq", "or [rsp], rsi", "popfq", "mov eax, 63", "syscall", "cld", "mov eax, [rdi]",
        "sub eax, 0x756e694c", "ret";
    // The same at a page fault that the kernel resolves: stack that has not been touched, 64 KiB below.
    "nt-page-fault" (NT): "pushfq", "or [rsp], rsi", "popfq", "mov byte ptr [rsp - 65536], 1", "pushfq", "pop rax",
        "mov rdx, rax", "xor rdx, rsi", "push rdx", "popfq", "not rax", "and rax, rsi", "ret";
    "df-page-fault" (DF): "pushfq", "or [rsp], rsi", "popfq", "mov byte ptr [rsp - 65536], 1", "pushfq", "pop rax",
        "mov rdx, rax", "xor rdx, rsi", "push rdx", "popfq", "not rax", "and rax, rsi", "ret";
    "ac-page-fault" (AC): "pushfq", "or [rsp], rsi", "popfq", "mov byte ptr [rsp - 65536], 1", "pushfq", "pop rax",
        "mov rdx, rax", "xor rdx, rsi", "push rdx", "popfq", "not rax", "and rax, rsi", "ret";
    // At an exception that ends the program.
    "nt-ud2" (NT): "pushfq", "or [rsp], rsi", "popfq", "ud2";
    "df-ud2" (DF): "pushfq", "or [rsp], rsi", "popfq", "ud2";
    "ac-ud2" (AC): "pushfq", "or [rsp], rsi", "popfq", "ud2";
    "id-ud2" (ID): "pushfq", "or [rsp], rsi", "popfq", "ud2";
    "nt-int3" (NT): "pushfq", "or [rsp], rsi", "popfq", "int3";
    "ac-misaligned" (AC): "pushfq", "or [rsp], rsi", "popfq", "mov eax, [rdi + 1]", "xor eax, eax", "ret";
    // Single-stepping into the kernel by every door.
    "tf-nop" (TF): "pushfq", "or [rsp], rsi", "popfq", "nop", "xor eax, eax", "ret";
    "tf-syscall" (TF): "mov eax, 39", "pushfq", "or [rsp], rsi", "popfq", "syscall", "xor eax, eax", "ret";
    "tf-ud2" (TF): "pushfq", "or [rsp], rsi", "popfq", "ud2";
    "tf-int3" (TF): "pushfq", "or [rsp], rsi", "popfq", "int3", "xor eax, eax", "ret";
    "tf-hlt" (TF): "pushfq", "or [rsp], rsi", "popfq", "hlt";
    "tf-page-fault" (TF): "pushfq", "or [rsp], rsi", "popfq", "mov byte ptr [rsp - 65536], 1", "xor eax, eax", "ret";
    "tf-rep" (TF): "mov ecx, 16", "pushfq", "or [rsp], rsi", "popfq", "rep stosb", "xor eax, eax", "ret";
    "tf-iretq" (TF): "mov rdx, rsp", "mov ecx, ss", "push rcx", "push rdx", "pushfq", "or [rsp], rsi", "mov ecx, cs",
        "push rcx", "lea rcx, [rip + 2f]", "push rcx", "iretq", "2: nop", "xor eax, eax", "ret";
    // MOV SS holds the trap back for one instruction, so that it comes inside the kernel.
    "tf-mov-ss-syscall" (TF): "mov ecx, ss", "mov eax, 39", "pushfq", "or rsi, [rsp]", "push rsi", "popfq",
        "mov ss, ecx", "syscall", "xor eax, eax", "add rsp, 8", "ret";
    "tf-shadow-syscall" (TF): "mov ecx, ss", "mov eax, 39", "mov [rdi], ecx", "pushfq", "or [rsp], rsi", "popfq",
        "mov ss, [rdi]", "syscall", "xor eax, eax", "ret";
    "tf-shadow-int3" (TF): "mov ecx, ss", "pushfq", "or [rsp], rsi", "popfq", "mov ss, ecx", "int3", "xor eax, eax", "ret";
    "tf-shadow-int-80" (TF): "mov ecx, ss", "mov eax, 20", "pushfq", "or [rsp], rsi", "popfq", "mov ss, ecx", "int 0x80",
        "xor eax, eax", "ret";
    "tf-icebp" (TF): "pushfq", "or [rsp], rsi", "popfq", ".byte 0xf1", "xor eax, eax", "ret";
    "tf-shadow-icebp" (TF): "mov ecx, ss", "pushfq", "or [rsp], rsi", "popfq", "mov ss, ecx", ".byte 0xf1", "xor eax, eax",
        "ret";
    // Interrupts off, and the right to use ports: POPF and IRETQ leave both alone without a fault.
    "popf-if": "pushfq", "and qword ptr [rsp], -513", "popfq", "pushfq", "pop rax", "not rax", "and eax, 512", "ret";
    "popf-iopl": "pushfq", "or qword ptr [rsp], 0x3000", "popfq", "pushfq", "pop rax", "and eax, 0x3000", "ret";
    "popf-rf" (RF): "pushfq", "or [rsp], rsi", "popfq", "mov eax, 39", "syscall", "pushfq", "pop rax", "and rax, rsi", "ret";
    "popf-zero": "push 0", "popfq", "mov eax, 39", "syscall", "pushfq", "pop rax", "not rax", "and eax, 512", "ret";
    "popf-ones": "push -1", "popfq", "nop", "xor eax, eax", "ret";
    "popf-ones-but-tf": "push -257", "popfq", "mov eax, 39", "syscall", "push 0x202", "popfq", "xor eax, eax", "ret";
    "iretq-if-iopl": "mov rdx, rsp", "mov ecx, ss", "push rcx", "push rdx", "push 0x3002", "mov ecx, cs", "push rcx",
        "lea rcx, [rip + 2f]", "push rcx", "iretq", "2: pushfq", "pop rax", "and eax, 0x3200", "sub eax, 512", "ret";
    "iretq-vm" (VM): "mov rdx, rsp", "mov ecx, ss", "push rcx", "push rdx", "pushfq", "or [rsp], rsi", "mov ecx, cs",
        "push rcx", "lea rcx, [rip + 2f]", "push rcx", "iretq", "2: xor eax, eax", "ret";
    "iretq-vif-vip" (VIF | VIP): "mov rdx, rsp", "mov ecx, ss", "push rcx", "push rdx", "pushfq", "or [rsp], rsi",
        "mov ecx, cs", "push rcx", "lea rcx, [rip + 2f]", "push rcx", "iretq", "2: xor eax, eax", "ret";
    "iretq-rf" (RF): "mov rdx, rsp", "mov ecx, ss", "push rcx", "push rdx", "pushfq", "or [rsp], rsi", "mov ecx, cs",
        "push rcx", "lea rcx, [rip + 2f]", "push rcx", "iretq", "2: pushfq", "pop rax", "and rax, rsi", "ret";
    // IRETQ itself with NT set is a general protection fault in 64-bit mode.
    "iretq-nt" (NT): "mov rdx, rsp", "mov ecx, ss", "push rcx", "push rdx", "pushfq", "mov ecx, cs", "push rcx",
        "lea rcx, [rip + 2f]", "push rcx", "pushfq", "or [rsp], rsi", "popfq", "iretq", "2: xor eax, eax", "ret";
    "cli": "cli", "xor eax, eax", "ret";
    "sti": "sti", "xor eax, eax", "ret";
    "stac": ".byte 0x0f, 0x01, 0xcb", "xor eax, eax", "ret";
    "clac": ".byte 0x0f, 0x01, 0xca", "xor eax, eax", "ret";
};
