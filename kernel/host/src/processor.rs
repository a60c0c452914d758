// SPDX-License-Identifier: MIT
//! Stands in for the machine with replay: user code is a script.
//!
//! What is at an address of a program's text is one [`Op`], sixteen bytes long. A PE does one
//! of them and is committed.

use std::collections::{BTreeMap, BTreeSet};

use pe_replay::diagnose::Culprit;
use pe_replay::phases::{Phase, Stopwatch};
use pe_replay::{Account, Delimiter, Difference, End, Field, Outcome, Policy, UserRegisters};
use wire::Digest;
use wire::end::Totals;

use crate::heap;
use crate::mem::fallible::Exhausted;
use crate::mem::frame;
use crate::mem::space::Space;
use crate::object::interrupt::{LineSet, Message, Trigger, Wire};
use crate::object::processor::{Held, Piece, Processor, Width};

/// Bytes that an operation takes.
pub const OP_LEN: u64 = 16;

/// Lines that have pins.
pub const PINS: u8 = 24;

/// What differs where anything does.
const DIFFERENCE: Difference = Difference { field: Field::Gpr(0), first: 1, second: 2, address: 0 };

/// What a PE does.
#[derive(Clone, Copy)]
pub enum Op {
    /// It computes for so many instructions, up to the limit.
    Spin(u64),
    /// It makes a system call: RAX, and the arguments in RDI, RSI, RDX.
    Call(u64, [u64; 3]),
    /// It calls with the last result as the first argument.
    CallWithResult(u64),
    /// It makes a call of the NOVA interface: RDI, and the arguments in RSI, RDX, RAX, R8.
    Hyper(u64, [u64; 4]),
    /// It makes a call that it has put into its registers.
    CallBy(fn(&mut Space, &mut UserRegisters)),
    /// It does something with its memory and its registers.
    Do(fn(&mut Space, &mut UserRegisters)),
    /// It executes an instruction that the processor refuses.
    Refused(&'static [u8]),
    /// It touches a page.
    Touch(u64),
    /// It executes an instruction that page tables refuse, for this address, with this error code.
    Access(u64, u32, &'static [u8]),
    /// It goes elsewhere.
    Jump(u64),
    /// It needs more frames than there are.
    Starve,
    /// Its runs never come to the same.
    Diverge,
    /// The copies of what it started from differ.
    Damage,
}

/// What is kept of a thread.
pub struct State {
    registers: UserRegisters,
    limit: u64,
    /// Which thread of its space it is.
    number: u8,
}

/// A processor that follows scripts.
pub struct Scripted {
    account: Account,
    watch: Stopwatch,
    space: Space,
    tracker: u32,
    /// Trackers that were made.
    trackers: u32,
    ops: BTreeMap<u64, Op>,
    /// Each PE that was run: the address where it began, and RAX.
    pub seen: Vec<(u64, u64)>,
    /// Of each PE, the number of its space, and that of its thread in there.
    pub ran: Vec<(u32, u8)>,
    /// Spaces that were told to give up their copies.
    pub released: Vec<u32>,
    /// Spaces that have pages which rest, and those that were told to give them up.
    pub resting: BTreeSet<u32>,
    pub rested: Vec<u32>,
    pooled: u64,
    /// Policies that were set, each for the space of that number.
    pub policies: Vec<(u32, Policy)>,
    /// What was written to ports; what is read from a port is what was written there last.
    pub ports: Vec<(u16, u32)>,
    /// What was done with the memory of devices: where, how much at once, and what was written.
    pub devices: Vec<(u64, Piece, Option<u64>)>,
    /// Lines that interrupt at a time, in order.
    pub due_lines: Vec<(u64, u8)>,
    /// Lines that are open, how they are wired, and whether they are masked.
    pub open: BTreeMap<u8, (Wire, bool)>,
    counts: BTreeMap<u8, u32>,
    /// Until when it was idle, each time.
    pub idled: Vec<Option<u64>>,
    /// How often a space was made the one in which user code runs.
    pub activations: u32,
    ticks: std::cell::Cell<u64>,
}

impl Scripted {
    /// A processor with these programs, each a list of operations from an address on.
    pub fn new(programs: &[(u64, &[Op])]) -> Self {
        let ops = programs.iter().flat_map(|(start, ops)| {
            ops.iter().enumerate().map(move |(index, op)| (start + OP_LEN * index as u64, *op))
        });
        Self {
            account: Account::default(),
            watch: Stopwatch::start(0),
            space: Space::default(),
            tracker: 0,
            trackers: 1,
            ops: ops.collect(),
            seen: Vec::new(),
            ran: Vec::new(),
            released: Vec::new(),
            resting: BTreeSet::new(),
            rested: Vec::new(),
            pooled: 0,
            policies: Vec::new(),
            ports: Vec::new(),
            devices: Vec::new(),
            due_lines: Vec::new(),
            open: BTreeMap::new(),
            counts: BTreeMap::new(),
            idled: Vec::new(),
            activations: 0,
            ticks: std::cell::Cell::new(0),
        }
    }
}

impl Scripted {
    /// Puts an instruction in place; behind it the next operation stands in.
    fn put(&mut self, here: u64, code: &[u8]) {
        if self.space.load(here, code).is_err() {
            let access = crate::mem::space::Access { read: true, write: false, execute: true };
            // What was loaded from a file that lasts has to make room.
            self.space.unmap(here & !0xfff);
            self.space.map_zeroed(here & !0xfff, access).unwrap();
            self.space.load(here, code).unwrap();
        }
        self.ops.insert(here + code.len() as u64, Op::Jump(here + OP_LEN));
    }
}

impl Processor for Scripted {
    type State = State;
    /// The number of the space.
    type Tracker = u32;

    fn registers(state: &State) -> &UserRegisters {
        &state.registers
    }

    fn registers_mut(state: &mut State) -> &mut UserRegisters {
        &mut state.registers
    }

    fn account(&self) -> &Account {
        &self.account
    }

    fn watch(&self) -> &Stopwatch {
        &self.watch
    }

    fn charge(&mut self) -> u64 {
        let now = self.now();
        self.watch.lap(Phase::Other, now)
    }

    fn space(&self) -> &Space {
        &self.space
    }

    fn space_mut(&mut self) -> &mut Space {
        &mut self.space
    }

    fn exchange(&mut self, held: Held<u32>) -> Held<u32> {
        Held {
            pages: std::mem::replace(&mut self.space, held.pages),
            tracker: std::mem::replace(&mut self.tracker, held.tracker),
        }
    }

    fn activate(&mut self) {
        self.activations += 1;
    }

    fn tracker(&mut self) -> u32 {
        self.trackers += 1;
        self.trackers - 1
    }

    fn admit(&mut self, registers: &UserRegisters, number: u8) -> Result<Box<State>, Exhausted> {
        crate::mem::fallible::boxed(State { registers: registers.clone(), limit: u64::MAX, number })
    }

    fn prepare(&mut self, state: &mut State, since: u64, limit: u64) {
        let before = std::mem::replace(&mut self.watch, Stopwatch::start(since));
        self.watch.phases = before.phases;
        state.limit = limit;
    }

    fn execute(&mut self, state: &mut State, _sequence: u64) -> Outcome {
        let registers = &mut state.registers;
        self.seen.push((registers.rip, registers.rax));
        self.ran.push((self.tracker, state.number));
        let op = self.ops.get(&registers.rip).copied().unwrap_or(Op::Refused(&[0x0f, 0x0b]));
        let next = registers.rip + OP_LEN;
        let (delimiter, count) = match op {
            Op::Spin(instructions) => {
                registers.rip = next;
                (Delimiter::Limit, instructions.min(state.limit))
            }
            Op::Call(number, arguments) => {
                registers.rax = number;
                [registers.rdi, registers.rsi, registers.rdx] = arguments;
                registers.rip = next;
                (Delimiter::Syscall, 10)
            }
            Op::CallWithResult(number) => {
                registers.rdi = std::mem::replace(&mut registers.rax, number);
                registers.rip = next;
                (Delimiter::Syscall, 10)
            }
            Op::Hyper(rdi, [rsi, rdx, rax, r8]) => {
                registers.rdi = rdi;
                [registers.rsi, registers.rdx, registers.rax, registers.r8] = [rsi, rdx, rax, r8];
                registers.rip = next;
                (Delimiter::Syscall, 10)
            }
            Op::CallBy(act) => {
                registers.rip = next;
                act(&mut self.space, registers);
                (Delimiter::Syscall, 10)
            }
            Op::Do(act) => {
                registers.rip = next;
                act(&mut self.space, registers);
                (Delimiter::Limit, 1)
            }
            Op::Refused(code) => {
                self.put(registers.rip, code);
                (Delimiter::Exception { vector: 13, error: 0 }, 1)
            }
            Op::Access(address, error, code) => {
                self.put(registers.rip, code);
                (Delimiter::PageFault { address, error }, 1)
            }
            Op::Touch(address) => {
                registers.rip = next;
                (Delimiter::PageFault { address, error: 6 }, 1)
            }
            Op::Jump(target) => {
                registers.rip = target;
                (Delimiter::Limit, 1)
            }
            Op::Starve => {
                self.ops.insert(registers.rip, Op::Jump(next));
                return Outcome::OutOfFrames;
            }
            Op::Diverge => return Outcome::Persistent { difference: DIFFERENCE, end_rip: next },
            Op::Damage => return Outcome::Damaged { difference: DIFFERENCE },
        };
        let now = self.now();
        self.watch.lap(Phase::FirstRun, now);
        Outcome::Committed(End { delimiter, count })
    }

    fn digest(&mut self, state: &State, committed: End) -> Digest {
        Digest::new(&state.registers, committed, std::iter::empty())
    }

    fn for_each_written(&self, _each: &mut dyn FnMut(u64)) {}

    fn diagnose(&mut self, _state: &mut State, _seen: Difference) -> Option<Culprit> {
        None
    }

    fn run_policy(&self) -> Policy {
        Policy::DEFAULT
    }

    fn set_policy(&mut self, policy: Policy) {
        heap::outside(|| self.policies.push((self.tracker, policy)));
    }

    fn release(&mut self) {
        heap::outside(|| self.released.push(self.tracker));
        self.pooled += 1;
    }

    fn release_resting(&mut self) {
        if self.resting.remove(&self.tracker) {
            heap::outside(|| self.rested.push(self.tracker));
            self.pooled += 1;
        }
    }

    fn give_back(&mut self) {
        self.pooled = 0;
        frame::give_back_copies();
    }

    fn pooled(&self) -> u64 {
        self.pooled
    }

    fn now(&mut self) -> u64 {
        self.ticks.set(self.ticks.get() + 1);
        self.ticks.get()
    }

    fn count_time_stamps(&mut self, _more: u64) {}

    fn begin_counting(&mut self) {}

    fn end_counting(&mut self) {}

    fn complete(&self, _totals: &mut Totals) {}

    fn wire(&self, line: u8) -> Option<Wire> {
        (line < PINS).then_some(if line < 16 { Wire::ISA } else { Wire::PCI })
    }

    fn event_timer(&self) -> Option<u64> {
        None
    }

    fn message(&self, line: u8) -> Message {
        Message { address: 0xfee0_0000, data: 32 + u32::from(line) }
    }

    fn open_line(&mut self, line: u8, wire: Wire) {
        heap::outside(|| self.open.insert(line, (wire, false)));
    }

    fn unmask_line(&mut self, line: u8) {
        if let Some((_, is_masked)) = self.open.get_mut(&line) {
            *is_masked = false;
        }
    }

    fn close_line(&mut self, line: u8) {
        self.open.remove(&line);
        self.counts.remove(&line);
    }

    fn take_lines(&mut self) -> LineSet {
        let now = self.ticks.get();
        let mut taken = LineSet::default();
        let Self { due_lines, open, counts, .. } = self;
        due_lines.retain(|(at, line)| {
            let Some((wire, is_masked)) = open.get_mut(line).filter(|it| !it.1 && *at <= now) else {
                return true;
            };
            *is_masked = wire.trigger == Trigger::Level;
            *heap::outside(|| counts.entry(*line).or_default()) += 1;
            taken.set(*line, true);
            false
        });
        taken
    }

    fn take_count(&mut self, line: u8) -> u32 {
        self.counts.remove(&line).unwrap_or(0)
    }

    fn idle(&mut self, until: Option<u64>) {
        self.idled.push(until);
        let is_open = |line: &u8| self.open.get(line).is_some_and(|(_, is_masked)| !is_masked);
        let lines = self.due_lines.iter().filter(|(_, line)| is_open(line)).map(|(at, _)| *at);
        let Some(end) = lines.chain(until).min() else { panic!("nothing ends this idle time") };
        self.ticks.set(self.ticks.get().max(end));
    }

    fn input(&mut self, port: u16, _width: Width) -> u32 {
        let last = self.ports.iter().rev().find(|(written, _)| *written == port);
        last.map_or(u32::MAX, |(_, value)| *value)
    }

    fn output(&mut self, port: u16, _width: Width, value: u32) {
        heap::outside(|| self.ports.push((port, value)));
    }

    fn read_device(&mut self, physical: u64, piece: Piece) -> u64 {
        let value = 0x1122_3344_5566_7788 & u64::MAX >> (64 - 8 * piece.bytes());
        heap::outside(|| self.devices.push((physical, piece, None)));
        value
    }

    fn write_device(&mut self, physical: u64, piece: Piece, value: u64) {
        heap::outside(|| self.devices.push((physical, piece, Some(value))));
    }
}
