// SPDX-License-Identifier: MIT
//! Who runs next, who waits, and until when.
//!
//! Budgets take turns, not threads. Of those whose thread can run, the highest priority comes
//! first; within one, they go round by their numbers. A thread that waits stands in one
//! [queue](super::queue), may have a deadline, and can be interrupted: it then comes to run
//! and says itself whether it goes on waiting, with its place in the queue kept meanwhile.

use alloc::vec::Vec;

use super::budget::{Budget, BudgetId};
use super::queue::{Key, Queues};
use super::table::{Name as _, Table, name};
use super::timers::Timers;
use crate::mem::fallible::{self, Exhausted};

name! {
    /// Names a thread.
    ThreadId
}

/// What a thread is to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The queue.
    pub key: Key,
    /// Whoever wakes it names one of these bits.
    pub mask: u32,
    /// When it goes on in any case, in [monotonic time](super::clock::Moment::monotonic_ns).
    pub deadline_ns: Option<u64>,
}

impl Wait {
    /// To wait until somebody wakes the queue.
    pub fn until_woken(key: Key) -> Self {
        Self { key, mask: u32::MAX, deadline_ns: None }
    }
}

/// Why a thread goes on that has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// What it waited for has come.
    Event,
    /// Its deadline has.
    Deadline,
    /// Somebody has interrupted it; it stands in its queue still.
    Interrupt,
}

/// How things stand with a thread.
#[derive(Clone, Copy, Default)]
struct Standing {
    /// The budget that drives it.
    budget: Option<BudgetId>,
    waits: bool,
    is_interrupted: bool,
    /// Nothing lets it run until that is taken back.
    is_suspended: bool,
    /// How its wait has ended, until it asks.
    woken: Option<Woken>,
}

impl Standing {
    fn is_ready(&self) -> bool {
        !self.is_suspended && (!self.waits || self.is_interrupted)
    }
}

/// A budget among those that can run.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ready {
    priority: u8,
    number: u64,
    budget: BudgetId,
}

/// Budgets, and how it stands with the threads that they drive.
#[derive(Default)]
pub struct Scheduler {
    threads: Vec<Option<Standing>>,
    budgets: Table<BudgetId, Budget>,
    /// Those that can run, by descending priority and ascending number.
    ready: Vec<Ready>,
    queues: Queues,
    timers: Timers,
    /// When the personality is to be told, whoever runs or waits.
    alarm_ns: Option<u64>,
    /// Whether there are several budgets, or an alarm.
    is_disturbed: bool,
    /// The number of the budget that was chosen last.
    last: u64,
    /// The number that was given last.
    numbers: u64,
}

impl Scheduler {
    /// Makes room for a thread of this name, and for a budget of its own.
    pub fn reserve(&mut self, thread: ThreadId) -> Result<(), Exhausted> {
        let threads = thread.place() + 1;
        if threads > self.threads.len() {
            fallible::resize(&mut self.threads, threads, || None)?;
        }
        self.budgets.reserve()?;
        let more = (self.budgets.count() + 1).saturating_sub(self.ready.len());
        fallible::reserve(&mut self.ready, more)?;
        self.queues.reserve(threads)?;
        self.timers.reserve(threads)
    }

    /// Takes in a thread for which there is room; without a budget it does not run.
    pub fn add_thread(&mut self, thread: ThreadId) {
        self.threads[thread.place()] = Some(Standing::default());
    }

    /// Makes a thread's own budget, for which there is room.
    pub fn add_budget(&mut self, owner: ThreadId, priority: u8, slice: u64) -> BudgetId {
        self.numbers += 1;
        let number = self.numbers;
        let budget = Budget { number, priority, slice, left: slice, owner, thread: owner };
        let id = self.budgets.insert_reserved(budget);
        self.note_disturbance();
        self.standing(owner).budget = Some(id);
        self.enqueue(owner);
        id
    }

    /// Forgets a thread, if it is still known. Its own budget goes with it; that of another one, which it was lent,
    /// drives its owner again.
    pub fn remove_thread(&mut self, thread: ThreadId) {
        if self.threads[thread.place()].is_none() {
            return;
        }
        self.end_wait(thread);
        self.dequeue(thread);
        let lent = self.standing(thread).budget;
        self.threads[thread.place()] = None;
        let own = self.budgets.iter().find(|(_, budget)| budget.owner == thread).map(|(id, _)| id);
        if let Some(id) = own {
            let driven = self.budgets[id].thread;
            if driven != thread {
                self.dequeue(driven);
                self.standing(driven).budget = None;
            }
            self.budgets.remove(id);
            self.note_disturbance();
        }
        if let Some(id) = lent.filter(|id| Some(*id) != own) {
            let owner = self.budgets[id].owner;
            self.budgets[id].thread = owner;
            self.standing(owner).budget = Some(id);
            self.enqueue(owner);
        }
    }

    fn standing(&mut self, thread: ThreadId) -> &mut Standing {
        match &mut self.threads[thread.place()] {
            Some(standing) => standing,
            None => panic!("{thread:?} is gone"),
        }
    }

    fn entry(&mut self, thread: ThreadId) -> Option<Ready> {
        let id = self.standing(thread).budget?;
        let Budget { priority, number, .. } = self.budgets[id];
        Some(Ready { priority, number, budget: id })
    }

    fn place(&self, entry: Ready) -> usize {
        let comes_before = |other: &Ready| {
            (core::cmp::Reverse(other.priority), other.number)
                < (core::cmp::Reverse(entry.priority), entry.number)
        };
        self.ready.partition_point(comes_before)
    }

    /// Has a thread's budget take turns if the thread can run.
    fn enqueue(&mut self, thread: ThreadId) {
        if !self.standing(thread).is_ready() {
            return;
        }
        let Some(entry) = self.entry(thread) else { return };
        let place = self.place(entry);
        if self.ready.get(place) != Some(&entry) {
            fallible::insert_reserved(&mut self.ready, place, entry);
        }
    }

    /// Has a thread's budget take no turns.
    fn dequeue(&mut self, thread: ThreadId) {
        let Some(entry) = self.entry(thread) else { return };
        let place = self.place(entry);
        if self.ready.get(place) == Some(&entry) {
            self.ready.remove(place);
        }
    }

    /// Has a thread wait. One that waits for the same already, and was interrupted, keeps its
    /// place and its deadline.
    pub fn block(&mut self, thread: ThreadId, wait: Wait) {
        if self.queues.key(thread) != Some(wait.key) {
            self.end_wait(thread);
            self.queues.enter(thread, wait.key, wait.mask);
            if let Some(deadline_ns) = wait.deadline_ns {
                self.timers.set(thread, deadline_ns);
            }
        }
        let standing = self.standing(thread);
        (standing.waits, standing.is_interrupted, standing.woken) = (true, false, None);
        self.dequeue(thread);
    }

    /// Ends a thread's wait, if it waits, and says why.
    fn finish_wait(&mut self, thread: ThreadId, woken: Option<Woken>) {
        self.queues.leave(thread);
        self.timers.cancel(thread);
        let standing = self.standing(thread);
        (standing.waits, standing.is_interrupted, standing.woken) = (false, false, woken);
        self.enqueue(thread);
    }

    /// Ends a thread's wait, if it waits: the thread goes on by itself.
    #[inline]
    pub fn end_wait(&mut self, thread: ThreadId) {
        let standing = self.standing(thread);
        standing.woken = None;
        if standing.waits {
            self.finish_wait(thread, None);
        }
    }

    /// Wakes up to `count` of those that wait in a queue for one of the bits in `mask`; returns how many.
    pub fn wake(&mut self, key: Key, mask: u32, count: u32) -> u32 {
        let mut woken = 0;
        while woken < count
            && let Some(thread) = self.queues.first(key, mask)
        {
            self.finish_wait(thread, Some(Woken::Event));
            woken += 1;
        }
        woken
    }

    /// Who has waited longest in a queue.
    pub fn first(&self, key: Key) -> Option<ThreadId> {
        self.queues.first(key, u32::MAX)
    }

    /// Wakes all that wait in a queue.
    pub fn wake_all(&mut self, key: Key) {
        self.wake(key, u32::MAX, u32::MAX);
    }

    /// Puts up to `count` of those that wait in a queue into another one; returns how many.
    pub fn requeue(&mut self, from: Key, to: Key, count: u32) -> u32 {
        if from == to {
            return 0;
        }
        let mut moved = 0;
        while moved < count && self.queues.requeue_first(from, to) {
            moved += 1;
        }
        moved
    }

    /// Has a thread that waits come to run, to see to something else.
    pub fn interrupt(&mut self, thread: ThreadId) {
        if self.standing(thread).waits {
            self.standing(thread).is_interrupted = true;
            self.enqueue(thread);
        }
    }

    /// Keeps a thread from running, whatever happens to it.
    pub fn suspend(&mut self, thread: ThreadId) {
        self.standing(thread).is_suspended = true;
        self.dequeue(thread);
    }

    /// Lets a thread run again that was kept from it.
    pub fn release(&mut self, thread: ThreadId) {
        self.standing(thread).is_suspended = false;
        self.enqueue(thread);
    }

    /// The queue in which a thread stands.
    pub fn key(&self, thread: ThreadId) -> Option<Key> {
        self.queues.key(thread)
    }

    /// Whether a thread waits.
    pub fn waits(&self, thread: ThreadId) -> bool {
        self.threads.get(thread.place()).is_some_and(|it| it.is_some_and(|it| it.waits))
    }

    /// Takes the reason for which a thread goes on that has waited.
    pub fn take_woken(&mut self, thread: ThreadId) -> Option<Woken> {
        let standing = self.standing(thread);
        let interrupted = standing.is_interrupted.then_some(Woken::Interrupt);
        standing.woken.take().or(interrupted)
    }

    /// Moves the budget that drives one thread to another one, which has none and goes on at once.
    pub fn donate(&mut self, from: ThreadId, to: ThreadId) {
        self.end_wait(to);
        self.dequeue(from);
        let budget = self.standing(from).budget.take();
        let standing = self.standing(to);
        assert!(standing.budget.is_none() || budget.is_none(), "{to:?} has a budget already");
        if let Some(id) = budget {
            standing.budget = Some(id);
            self.budgets[id].thread = to;
        }
        self.enqueue(to);
    }

    /// Charges the budget of a thread for instructions; whether some are left.
    pub fn charge(&mut self, thread: ThreadId, instructions: u64) -> bool {
        let Some(id) = self.standing(thread).budget else { return false };
        let left = &mut self.budgets[id].left;
        *left = left.saturating_sub(instructions);
        *left > 0
    }

    /// Whether somebody of a higher priority than a thread's can run.
    pub fn is_outranked(&mut self, thread: ThreadId) -> bool {
        let own = self.entry(thread).map_or(0, |entry| entry.priority);
        self.ready.first().is_some_and(|first| first.priority > own)
    }

    /// Instructions that the budget of a thread has left; none without one.
    pub fn left(&self, thread: ThreadId) -> u64 {
        let standing = self.threads[thread.place()].as_ref();
        standing.and_then(|it| it.budget).map_or(0, |id| self.budgets[id].left)
    }

    /// Gives the budget of a thread its whole slice again, and `more`.
    pub fn refill(&mut self, thread: ThreadId, more: u64) {
        if let Some(id) = self.standing(thread).budget {
            let budget = &mut self.budgets[id];
            budget.left = budget.slice.saturating_add(more);
        }
    }

    /// Whether nobody else could ever run: there is one thread.
    pub fn is_alone(&self) -> bool {
        self.budgets.count() <= 1
    }

    /// Whether nothing could ever come between two PEs: there is one thread, and no alarm.
    #[inline]
    pub fn is_undisturbed(&self) -> bool {
        !self.is_disturbed
    }

    fn note_disturbance(&mut self) {
        self.is_disturbed = self.budgets.count() > 1 || self.alarm_ns.is_some();
    }

    /// Has the personality told at a time, whoever runs or waits then.
    #[inline]
    pub fn set_alarm(&mut self, due_ns: Option<u64>) {
        self.alarm_ns = due_ns;
        self.note_disturbance();
    }

    /// When the personality is to be told.
    #[inline]
    pub fn alarm(&self) -> Option<u64> {
        self.alarm_ns
    }

    /// Takes the alarm, if its time has come.
    pub fn take_alarm(&mut self, now_ns: u64) -> bool {
        let is_due = self.alarm_ns.take_if(|due_ns| *due_ns <= now_ns).is_some();
        self.note_disturbance();
        is_due
    }

    /// Wakes those whose deadline has come.
    pub fn expire(&mut self, now_ns: u64) {
        while let Some(thread) = self.timers.take_due(now_ns) {
            self.finish_wait(thread, Some(Woken::Deadline));
        }
    }

    /// The next deadline of a thread that can run then.
    pub fn next_deadline(&self) -> Option<u64> {
        let is_free = |thread: ThreadId| self.threads[thread.place()].is_some_and(|it| !it.is_suspended);
        self.timers.next(is_free)
    }

    /// A thread runs that was not chosen: whoever is behind it comes next.
    pub fn begin(&mut self, thread: ThreadId) {
        if let Some(Ready { number, .. }) = self.entry(thread) {
            self.last = number;
        }
    }

    /// Chooses the thread whose budget comes next: behind the one chosen last, in the ring of the
    /// highest priority that can run.
    pub fn choose(&mut self) -> Option<ThreadId> {
        let priority = self.ready.first()?.priority;
        let ring = &self.ready[..self.ready.partition_point(|it| it.priority >= priority)];
        let behind = ring.partition_point(|it| it.number <= self.last);
        let Ready { number, budget, .. } = *ring.get(behind).or(ring.first())?;
        self.last = number;
        Some(self.budgets[budget].thread)
    }

    /// Threads that cannot run, what each waits for, and whether it is suspended; those among them
    /// that nobody drives.
    pub fn waiting(&self) -> impl Iterator<Item = (ThreadId, Option<Key>, bool)> {
        let all =
            self.threads.iter().enumerate().filter_map(|(place, it)| Some((ThreadId::at(place), (*it)?)));
        all.filter(|(_, it)| !it.is_ready() || it.budget.is_none())
            .map(|(id, it)| (id, self.queues.key(id), it.is_suspended))
    }
}
