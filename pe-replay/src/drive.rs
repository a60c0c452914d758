// SPDX-License-Identifier: MIT
//! Carries out what the state machine asks for, on a [`Machine`].
//!
//! [`Engine::execute`] is one PE from Prepare to Commit or Verdict. The kernel
//! calls it for every stretch of user code; host tests call it on a model.

use core::cmp::Ordering;

use arrayvec::ArrayVec;

use crate::compare::{self, Difference, Field, RunResult};
use crate::inject::{Injection, Target};
use crate::life::{Action, Approach, Event, Phase, Rules, Run, RunEnd};
use crate::phases::{Phase as Timed, Stopwatch};
use crate::policy::{MAX_DIVERGENCES, Mode, Policy};
use crate::stop::{Cause, Delimiter, Stop, vector};
use crate::uprr::{INTERRUPT_FLAG, TRAP_FLAG, Uprr, xsave};
use crate::wire::config::{MAX_INJECTIONS, Mutation};
use crate::written::{SetFull, WrittenSet};

/// How user mode is to be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Instructions after which the counter is to stop it; at least 1.
    pub budget: u64,
    /// Single-step: stop with #DB after one instruction. The trap flag is the
    /// engine's own and is taken out of the state at the stop; an instruction that
    /// reads or writes RFLAGS (PUSHF, POPF, IRET) must not see it.
    pub step: bool,
    /// Enter with RFLAGS.IF clear, because a flip did that.
    pub interrupts_off: bool,
    /// A run begins here: nothing that the saved state does not carry may be left
    /// over from before (FNINIT). Within a run such things have to survive.
    pub fresh: bool,
}

/// A user page, as the tracker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappedPage<F> {
    /// Its address, a multiple of the page length.
    pub address: u64,
    /// The frame that holds it between PEs.
    pub home: F,
    /// Whether the process may truly write it.
    pub writable: bool,
}

/// The hardware that the engine works on.
pub trait Machine {
    /// Names a page frame.
    type Frame: Copy + Eq;

    /// The time, in the counter's unit.
    fn now(&mut self) -> u64;
    /// Executes user code from `state` until it stops; `state` is then the
    /// state at the stop, not yet in the normal form.
    fn enter(&mut self, state: &mut Uprr, order: Order) -> Stop;
    /// The page mapped at `address`, if there is one.
    fn page(&mut self, address: u64) -> Option<MappedPage<Self::Frame>>;
    /// Takes a frame from the pool.
    fn allocate(&mut self) -> Option<Self::Frame>;
    /// Gives a frame back to the pool.
    fn release(&mut self, frame: Self::Frame);
    /// Copies a frame.
    fn copy(&mut self, from: Self::Frame, to: Self::Frame);
    /// Where two frames differ first.
    fn first_difference(&mut self, a: Self::Frame, b: Self::Frame) -> Option<u16>;
    /// A byte of a frame.
    fn byte(&mut self, frame: Self::Frame, offset: u16) -> u8;
    /// Changes a byte of a frame by exclusive or.
    fn flip(&mut self, frame: Self::Frame, offset: u16, mask: u8);
    /// Maps `page`, and every other page with the same home, to `frame`: writable
    /// if `writable` and the process may truly write there, else read-only. No
    /// stale translation is left behind; all other permissions stay.
    fn map(&mut self, page: MappedPage<Self::Frame>, frame: Self::Frame, writable: bool);
}

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
    /// First difference of each failed attempt.
    pub divergences: ArrayVec<Difference, { MAX_DIVERGENCES as usize }>,
    /// Second runs repeated because the counter overshot.
    pub counter_misses: u16,
    /// Counter interrupts before their time.
    pub early_overflows: u16,
    /// Flips applied.
    pub flips: u16,
    /// The time from the first user entry to the end of the PE, all attempts, in
    /// the counter's unit: so long were interrupts held back.
    pub longest_hold: u64,
}

/// Runs PEs, one after the other.
pub struct Engine<M: Machine> {
    policy: Policy,
    rules: Rules,
    set: WrittenSet<M::Frame>,
    start: Uprr,
    first: Uprr,
    injections: ArrayVec<Injection, MAX_INJECTIONS>,
    mutation: Option<Mutation>,
    interrupts_off: bool,
    sequence: u64,
    /// When user mode was first entered in the current PE.
    entered: Option<u64>,
    /// Where the time goes; the owner laps what happens between PEs.
    pub watch: Stopwatch,
}

impl<M: Machine> Engine<M> {
    /// An engine before its first PE. `margin` is the counter's.
    pub fn new(
        policy: Policy,
        margin: u64,
        injections: ArrayVec<Injection, MAX_INJECTIONS>,
        mutation: Option<Mutation>,
        now: u64,
    ) -> Self {
        Self {
            policy,
            rules: Rules { mode: policy.mode, limit: policy.limit, margin },
            set: WrittenSet::new(policy.max_dirty),
            start: Uprr::new(0, 0),
            first: Uprr::new(0, 0),
            injections,
            mutation: if cfg!(feature = "mutants") { mutation } else { None },
            interrupts_off: false,
            sequence: 0,
            entered: None,
            watch: Stopwatch::start(now),
        }
    }

    /// The sequence number of the next PE.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The start state of the PE that [`execute`](Self::execute) executed last.
    pub fn start(&self) -> &Uprr {
        &self.start
    }

    /// One PE: executes user code from `state` and leaves the committed state
    /// there, in the normal form.
    pub fn execute(&mut self, machine: &mut M, state: &mut Uprr) -> (Outcome, Account) {
        let mut account = Account::default();
        let mut first = RunEnd { delimiter: Delimiter::Limit, count: 0, overshot: false };
        let mut second = first;
        let mut end_rip = state.rip;
        self.entered = None;
        let (mut phase, mut action) = Phase::begin();
        let outcome = loop {
            let event = match action {
                Action::Prepare => {
                    state.normalize();
                    self.start.clone_from(state);
                    Event::Done
                }
                Action::Execute(run @ Run::First, approach) => {
                    first = self.run(machine, state, run, approach, None, &mut account);
                    state.normalize();
                    end_rip = state.rip;
                    if self.policy.mode == Mode::Dual {
                        self.first.clone_from(state);
                    }
                    Event::Ended(first)
                }
                Action::Execute(run @ Run::Second, approach) => {
                    second = if self.mutation == Some(Mutation::SkipSecondRun) {
                        state.clone_from(&self.first);
                        first
                    } else {
                        self.run(machine, state, run, approach, Some(first), &mut account)
                    };
                    state.normalize();
                    second.overshot = self.is_overshot(state, first, second);
                    Event::Ended(second)
                }
                Action::Turn => {
                    self.set.turn(machine);
                    state.clone_from(&self.start);
                    self.watch.lap(Timed::Restart, machine.now());
                    Event::Done
                }
                Action::Verify => Event::Verified(self.verify(machine, state, first, second)),
                Action::Commit => {
                    account.frames_written = self.set.len() as u16;
                    let blocked = matches!(first.delimiter, Delimiter::DirtyLimit { .. });
                    if blocked && first.count == 0 && self.first == self.start {
                        // Committed, it would only come back to the same write.
                        self.set.roll_back(machine);
                        state.clone_from(&self.start);
                        break Outcome::OutOfFrames;
                    }
                    if self.policy.mode == Mode::Dual {
                        state.clone_from(&self.first);
                    }
                    self.set.commit(machine);
                    break Outcome::Committed(Committed { delimiter: first.delimiter, count: first.count });
                }
                Action::RollBack => {
                    if let Phase::RollingBack { difference, .. } = phase {
                        account.divergences.push(difference);
                    }
                    self.set.roll_back(machine);
                    state.clone_from(&self.start);
                    self.watch.lap(Timed::Restart, machine.now());
                    Event::Done
                }
                Action::Verdict(difference) => {
                    break Outcome::Persistent { difference, end_rip };
                }
            };
            let before = phase;
            (phase, action) = phase.step(event, &self.rules);
            if let (Phase::Second { .. }, Phase::Turning { .. }) = (before, phase) {
                account.counter_misses = account.counter_misses.saturating_add(1);
            }
        };
        self.watch.lap(Timed::VerifyCommit, machine.now());
        account.longest_hold = self.entered.map_or(0, |entered| self.watch.mark().wrapping_sub(entered));
        self.sequence += 1;
        (outcome, account)
    }

    fn verify(&mut self, machine: &mut M, state: &Uprr, first: RunEnd, second: RunEnd) -> Option<Difference> {
        let skip = match self.mutation {
            Some(Mutation::Drop(field)) => Some(field),
            Some(Mutation::SkipSecondRun) => return None,
            None => None,
        };
        let registers = compare::first_difference(
            RunResult { uprr: &self.first, delimiter: first.delimiter, count: first.count },
            RunResult { uprr: state, delimiter: second.delimiter, count: second.count },
            skip,
        );
        registers.or_else(|| match skip {
            Some(Field::Memory) => None,
            Some(_) | None => self.set.first_difference(machine),
        })
    }

    /// Executes one run to its end, through write faults, flips, interrupts
    /// before their time and single steps.
    fn run(
        &mut self,
        machine: &mut M,
        state: &mut Uprr,
        run: Run,
        approach: Approach,
        first: Option<RunEnd>,
        account: &mut Account,
    ) -> RunEnd {
        let (limit, free_until) = match approach {
            Approach::Free { limit } => (limit, limit),
            Approach::Exact { count, margin } => (count, count.saturating_sub(margin)),
        };
        let (in_run, before_run) = match run {
            Run::First => (Timed::FirstRun, Timed::Treatment),
            Run::Second => (Timed::SecondRun, Timed::Restart),
        };
        let mut count = 0;
        let mut fresh = true;
        // What passes between two entries belongs to what the last stop was for;
        // before the first entry, to preparing.
        let afresh = first.is_none() && account.divergences.is_empty();
        let mut gap = if afresh { Timed::Other } else { Timed::Restart };
        self.interrupts_off = false;
        let delimiter = loop {
            if count >= limit {
                break Delimiter::Limit;
            }
            self.flip_due(machine, state, run, count, account);
            let next_flip = self.next_flip(run, count);
            let target = if count < free_until { free_until } else { limit };
            let step = count >= free_until && limit > free_until;
            let target = next_flip.map_or(target, |at| target.min(at));
            let budget = if step { limit - count } else { target - count };
            let user_trap = state.rflags & TRAP_FLAG;
            let stop =
                machine.enter(state, Order { budget, step, interrupts_off: self.interrupts_off, fresh });
            fresh = false;
            if self.sequence == 0 && self.entered.is_none() {
                // All time is counted from the first user entry of the process.
                self.watch = Stopwatch::start(stop.entered);
            }
            self.watch.lap(gap, stop.entered);
            self.watch.lap(in_run, stop.entered.wrapping_add(stop.ticks));
            gap = before_run;
            self.entered.get_or_insert(stop.entered);
            count += stop.instructions;
            if step && user_trap == 0 {
                state.rflags &= !TRAP_FLAG;
            }
            match stop.cause {
                Cause::Counter if count >= limit => break Delimiter::Limit,
                Cause::Counter => {
                    if next_flip != Some(count) && count < target {
                        account.early_overflows = account.early_overflows.saturating_add(1);
                    }
                }
                Cause::Exception { vector: vector::DEBUG, .. } if step && user_trap == 0 => {}
                cause @ (Cause::Syscall | Cause::Exception { .. } | Cause::Watchdog) => {
                    match self.treat(machine, run, cause, first, account) {
                        Some(delimiter) => break delimiter,
                        None => self.watch.lap(Timed::Treatment, machine.now()),
                    }
                }
            }
        };
        RunEnd { delimiter, count, overshot: false }
    }

    /// Whether run 2 went past the limit that ended run 1, or stands there before
    /// an instruction that faults: the counter's interrupt was late, and by then
    /// anything may have ended the run. With interrupts off it was not late but
    /// could not come, which is a divergence.
    fn is_overshot(&self, state: &Uprr, first: RunEnd, second: RunEnd) -> bool {
        let late = match second.count.cmp(&first.count) {
            Ordering::Less => false,
            Ordering::Equal => second.delimiter != Delimiter::Limit && *state == self.first,
            Ordering::Greater => true,
        };
        late && first.delimiter == Delimiter::Limit && state.rflags & INTERRUPT_FLAG != 0
    }

    /// Decides what a stop other than the counter's means: the tracker's own
    /// write fault (`None`, and the run goes on) or the end of the run.
    fn treat(
        &mut self,
        machine: &mut M,
        run: Run,
        cause: Cause,
        first: Option<RunEnd>,
        account: &mut Account,
    ) -> Option<Delimiter> {
        let delimiter = Delimiter::of(cause);
        let Some(address) = cause.write_fault() else { return Some(delimiter) };
        let Some(page) = machine.page(address).filter(|page| page.writable) else { return Some(delimiter) };
        if self.policy.mode == Mode::Off || self.set.contains(page.home) {
            return Some(delimiter);
        }
        match run {
            Run::First => match self.set.open(machine, page) {
                Ok(()) => {
                    account.write_faults = account.write_faults.saturating_add(1);
                    None
                }
                Err(SetFull) => Some(Delimiter::DirtyLimit { address }),
            },
            // Run 2 finds all of run 1's pages writable. A write anywhere else is
            // where run 1 met the dirty-frame limit, or a divergence.
            Run::Second => match first.map(|first| first.delimiter) {
                Some(Delimiter::DirtyLimit { .. }) => Some(Delimiter::DirtyLimit { address }),
                Some(_) | None => Some(delimiter),
            },
        }
    }

    /// The next flip in this run after `count` instructions.
    fn next_flip(&self, run: Run, count: u64) -> Option<u64> {
        let due = |flip: &&Injection| flip.pe == self.sequence && flip.run == run && flip.at > count;
        self.injections.iter().filter(due).map(|flip| flip.at).min()
    }

    /// Applies the flips that are due, each once and for all.
    fn flip_due(&mut self, machine: &mut M, state: &mut Uprr, run: Run, count: u64, account: &mut Account) {
        if self.injections.is_empty() {
            return;
        }
        let sequence = self.sequence;
        let due = |flip: &Injection| flip.pe == sequence && flip.run == run && flip.at <= count;
        while let Some(index) = self.injections.iter().position(due) {
            let flip = self.injections.swap_remove(index);
            if self.flip(machine, state, run, flip) {
                account.flips = account.flips.saturating_add(1);
            }
        }
    }

    fn flip(&mut self, machine: &mut M, state: &mut Uprr, run: Run, flip: Injection) -> bool {
        let bit = 1u64 << (flip.bit % 64);
        match flip.target {
            Target::Gpr(index) => *state.gpr_mut(index) ^= bit,
            Target::Rip => state.rip ^= bit,
            Target::Rflags if bit == INTERRUPT_FLAG => self.interrupts_off = true,
            Target::Rflags => state.rflags ^= bit,
            Target::Xmm(index) => {
                let at = xsave::XMM + 16 * usize::from(index) + usize::from(flip.bit / 8);
                // XRSTOR loads what the component holds, so it must be there first.
                state.extended.normalize();
                state.extended.0[at] ^= 1 << (flip.bit % 8);
            }
            Target::Memory(address) => return self.flip_memory(machine, run, address, 1 << (flip.bit % 8)),
        }
        true
    }

    /// A flip in memory is one that the current run sees and the other does not:
    /// as if a line of its cache had been hit.
    fn flip_memory(&mut self, machine: &mut M, run: Run, address: u64, mask: u8) -> bool {
        let Some(page) = machine.page(address) else { return false };
        if self.policy.mode == Mode::Dual && !self.set.contains(page.home) {
            let opened = match run {
                Run::First => self.set.open(machine, page),
                Run::Second => self.set.open_second(machine, page),
            };
            if opened == Err(SetFull) {
                return false;
            }
        }
        let frame = self.set.current(run, page.home);
        machine.flip(frame, (address % crate::written::PAGE_LEN) as u16, mask);
        true
    }
}
