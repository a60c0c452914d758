// SPDX-License-Identifier: MIT
//! Signal frames that a program has changed before it returns from its handler, and handlers that cannot be.
#![no_std]
#![no_main]

use hostile::{Case, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run(arguments, CASES)
}

const NON_CANONICAL: u64 = 1 << 63;
const KERNEL: u64 = 0xffff_8000_0000_0000;
const USER_END: u64 = 0x7fff_ffff_f000;
/// `SA_...`, of which the last says that there is something to return to.
const SIGINFO: u64 = 4;
const ON_STACK: u64 = 0x0800_0000;
const RESTORER: u64 = 0x0400_0000;
const TF: u64 = 1 << 8;

/// Lets SIGUSR1 be handled: `$before` comes before it is sent, with R13 its flags; the handler is `$body`, with RDX the
/// `ucontext_t` and RCX where the frame says that the extended state is. RBX is the scratch area, R12 the case's value.
/// Comes back with the flags that no program can set.
macro_rules! handled {
    ($before:literal, $body:literal) => {
        concat!(
            "push rbx; push r12; push r13; mov rbx, rdi; mov r12, rsi; mov r13d, 0x04000004; ",
            $before,
            "; lea rax, [rip + 2f]; mov [rbx], rax; mov [rbx + 8], r13; lea rax, [rip + 3f]; mov [rbx + 16], rax; ",
            "mov rsi, rbx; mov edi, 10; xor edx, edx; mov r10d, 8; mov eax, 13; syscall; ",
            "mov eax, 39; syscall; mov edi, eax; mov esi, 10; mov eax, 62; syscall; ",
            "pushfq; pop rax; push 2; popfq; and eax, 0x1a7000; pop r13; pop r12; pop rbx; ret; ",
            "2: mov rcx, [rdx + 224]; ",
            $body,
            "; ret; 3: mov eax, 15; syscall; ud2"
        )
    };
}

const CASES: &[Case] = attacks! {
    "plain": handled!("", "");
    // Flags: only the program's own come back.
    "flags-ones" (!TF): handled!("", "mov [rdx + 176], r12");
    "flags-none": handled!("", "mov [rdx + 176], r12");
    "flags-tf" (TF | 2): handled!("", "mov [rdx + 176], r12");
    // Where to return to.
    "rip-non-canonical" (NON_CANONICAL): handled!("", "mov [rdx + 168], r12");
    "rip-kernel" (KERNEL): handled!("", "mov [rdx + 168], r12");
    "rip-end" (USER_END): handled!("", "mov [rdx + 168], r12");
    "rsp-kernel" (KERNEL): handled!("", "mov [rdx + 160], r12");
    "cs-kernel" (0x10): handled!("", "mov [rdx + 184], r12w");
    "cs-null": handled!("", "mov [rdx + 184], r12w");
    "cs-max" (0xffff): handled!("", "mov [rdx + 184], r12w");
    "ss-kernel" (0x18): handled!("", "mov [rdx + 190], r12w");
    "ss-max" (0xffff): handled!("", "mov [rdx + 190], r12w");
    // The extended state.
    "xstate-none": handled!("", "mov [rdx + 224], r12");
    "xstate-kernel" (KERNEL): handled!("", "mov [rdx + 224], r12");
    "xstate-non-canonical" (NON_CANONICAL): handled!("", "mov [rdx + 224], r12");
    "xstate-unmapped" (0x40): handled!("", "mov [rdx + 224], r12");
    "xstate-unaligned": handled!("", "add qword ptr [rdx + 224], 8");
    "xstate-components": handled!("", "mov qword ptr [rcx + 512], -1");
    "xstate-compact": handled!("", "bts qword ptr [rcx + 520], 63");
    "xstate-reserved": handled!("", "mov byte ptr [rcx + 528], 1");
    "xstate-mxcsr": handled!("", "mov dword ptr [rcx + 24], -1");
    "xstate-initial": handled!("", "mov qword ptr [rcx + 512], 0");
    "xstate-no-mark": handled!("", "mov dword ptr [rcx + 464], 0");
    "xstate-no-end-mark": handled!("", "mov eax, [rcx + 480]; mov dword ptr [rcx + rax], 0");
    "xstate-size" (u64::MAX): handled!("", "mov [rcx + 480], r12d; mov [rcx + 468], r12d");
    // The rest of the frame.
    "mask-all": handled!("", "mov qword ptr [rdx + 296], -1");
    "stack-wild": handled!("", "mov qword ptr [rdx + 16], -1; mov dword ptr [rdx + 24], -1; mov qword ptr [rdx + 32], -1");
    "frame-kernel" (KERNEL): handled!("", "mov rsp, r12; mov eax, 15; syscall; ud2");
    "frame-null": handled!("", "mov rsp, r12; mov eax, 15; syscall; ud2");
    "frame-end" (USER_END): handled!("", "mov rsp, r12; mov eax, 15; syscall; ud2");
    "frame-zeros": handled!("", "lea rsp, [rbx + 4096]; mov eax, 15; syscall; ud2");
    // Handlers and stacks that cannot be.
    "handler-kernel" (KERNEL): handled!("", "jmp r12");
    "no-restorer" (SIGINFO): handled!("mov r13, r12", "");
    "altstack-kernel" (SIGINFO | ON_STACK | RESTORER): handled!(
        "mov r13, r12; mov rax, 0xffff800000000000; mov [rbx + 64], rax; mov qword ptr [rbx + 72], 0; \
         mov qword ptr [rbx + 80], 65536; lea rdi, [rbx + 64]; xor esi, esi; mov eax, 131; syscall", "");
    "altstack-wraps" (SIGINFO | ON_STACK | RESTORER): handled!(
        "mov r13, r12; mov qword ptr [rbx + 64], -4096; mov qword ptr [rbx + 72], 0; \
         mov qword ptr [rbx + 80], 65536; lea rdi, [rbx + 64]; xor esi, esi; mov eax, 131; syscall", "");
    "altstack-small" (SIGINFO | ON_STACK | RESTORER): handled!(
        "mov r13, r12; lea rax, [rbx + 128]; mov [rbx + 64], rax; mov qword ptr [rbx + 72], 0; \
         mov qword ptr [rbx + 80], 2048; lea rdi, [rbx + 64]; xor esi, esi; mov eax, 131; syscall; \
         mov rax, [rbx + 64]; mov rsp, rax; add rsp, 256", "");
    "rsp-null": handled!("xor esp, esp", "");
    "rsp-kernel-sent" (KERNEL): handled!("mov rsp, r12", "");
    // A signal that an instruction causes cannot wait.
    "blocked-ud2" (!0): "mov [rdi], rsi", "mov rsi, rdi", "mov edi, 2", "xor edx, edx", "mov r10d, 8",
        "mov eax, 14", "syscall", "ud2";
    "ignored-ud2" (1): "mov [rdi], rsi", "mov rsi, rdi", "mov edi, 4", "xor edx, edx", "mov r10d, 8",
        "mov eax, 13", "syscall", "ud2";
    "ignored-page-fault" (1): "mov [rdi], rsi", "mov rsi, rdi", "mov edi, 11", "xor edx, edx", "mov r10d, 8",
        "mov eax, 13", "syscall", "mov [16], eax";
};
