// SPDX-License-Identifier: MIT
//! Instructions that stop a thread, each with all registers known before and after.
//!
//! A trial loads every register from memory, executes one instruction, and stores every register. The instruction's
//! address and the next one's are told, so that a handler of its event can compare and resume.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// The general registers and the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Everything {
    /// RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8 to R15, in this order.
    pub general: [u64; 15],
    /// RFLAGS.
    pub flags: u64,
}

/// Places in [`Everything::general`].
pub mod place {
    /// RAX.
    pub const RAX: usize = 0;
    /// RBX.
    pub const RBX: usize = 1;
    /// RCX.
    pub const RCX: usize = 2;
    /// RDX.
    pub const RDX: usize = 3;
    /// RSI.
    pub const RSI: usize = 4;
    /// RDI.
    pub const RDI: usize = 5;
    /// RBP.
    pub const RBP: usize = 6;
    /// R8.
    pub const R8: usize = 7;
    /// R11.
    pub const R11: usize = 10;
}

impl Everything {
    /// The place of the flags, counted on from the general registers.
    pub const FLAGS: usize = 15;

    /// Registers that differ from each other and from another seed's.
    #[must_use]
    pub const fn pattern(seed: u64) -> Self {
        let mut general = [0; 15];
        let mut index = 0;
        while index < general.len() {
            general[index] = (seed << 32) | (0x1111 * (index as u64 + 1));
            index += 1;
        }
        Self { general, flags: 0x202 }
    }

    /// The registers with some of them set.
    #[must_use]
    pub fn with(mut self, values: &[(usize, u64)]) -> Self {
        for (place, value) in values {
            self.general[*place] = *value;
        }
        self
    }
}

/// The address of the last trial's instruction.
pub static AT: AtomicU64 = AtomicU64::new(0);
/// The address behind the last trial's instruction.
pub static NEXT: AtomicU64 = AtomicU64::new(0);
/// The stack pointer at the last trial's instruction.
pub static STACK: AtomicU64 = AtomicU64::new(0);

/// The address of the last trial's instruction.
#[must_use]
pub fn at() -> u64 {
    AT.load(Ordering::Relaxed)
}

/// The address behind the last trial's instruction.
#[must_use]
pub fn next() -> u64 {
    NEXT.load(Ordering::Relaxed)
}

/// The stack pointer at the last trial's instruction.
#[must_use]
pub fn stack() -> u64 {
    STACK.load(Ordering::Relaxed)
}

macro_rules! trials {
    ($($(#[$doc:meta])* $name:ident: $($text:literal),+;)*) => {$(
        $(#[$doc])*
        pub extern "C" fn $name(registers: &mut Everything) {
            /// RDI: where the registers come from and go to.
            #[unsafe(naked)]
            extern "C" fn code(registers: *mut Everything) {
                naked_asm!(
                    "push rbx", "push rbp", "push r12", "push r13", "push r14", "push r15", "push rdi",
                    "lea rax, [rip + 2f]", "mov [rip + {at}], rax",
                    "lea rax, [rip + 3f]", "mov [rip + {next}], rax",
                    "mov [rip + {stack}], rsp",
                    "push [rdi + 120]", "popfq",
                    "mov rax, [rdi]", "mov rbx, [rdi + 8]", "mov rcx, [rdi + 16]", "mov rdx, [rdi + 24]",
                    "mov rsi, [rdi + 32]", "mov rbp, [rdi + 48]", "mov r8, [rdi + 56]", "mov r9, [rdi + 64]",
                    "mov r10, [rdi + 72]", "mov r11, [rdi + 80]", "mov r12, [rdi + 88]", "mov r13, [rdi + 96]",
                    "mov r14, [rdi + 104]", "mov r15, [rdi + 112]", "mov rdi, [rdi + 40]",
                    "2:", $($text,)+ "3:",
                    "push rdi", "pushfq", "mov rdi, [rsp + 16]", "pop [rdi + 120]", "pop [rdi + 40]",
                    "mov [rdi], rax", "mov [rdi + 8], rbx", "mov [rdi + 16], rcx", "mov [rdi + 24], rdx",
                    "mov [rdi + 32], rsi", "mov [rdi + 48], rbp", "mov [rdi + 56], r8", "mov [rdi + 64], r9",
                    "mov [rdi + 72], r10", "mov [rdi + 80], r11", "mov [rdi + 88], r12", "mov [rdi + 96], r13",
                    "mov [rdi + 104], r14", "mov [rdi + 112], r15",
                    "push 0x1f80", "ldmxcsr [rsp]", "add rsp, 8", "fninit", "push 0x202", "popfq",
                    "pop rdi", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbp", "pop rbx", "ret",
                    at = sym AT, next = sym NEXT, stack = sym STACK,
                )
            }
            code(registers);
        }
    )*};
}

/// The entry of a portal whose worker stores every register that it finds and leaves others; the worker's stack begins
/// with the address of two [`Everything`]s, for what it found and what it leaves.
#[must_use]
pub fn exchange() -> u64 {
    #[unsafe(naked)]
    extern "C" fn code() {
        naked_asm!(
            "push rax",
            "pushfq",
            "mov rax, [rsp + 16]",
            "pop [rax + 120]",
            "pop [rax]",
            "mov [rax + 8], rbx",
            "mov [rax + 16], rcx",
            "mov [rax + 24], rdx",
            "mov [rax + 32], rsi",
            "mov [rax + 40], rdi",
            "mov [rax + 48], rbp",
            "mov [rax + 56], r8",
            "mov [rax + 64], r9",
            "mov [rax + 72], r10",
            "mov [rax + 80], r11",
            "mov [rax + 88], r12",
            "mov [rax + 96], r13",
            "mov [rax + 104], r14",
            "mov [rax + 112], r15",
            "add rax, 128",
            "mov rbx, [rax + 8]",
            "mov rdx, [rax + 24]",
            "mov rsi, [rax + 32]",
            "mov rbp, [rax + 48]",
            "mov r8, [rax + 56]",
            "mov r9, [rax + 64]",
            "mov r10, [rax + 72]",
            "mov r12, [rax + 88]",
            "mov r13, [rax + 96]",
            "mov r14, [rax + 104]",
            "mov r15, [rax + 112]",
            "mov rax, [rax]",
            "mov edi, 1",
            "syscall",
            "ud2",
        )
    }
    code as *const () as u64
}

trials! {
    /// A hypercall.
    hypercall: "syscall";
    /// An undefined instruction.
    undefined: "ud2";
    /// A division of RDX:RAX by ECX.
    division: "div ecx";
    /// A breakpoint.
    breakpoint: "int3";
    /// An interrupt instruction for overflow.
    overflow: "int 4";
    /// An interrupt instruction that programs may not execute.
    interrupt: "int 0x30";
    /// A halt, which programs may not execute.
    halt: "hlt";
    /// The instruction that holds interrupts back, which programs may not execute.
    mask: "cli";
    /// The read of a model-specific register, which programs may not execute.
    model_specific: "rdmsr";
    /// A read of the port in DX.
    port: "in al, dx";
    /// A read of four ports from DX on.
    ports: "in eax, dx";
    /// A load from the address in RSI.
    load: "mov rax, [rsi]";
    /// A store to the address in RSI.
    store: "mov [rsi], rax";
    /// A load from the address in RBP, by the stack segment.
    stack_load: "mov rax, [rbp]";
    /// A jump to the address in RSI; what is there has to come back by itself.
    jump: "jmp rsi";
    /// An invalid x87 operation with its exception unmasked, and the wait that raises it.
    x87: "fninit", "push 0x37e", "fldcw [rsp]", "add rsp, 8", "fldz", "fldz", "fdivp", "4: fwait", "fninit";
    /// A vector division of zero by zero with its exception unmasked.
    vector: "push 0x1f00", "ldmxcsr [rsp]", "add rsp, 8", "pxor xmm0, xmm0", "divss xmm0, xmm0";
}
