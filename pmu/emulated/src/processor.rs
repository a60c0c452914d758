// SPDX-License-Identifier: MIT
//! A processor for host tests: a handful of instructions, debug registers, and
//! virtual time like an instruction-counting emulator's.

use super::faults::StepFaults;
use super::random::SplitMix64;
use pmu::back_end::{Entry, Repeats, StopKind};
use pmu::exact::{Decoder, Instruction, Pass, Position};
use pmu::workbench::{Block, MAX_AFTER, Sample, TRAILING, Trapped, Workbench};

/// Instructions before a watchdog ends a stretch.
const WATCHDOG: u64 = 20_000_000;
/// Length of every instruction.
const LENGTH: u64 = 4;
const BASE: u64 = 0x40_0000;
/// Ticks between arming the timer and the first instruction.
const LEAD: u64 = 22;
/// What a debug exception adds to the ticks of a stretch.
const DEBUG_BIAS: u64 = 44;

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Nothing of interest.
    Plain,
    /// A single step takes the next instruction along: PAUSE, MOV SS.
    Pause,
    /// Stores the flags.
    PushFlags,
    /// Sets RCX.
    SetRcx(u32),
    /// Sets RAX.
    SetRax(u32),
    /// Takes one from RAX.
    Decrement,
    /// Goes to an instruction by its index.
    Jump(u8),
    /// Goes to an instruction by its index, unless RAX is zero.
    JumpUnlessZero(u8),
    /// A REP string instruction: RCX iterations.
    Repeat,
    /// Writes to a page, which faults the first time.
    Store,
    /// A system call.
    Syscall,
}

/// Up to 64 instructions.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    ops: [Op; 64],
    len: u8,
}

impl Program {
    /// These, and nothing behind them.
    ///
    /// # Panics
    /// If there are more than 64.
    pub fn new(ops: &[Op]) -> Self {
        let mut program = Self { ops: [Op::Syscall; 64], len: ops.len() as u8 };
        program.ops[..ops.len()].copy_from_slice(ops);
        program
    }

    /// An endless loop of `len` instructions, the last of which jumps.
    pub fn loop_of(len: u8) -> Self {
        let mut ops = [Op::Plain; 64];
        ops[usize::from(len) - 1] = Op::Jump(0);
        Self { ops, len }
    }

    /// Whether it is a loop of nothing but plain instructions.
    fn is_plain_loop(&self) -> bool {
        let last = usize::from(self.len) - 1;
        self.ops[last] == Op::Jump(0) && self.ops[..last].iter().all(|&op| op == Op::Plain)
    }
}

/// What the debug registers and flags are to do during a stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Debug {
    /// DR0, armed for execution.
    pub breakpoint: Option<u64>,
    /// RFLAGS.RF: no breakpoint at the first instruction.
    pub resume: bool,
    /// RFLAGS.TF.
    pub step: bool,
    /// Hits of the breakpoint that are passed over.
    pub pass: Option<Pass>,
}

/// How a stretch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// What ended it.
    pub kind: StopKind,
    /// Ticks between the time stamps around user mode.
    pub elapsed: u64,
    /// Whether a single step took two instructions.
    pub swallowed: bool,
    /// Hits that were passed over.
    pub passed: u32,
}

/// The processor, with one program in user mode.
#[derive(Clone, Debug)]
pub struct Processor {
    program: Program,
    /// Index of the next instruction.
    next: u8,
    rax: u64,
    /// The count register.
    pub rcx: u64,
    executed: u64,
    protected: bool,
    /// The trap flag was set in the flags that were stored last.
    trap_shown: bool,
    repeats: Repeats,
    faults: StepFaults,
    random: SplitMix64,
}

impl Processor {
    /// At the start of a program.
    pub fn new(program: Program) -> Self {
        Self {
            program,
            next: 0,
            rax: 0,
            rcx: 0,
            executed: 0,
            protected: true,
            trap_shown: false,
            repeats: Repeats::PerIteration,
            faults: StepFaults::default(),
            random: SplitMix64::new(1),
        }
    }

    /// One whose time takes a REP string instruction for one, and whose interrupts
    /// come inside them, at random.
    #[must_use]
    pub fn counting_repeats(self, repeats: Repeats) -> Self {
        Self { repeats, ..self }
    }

    /// One whose debug exceptions misbehave as told.
    #[must_use]
    pub fn misbehaving(self, faults: StepFaults) -> Self {
        Self { faults, ..self }
    }

    /// Address of the next instruction.
    pub fn rip(&self) -> u64 {
        BASE + u64::from(self.next) * LENGTH
    }

    /// Goes to an address.
    pub fn set_rip(&mut self, rip: u64) {
        self.next = ((rip - BASE) / LENGTH) as u8;
    }

    /// Instructions executed so far: what counters only claim to know.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// Lets stores succeed, as a kernel does after the fault.
    pub fn unprotect(&mut self) {
        self.protected = false;
    }

    /// Where it stands, if so many instructions have been counted.
    pub fn position(&self, count: u64) -> Position {
        Position { count, rip: self.rip(), rcx: self.rcx }
    }

    /// Executes user code until something stops it; `None` if only the watchdog does.
    pub fn enter(&mut self, entry: Entry, debug: Debug) -> Option<Exit> {
        let start = self.executed;
        let due = match entry.timer {
            0 => start + WATCHDOG,
            timer => start + u64::from(timer).saturating_sub(LEAD),
        };
        let step = debug.step || entry.step;
        let traps = step && !self.faults.untrapped;
        let mut resume = debug.resume;
        let mut passed = 0;
        // Instructions until the trap of a single step comes.
        let mut trap_in = 1u8;
        let kind = loop {
            if self.executed >= due {
                if entry.timer == 0 {
                    return None;
                }
                self.land_inside_repeat();
                break StopKind::Counter;
            }
            if traps && trap_in == 0 {
                break StopKind::Debug;
            }
            if debug.breakpoint == Some(self.rip()) && !resume {
                if !debug.pass.is_some_and(|pass| pass.is_over(self.executed - start, self.rcx)) {
                    break StopKind::Debug;
                }
                passed += 1;
            }
            resume = false;
            if !step {
                self.hurry(due, debug.breakpoint.is_some());
            }
            // After PAUSE the trap of a single step does not come, but after the next one.
            if traps && self.executed == start {
                let pause = self.program.ops[usize::from(self.next)] == Op::Pause;
                let shadow = if self.faults.long_shadow { 2 } else { 1 };
                let swallowed = self.random.one_in(self.faults.swallows);
                trap_in += if pause { shadow } else { u8::from(swallowed) };
            }
            if let Some(kind) = self.execute_one(step) {
                break kind;
            }
            trap_in = trap_in.saturating_sub(1);
        };
        let bias = match kind {
            StopKind::Counter => 40,
            StopKind::Fault => 41,
            StopKind::Debug => DEBUG_BIAS,
            StopKind::Syscall => 46,
        };
        let swallowed = step && self.executed - start == 2;
        let elapsed = self.executed - start + u64::from(passed) * DEBUG_BIAS + bias;
        Some(Exit { kind, elapsed, swallowed, passed })
    }

    /// Where time takes a REP string instruction for one, an interrupt comes
    /// anywhere in it.
    fn land_inside_repeat(&mut self) {
        let inside = self.program.ops[usize::from(self.next)] == Op::Repeat && self.rcx > 0;
        if inside && self.repeats == Repeats::PerInstruction {
            self.rcx -= self.random.up_to(self.rcx - 1);
        }
    }

    /// Goes round loops quickly, as far as that makes no difference.
    fn hurry(&mut self, due: u64, breakpoint: bool) {
        let left = due - self.executed;
        let len = u64::from(self.program.len);
        if self.program.ops[usize::from(self.next)] == Op::Repeat {
            let quick = match self.repeats {
                Repeats::PerIteration => self.rcx.min(left).saturating_sub(1),
                Repeats::PerInstruction => self.rcx.saturating_sub(1),
            };
            self.rcx -= quick;
            self.executed += if self.repeats == Repeats::PerIteration { quick } else { 0 };
        } else if breakpoint {
            // The loops have one inside, perhaps.
        } else if self.next == 0 && self.program.is_plain_loop() {
            self.executed += left / len * len;
            if left.is_multiple_of(len) {
                // The last one is executed the slow way.
                self.executed -= len;
            }
        } else if let [Op::Decrement, Op::JumpUnlessZero(back)] =
            self.program.ops[usize::from(self.next)..][..2.min(64 - usize::from(self.next))]
            && back == self.next
        {
            let rounds = (left.saturating_sub(1) / 2).min(self.rax.saturating_sub(1));
            self.rax -= rounds;
            self.executed += 2 * rounds;
        }
    }

    fn execute_one(&mut self, trap_flag: bool) -> Option<StopKind> {
        let mut next = self.next + 1;
        let mut counts = 1;
        match self.program.ops[usize::from(self.next)] {
            Op::Plain | Op::Pause => {}
            Op::PushFlags => self.trap_shown = trap_flag || self.faults.shows_trap,
            Op::SetRcx(value) => self.rcx = value.into(),
            Op::SetRax(value) => self.rax = value.into(),
            Op::Decrement => self.rax = self.rax.wrapping_sub(1),
            Op::Jump(to) => next = to,
            Op::JumpUnlessZero(to) => {
                if self.rax != 0 {
                    next = to;
                }
            }
            Op::Repeat if self.rcx > 1 => {
                self.rcx -= 1;
                next = self.next;
                counts = u64::from(self.repeats == Repeats::PerIteration);
            }
            Op::Repeat => self.rcx = 0,
            Op::Store if self.protected => return Some(StopKind::Fault),
            Op::Store => {}
            Op::Syscall => {
                self.executed += 1;
                self.next = next;
                return Some(StopKind::Syscall);
            }
        }
        self.next = next;
        self.executed += counts;
        None
    }

    fn sample(&mut self, entry: Entry, debug: Debug) -> Option<Sample> {
        let start = self.executed;
        let exit = self.enter(entry, debug)?;
        let executed = self.executed - start;
        Some(Sample { kind: exit.kind, elapsed: exit.elapsed, executed, trap_shown: self.trap_shown })
    }
}

impl Decoder for Processor {
    fn decode(&mut self, rip: u64) -> Instruction {
        let op = rip.checked_sub(BASE).and_then(|at| self.program.ops.get((at / LENGTH) as usize));
        Instruction {
            repeats: op == Some(&Op::Repeat),
            holds_debug_back: op == Some(&Op::Pause),
            shows_trap: matches!(op, Some(Op::Syscall | Op::PushFlags)),
            ..Instruction::plain(rip + LENGTH)
        }
    }
}

/// The bench executes its blocks in place of the program.
impl Workbench for Processor {
    fn execute(&mut self, block: Block, entry: Entry) -> Option<Sample> {
        let mut debug = Debug::default();
        let mut ops = [Op::Plain; MAX_AFTER as usize + 1];
        let (after, last) = match block {
            Block::Loop => (7, Op::Jump(0)),
            Block::Fault(after) => (after, Op::Store),
            Block::Step => {
                debug.step = true;
                (1, Op::Plain)
            }
            Block::Breakpoint(after) => {
                debug.breakpoint = Some(BASE + u64::from(after) * LENGTH);
                (after, Op::Plain)
            }
            Block::Long(_) => (2, Op::Syscall),
            Block::Locked(_) => (3, Op::Syscall),
            Block::Trapped(_) => (1 + TRAILING, Op::Syscall),
        };
        ops[usize::from(after)] = last;
        match block {
            Block::Long(loops) => {
                ops[..2].copy_from_slice(&[Op::Decrement, Op::JumpUnlessZero(0)]);
                self.rax = loops.into();
            }
            Block::Locked(loops) => {
                ops[..3].copy_from_slice(&[Op::Plain, Op::Decrement, Op::JumpUnlessZero(0)]);
                self.rax = loops.into();
            }
            Block::Trapped(Trapped::Shadow | Trapped::Pause) => ops[0] = Op::Pause,
            Block::Trapped(Trapped::Flags) => ops[0] = Op::PushFlags,
            _ => {}
        }
        self.program = Program::new(&ops[..=usize::from(after)]);
        self.next = 0;
        self.protected = true;
        self.trap_shown = false;
        self.sample(entry, debug)
    }

    fn resume(&mut self, entry: Entry) -> Option<Sample> {
        self.sample(entry, Debug::default())
    }
}
