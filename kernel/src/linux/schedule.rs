// SPDX-License-Identifier: MIT
//! How processes wait, and who is the current one.
//!
//! One process runs at a time; the one that does is `self.process`. Who is next, and who waits in
//! which queue until when, the scheduler knows. A call that waits keeps its number and its
//! arguments in the registers. What a wake-up or a deadline makes of it is known where that
//! tells everything; otherwise the call is performed again, and a transfer goes on where it
//! stopped.

use super::errno::{Failure, Reply};
use super::process::{Late, Process, Waiting, Why};
use super::{Linux, Next};
use crate::object::queue::Key;
use crate::object::scheduler::{Scheduler, ThreadId, Wait, Woken};

impl Linux {
    /// Whether the current process waits: its call is not finished.
    pub fn is_waiting(&self) -> bool {
        self.process.waiting.is_some()
    }

    /// What the current process waits for, if it does. One that stands in a queue stays there: it
    /// may have been put into another one. One that is stopped and has left the queue performs its
    /// call again when it is continued; one that has a signal to see to comes to that first.
    pub fn wait(&self, scheduler: &Scheduler) -> Option<Wait> {
        let Waiting { key, mask, deadline_ns, why, late: _ } = self.process.waiting?;
        let stands = scheduler.key(self.process.thread);
        let goes_on =
            if self.process.is_stopped { stands.is_none() } else { why.gives_way(&self.process.signals) };
        (!goes_on).then_some(Wait { key: stands.unwrap_or(key), mask, deadline_ns })
    }

    /// Makes the process of a thread the current one.
    ///
    /// # Panics
    /// If there is none.
    pub fn switch_to(&mut self, thread: ThreadId) {
        if self.process.thread != thread {
            let Some(other) = self.others.iter_mut().find(|process| process.thread == thread) else {
                panic!("{thread:?} has no process")
            };
            self.process.cpu.own_ns = self.process.cpu.own_ns.saturating_add(self.clock.end_turn());
            core::mem::swap(&mut self.process, other);
        }
    }

    /// Where a parent waits after `vfork`.
    pub(super) fn vfork_key(child: u64) -> Key {
        Key::Event { name: "the program of process", number: child }
    }

    /// Ends the waiting of a parent after `vfork`: its call is done.
    pub(super) fn release_vfork(&mut self, scheduler: &mut Scheduler, ended: u64) {
        for process in self.others.iter_mut().chain(core::iter::once(&mut self.process)) {
            if matches!(process.waiting, Some(Waiting { why: Why::Vfork { child }, .. }) if child == ended) {
                process.waiting = None;
            }
        }
        scheduler.wake_all(Self::vfork_key(ended));
    }

    /// Has a call wait in a queue that found nothing to do, until its timeout at most; with
    /// that over, it goes on.
    pub(super) fn pass(&mut self, timeout_ns: Option<u64>, key: Key, late: Late) -> Result<(), Failure> {
        let now_ns = self.clock.monotonic_ns();
        let begun = self.process.waiting.and_then(|waiting| waiting.deadline_ns);
        let deadline_ns = begun.or(timeout_ns.map(|timeout_ns| now_ns.saturating_add(timeout_ns)));
        if deadline_ns.is_some_and(|deadline_ns| deadline_ns <= now_ns) {
            return Ok(());
        }
        let waiting = self.process.waiting.get_or_insert(Waiting::for_event(key));
        (waiting.deadline_ns, waiting.late) = (deadline_ns, late);
        Err(Failure::Wait(key))
    }

    /// A call has found that it has to wait for others.
    #[cold]
    pub(super) fn settle(&mut self, key: Key) -> Next {
        self.process.waiting.get_or_insert(Waiting::for_event(key)).key = key;
        Next::Wait
    }

    /// What the call of a process comes to whose wait has ended so; `None` if it has to be
    /// performed again to know.
    pub(super) fn outcome(&self, woken: Option<Woken>) -> Option<Reply> {
        let Waiting { why, late, .. } = self.process.waiting?;
        match (woken?, why, late) {
            (Woken::Event, Why::Futex, _) => Some(Ok(0)),
            (Woken::Deadline, _, Late::Value(value)) => Some(Ok(value)),
            (Woken::Deadline, _, Late::Errno(errno)) => Some(Err(errno.into())),
            (Woken::Event | Woken::Deadline, _, _) | (Woken::Interrupt, _, _) => None,
        }
    }
}

impl Process {
    /// Its system call does not wait any more.
    pub fn stop_waiting(&mut self) {
        (self.waiting, self.wanted, self.transfer) = (None, None, None);
    }
}
