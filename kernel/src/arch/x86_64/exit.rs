// SPDX-License-Identifier: MIT
//! The ways back from user mode by exceptions and interrupts, and the end of exceptions in the kernel.

use core::arch::naked_asm;
use core::mem::offset_of;

use super::apic::END_OF_INTERRUPT;
use super::entry::{ENTRIES, EntryState, KERNEL_ROOT, RSP0, displacement, leave_user, syscall_entry};
use super::interrupt;
use super::segment::{FAULT_STACK, FAULT_STACK_END, TASK};

/// The local APIC's register that ends an interrupt, as a displacement.
const EOI: i32 = displacement(END_OF_INTERRUPT);

/// An exception whose vector has no error code, or an interrupt.
///
/// From user mode RSP is in the `UserRegisters`, or isolated on the entry stack; from the kernel it
/// is on the stack that the kernel had, and this is the end.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn plain_entry<const VECTOR: u64, const ISOLATED: bool>() {
    naked_asm!(
        "push 0",
        "push {vector}",
        "test byte ptr [rsp + 24], 3",
        ".if {isolated}",
        "jnz {move}",
        ".else",
        "jnz {leave}",
        ".endif",
        "jmp {fault}",
        vector = const VECTOR, isolated = const ISOLATED as u32, move = sym move_frame::<ISOLATED>,
        leave = sym leave_user, fault = sym fault::<ISOLATED>,
    )
}

/// An exception with an error code; otherwise like [`plain_entry`], and as long,
/// so that all exceptions have one bias.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn error_entry<const VECTOR: u64, const ISOLATED: bool>() {
    naked_asm!(
        "nop",
        "push {vector}",
        "test byte ptr [rsp + 24], 3",
        ".if {isolated}",
        "jnz {move}",
        ".else",
        "jnz {leave}",
        ".endif",
        "jmp {fault}",
        vector = const VECTOR, isolated = const ISOLATED as u32, move = sym move_frame::<ISOLATED>,
        leave = sym leave_user, fault = sym fault::<ISOLATED>,
    )
}

/// The counter's interrupt. From user mode it ends the stretch; in the kernel
/// it can only come inside [`drain`], and is counted.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn counter_entry<const ISOLATED: bool>() {
    naked_asm!(
        "push 0",
        "push {vector}",
        "test byte ptr [rsp + 24], 3",
        ".if {isolated}",
        "jnz {move}",
        ".else",
        "jnz {leave}",
        ".endif",
        "mov dword ptr ds:[{eoi}], 0",
        "inc qword ptr [rip + {entries} + {drained}]",
        "add rsp, 16",
        "iretq",
        vector = const super::apic::COUNTER_VECTOR, isolated = const ISOLATED as u32,
        move = sym move_frame::<ISOLATED>, leave = sym leave_user, eoi = const EOI, entries = sym ENTRIES,
        drained = const offset_of!(EntryState, drained),
    )
}

/// Takes a pending counter interrupt and drops it.
///
/// # Safety
/// Only with nothing but the counter able to interrupt.
#[unsafe(naked)]
pub unsafe extern "C" fn drain() {
    naked_asm!("sti", "nop", "nop", "cli", "ret")
}

/// The non-maskable interrupt, on a stack of its own. From user mode it ends the
/// stretch; in the kernel it is counted: the watchdog ran down in a long call. There, isolated, the
/// user's page tables may be loaded already, or still; of the kernel's registers RIP, RSP and RFLAGS stay on
/// the stack.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn nmi_entry<const ISOLATED: bool>() {
    naked_asm!(
        "test byte ptr [rsp + 8], 3",
        "jz 2f",
        "push 0",
        "push 2",
        "jmp {move}",
        "2:",
        ".if {isolated}",
        "push rax",
        "mov rax, cr3",
        "push rax",
        "mov rax, [rip + {kernel_root}]",
        "mov cr3, rax",
        "inc qword ptr [rip + {entries} + {nmis}]",
        "pop rax",
        "mov cr3, rax",
        "pop rax",
        "mov qword ptr [rsp - 8], 0",
        "mov qword ptr [rsp - 16], 0",
        ".else",
        "inc qword ptr [rip + {entries} + {nmis}]",
        ".endif",
        "iretq",
        isolated = const ISOLATED as u32, kernel_root = sym KERNEL_ROOT, entries = sym ENTRIES,
        nmis = const offset_of!(EntryState, kernel_nmis), move = sym move_frame::<ISOLATED>,
    )
}

/// #DB, on a stack of its own. In the kernel it is harmless on the first
/// instruction of [`syscall_entry`] (the user had TF set, FMASK has cleared it);
/// anywhere else it is the end.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn debug_entry<const ISOLATED: bool>() {
    naked_asm!(
        "test byte ptr [rsp + 8], 3",
        "jnz 2f",
        "push rax",
        "lea rax, [rip + {syscall}]",
        "cmp [rsp + 8], rax",
        "pop rax",
        "jne 3f",
        "iretq",
        "2:",
        "push 0",
        "push 1",
        "jmp {move}",
        "3:",
        "push 0",
        "push 1",
        "jmp {fault}",
        syscall = sym syscall_entry::<ISOLATED>, fault = sym fault::<ISOLATED>,
        move = sym move_frame::<ISOLATED>,
    )
}

/// #MC, on a stack of its own. Otherwise like [`plain_entry`].
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn machine_check_entry<const ISOLATED: bool>() {
    naked_asm!(
        "push 0",
        "push 18",
        "test byte ptr [rsp + 24], 3",
        "jnz {move}",
        "jmp {fault}",
        fault = sym fault::<ISOLATED>, move = sym move_frame::<ISOLATED>,
    )
}

/// #DF, on a stack of its own: always the end, whoever caused it.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn double_fault_entry<const ISOLATED: bool>() {
    naked_asm!("push 8", "jmp {fault}", fault = sym fault::<ISOLATED>)
}

/// An exception in the kernel, reported on a stack of its own. Stack: vector, error, then the frame.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn fault<const ISOLATED: bool>() {
    naked_asm!(
        ".if {isolated}",
        "mov rax, [rip + {kernel_root}]",
        "mov cr3, rax",
        ".endif",
        "mov rdi, rsp",
        "lea rsp, [rip + {stack} + {end}]",
        "call {report}",
        "ud2",
        stack = sym FAULT_STACK, end = const FAULT_STACK_END, isolated = const ISOLATED as u32,
        kernel_root = sym KERNEL_ROOT, report = sym interrupt::kernel_fault,
    )
}

/// Moves what an entry has on another stack to the `UserRegisters`; isolated, after the kernel's page tables
/// were loaded.
///
/// Jumped to by: the entries above. All registers but RSP are the user's.
///
/// ```text
/// that stack:  SS  RSP  RFLAGS  CS  RIP  error  vector  RAX
///                                               RSP     pushed here
/// ```
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn move_frame<const ISOLATED: bool>() {
    naked_asm!(
        "push rax",
        ".if {isolated}",
        "mov rax, [rip + {kernel_root}]",
        "mov cr3, rax",
        "mov rax, rsp",
        "mov rsp, [rip + {entries} + {to}]",
        ".else",
        "mov rax, rsp",
        "mov rsp, [rip + {task} + {rsp0}]",
        ".endif",
        "push [rax + 56]", // SS
        "push [rax + 48]", // RSP
        "push [rax + 40]", // RFLAGS
        "push [rax + 32]", // CS
        "push [rax + 24]", // RIP
        "push [rax + 16]", // error
        "push [rax + 8]",  // vector
        "mov rax, [rax]",
        "jmp {leave}",
        isolated = const ISOLATED as u32, kernel_root = sym KERNEL_ROOT, entries = sym ENTRIES,
        to = const offset_of!(EntryState, frame_top), task = sym TASK, rsp0 = const RSP0, leave = sym leave_user,
    )
}
