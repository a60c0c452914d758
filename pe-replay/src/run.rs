// SPDX-License-Identifier: MIT
//! Executes one run to its end, through write faults, flips, interrupts before
//! their time and single steps.

use core::cmp::Ordering;

use pmu::exact::{ExactStop, Move, Piece, Position, Single, run_on, single};
use pmu::{Repeats, StopKind};

use crate::events::{Pages, one_more};
use crate::executor::{Course, pages};
use crate::inject::Copy;
use crate::life::{Approach, Event, Life, Run};
use crate::machine::{Breakpoint, Decoding, Machine, Order, PageOf, View};
use crate::observer::{Counts, Observer};
use crate::phases::{Phase as Timed, Stopwatch};
use crate::placement::Placement;
use crate::pool::Pool;
use crate::registers::RegisterSet;
use crate::stop::{Cause, Delimiter, End, Exit, FirstExit, Span};
use crate::tracker::{SetFull, Tracker};

/// What keeps track of the pages that a run writes, or does not.
pub(crate) trait Tracking<M: Machine> {
    /// Frames that a page has beside its home; without any, nothing is tracked.
    const FRAMES: usize;
    /// What a run sees.
    fn view(run: Run) -> View;
    /// Lets a run that met a write fault write the page.
    fn write_fault(&mut self, pages: &mut Pages<M>, run: Run, page: PageOf<M>) -> Result<(), SetFull>;
    /// The frame that a flip of the page is to hit, as the run sees it and no other run does.
    fn expose(&mut self, pages: &mut Pages<M>, run: Run, page: PageOf<M>) -> Result<M::Frame, SetFull>;
    /// The frame of one of the engine's own copies of the page at `address`.
    fn copy_of(&self, pool: &Pool<M::Frame, M::Slot>, address: u64, copy: Copy) -> Option<M::Frame>;
    /// What it keeps beside its pages.
    fn counts(&mut self) -> Option<Counts<'_>>;
}

impl<M: Machine, P: Placement> Tracking<M> for Tracker<P> {
    const FRAMES: usize = P::FRAMES;

    #[inline(always)]
    fn view(run: Run) -> View {
        if P::AT_ONCE { View::Of(run) } else { View::Every }
    }

    fn write_fault(&mut self, pages: &mut Pages<M>, run: Run, page: PageOf<M>) -> Result<(), SetFull> {
        self.write_fault(pages, run, page)
    }

    fn expose(&mut self, pages: &mut Pages<M>, run: Run, page: PageOf<M>) -> Result<M::Frame, SetFull> {
        self.expose(pages, run, page)
    }

    fn copy_of(&self, pool: &Pool<M::Frame, M::Slot>, address: u64, copy: Copy) -> Option<M::Frame> {
        self.copy_of(pool, address, copy)
    }

    #[inline(always)]
    fn counts(&mut self) -> Option<Counts<'_>> {
        let Self { open, attempt, .. } = self;
        Some(Counts { open, attempt })
    }
}

/// Nothing is tracked.
impl<M: Machine> Tracking<M> for () {
    const FRAMES: usize = 0;

    fn view(_run: Run) -> View {
        View::Every
    }

    fn write_fault(&mut self, _: &mut Pages<M>, _: Run, _: PageOf<M>) -> Result<(), SetFull> {
        Err(SetFull)
    }

    fn expose(&mut self, _: &mut Pages<M>, _: Run, page: PageOf<M>) -> Result<M::Frame, SetFull> {
        Ok(page.frame)
    }

    fn copy_of(&self, _: &Pool<M::Frame, M::Slot>, _: u64, _: Copy) -> Option<M::Frame> {
        None
    }

    fn counts(&mut self) -> Option<Counts<'_>> {
        None
    }
}

/// Where a run landed.
pub(crate) struct Arrival {
    pub end: End,
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
    /// Whether the run's own registers hold where it is.
    pub begun: bool,
    /// Whether user mode has not been entered yet.
    fresh: bool,
    /// The last stretch ended with a debug exception of the engine's.
    debugged: bool,
    /// The last stretch ended inside an instruction: a write fault may leave a part of its store behind. A run must
    /// not end there, since another one cannot be stopped there.
    inside: bool,
    /// The instruction that the limit fell into has been finished.
    ran_on: bool,
    /// The user's own trap flag at the last entry.
    trapping: bool,
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

/// The longest stretch with a breakpoint at its end; the counter is a net.
const NET: u64 = 1 << 30;

impl<M: Machine, T: Tracking<M>, O: Observer<M>> Course<'_, M, T, O> {
    /// Executes a run to its end; its registers are not in the normal form then.
    #[inline(always)]
    pub(crate) fn run(&mut self, run: Run, approach: Approach, target: Option<(Run, End)>) -> (End, Event) {
        if run == Run::Third {
            self.executor.account.third_runs += 1;
        }
        let arrival = self.execute_until(run, approach, target.map(|(target, _)| target));
        let event = match target {
            Some((target, goal)) if self.is_overshot(run, &arrival, target, goal) => Event::Overshot,
            Some(_) | None => Event::Ended,
        };
        (arrival.end, event)
    }

    /// Executes all runs, each in frames of its own. On one processor that is one after the other.
    #[cold]
    #[inline(never)]
    pub(crate) fn run_all(&mut self, limit: u64, life: &mut Life) -> Event {
        let mut ends = life.ends;
        let mut missed = [false; 2];
        for run in Run::ALL.into_iter().take(if life.rules.triple { 3 } else { 2 }) {
            let arrival = self.execute_until(run, Approach::Free { limit }, None);
            match run {
                Run::First => ends.first = arrival.end,
                Run::Second => ends.second = arrival.end,
                Run::Third => ends.third = arrival.end,
            }
            if run != Run::First {
                let Arrival { end, .. } = arrival;
                // The interrupt came earlier than in run 1, whatever ended that then.
                let is_short = end.delimiter == Delimiter::Limit && end.count < ends.first.count;
                let at_limit = ends.first.delimiter == Delimiter::Limit;
                missed[run as usize - 1] =
                    is_short || at_limit && self.is_overshot(run, &arrival, Run::First, ends.first);
            }
        }
        self.executor.account.third_runs += u16::from(life.rules.triple);
        life.end_all(ends, missed);
        Event::AllEnded
    }

    /// The run of a PE that is run once.
    #[inline(always)]
    pub(crate) fn run_once(&mut self, limit: u64) -> End {
        self.execute_until(Run::First, Approach::Free { limit }, None).end
    }

    /// Executes a run up to its end or that of `target`. Most runs only the counter has to stop, and they take
    /// one entry.
    #[inline(always)]
    fn execute_until(&mut self, run: Run, approach: Approach, target: Option<Run>) -> Arrival {
        let (limit, is_straight) = match approach {
            Approach::Free { limit } => (limit, true),
            Approach::Exact { count, margin, stepped } => (count, margin.far == 0 && !stepped),
        };
        self.executor.interrupts_off = false;
        let is_plain = is_straight && limit > 0 && self.machine.repeats() == Repeats::PerIteration;
        if !is_plain || !self.injections.is_empty() && self.is_hit(run) {
            return self.go_on(run, approach, target, None);
        }
        self.machine.settle(T::view(run));
        let state = &mut self.executor.results[run as usize];
        let (span, delimiter) = match self.machine.begin(self.thread.source(run), state, limit) {
            FirstExit::Syscall(span) => (span, Delimiter::Syscall),
            FirstExit::Counter(span) if span.instructions >= limit => (span, Delimiter::Limit),
            FirstExit::Counter(span) => {
                return self.go_on(run, approach, target, Some(Exit::plain(Cause::Counter, span)));
            }
            FirstExit::Other(exit) => return self.go_on(run, approach, target, Some(exit)),
        };
        self.entered(span, self.first_gap(run), timed(run).0);
        Arrival { end: End { delimiter, count: span.instructions }, counted: true, inside: false }
    }

    /// A run, or the rest of one whose first stretch has ended with `first`.
    #[inline(never)]
    fn go_on(&mut self, run: Run, approach: Approach, target: Option<Run>, first: Option<Exit>) -> Arrival {
        let mut path = Path {
            run,
            count: 0,
            limit: 0,
            way: None,
            far: self.executor.margin.far,
            repeating: None,
            begun: first.is_some(),
            fresh: first.is_none(),
            debugged: false,
            inside: false,
            ran_on: false,
            trapping: false,
        };
        match approach {
            Approach::Free { limit } => path.limit = limit,
            Approach::Exact { count, .. } => {
                path.limit = count;
                self.find_way(&mut path, approach, target);
            }
        }
        let (in_run, after) = timed(run);
        let mut gap = self.first_gap(run);
        let mut order = Order::begin(path.limit);
        let mut ended = first;
        let delimiter = loop {
            let exit = match ended.take() {
                Some(exit) => exit,
                None => match self.order(&mut path) {
                    Some(next) => {
                        order = next;
                        self.enter(&mut path, order)
                    }
                    None => break Delimiter::Limit,
                },
            };
            self.book(&exit, gap, in_run);
            gap = after;
            path.count += exit.span.instructions;
            (path.debugged, path.inside) = (false, false);
            match exit.cause {
                Cause::Counter => {
                    if exit.span.instructions < order.budget {
                        self.note(0, 1);
                    }
                }
                Cause::Breakpoint if order.breakpoint.is_some() => {
                    self.note(1, 0);
                    path.debugged = true;
                    self.finish_piece(&mut path);
                }
                cause if cause.is_debug() && order.step && !path.trapping => {
                    self.note(1, 0);
                    path.debugged = true;
                }
                cause => match self.treat(run, cause) {
                    Some(delimiter) => break delimiter,
                    None => {
                        path.inside = true;
                        self.executor.watch.lap(Timed::Treatment, self.machine.now());
                    }
                },
            }
        };
        if !path.begun {
            self.begin(&mut path);
        }
        self.finish_piece(&mut path);
        let counted = !order.step && order.breakpoint.is_none();
        Arrival { end: End { delimiter, count: path.count }, counted, inside: path.inside }
    }

    /// How to go on; `None` if the run ends here.
    #[inline(always)]
    fn order(&mut self, path: &mut Path) -> Option<Order> {
        let left = path.limit.saturating_sub(path.count);
        let is_plain = path.way.is_none() && path.repeating.is_none();
        if left == 0 && is_plain && !path.inside && !self.runs_on(path) {
            return None;
        }
        let mut order = Order { fresh: path.fresh, ..Order::begin(left.max(1)) };
        let is_directed = left == 0 || !is_plain || !self.injections.is_empty();
        if is_directed && !self.direct(path, &mut order) {
            return None;
        }
        order.interrupts_off = self.executor.interrupts_off;
        Some(order)
    }

    fn enter(&mut self, path: &mut Path, order: Order) -> Exit {
        let source = if path.begun { None } else { Some(self.thread.source(path.run)) };
        let state = &mut self.executor.results[path.run as usize];
        let at = source.unwrap_or(state);
        path.trapping = at.is_trapping();
        let loads_flags = order.step && self.machine.decode(at.position().0).loads_flags;
        self.machine.settle(T::view(path.run));
        let exit = self.machine.enter(source, state, order);
        // An instruction that loads the flags leaves the user's own trap flag.
        let is_loaded = loads_flags && (exit.cause.is_debug() || exit.cause == Cause::Counter);
        if order.step && !path.trapping && !is_loaded {
            state.clear_trap();
        }
        self.executor.work.resumed += u64::from(!path.fresh);
        (path.begun, path.fresh) = (true, false);
        exit
    }

    /// What passes between two entries belongs to what the last stop was for; before
    /// the first entry, to preparing.
    #[inline(always)]
    fn first_gap(&self, run: Run) -> Timed {
        let is_new = run == Run::First && self.executor.account.divergences.is_empty();
        if is_new { Timed::Other } else { Timed::Restart }
    }

    /// Books an entry into user mode.
    #[inline(always)]
    fn entered(&mut self, span: Span, gap: Timed, in_run: Timed) {
        let executor = &mut *self.executor;
        one_more(&mut executor.work.entries);
        if executor.entered.is_none() {
            executor.entered = Some(span.entered);
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
    #[inline]
    fn book(&mut self, exit: &Exit, gap: Timed, in_run: Timed) {
        self.entered(exit.span, gap, in_run);
        if exit.debug_exceptions > 0 || exit.strays > 0 {
            // A stretch of single steps is many entries.
            self.executor.work.entries += u64::from(exit.debug_exceptions);
            self.executor.work.resumed += u64::from(exit.debug_exceptions);
            self.note(exit.debug_exceptions, exit.strays);
        }
    }

    #[cold]
    #[inline(never)]
    fn note(&mut self, debug_exceptions: u32, strays: u16) {
        let account = &mut self.executor.account;
        account.debug_exceptions = account.debug_exceptions.saturating_add(debug_exceptions);
        account.early_overflows = account.early_overflows.saturating_add(strays);
    }

    /// Finds the way to where `target` ended.
    #[cold]
    #[inline(never)]
    fn find_way(&mut self, path: &mut Path, approach: Approach, target: Option<Run>) {
        let (Approach::Exact { count, margin, stepped }, Some(target)) = (approach, target) else { return };
        if margin.far == 0 && !stepped {
            return;
        }
        let (rip, rcx) = self.executor.results[target as usize].position();
        let way = ExactStop::new(Position { count, rip, rcx }, margin, self.machine.repeats());
        path.way = Some(if stepped { way.stepped() } else { way });
        path.far = if stepped { u64::MAX } else { margin.far };
    }

    /// Whether run 1, stopped at its limit, has to go on: out of a REP string
    /// instruction inside of which no count tells where it stands.
    #[cold]
    fn runs_on(&mut self, path: &mut Path) -> bool {
        let may_be_inside = self.machine.repeats() == Repeats::PerInstruction && path.run == Run::First;
        if !may_be_inside || core::mem::replace(&mut path.ran_on, true) {
            return false;
        }
        let at = self.position(path);
        let Some(piece) = run_on(at, self.machine.decode(at.rip)) else { return false };
        self.repeat(path, piece);
        true
    }

    /// Executes some iterations of the REP string instruction that a run stands at.
    fn repeat(&mut self, path: &mut Path, piece: Piece) {
        self.begin(path);
        let state = &mut self.executor.results[path.run as usize];
        let (rip, _) = state.position();
        state.set_position(rip, piece.iterations);
        path.repeating = Some(Repeating { piece, since: path.count });
    }

    /// Applies the flips that are due, and makes the order one that leads to the next
    /// flip or to the target; false if that is here, or missed.
    #[cold]
    #[inline(never)]
    fn direct(&mut self, path: &mut Path, order: &mut Order) -> bool {
        if path.count < path.limit {
            self.flip_due(path);
        }
        let until = |rip| Some(Breakpoint { rip, resume: false });
        if let Some(Repeating { piece, since: _ }) = &path.repeating {
            (order.breakpoint, order.budget) = (until(piece.next), NET);
            return true;
        }
        let at = self.position(path);
        if let Some(flip) = self.next_flip(path).filter(|flip| *flip < path.limit) {
            let left = flip - path.count;
            if left > path.far {
                order.budget = left - path.far;
            } else {
                order.budget = NET;
                match single(at.rip, &mut Decoding(self.machine)) {
                    Single::Trap => order.step = true,
                    Single::Around { next } => order.breakpoint = until(next),
                }
            }
            return true;
        }
        let Some(way) = &mut path.way else { return true };
        let stopped = path.debugged.then_some(StopKind::Debug);
        match way.next(at, stopped, &mut Decoding(self.machine)) {
            Move::Arrived | Move::Missed | Move::Strayed => return false,
            Move::Count { budget } => order.budget = budget,
            Move::Breakpoint { rip, resume, budget } => {
                order.breakpoint = Some(Breakpoint { rip, resume });
                order.budget = budget;
            }
            Move::Step => (order.step, order.budget) = (true, NET),
            Move::Repeat(piece) => {
                (order.breakpoint, order.budget) = (until(piece.next), NET);
                self.repeat(path, piece);
            }
        }
        true
    }

    /// Where a run stands.
    fn position(&self, path: &Path) -> Position {
        let state = &*self.executor.results[path.run as usize];
        let (rip, rcx) = if path.begun { state } else { self.thread.source(path.run) }.position();
        Position { count: path.count, rip, rcx }
    }

    /// Puts a run's own registers before its first instruction, if they are not in use yet.
    pub(crate) fn begin(&mut self, path: &mut Path) {
        if !core::mem::replace(&mut path.begun, true) {
            self.executor.results[path.run as usize].clone_from(self.thread.source(path.run));
        }
    }

    /// Puts back what was taken from RCX, if there is something, and corrects the count.
    #[inline]
    fn finish_piece(&mut self, path: &mut Path) {
        if let Some(repeating) = path.repeating.take() {
            self.put_back(path, &repeating);
        }
    }

    #[cold]
    #[inline(never)]
    fn put_back(&mut self, path: &mut Path, repeating: &Repeating) {
        let Repeating { piece, since } = repeating;
        let state = &mut self.executor.results[path.run as usize];
        let (at, left) = state.position();
        let ended_by_flag = piece.ends_on == Some(state.is_zero());
        let (rip, rcx) = piece.settle(at, left, ended_by_flag);
        state.set_position(rip, rcx);
        if at == piece.next && rip == piece.rip {
            path.count = match self.machine.repeats() {
                // Some emulators count once more to find RCX 0.
                Repeats::PerIteration => since + piece.iterations,
                Repeats::PerInstruction => *since,
            };
        }
    }

    /// Whether a run went past the limit that ended its `target`, or stands there
    /// before an instruction that faults: the counter's interrupt was late, and by
    /// then anything may have ended the run. With interrupts off it was not late
    /// but could not come, which is a divergence.
    fn is_overshot(&mut self, run: Run, arrival: &Arrival, target: Run, goal: End) -> bool {
        let Arrival { end, counted, inside } = *arrival;
        if end.delimiter == Delimiter::Watchdog || !counted {
            return false;
        }
        let is_late = match end.count.cmp(&goal.count) {
            Ordering::Less => false,
            Ordering::Equal => inside || end.delimiter != Delimiter::Limit && self.has_come_to(run, target),
            Ordering::Greater => true,
        };
        is_late && self.executor.results[run as usize].is_interruptible()
    }

    /// Whether two runs' registers are equal.
    #[cold]
    fn has_come_to(&mut self, run: Run, target: Run) -> bool {
        let results = &mut self.executor.results;
        [run, target].into_iter().for_each(|run| results[run as usize].normalize());
        *results[run as usize] == *results[target as usize]
    }

    /// Decides what a stop other than the counter's means: the tracker's own
    /// write fault (`None`, and the run goes on) or the end of the run.
    pub(crate) fn treat(&mut self, run: Run, cause: Cause) -> Option<Delimiter> {
        let delimiter = Delimiter::of(cause);
        let Some(address) = cause.write_fault().filter(|_| T::FRAMES > 0) else { return Some(delimiter) };
        let page = self.machine.page(address);
        // If the page is open, it was not the tracker that forbade this write.
        let Some(page) = page.filter(|page| page.writable && !page.open) else { return Some(delimiter) };
        let opened = self.tracker.write_fault(pages!(self), run, page);
        self.visit(None);
        match opened {
            Ok(()) => {
                let faults = &mut self.executor.account.write_faults;
                *faults = faults.saturating_add(1);
                None
            }
            Err(SetFull) => Some(Delimiter::DirtyLimit { address }),
        }
    }
}
