// SPDX-License-Identifier: MIT
//! What every personality is made of: spaces, processes, threads, budgets, queues, time.
//!
//! Each kind of object stands in one table and is named by its place there. A thread runs in
//! a space and belongs to a process (a thread group); several processes may have one space.
//! A process and a space go with their last thread. What takes turns is not a thread but a
//! budget, which names the thread that it drives ([`scheduler`]).

pub mod archive;
pub mod budget;
pub mod clock;
pub mod counts;
pub mod interrupt;
mod newc;
pub mod processor;
pub mod queue;
pub mod scheduler;
pub mod table;
pub mod timers;

use alloc::boxed::Box;
use core::fmt;

use pe_replay::{Policy, UserRegisters};
use wire::ThreadNumber;

use self::clock::{Clock, Moment};
use self::counts::Counts;
use self::interrupt::Lines;
use self::processor::{Held, Processor};
use self::queue::Key;
use self::scheduler::{Scheduler, ThreadId};
use self::table::{Table, name};
use crate::mem::fallible::Exhausted;
use crate::mem::space::Space;

name! {
    /// Names a space.
    SpaceId
}
name! {
    /// Names a process.
    ProcessId
}

/// A user address space among others.
struct SpaceObject<T> {
    /// Its pages with their tracker, unless the processor holds them.
    held: Option<Held<T>>,
    /// Threads that run in it, and who else keeps it.
    threads: u32,
    /// What tells its next thread from the others, as far as that goes.
    next_thread: u8,
}

impl<T> SpaceObject<T> {
    /// A space in which nobody runs.
    fn new(held: Option<Held<T>>) -> Self {
        Self { held, threads: 0, next_thread: 0 }
    }
}

/// A process: a group of threads.
struct Process {
    /// Its number in records, from 1 on.
    number: u32,
    /// Threads that it has, and who else keeps it.
    threads: u32,
    /// The number that its next thread gets in records.
    next_thread: u32,
    /// What its PEs came to, but for those since the current thread's turn began.
    counts: Counts,
}

/// A thread.
pub struct Thread<K> {
    /// Its number in records, from 1 on in each process.
    pub number: u32,
    /// The process that it belongs to.
    pub process: ProcessId,
    /// The space that it runs in.
    pub space: SpaceId,
    /// What the processor keeps of it, registers included; of the current thread it is elsewhere.
    state: Option<Box<K>>,
}

/// A thread that cannot run, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Which one.
    pub thread: ThreadNumber,
    /// What it waits for.
    pub key: Option<Key>,
    /// Nothing lets it run until that is taken back.
    pub is_suspended: bool,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.thread)?;
        match (self.key, self.is_suspended) {
            (Some(key), false) => write!(f, " waits for {key}"),
            (Some(key), true) => write!(f, " is stopped, and waits for {key}"),
            (None, true) => f.write_str(" is stopped"),
            (None, false) => f.write_str(" has no budget"),
        }
    }
}

/// All objects of a run.
pub struct Objects<P: Processor> {
    /// What runs user code; it holds the current thread's space.
    pub processor: P,
    /// What programs take for the time.
    pub clock: Clock,
    /// Who runs, who waits, and until when.
    pub scheduler: Scheduler,
    /// Lines that interrupt.
    pub lines: Lines,
    spaces: Table<SpaceId, SpaceObject<P::Tracker>>,
    processes: Table<ProcessId, Process>,
    threads: Table<ThreadId, Thread<P::State>>,
    /// The thread that runs.
    current: ThreadId,
    /// What the processor keeps of it: out of the table, as it is looked at many times in each PE.
    state: Box<P::State>,
    next_process: u32,
    /// The number of the next PE, whosever it is.
    pub sequence: u64,
    /// The number of the first PE since another process has had the processor.
    turn: u64,
    /// The time when turns were last looked at.
    last: Moment,
}

impl<P: Processor> Objects<P> {
    /// The first objects: the space that the processor holds, and in it one thread of one
    /// process, which begins with these registers and has no budget.
    pub fn new(mut processor: P, clock: Clock, registers: &UserRegisters) -> Result<Self, (P, Exhausted)> {
        let (mut spaces, mut processes, mut threads) = (Table::default(), Table::default(), Table::default());
        let mut scheduler = Scheduler::default();
        let made = spaces
            .reserve()
            .and_then(|()| processes.reserve())
            .and_then(|()| threads.reserve())
            .and_then(|()| scheduler.reserve(threads.next()))
            .and_then(|()| processor.admit(registers, 0));
        let state = match made {
            Ok(state) => state,
            Err(exhausted) => return Err((processor, exhausted)),
        };
        let space = SpaceObject { threads: 1, next_thread: 1, ..SpaceObject::new(None) };
        let space = spaces.insert_reserved(space);
        let process = processes.insert_reserved(Process {
            number: 1,
            threads: 1,
            next_thread: 2,
            counts: Counts::default(),
        });
        let current = threads.insert_reserved(Thread { number: 1, process, space, state: None });
        scheduler.add_thread(current);
        Ok(Self {
            processor,
            clock,
            scheduler,
            lines: Lines::default(),
            spaces,
            processes,
            threads,
            current,
            state,
            next_process: 2,
            sequence: 0,
            turn: 0,
            last: Moment::default(),
        })
    }

    /// The thread that runs.
    #[inline]
    pub fn current(&self) -> ThreadId {
        self.current
    }

    /// A thread.
    #[inline]
    pub fn thread(&self, id: ThreadId) -> &Thread<P::State> {
        &self.threads[id]
    }

    /// Whether there is a thread of that name.
    pub fn has_thread(&self, id: ThreadId) -> bool {
        self.threads.get(id).is_some()
    }

    /// How many spaces, processes and threads there are.
    pub fn counts(&self) -> [usize; 3] {
        [self.spaces.count(), self.processes.count(), self.threads.count()]
    }

    /// The numbers of a thread in records.
    #[inline]
    pub fn numbers(&self, id: ThreadId) -> ThreadNumber {
        let thread = &self.threads[id];
        ThreadNumber { process: self.processes[thread.process].number, thread: thread.number }
    }

    /// The processor, and what it keeps of the current thread.
    #[inline]
    pub fn running(&mut self) -> (&mut P, &mut P::State) {
        (&mut self.processor, &mut self.state)
    }

    /// What a personality serves the current thread with: its pages, its registers, and the scheduler.
    #[inline]
    pub fn parts(&mut self) -> (&mut Space, &mut UserRegisters, &mut Scheduler) {
        (self.processor.space_mut(), P::registers_mut(&mut self.state), &mut self.scheduler)
    }

    /// The committed registers of the current thread.
    #[inline]
    pub fn registers(&self) -> &UserRegisters {
        P::registers(&self.state)
    }

    /// What the processor keeps of the current thread.
    #[inline]
    pub fn state(&self) -> &P::State {
        &self.state
    }

    /// The committed registers of any thread, to be changed.
    pub fn registers_mut(&mut self, id: ThreadId) -> &mut UserRegisters {
        P::registers_mut(match &mut self.threads[id].state {
            Some(state) => state,
            None => &mut self.state,
        })
    }

    /// Now, as programs see it.
    #[inline]
    pub fn moment(&mut self) -> Moment {
        self.clock.now(|| {
            self.processor.count_time_stamps(1);
            self.processor.now()
        })
    }

    /// Now, as a time stamp counter shows it to programs.
    pub fn ticks(&mut self) -> u64 {
        self.clock.ticks(|| {
            self.processor.count_time_stamps(1);
            self.processor.now()
        })
    }

    /// Now, as programs see it; it is [kept](Self::last_moment).
    pub fn note_moment(&mut self) -> Moment {
        self.last = self.moment();
        self.last
    }

    /// The time when turns were last looked at.
    pub fn last_moment(&self) -> Moment {
        self.last
    }

    /// Makes a process with a thread in a space of its own; the pages are given back where that fails.
    pub fn add_process(&mut self, pages: Space, registers: &UserRegisters) -> Result<ThreadId, Exhausted> {
        let made = self.spaces.reserve().and_then(|()| self.processes.reserve());
        let state = match made.and_then(|()| self.make_thread(registers, 0)) {
            Ok(state) => state,
            Err(exhausted) => {
                pages.destroy();
                return Err(exhausted);
            }
        };
        let held = Held { pages, tracker: self.processor.tracker() };
        let space = self.spaces.insert_reserved(SpaceObject::new(Some(held)));
        let number = self.next_process;
        self.next_process += 1;
        let process = self.processes.insert_reserved(Process {
            number,
            threads: 0,
            next_thread: 1,
            counts: Counts::default(),
        });
        Ok(self.put_in(process, space, state))
    }

    /// Makes a process and a space in which nobody runs; both are there until they are [left](Self::leave_group)
    /// and their last thread is gone. The pages are given back where that fails.
    pub fn add_group(&mut self, pages: Space) -> Result<(ProcessId, SpaceId), Exhausted> {
        if let Err(exhausted) = self.spaces.reserve().and_then(|()| self.processes.reserve()) {
            pages.destroy();
            return Err(exhausted);
        }
        let held = Held { pages, tracker: self.processor.tracker() };
        let space = SpaceObject { threads: 1, ..SpaceObject::new(Some(held)) };
        let process =
            Process { number: self.next_process, threads: 1, next_thread: 1, counts: Counts::default() };
        self.next_process += 1;
        Ok((self.processes.insert_reserved(process), self.spaces.insert_reserved(space)))
    }

    /// Has the process and the space of a thread stay when their last thread is gone, until they are
    /// [left](Self::leave_group).
    pub fn keep_group(&mut self, thread: ThreadId) -> (ProcessId, SpaceId) {
        let Thread { process, space, .. } = self.threads[thread];
        self.processes[process].threads += 1;
        self.spaces[space].threads += 1;
        (process, space)
    }

    /// Lets a process and a space go with their last thread.
    pub fn leave_group(&mut self, process: ProcessId, space: SpaceId) {
        self.leave_process(process);
        self.leave_space(space);
    }

    /// The number of a process in records.
    pub fn number(&self, process: ProcessId) -> u32 {
        self.processes[process].number
    }

    /// The pages of a space, whoever runs.
    pub fn space_mut(&mut self, space: SpaceId) -> &mut Space {
        match &mut self.spaces[space].held {
            Some(held) => &mut held.pages,
            None => self.processor.space_mut(),
        }
    }

    /// Makes a process whose thread runs in the space of another one's.
    pub fn add_process_in(
        &mut self,
        space: SpaceId,
        registers: &UserRegisters,
    ) -> Result<ThreadId, Exhausted> {
        self.processes.reserve()?;
        let state = self.make_thread(registers, self.spaces[space].next_thread)?;
        let number = self.next_process;
        self.next_process += 1;
        let process = self.processes.insert_reserved(Process {
            number,
            threads: 0,
            next_thread: 1,
            counts: Counts::default(),
        });
        Ok(self.put_in(process, space, state))
    }

    /// Makes one more thread of a process, in a space.
    pub fn add_thread(
        &mut self,
        process: ProcessId,
        space: SpaceId,
        registers: &UserRegisters,
    ) -> Result<ThreadId, Exhausted> {
        let state = self.make_thread(registers, self.spaces[space].next_thread)?;
        Ok(self.put_in(process, space, state))
    }

    /// Makes room for a thread, and what the processor keeps of it; `number` is that in its space.
    fn make_thread(&mut self, registers: &UserRegisters, number: u8) -> Result<Box<P::State>, Exhausted> {
        self.threads.reserve()?;
        self.scheduler.reserve(self.threads.next())?;
        self.processor.admit(registers, number)
    }

    fn put_in(&mut self, process: ProcessId, space: SpaceId, state: Box<P::State>) -> ThreadId {
        let group = &mut self.processes[process];
        let number = group.next_thread;
        group.threads += 1;
        group.next_thread = number.saturating_add(1);
        let room = &mut self.spaces[space];
        room.threads += 1;
        room.next_thread = room.next_thread.wrapping_add(1);
        let id = self.threads.insert_reserved(Thread { number, process, space, state: Some(state) });
        self.scheduler.add_thread(id);
        id
    }

    /// Makes another thread the current one.
    pub fn switch_to(&mut self, id: ThreadId) {
        let from_process = self.threads[self.current].process;
        if from_process != self.threads[id].process {
            self.processes[from_process].counts.pes += self.sequence - self.turn;
            self.turn = self.sequence;
        }
        let (from, to) = (self.threads[self.current].space, self.threads[id].space);
        if let Some(state) = self.threads[id].state.take() {
            self.threads[self.current].state = Some(core::mem::replace(&mut self.state, state));
        }
        self.current = id;
        if from != to {
            let Some(held) = self.spaces[to].held.take() else { panic!("{to:?} has no pages") };
            self.spaces[from].held = Some(self.processor.exchange(held));
            self.processor.activate();
        }
    }

    /// Has all PEs in a space run by another policy from now on.
    pub fn set_policy(&mut self, space: SpaceId, policy: Policy) {
        match self.spaces[space].held.take() {
            Some(held) => {
                let held = Self::release(&mut self.processor, held, |processor| processor.set_policy(policy));
                self.spaces[space].held = Some(held);
            }
            None => self.processor.set_policy(policy),
        }
    }

    /// Has a space that the processor does not hold give up copies of its pages.
    fn release(processor: &mut P, space: Held<P::Tracker>, release: impl FnOnce(&mut P)) -> Held<P::Tracker> {
        let current = processor.exchange(space);
        release(processor);
        processor.exchange(current)
    }

    /// Has the current thread run in a space of its own from now on; the pages are given back where
    /// that fails.
    pub fn move_to(&mut self, pages: Space) -> Result<(), Exhausted> {
        if let Err(exhausted) = self.spaces.reserve() {
            pages.destroy();
            return Err(exhausted);
        }
        let held = Held { pages, tracker: self.processor.tracker() };
        let to = self.spaces.insert_reserved(SpaceObject { threads: 1, ..SpaceObject::new(None) });
        let from = core::mem::replace(&mut self.threads[self.current].space, to);
        self.spaces[from].held = Some(self.processor.exchange(held));
        self.processor.activate();
        self.leave_space(from);
        Ok(())
    }

    /// A thread less belongs to a process, which goes with the last one.
    fn leave_process(&mut self, process: ProcessId) {
        let left = &mut self.processes[process].threads;
        *left -= 1;
        if *left == 0 {
            self.processes.remove(process);
        }
    }

    /// A thread less runs in a space, which goes with the last one.
    fn leave_space(&mut self, space: SpaceId) {
        let left = &mut self.spaces[space].threads;
        *left -= 1;
        if *left == 0
            && let Some(held) = self.spaces.remove(space).held
        {
            Self::release(&mut self.processor, held, P::release).pages.destroy();
        }
    }

    /// Has all spaces but the current one give up copies of their pages: those that rest, or if there are none, all.
    pub fn release_copies(&mut self) {
        let before = self.processor.pooled();
        for release in [P::release_resting, P::release] {
            for space in self.spaces.iter_mut() {
                space.held = space.held.take().map(|held| Self::release(&mut self.processor, held, release));
            }
            if self.processor.pooled() > before {
                break;
            }
        }
    }

    /// Has all spaces give up copies of their pages, and gives the frames back in which they were.
    pub fn give_back_copies(&mut self) {
        for space in self.spaces.iter_mut() {
            space.held = space.held.take().map(|held| Self::release(&mut self.processor, held, P::release));
        }
        self.processor.release();
        self.processor.give_back();
    }

    /// Destroys a thread that does not run, with its budget; its process and its space go with
    /// their last thread.
    ///
    /// # Panics
    /// If it is the current one.
    pub fn destroy_thread(&mut self, id: ThreadId) {
        assert!(id != self.current, "the current thread is destroyed");
        self.scheduler.remove_thread(id);
        let thread = self.threads.remove(id);
        self.leave_process(thread.process);
        self.leave_space(thread.space);
    }

    /// Destroys all threads of a process but the current one; returns whether that is one of them.
    pub fn destroy_process(&mut self, process: ProcessId) -> bool {
        let mut next = self.threads.first();
        while let Some(id) = next {
            next = self.threads.behind(id);
            if id != self.current && self.threads[id].process == process {
                self.destroy_thread(id);
            }
        }
        self.threads[self.current].process == process
    }

    /// Threads that cannot run, by their places.
    pub fn blocked(&self) -> impl Iterator<Item = Blocked> {
        self.scheduler.waiting().map(|(id, key, is_suspended)| Blocked {
            thread: self.numbers(id),
            key,
            is_suspended,
        })
    }

    /// Destroys everything; returns the processor with the last space.
    pub fn destroy(mut self) -> P {
        let mut next = self.threads.first();
        while let Some(id) = next {
            next = self.threads.behind(id);
            if id != self.current {
                self.destroy_thread(id);
            }
        }
        for space in self.spaces.iter_mut() {
            if let Some(held) = space.held.take() {
                Self::release(&mut self.processor, held, P::release).pages.destroy();
            }
        }
        self.processor.release();
        self.processor
    }
}
