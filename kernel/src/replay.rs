// SPDX-License-Identifier: MIT
//! The engine's view of this machine: user mode, the counter, and page frames.

pub mod counter;
mod stretch;

use alloc::boxed::Box;

use arrayvec::ArrayVec;
use pages::Primitives;
use pe_replay::policy::MAX_DIRTY_PAGES;
use pe_replay::{
    Access, Change, Entry, Executor, ExecutorOf, Exit, FirstExit, Memory, Mutation, Order, Page, Policy,
    Pool, Processor, Span, Thread, ThreadOf, UserRegisters, View,
};
use pmu::exact::Instruction;
use pmu::{Repeats, StopKind};

use crate::arch::context::{self, Glance, Stamps, Start, Stretch};
use crate::arch::{cache, decode, machine, watchdog};
use crate::mem::fallible::{self, Exhausted};
use crate::mem::frame::{self, Frame, OutOfFrames};
use crate::mem::space::{PAGE_LEN, Slot, Space};
use crate::mem::{code, phys};

use self::counter::{Counting, stop_kind};

/// Frames for the largest written set.
const POOL: usize = 3 * MAX_DIRTY_PAGES as usize;

/// Frames that a process reserves for the copies of its written pages.
pub fn reserve(policy: &Policy) -> usize {
    usize::from(policy.frames_per_page()) * usize::from(policy.max_dirty)
}

/// A place for registers.
fn place() -> Result<Box<UserRegisters>, Exhausted> {
    fallible::boxed(UserRegisters::new(0, 0))
}

/// A thread before its first instruction.
pub fn thread(registers: &UserRegisters) -> Result<ThreadOf<KernelMachine>, Exhausted> {
    let mut start = place()?;
    (*start).clone_from(registers);
    Ok(Thread::new(start, place()?, 0))
}

/// What this processor needs to execute PEs by a policy.
pub fn executor(
    platform: &Platform,
    policy: &Policy,
    mutation: Option<Mutation>,
) -> Result<ExecutorOf<KernelMachine>, Exhausted> {
    let (frame, slot) = (platform.kernel_root, Slot::nowhere(platform.kernel_root));
    let count = usize::from(policy.max_dirty).next_power_of_two();
    let entries = fallible::collect((0..count).map(|_| Entry::vacant(frame, slot)))?;
    let results = [place()?, place()?, place()?];
    let pool = Pool::new(entries.into_boxed_slice());
    Ok(Executor::new(results, pool, platform.counting.margin, mutation, machine::now()))
}

/// What stays the same from program to program.
#[derive(Clone, Copy)]
pub struct Platform {
    /// The kernel's own top table.
    pub kernel_root: Frame,
    /// The counter, which has proven itself.
    pub counting: Counting,
    /// The MXCSR bits that the processor has.
    pub mxcsr_mask: u32,
    /// What copies and compares pages.
    pub primitives: Primitives,
}

/// The processor and one address space.
pub struct KernelMachine {
    /// The process's memory.
    pub space: Space,
    /// What counts.
    pub counting: Counting,
    mxcsr_mask: u32,
    primitives: Primitives,
    /// Frames that were taken of those that are promised, and are in no use.
    pool: ArrayVec<Frame, POOL>,
    /// Frames that are promised, and not taken yet.
    promised: u64,
}

impl KernelMachine {
    /// Has the frames promised that the written set can need, so that no PE can run out
    /// of them. They are taken when they are needed: few programs write that much, and
    /// none does that is run once.
    pub fn new(space: Space, platform: &Platform, policy: &Policy) -> Result<Self, OutOfFrames> {
        let Platform { counting, mxcsr_mask, primitives, kernel_root: _ } = *platform;
        let promised = POOL.min(reserve(policy)) as u64;
        if let Err(OutOfFrames) = frame::promise(promised) {
            space.dismantle();
            return Err(OutOfFrames);
        }
        Ok(Self { space, counting, mxcsr_mask, primitives, pool: ArrayVec::new(), promised })
    }

    /// What a stretch under virtual time comes to.
    #[inline(never)]
    fn exit(&self, stretch: Stretch) -> Exit {
        let elapsed = stretch.left.wrapping_sub(stretch.entered);
        let clock = &self.counting.clock;
        let instructions =
            if stretch.refused { 0 } else { clock.instructions(stop_kind(stretch.cause), elapsed) };
        Exit::plain(stretch.cause, Span { instructions, entered: stretch.entered, ticks: instructions })
    }

    /// Frames that the written set can still get.
    pub fn pooled(&self) -> u64 {
        self.pool.len() as u64 + self.promised
    }

    /// The next of the frames that were promised.
    #[cold]
    #[inline(never)]
    fn take_promised(&mut self) -> Option<Frame> {
        self.promised = self.promised.checked_sub(1)?;
        Some(frame::take_promised())
    }

    /// Gives all frames back.
    pub fn dismantle(self) {
        self.space.dismantle();
        self.pool.into_iter().for_each(frame::release);
        frame::withdraw(self.promised);
    }
}

impl Processor for KernelMachine {
    type Registers = UserRegisters;
    type Place = Box<UserRegisters>;

    fn now(&mut self) -> u64 {
        machine::now()
    }

    fn enter(&mut self, source: Option<&UserRegisters>, state: &mut UserRegisters, order: Order) -> Exit {
        if self.counting.other.is_some() || order.step || order.breakpoint.is_some() {
            return self.enter_otherwise(source, state, order);
        }
        let clock = &self.counting.clock;
        watchdog::wind(machine::now());
        let start = Start {
            timer: clock.timer(order.budget),
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
        let clock = &self.counting.clock;
        watchdog::wind(machine::now());
        let timer = clock.timer(budget);
        let start = Start { timer, step: false, resume: false, interrupts_off: false, fresh: true };
        let span = |kind, Stamps { entered, left }: Stamps| {
            let instructions = clock.instructions(kind, left.wrapping_sub(entered));
            Span { instructions, entered, ticks: instructions }
        };
        match context::begin(source, state, start, self.mxcsr_mask) {
            Glance::Syscall(seen) => FirstExit::Syscall(span(StopKind::Syscall, seen)),
            Glance::Counter(seen) => FirstExit::Counter(span(StopKind::Counter, seen)),
            Glance::Otherwise(stretch) => FirstExit::Other(self.exit(stretch)),
        }
    }

    fn decode(&mut self, rip: u64) -> Instruction {
        decode::instruction(&code::at(&self.space, rip), rip)
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

    fn flush_lines(&mut self) -> u64 {
        let mut lines = 0;
        self.space.take_accessed(|frame| lines += phys::with(frame, |page| cache::flush_page(page)));
        cache::fence();
        lines
    }

    fn flush_caches(&mut self) {
        cache::flush_all();
    }
}

/// All runs see one view, and [`Space::switch`] flushes the translation that it makes stale.
impl Memory for KernelMachine {
    type Frame = Frame;
    type Slot = Slot;

    #[inline]
    fn number(frame: Frame) -> usize {
        (frame.address() / PAGE_LEN) as usize
    }

    fn page(&mut self, address: u64) -> Option<Page<Frame, Slot>> {
        let address = address & !(PAGE_LEN - 1);
        let (mapping, slot) = self.space.find(address)?;
        let writable = mapping.access.read && mapping.access.write;
        // What a switch of processes may leave stale is given up there.
        Some(Page { address, frame: mapping.frame, slot, writable, open: mapping.open, shared: false })
    }

    fn allocate(&mut self) -> Option<Frame> {
        self.pool.pop().or_else(|| self.take_promised())
    }

    fn release(&mut self, frame: Frame) {
        self.pool.push(frame);
    }

    fn copy(&mut self, from: Frame, to: Frame) {
        phys::with2(from, to, |from, to| self.primitives.copy(from, to));
    }

    fn compare_and_copy(&mut self, a: Frame, b: Frame, to: Frame) -> bool {
        phys::with3(a, b, to, |a, b, to| self.primitives.compare_and_copy(a, b, to))
    }

    fn equal(&mut self, a: Frame, b: Frame) -> bool {
        phys::with2(a, b, |a, b| self.primitives.equal(a, b))
    }

    fn hash(&mut self, frame: Frame) -> u128 {
        phys::with(frame, |page| self.primitives.hash(page))
    }

    fn first_difference(&mut self, a: Frame, b: Frame) -> Option<u16> {
        phys::with2(a, b, |a, b| self.primitives.first_difference(a, b))
    }

    fn byte(&mut self, frame: Frame, offset: u16) -> u8 {
        phys::with(frame, |page| page[usize::from(offset)])
    }

    fn flip(&mut self, frame: Frame, offset: u16, mask: u8) {
        phys::with(frame, |page| page[usize::from(offset)] ^= mask);
    }

    #[inline(always)]
    fn map(&mut self, _view: View, page: Page<Frame, Slot>, frame: Frame, access: Access) {
        self.space.switch(page.address, page.slot, page.frame, frame, access);
    }

    #[inline(always)]
    fn is_written(&mut self, _view: View, page: Page<Frame, Slot>) -> bool {
        self.space.is_written(page.slot, page.frame)
    }

    fn disturbed(&mut self) -> bool {
        self.space.disturbed()
    }

    fn change(&mut self, page: Page<Frame, Slot>) -> Change {
        self.space.change(page.slot, page.frame)
    }
}
