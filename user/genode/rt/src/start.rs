// SPDX-License-Identifier: MIT
//! From the first instruction of a component to its `main`.
//!
//! The creator has the first thread begin at the executable's entry, on a stack. The executable lies elsewhere than
//! where it was linked to, and what in it are addresses has to be moved by as much, before any other code runs.

use core::arch::{asm, naked_asm};

use nova_rt::PAGE;

use crate::Env;
use crate::heap::{Heap, Source};
use crate::lock::Lock;
use crate::services::{ANYWHERE, access};

/// Kind of a relocation: the word is an address in the executable.
const R_X86_64_RELATIVE: u32 = 8;
/// Tags of the dynamic section: where the relocations are, and how many bytes they have.
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
/// Length of a relocation: place, kind, value.
const RELA_LEN: usize = 24;

unsafe extern "Rust" {
    /// The component's own part, which [`component!`](crate::component) defines.
    fn component_main(env: Env);
}

/// Makes a function of the environment a component's main thread; when it returns, the component goes on to serve.
#[macro_export]
macro_rules! component {
    ($main:path) => {
        #[unsafe(no_mangle)]
        fn component_main(env: $crate::Env) {
            $main(env)
        }
    };
}

/// Moves all addresses to where the executable lies, and enters Rust.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!(
        ".weak _DYNAMIC",
        ".hidden _DYNAMIC",
        ".hidden __ehdr_start",
        "xor ebp, ebp",
        "lea rdi, [rip + __ehdr_start]",
        "lea rsi, [rip + _DYNAMIC]",
        "xor edx, edx",
        "xor ecx, ecx",
        // The dynamic section: pairs of a tag and a value, up to a tag of 0.
        "2: mov rax, [rsi]",
        "mov r8, [rsi + 8]",
        "add rsi, 16",
        "cmp rax, {rela}",
        "cmove rdx, r8",
        "cmp rax, {size}",
        "cmove rcx, r8",
        "test rax, rax",
        "jnz 2b",
        "add rdx, rdi",
        "add rcx, rdx",
        "3: cmp rdx, rcx",
        "jae 5f",
        "cmp dword ptr [rdx + 8], {relative}",
        "jne 4f",
        "mov rax, [rdx]",
        "mov r8, [rdx + 16]",
        "add r8, rdi",
        "mov [rdi + rax], r8",
        "4: add rdx, {length}",
        "jmp 3b",
        "5: call {begin}",
        "ud2",
        rela = const DT_RELA,
        size = const DT_RELASZ,
        relative = const R_X86_64_RELATIVE,
        length = const RELA_LEN,
        begin = sym begin,
    )
}

extern "C" fn begin() -> ! {
    let Ok(env) = Env::begin() else { die() };
    // SAFETY: `component!` defines this function with this type.
    unsafe { component_main(env) };
    crate::stop()
}

/// Ends the thread by an exception that nobody handles.
pub fn die() -> ! {
    loop {
        // SAFETY: UD2 raises an exception.
        unsafe { asm!("ud2", options(nomem, nostack)) };
    }
}

/// Memory of the component's own domain, for its heap.
struct Own;

/// Who is at the heap.
static LOCK: Lock = Lock::new();

/// Makes the heap ready for more than one thread.
pub(crate) fn share() -> crate::Result<()> {
    LOCK.share()
}

impl Source for Own {
    fn lock(&self) {
        LOCK.lock();
    }

    fn unlock(&self) {
        LOCK.unlock();
    }

    fn grow(&self, size: u64) -> Option<u64> {
        let env = Env::get();
        let memory = env.alloc_ds(size.next_multiple_of(PAGE)).ok()?;
        env.pd.attach(memory, 0, 0, ANYWHERE, access::WRITE).ok()
    }
}

#[global_allocator]
static HEAP: Heap<Own> = Heap::new(Own);
