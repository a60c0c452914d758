// SPDX-License-Identifier: MIT
//! A thread and its space on one processor, as an executive would hold them.

use std::collections::BTreeMap;

use flips::{Injection, Injector, Witness};
use pe_replay::diagnose::Culprit;
use pe_replay::lifecycle::{Event, Phase};
use pe_replay::placement::Placement;
use pe_replay::{
    Account, Course, Difference, End, Entry, Executor, Internals, Memory, Observer, Outcome, Policy, Pool,
    Replay, Run, Thread, ThreadOf, Tracker, UserRegisters,
};
use pmu::Margin;

use crate::machine::Model;
use crate::private::Private;

/// What a committed PE left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    pub registers: UserRegisters,
    pub end: End,
    /// The hash of each page that it wrote, by address.
    pub pages: BTreeMap<u64, u128>,
}

/// Entries of the pool.
const ENTRIES: usize = 128;

/// How pages are placed.
enum Placed {
    InPlace(Replay),
    Private(Tracker<Private>),
}

pub struct Engine {
    pub executor: Executor<Model>,
    thread: ThreadOf<Model>,
    placed: Placed,
    injections: Vec<Injection>,
    sequence: u64,
    eyes: Eyes,
}

/// The model watches.
#[derive(Clone, Copy)]
struct Eyes {
    skips_run_2: bool,
}

impl Witness<Model> for Eyes {}

impl Observer<Model> for Eyes {
    fn skips_run_2(&self) -> bool {
        self.skips_run_2
    }

    fn stepped(&mut self, machine: &mut Model, from: Phase, event: Event, to: Phase) {
        machine.stepped(from, event, to);
    }

    fn visit<P: Placement>(&mut self, machine: &mut Model, inside: Internals<'_, Model, P>) {
        if self.skips_run_2
            && matches!(&inside.life, Some(life) if life.phase == Phase::Verifying(Run::Second))
        {
            for page in inside.pages() {
                page.copies().get(1).into_iter().for_each(|second| machine.copy(page.page.frame, *second));
            }
        }
        machine.visit(inside);
    }
}

impl Engine {
    pub fn new(
        policy: Policy,
        private: bool,
        margin: Margin,
        injections: Vec<Injection>,
        skips_run_2: bool,
        now: u64,
    ) -> Self {
        let place = || Box::new(UserRegisters::new(0, 0));
        let entries: Vec<_> = (0..ENTRIES).map(|_| Entry::vacant(0, 0)).collect();
        let results = std::array::from_fn(|_| place());
        let placed = match private {
            true => Placed::Private(Tracker::new(1, policy)),
            false => Placed::InPlace(Replay::new(1, policy)),
        };
        Self {
            executor: Executor::new(results, Pool::new(entries), margin, now),
            thread: Thread::new(place(), place(), 0),
            placed,
            injections,
            sequence: 0,
            eyes: Eyes { skips_run_2 },
        }
    }

    /// One PE.
    pub fn execute(&mut self, machine: &mut Model) -> Outcome {
        let due: Vec<_> = self.injections.iter().copied().filter(|flip| flip.pe == self.sequence).collect();
        let Self { executor, thread, placed, eyes, .. } = self;
        let observer = &mut Injector::new(&due, eyes);
        self.sequence += 1;
        match placed {
            Placed::InPlace(it) => executor.execute(machine, thread, it, u64::MAX, observer),
            Placed::Private(tracker) => {
                Course { machine, executor, thread, tracker, observer }.execute(u64::MAX)
            }
        }
    }

    /// The number of the next PE.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    pub fn state(&self) -> &UserRegisters {
        self.thread.registers()
    }

    pub fn state_mut(&mut self) -> &mut UserRegisters {
        self.thread.registers_mut()
    }

    pub fn account(&self) -> &Account {
        &self.executor.account
    }

    pub fn left(&self, machine: &mut Model, end: End) -> Left {
        let Placed::InPlace(replay) = &self.placed else { panic!("of private pages it is not asked for") };
        let pages = self.executor.last_written(replay);
        let pages = pages.map(|(address, frame)| (address, machine.hash(frame))).collect();
        Left { registers: self.state().clone(), end, pages }
    }

    pub fn diagnose(&mut self, machine: &mut Model, seen: Difference, log: &mut [u64]) -> Option<Culprit> {
        let Self { executor, thread, placed, .. } = self;
        match placed {
            Placed::InPlace(it) => executor.diagnose(machine, thread, it, seen, log),
            Placed::Private(tracker) => {
                Course { machine, executor, thread, tracker, observer: &mut () }.diagnose(seen, log)
            }
        }
    }
}
