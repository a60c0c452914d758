// SPDX-License-Identifier: MIT
//! The ways back from user mode by exceptions and interrupts, and the end of exceptions in the kernel.
//!
//! The processor has pushed SS, RSP, RFLAGS, CS and RIP, and an error code for some vectors. Each entry below begins with
//!
//! ```text
//! the stack:  SS  RSP  RFLAGS  CS  RIP  [error]
//!                                       RSP
//! ```
//!
//! and leaves with error, be it zero, and vector on it. What comes from user mode goes to [`leave_user`] with RSP in the
//! `UserRegisters`: straight where the processor has pushed there, which it does unless the kernel is isolated or the
//! vector has a stack of its own, and else by way of [`move_frame`]. What comes from the kernel goes to [`fault`], but
//! for the few that are expected there.

use super::apic::{COUNTER_VECTOR, END_OF_INTERRUPT};
use super::entry::{ENTRIES, KERNEL_ROOT, RSP0, displacement, leave_user, routine, syscall_entry};
use super::interrupt;
use super::segment::{FAULT_STACK, FAULT_STACK_END, TASK};

/// The local APIC's register that ends an interrupt, as a displacement.
const EOI: i32 = displacement(END_OF_INTERRUPT);

routine! {
    /// An exception, or an interrupt that nobody expects in the kernel; `ERROR` says that the vector has an error code, `STACK`
    /// that it has a stack of its own. All are equally long, so that all exceptions have one bias.
    ///
    /// ```text
    /// the stack:  SS  RSP  RFLAGS  CS  RIP  error  vector
    ///                                              RSP
    /// ```
    pub fn plain_entry<const VECTOR: u64, const ERROR: bool, const STACK: bool, const ISOLATED: bool>();
    ".if {error}; nop; .else; push 0; .endif",
    "push {vector}",
    "test byte ptr [rsp + 24], 3",
    ".if {elsewhere}; jnz {move}; .else; jnz {leave}; .endif",
    "jmp {fault}",
    ; kept [] at []
    error = const ERROR as u32, vector = const VECTOR, elsewhere = const (ISOLATED || STACK) as u32,
    move = sym move_frame::<false, ISOLATED>, leave = sym leave_user::<false, ISOLATED>, fault = sym fault::<ISOLATED>,
}

routine! {
    /// The counter's interrupt. From user mode it ends the stretch, as in [`plain_entry`]; in the kernel
    /// it can only come inside [`drain`], and is counted.
    ///
    /// ```text
    /// the stack:  SS  RSP  RFLAGS  CS  RIP  0  vector
    ///                                          RSP
    /// ```
    pub fn counter_entry<const ISOLATED: bool>();
    "push 0", "push {vector}",
    "test byte ptr [rsp + 24], 3",
    ".if {isolated}; jnz {move}; .else; jnz {leave}; .endif",
    "mov dword ptr ds:[{eoi}], 0",
    "inc qword ptr [rip + {entries} + {drained}]",
    "add rsp, 16", "iretq",
    ; kept [drained] at []
    vector = const COUNTER_VECTOR, isolated = const ISOLATED as u32, move = sym move_frame::<false, ISOLATED>,
    leave = sym leave_user::<false, ISOLATED>, eoi = const EOI, entries = sym ENTRIES,
}

routine! {
    /// Takes a pending counter interrupt and drops it.
    ///
    /// # Safety
    /// Only with nothing but the counter able to interrupt.
    pub fn drain();
    "sti", "nop", "nop", "cli", "ret",
    ; kept [] at []
}

routine! {
    /// The non-maskable interrupt, on a stack of its own. From user mode it ends the
    /// stretch; in the kernel it is counted: the watchdog ran down in a long call. There, isolated, the
    /// user's page tables may be loaded already, or still; of the kernel's registers RIP, RSP and RFLAGS stay on
    /// the stack.
    ///
    /// ```text
    /// from user mode:  SS  RSP  RFLAGS  CS  RIP  0    2
    ///                                                 RSP
    /// in the kernel:   SS  RSP  RFLAGS  CS  RIP  RAX  CR3
    ///                                       RSP  isolated, and cleared at the end
    /// ```
    pub fn nmi_entry<const ISOLATED: bool>();
    "test byte ptr [rsp + 8], 3",
    "jz 2f",
    "push 0", "push 2", "jmp {move}",
    "2: .if {isolated}; push rax; mov rax, cr3; push rax; mov rax, [rip + {kernel_root}]; mov cr3, rax; .endif",
    "inc qword ptr [rip + {entries} + {kernel_nmis}]",
    ".if {isolated}; pop rax; mov cr3, rax; pop rax",
    "mov qword ptr [rsp - 8], 0; mov qword ptr [rsp - 16], 0; .endif",
    "iretq",
    ; kept [kernel_nmis] at []
    isolated = const ISOLATED as u32, kernel_root = sym KERNEL_ROOT, entries = sym ENTRIES,
    move = sym move_frame::<false, ISOLATED>,
}

routine! {
    /// #DB, on a stack of its own. In the kernel it is harmless on the first
    /// instruction of [`syscall_entry`] (the user had TF set, FMASK has cleared it);
    /// anywhere else it is the end.
    ///
    /// ```text
    /// the stack:  SS  RSP  RFLAGS  CS  RIP  0  1
    ///                                          RSP
    /// ```
    pub fn debug_entry<const ISOLATED: bool>();
    "test byte ptr [rsp + 8], 3",
    "jnz 2f",
    "push rax", "lea rax, [rip + {syscall}]", "cmp [rsp + 8], rax", "pop rax",
    "jne 3f",
    "iretq",
    "2: push 0", "push 1", "jmp {move}",
    "3: push 0", "push 1", "jmp {fault}",
    ; kept [] at []
    syscall = sym syscall_entry::<ISOLATED>, fault = sym fault::<ISOLATED>, move = sym move_frame::<true, ISOLATED>,
}

routine! {
    /// #DF, on a stack of its own: always the end, whoever caused it.
    ///
    /// ```text
    /// the stack:  SS  RSP  RFLAGS  CS  RIP  error  8
    ///                                              RSP
    /// ```
    pub fn double_fault_entry<const ISOLATED: bool>();
    "push 8", "jmp {fault}",
    ; kept [] at []
    fault = sym fault::<ISOLATED>,
}

routine! {
    /// An exception in the kernel, reported on a stack of its own.
    ///
    /// ```text
    /// the stack:  SS  RSP  RFLAGS  CS  RIP  error  vector
    ///                                              RDI, what is reported
    /// ```
    fn fault<const ISOLATED: bool>();
    ".if {isolated}; mov rax, [rip + {kernel_root}]; mov cr3, rax; .endif",
    "mov rdi, rsp",
    "lea rsp, [rip + {stack} + {end}]",
    "call {report}",
    "ud2",
    ; kept [] at []
    stack = sym FAULT_STACK, end = const FAULT_STACK_END, isolated = const ISOLATED as u32,
    kernel_root = sym KERNEL_ROOT, report = sym interrupt::kernel_fault,
}

routine! {
    /// Moves what an entry has on another stack to the `UserRegisters`; isolated, after the kernel's page tables
    /// were loaded.
    ///
    /// Jumped to by: the entries above. All registers but RSP are the user's.
    ///
    /// ```text
    /// that stack:     SS  RSP  RFLAGS  CS  RIP  error  vector  RAX
    ///                                                  RSP     pushed here
    /// UserRegisters:  .. vector  error  RIP  CS  RFLAGS  RSP  SS
    ///                    RSP at the end                          frame_top, or RSP0
    /// ```
    fn move_frame<const PASSES: bool, const ISOLATED: bool>();
    "push rax",
    ".if {isolated}; mov rax, [rip + {kernel_root}]; mov cr3, rax",
    "mov rax, rsp; mov rsp, [rip + {entries} + {frame_top}]",
    ".else; mov rax, rsp; mov rsp, [rip + {task} + {rsp0}]; .endif",
    // SS to RIP, error, vector.
    "push [rax + 56]", "push [rax + 48]", "push [rax + 40]", "push [rax + 32]", "push [rax + 24]",
    "push [rax + 16]", "push [rax + 8]",
    "mov rax, [rax]",
    "jmp {leave}",
    ; kept [frame_top] at []
    isolated = const ISOLATED as u32, kernel_root = sym KERNEL_ROOT, entries = sym ENTRIES, task = sym TASK,
    rsp0 = const RSP0, leave = sym leave_user::<PASSES, ISOLATED>,
}
