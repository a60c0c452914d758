// SPDX-License-Identifier: MIT
//! The engine's view of this machine: user mode, the counter, and page frames.

pub mod counter;
mod mutant;
pub mod processor;
pub mod reach;
mod stretch;
mod upkeep;

use alloc::boxed::Box;

use flips::{Injection, Target};
use pages::Primitives;
use pe_replay::placement::Placement;
use pe_replay::placement::bytes::Bytes;
use pe_replay::placement::hash::Hash;
use pe_replay::policy::MIN_DIRTY_PAGES;
use pe_replay::{
    Access, Change, Comparison, Entry, Executor, Exit, FirstExit, Memory, Order, Page, Policy, Processor,
    Span, Thread, ThreadOf, UserRegisters, View,
};
use pmu::exact::{Decoder, Instruction};
use pmu::{Margin, Repeats, StopKind, Stopped};
use wire::Events;

use crate::arch::context::{self, Stamps, Start, Stretch, UserExit};
use crate::arch::{cache, decode, machine, watchdog};
use crate::mem::fallible::{self, Exhausted};
use crate::mem::frame::{self, Frame, OutOfFrames};
use crate::mem::layout::KernelHalf;
use crate::mem::pool::Pool;
use crate::mem::space::{PAGE_LEN, Slot, Space};
use crate::mem::{code, phys};
use crate::object::clock::Rate;

use self::counter::{Counting, stop_kind};

/// Frames that are reserved for the copies of written pages: for all that a PE may write or, where copies are a cache,
/// for more than any instruction does.
pub fn reserve(policy: &Policy, is_cache: bool) -> usize {
    let frames = match policy.comparison {
        Comparison::Bytes => Bytes::FRAMES,
        Comparison::Hash => Hash::FRAMES,
    };
    frames * usize::from(if is_cache { MIN_DIRTY_PAGES } else { policy.max_dirty })
}

/// Counts. Wrapping round takes 2^64 events; to look for it would take two instructions each
/// time, five times a page.
#[inline(always)]
fn one_more(number: &mut u64) {
    *number = number.wrapping_add(1);
}

/// A place for registers.
fn place() -> Result<Box<UserRegisters>, Exhausted> {
    fallible::boxed(UserRegisters::new(0, 0))
}

/// A thread before its first instruction; `number` tells it from the others of its space.
pub fn thread(registers: &UserRegisters, number: u8) -> Result<ThreadOf<KernelMachine>, Exhausted> {
    let mut start = place()?;
    (*start).clone_from(registers);
    Ok(Thread::new(start, place()?, number))
}

/// What this processor needs to execute PEs by a policy, with a counter that needs `margin`.
pub fn executor(policy: &Policy, margin: Margin) -> Result<Executor<KernelMachine>, Exhausted> {
    let count = usize::from(policy.max_dirty).next_power_of_two();
    let entries = fallible::collect((0..count).map(|_| Entry::vacant(Frame::FIRST, Slot::nowhere())))?;
    let results = [place()?, place()?, place()?];
    let pool = pe_replay::Pool::new(entries);
    Ok(Executor::new(results, pool, margin, machine::now()))
}

/// What stays the same from program to program.
#[derive(Clone, Copy)]
pub struct Platform {
    /// The kernel's half of every space.
    pub kernel_root: KernelHalf,
    /// The counter, which has proven itself.
    pub counting: Counting,
    /// The MXCSR bits that user mode can set.
    pub mxcsr_mask: u32,
    /// What copies and compares pages.
    pub primitives: Primitives,
    /// How fast the time stamp counter counts.
    pub rate: Rate,
}

/// The processor and one address space.
pub struct KernelMachine {
    /// The process's memory.
    pub space: Space,
    /// What counts.
    pub counting: Counting,
    mxcsr_mask: u32,
    primitives: Primitives,
    /// The frames of the written set.
    pool: Pool,
    /// What it was made to do.
    pub events: Events,
    /// The time when it was looked at last: right before an entry, for the watchdog's sake.
    seen: u64,
}

impl KernelMachine {
    /// A machine without frames for copies.
    pub fn new(space: Space, platform: &Platform) -> Self {
        let Platform { counting, mxcsr_mask, primitives, .. } = *platform;
        Self {
            space,
            counting,
            mxcsr_mask,
            primitives,
            pool: Pool::default(),
            events: Events::default(),
            seen: machine::now(),
        }
    }

    /// Has room [reserved](reserve) for the frames of the written set.
    pub fn reserve(&mut self, policy: &Policy, is_cache: bool) -> Result<(), OutOfFrames> {
        self.pool.reserve(reserve(policy, is_cache), is_cache)
    }

    /// Sees to it that flips hit no frame of the page cache, which others have as well: their pages get frames of
    /// their own.
    #[cold]
    pub fn keep_flips_from_cache(&mut self, flips: &[Injection]) -> Result<(), OutOfFrames> {
        for flip in flips {
            if let Target::Memory(address) = flip.target {
                self.space.take_from_cache(address & !(PAGE_LEN - 1))?;
            }
        }
        Ok(())
    }

    /// What a stretch under virtual time comes to.
    #[inline(never)]
    fn exit(&mut self, stretch: Stretch) -> Exit {
        self.seen = stretch.left;
        let elapsed = stretch.left.wrapping_sub(stretch.entered);
        let stopped = Stopped { kind: stop_kind(stretch.cause), elapsed, swallowed: false, passed: 0 };
        let instructions = if stretch.refused { 0 } else { self.counting.clock.stop(stopped).instructions };
        Exit::plain(stretch.cause, Span { instructions, entered: stretch.entered, ticks: instructions })
    }

    /// Counts an entry into user mode; `fresh` is whether it begins a run.
    #[inline(always)]
    fn count_entry(&mut self, fresh: bool) {
        one_more(&mut self.events.entries);
        if !fresh {
            one_more(&mut self.events.resumed);
        }
    }

    /// A frame's hash for a digest, which is none of the events.
    pub fn digest_of(&self, frame: Frame) -> u128 {
        phys::hash(&self.primitives, frame)
    }

    /// Gives all frames back.
    pub fn destroy(self) {
        self.space.destroy();
        self.pool.destroy();
    }
}

impl Decoder for KernelMachine {
    fn decode(&mut self, rip: u64) -> Instruction {
        decode::instruction(&code::at(&self.space, rip), rip)
    }
}

impl Processor for KernelMachine {
    type Registers = UserRegisters;
    type Place = Box<UserRegisters>;

    #[inline]
    fn now(&mut self) -> u64 {
        self.seen = machine::now();
        self.seen
    }

    fn enter(&mut self, source: Option<&UserRegisters>, state: &mut UserRegisters, order: Order) -> Exit {
        if self.counting.other.is_some() || order.step || order.breakpoint.is_some() {
            return self.enter_otherwise(source, state, order);
        }
        self.count_entry(order.fresh);
        watchdog::wind(self.seen);
        let start = Start {
            timer: self.counting.clock.arm(order.budget).timer,
            step: false,
            resume: false,
            interrupts_off: order.interrupts_off,
            fresh: order.fresh,
        };
        self.exit(context::enter(source, state, start, self.mxcsr_mask))
    }

    #[inline(always)]
    fn begin(&mut self, source: &UserRegisters, state: &mut UserRegisters, budget: u64) -> FirstExit {
        if self.counting.other.is_some() {
            return FirstExit::Other(self.enter_otherwise(Some(source), state, Order::begin(budget)));
        }
        self.count_entry(true);
        watchdog::wind(self.seen);
        let clock = &mut self.counting.clock;
        let timer = clock.arm(budget).timer;
        let start = Start { timer, step: false, resume: false, interrupts_off: false, fresh: true };
        let mut span = |kind, Stamps { entered, left }: Stamps| {
            let stopped = Stopped { kind, elapsed: left.wrapping_sub(entered), swallowed: false, passed: 0 };
            let instructions = clock.stop(stopped).instructions;
            Span { instructions, entered, ticks: instructions }
        };
        match context::begin(source, state, start, self.mxcsr_mask) {
            UserExit::Syscall(seen) => FirstExit::Syscall(span(StopKind::Syscall, seen)),
            UserExit::Counter(seen) => FirstExit::Counter(span(StopKind::Counter, seen)),
            UserExit::Otherwise(stretch) => FirstExit::Other(self.exit(stretch)),
        }
    }

    fn repeats(&self) -> Repeats {
        self.counting.repeats
    }

    #[inline]
    fn copy_registers(&mut self, from: &UserRegisters, to: &mut UserRegisters) {
        context::copy(from, to, &self.primitives);
    }

    #[inline]
    fn is_same(&mut self, a: &UserRegisters, b: &UserRegisters) -> bool {
        context::is_same(a, b, &self.primitives)
    }

    fn flush_lines(&mut self) {
        let Self { space, events, .. } = self;
        space.take_accessed(|frame| events.lines_flushed += phys::flush_lines(frame));
        cache::fence();
        one_more(&mut events.translation_flushes);
    }

    fn flush_caches(&mut self) {
        one_more(&mut self.events.cache_flushes);
        cache::flush_all();
    }
}

/// All runs see one view.
impl Memory for KernelMachine {
    type Frame = Frame;
    type Slot = Slot;

    #[inline]
    fn number(frame: Frame) -> usize {
        frame.index()
    }

    fn page(&mut self, address: u64) -> Option<Page<Frame, Slot>> {
        self.space.tracked(address)
    }

    fn allocate(&mut self) -> Option<Frame> {
        self.pool.allocate()
    }

    fn release(&mut self, frame: Frame) {
        self.pool.release(frame);
    }

    fn copy(&mut self, from: Frame, to: Frame) {
        one_more(&mut self.events.copied);
        phys::copy_by(&self.primitives, from, to);
    }

    fn compare_and_copy(&mut self, a: Frame, b: Frame, to: Frame) -> bool {
        one_more(&mut self.events.compared_and_copied);
        phys::compare_and_copy(&self.primitives, a, b, to)
    }

    fn equal(&mut self, a: Frame, b: Frame) -> bool {
        one_more(&mut self.events.compared);
        phys::equal(&self.primitives, a, b)
    }

    fn hash(&mut self, frame: Frame) -> u128 {
        one_more(&mut self.events.hashed);
        phys::hash(&self.primitives, frame)
    }

    fn first_difference(&mut self, a: Frame, b: Frame) -> Option<u16> {
        phys::first_difference(&self.primitives, a, b)
    }

    fn byte(&mut self, frame: Frame, offset: u16) -> u8 {
        let mut byte = [0];
        phys::read(frame, offset.into(), &mut byte);
        byte[0]
    }

    fn flip(&mut self, frame: Frame, offset: u16, mask: u8) {
        phys::flip(frame, offset.into(), mask);
    }

    #[inline(always)]
    fn map(&mut self, _view: View, page: &Page<Frame, Slot>, frame: Frame, access: Access) {
        self.space.switch(page, frame, access);
    }

    #[inline(always)]
    fn flush(&mut self, page: &Page<Frame, Slot>) {
        self.space.flush(page.address);
    }

    #[inline(always)]
    fn flush_all(&mut self) {
        self.space.flush_all();
    }

    #[inline(always)]
    fn is_written(&mut self, _view: View, page: &Page<Frame, Slot>) -> bool {
        self.space.is_written(page)
    }

    fn disturbed(&mut self) -> bool {
        self.space.disturbed()
    }

    fn change(&mut self, page: &Page<Frame, Slot>) -> Change {
        self.space.change(page.slot)
    }

    #[cold]
    #[inline(never)]
    fn publish(&mut self, frame: Frame) -> u64 {
        frame::touch(frame)
    }

    fn generation(&mut self, frame: Frame) -> u64 {
        frame::generation(frame)
    }
}
