// SPDX-License-Identifier: MIT
//! The heap of the tests: it ends where a test says so, for the thread of that test alone.
//!
//! As in the kernel, a block that grows is a new one; and what was given back a moment ago
//! can be had again, which `fallible::shared` relies on.

#![expect(unsafe_code, reason = "an allocator is made of nothing else")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Which allocations fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// None.
    Never,
    /// All from the one with this number on.
    From(u64),
    /// The one with this number alone.
    Only(u64),
}

#[derive(Clone, Copy)]
struct State {
    failing: Failing,
    /// Allocations since that was said.
    count: u64,
    /// Some have failed.
    failed: bool,
    /// Depth of [`outside`].
    outside: u32,
    /// What was given back last, if nothing was allocated since.
    returned: Option<Layout>,
    /// Bytes that are allocated, less those that another thread had allocated.
    live: i64,
}

thread_local! {
    static STATE: Cell<State> = const {
        Cell::new(State {
            failing: Failing::Never,
            count: 0,
            failed: false,
            outside: 0,
            returned: None,
            live: 0,
        })
    };
}

fn change<R>(change: impl FnOnce(&mut State) -> R) -> R {
    STATE.with(|cell| {
        let mut state = cell.get();
        let result = change(&mut state);
        cell.set(state);
        result
    })
}

impl State {
    fn admits(&mut self, layout: Layout) -> bool {
        let returned = self.returned.take() == Some(layout);
        if self.outside > 0 || self.failing == Failing::Never || returned {
            return true;
        }
        let number = self.count;
        self.count += 1;
        let fails = match self.failing {
            Failing::Never => false,
            Failing::From(first) => number >= first,
            Failing::Only(one) => number == one,
        };
        self.failed |= fails;
        !fails
    }
}

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: all blocks are the system allocator's, for the layouts that are asked for.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !change(|state| state.admits(layout)) {
            return std::ptr::null_mut();
        }
        change(|state| state.live += layout.size() as i64);
        // SAFETY: the caller's word holds for the system allocator as well.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        change(|state| {
            state.returned = Some(layout);
            state.live -= layout.size() as i64;
        });
        // SAFETY: the block comes from `alloc` above, for this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Says which of this thread's allocations fail from now on.
pub fn fail(failing: Failing) {
    change(|state| (state.failing, state.count, state.failed) = (failing, 0, false));
}

/// Lets allocations succeed again; returns whether one has failed.
pub fn recover() -> bool {
    let failed = change(|state| state.failed);
    fail(Failing::Never);
    failed
}

/// Does what the kernel needs no heap for, and a stand-in does.
pub fn outside<R>(work: impl FnOnce() -> R) -> R {
    change(|state| state.outside += 1);
    let result = work();
    change(|state| state.outside -= 1);
    result
}

/// Does what does not count: what it allocates and does not give back is not missed.
pub fn quiet<R>(work: impl FnOnce() -> R) -> R {
    let before = live();
    let result = outside(work);
    change(|state| state.live = before);
    result
}

/// Bytes that this thread has allocated and not given back.
pub fn live() -> i64 {
    change(|state| state.live)
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use rlsf::Tlsf;

    use super::*;

    /// What `fallible::shared` and `fallible::boxed` rely on, of the kernel's own heap.
    #[test]
    fn what_the_heap_has_just_taken_back_it_gives_again() {
        let mut heap: Tlsf<'static, u32, u32, 26, 32> = Tlsf::new();
        heap.insert_free_block(Box::leak(Box::new([MaybeUninit::uninit(); 1 << 16])));
        let (mut noise, mut blocks, mut refused) = (1_u64, Vec::new(), 0);
        for _ in 0..20_000 {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            let layout = Layout::from_size_align(1 + (noise >> 8) as usize % 600, 1 << (noise % 7)).unwrap();
            match heap.allocate(layout) {
                Some(tried) => {
                    // SAFETY: the block was just given for this layout.
                    unsafe { heap.deallocate(tried, layout.align()) };
                    assert_eq!(heap.allocate(layout), Some(tried), "{layout:?}");
                    blocks.push((tried, layout));
                }
                None => {
                    refused += 1;
                    for _ in 0..noise % 40 {
                        let (block, layout) = blocks.swap_remove(noise as usize % blocks.len());
                        // SAFETY: it was given for this layout, and is taken out of the list.
                        unsafe { heap.deallocate(block, layout.align()) };
                    }
                }
            }
        }
        assert!(refused > 100, "{refused}");
    }
}
