// SPDX-License-Identifier: MIT
//! From the first instruction to `main`, and what there is then.
//!
//! [`entry!`](crate::entry) defines `_start`. The kernel jumps there with RSP at the information page, the UTCB one
//! page below it, and the number of the processor in RDI; there is no stack.

use core::arch::asm;
use core::cell::UnsafeCell;

use crate::hip::Hip;
use crate::trial::Everything;
use crate::utcb::Utcb;
use crate::{PAGE, hypercall, supply};

/// The bytes of the main thread's stack.
const STACK: usize = 64 << 10;

/// The main thread's stack; [`entry!`](crate::entry) alone uses it, by its address.
#[repr(C, align(4096))]
pub struct Stack([u8; STACK]);

impl Stack {
    /// A stack.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; STACK])
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

/// The text of the image's module, a page of its own that only the module's frame leads to.
pub const MODULE: [u8; 32] = *b"the module of an image of ours.\n";

/// The module, in the segment of modules.
#[used]
#[unsafe(link_section = ".modules")]
static IN_IMAGE: [u8; 32] = MODULE;

unsafe extern "C" {
    static __image_start: u8;
    static __data_start: u8;
    static __modules_start: u8;
}

/// The addresses of the image's text, its data, and its module.
#[must_use]
pub fn image() -> (u64, u64, u64) {
    (&raw const __image_start as u64, &raw const __data_start as u64, &raw const __modules_start as u64)
}

/// The registers at the first instruction.
#[repr(transparent)]
pub struct First(UnsafeCell<Everything>);

// SAFETY: `_start` alone writes the registers, before there is any other code.
unsafe impl Sync for First {}

/// The registers at the first instruction, RSP left out.
pub static FIRST: First = First(UnsafeCell::new(Everything { general: [0; 15], flags: 0 }));

/// The registers at the first instruction.
#[must_use]
pub fn first() -> Everything {
    // SAFETY: `_start` wrote them before any other code ran.
    unsafe { *FIRST.0.get() }
}

/// What a root task has at its start.
#[derive(Clone, Copy, Debug)]
pub struct Root {
    /// The information page.
    pub hip: Hip,
    /// The main thread's UTCB.
    pub utcb: Utcb,
    /// The processor's number.
    pub cpu: u64,
    /// The selector of the root task's domain.
    pub pd: u64,
    /// The selector of the main thread's execution context.
    pub ec: u64,
    /// The selector of its scheduling context.
    pub sc: u64,
}

impl Root {
    /// What the registers of the first instruction stand for.
    #[must_use]
    pub fn new(hip: Hip, cpu: u64) -> Self {
        let pd = hip.root_selector();
        Self { hip, utcb: Utcb::at(hip.address() - PAGE), cpu, pd, ec: pd + 1, sc: pd + 2 }
    }
}

/// Makes `fn main(Root)` the root task; when it returns, the root task waits for ever.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(no_mangle)]
        static mut ROOT_STACK: $crate::start::Stack = $crate::start::Stack::new();

        /// Jumped to by the kernel with RSP at the information page and the processor in RDI.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        extern "C" fn _start() -> ! {
            core::arch::naked_asm!(
                "mov [{first}], rax", "mov [{first} + 8], rbx", "mov [{first} + 16], rcx", "mov [{first} + 24], rdx",
                "mov [{first} + 32], rsi", "mov [{first} + 40], rdi", "mov [{first} + 48], rbp",
                "mov [{first} + 56], r8", "mov [{first} + 64], r9", "mov [{first} + 72], r10",
                "mov [{first} + 80], r11", "mov [{first} + 88], r12", "mov [{first} + 96], r13",
                "mov [{first} + 104], r14", "mov [{first} + 112], r15",
                "mov rsi, rsp",
                "lea rsp, [{stack} + {size}]",
                "pushfq",
                "pop [{first} + 120]",
                "xor ebp, ebp",
                "call {enter}",
                "ud2",
                first = sym $crate::start::FIRST,
                stack = sym ROOT_STACK,
                size = const size_of::<$crate::start::Stack>(),
                enter = sym entered,
            )
        }

        extern "C" fn entered(cpu: u64, hip: u64) -> ! {
            let root = $crate::start::Root::new($crate::hip::Hip::at(hip), cpu);
            $crate::console::open(root);
            $main(root);
            $crate::start::rest(root)
        }
    };
}

/// Waits for ever, so that nothing is ready any more.
pub fn rest(root: Root) -> ! {
    let never = supply::selector();
    let _ = hypercall::create_sm(never, root.pd, 0);
    loop {
        let _ = hypercall::down(never, 0);
    }
}

/// Ends the thread by an exception that nobody handles.
pub fn die() -> ! {
    loop {
        // SAFETY: UD2 raises an exception.
        unsafe { asm!("ud2", options(nomem, nostack)) };
    }
}
