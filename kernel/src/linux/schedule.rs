// SPDX-License-Identifier: MIT
//! How threads wait, and who is the current one.
//!
//! One thread runs at a time; the one that does is `self.thread`, of `self.process`. Who is next, and who waits in
//! which queue until when, the scheduler knows. A call that waits keeps its number and its
//! arguments in the registers. What a wake-up or a deadline makes of it is known where that
//! tells everything; otherwise the call is performed again, and a transfer goes on where it
//! stopped.

use super::descriptor::Description;
use super::errno::{Errno, Failure, Reply};
use super::signal::{Disposition, Info};
use super::thread::{Late, Waiting, Why};
use super::{Linux, Next};
use crate::object::queue::Key;
use crate::object::scheduler::{Scheduler, ThreadId, Wait, Woken};
use crate::object::table::Name as _;

impl Linux {
    /// Whether the current process waits: its call is not finished.
    pub fn is_waiting(&self) -> bool {
        self.thread.waiting.is_some()
    }

    /// What the current process waits for, if it does. One that stands in a queue stays there: it
    /// may have been put into another one. One that is stopped and has left the queue performs its
    /// call again when it is continued; one that has a signal to see to comes to that first.
    pub fn wait(&self, scheduler: &Scheduler) -> Option<Wait> {
        let Waiting { key, mask, deadline_ns, why, late: _ } = self.thread.waiting?;
        let stands = scheduler.key(self.thread.object);
        let goes_on = match self.process.is_stopped {
            true => stands.is_none(),
            false => {
                let handlers = &self.handlers[self.process.handlers];
                why.gives_way(&self.thread.signals, handlers, &self.process.pending)
            }
        };
        (!goes_on).then_some(Wait { key: stands.unwrap_or(key), mask, deadline_ns })
    }

    /// Makes a thread the current one, and its process.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn switch_to(&mut self, object: ThreadId) {
        if self.thread.object == object {
            return;
        }
        self.end_turn();
        let Some(thread) = self.threads.get_mut(object.place()).and_then(Option::take) else {
            panic!("{object:?} is no thread of Linux's")
        };
        let before = core::mem::replace(&mut self.thread, thread);
        let place = before.object.place();
        self.threads[place] = Some(before);
        self.follow();
    }

    /// Charges the current thread and its process for the time since they got the processor.
    pub(super) fn end_turn(&mut self) {
        let turn_ns = self.clock.end_turn();
        self.process.cpu.own_ns = self.process.cpu.own_ns.saturating_add(turn_ns);
        self.thread.cpu_ns = self.thread.cpu_ns.saturating_add(turn_ns);
    }

    /// Makes the process of the current thread the current one.
    pub(super) fn follow(&mut self) {
        let id = self.thread.process;
        if self.process.id() != id
            && let Some(other) = self.others.iter_mut().find(|process| process.id() == id)
        {
            core::mem::swap(&mut self.process, other);
            // Others may have these descriptors, too, and another limit.
            self.files[self.process.files].limit = self.process.max_descriptors();
        }
    }

    /// What is to be done about the next signal that is due to the current thread.
    pub(super) fn due(&self) -> Option<Disposition> {
        self.thread.signals.due(&self.handlers[self.process.handlers], &self.process.pending)
    }

    /// Takes the next signal that is due to the current thread.
    pub(super) fn next_due(&mut self) -> Option<(Info, Disposition)> {
        let handlers = &mut self.handlers[self.process.handlers];
        let (mut info, fate) = self.thread.signals.next_due(handlers, &mut self.process.pending)?;
        if !self.alarms.is_empty() {
            self.notice_alarm(&mut info);
        }
        Some((info, fate))
    }

    /// Where a parent waits after `vfork`.
    pub(super) fn vfork_key(child: u64) -> Key {
        Key::Event { name: "the program of process", number: child }
    }

    /// Ends the waiting of a parent after `vfork`: its call is done.
    pub(super) fn release_vfork(&mut self, scheduler: &mut Scheduler, ended: u64) {
        for thread in self.all_threads_mut() {
            if matches!(thread.waiting, Some(Waiting { why: Why::Vfork { child }, .. }) if child == ended) {
                thread.waiting = None;
            }
        }
        scheduler.wake_all(Self::vfork_key(ended));
    }

    /// Has a call wait in a queue that found nothing to do, until its timeout at most; with
    /// that over, it goes on.
    pub(super) fn pass(&mut self, timeout_ns: Option<u64>, key: Key, late: Late) -> Result<(), Failure> {
        let now_ns = self.clock.monotonic_ns();
        let begun = self.thread.waiting.and_then(|waiting| waiting.deadline_ns);
        let deadline_ns = begun.or(timeout_ns.map(|timeout_ns| now_ns.saturating_add(timeout_ns)));
        if deadline_ns.is_some_and(|deadline_ns| deadline_ns <= now_ns) {
            return Ok(());
        }
        let waiting = self.thread.waiting.get_or_insert(Waiting::for_event(key));
        (waiting.deadline_ns, waiting.late) = (deadline_ns, late);
        Err(Failure::Wait(key))
    }

    /// The current thread's system call does not wait any more.
    pub(super) fn stop_waiting(&mut self, scheduler: &mut Scheduler) {
        (self.thread.waiting, self.thread.wanted, self.thread.transfer) = (None, None, None);
        if let Some(through) = self.thread.through.take() {
            self.after_close(scheduler, through.release());
        }
    }

    /// The open description behind a descriptor; for a call that has waited, the one that it
    /// began with.
    pub(super) fn description_of_call(&self, fd: i32) -> Result<Description, Errno> {
        match &self.thread.through {
            Some(through) => Ok(through.get()),
            None => self.files[self.process.files].get(fd),
        }
    }

    /// What tells the [description of a call](Self::description_of_call) from all others.
    pub(super) fn identity_of_call(&self, fd: i32) -> Result<u64, Errno> {
        match &self.thread.through {
            Some(through) => Ok(through.identity()),
            None => self.files[self.process.files].identity(fd),
        }
    }

    /// Has a call through a descriptor keep the open description while it waits.
    pub(super) fn keep_description(&mut self, fd: i32) -> Result<(), Errno> {
        if self.thread.through.is_none() {
            self.thread.through = Some(self.files[self.process.files].hold(fd)?);
        }
        Ok(())
    }

    /// A call has found that it has to wait for others.
    #[cold]
    pub(super) fn settle(&mut self, key: Key) -> Next {
        self.thread.waiting.get_or_insert(Waiting::for_event(key)).key = key;
        Next::Wait
    }

    /// What the call of a process comes to whose wait has ended so; `None` if it has to be
    /// performed again to know.
    pub(super) fn outcome(&self, woken: Option<Woken>) -> Option<Reply> {
        let Waiting { why, late, .. } = self.thread.waiting?;
        match (woken?, why, late) {
            (Woken::Event, Why::Futex, _) => Some(Ok(0)),
            // It has been handed on.
            (Woken::Event, Why::Lock { owner }, _) if owner == self.thread.id => Some(Ok(0)),
            (Woken::Deadline, _, Late::Value(value)) => Some(Ok(value)),
            (Woken::Deadline, _, Late::Errno(errno)) => Some(Err(errno.into())),
            (Woken::Event | Woken::Deadline, _, _) | (Woken::Interrupt, _, _) => None,
        }
    }
}
