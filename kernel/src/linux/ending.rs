// SPDX-License-Identifier: MIT
//! How threads and processes end, and what they leave behind.

use super::Linux;
use super::process::{Status, Zombie};
use super::thread::Thread;
use super::time_calls::TICK_NS;
use super::user::User;
use super::view::View;
use crate::mem::fallible;
use crate::object::clock::Moment;

impl Linux {
    /// Ends the current process with all of its threads; it is not the first one. A thread of
    /// another one is the current one then.
    ///
    /// # Panics
    /// If there is no other process.
    pub fn end(&mut self, view: &mut View, status: Status, now: Moment) {
        self.clock.set(now);
        self.end_turn();
        self.end_siblings(view);
        self.stop_waiting(view.scheduler);
        self.leave(view);
        if !self.files.is_shared(self.process.files) {
            self.close_all(view.scheduler, false);
        }
        let ended = self.process.id();
        self.run_another();
        let Some(index) = self.others.iter().position(|process| process.id() == ended) else {
            panic!("the first process is still there")
        };
        let ended = self.others.swap_remove(index);
        self.drop_alarms(ended.id(), true);
        self.files.release(ended.files);
        self.memories.release(ended.memory);
        self.handlers.release(ended.handlers);
        self.leave_executable(ended.executable);
        if let Some(place) = self.places.release(ended.place) {
            self.fs.release(place.directory);
        }
        let (cpu_ns, user_ticks) = (ended.cpu.total_ns(), ended.cpu.own_ns / TICK_NS);
        let ended = ended.identity;
        self.release_vfork(view.scheduler, ended.id);
        self.zombies.retain(|zombie| zombie.identity.parent != ended.id);
        if self.tell_parent(view.scheduler, ended, status, user_ticks) {
            fallible::push_reserved(&mut self.zombies, Zombie { identity: ended, status, cpu_ns });
        }
        self.leave_children(view.scheduler, ended);
    }

    /// Ends the current thread, of whose process others go on; another thread is the current
    /// one then.
    ///
    /// # Panics
    /// If it is the only thread.
    pub fn end_thread(&mut self, view: &mut View, now: Moment) {
        self.clock.set(now);
        self.end_turn();
        self.leave(view);
        let taken = !self.thread.signals.blocked();
        self.leave_signals(view.scheduler, taken);
        self.process.threads -= 1;
        self.run_another();
    }

    /// Makes any other thread the current one in place of one that has ended.
    fn run_another(&mut self) {
        let Some(next) = self.threads.iter_mut().find_map(Option::take) else {
            panic!("the last thread has ended, and the run has not")
        };
        self.thread = next;
        self.follow();
    }

    /// Ends all other threads of the current process; their objects are the caller's to destroy.
    pub(super) fn end_siblings(&mut self, view: &mut View) {
        if self.process.threads == 1 {
            return;
        }
        let id = self.process.id();
        for index in 0..self.threads.len() {
            if self.threads[index].as_ref().is_some_and(|thread| thread.process == id)
                && let Some(mut thread) = self.threads[index].take()
            {
                self.settle_debts(view, thread.id, thread.debts());
                if let Some(through) = thread.through.take() {
                    self.after_close(view.scheduler, through.release());
                }
            }
        }
        self.process.threads = 1;
    }

    /// Does what the current thread owes to others at its end.
    pub(super) fn leave(&mut self, view: &mut View) {
        let (id, debts) = (self.thread.id, self.thread.debts());
        (self.thread.clear_at_end, self.thread.robust_list) = (0, 0);
        self.settle_debts(view, id, debts);
    }

    /// Does what a thread of the current process owes to others at its end: its robust locks
    /// are given up, and whoever waits for it hears of it, if somebody is left in its memory.
    fn settle_debts(&mut self, view: &mut View, thread: u64, (clear_at_end, robust_list): (u64, u64)) {
        if robust_list != 0 {
            self.give_up_locks(view, thread, robust_list);
        }
        self.leave_locks(view.scheduler, thread);
        let memory = self.process.memory;
        if clear_at_end != 0 && (self.process.threads > 1 || self.memories.is_shared(memory)) {
            // As on Linux, a bad address is nobody's fault.
            let cleared = User::new(view.space, &mut self.memories[memory]).write(clear_at_end, &[0; 4]);
            if cleared.is_ok() {
                let key = self.futex_key(clear_at_end, false);
                view.scheduler.wake(key, u32::MAX, 1);
            }
        }
    }
}

impl Thread {
    /// What it owes to others: the word to clear, and the list of its robust locks.
    fn debts(&self) -> (u64, u64) {
        (self.clear_at_end, self.robust_list)
    }
}
