// SPDX-License-Identifier: MIT
//! Segments, the task state, and the kernel's stacks.
//!
//! The selectors are those of Linux, because programs can read them. There is
//! no 32-bit code descriptor and no LDT, so user code cannot leave 64-bit mode.

use core::cell::UnsafeCell;
use core::mem::offset_of;

use x86_64::VirtAddr;
use x86_64::instructions::tables::{lgdt, load_tss};
use x86_64::registers::segmentation::{CS, SS, Segment};
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::SegmentSelector;
use x86_64::structures::tss::TaskStateSegment;

/// Kernel code.
pub const KERNEL_CS: u16 = 0x10;
/// Kernel stack.
pub const KERNEL_SS: u16 = 0x18;
/// User data and stack.
pub const USER_SS: u16 = 0x2b;
/// User code.
pub const USER_CS: u16 = 0x33;
const TSS: u16 = 0x40;

/// Length of the kernel's stack, in bytes.
pub const KERNEL_STACK_LEN: usize = 512 * 1024;
const FAULT_STACK_LEN: usize = 16 * 1024;
const GUARD_LEN: usize = 4096;

/// Interrupt stack table slots (index + 1 in gate descriptors).
#[derive(Clone, Copy)]
pub enum Ist {
    Nmi,
    Debug,
    DoubleFault,
    MachineCheck,
}

/// A stack with an unmapped page below it: an overflow ends in a double fault.
#[repr(C, align(4096))]
pub struct Stack<const LEN: usize> {
    guard: [u8; GUARD_LEN],
    body: UnsafeCell<[u8; LEN]>,
}

// SAFETY: only the one processor uses its stacks, and never through this type.
unsafe impl<const LEN: usize> Sync for Stack<LEN> {}

impl<const LEN: usize> Stack<LEN> {
    const fn new() -> Self {
        Self { guard: [0; GUARD_LEN], body: UnsafeCell::new([0; LEN]) }
    }

    fn guard(&self) -> u64 {
        self.guard.as_ptr() as u64
    }
}

/// The stack that boot code and kernel run on. The boot code takes its end as
/// `KERNEL_STACK + KERNEL_STACK_LEN`, which leaves the guard's length unused.
pub static KERNEL_STACK: Stack<KERNEL_STACK_LEN> = Stack::new();
/// The stack on which the kernel reports its own faults, whatever stack had been in use.
pub static FAULT_STACK: Stack<FAULT_STACK_LEN> = Stack::new();
/// The end of [`FAULT_STACK`], from its start.
pub const FAULT_STACK_END: usize = GUARD_LEN + FAULT_STACK_LEN;

/// The pages below the stacks, which must not be mapped.
pub fn guards() -> impl Iterator<Item = u64> {
    [KERNEL_STACK.guard(), FAULT_STACK.guard()].into_iter()
}

/// Words of a stack that only entry code uses. It needs ten.
const ENTRY_STACK_WORDS: usize = 64;

/// Where the processor pushes before any code of the kernel runs: the only page that user page tables
/// of an isolated kernel have writable.
#[repr(C, align(4096))]
pub struct EntryStacks {
    /// The user's stack pointer at a system call.
    pub user_rsp: u64,
    unused: [u64; 191],
    /// The one for all that has no stack of its own; then by [`Ist`].
    stacks: [[u64; ENTRY_STACK_WORDS]; 5],
}

const _: () = assert!(size_of::<EntryStacks>() == 4096);

/// The end of the first entry stack, from the start of them all.
pub const ENTRY_STACK_END: usize = offset_of!(EntryStacks, stacks) + ENTRY_STACK_WORDS * 8;

/// [`EntryStacks`] that the processor writes.
#[repr(transparent)]
pub struct Entered(UnsafeCell<EntryStacks>);

// SAFETY: only the processor and the entry code use it, and `clear_entry_stacks` when user mode is not running.
unsafe impl Sync for Entered {}

/// The processor's entry stacks.
#[unsafe(link_section = ".data.entry.stacks")]
pub static ENTRY_STACKS: Entered = Entered(UnsafeCell::new(EntryStacks {
    user_rsp: 0,
    unused: [0; 191],
    stacks: [[0; ENTRY_STACK_WORDS]; 5],
}));

/// The end of an entry stack.
fn entry_stack_end(index: usize) -> VirtAddr {
    VirtAddr::new((ENTRY_STACKS.0.get() as usize + ENTRY_STACK_END + index * ENTRY_STACK_WORDS * 8) as u64)
}

/// Has the processor push on the first entry stack when it comes from user mode.
pub fn use_entry_stack() {
    // SAFETY: user mode is not running, so the processor does not look at it meanwhile.
    unsafe { (*TASK.0.get()).privilege_stack_table[0] = entry_stack_end(0) };
}

/// Clears what was pushed before, or written by a program where an emulator lets it.
pub fn clear_entry_stacks() {
    // SAFETY: nothing is on these stacks when the kernel runs on its own.
    unsafe { ENTRY_STACKS.0.get().write_bytes(0, 1) };
}

/// The task state segment. The entry code changes RSP0 at every user entry, unless the kernel is isolated.
#[repr(transparent)]
pub struct Task(pub UnsafeCell<TaskStateSegment>);

// SAFETY: written by `init` before anything else can look, and by the entry code
// with interrupts off, on the one processor.
unsafe impl Sync for Task {}

/// The processor's task state.
#[unsafe(link_section = ".data.entry.tables")]
pub static TASK: Task = Task(UnsafeCell::new(TaskStateSegment::new()));

struct Gdt(UnsafeCell<[u64; 10]>);

// SAFETY: written by `init` only, before it is loaded.
unsafe impl Sync for Gdt {}

/// All descriptors are accessed from the start: where user page tables map this, it cannot be written.
#[unsafe(link_section = ".data.entry.tables")]
static GDT: Gdt = Gdt(UnsafeCell::new([
    0,
    0,
    0x00af_9b00_0000_ffff, // 10h: kernel code, 64 bit
    0x00cf_9300_0000_ffff, // 18h: kernel data
    0,                     // 20h: where Linux has 32-bit user code
    0x00cf_f300_0000_ffff, // 28h: user data
    0x00af_fb00_0000_ffff, // 30h: user code, 64 bit
    0,
    0, // 40h: the task state, two entries
    0,
]));

/// Whether a user process may have `selector` in DS, ES, FS or GS: a null
/// selector, user data or user code, with any requested privilege level.
#[inline]
pub fn user_loadable(selector: u16) -> bool {
    matches!(selector & !3, 0 | 0x28 | 0x30)
}

/// Loads the kernel's own tables.
pub fn init() {
    let address = TASK.0.get() as u64;
    let limit = size_of::<TaskStateSegment>() as u64 - 1;
    // SAFETY: this runs once, before interrupts or user mode can look at the tables.
    unsafe {
        (*TASK.0.get()).interrupt_stack_table =
            core::array::from_fn(|slot| if slot < 4 { entry_stack_end(slot + 1) } else { VirtAddr::zero() });
        let gdt = &mut *GDT.0.get();
        // A present 64-bit TSS (Intel SDM vol. 3A, 8.2.3).
        gdt[8] = limit | (address & 0xff_ffff) << 16 | 0x89 << 40 | (address >> 24 & 0xff) << 56;
        gdt[9] = address >> 32;
        lgdt(&DescriptorTablePointer {
            limit: size_of_val(gdt) as u16 - 1,
            base: VirtAddr::new(gdt.as_ptr() as u64),
        });
        CS::set_reg(SegmentSelector(KERNEL_CS));
        SS::set_reg(SegmentSelector(KERNEL_SS));
        load_tss(SegmentSelector(TSS));
        // After reset the LDT is not a null one but 64 KiB at linear address 0, where
        // user pages can be: a call gate there would lead to ring 0.
        core::arch::asm!("lldt {0:x}", in(reg) 0u32, options(nomem, nostack, preserves_flags));
    }
}
