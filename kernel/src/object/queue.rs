// SPDX-License-Identifier: MIT
//! Wait queues: who waits for what, first come first served.
//!
//! A queue is named by what is waited for and is there as long as somebody waits: to wait
//! takes no memory, so it cannot fail. Threads are linked within one of [`BUCKETS`] lists.

use alloc::vec::Vec;
use core::fmt;

use super::scheduler::ThreadId;
use super::table::Name as _;
use crate::mem::fallible::{self, Exhausted};

/// Lists that the queues are spread over.
const BUCKETS: usize = 64;

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A word of memory that is one space's own.
    Private {
        /// Whose.
        space: u64,
        /// Its address.
        address: u64,
    },
    /// A word of memory that several spaces have.
    Shared {
        /// The object that is mapped.
        object: u64,
        /// The place in it.
        offset: u64,
    },
    /// Something that the personality knows.
    Event {
        /// What.
        name: &'static str,
        /// Which one.
        number: u64,
    },
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private { address, .. } => write!(f, "the word at {address:#x}"),
            Self::Shared { object, offset } => write!(f, "the word at {offset:#x} of shared memory {object}"),
            Self::Event { name, number } => write!(f, "{name} {number}"),
        }
    }
}

impl Key {
    fn bucket(self) -> usize {
        let (a, b) = match self {
            Self::Private { space, address } => (space, address),
            Self::Shared { object, offset } => (object, offset),
            Self::Event { name, number } => (name.len() as u64, number),
        };
        // The multiplier is 2^64 by the golden ratio: neighbours come apart.
        let mixed = (a << 32 ^ b).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 58) as usize % BUCKETS
    }
}

/// A thread's place in a queue.
#[derive(Clone, Copy, Debug)]
struct Place {
    key: Key,
    /// Whoever wakes others names some of these bits.
    mask: u32,
    before: Option<ThreadId>,
    behind: Option<ThreadId>,
}

/// The ends of a list.
#[derive(Clone, Copy, Default)]
struct Ends {
    first: Option<ThreadId>,
    last: Option<ThreadId>,
}

/// All queues.
pub struct Queues {
    lists: [Ends; BUCKETS],
    /// The place of each thread that waits, by the thread's name.
    places: Vec<Option<Place>>,
}

impl Default for Queues {
    /// Queues in which nobody waits.
    fn default() -> Self {
        Self { lists: [Ends::default(); BUCKETS], places: Vec::new() }
    }
}

impl Queues {
    /// Makes room for so many threads.
    pub fn reserve(&mut self, threads: usize) -> Result<(), Exhausted> {
        if threads > self.places.len() {
            fallible::resize(&mut self.places, threads, || None)
        } else {
            Ok(())
        }
    }

    fn place(&mut self, thread: ThreadId) -> &mut Place {
        match &mut self.places[thread.place()] {
            Some(place) => place,
            None => panic!("{thread:?} stands in no queue"),
        }
    }

    /// What a thread waits for, if it stands in a queue.
    pub fn key(&self, thread: ThreadId) -> Option<Key> {
        self.places.get(thread.place())?.map(|place| place.key)
    }

    /// Puts a thread that stands in no queue at the end of one.
    pub fn enter(&mut self, thread: ThreadId, key: Key, mask: u32) {
        assert!(self.places[thread.place()].is_none(), "{thread:?} stands in a queue already");
        let list = &mut self.lists[key.bucket()];
        let before = list.last.replace(thread);
        match before {
            Some(before) => self.place(before).behind = Some(thread),
            None => list.first = Some(thread),
        }
        self.places[thread.place()] = Some(Place { key, mask, before, behind: None });
    }

    /// Takes a thread out of its queue; returns whether it stood in one.
    pub fn leave(&mut self, thread: ThreadId) -> bool {
        let Some(Place { key, before, behind, mask: _ }) = self.places[thread.place()].take() else {
            return false;
        };
        match before {
            Some(before) => self.place(before).behind = behind,
            None => self.lists[key.bucket()].first = behind,
        }
        match behind {
            Some(behind) => self.place(behind).before = before,
            None => self.lists[key.bucket()].last = before,
        }
        true
    }

    /// The first one of a queue that waits for one of the bits in `mask`.
    pub fn first(&self, key: Key, mask: u32) -> Option<ThreadId> {
        let mut next = self.lists[key.bucket()].first;
        while let Some(thread) = next {
            let place = self.places[thread.place()].as_ref()?;
            if place.key == key && place.mask & mask != 0 {
                return Some(thread);
            }
            next = place.behind;
        }
        None
    }

    /// Puts the first one of a queue at the end of another one; returns whether there was one.
    pub fn requeue_first(&mut self, from: Key, to: Key) -> bool {
        let Some(thread) = self.first(from, u32::MAX) else { return false };
        let mask = self.place(thread).mask;
        self.leave(thread);
        self.enter(thread, to, mask);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key = Key::Event { name: "pipe", number: 1 };
    const B: Key = Key::Private { space: 0, address: 0x1000 };

    fn thread(place: usize) -> ThreadId {
        ThreadId::at(place)
    }

    fn queues() -> Queues {
        let mut queues = Queues::default();
        queues.reserve(8).unwrap();
        queues
    }

    /// All that stand in a queue, in order.
    fn all(queues: &mut Queues, key: Key) -> Vec<usize> {
        let mut found = Vec::new();
        while let Some(first) = queues.first(key, u32::MAX) {
            queues.leave(first);
            found.push(first.place());
        }
        found
    }

    #[test]
    fn whoever_came_first_is_first_and_anybody_can_leave() {
        let mut queues = queues();
        for (place, key) in [(3, A), (0, B), (1, A), (2, A), (4, B)] {
            queues.enter(thread(place), key, 1);
        }
        assert_eq!(queues.key(thread(4)), Some(B));
        assert!(queues.leave(thread(1)) && !queues.leave(thread(1)));
        queues.enter(thread(1), A, 1);
        assert_eq!(all(&mut queues, A), [3, 2, 1]);
        assert_eq!(all(&mut queues, B), [0, 4]);
    }

    #[test]
    fn a_mask_passes_over_others() {
        let mut queues = queues();
        queues.enter(thread(0), A, 1);
        queues.enter(thread(1), A, 2);
        assert_eq!(queues.first(A, 2), Some(thread(1)));
        assert_eq!((queues.first(A, 3), queues.first(A, 4)), (Some(thread(0)), None));
    }

    #[test]
    fn whoever_is_put_elsewhere_comes_last_there() {
        let mut queues = queues();
        queues.enter(thread(0), A, 1);
        queues.enter(thread(1), B, 1);
        assert!(queues.requeue_first(A, B) && !queues.requeue_first(A, B));
        assert_eq!(all(&mut queues, B), [1, 0]);
    }

    #[test]
    fn many_queues_do_not_mix() {
        let mut queues = Queues::default();
        queues.reserve(1000).unwrap();
        let key = |place: usize| Key::Shared { object: 1, offset: place as u64 / 4 };
        for place in 0..1000 {
            queues.enter(thread(place), key(place), 1);
        }
        for first in (0..1000).step_by(4) {
            assert_eq!(all(&mut queues, key(first)), [first, first + 1, first + 2, first + 3]);
        }
    }
}
