// SPDX-License-Identifier: MIT
//! The machine that the engine works on: paged memory with frames, a counter
//! with whatever faults a test gives it, and a [checker](check) that watches the
//! engine. A frame that is used must be taken from the pool, and is given back once.

use std::collections::{BTreeMap, BTreeSet};

use pmu::Repeats;
use pmu::exact::{Decoder, Instruction};

use pe_replay::lifecycle::{Event, Phase};
use pe_replay::placement::Placement;
use pe_replay::stop::FAULT_PRESENT;
use pe_replay::user::{INTERRUPT_FLAG, TRAP_FLAG, USER_FLAGS, UserRegisters};
use pe_replay::{
    Cause, Comparison, Exit, FirstExit, Internals, Mode, Order, Policy, Processor, Run, Span, View,
};

use crate::cpu::{self, Bus, Fault, Op, Trap};
use crate::damage::Damage;
use crate::space::{self, PAGE_LEN, Page, World, page_of, parts};

mod check;
mod memory;
pub mod moments;
mod xsave;

use check::Attempt;
use moments::{Call, Moments};
use xsave::{load, save};

/// Instructions after which the watchdog ends a run.
pub const WATCHDOG: u64 = 20_000;
/// What a released frame is overwritten with.
const POISON: u8 = 0xdd;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Home,
    Free,
    Taken,
}

/// What the tables of a view say of a page.
#[derive(Clone, Copy)]
struct Mapping {
    frame: usize,
    open: bool,
    /// User mode has written here since it was mapped.
    dirty: bool,
}

struct Entry {
    home: usize,
    /// What the process may truly do.
    writable: bool,
    /// One for each run; where runs share a view, it is the first.
    views: [Mapping; 3],
    /// The engine wants to be told what the kernel does to it.
    watched: bool,
    /// The kernel has written here since it was mapped.
    stale: bool,
}

impl Entry {
    fn new(home: usize, writable: bool, open: bool) -> Self {
        let mapping = Mapping { frame: home, open, dirty: false };
        Self { home, writable, views: [mapping; 3], watched: false, stale: false }
    }

    fn is_open(&self) -> bool {
        self.views.iter().any(|view| view.open)
    }
}

/// Which views a mapping is for.
fn views(view: View) -> std::ops::Range<usize> {
    match view {
        View::Every => 0..3,
        View::Of(run) => run as usize..run as usize + 1,
    }
}

/// As many iterations of a REP string instruction, less one, may be executed before the counter's interrupt is taken.
const ITERATIONS_LATE: u64 = 4;

/// When the counter's interrupt comes, in instructions after the entry.
pub type Counter = Box<dyn FnMut(Order) -> u64>;
/// Changes what a stop looks like; the number counts entries from 0.
pub type Glitch = Box<dyn FnMut(u64, &mut UserRegisters, &mut Exit)>;

pub struct Model {
    program: Vec<Op>,
    entries: BTreeMap<u64, Entry>,
    frames: Vec<(Page, Use)>,
    pool: usize,
    tracking: bool,
    comparison: Comparison,
    private: bool,
    /// The view that user mode sees.
    view: usize,
    /// Homes of which translations may be out of date.
    stale: BTreeSet<usize>,
    attempt: Attempt,
    /// Pages that were read or written since the caches were flushed.
    accessed: BTreeSet<u64>,
    /// Pages whose lines were flushed.
    pub pages_flushed: usize,
    pub line_flushes: u64,
    pub cache_flushes: u64,
    disturbed: bool,
    clock: u64,
    /// When the counter fires.
    pub counter: Counter,
    /// How it counts a REP string instruction. Where it does so once, its interrupt may come inside of one that is next.
    pub repeats: Repeats,
    /// What stops are made to look like.
    pub glitch: Glitch,
    /// Values that are others each time.
    pub random: Box<dyn FnMut() -> u64>,
    /// Those that were drawn, by run of the last attempt.
    pub drawn: Vec<Vec<u64>>,
    /// When user mode was entered for the first time.
    pub first_entered: u64,
    /// Entries into user mode so far.
    pub entered: u64,
    /// Instructions executed, however often.
    pub executed: u64,
    /// Single steps made.
    pub steps: u64,
    /// The next comparison of equal pages says that they differ.
    pub misjudges: bool,
    /// What is not state is saved alike each time, as processors often do.
    pub quiet: bool,
    /// The steps that PEs took: how often each.
    pub steps_of_life: BTreeMap<Step, u64>,
    /// Faults between two calls.
    pub moments: Moments,
    /// Damage to what the engine keeps beside registers and copies.
    pub damage: Option<Damage>,
    visits: u64,
}

/// 1, 2, 3 ...
fn counting() -> Box<dyn FnMut() -> u64> {
    let mut last = 0;
    Box::new(move || {
        last += 1;
        last
    })
}

/// From where an event, by its kind, led where.
pub type Step = (Phase, &'static str, Phase);

fn kind(event: Event) -> &'static str {
    match event {
        Event::Done => "done",
        Event::Ended => "ended",
        Event::Overshot => "overshot",
        Event::Agreed => "agreed",
        Event::Outvoted(Run::First) => "run 1 outvoted",
        Event::Outvoted(Run::Second) => "run 2 outvoted",
        Event::Outvoted(Run::Third) => "run 3 outvoted",
        Event::Differed => "differed",
        Event::Damaged => "damaged",
    }
}

impl Model {
    /// A machine with `pool` frames to spare. In mode `off` pages are mapped as the
    /// process may truly use them.
    pub fn new(program: Vec<Op>, pool: usize, policy: Policy, private: bool) -> Self {
        let tracking = policy.mode != Mode::Off;
        let homes = (0..space::HOMES).map(|home| (space::first_content(home), Use::Home));
        let spare = (0..pool).map(|_| ([POISON; PAGE_LEN as usize], Use::Free));
        let entries = space::mappings().into_iter().map(|it| {
            let open = it.writable && !tracking;
            (it.address, Entry::new(it.home, it.writable, open))
        });
        Self {
            program,
            entries: entries.collect(),
            frames: homes.chain(spare).collect(),
            pool,
            tracking,
            comparison: policy.comparison,
            private,
            view: 0,
            stale: BTreeSet::new(),
            attempt: Attempt::default(),
            accessed: BTreeSet::new(),
            pages_flushed: 0,
            line_flushes: 0,
            cache_flushes: 0,
            disturbed: false,
            clock: 1000,
            random: counting(),
            drawn: Vec::new(),
            counter: Box::new(|order| order.budget),
            glitch: Box::new(|_, _, _| {}),
            first_entered: 0,
            entered: 0,
            executed: 0,
            steps: 0,
            misjudges: false,
            repeats: Repeats::PerIteration,
            quiet: false,
            steps_of_life: BTreeMap::new(),
            moments: Moments::default(),
            damage: None,
            visits: 0,
        }
    }

    /// What the process may see of each page, by address.
    pub fn pages(&self) -> impl Iterator<Item = (u64, &Page)> {
        self.entries.iter().map(|(address, entry)| (*address, &self.frames[entry.home].0))
    }

    /// The pages that are hot, between PEs.
    pub fn hot(&self) -> impl Iterator<Item = u64> {
        self.entries.iter().filter(|(_, entry)| entry.is_open()).map(|(address, _)| *address)
    }

    /// Closes all pages with this home: something was done to one of them.
    fn cool(&mut self, home: usize) {
        for entry in self.entries.values_mut().filter(|entry| entry.home == home) {
            self.disturbed |= entry.watched;
            *entry = Entry::new(home, entry.writable, entry.writable && !self.tracking);
        }
    }

    /// Shown what the engine keeps.
    pub fn visit<P: Placement>(&mut self, mut inside: Internals<'_, Self, P>) {
        let visit = self.visits;
        self.visits += 1;
        if self.damage.is_some_and(|damage| visit >= damage.visit && damage.strike(&mut inside)) {
            self.damage = None;
        }
        self.show(inside);
    }

    fn begin_attempt(&mut self) {
        self.drawn.clear();
        self.attempt = Attempt::default();
    }

    /// Told of each step in the life of a PE.
    pub fn stepped(&mut self, from: Phase, event: Event, to: Phase) {
        self.tick(Call::Other);
        self.moments.enter(to);
        *self.steps_of_life.entry((from, kind(event), to)).or_default() += 1;
    }

    fn live(&mut self, frame: usize) -> &mut Page {
        let (page, kind) = &mut self.frames[frame];
        assert!(*kind != Use::Free, "frame {frame} is not taken");
        page
    }

    fn fault(address: u64, entry: Option<&Entry>, write: bool) -> Fault {
        let present = if entry.is_some() { FAULT_PRESENT } else { 0 };
        Fault { address, error: present | u32::from(write) << 1 | 1 << 2 }
    }
}

impl Bus for Model {
    fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Fault> {
        for (address, part) in parts(address, bytes.len()) {
            let entry = self.entries.get(&page_of(address));
            let entry = entry.ok_or_else(|| Self::fault(address, None, false))?;
            self.accessed.insert(page_of(address));
            let at = (address % PAGE_LEN) as usize;
            let content = &self.frames[entry.views[self.view].frame].0[at..at + part.len()];
            bytes[part].copy_from_slice(content);
        }
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        for (address, _) in parts(address, bytes.len()) {
            let entry = self.entries.get(&page_of(address));
            if !entry.is_some_and(|entry| entry.views[self.view].open) {
                let Attempt { runs, touched, refused, .. } = &mut self.attempt;
                let met = if *runs > 1 { refused } else { touched };
                met.extend(entry.map(|entry| entry.home));
                return Err(Self::fault(address, entry, true));
            }
        }
        for (address, part) in parts(address, bytes.len()) {
            let Some(entry) = self.entries.get_mut(&page_of(address)) else { unreachable!() };
            entry.views[self.view].dirty = true;
            self.attempt.touched.insert(entry.home);
            self.accessed.insert(page_of(address));
            let at = (address % PAGE_LEN) as usize;
            self.frames[entry.views[self.view].frame].0[at..at + part.len()].copy_from_slice(&bytes[part]);
        }
        Ok(())
    }

    fn random(&mut self) -> u64 {
        let value = (self.random)();
        if let Some(run) = self.drawn.last_mut() {
            run.push(value);
        }
        value
    }
}

impl World for Model {
    fn map_zero(&mut self, page: u64) {
        if let Some(entry) = self.entries.get(&page) {
            let home = entry.home;
            self.cool(home);
        }
        self.frames.push(([0; PAGE_LEN as usize], Use::Home));
        self.entries.insert(page, Entry::new(self.frames.len() - 1, true, !self.tracking));
    }

    fn protect(&mut self, page: u64, writable: bool) {
        if let Some(entry) = self.entries.get_mut(&page) {
            entry.writable = writable;
            let home = entry.home;
            self.cool(home);
        }
    }

    fn read_user(&self, address: u64) -> Option<u8> {
        let entry = self.entries.get(&page_of(address))?;
        Some(self.frames[entry.home].0[(address % PAGE_LEN) as usize])
    }

    fn write_user(&mut self, address: u64, byte: u8) -> bool {
        let home = match self.entries.get(&page_of(address)) {
            Some(entry) if entry.writable => entry.home,
            Some(_) | None => return false,
        };
        self.frames[home].0[(address % PAGE_LEN) as usize] = byte;
        for entry in self.entries.values_mut().filter(|entry| entry.home == home) {
            entry.stale = true;
            self.disturbed |= entry.watched;
        }
        true
    }
}

impl Decoder for Model {
    fn decode(&mut self, rip: u64) -> Instruction {
        self.tick(Call::Other);
        let op = cpu::op_at(&self.program, rip);
        Instruction {
            repeats: matches!(op, Some(Op::RepStos | Op::RepneScas)),
            ends_on: matches!(op, Some(Op::RepneScas)).then_some(true),
            shows_trap: matches!(op, Some(Op::Pushf | Op::Syscall | Op::Breakpoint)),
            loads_flags: matches!(op, Some(Op::Popf)),
            ..Instruction::plain(rip + cpu::OP_LEN)
        }
    }
}

impl Processor for Model {
    type Registers = UserRegisters;
    type Place = Box<UserRegisters>;

    fn repeats(&self) -> Repeats {
        self.repeats
    }

    fn now(&mut self) -> u64 {
        self.tick(Call::Other);
        self.clock += 1;
        self.clock
    }

    fn enter(&mut self, source: Option<&UserRegisters>, state: &mut UserRegisters, order: Order) -> Exit {
        self.tick(Call::Other);
        assert!(order.budget > 0, "an order for nothing");
        let is_debugged = order.step || order.breakpoint.is_some();
        assert!(!is_debugged || order.budget > 1, "the counter may come before a debug exception");
        assert!(source.is_none() || order.fresh, "a run begins in its middle");
        assert!(self.stale.is_empty(), "a translation is out of date");
        if order.fresh {
            if !self.tracking {
                self.begin_attempt();
            }
            if self.attempt.runs == 0 {
                let open = self.entries.values().filter(|entry| entry.is_open());
                self.attempt.hot = open.map(|entry| entry.home).collect();
            }
            self.attempt.runs += 1;
            self.drawn.push(Vec::new());
        }
        self.check_entry();
        if let Some(source) = source {
            state.clone_from(source);
        }
        load(state);
        self.clock += 40;
        let entered = self.clock;
        if self.entered == 0 {
            self.first_entered = entered;
        }
        let interrupt = if order.interrupts_off { 0 } else { INTERRUPT_FLAG };
        let trap = if order.step { TRAP_FLAG } else { 0 };
        state.rflags = state.rflags & USER_FLAGS | interrupt | trap | 2;
        let fires_at = if order.interrupts_off { u64::MAX } else { (self.counter)(order) };
        let program = core::mem::take(&mut self.program);
        let (mut done, mut passed, mut late) = (0, 0, 0);
        let cause = loop {
            let is_inside = self.repeats == Repeats::PerInstruction
                && state.rcx > 0
                && matches!(cpu::op_at(&program, state.rip), Some(Op::RepStos | Op::RepneScas));
            let rip = state.rip;
            if done >= fires_at {
                if !is_inside || late == self.entered % ITERATIONS_LATE {
                    break Cause::Counter;
                }
                late += 1;
            }
            if let Some(at) = order.breakpoint.filter(|at| at.rip == state.rip && !(at.resume && done == 0)) {
                if !at.pass.is_some_and(|pass| pass.is_over(done, state.rcx)) {
                    break Cause::Breakpoint;
                }
                passed += 1;
            }
            if done >= WATCHDOG {
                break Cause::Watchdog;
            }
            match cpu::step(state, &program, self) {
                Ok(()) => {
                    if is_inside && state.rcx == 0 {
                        // It is over with its last iteration. Emulators look once more.
                        state.rip = rip + cpu::OP_LEN;
                    }
                    done += u64::from(!is_inside || state.rip != rip);
                }
                Err(trap) => {
                    done += u64::from(trap.retired() && !is_inside);
                    break match trap {
                        Trap::Exception { vector: cpu::DEBUG, .. } if order.step && done >= fires_at => {
                            Cause::Counter
                        }
                        Trap::Syscall => Cause::Syscall,
                        Trap::Exception { vector, error, address, .. } => {
                            Cause::Exception { vector, error, address }
                        }
                    };
                }
            }
        };
        self.program = program;
        self.clock += done;
        if order.step {
            self.steps += 1;
        }
        save(state, if self.quiet { 1 } else { self.entered });
        let span = Span { instructions: done, entered, ticks: done };
        let mut stop = Exit { debug_exceptions: passed, ..Exit::plain(cause, span) };
        (self.glitch)(self.entered, state, &mut stop);
        self.entered += 1;
        self.executed += done;
        self.clock += 25;
        stop
    }

    /// In the short forms where that is possible, as the kernel does it with one of its counters. Other counters have one form
    /// for all exits; so every second one has it here.
    fn begin(&mut self, source: &UserRegisters, state: &mut UserRegisters, budget: u64) -> FirstExit {
        let stop = self.enter(Some(source), state, Order::begin(budget));
        let span = stop.span;
        let is_short = stop.debug_exceptions == 0 && stop.strays == 0 && self.entered.is_multiple_of(2);
        match stop.cause {
            Cause::Syscall if is_short => FirstExit::Syscall(span),
            Cause::Counter if is_short => FirstExit::Counter(span),
            _ => FirstExit::Other(stop),
        }
    }

    fn copy_registers(&mut self, from: &UserRegisters, to: &mut UserRegisters) {
        self.tick(Call::Other);
        self.moments.state_copied();
        to.clone_from(from);
    }

    fn is_same(&mut self, a: &UserRegisters, b: &UserRegisters) -> bool {
        let misjudged = self.goes_wrong(Call::Comparison);
        a == b && !misjudged
    }

    fn flush_lines(&mut self) {
        self.tick(Call::Other);
        self.clock += 5;
        self.pages_flushed += core::mem::take(&mut self.accessed).len();
        self.line_flushes += 1;
    }

    fn flush_caches(&mut self) {
        self.tick(Call::Other);
        self.clock += 100;
        self.accessed.clear();
        self.cache_flushes += 1;
    }
}
