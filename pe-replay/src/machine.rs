// SPDX-License-Identifier: MIT
//! The hardware that the engine works on, as the kernel or a test's model provides it:
//! a [`Processor`] and its [`Memory`].
//!
//! The crate's front page lists what the engine relies on; the crate `contract` tries it.

use core::ops::DerefMut;

use pmu::Repeats;
use pmu::exact::{Decoder, Pass};

use crate::execution::Run;
use crate::registers::RegisterSet;
use crate::stop::{Exit, FirstExit};

/// How user mode is to be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Instructions after which the counter is to stop it; at least 1.
    pub budget: u64,
    /// Single-step: stop with #DB after one instruction. The trap flag is the
    /// engine's own and is taken out of the state at the stop; instructions that
    /// would show it are not executed so.
    pub step: bool,
    /// Stop with [`Cause::Breakpoint`](crate::Cause::Breakpoint) before the
    /// instruction there.
    pub breakpoint: Option<Breakpoint>,
    /// Enter with RFLAGS.IF clear, because an observer asked for that.
    pub interrupts_off: bool,
    /// A run begins here: nothing that the saved state does not carry may be left
    /// over from before (FNINIT). Within a run such things have to survive.
    pub fresh: bool,
}

impl Order {
    /// The order to begin a run that only the counter has to stop.
    pub fn begin(budget: u64) -> Self {
        Self { budget, step: false, breakpoint: None, interrupts_off: false, fresh: true }
    }
}

/// A breakpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breakpoint {
    /// Its address.
    pub rip: u64,
    /// Execution stands there already, and is to go on (RFLAGS.RF).
    pub resume: bool,
    /// Which hits the machine may pass over, if it counts them ([`Exit::debug_exceptions`]). It need not.
    pub pass: Option<Pass>,
}

/// The registers of a machine.
pub type RegistersOf<M> = <M as Processor>::Registers;

/// What executes user code, and decodes it: an instruction that cannot be read is nothing special, and of those
/// that are not, `next` need not be true.
pub trait Processor: Decoder {
    /// The registers of user code.
    type Registers: RegisterSet;
    /// Where saved registers live. They change roles all the time; so that none are copied
    /// for that, the places do.
    type Place: DerefMut<Target = Self::Registers>;

    /// The time, in the counter's unit.
    fn now(&mut self) -> u64;
    /// Executes user code from `source`, or else from `state`, until it stops;
    /// `state` is then the state at the stop, not yet in the normal form.
    fn enter(&mut self, source: Option<&Self::Registers>, state: &mut Self::Registers, order: Order) -> Exit;
    /// [Enters](Self::enter) with [`Order::begin`]. Nearly all entries are such.
    fn begin(&mut self, source: &Self::Registers, state: &mut Self::Registers, budget: u64) -> FirstExit {
        FirstExit::Other(self.enter(Some(source), state, Order::begin(budget)))
    }
    /// How the counter counts REP string instructions.
    fn repeats(&self) -> Repeats {
        Repeats::PerIteration
    }
    /// Copies registers.
    fn copy_registers(&mut self, from: &Self::Registers, to: &mut Self::Registers) {
        to.clone_from(from);
    }
    /// Whether two register sets are the same in every byte, also in those that do not
    /// count; to say no where only such bytes differ is allowed, and costs time.
    fn is_same(&mut self, a: &Self::Registers, b: &Self::Registers) -> bool {
        a == b
    }
    /// Flushes the cache lines of all pages that user code accessed since the last
    /// call, and all translations.
    fn flush_lines(&mut self);
    /// Flushes all caches.
    fn flush_caches(&mut self);
}

/// A user page, as the tracker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<F, S> {
    /// Its address, a multiple of the page length.
    pub address: u64,
    /// The frame that it is mapped to: its home, unless the engine has mapped it
    /// to another one.
    pub frame: F,
    /// Where the machine keeps that.
    pub slot: S,
    /// Whether the process may truly write it.
    pub writable: bool,
    /// Whether the processor lets it, too.
    pub open: bool,
    /// Whether somebody else than this space's user code and kernel may write the home: its
    /// [generation](Memory::generation) tells.
    pub shared: bool,
}

/// A page of a machine.
pub type PageOf<M> = Page<<M as Memory>::Frame, <M as Memory>::Slot>;

/// What a page is to be mapped for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// User code may write it, if the process truly may; the page is watched.
    Open,
    /// User code may read it; the page is watched.
    Closed,
    /// User code may read it, and the engine has forgotten it.
    Released,
}

/// Which runs see a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// All of them.
    Every,
    /// One run: each has page tables of its own.
    Of(Run),
}

/// What became of a watched page between two PEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Its content was changed.
    Content,
    /// Something else, or nothing, is mapped there now, or with other permissions.
    Mapping,
}

/// The memory of user code: pages of one space, and frames.
pub trait Memory {
    /// Names a page frame.
    type Frame: Copy + Eq;
    /// Names the place of a page in the machine's tables.
    type Slot: Copy;

    /// A number for a frame; numbers that follow each other are best.
    fn number(frame: Self::Frame) -> usize;
    /// The page mapped at `address`, if there is one, in the view that was settled last.
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
    /// Whether two frames are equal.
    fn equal(&mut self, a: Self::Frame, b: Self::Frame) -> bool;
    /// A 128-bit hash of a frame: the probability that two different frames have
    /// the same is about 2^-128.
    fn hash(&mut self, frame: Self::Frame) -> u128;
    /// Where two frames differ first.
    fn first_difference(&mut self, a: Self::Frame, b: Self::Frame) -> Option<u16>;
    /// A byte of a frame.
    fn byte(&mut self, frame: Self::Frame, offset: u16) -> u8;
    /// Changes a byte of a frame by exclusive or: tests and injected flips do.
    fn flip(&mut self, frame: Self::Frame, offset: u16, mask: u8);
    /// Maps `page`, and every other page with the same home, to `frame` in a view: for that
    /// access, and not written so far. All other permissions stay. What is done to a watched
    /// page between PEs, [`change`](Self::change) tells. Translations are [flushed](Self::flush) apart,
    /// before the next entry into user mode.
    fn map(&mut self, view: View, page: &PageOf<Self>, frame: Self::Frame, access: Access);
    /// Leaves no translation behind of `page` and of every other page with the same home, in any view.
    fn flush(&mut self, _page: &PageOf<Self>) {}
    /// Leaves no translation behind at all.
    fn flush_all(&mut self) {}
    /// Makes `view` the one that the next entries see. Called before each entry into user mode.
    fn settle(&mut self, _view: View) {}
    /// Whether user code has written `page`, or another page with the same home,
    /// since it was mapped in the view.
    fn is_written(&mut self, view: View, page: &PageOf<Self>) -> bool;
    /// Whether anything was done to a watched page since the last call, or may have been, as other spaces
    /// have had the processor and [shared](Page::shared) frames are among them.
    fn disturbed(&mut self) -> bool;
    /// What was done to a watched page since it was mapped or this was asked last.
    fn change(&mut self, page: &PageOf<Self>) -> Change;
    /// Says that a commit has written a [shared](Page::shared) frame: moves its generation, and returns it.
    fn publish(&mut self, _frame: Self::Frame) -> u64 {
        0
    }
    /// The generation of a shared frame, which each write by somebody else and each
    /// [`publish`](Self::publish) moves.
    fn generation(&mut self, _frame: Self::Frame) -> u64 {
        0
    }
}

/// The hardware that the engine works on.
pub trait Machine: Processor + Memory {}

impl<M: Processor + Memory> Machine for M {}
