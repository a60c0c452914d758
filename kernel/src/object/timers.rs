// SPDX-License-Identifier: MIT
//! Deadlines of threads that wait.

use alloc::vec::Vec;

use super::scheduler::ThreadId;
use crate::mem::fallible::{self, Exhausted};

/// The deadlines that are to come; a thread has one at most.
#[derive(Default)]
pub struct Timers {
    /// The latest one first: the one that is due next is taken from the end.
    list: Vec<(u64, ThreadId)>,
}

impl Timers {
    /// Makes room for the deadlines of so many threads.
    pub fn reserve(&mut self, threads: usize) -> Result<(), Exhausted> {
        let more = threads.saturating_sub(self.list.len());
        fallible::reserve(&mut self.list, more)
    }

    /// Sets a thread's deadline, which had none.
    pub fn set(&mut self, thread: ThreadId, deadline_ns: u64) {
        // Of equal ones that set first is due first: it stays nearer to the end.
        let place = self.list.partition_point(|(other, _)| *other > deadline_ns);
        fallible::insert_reserved(&mut self.list, place, (deadline_ns, thread));
    }

    /// Takes a thread's deadline back, if it has one.
    pub fn cancel(&mut self, thread: ThreadId) {
        if let Some(place) = self.list.iter().position(|(_, other)| *other == thread) {
            self.list.remove(place);
        }
    }

    /// Takes a thread whose deadline has come.
    pub fn take_due(&mut self, now_ns: u64) -> Option<ThreadId> {
        self.list.pop_if(|(deadline_ns, _)| *deadline_ns <= now_ns).map(|(_, thread)| thread)
    }

    /// Whether no thread has a deadline.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The next deadline of a thread that `counts`.
    pub fn next(&self, counts: impl Fn(ThreadId) -> bool) -> Option<u64> {
        self.list.iter().rev().find(|(_, thread)| counts(*thread)).map(|(deadline_ns, _)| *deadline_ns)
    }

    /// A thread's deadline.
    pub fn of(&self, thread: ThreadId) -> Option<u64> {
        self.list.iter().find(|(_, other)| *other == thread).map(|(deadline_ns, _)| *deadline_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Name as _;
    use super::*;

    #[test]
    fn deadlines_come_in_order_and_can_be_taken_back() {
        let [a, b, c, d] = core::array::from_fn(ThreadId::at);
        let mut timers = Timers::default();
        timers.reserve(4).unwrap();
        for (thread, deadline_ns) in [(a, 30), (b, 10), (c, 30), (d, 20)] {
            timers.set(thread, deadline_ns);
        }
        timers.cancel(d);
        timers.cancel(d);
        assert_eq!((timers.next(|_| true), timers.next(|thread| thread != b)), (Some(10), Some(30)));
        assert_eq!((timers.of(c), timers.of(d)), (Some(30), None));
        assert_eq!(timers.take_due(9), None);
        let due = core::array::from_fn(|_| timers.take_due(30));
        assert_eq!(due, [Some(b), Some(a), Some(c), None]);
    }
}
