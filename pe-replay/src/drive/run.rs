// SPDX-License-Identifier: MIT
//! Executes one run to its end, through write faults, flips, interrupts before
//! their time and single steps.

use core::cmp::Ordering;

use pmu::exact::{ExactStop, Move, Piece, Position, Single, run_on, single};
use pmu::{Repeats, StopKind};

use super::{Engine, counted};
use crate::events::one_more;
use crate::life::{Approach, Event, Life, Run, RunEnd};
use crate::machine::{Breakpoint, Decoding, Machine, Order};
use crate::mutation::Mutation;
use crate::phases::{Phase as Timed, Stopwatch};
use crate::policy::Mode;
use crate::stop::{Begun, Cause, Delimiter, Span, Stop, vector};
use crate::user::{INTERRUPT_FLAG, TRAP_FLAG, ZERO_FLAG};
use crate::written::SetFull;

/// How a run came to its end.
struct Landing {
    end: RunEnd,
    /// It was the counter that was to stop the last stretch, not a debug exception.
    counted: bool,
    /// The last stretch ended inside an instruction.
    inside: bool,
}

/// A REP string instruction of which so many iterations are being executed.
struct Repeating {
    piece: Piece,
    /// The count before them.
    since: u64,
}

/// What makes a run stop elsewhere than where the counter's interrupt comes. Nothing
/// of it exists in most runs.
#[derive(Default)]
struct Detour {
    /// The way to another run's end.
    way: Option<ExactStop>,
    /// How far from a flip the counter may be armed.
    far: u64,
    repeating: Option<Repeating>,
    /// The last stretch ended with a debug exception of the engine's.
    debugged: bool,
    /// The instruction that the limit fell into has been finished.
    ran_on: bool,
}

/// What a run's time counts as, and what passes after its stops.
#[inline]
fn timed(run: Run) -> (Timed, Timed) {
    match run {
        Run::First => (Timed::FirstRun, Timed::Treatment),
        Run::Second => (Timed::SecondRun, Timed::Restart),
        Run::Third => (Timed::ThirdRun, Timed::Restart),
    }
}

/// Where a run stands.
#[derive(Clone, Copy)]
struct Place {
    run: Run,
    count: u64,
    /// Where it ends.
    limit: u64,
}

/// The longest stretch with a breakpoint at its end; the counter is a net.
const NET: u64 = 1 << 30;

impl<M: Machine> Engine<M> {
    /// Executes a run to its end; its registers are not in the normal form then.
    #[inline(always)]
    pub(super) fn run(&mut self, machine: &mut M, run: Run, approach: Approach, life: &Life) -> Event {
        if run == Run::Second && self.mutation() == Some(Mutation::SkipSecondRun) {
            let result = self.registers.of(Run::First).clone();
            self.registers.of_mut(run).clone_from(&result);
            return Event::Ended(life.end(Run::First));
        }
        if run == Run::Third {
            self.account.third_runs += 1;
        }
        let target = life.target(run);
        let landing = self.enter_until(machine, run, approach, target);
        match target {
            Some(target) if self.is_overshot(run, &landing, target, life.end(target)) => {
                Event::Overshot(landing.end)
            }
            Some(_) | None => Event::Ended(landing.end),
        }
    }

    #[inline(always)]
    fn enter_until(&mut self, machine: &mut M, run: Run, approach: Approach, target: Option<Run>) -> Landing {
        let (limit, straight) = match approach {
            Approach::Free { limit } => (limit, true),
            Approach::Exact { count, margin, stepped } => (count, margin.far == 0 && !stepped),
        };
        self.interrupts_off = false;
        let plain = straight && limit > 0 && self.injections.is_empty();
        if plain && machine.repeats() == Repeats::PerIteration {
            self.count_out(machine, run, limit)
        } else {
            self.find_way(machine, run, approach, target)
        }
    }

    /// What passes between two entries belongs to what the last stop was for; before
    /// the first entry, to preparing.
    #[inline]
    fn first_gap(&self, run: Run) -> Timed {
        let afresh = run == Run::First && self.account.divergences.is_empty();
        if afresh { Timed::Other } else { Timed::Restart }
    }

    /// A run that only the counter has to stop, as most of them are.
    #[inline(always)]
    fn count_out(&mut self, machine: &mut M, run: Run, limit: u64) -> Landing {
        let (start, state) = self.registers.source_and_result(run);
        let (span, delimiter) = match machine.begin(start, state, limit) {
            Begun::Syscall(span) => (span, Delimiter::Syscall),
            Begun::Counter(span) if span.instructions >= limit => (span, Delimiter::Limit),
            Begun::Counter(span) => return self.go_on(machine, run, limit, span, Cause::Counter),
            Begun::Otherwise(stop) => {
                self.book_rest(stop.debug_exceptions, stop.strays);
                let span = Span { instructions: stop.instructions, entered: stop.entered, ticks: stop.ticks };
                return self.go_on(machine, run, limit, span, stop.cause);
            }
        };
        self.entered(span, self.first_gap(run), timed(run).0);
        Landing { end: RunEnd { delimiter, count: span.instructions }, counted: true, inside: false }
    }

    /// The rest of such a run, of which the first stretch ended because of `cause`.
    #[inline(never)]
    fn go_on(&mut self, machine: &mut M, run: Run, limit: u64, first: Span, cause: Cause) -> Landing {
        let (in_run, before_run) = timed(run);
        self.entered(first, self.first_gap(run), in_run);
        let (mut cause, mut last) = (cause, first.instructions);
        let (mut budget, mut count) = (limit, last);
        let mut inside = false;
        let delimiter = loop {
            match cause {
                Cause::Counter => {
                    inside = false;
                    if last < budget {
                        self.note(0, 1);
                    }
                }
                cause => match self.treat(machine, run, cause) {
                    Some(delimiter) => break delimiter,
                    None => {
                        inside = true;
                        self.watch.lap(Timed::Treatment, machine.now());
                    }
                },
            }
            budget = match limit.checked_sub(count) {
                Some(left) if left > 0 => left,
                // A write fault may leave a part of its store behind.
                Some(_) | None if inside => 1,
                Some(_) | None => break Delimiter::Limit,
            };
            let order = Order { budget, step: false, breakpoint: None, interrupts_off: false, fresh: false };
            let stop = machine.enter(None, self.registers.of_mut(run), order);
            one_more(&mut self.events.resumed);
            self.book(&stop, before_run, in_run);
            (cause, last) = (stop.cause, stop.instructions);
            count += last;
        };
        Landing { end: RunEnd { delimiter, count }, counted: true, inside }
    }

    /// Books an entry into user mode.
    #[inline(always)]
    fn entered(&mut self, span: Span, gap: Timed, in_run: Timed) {
        one_more(&mut self.events.entries);
        if self.entered.is_none() {
            self.entered = Some(span.entered);
            if self.sequence == 0 {
                // All time is counted from the first user entry of the process.
                self.watch = Stopwatch::start(span.entered);
            }
        }
        self.watch.lap(gap, span.entered);
        self.watch.lap(in_run, span.entered.wrapping_add(span.ticks));
    }

    /// Likewise, with all that is known of it.
    #[inline]
    fn book(&mut self, stop: &Stop, gap: Timed, in_run: Timed) {
        let Stop { instructions, entered, ticks, debug_exceptions, strays, cause: _ } = *stop;
        self.entered(Span { instructions, entered, ticks }, gap, in_run);
        if debug_exceptions > 0 || strays > 0 {
            self.book_rest(debug_exceptions, strays);
        }
    }

    /// What an entry may have come with.
    #[cold]
    fn book_rest(&mut self, debug_exceptions: u32, strays: u16) {
        // A stretch of single steps is many entries.
        self.events.entries += u64::from(debug_exceptions);
        self.events.resumed += u64::from(debug_exceptions);
        self.note(debug_exceptions, strays);
    }

    /// A run that is also stopped elsewhere than where the counter's interrupt comes.
    #[cold]
    #[inline(never)]
    fn find_way(&mut self, machine: &mut M, run: Run, approach: Approach, target: Option<Run>) -> Landing {
        let mut detour = Detour { far: self.rules.margin.far, ..Detour::default() };
        let limit = match approach {
            Approach::Free { limit } => limit,
            Approach::Exact { count, margin, stepped } => {
                if margin.far > 0 || stepped {
                    detour.way = self.way(machine, approach, target);
                    detour.far = if stepped { u64::MAX } else { margin.far };
                }
                count
            }
        };
        let (in_run, before_run) = timed(run);
        let mut gap = self.first_gap(run);
        let mut count = 0;
        // Whether the run's own registers hold where it is.
        let mut begun = false;
        let mut fresh = true;
        let mut counted = true;
        // A write fault may leave a part of its store behind: a run must not end there,
        // since another one cannot be stopped there.
        let mut inside = false;
        let delimiter = loop {
            let mut order = Order {
                budget: limit.saturating_sub(count).max(1),
                step: false,
                breakpoint: None,
                interrupts_off: false,
                fresh,
            };
            let plain = detour.way.is_none() && detour.repeating.is_none();
            let place = Place { run, count, limit };
            if count >= limit && plain && !inside && !self.runs_on(machine, place, &mut detour) {
                break Delimiter::Limit;
            }
            let mut keeps_flags = false;
            if !plain || count >= limit || !self.injections.is_empty() {
                if !self.direct(machine, place, &mut begun, &mut detour, &mut order) {
                    break Delimiter::Limit;
                }
                keeps_flags = order.step && self.loads_flags(machine, run, begun);
            }
            order.interrupts_off = self.interrupts_off;
            counted = !order.step && order.breakpoint.is_none();
            let (start, state) = self.registers.source_and_result(run);
            let source = if begun { None } else { Some(start) };
            let user_trap = source.map_or(state.rflags, |source| source.rflags) & TRAP_FLAG;
            let stop = machine.enter(source, state, order);
            begun = true;
            self.events.resumed += u64::from(!fresh);
            fresh = false;
            count += stop.instructions;
            detour.debugged = false;
            inside = false;
            let trapped = matches!(stop.cause, Cause::Exception { vector: vector::DEBUG, .. });
            if order.step && user_trap == 0 && !(keeps_flags && (trapped || stop.cause == Cause::Counter)) {
                state.rflags &= !TRAP_FLAG;
            }
            self.book(&stop, gap, in_run);
            gap = before_run;
            match stop.cause {
                Cause::Counter => {
                    if stop.instructions < order.budget {
                        self.note(0, 1);
                    }
                }
                Cause::Breakpoint if order.breakpoint.is_some() => {
                    self.note(1, 0);
                    detour.debugged = true;
                    if let Some(repeating) = detour.repeating.take() {
                        count = self.settle(machine, run, repeating, count);
                    }
                }
                Cause::Exception { vector: vector::DEBUG, .. } if order.step && user_trap == 0 => {
                    self.note(1, 0);
                    detour.debugged = true;
                }
                cause @ (Cause::Syscall | Cause::Exception { .. } | Cause::Breakpoint | Cause::Watchdog) => {
                    match self.treat(machine, run, cause) {
                        Some(delimiter) => break delimiter,
                        None => {
                            inside = true;
                            self.watch.lap(Timed::Treatment, machine.now());
                        }
                    }
                }
            }
        };
        if !begun {
            self.registers.begin(run);
        }
        if let Some(repeating) = detour.repeating {
            count = self.settle(machine, run, repeating, count);
        }
        Landing { end: RunEnd { delimiter, count }, counted, inside }
    }

    /// The way to where `target` ended.
    #[cold]
    #[inline(never)]
    fn way(&mut self, machine: &M, approach: Approach, target: Option<Run>) -> Option<ExactStop> {
        let (Approach::Exact { count, margin, stepped }, Some(target)) = (approach, target) else {
            return None;
        };
        let there = self.registers.of(target);
        let way =
            ExactStop::new(Position { count, rip: there.rip, rcx: there.rcx }, margin, machine.repeats());
        Some(if stepped { way.stepped() } else { way })
    }

    /// Whether run 1, stopped at its limit, has to go on: out of a REP string
    /// instruction inside of which no count tells where it stands.
    #[inline]
    fn runs_on(&mut self, machine: &mut M, place: Place, detour: &mut Detour) -> bool {
        machine.repeats() == Repeats::PerInstruction && self.run_on(machine, place, detour)
    }

    #[cold]
    #[inline(never)]
    fn run_on(&mut self, machine: &mut M, place: Place, detour: &mut Detour) -> bool {
        if place.run != Run::First || core::mem::replace(&mut detour.ran_on, true) {
            return false;
        }
        let state = self.registers.of_mut(place.run);
        let at = Position { count: place.count, rip: state.rip, rcx: state.rcx };
        let Some(piece) = run_on(at, machine.decode(at.rip)) else { return false };
        state.rcx = piece.iterations;
        detour.repeating = Some(Repeating { piece, since: place.count });
        true
    }

    /// Applies the flips that are due, and makes the order one that leads to the next
    /// flip or to the target; false if that is here, or missed.
    #[cold]
    #[inline(never)]
    fn direct(
        &mut self,
        machine: &mut M,
        place: Place,
        begun: &mut bool,
        detour: &mut Detour,
        order: &mut Order,
    ) -> bool {
        let Place { run, count, limit } = place;
        if count < limit && !self.injections.is_empty() {
            if !*begun {
                self.flip_saved(run);
                if self.is_flip_due(run, count) {
                    self.registers.begin(run);
                    *begun = true;
                }
            }
            self.flip_due(machine, run, count);
        }
        let at = self.position(place, *begun);
        if let Some(Repeating { piece, since: _ }) = &detour.repeating {
            order.breakpoint = Some(Breakpoint { rip: piece.next, resume: false });
            order.budget = NET;
            return true;
        }
        if let Some(flip) = self.next_flip(run, count).filter(|flip| *flip < limit) {
            let left = flip - count;
            if left > detour.far {
                order.budget = left - detour.far;
            } else {
                order.budget = NET;
                match single(at.rip, &mut Decoding(machine)) {
                    Single::Trap => order.step = true,
                    Single::Around { next } => {
                        order.breakpoint = Some(Breakpoint { rip: next, resume: false });
                    }
                }
            }
            return true;
        }
        let Some(way) = &mut detour.way else { return true };
        let stopped = detour.debugged.then_some(StopKind::Debug);
        match way.next(at, stopped, &mut Decoding(machine)) {
            Move::Arrived | Move::Missed | Move::Strayed => return false,
            Move::Count { budget } => order.budget = budget,
            Move::Breakpoint { rip, resume, budget } => {
                order.breakpoint = Some(Breakpoint { rip, resume });
                order.budget = budget;
            }
            Move::Step => {
                order.step = true;
                order.budget = NET;
            }
            Move::Repeat(piece) => {
                if !*begun {
                    self.registers.begin(run);
                    *begun = true;
                }
                self.registers.of_mut(run).rcx = piece.iterations;
                order.breakpoint = Some(Breakpoint { rip: piece.next, resume: false });
                order.budget = NET;
                detour.repeating = Some(Repeating { piece, since: count });
            }
        }
        true
    }

    /// Where a run stands.
    fn position(&mut self, place: Place, begun: bool) -> Position {
        let (start, state) = self.registers.source_and_result(place.run);
        let at = if begun { &*state } else { start };
        Position { count: place.count, rip: at.rip, rcx: at.rcx }
    }

    /// Whether the next instruction loads RFLAGS, so that the trap flag is the user's
    /// own when it has been executed.
    #[cold]
    fn loads_flags(&mut self, machine: &mut M, run: Run, begun: bool) -> bool {
        let (start, state) = self.registers.source_and_result(run);
        machine.decode(if begun { state.rip } else { start.rip }).loads_flags
    }

    /// Puts back what was taken from RCX; returns the count.
    #[cold]
    #[inline(never)]
    fn settle(&mut self, machine: &M, run: Run, repeating: Repeating, count: u64) -> u64 {
        let Repeating { piece, since } = repeating;
        let state = self.registers.of_mut(run);
        let ended_by_flag = piece.ends_on == Some(state.rflags & ZERO_FLAG != 0);
        let (rip, rcx) = piece.settle(state.rip, state.rcx, ended_by_flag);
        let goes_on = state.rip == piece.next && rip == piece.rip;
        (state.rip, state.rcx) = (rip, rcx);
        match machine.repeats() {
            _ if !goes_on => count,
            // Some emulators count once more to find RCX 0.
            Repeats::PerIteration => since + piece.iterations,
            Repeats::PerInstruction => since,
        }
    }

    #[cold]
    #[inline(never)]
    fn note(&mut self, debug_exceptions: u32, strays: u16) {
        let account = &mut self.account;
        account.debug_exceptions = account.debug_exceptions.saturating_add(debug_exceptions);
        account.early_overflows = account.early_overflows.saturating_add(strays);
    }

    /// Whether a run went past the limit that ended its `target`, or stands there
    /// before an instruction that faults: the counter's interrupt was late, and by
    /// then anything may have ended the run. With interrupts off it was not late
    /// but could not come, which is a divergence.
    fn is_overshot(&mut self, run: Run, landing: &Landing, target: Run, goal: RunEnd) -> bool {
        let Landing { end, counted, inside } = *landing;
        if end.delimiter == Delimiter::Watchdog || !counted {
            return false;
        }
        let late = match end.count.cmp(&goal.count) {
            Ordering::Less => false,
            Ordering::Equal => inside || end.delimiter != Delimiter::Limit && self.has_come_to(run, target),
            Ordering::Greater => true,
        };
        late && self.registers.of(run).rflags & INTERRUPT_FLAG != 0
    }

    /// Whether two runs' registers are equal.
    #[cold]
    fn has_come_to(&mut self, run: Run, target: Run) -> bool {
        self.registers.normalize(run);
        self.registers.normalize(target);
        self.registers.of(run) == self.registers.of(target)
    }

    /// Decides what a stop other than the counter's means: the tracker's own
    /// write fault (`None`, and the run goes on) or the end of the run.
    pub(super) fn treat(&mut self, machine: &mut M, run: Run, cause: Cause) -> Option<Delimiter> {
        let delimiter = Delimiter::of(cause);
        let Some(address) = cause.write_fault() else { return Some(delimiter) };
        let Some(page) = machine.page(address).filter(|page| page.writable) else { return Some(delimiter) };
        if self.policy.mode == Mode::Off {
            return Some(delimiter);
        }
        let opened = match run {
            // It was not the tracker that forbade this write.
            _ if page.open => return Some(delimiter),
            Run::First => self.set.open(counted!(self, machine), page),
            // A later run finds all of run 1's pages writable. A write anywhere else
            // is where run 1 met the dirty-frame limit, or a divergence. Should run 1
            // be the one that is outvoted, the PE ends here, before that write.
            Run::Second | Run::Third if self.set.open_late(counted!(self, machine), run, page) => Ok(()),
            Run::Second | Run::Third => Err(SetFull),
        };
        self.visit(machine);
        match opened {
            Ok(()) => {
                self.account.write_faults = self.account.write_faults.saturating_add(1);
                None
            }
            Err(SetFull) => Some(Delimiter::DirtyLimit { address }),
        }
    }
}
