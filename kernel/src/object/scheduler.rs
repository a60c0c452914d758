// SPDX-License-Identifier: MIT
//! Who runs next, who waits, and until when.
//!
//! Budgets take turns, not threads. Of those whose thread can run, the highest priority comes
//! first; within one, they take turns in an [`Order`]. A thread that waits stands in one
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

/// In which order budgets of one priority take turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// They go round by their numbers, and each turn is a whole slice.
    #[default]
    Ring,
    /// They stand in a queue: whoever has a part of its slice left comes in at the head, and whoever has used it
    /// up, is new, or gives way, at the tail.
    Queue,
}

/// How things stand with a thread.
#[derive(Clone, Copy, Default)]
struct Standing {
    /// The budget that drives it and came last; the others follow by `next`.
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
    number: i64,
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
    order: Order,
    /// The budget that was chosen last, unless it is gone.
    current: Option<BudgetId>,
    /// The number of the budget that was chosen last.
    last: i64,
    /// The number at the head of the queues, and the one that was given last.
    numbers: (i64, i64),
}

impl Scheduler {
    /// Makes room for a thread of this name, and for a budget of its own.
    pub fn reserve(&mut self, thread: ThreadId) -> Result<(), Exhausted> {
        let threads = thread.place() + 1;
        if threads > self.threads.len() {
            fallible::resize(&mut self.threads, threads, || None)?;
        }
        self.reserve_budget()?;
        self.queues.reserve(threads)?;
        self.timers.reserve(threads)
    }

    /// Makes room for one more budget.
    pub fn reserve_budget(&mut self) -> Result<(), Exhausted> {
        self.budgets.reserve()?;
        let more = (self.budgets.count() + 1).saturating_sub(self.ready.len());
        fallible::reserve(&mut self.ready, more)
    }

    /// How many budgets there are.
    pub fn budgets(&self) -> usize {
        self.budgets.count()
    }

    /// The name that the next budget gets.
    pub fn next_budget(&self) -> BudgetId {
        self.budgets.next()
    }

    /// Takes in a thread for which there is room; without a budget it does not run.
    pub fn add_thread(&mut self, thread: ThreadId) {
        self.threads[thread.place()] = Some(Standing::default());
    }

    /// Has budgets of one priority take turns in another order; nobody must have one yet.
    pub fn set_order(&mut self, order: Order) {
        self.order = order;
    }

    /// Makes a budget of a thread's own, for which there is room.
    pub fn add_budget(&mut self, owner: ThreadId, priority: u8, slice: u64) -> BudgetId {
        let number = self.tail();
        let budget =
            Budget { number, priority, slice, left: slice, owner, thread: owner, next: None, previous: None };
        let id = self.budgets.insert_reserved(budget);
        self.note_disturbance();
        self.attach(id, owner);
        id
    }

    /// Forgets a budget.
    pub fn remove_budget(&mut self, id: BudgetId) {
        self.detach(id);
        self.budgets.remove(id);
        self.current = self.current.filter(|current| *current != id);
        self.note_disturbance();
    }

    /// A budget.
    pub fn budget(&self, id: BudgetId) -> &Budget {
        &self.budgets[id]
    }

    /// The number behind all others.
    fn tail(&mut self) -> i64 {
        self.numbers.1 += 1;
        self.numbers.1
    }

    /// Has a budget drive a thread.
    fn attach(&mut self, id: BudgetId, thread: ThreadId) {
        let next = self.standing(thread).budget.replace(id);
        let budget = &mut self.budgets[id];
        (budget.thread, budget.next, budget.previous) = (thread, next, None);
        if let Some(next) = next {
            self.budgets[next].previous = Some(id);
        }
        self.enqueue(id);
    }

    /// Has a budget drive nobody.
    fn detach(&mut self, id: BudgetId) {
        self.dequeue(id);
        let Budget { thread, next, previous, .. } = self.budgets[id];
        match previous {
            Some(previous) => self.budgets[previous].next = next,
            None => self.standing(thread).budget = next,
        }
        if let Some(next) = next {
            self.budgets[next].previous = previous;
        }
    }

    /// The budgets that drive a thread.
    fn driving(&self, thread: ThreadId) -> Option<BudgetId> {
        self.threads[thread.place()].as_ref().and_then(|standing| standing.budget)
    }

    /// Forgets a thread, if it is still known. Its own budgets go with it; those that it was lent drive their owners
    /// again.
    pub fn remove_thread(&mut self, thread: ThreadId) {
        if self.threads[thread.place()].is_none() {
            return;
        }
        self.end_wait(thread);
        let own = |all: &Table<BudgetId, Budget>| {
            all.iter().find(|(_, budget)| budget.owner == thread).map(|(id, _)| id)
        };
        while let Some(id) = own(&self.budgets) {
            self.remove_budget(id);
        }
        self.retarget(thread, |owner| owner);
        self.threads[thread.place()] = None;
    }

    /// Has each budget that drives a thread drive another one, which `target` names for its owner.
    pub fn retarget(&mut self, thread: ThreadId, target: impl Fn(ThreadId) -> ThreadId) {
        let mut next = self.driving(thread);
        while let Some(id) = next {
            next = self.budgets[id].next;
            let target = target(self.budgets[id].owner);
            if target != thread {
                self.detach(id);
                self.attach(id, target);
            }
        }
    }

    fn standing(&mut self, thread: ThreadId) -> &mut Standing {
        match &mut self.threads[thread.place()] {
            Some(standing) => standing,
            None => panic!("{thread:?} is gone"),
        }
    }

    fn entry(&self, id: BudgetId) -> Ready {
        let Budget { priority, number, .. } = self.budgets[id];
        Ready { priority, number, budget: id }
    }

    fn place(&self, entry: Ready) -> usize {
        let comes_before = |other: &Ready| {
            (core::cmp::Reverse(other.priority), other.number)
                < (core::cmp::Reverse(entry.priority), entry.number)
        };
        self.ready.partition_point(comes_before)
    }

    /// Has a budget take turns if its thread can run.
    fn enqueue(&mut self, id: BudgetId) {
        if !self.standing(self.budgets[id].thread).is_ready() {
            return;
        }
        let entry = self.entry(id);
        let place = self.place(entry);
        if self.ready.get(place) == Some(&entry) {
            return;
        }
        if self.order == Order::Queue {
            self.line_up(id);
        }
        self.insert(id);
    }

    /// Puts a budget into its place among those that take turns.
    fn insert(&mut self, id: BudgetId) {
        let entry = self.entry(id);
        let place = self.place(entry);
        fallible::insert_reserved(&mut self.ready, place, entry);
    }

    /// Gives a budget that takes no turns its number in a queue.
    fn line_up(&mut self, id: BudgetId) {
        let budget = &self.budgets[id];
        let is_begun = budget.left > 0 && budget.left < budget.slice;
        let number = if is_begun {
            self.numbers.0 -= 1;
            self.numbers.0
        } else {
            self.tail()
        };
        let budget = &mut self.budgets[id];
        budget.number = number;
        if !is_begun {
            budget.left = budget.slice;
        }
    }

    /// Has a budget take no turns.
    fn dequeue(&mut self, id: BudgetId) {
        let entry = self.entry(id);
        let place = self.place(entry);
        if self.ready.get(place) == Some(&entry) {
            self.ready.remove(place);
        }
    }

    /// Does something with each budget that drives a thread.
    fn for_each(&mut self, thread: ThreadId, act: impl Fn(&mut Self, BudgetId)) {
        let mut next = self.driving(thread);
        while let Some(id) = next {
            next = self.budgets[id].next;
            act(self, id);
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
        self.for_each(thread, Self::dequeue);
    }

    /// Ends a thread's wait, if it waits, and says why.
    fn finish_wait(&mut self, thread: ThreadId, woken: Option<Woken>) {
        self.queues.leave(thread);
        self.timers.cancel(thread);
        let standing = self.standing(thread);
        (standing.waits, standing.is_interrupted, standing.woken) = (false, false, woken);
        self.for_each(thread, Self::enqueue);
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
            self.for_each(thread, Self::enqueue);
        }
    }

    /// Keeps a thread from running, whatever happens to it.
    pub fn suspend(&mut self, thread: ThreadId) {
        self.standing(thread).is_suspended = true;
        self.for_each(thread, Self::dequeue);
    }

    /// Lets a thread run again that was kept from it.
    pub fn release(&mut self, thread: ThreadId) {
        self.standing(thread).is_suspended = false;
        self.for_each(thread, Self::enqueue);
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

    /// Moves the budgets that drive one thread to another one, which goes on at once.
    pub fn donate(&mut self, from: ThreadId, to: ThreadId) {
        self.end_wait(to);
        self.retarget(from, |_| to);
    }

    /// The thread that the current budget drives, if it can run.
    pub fn driven(&self) -> Option<ThreadId> {
        let thread = self.budgets.get(self.current?)?.thread;
        self.threads[thread.place()].is_some_and(|it| it.is_ready()).then_some(thread)
    }

    /// Charges the current budget for instructions; whether some are left.
    pub fn charge(&mut self, instructions: u64) -> bool {
        let Some(id) = self.current else { return false };
        let left = &mut self.budgets[id].left;
        *left = left.saturating_sub(instructions);
        *left > 0
    }

    /// Whether somebody of a higher priority than that of the current budget can run.
    pub fn is_outranked(&self) -> bool {
        let own = self.current.map_or(0, |id| self.budgets[id].priority);
        self.ready.first().is_some_and(|first| first.priority > own)
    }

    /// Instructions that the current budget has left.
    pub fn left(&self) -> u64 {
        self.current.map_or(0, |id| self.budgets[id].left)
    }

    /// Gives the current budget its whole slice, and `more`: its turn begins. In a queue it has what is left of the
    /// slice.
    pub fn refill(&mut self, more: u64) {
        if let Some(id) = self.current
            && self.order == Order::Ring
        {
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

    /// Whether a deadline that comes may give the processor to somebody before a turn is over: by priority, in a queue.
    pub fn awaits_deadline(&self) -> bool {
        self.order == Order::Queue && !self.timers.is_empty()
    }

    /// The next deadline of a thread that can run then.
    pub fn next_deadline(&self) -> Option<u64> {
        let is_free = |thread: ThreadId| self.threads[thread.place()].is_some_and(|it| !it.is_suspended);
        self.timers.next(is_free)
    }

    /// A thread runs that was not chosen: whoever is behind it comes next.
    pub fn begin(&mut self, thread: ThreadId) {
        self.current = self.driving(thread);
        if let Some(id) = self.current {
            self.last = self.budgets[id].number;
        }
    }

    /// Chooses the thread whose budget comes next, of the highest priority that can run: in a ring, the one
    /// behind that which was chosen last; in a queue, the first.
    pub fn choose(&mut self) -> Option<ThreadId> {
        let priority = self.ready.first()?.priority;
        let ring = &self.ready[..self.ready.partition_point(|it| it.priority >= priority)];
        let behind = match self.order {
            Order::Ring => ring.partition_point(|it| it.number <= self.last),
            Order::Queue => 0,
        };
        let Ready { number, budget, .. } = *ring.get(behind).or(ring.first())?;
        (self.last, self.current) = (number, Some(budget));
        Some(self.budgets[budget].thread)
    }

    /// Has the current budget take its place among the others again, if it takes turns: as one whose thread `gives
    /// way`, or that was put off or has used up its slice. In a ring it keeps its place.
    pub fn put_off(&mut self, gives_way: bool) {
        let Some(id) = self.current else { return };
        let entry = self.entry(id);
        if self.order == Order::Ring || self.ready.get(self.place(entry)) != Some(&entry) {
            return;
        }
        self.dequeue(id);
        if gives_way {
            let number = self.tail();
            self.budgets[id].number = number;
            self.insert(id);
        } else {
            self.enqueue(id);
        }
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
