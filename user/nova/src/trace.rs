// SPDX-License-Identifier: MIT
//! Marks that threads leave, in the order in which they come by, and words that they hand to the main thread.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The number of marks there is room for.
const ROOM: usize = 16;

static MARKS: [AtomicU64; ROOM] = [const { AtomicU64::new(0) }; ROOM];
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Words that handlers and threads hand over, by index.
static WORDS: [AtomicU64; ROOM] = [const { AtomicU64::new(0) }; ROOM];

/// Leaves a mark.
pub fn mark(value: u64) {
    let place = COUNT.fetch_add(1, Ordering::Relaxed);
    if let Some(slot) = MARKS.get(place) {
        slot.store(value, Ordering::Relaxed);
    }
}

/// Takes the marks so far: how many there are, and what they are.
pub fn take() -> (usize, [u64; ROOM]) {
    let count = COUNT.swap(0, Ordering::Relaxed);
    (count, core::array::from_fn(|index| MARKS[index].swap(0, Ordering::Relaxed)))
}

/// Whether exactly these marks were left since they were last taken.
#[must_use]
pub fn took(marks: &[u64]) -> bool {
    let (count, all) = take();
    all.get(..count) == Some(marks)
}

/// Hands a word over.
pub fn hand(index: usize, value: u64) {
    WORDS[index].store(value, Ordering::Relaxed);
}

/// The word that was handed over.
#[must_use]
pub fn handed(index: usize) -> u64 {
    WORDS[index].load(Ordering::Relaxed)
}

/// Adds to the word that was handed over.
pub fn add(index: usize, value: u64) {
    WORDS[index].fetch_add(value, Ordering::Relaxed);
}
