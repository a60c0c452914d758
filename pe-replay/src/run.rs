// SPDX-License-Identifier: MIT
//! Executes one run to its end, through write faults, flips, interrupts before
//! their time and single steps.

use pmu::exact::{ExactStop, Move, Piece, Position, Single, run_on, single};
use pmu::{Repeats, StopKind};

use crate::execution::Run;
use crate::executor::{Course, pages};
use crate::lifecycle::{Approach, Event, Exact, Lifecycle};
use crate::machine::{Breakpoint, Machine, Order};
use crate::observer::Observer;
use crate::phases::{Phase as Timed, Stopwatch};
use crate::placement::Placement;
use crate::registers::RegisterSet;
use crate::stop::{Cause, Delimiter, End, Exit, FAULT_FETCH, FirstExit, Span};
use crate::user::{INTERRUPT_FLAG, TRAP_FLAG, ZERO_FLAG};

/// Where a run has come to.
struct Arrival {
    end: End,
    /// It was the counter that was to stop the last stretch, not a debug exception.
    counted: bool,
    /// The last stretch ended inside an instruction.
    is_torn: bool,
}

/// Where a run is to stop: the run that the limit has ended before, and its instructions.
type Goal = Option<(Run, u64)>;

/// A REP string instruction of which so many iterations are being executed.
struct Repeating {
    piece: Piece,
    /// The count before them.
    since: u64,
}

/// Where a run stands on its way, and where that leads.
pub(crate) struct Path {
    pub run: Run,
    pub count: u64,
    /// Where it ends.
    pub limit: u64,
    /// The way to another run's end, where the counter's interrupt is not trusted.
    way: Option<ExactStop>,
    /// How far from a stop the counter may be armed.
    far: u64,
    repeating: Option<Repeating>,
    /// Whether user mode has not been entered yet.
    pub fresh: bool,
    /// The last stretch ended with a debug exception of the engine's.
    debugged: bool,
    /// The last stretch ended inside an instruction: a write fault may leave a part of its store behind. A run must
    /// not end there, since another one cannot be stopped there.
    is_torn: bool,
    /// The instruction that the limit fell into has been finished.
    ran_on: bool,
    /// The user's own trap flag at the last entry.
    pub trapping: bool,
}

/// What a run's time counts as, and what passes after its stops.
#[inline(always)]
fn timed(run: Run) -> (Timed, Timed) {
    match run {
        Run::First => (Timed::FirstRun, Timed::Treatment),
        Run::Second => (Timed::SecondRun, Timed::Restart),
        Run::Third => (Timed::ThirdRun, Timed::Restart),
    }
}

/// What passes before the first entry of a PE, and before no other, is booked as this.
pub(crate) const FIRST_GAP: Timed = Timed::Other;
/// What passes before a run is booked as this.
#[inline(always)]
fn gap(run: Run, life: &Lifecycle) -> Timed {
    if run == Run::First && life.failed == 0 { FIRST_GAP } else { Timed::Restart }
}

/// The longest stretch with a breakpoint at its end; the counter is a net.
pub(crate) const NET: u64 = 1 << 30;

impl<M: Machine, P: Placement, O: Observer<M>> Course<'_, M, P, O> {
    /// Executes a run to its end, and notes that; its registers are not in the normal form then.
    #[inline(always)]
    pub(crate) fn run(&mut self, run: Run, life: &mut Lifecycle) -> Event {
        if run == Run::Third {
            self.executor.account.third_runs += 1;
        }
        let (end, is_late) = self.execute_until(run, life.approach(run), gap(run, life));
        life.ends[run as usize] = end;
        if is_late { Event::Overshot } else { Event::Ended }
    }

    /// Executes all runs, each in frames of its own. On one processor that is one after the other.
    #[cold]
    pub(crate) fn run_all(&mut self, life: &mut Lifecycle) -> Event {
        let approach = Approach { limit: life.rules.limit, exact: None };
        for run in Run::ALL.into_iter().take(if life.rules.triple { 3 } else { 2 }) {
            let arrival = self.go_on(run, approach, gap(run, life), None);
            let End { delimiter, count } = arrival.end;
            life.ends[run as usize] = arrival.end;
            let [first, ..] = life.ends;
            let goal = (first.delimiter == Delimiter::Limit).then_some((Run::First, first.count));
            // The interrupt came earlier than in run 1, whatever ended that then: it may be the next instruction.
            let is_short = delimiter == Delimiter::Limit && count < first.count + u64::from(goal.is_none());
            life.arrived[run as usize] = !is_short && !self.is_overshot(run, &arrival, goal);
        }
        self.executor.account.third_runs += u16::from(life.rules.triple);
        Event::Ended
    }

    /// Executes a run to its end, and says whether it went past the place where it was to stop exactly. Most runs only
    /// the counter has to stop, and they take one entry. What passes before it is booked as `gap`, and what passes
    /// between two entries as what the last stop was for.
    #[inline(always)]
    pub(crate) fn execute_until(&mut self, run: Run, approach: Approach, gap: Timed) -> (End, bool) {
        let Approach { limit, exact } = approach;
        let goal = exact.map(|exact| (exact.target, limit));
        let is_stepped = exact.is_some_and(|exact| exact.margin.far > 0 || exact.stepped);
        let is_plain = limit > 0 && self.machine.repeats() == Repeats::PerIteration;
        let first = if is_stepped || !is_plain || self.observer.next_stop(run, 0).is_some() {
            None
        } else {
            self.machine.settle(P::view(run));
            let state = &mut self.executor.results[run as usize];
            match self.machine.begin(self.thread.source(run), state, limit) {
                FirstExit::Syscall(span) => return self.arrive(run, gap, goal, span, Delimiter::Syscall),
                FirstExit::Counter(span) if span.instructions >= limit => {
                    return self.arrive(run, gap, goal, span, Delimiter::Limit);
                }
                FirstExit::Counter(span) => Some(Exit::plain(Cause::Counter, span)),
                FirstExit::Other(exit) if let Some(delimiter) = exit.delimits() => {
                    if let Delimiter::PageFault { address, error: ..FAULT_FETCH } = delimiter {
                        self.thread.awaited = Some(address);
                    }
                    return self.arrive(run, gap, goal, exit.span, delimiter);
                }
                FirstExit::Other(exit) => Some(exit),
            }
        };
        let arrival = self.go_on(run, Approach { limit, exact }, gap, first);
        (arrival.end, self.is_overshot(run, &arrival, goal))
    }

    /// A run that its first stretch is all of, as [`execute_until`](Self::execute_until) returns it.
    #[inline(always)]
    fn arrive(&mut self, run: Run, gap: Timed, goal: Goal, span: Span, delimiter: Delimiter) -> (End, bool) {
        self.entered(span, gap, timed(run).0);
        let end = End { delimiter, count: span.instructions };
        (end, self.is_overshot(run, &Arrival { end, counted: true, is_torn: false }, goal))
    }

    /// A run, or the rest of one whose first stretch has ended with `first`.
    #[inline(never)]
    fn go_on(&mut self, run: Run, approach: Approach, mut gap: Timed, mut first: Option<Exit>) -> Arrival {
        self.executor.interrupts_off = false;
        let mut path = self.path(run, approach, first.is_none());
        let (in_run, after) = timed(run);
        let mut order = Order::begin(path.limit);
        if path.fresh {
            self.pause(run, None);
            self.machine.copy_registers(self.thread.source(run), &mut self.executor.results[run as usize]);
        }
        let delimiter = loop {
            let exit = match first.take() {
                Some(exit) => exit,
                None => match self.order(&mut path) {
                    Some(next) => {
                        order = next;
                        self.enter(&mut path, order)
                    }
                    None => break Delimiter::Limit,
                },
            };
            self.book(&exit, gap, in_run, after);
            gap = after;
            path.count += exit.span.instructions;
            (path.debugged, path.is_torn) = (false, false);
            match exit.cause {
                Cause::Counter if exit.span.instructions < order.budget => self.note(0, 1),
                Cause::Counter => {}
                Cause::Breakpoint if order.breakpoint.is_some() => {
                    self.note(1, 0);
                    path.debugged = true;
                    self.put_back(&mut path);
                }
                cause if cause.is_debug() && order.step && !path.trapping => {
                    self.note(1, 0);
                    path.debugged = true;
                }
                cause => match self.treat(run, cause) {
                    Some(delimiter) => break delimiter,
                    None => {
                        path.is_torn = true;
                        self.executor.watch.lap(Timed::Treatment, self.machine.now());
                    }
                },
            }
        };
        self.put_back(&mut path);
        let counted = !order.step && order.breakpoint.is_none();
        Arrival { end: End { delimiter, count: path.count }, counted, is_torn: path.is_torn }
    }

    /// A run before its way, or behind its first stretch.
    pub(crate) fn path(&self, run: Run, approach: Approach, fresh: bool) -> Path {
        let Approach { limit, exact } = approach;
        let (mut way, mut far) = (None, self.executor.margin.far);
        if let Some(Exact { target, margin, stepped }) = exact
            && (margin.far > 0 || stepped)
        {
            let (rip, rcx) = self.executor.results[target as usize].position();
            let first = ExactStop::new(Position { count: limit, rip, rcx }, margin, self.machine.repeats());
            (way, far) = if stepped { (Some(first.stepped()), u64::MAX) } else { (Some(first), margin.far) };
        }
        let (repeating, debugged, is_torn, ran_on, trapping) = (None, false, false, false, false);
        Path { run, count: 0, limit, way, far, repeating, fresh, debugged, is_torn, ran_on, trapping }
    }

    /// Lets the observer change what it wants to, and says how to go on to where it wants to next or to the target;
    /// `None` if the run ends here, at the target or beyond.
    fn order(&mut self, path: &mut Path) -> Option<Order> {
        let left = path.limit.saturating_sub(path.count);
        if left > 0 {
            self.pause(path.run, Some(path.count));
        }
        let (rip, rcx) = self.executor.results[path.run as usize].position();
        let at = Position { count: path.count, rip, rcx };
        let is_plain = path.way.is_none() && path.repeating.is_none();
        if left == 0 && is_plain && !path.is_torn && !self.runs_on(path, at) {
            return None;
        }
        let interrupts_off = self.executor.interrupts_off;
        let order = Order { fresh: path.fresh, interrupts_off, ..Order::begin(left.max(1)) };
        let until = |rip| Order {
            breakpoint: Some(Breakpoint { rip, resume: false, pass: None }),
            budget: NET,
            ..order
        };
        if let Some(Repeating { piece, since: _ }) = &path.repeating {
            return Some(until(piece.next));
        }
        let stop = self.observer.next_stop(path.run, path.count + 1);
        if let Some(stop) = stop.filter(|stop| *stop < path.limit) {
            let left = stop - path.count;
            if left > path.far {
                return Some(Order { budget: left - path.far, ..order });
            }
            return Some(match single(rip, self.machine) {
                Single::Trap => Order { step: true, budget: NET, ..order },
                Single::Around { next } => until(next),
            });
        }
        let Some(way) = &mut path.way else { return Some(order) };
        let stopped = path.debugged.then_some(StopKind::Debug);
        match way.next(at, stopped, self.machine) {
            Move::Arrived | Move::Missed | Move::Strayed => None,
            Move::Count { budget } => Some(Order { budget, ..order }),
            Move::Breakpoint { rip, resume, budget, pass } => {
                Some(Order { breakpoint: Some(Breakpoint { rip, resume, pass }), budget, ..order })
            }
            Move::Step => Some(Order { step: true, budget: NET, ..order }),
            Move::Repeat(piece) => {
                let order = until(piece.next);
                self.repeat(path, piece);
                Some(order)
            }
        }
    }

    pub(crate) fn enter(&mut self, path: &mut Path, order: Order) -> Exit {
        let state = &mut self.executor.results[path.run as usize];
        path.trapping = state.flags() & TRAP_FLAG != 0;
        let loads_flags = order.step && self.machine.decode(state.position().0).loads_flags;
        self.machine.settle(P::view(path.run));
        let exit = self.machine.enter(None, state, order);
        // An instruction that loads the flags leaves the user's own trap flag.
        let is_loaded = loads_flags && (exit.cause.is_debug() || exit.cause == Cause::Counter);
        if order.step && !path.trapping && !is_loaded {
            state.clear_trap();
        }
        if let Some(way) = &mut path.way {
            way.passed(exit.debug_exceptions.into());
        }
        path.fresh = false;
        exit
    }

    /// Books an entry into user mode.
    #[inline(always)]
    fn entered(&mut self, span: Span, gap: Timed, in_run: Timed) {
        let executor = &mut *self.executor;
        if gap == FIRST_GAP {
            executor.entered = span.entered;
            if !executor.started {
                // All time is counted from the first user entry.
                executor.started = true;
                executor.watch = Stopwatch::start(span.entered);
            }
        }
        executor.watch.lap(gap, span.entered);
        executor.watch.lap(in_run, span.entered.wrapping_add(span.ticks));
    }

    /// Books an entry with all that is known of it.
    fn book(&mut self, exit: &Exit, gap: Timed, in_run: Timed, after: Timed) {
        self.entered(exit.span, gap, in_run);
        if exit.debug_exceptions > 0 || exit.strays > 0 {
            self.note(exit.debug_exceptions, exit.strays);
        }
        if exit.debug_exceptions > 0 {
            // What these took in between is none of what follows.
            self.executor.watch.lap(after, self.machine.now());
        }
    }

    #[cold]
    fn note(&mut self, debug_exceptions: u32, strays: u16) {
        let account = &mut self.executor.account;
        account.debug_exceptions = account.debug_exceptions.saturating_add(debug_exceptions);
        account.early_overflows = account.early_overflows.saturating_add(strays);
    }

    /// Whether run 1, stopped at its limit, has to go on: out of a REP string
    /// instruction inside of which no count tells where it stands.
    fn runs_on(&mut self, path: &mut Path, at: Position) -> bool {
        let may_be_inside = self.machine.repeats() == Repeats::PerInstruction && path.run == Run::First;
        if !may_be_inside || core::mem::replace(&mut path.ran_on, true) {
            return false;
        }
        let piece = run_on(at, self.machine.decode(at.rip));
        piece.map(|piece| self.repeat(path, piece)).is_some()
    }

    /// Executes some iterations of the REP string instruction that a run stands at.
    fn repeat(&mut self, path: &mut Path, piece: Piece) {
        let state = &mut self.executor.results[path.run as usize];
        let (rip, _) = state.position();
        state.set_position(rip, piece.iterations);
        path.repeating = Some(Repeating { piece, since: path.count });
    }

    /// Puts back what was taken from RCX, if there is something, and corrects the count.
    fn put_back(&mut self, path: &mut Path) {
        let Some(Repeating { piece, since }) = path.repeating.take() else { return };
        let state = &mut self.executor.results[path.run as usize];
        let (at, left) = state.position();
        let ended_by_flag = piece.ends_on == Some(state.flags() & ZERO_FLAG != 0);
        let (rip, rcx) = piece.settle(at, left, ended_by_flag);
        state.set_position(rip, rcx);
        if at == piece.next && rip == piece.rip {
            path.count = match self.machine.repeats() {
                // Some emulators count once more to find RCX 0.
                Repeats::PerIteration => since + piece.iterations,
                Repeats::PerInstruction => since,
            };
        }
    }

    /// Whether a run went past its goal, the limit that ended another run after so many instructions, or stands there
    /// before an instruction that faults: the counter's interrupt was late, and by
    /// then anything may have ended the run. With interrupts off it was not late
    /// but could not come, which is a divergence.
    #[inline(always)]
    fn is_overshot(&mut self, run: Run, arrival: &Arrival, goal: Goal) -> bool {
        let Arrival { end: End { delimiter, count: at }, counted, is_torn } = *arrival;
        let Some((target, count)) = goal else { return false };
        // Matched, since to compare two of them is a call.
        if matches!(delimiter, Delimiter::Watchdog) || !counted || at < count {
            return false;
        }
        let is_there = at == count && !is_torn;
        let is_limit = matches!(delimiter, Delimiter::Limit);
        let has_stopped = is_there && (is_limit || self.registers([run, target], [arrival.end; 2]).is_some());
        !has_stopped && self.executor.results[run as usize].flags() & INTERRUPT_FLAG != 0
    }

    /// Decides what a stop other than the counter's means: the tracker's own
    /// write fault (`None`, and the run goes on) or the end of the run.
    pub(crate) fn treat(&mut self, run: Run, cause: Cause) -> Option<Delimiter> {
        let delimiter = Delimiter::of(cause);
        if P::FRAMES == 0 {
            return Some(delimiter);
        }
        let Some(address) = cause.write_fault() else { return Some(delimiter) };
        let page = self.machine.page(address);
        // If the page is open, it was not the tracker that forbade this write.
        let Some(page) = page.filter(|page| page.writable && !page.open) else { return Some(delimiter) };
        let opened = self.tracker.write_fault(pages!(self), run, page);
        self.visit(None);
        if !opened {
            return Some(Delimiter::DirtyLimit { address });
        }
        let faults = &mut self.executor.account.write_faults;
        *faults = faults.saturating_add(1);
        None
    }
}
