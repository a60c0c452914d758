// SPDX-License-Identifier: MIT
//! Core's own heap: a piece of memory that is set aside at the beginning and never grows.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use genode_rt::heap::{Heap, Source};
use genode_rt::lock::Lock;

/// What of the piece is not handed out yet.
static NEXT: AtomicU64 = AtomicU64::new(0);
static END: AtomicU64 = AtomicU64::new(0);
/// More than a heap takes at once when it has nothing left for something small.
const GROWTH: u64 = 128 << 10;
/// Who is at the heap: the main thread, while it starts init, or the worker.
static LOCK: Lock = Lock::new();

/// The piece.
struct Piece;

impl Source for Piece {
    fn lock(&self) {
        LOCK.lock();
    }

    fn unlock(&self) {
        LOCK.unlock();
    }

    fn grow(&self, size: u64) -> Option<u64> {
        let fits = |at: u64| at.checked_add(size).filter(|end| *end <= END.load(Ordering::Relaxed));
        NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()
    }
}

#[global_allocator]
static HEAP: Heap<Piece> = Heap::new(Piece);

/// Gives the heap its memory, for more than one thread.
pub fn begin(start: u64, end: u64) {
    NEXT.store(start, Ordering::Relaxed);
    END.store(end, Ordering::Relaxed);
    let shared = LOCK.share();
    assert_eq!(shared, Ok(()), "the heap's lock is made");
}

/// Whether so much can be taken. As long as some of the piece was never handed out, asking writes nothing.
pub fn has_room(size: usize) -> bool {
    let untouched = END.load(Ordering::Relaxed) - NEXT.load(Ordering::Relaxed);
    untouched >= GROWTH + size as u64 || Vec::<u8>::new().try_reserve_exact(size).is_ok()
}
