// SPDX-License-Identifier: MIT
//! From the first instruction to `main`, and what there is then.
//!
//! [`entry!`](crate::entry) defines `_start`. The kernel jumps there with RSP at the information page, the UTCB one
//! page below it, and the number of the processor in RDI; there is no stack.

use core::arch::asm;

use crate::hip::Hip;
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
                "xor ebp, ebp",
                "mov rsi, rsp",
                "lea rsp, [{stack} + {size}]",
                "call {enter}",
                "ud2",
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
