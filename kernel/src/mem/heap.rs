// SPDX-License-Identifier: MIT
//! The kernel heap: for files, areas and arguments. The PE path never allocates.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};

use linked_list_allocator::Heap;
use spin::Mutex;

use super::frame::{self, OutOfFrames};
use super::phys;

struct KernelHeap(Mutex<Heap>);

// SAFETY: `Heap` hands out disjoint blocks of the memory given to `init`, aligned
// as asked; the lock keeps calls apart.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.lock().allocate_first_fit(layout).map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if let Some(pointer) = NonNull::new(pointer) {
            // SAFETY: the caller gives back what `alloc` returned for this layout.
            unsafe { self.0.lock().deallocate(pointer, layout) };
        }
    }
}

#[global_allocator]
static HEAP: KernelHeap = KernelHeap(Mutex::new(Heap::empty()));

/// Gives the heap its memory, once.
pub fn init(length: u64) -> Result<(), OutOfFrames> {
    let start = frame::allocate_run(length / 4096)?;
    // SAFETY: the frames were just taken, lie side by side in the direct map, and
    // belong to the heap from now on.
    unsafe { HEAP.0.lock().init(phys::pointer(start.address()), (length / 4096 * 4096) as usize) };
    Ok(())
}
