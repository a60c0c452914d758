// SPDX-License-Identifier: MIT
//! The kernel heap: for files, areas and arguments. The PE path never allocates.
//!
//! To take a block and to give one back takes constant time, however many blocks there
//! are and however many holes between them: a program decides about both.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};

use rlsf::Tlsf;
use spin::Mutex;

use super::frame::{self, OutOfFrames};

/// The heap sorts its blocks by size: 26 powers of two, the largest 2 GiB, each in 32 steps.
type Heap = Tlsf<'static, u32, u32, 26, 32>;

struct KernelHeap(Mutex<Counted>);

/// A heap, and how much of it is handed out.
struct Counted {
    heap: Heap,
    used: usize,
    /// How long the memory is that it was given.
    length: u64,
}

// SAFETY: `Heap` hands out disjoint blocks of the memory given to `init`, aligned
// as asked; the lock keeps calls apart.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Counted { heap, used, .. } = &mut *self.0.lock();
        let Some(block) = heap.allocate(layout) else { return null_mut() };
        *used += layout.size();
        block.as_ptr()
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if let Some(pointer) = NonNull::new(pointer) {
            let Counted { heap, used, .. } = &mut *self.0.lock();
            *used -= layout.size();
            // SAFETY: the caller gives back what `alloc` returned for this layout.
            unsafe { heap.deallocate(pointer, layout.align()) };
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, length: usize) -> *mut u8 {
        let new = Layout::from_size_align(length, layout.align());
        let (Some(pointer), Ok(new)) = (NonNull::new(pointer), new) else { return null_mut() };
        let Counted { heap, used, .. } = &mut *self.0.lock();
        // SAFETY: the caller has `pointer` from `alloc`, for a layout of this alignment.
        let Some(block) = (unsafe { heap.reallocate(pointer, new) }) else { return null_mut() };
        *used = *used - layout.size() + new.size();
        block.as_ptr()
    }
}

#[global_allocator]
static HEAP: KernelHeap = KernelHeap(Mutex::new(Counted { heap: Heap::new(), used: 0, length: 0 }));

/// Bytes that are handed out, as they were asked for.
pub fn used() -> usize {
    HEAP.0.lock().used
}

/// Bytes that are not handed out; what the heap itself needs is among them.
pub fn free() -> u64 {
    let heap = HEAP.0.lock();
    heap.length - heap.used as u64
}

/// Gives the heap its memory, once.
pub fn init(length: u64) -> Result<(), OutOfFrames> {
    let memory = NonNull::from(frame::allocate_run(length / 4096)?.into_memory());
    let memory = NonNull::slice_from_raw_parts(memory.cast(), memory.len());
    // SAFETY: the memory was handed out for good, and belongs to the heap from now on.
    unsafe { HEAP.0.lock().heap.insert_free_block_ptr(memory) };
    HEAP.0.lock().length = memory.len() as u64;
    Ok(())
}
