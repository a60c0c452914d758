// SPDX-License-Identifier: MIT
//! Carries out what the state machine asks for, on a [`Machine`].
//!
//! [`Engine::execute`] is one PE from Prepare to Commit or Verdict. The kernel
//! calls it for every stretch of user code; host tests call it on a model.

use arrayvec::ArrayVec;
use pmu::Margin;

use crate::compare::Difference;
use crate::digest::Digest;
use crate::events::Work;
use crate::inject::Injection;
use crate::inject::MAX_INJECTIONS;
use crate::inside::Inside;
use crate::life::{Action, Event, Ground, Life, Rules, Run};
use crate::machine::{Machine, PageOf};
use crate::mutation::Mutation;
use crate::phases::{Phase as Timed, Stopwatch};
use crate::policy::{Flush, MAX_DIVERGENCES, Mode, Policy};
use crate::registers::{Registers, STATES};
use crate::stop::Delimiter;
use crate::user::UserRegisters;
use crate::written::WrittenSet;

mod diagnose;
mod flip;
mod judge;
mod run;

pub use diagnose::{Culprit, MAX_STEPS};

/// A PE that was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// What ended it.
    pub delimiter: Delimiter,
    /// Its instructions.
    pub count: u64,
}

/// What became of a PE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its result is the state.
    Committed(Committed),
    /// It diverges persistently; the state is that before it.
    Persistent {
        /// The first difference of the last attempt.
        difference: Difference,
        /// Where the last first run ended.
        end_rip: u64,
    },
    /// A fault hit one of the engine's copies of the state before it, and nothing
    /// tells which one: that state is lost.
    Damaged {
        /// Where the copies differ.
        difference: Difference,
    },
    /// Its first instruction needs more frames at once than the pool has; the
    /// state is that before it.
    OutOfFrames,
}

/// What is recorded about a PE beside its outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Pages written.
    pub frames_written: u16,
    /// Write faults taken for them, all attempts.
    pub write_faults: u16,
    /// First difference of each attempt in which not all runs agreed.
    pub divergences: ArrayVec<Difference, { MAX_DIVERGENCES as usize }>,
    /// The run whose result was not taken, where two of three agreed.
    pub outvoted: Option<Run>,
    /// Third runs.
    pub third_runs: u16,
    /// Runs repeated because the counter overshot.
    pub counter_misses: u16,
    /// Counter interrupts before their time, or after it.
    pub early_overflows: u16,
    /// Debug exceptions taken to stop exactly, all attempts.
    pub debug_exceptions: u32,
    /// Flips applied.
    pub flips: u16,
    /// The time from the first user entry to the end of the PE, all attempts, in
    /// the counter's unit: so long were interrupts held back.
    pub longest_hold: u64,
}

impl Account {
    /// Whether nothing happened that does not happen in every PE.
    #[inline]
    pub fn is_quiet(&self) -> bool {
        self.divergences.is_empty()
            && self.third_runs | self.counter_misses | self.early_overflows | self.flips == 0
            && self.debug_exceptions == 0
    }
}

/// Runs PEs, one after the other.
pub struct Engine<M: Machine> {
    policy: Policy,
    rules: Rules,
    set: WrittenSet<M>,
    registers: Registers<M::State>,
    injections: ArrayVec<Injection, MAX_INJECTIONS>,
    mutation: Option<Mutation>,
    /// A flip cleared RFLAGS.IF in the current run.
    interrupts_off: bool,
    sequence: u64,
    /// When user mode was entered first in the current PE.
    entered: Option<u64>,
    account: Account,
    /// What the machine was made to do, since the first PE.
    pub events: Work,
    /// Where time goes; the owner laps what happens between PEs.
    pub watch: Stopwatch,
}

/// The engine's machine, its work counted. A macro, since a method would borrow all
/// of the engine.
macro_rules! counted {
    ($engine:expr, $machine:expr) => {
        &mut $crate::events::Counted { machine: $machine, events: &mut $engine.events }
    };
}
use counted;

impl<M: Machine> Engine<M> {
    /// An engine before its first PE. `margin` is the counter's; what is in `states` does not
    /// matter.
    pub fn new(
        policy: Policy,
        margin: Margin,
        injections: ArrayVec<Injection, MAX_INJECTIONS>,
        mutation: Option<Mutation>,
        states: [M::State; STATES],
        now: u64,
    ) -> Self {
        Self {
            policy,
            rules: Rules::new(&policy, margin),
            set: WrittenSet::new(policy.max_dirty, policy.comparison),
            registers: Registers::new(states, policy.mode != Mode::Off),
            injections,
            mutation,
            interrupts_off: false,
            sequence: 0,
            entered: None,
            account: Account::default(),
            events: Work::default(),
            watch: Stopwatch::start(now),
        }
    }

    /// What this engine is to leave out; nothing unless that is compiled in.
    #[inline]
    fn mutation(&self) -> Option<Mutation> {
        if cfg!(feature = "mutants") { self.mutation } else { None }
    }

    /// The sequence number of the next PE.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The committed state, in the normal form after a PE.
    pub fn state(&self) -> &UserRegisters {
        self.registers.start()
    }

    /// The committed state, to be changed between PEs.
    pub fn state_mut(&mut self) -> &mut UserRegisters {
        self.registers.start_mut()
    }

    /// What is recorded about the last PE.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The digest of what the last PE, which was committed so, has left behind; to be asked for before
    /// the state is changed.
    pub fn digest(&self, machine: &mut M, committed: &Committed) -> Digest {
        let Committed { delimiter, count } = *committed;
        Digest::new(self.state(), delimiter, count, self.set.last_written(machine))
    }

    /// Goes on after other engines have had the machine: with the PE of this number,
    /// counting time from `now` on, and with at most `limit` instructions a PE as long
    /// as that is less than the policy's.
    pub fn resume(&mut self, sequence: u64, now: u64, limit: u64) {
        self.sequence = sequence;
        self.rules.limit = limit.min(self.policy.limit);
        self.watch = Stopwatch::start(now);
    }

    /// Lets go of the pages for which `which` holds, between two PEs: somebody else
    /// may write their frames before the next one.
    pub fn let_go(&mut self, machine: &mut M, which: impl Fn(&M, &PageOf<M>) -> bool) {
        let machine = counted!(self, machine);
        if machine.machine.disturbed() {
            self.set.refresh(machine);
        }
        self.set.let_go(machine, which);
    }

    /// Lets go of everything of the machine's that is kept from PE to PE.
    pub fn retire(&mut self, machine: &mut M) {
        let machine = counted!(self, machine);
        if machine.machine.disturbed() {
            self.set.refresh(machine);
        }
        self.set.clear(machine);
    }

    /// One PE: executes user code from [`state`](Self::state) and leaves the
    /// committed state there.
    pub fn execute(&mut self, machine: &mut M) -> Outcome {
        self.account = Account::default();
        self.entered = None;
        let outcome = self.live(machine);
        self.watch.lap(Timed::VerifyCommit, machine.now());
        self.account.longest_hold = self.entered.map_or(0, |entered| self.watch.mark().wrapping_sub(entered));
        self.sequence += 1;
        outcome
    }

    /// A PE's life in the order in which nearly all live it. What follows on what is
    /// for [`Life`] to say, here as in [`live_on`](Self::live_on); but here the compiler
    /// knows where in it the PE is, and that saves some 200 instructions.
    #[inline(always)]
    fn live(&mut self, machine: &mut M) -> Outcome {
        let (mut life, action) = Life::begin(self.rules);
        assert!(action == Action::Prepare, "a life begins with {action:?}");
        self.visit(machine);
        let event = self.prepare(machine);
        let action = self.step(&mut life, machine, event);
        let Action::Execute(Run::First, approach) = action else {
            return self.live_on(machine, life, action);
        };
        let event = self.run(machine, Run::First, approach, &life);
        let action = self.step(&mut life, machine, event);
        if action == (Action::Commit { outvoted: None }) {
            return self.commit(machine, None, &life);
        }
        let Action::Turn(Run::Second) = action else { return self.live_on(machine, life, action) };
        let event = self.turn(machine, Run::Second, &life);
        let action = self.step(&mut life, machine, event);
        let Action::Execute(Run::Second, approach) = action else {
            return self.live_on(machine, life, action);
        };
        let event = self.run(machine, Run::Second, approach, &life);
        let action = self.step(&mut life, machine, event);
        let Action::Verify(Run::Second) = action else { return self.live_on(machine, life, action) };
        let event = self.judge(machine, Run::Second, &life);
        let action = self.step(&mut life, machine, event);
        let Action::Commit { outvoted: None } = action else { return self.live_on(machine, life, action) };
        self.commit(machine, None, &life)
    }

    /// The rest of a PE's life, however it goes.
    #[cold]
    #[inline(never)]
    fn live_on(&mut self, machine: &mut M, mut life: Life, mut action: Action) -> Outcome {
        let outcome = loop {
            let event = match action {
                Action::Prepare => self.prepare(machine),
                Action::Execute(run, approach) => self.run(machine, run, approach, &life),
                Action::Turn(run) => self.turn(machine, run, &life),
                Action::Verify(run) => self.judge(machine, run, &life),
                Action::Commit { outvoted } => break self.commit(machine, outvoted, &life),
                Action::RollBack => self.roll_back(machine, &life),
                Action::Verdict(ground) => break self.give_up(machine, ground, &life),
            };
            action = self.step(&mut life, machine, event);
        };
        self.account.counter_misses = life.misses();
        outcome
    }

    /// What `life` says to do after `event`; the machine is told.
    #[inline(always)]
    fn step(&mut self, life: &mut Life, machine: &mut M, event: Event) -> Action {
        let before = life.phase();
        let action = life.step(event);
        machine.stepped(before, event, life.phase());
        self.visit(machine);
        action
    }

    /// Brings UPRR0 to the normal form and the written set up to date.
    #[inline(always)]
    fn prepare(&mut self, machine: &mut M) -> Event {
        if machine.disturbed() {
            self.set.refresh(counted!(self, machine));
        }
        self.registers.prepare(machine);
        Event::Done
    }

    #[inline]
    fn visit(&mut self, machine: &mut M) {
        machine.visit(Inside { registers: &mut self.registers, set: &self.set });
    }

    /// Puts PM0 and UPRR0 in place for run 2 or 3, and flushes the caches before if
    /// that is asked for.
    #[inline(always)]
    fn turn(&mut self, machine: &mut M, run: Run, life: &Life) -> Event {
        match self.policy.flush {
            Flush::Never => {}
            Flush::Retry if self.policy.mode == Mode::Triple || run == Run::Second => {}
            Flush::Lines | Flush::All | Flush::Retry => self.flush(machine),
        }
        let may_miss = life.target(run).is_some() && self.rules.margin.far > 0;
        let turned = self.set.turn(counted!(self, machine), run, may_miss);
        self.watch.lap(Timed::Restart, machine.now());
        match turned {
            Ok(()) => Event::Done,
            Err(difference) => Event::Damaged(difference),
        }
    }

    #[cold]
    fn flush(&mut self, machine: &mut M) {
        // What came before belongs to getting ready.
        self.watch.lap(Timed::Restart, machine.now());
        match self.policy.flush {
            Flush::Never => {}
            Flush::Lines => counted!(self, machine).flush_lines(),
            Flush::All | Flush::Retry => counted!(self, machine).flush_caches(),
        }
        self.watch.lap(Timed::Flush, machine.now());
    }

    /// Makes the result that was agreed on the state.
    #[inline(always)]
    fn commit(&mut self, machine: &mut M, outvoted: Option<Run>, life: &Life) -> Outcome {
        let result = if outvoted == Some(Run::First) { Run::Second } else { Run::First };
        let end = life.end(result);
        let blocked = matches!(end.delimiter, Delimiter::DirtyLimit { .. }) && end.count == 0;
        if blocked && outvoted.is_none() && self.is_unchanged(result) {
            // Committed, it would only come back to the same write.
            let put_back = self.set.roll_back(counted!(self, machine), None);
            return match put_back {
                Ok(()) => Outcome::OutOfFrames,
                Err(difference) => Outcome::Damaged { difference },
            };
        }
        if let (Some(run), Some(difference)) = (outvoted, life.difference()) {
            self.account.outvoted = Some(run);
            self.account.divergences.push(difference);
        }
        match outvoted {
            // A mutant's results need not be equal.
            _ if self.policy.mode == Mode::Off || self.mutation().is_some() => {
                self.registers.commit_unchecked(result);
            }
            None | Some(Run::Third) => self.registers.commit(result, Run::Second),
            Some(Run::First | Run::Second) => self.registers.commit(result, Run::Third),
        }
        self.account.frames_written = self.set.commit(counted!(self, machine), outvoted);
        Outcome::Committed(Committed { delimiter: end.delimiter, count: end.count })
    }

    /// Whether a run has changed no register.
    #[cold]
    fn is_unchanged(&mut self, run: Run) -> bool {
        self.registers.normalize(run);
        self.registers.of(run) == self.registers.start()
    }

    /// Puts PM0 and UPRR0 back, if they can be trusted.
    #[cold]
    fn roll_back(&mut self, machine: &mut M, life: &Life) -> Event {
        if let Some(difference) = life.difference() {
            self.account.divergences.push(difference);
        }
        let damage = self.registers.damage();
        let put_back = self.set.roll_back(counted!(self, machine), life.difference());
        self.watch.lap(Timed::Restart, machine.now());
        if self.policy.flush != Flush::Never {
            self.flush(machine);
        }
        match (damage, put_back) {
            (None, Ok(())) => Event::Done,
            (Some(difference), _) | (None, Err(difference)) => Event::Damaged(difference),
        }
    }

    #[cold]
    fn give_up(&mut self, machine: &mut M, ground: Ground, life: &Life) -> Outcome {
        let difference = life.difference().unwrap_or(Difference::NONE);
        match ground {
            Ground::Persistent => {
                Outcome::Persistent { difference, end_rip: self.registers.of(Run::First).rip }
            }
            Ground::Damaged => {
                // Nobody may go on from there, but the machine's tables have to be in order.
                let _ = self.set.roll_back(counted!(self, machine), None);
                Outcome::Damaged { difference }
            }
        }
    }
}
