// SPDX-License-Identifier: MIT
//! What programs may take of the kernel's memory, and which budget covers what.
//!
//! The kernel heap is a quarter of the memory that is free at boot; `memory` below is what
//! a program is promised, half of the machine's, about twice the heap. The kernel itself needs nothing of
//! the heap while programs run: it can run out, and then the call that asked for more
//! fails, or the process ends whose next page cannot be noted down.
//!
//! | what grows | limit | at the limit |
//! | --- | --- | --- |
//! | bytes of files, tables of their chunks, inodes, entries of directories, names, targets of links | one [budget](Budget) of `memory` / [`FILES_SHARE`] bytes for all of them; 2^20 inodes | ENOSPC |
//! | pages of files that are mapped shared, and the list of them | free frames; 16 bytes of heap a frame | ENOSPC, ENOMEM, or the end of the process |
//! | pipes | `memory` / [`PIPES_SHARE`] bytes, and 1,024 pipes; a pair of sockets is two | ENFILE |
//! | what open files below `/proc` say | `memory` / [`TEXTS_SHARE`] bytes | ENOMEM |
//! | processes, ended ones included | 64 | EAGAIN |
//! | threads of all processes | 1,024, some four KiB each | EAGAIN |
//! | counts of `eventfd` | 4,096 | ENFILE |
//! | `epoll`s, and what each looks at | 1,024, and as many entries as there are descriptions and numbers for them | ENFILE, ENOMEM |
//! | alarms: real timers, those of `timer_create`, `timerfd`s | 1,024 | EAGAIN |
//! | descriptors and open descriptions | 1,024 a process (RLIMIT_NOFILE) | EMFILE |
//! | areas of a process, and the shared objects that they are of | 65,530 | ENOMEM |
//! | runs of resident pages of a process | 2^18 | ENOMEM, or the end of the process |
//! | pages of shared frames that a process has mapped | 2^18 | the end of the process |
//! | page tables | free frames | ENOMEM, or the end of the process |
//! | arguments and environment | 2 MiB, 128 KiB a string, for the time of the call | E2BIG |
//! | locked ranges of files | 4,096 for all processes | ENOLCK |
//! | ranges of memory that children do not get | 1,024 a process and advice | ENOMEM |
//! | buffers of a call that waits | 1,024 a thread | ENOMEM |
//! | pending signals, waiters in futexes, what a vfork waits for | a field of the process or thread | none |
//!
//! What is limited by process can be had 64 times, which may be more than there is: where
//! the heap ends first, the outcome is that of the limit.

use alloc::vec::Vec;

use crate::mem::fallible::{self, Exhausted};

/// Of the memory that a program is promised, files may take up one part in this many.
pub const FILES_SHARE: u64 = 5;
/// Of the memory that a program is promised, pipes may take up one part in this many.
pub const PIPES_SHARE: u64 = 11;
/// Of the memory that a program is promised, what open files below `/proc` say may take up one part in this many.
pub const TEXTS_SHARE: u64 = 16;
/// Elements that a list has room for at first.
const FIRST_ROOM: usize = 4;

/// Bytes of the heap that programs may still take for one purpose.
#[derive(Debug)]
pub struct Budget {
    left: u64,
}

/// Blocks of the heap are of so many bytes or a multiple of them.
const GRAIN: usize = 4 * size_of::<usize>();
/// What each block begins with.
const HEADER: usize = GRAIN / 2;

/// What a block of the heap takes for `length` bytes.
pub const fn block_len(length: usize) -> u64 {
    if length == 0 { 0 } else { (length + HEADER).next_multiple_of(GRAIN) as u64 }
}

/// What the elements of a list take.
pub fn list_len<T>(list: &Vec<T>) -> u64 {
    block_len(list.capacity() * size_of::<T>())
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(left: u64) -> Self {
        Self { left }
    }

    /// Bytes that are left.
    #[cfg(test)]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Takes bytes away, if there are so many.
    pub fn charge(&mut self, length: u64) -> Result<(), Exhausted> {
        self.left = self.left.checked_sub(length).ok_or(Exhausted)?;
        Ok(())
    }

    /// Puts bytes back.
    pub fn refund(&mut self, length: u64) {
        self.left = self.left.saturating_add(length);
    }

    /// Makes room for one more element in a list that this budget pays for; returns what
    /// that has cost. A list doubles, or grows by a little where the budget is short.
    pub fn reserve_one<T>(&mut self, list: &mut Vec<T>) -> Result<u64, Exhausted> {
        let (length, room) = (list.len(), list.capacity());
        if length < room {
            return Ok(0);
        }
        let before = list_len(list);
        for more in [room.max(FIRST_ROOM), FIRST_ROOM] {
            let cost = block_len((length + more) * size_of::<T>()) - before;
            if self.charge(cost).is_ok() {
                match fallible::reserve_exact(list, more) {
                    Ok(()) => return Ok(cost),
                    Err(Exhausted) => self.refund(cost),
                }
            }
        }
        Err(Exhausted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_grows_as_far_as_the_budget_goes_and_no_further() {
        let (mut budget, mut list) = (Budget::new(1000), Vec::new());
        let mut cost = 0;
        while let Ok(more) = budget.reserve_one(&mut list) {
            cost += more;
            fallible::push_reserved(&mut list, 0_u64);
        }
        // Doubled to 64 elements, then four at a time.
        assert_eq!((list.len(), cost, list_len(&list)), (120, 992, 992));
        budget.refund(cost);
        assert_eq!(budget.left(), 1000);
        assert_eq!(budget.charge(1001), Err(Exhausted));
        assert_eq!(budget.left(), 1000);
    }

    #[test]
    fn blocks_are_those_of_the_heap() {
        let lengths = [0, 1, 16, 17, 24, 100].map(block_len);
        assert_eq!(lengths, [0, 32, 32, 64, 64, 128]);
    }
}
