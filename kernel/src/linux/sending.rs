// SPDX-License-Identifier: MIT
//! Sending signals: to a process, of which one thread takes it, or to a thread.
//!
//! Which thread takes a process's signal is decided as on Linux: the first one if it does not
//! block it and has no other to see to, else the next one of which that holds, in the ring of
//! the process's threads.

use alloc::boxed::Box;

use linux_raw_sys::general::{SIGCONT, SIGKILL};

use super::Linux;
use super::errno::Errno;
use super::process::{Process, Status};
use super::signal::handlers::Handlers;
use super::signal::{Disposition, Info, STOPS, bit};
use super::signal_calls::sent_to;
use super::thread::Thread;
use super::time_calls::TICK_NS;
use crate::object::scheduler::Scheduler;

/// What would contradict a signal that was sent before: a stop a continuation, and the other way round.
fn contrary(signal: u32) -> u64 {
    match signal {
        SIGCONT => STOPS,
        _ if STOPS & bit(signal) != 0 => bit(SIGCONT),
        _ => 0,
    }
}

impl Linux {
    /// All threads that have not ended.
    pub(super) fn all_threads(&self) -> impl Iterator<Item = &Thread> {
        self.threads.iter().flatten().chain(core::iter::once(&self.thread)).map(|thread| &**thread)
    }

    /// All threads that have not ended, to be changed.
    pub(super) fn all_threads_mut(&mut self) -> impl Iterator<Item = &mut Thread> {
        all_of(&mut self.thread, &mut self.threads)
    }

    /// The process of this number, if it has not ended.
    pub(super) fn process_mut(&mut self, id: u64) -> Option<&mut Process> {
        let all = self.others.iter_mut().chain(core::iter::once(&mut self.process));
        all.map(|process| &mut **process).find(|process| process.id() == id)
    }

    /// Sends a signal to a process.
    pub(super) fn send(&mut self, scheduler: &mut Scheduler, to: u64, info: Info) -> Result<(), Errno> {
        self.post(scheduler, to, None, info)
    }

    /// Sends a signal to a thread of a process.
    pub(super) fn send_to_thread(
        &mut self,
        scheduler: &mut Scheduler,
        (process, thread): (u64, u64),
        info: Info,
    ) -> Result<(), Errno> {
        self.post(scheduler, process, Some(thread), info)
    }

    /// Has the current thread get a signal for what it has just done itself.
    pub(super) fn raise(&mut self, info: Info) {
        let signals = &mut self.thread.signals;
        let is_ignored = self.handlers[self.process.handlers].fate(info.signal) == Disposition::Ignore;
        if !is_ignored || signals.blocked() & bit(info.signal) != 0 {
            signals.pending.add(info);
            signals.look(&self.process.pending);
        }
    }

    fn post(
        &mut self,
        scheduler: &mut Scheduler,
        id: u64,
        thread: Option<u64>,
        info: Info,
    ) -> Result<(), Errno> {
        let signal = info.signal;
        Handlers::index(signal)?;
        let Some(process) = of_number(&mut self.process, &mut self.others, id) else { return Ok(()) };
        let contrary = contrary(signal);
        if contrary != 0 {
            process.pending.remove(contrary);
            let all = all_of(&mut self.thread, &mut self.threads);
            all.filter(|it| it.process == id).for_each(|it| it.signals.pending.remove(contrary));
        }
        let current = self.thread.id;
        let fate = self.handlers[process.handlers].fate(signal);
        // Whether it is ignored depends on whether it is blocked, by the first thread if it is for all.
        let first = match thread {
            Some(thread) => Some(thread),
            None => all_of(&mut self.thread, &mut self.threads)
                .filter(|it| it.process == id)
                .map(|it| it.id)
                .min(),
        };
        let found =
            all_of(&mut self.thread, &mut self.threads).find(|it| Some(it.id) == first && it.process == id);
        let Some(first) = found else { return Ok(()) };
        let is_blocked = first.signals.blocked() & bit(signal) != 0;
        let is_kept = is_blocked || fate != Disposition::Ignore;
        let taker = match thread {
            _ if !is_kept => None,
            Some(_) => {
                first.signals.pending.add(info);
                (!is_blocked).then_some(first.id)
            }
            None => {
                process.pending.add(info);
                let all = all_of(&mut self.thread, &mut self.threads).map(|it| &*it);
                next_of(all.filter(|it| it.process == id), signal, (id, process.chosen, current))
            }
        };
        process.chosen = taker.filter(|_| thread.is_none()).unwrap_or(process.chosen);
        if process.is_stopped && matches!(signal, SIGCONT | SIGKILL) {
            self.continue_process(scheduler, id, signal);
        }
        scheduler.wake_all(sent_to(id));
        if let Some(taker) = taker {
            self.alert(scheduler, taker);
        }
        Ok(())
    }

    /// A stopped process goes on.
    fn continue_process(&mut self, scheduler: &mut Scheduler, id: u64, signal: u32) {
        for thread in self.all_threads().filter(|thread| thread.process == id) {
            scheduler.release(thread.object);
        }
        let Some(process) = self.process_mut(id) else { return };
        process.is_stopped = false;
        process.report = None;
        if signal == SIGCONT {
            process.report = Some(Status::Continued);
            let (identity, user_ticks) = (process.identity, process.cpu.own_ns / TICK_NS);
            self.tell_parent(scheduler, identity, Status::Continued, user_ticks);
        }
    }

    /// Has a thread look for signals; if it waits, it comes to run for that.
    fn alert(&mut self, scheduler: &mut Scheduler, id: u64) {
        let Some(thread) = all_of(&mut self.thread, &mut self.threads).find(|thread| thread.id == id) else {
            return;
        };
        thread.signals.is_alerted = true;
        let thread = &*thread;
        let Some(process) = of_number(&mut self.process, &mut self.others, thread.process) else { return };
        let handlers = &self.handlers[process.handlers];
        let gives_way = |why: super::thread::Why| why.gives_way(&thread.signals, handlers, &process.pending);
        if thread.waiting.is_some_and(|waiting| gives_way(waiting.why)) {
            scheduler.interrupt(thread.object);
        }
    }

    /// The current thread does not take these signals of its process any more: others do that can.
    pub(super) fn leave_signals(&mut self, scheduler: &mut Scheduler, signals: u64) {
        let mut left = self.process.pending.set() & signals;
        while left != 0 {
            let signal = left.trailing_zeros() + 1;
            left &= left - 1;
            let own = self.process.id();
            let others = self.threads.iter().flatten().map(|it| &**it).filter(|it| it.process == own);
            if let Some(taker) = next_of(others, signal, (own, self.process.chosen, self.thread.id)) {
                self.process.chosen = taker;
                self.alert(scheduler, taker);
            }
        }
    }
}

/// All threads but those that have ended, the current one last.
fn all_of<'a>(
    current: &'a mut Box<Thread>,
    others: &'a mut [Option<Box<Thread>>],
) -> impl Iterator<Item = &'a mut Thread> {
    others.iter_mut().flatten().chain(core::iter::once(current)).map(|thread| &mut **thread)
}

/// The process of this number, if it has not ended.
fn of_number<'a>(
    current: &'a mut Box<Process>,
    others: &'a mut [Box<Process>],
    id: u64,
) -> Option<&'a mut Process> {
    let all = others.iter_mut().chain(core::iter::once(current));
    all.map(|process| &mut **process).find(|process| process.id() == id)
}

/// The thread of a process that takes one of its signals: the `first` one if it can, else the
/// next one in their ring behind `last`. Those are asked last that have others to see to, unless
/// that is the `current` one.
fn next_of<'a>(
    threads: impl Iterator<Item = &'a Thread>,
    signal: u32,
    (first, last, current): (u64, u64, u64),
) -> Option<u64> {
    let able = threads.filter(|it| it.signals.blocked() & bit(signal) == 0);
    let key = |it: &&Thread| {
        let is_busy = it.signals.is_alerted && it.id != current && signal != SIGKILL;
        // Numbers come round: whoever is behind the last one comes before those up to it.
        (is_busy, it.id != first, it.id <= last, it.id)
    };
    able.min_by_key(key).map(|it| it.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::scheduler::ThreadId;
    use crate::object::table::Name as _;

    const SIGUSR1: u32 = 10;

    #[test]
    fn the_first_thread_is_asked_first_and_then_they_go_round() {
        let thread = |id: u64| Thread::new(id, ThreadId::at(id as usize), [0; 16]);
        let mut threads = [4, 1, 3, 2].map(thread);
        let next = |threads: &[Thread], last| next_of(threads.iter(), SIGUSR1, (1, last, 9));
        assert_eq!(next(&threads, 2), Some(1));
        threads[1].signals.set_blocked(bit(SIGUSR1), &Default::default());
        assert_eq!((next(&threads, 3), next(&threads, 4)), (Some(4), Some(2)));
        threads[0].signals.is_alerted = true;
        assert_eq!(next(&threads, 3), Some(2));
        for thread in &mut threads[2..] {
            thread.signals.set_blocked(bit(SIGUSR1), &Default::default());
        }
        assert_eq!(next(&threads, 3), Some(4));
        threads[0].signals.set_blocked(u64::MAX, &Default::default());
        assert_eq!(next(&threads, 3), None);
    }
}
