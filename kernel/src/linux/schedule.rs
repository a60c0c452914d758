// SPDX-License-Identifier: MIT
//! Who runs next, and who waits.
//!
//! One process runs at a time; the one that does is `self.task`. A system call that
//! has to wait is performed again, from its start, when something has happened that
//! it may have waited for. All this repeats: nothing depends on more than what the
//! processes did, and on time where they asked for it.

use super::errno::Failure;
use super::task::{Task, Waiting, Why};
use super::{Linux, Next};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// This process runs.
    Of(u64),
    /// Nobody can run, and nothing will change that.
    Nobody,
}

impl Linux {
    /// Whether there is no other process.
    pub fn is_alone(&self) -> bool {
        self.others.is_empty()
    }

    /// Whether the current process waits: its call has to be performed again.
    pub fn is_waiting(&self) -> bool {
        self.task.waiting.is_some()
    }

    fn is_ready(&self, task: &Task) -> bool {
        if task.is_stopped {
            return false;
        }
        let Some(Waiting { why, deadline_ns, seen }) = task.waiting else { return true };
        let is_over = deadline_ns.is_some_and(|deadline| deadline <= self.clock.monotonic_ns());
        is_over
            || match why {
                Why::Event => seen != self.events || task.signals.is_due(),
                Why::Futex { woken, .. } => woken || task.signals.is_due(),
                // As on Linux, nothing else gets through to it.
                Why::Vfork { .. } => task.signals.is_deadly(),
            }
    }

    /// Chooses the next one after the process `last`, in the order of their numbers;
    /// if all wait, time passes until one need not. `now_ns` is as for
    /// [`syscall`](Self::syscall).
    pub fn turn(&mut self, last: u64, now_ns: u64) -> Turn {
        self.clock.now_ns = now_ns;
        loop {
            let all = self.others.iter().chain(core::iter::once(&self.task));
            let ready = all.clone().filter(|task| self.is_ready(task)).map(|task| task.id());
            // Those behind `last` come first.
            if let Some(id) = ready.min_by_key(|id| (*id <= last, *id)) {
                return Turn::Of(id);
            }
            let deadlines = all.filter(|task| !task.is_stopped).filter_map(|task| task.waiting?.deadline_ns);
            let Some(next) = deadlines.min() else { return Turn::Nobody };
            self.clock.sleep(next.saturating_sub(self.clock.monotonic_ns()));
        }
    }

    /// Makes another process the current one.
    ///
    /// # Panics
    /// If there is none of that number.
    pub fn switch_to(&mut self, id: u64) {
        if self.task.id() != id {
            let Some(other) = self.others.iter_mut().find(|task| task.id() == id) else {
                panic!("process {id} has ended")
            };
            self.task.cpu.own_ns = self.task.cpu.own_ns.saturating_add(self.clock.end_turn());
            core::mem::swap(&mut self.task, other);
        }
    }

    /// Ends waiting that is over without the call's being performed again: that of a
    /// parent after `vfork`.
    pub(super) fn release_vfork(&mut self, ended: u64) {
        for task in &mut self.others {
            if matches!(task.waiting, Some(Waiting { why: Why::Vfork { child }, .. }) if child == ended) {
                task.waiting = None;
            }
        }
    }

    /// Lets the timeout of a call pass that found nothing to do; without one it waits
    /// for other processes.
    pub(super) fn pass(&mut self, timeout_ns: Option<u64>) -> Result<(), Failure> {
        let Some(timeout_ns) = timeout_ns else { return Err(Self::wait_for_event()) };
        let now_ns = self.clock.monotonic_ns();
        let begun = self.task.waiting.and_then(|waiting| waiting.deadline_ns);
        let deadline_ns = begun.unwrap_or(now_ns.saturating_add(timeout_ns));
        if self.is_alone() {
            self.clock.sleep(deadline_ns.saturating_sub(now_ns));
        } else if now_ns < deadline_ns {
            self.waiting().deadline_ns = Some(deadline_ns);
            return Err(Self::wait_for_event());
        }
        Ok(())
    }

    fn waiting(&mut self) -> &mut Waiting {
        let seen = self.events;
        self.task.waiting.get_or_insert(Waiting { why: Why::Event, deadline_ns: None, seen })
    }

    /// A call has failed with `next`: one that waits does so for other processes, if
    /// there are any.
    pub(super) fn settle(&mut self, next: Next) -> Next {
        if next == Next::Deadlock && !self.is_alone() {
            self.waiting().seen = self.events;
            return Next::Wait;
        }
        next
    }
}
