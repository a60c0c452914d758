// SPDX-License-Identifier: MIT
//! Instructions that only the kernel may execute, and some that nobody may.
#![no_std]
#![no_main]

use hostile::{Case, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run(arguments, CASES)
}

// The ones without a mnemonic in every assembler are given in bytes.
const CASES: &[Case] = attacks! {
    "hlt": "hlt", "xor eax, eax", "ret";
    "lgdt": "lgdt [rdi]", "xor eax, eax", "ret";
    "lidt": "lidt [rdi]", "xor eax, eax", "ret";
    "lldt": "xor eax, eax", "lldt ax", "ret";
    "ltr": "mov eax, 0x40", "ltr ax", "xor eax, eax", "ret";
    "clts": "clts", "xor eax, eax", "ret";
    "lmsw": "xor eax, eax", "lmsw ax", "ret";
    "read-cr0": "mov rax, cr0", "xor eax, eax", "ret";
    "read-cr2": "mov rax, cr2", "xor eax, eax", "ret";
    "read-cr3": "mov rax, cr3", "xor eax, eax", "ret";
    "read-cr4": "mov rax, cr4", "xor eax, eax", "ret";
    "read-cr8": "mov rax, cr8", "xor eax, eax", "ret";
    "write-cr0": "xor eax, eax", "mov cr0, rax", "ret";
    "write-cr2": "xor eax, eax", "mov cr2, rax", "ret";
    "write-cr3": "xor eax, eax", "mov cr3, rax", "ret";
    "write-cr4": "xor eax, eax", "mov cr4, rax", "ret";
    "write-cr8": "xor eax, eax", "mov cr8, rax", "ret";
    "read-dr0": "mov rax, dr0", "xor eax, eax", "ret";
    "read-dr6": "mov rax, dr6", "xor eax, eax", "ret";
    "read-dr7": "mov rax, dr7", "xor eax, eax", "ret";
    "write-dr0": "xor eax, eax", "mov dr0, rax", "ret";
    "write-dr6": "xor eax, eax", "mov dr6, rax", "ret";
    "write-dr7": "xor eax, eax", "mov dr7, rax", "ret";
    "rdmsr-efer": "mov ecx, 0xc0000080", "rdmsr", "xor eax, eax", "ret";
    "wrmsr-efer": "mov ecx, 0xc0000080", "xor edx, edx", "mov eax, 0", "wrmsr", "xor eax, eax", "ret";
    "wrmsr-lstar": "mov ecx, 0xc0000082", "xor edx, edx", "mov eax, 0", "wrmsr", "xor eax, eax", "ret";
    "wrmsr-apic": "mov ecx, 0x1b", "xor edx, edx", "mov eax, 0", "wrmsr", "xor eax, eax", "ret";
    "rdmsr-none": "mov ecx, 0x12345678", "rdmsr", "xor eax, eax", "ret";
    "invlpg": "invlpg [rdi]", "xor eax, eax", "ret";
    "invpcid": "xor eax, eax", "invpcid rax, [rdi]", "ret";
    "invd": "invd", "xor eax, eax", "ret";
    "wbinvd": "wbinvd", "xor eax, eax", "ret";
    "rdpmc": "xor ecx, ecx", "rdpmc", "xor eax, eax", "ret";
    "sysenter": "xor eax, eax", "sysenter";
    "sysexit": "xor ecx, ecx", "xor edx, edx", "sysexit";
    "sysretq": "mov rcx, 0x800000000000", "mov r11d, 2", "sysretq";
    "sysretd": "xor ecx, ecx", "mov r11d, 2", "sysret";
    "rsm": "rsm", "xor eax, eax", "ret";
    "monitor": "mov rax, rdi", "xor ecx, ecx", "xor edx, edx", "monitor", "xor eax, eax", "ret";
    "mwait": "xor eax, eax", "xor ecx, ecx", "mwait", "ret";
    "vmcall": "mov eax, -1", "vmcall", "xor eax, eax", "ret";
    "vmmcall": "mov eax, -1", "vmmcall", "xor eax, eax", "ret";
    "vmlaunch": "vmlaunch", "xor eax, eax", "ret";
    "vmxoff": "vmxoff", "xor eax, eax", "ret";
    "vmrun": "xor eax, eax", ".byte 0x0f, 0x01, 0xd8", "ret";
    "stgi": ".byte 0x0f, 0x01, 0xdc", "xor eax, eax", "ret";
    "getsec": "xor eax, eax", ".byte 0x0f, 0x37", "ret";
    "encls": "xor eax, eax", ".byte 0x0f, 0x01, 0xcf", "ret";
    "sgdt": "sgdt [rdi]", "xor eax, eax", "ret";
    "sidt": "sidt [rdi]", "xor eax, eax", "ret";
    "sldt": "sldt eax", "xor eax, eax", "ret";
    "str": "str eax", "xor eax, eax", "ret";
    "smsw": "smsw eax", "xor eax, eax", "ret";
    // State that XCR0 and CR4 do not let a program have.
    "xsaves": "mov eax, 7", "xor edx, edx", ".byte 0x0f, 0xc7, 0x2f", "xor eax, eax", "ret";
    "xrstors": "mov eax, 7", "xor edx, edx", ".byte 0x0f, 0xc7, 0x1f", "xor eax, eax", "ret";
    "wrpkru": "xor eax, eax", "xor ecx, ecx", "xor edx, edx", ".byte 0x0f, 0x01, 0xef", "xor eax, eax", "ret";
    "rdfsbase": "rdfsbase rax", "xor eax, eax", "ret";
    "tpause": "xor eax, eax", "xor ecx, ecx", "xor edx, edx", ".byte 0x66, 0x0f, 0xae, 0xf1", "xor eax, eax", "ret";
    "enclu": "mov eax, -1", ".byte 0x0f, 0x01, 0xd7", "xor eax, eax", "ret";
    "ud0": ".byte 0x0f, 0xff, 0xc0", "xor eax, eax", "ret";
    "ud1": ".byte 0x0f, 0xb9, 0xc0", "xor eax, eax", "ret";
    "ud2": "ud2";
    "lock-register": ".byte 0xf0, 0x01, 0xc0", "xor eax, eax", "ret";
    "fifteen-prefixes": ".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66",
        ".byte 0x90", "xor eax, eax", "ret";
    "removed-push-es": ".byte 0x06", "xor eax, eax", "ret";
    "removed-aaa": ".byte 0x37", "xor eax, eax", "ret";
    "removed-far-call": ".byte 0x9a, 0, 0, 0, 0, 0x33, 0", "xor eax, eax", "ret";
    "divide-zero": "xor eax, eax", "xor edx, edx", "xor ecx, ecx", "div ecx", "ret";
    "divide-overflow": "mov rax, 0x8000000000000000", "cqo", "mov rcx, -1", "idiv rcx", "xor eax, eax", "ret";
    // What a program may ask: these have to come back.
    "cpuid": "push rbx", "xor eax, eax", "xor ecx, ecx", "cpuid", "pop rbx", "xor eax, eax", "ret";
    "rdtsc": "rdtsc", "mov esi, eax", "rdtsc", "cmp eax, esi", "sete al", "movzx eax, al", "ret";
    "rdtscp": "rdtscp", "mov esi, eax", "rdtscp", "cmp eax, esi", "sete al", "movzx eax, al", "ret";
    // Where there is RDPID, it tells what RDTSCP does: nothing of the kernel.
    "rdpid": "mov rax, -1", ".byte 0xf3, 0x0f, 0xc7, 0xf8", "ret";
    "rdtscp-aux": "rdtscp", "mov eax, ecx", "ret";
    "pause": "pause", "xor eax, eax", "ret";
    "clflush": "clflush [rdi]", "xor eax, eax", "ret";
    "lar-verr": "mov ecx, 8", "lar eax, cx", "lsl eax, cx", "verr cx", "verw cx", "xor eax, eax", "ret";
};
