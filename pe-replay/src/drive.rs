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
use crate::written::{Kept, SetFull, WrittenSet};

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
pub struct MappedPage<F, E> {
    /// Its address, a multiple of the page length.
    pub address: u64,
    /// The frame that it is mapped to: its home, unless the engine has mapped it
    /// to another one.
    pub frame: F,
    /// Where the machine keeps that.
    pub entry: E,
    /// Whether the process may truly write it.
    pub writable: bool,
}

/// A page of a machine.
pub type PageOf<M> = MappedPage<<M as Machine>::Frame, <M as Machine>::Entry>;

/// The hardware that the engine works on.
pub trait Machine {
    /// Names a page frame.
    type Frame: Copy + Eq;
    /// Names the place of a page in the machine's tables.
    type Entry: Copy;

    /// The time, in the counter's unit.
    fn now(&mut self) -> u64;
    /// Executes user code from `source`, or else from `state`, until it stops;
    /// `state` is then the state at the stop, not yet in the normal form.
    fn enter(&mut self, source: Option<&Uprr>, state: &mut Uprr, order: Order) -> Stop;
    /// Whether two states are the same in every byte, also in those that do not
    /// count; to say no where only such bytes differ is allowed, and costs time.
    fn is_same(&mut self, a: &Uprr, b: &Uprr) -> bool {
        a == b
    }
    /// The page mapped at `address`, if there is one.
    fn page(&mut self, address: u64) -> Option<PageOf<Self>>;
    /// Takes a frame from the pool.
    fn allocate(&mut self) -> Option<Self::Frame>;
    /// Gives a frame back to the pool.
    fn release(&mut self, frame: Self::Frame);
    /// Copies a frame.
    fn copy(&mut self, from: Self::Frame, to: Self::Frame);
    /// Copies `a` to `to` and returns whether `a` and `b` are equal; if not, `to`
    /// holds anything.
    fn compare_and_copy(&mut self, a: Self::Frame, b: Self::Frame, to: Self::Frame) -> bool;
    /// Where two frames differ first.
    fn first_difference(&mut self, a: Self::Frame, b: Self::Frame) -> Option<u16>;
    /// A byte of a frame.
    fn byte(&mut self, frame: Self::Frame, offset: u16) -> u8;
    /// Changes a byte of a frame by exclusive or.
    fn flip(&mut self, frame: Self::Frame, offset: u16, mask: u8);
    /// Maps `page`, and every other page with the same home, to `frame`: writable
    /// if `writable` and the process may truly write there, else read-only, and
    /// not written so far. No stale translation is left behind; all other
    /// permissions stay. A page that is writable between PEs is watched.
    fn map(&mut self, page: PageOf<Self>, frame: Self::Frame, writable: bool);
    /// Whether user code has written `page`, or another page with the same home,
    /// since it was mapped.
    fn is_written(&mut self, page: PageOf<Self>) -> bool;
    /// Whether anything was done to a watched page since the last call.
    fn disturbed(&mut self) -> bool;
    /// What was done to a watched page since it was mapped or this was asked last.
    fn kept(&mut self, page: PageOf<Self>) -> Kept;
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

/// The saved registers: three states whose roles rotate, so that none is copied.
struct Registers {
    states: [Uprr; 3],
    /// The state before the PE: between PEs, *the* state.
    start: usize,
    first: usize,
    second: usize,
}

impl Registers {
    fn new() -> Self {
        Self { states: [const { Uprr::new(0, 0) }; 3], start: 0, first: 1, second: 2 }
    }

    fn start(&self) -> &Uprr {
        &self.states[self.start]
    }

    fn first(&self) -> &Uprr {
        &self.states[self.first]
    }

    fn second(&self) -> &Uprr {
        &self.states[self.second]
    }

    fn of(&mut self, run: Run) -> &mut Uprr {
        &mut self.states[match run {
            Run::First => self.first,
            Run::Second => self.second,
        }]
    }

    /// Where a run starts from, and what it leaves its registers in.
    fn start_and(&mut self, run: Run) -> (&Uprr, &mut Uprr) {
        let ended = match run {
            Run::First => self.first,
            Run::Second => self.second,
        };
        match self.states.get_disjoint_mut([self.start, ended]) {
            Ok([start, ended]) => (start, ended),
            Err(_) => unreachable!("the roles are three different ones"),
        }
    }

    /// Makes a run's registers those of the start.
    fn begin(&mut self, run: Run) {
        let (start, ended) = self.start_and(run);
        ended.clone_from(start);
    }

    /// Brings both results to the normal form.
    fn normalize(&mut self) {
        self.of(Run::First).normalize();
        self.of(Run::Second).normalize();
    }

    /// Makes run 1's result the state.
    fn commit(&mut self) {
        core::mem::swap(&mut self.start, &mut self.first);
    }
}

/// Runs PEs, one after the other.
pub struct Engine<M: Machine> {
    policy: Policy,
    rules: Rules,
    set: WrittenSet<M>,
    registers: Registers,
    injections: ArrayVec<Injection, MAX_INJECTIONS>,
    mutation: Option<Mutation>,
    interrupts_off: bool,
    sequence: u64,
    /// When user mode was first entered in the current PE.
    entered: Option<u64>,
    account: Account,
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
            registers: Registers::new(),
            injections,
            mutation: if cfg!(feature = "mutants") { mutation } else { None },
            interrupts_off: false,
            sequence: 0,
            entered: None,
            account: Account::default(),
            watch: Stopwatch::start(now),
        }
    }

    /// The sequence number of the next PE.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The committed state, in the normal form after a PE.
    pub fn state(&self) -> &Uprr {
        self.registers.start()
    }

    /// The committed state, to be changed between PEs.
    pub fn state_mut(&mut self) -> &mut Uprr {
        &mut self.registers.states[self.registers.start]
    }

    /// What is recorded about the last PE.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Lets go of everything of the machine's that is kept from PE to PE.
    pub fn retire(&mut self, machine: &mut M) {
        if machine.disturbed() {
            self.set.refresh(machine);
        }
        self.set.clear(machine);
    }

    /// One PE: executes user code from [`state`](Self::state) and leaves the
    /// committed state there.
    pub fn execute(&mut self, machine: &mut M) -> Outcome {
        self.account = Account::default();
        let mut first = RunEnd { delimiter: Delimiter::Limit, count: 0, overshot: false };
        let mut second = first;
        let mut end_rip = self.state().rip;
        self.entered = None;
        let (mut phase, mut action) = Phase::begin();
        let outcome = loop {
            let event = match action {
                Action::Prepare => {
                    if machine.disturbed() {
                        self.set.refresh(machine);
                    }
                    self.state_mut().renormalize();
                    Event::Done
                }
                Action::Execute(run @ Run::First, approach) => {
                    first = self.run(machine, run, approach, None);
                    end_rip = self.registers.of(run).rip;
                    Event::Ended(first)
                }
                Action::Execute(run @ Run::Second, approach) => {
                    if self.mutation == Some(Mutation::SkipSecondRun) {
                        let result = self.registers.first().clone();
                        self.registers.of(run).clone_from(&result);
                        second = first;
                    } else {
                        second = self.run(machine, run, approach, Some(first));
                    }
                    second.overshot = self.is_overshot(first, second);
                    Event::Ended(second)
                }
                Action::Turn => {
                    self.set.turn(machine);
                    self.watch.lap(Timed::Restart, machine.now());
                    Event::Done
                }
                Action::Verify => Event::Verified(self.verify(machine, first, second)),
                Action::Commit => {
                    let blocked = matches!(first.delimiter, Delimiter::DirtyLimit { .. });
                    self.registers.of(Run::First).normalize();
                    if blocked && first.count == 0 && self.is_unchanged() {
                        // Committed, it would only come back to the same write.
                        self.set.roll_back(machine);
                        break Outcome::OutOfFrames;
                    }
                    self.registers.commit();
                    self.account.frames_written = self.set.commit(machine);
                    break Outcome::Committed(Committed { delimiter: first.delimiter, count: first.count });
                }
                Action::RollBack => {
                    if let Phase::RollingBack { difference, .. } = phase {
                        self.account.divergences.push(difference);
                    }
                    self.set.roll_back(machine);
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
                self.account.counter_misses = self.account.counter_misses.saturating_add(1);
            }
        };
        self.watch.lap(Timed::VerifyCommit, machine.now());
        self.account.longest_hold = self.entered.map_or(0, |entered| self.watch.mark().wrapping_sub(entered));
        self.sequence += 1;
        outcome
    }

    fn verify(&mut self, machine: &mut M, first: RunEnd, second: RunEnd) -> Option<Difference> {
        let skip = match self.mutation {
            Some(Mutation::Drop(field)) => Some(field),
            Some(Mutation::SkipSecondRun) => {
                self.set.adopt(machine);
                return None;
            }
            None => None,
        };
        let same = first.delimiter == second.delimiter
            && first.count == second.count
            && machine.is_same(self.registers.first(), self.registers.second());
        let registers = if same { None } else { self.first_difference(first, second, skip) };
        registers.or_else(|| match skip {
            Some(Field::Memory) => {
                self.set.adopt(machine);
                None
            }
            Some(_) | None => self.set.verify(machine),
        })
    }

    /// The first difference between the normal forms of two results. What is the same
    /// in every byte is so in the normal form; the rest is rare.
    #[cold]
    #[inline(never)]
    fn first_difference(&mut self, first: RunEnd, second: RunEnd, skip: Option<Field>) -> Option<Difference> {
        self.registers.normalize();
        compare::first_difference(
            RunResult { uprr: self.registers.first(), delimiter: first.delimiter, count: first.count },
            RunResult { uprr: self.registers.second(), delimiter: second.delimiter, count: second.count },
            skip,
        )
    }

    /// Executes one run to its end, through write faults, flips, interrupts
    /// before their time and single steps.
    fn run(&mut self, machine: &mut M, run: Run, approach: Approach, first: Option<RunEnd>) -> RunEnd {
        let (limit, free_until) = match approach {
            Approach::Free { limit } => (limit, limit),
            Approach::Exact { count, margin } => (count, count.saturating_sub(margin)),
        };
        let (in_run, before_run) = match run {
            Run::First => (Timed::FirstRun, Timed::Treatment),
            Run::Second => (Timed::SecondRun, Timed::Restart),
        };
        let mut count = 0;
        // Whether the run's own registers hold where it is.
        let mut begun = false;
        let mut fresh = true;
        // What passes between two entries belongs to what the last stop was for;
        // before the first entry, to preparing.
        let afresh = first.is_none() && self.account.divergences.is_empty();
        let mut gap = if afresh { Timed::Other } else { Timed::Restart };
        self.interrupts_off = false;
        let delimiter = loop {
            if count >= limit {
                break Delimiter::Limit;
            }
            let mut target = if count < free_until { free_until } else { limit };
            let step = count >= free_until && limit > free_until;
            let mut next_flip = None;
            if !self.injections.is_empty() {
                if !begun && self.is_flip_due(run, count) {
                    self.registers.begin(run);
                    begun = true;
                }
                self.flip_due(machine, run, count);
                next_flip = self.next_flip(run, count);
                target = next_flip.map_or(target, |at| target.min(at));
            }
            let budget = if step { limit - count } else { target - count };
            let order = Order { budget, step, interrupts_off: self.interrupts_off, fresh };
            let (start, state) = self.registers.start_and(run);
            let source = if begun { None } else { Some(start) };
            let user_trap = source.map_or(state.rflags, |source| source.rflags) & TRAP_FLAG;
            let stop = machine.enter(source, state, order);
            begun = true;
            fresh = false;
            if self.entered.is_none() {
                self.entered = Some(stop.entered);
                if self.sequence == 0 {
                    // All time is counted from the first user entry of the process.
                    self.watch = Stopwatch::start(stop.entered);
                }
            }
            self.watch.lap(gap, stop.entered);
            self.watch.lap(in_run, stop.entered.wrapping_add(stop.ticks));
            gap = before_run;
            count += stop.instructions;
            if step && user_trap == 0 {
                state.rflags &= !TRAP_FLAG;
            }
            match stop.cause {
                Cause::Counter if count >= limit => break Delimiter::Limit,
                Cause::Counter => {
                    if next_flip != Some(count) && count < target {
                        self.account.early_overflows = self.account.early_overflows.saturating_add(1);
                    }
                }
                Cause::Exception { vector: vector::DEBUG, .. } if step && user_trap == 0 => {}
                cause @ (Cause::Syscall | Cause::Exception { .. } | Cause::Watchdog) => {
                    match self.treat(machine, run, cause, first) {
                        Some(delimiter) => break delimiter,
                        None => self.watch.lap(Timed::Treatment, machine.now()),
                    }
                }
            }
        };
        if !begun {
            self.registers.begin(run);
        }
        RunEnd { delimiter, count, overshot: false }
    }

    /// Whether run 2 went past the limit that ended run 1, or stands there before
    /// an instruction that faults: the counter's interrupt was late, and by then
    /// anything may have ended the run. With interrupts off it was not late but
    /// could not come, which is a divergence.
    fn is_overshot(&mut self, first: RunEnd, second: RunEnd) -> bool {
        if first.delimiter != Delimiter::Limit {
            return false;
        }
        let late = match second.count.cmp(&first.count) {
            Ordering::Less => false,
            Ordering::Equal => {
                second.delimiter != Delimiter::Limit && {
                    self.registers.normalize();
                    self.registers.second() == self.registers.first()
                }
            }
            Ordering::Greater => true,
        };
        late && self.registers.second().rflags & INTERRUPT_FLAG != 0
    }

    /// Whether run 1 has changed no register.
    #[cold]
    fn is_unchanged(&self) -> bool {
        self.registers.first() == self.registers.start()
    }

    /// Decides what a stop other than the counter's means: the tracker's own
    /// write fault (`None`, and the run goes on) or the end of the run.
    fn treat(&mut self, machine: &mut M, run: Run, cause: Cause, first: Option<RunEnd>) -> Option<Delimiter> {
        let delimiter = Delimiter::of(cause);
        let Some(address) = cause.write_fault() else { return Some(delimiter) };
        let Some(page) = machine.page(address).filter(|page| page.writable) else { return Some(delimiter) };
        if self.policy.mode == Mode::Off {
            return Some(delimiter);
        }
        let opened = match run {
            Run::First if self.set.contains(page.frame) => return Some(delimiter),
            Run::First => self.set.open(machine, page),
            Run::Second if self.set.open_second(machine, page) => Ok(()),
            // Run 2 finds all of run 1's pages writable. A write anywhere else is
            // where run 1 met the dirty-frame limit, or a divergence.
            Run::Second => match first.map(|first| first.delimiter) {
                Some(Delimiter::DirtyLimit { .. }) => Err(SetFull),
                Some(_) | None => return Some(delimiter),
            },
        };
        match opened {
            Ok(()) => {
                self.account.write_faults = self.account.write_faults.saturating_add(1);
                None
            }
            Err(SetFull) => Some(Delimiter::DirtyLimit { address }),
        }
    }

    /// The next flip in this run after `count` instructions.
    fn next_flip(&self, run: Run, count: u64) -> Option<u64> {
        let due = |flip: &&Injection| flip.pe == self.sequence && flip.run == run && flip.at > count;
        self.injections.iter().filter(due).map(|flip| flip.at).min()
    }

    fn is_flip_due(&self, run: Run, count: u64) -> bool {
        self.due_flip(run, count).is_some()
    }

    fn due_flip(&self, run: Run, count: u64) -> Option<usize> {
        let due = |flip: &Injection| flip.pe == self.sequence && flip.run == run && flip.at <= count;
        self.injections.iter().position(due)
    }

    /// Applies the flips that are due, each once and for all.
    fn flip_due(&mut self, machine: &mut M, run: Run, count: u64) {
        while let Some(index) = self.due_flip(run, count) {
            let flip = self.injections.swap_remove(index);
            if self.flip(machine, run, flip) {
                self.account.flips = self.account.flips.saturating_add(1);
            }
        }
    }

    fn flip(&mut self, machine: &mut M, run: Run, flip: Injection) -> bool {
        let bit = 1u64 << (flip.bit % 64);
        let state = self.registers.of(run);
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
        let frame = match self.policy.mode {
            Mode::Off => page.frame,
            Mode::Dual | Mode::Triple => match self.set.expose(machine, run, page) {
                Ok(frame) => frame,
                Err(SetFull) => return false,
            },
        };
        machine.flip(frame, (address % crate::written::PAGE_LEN) as u16, mask);
        true
    }
}
