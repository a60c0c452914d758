// SPDX-License-Identifier: MIT
//! The heap: memory in constant time, in pieces of whole pages that somebody gives.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};

use rlsf::Tlsf;

use nova_rt::PAGE;

/// Who gives the heap memory, and keeps others out meanwhile.
pub trait Source {
    /// Waits until nobody else is at the heap.
    fn lock(&self);
    /// Lets others to the heap.
    fn unlock(&self);
    /// The address of fresh memory of so many bytes, whole pages, that is nobody else's.
    fn grow(&self, size: u64) -> Option<u64>;
}

/// The bytes by which a heap grows at least.
const PIECE: u64 = 64 << 10;

/// A heap.
pub struct Heap<S> {
    source: S,
    free: UnsafeCell<Tlsf<'static, u32, u32, 26, 32>>,
}

// SAFETY: all access to the lists of what is free is between `lock` and `unlock` of the source.
unsafe impl<S: Source + Sync> Sync for Heap<S> {}

impl<S: Source> Heap<S> {
    /// A heap with nothing in it.
    #[must_use]
    pub const fn new(source: S) -> Self {
        Self { source, free: UnsafeCell::new(Tlsf::new()) }
    }

    /// Does something with the lists of what is free, while nobody else does.
    fn with<R>(&self, act: impl FnOnce(&mut Tlsf<'static, u32, u32, 26, 32>) -> R) -> R {
        self.source.lock();
        // SAFETY: nobody else has a reference between `lock` and `unlock`.
        let result = act(unsafe { &mut *self.free.get() });
        self.source.unlock();
        result
    }
}

// SAFETY: Tlsf gives each piece of memory to one user at a time, of the size and at the alignment that were asked for.
unsafe impl<S: Source> GlobalAlloc for Heap<S> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.with(|free| {
            if let Some(found) = free.allocate(layout) {
                return found.as_ptr();
            }
            // Room for the lists' own words, for the way to an aligned address, and for the next class of sizes: a
            // class is a 32nd wide.
            let (size, align) = (layout.size() as u64, layout.align() as u64);
            let wanted = size.saturating_add(size / 16).saturating_add(align).saturating_add(PAGE);
            let size = wanted.max(PIECE).next_multiple_of(PAGE);
            let Some(piece) = self.source.grow(size).and_then(|at| NonNull::new(at as *mut u8)) else {
                return ptr::null_mut();
            };
            let piece = NonNull::slice_from_raw_parts(piece, size as usize);
            // SAFETY: the source gives memory that is nobody else's, for ever.
            unsafe { free.insert_free_block_ptr(piece) };
            free.allocate(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
        })
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let Some(at) = NonNull::new(at) else { return };
        // SAFETY: the caller says that this memory came from `alloc`, with this layout.
        self.with(|free| unsafe { free.deallocate(at, layout.align()) });
    }
}
