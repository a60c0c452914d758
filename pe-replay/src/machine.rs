// SPDX-License-Identifier: MIT
//! The hardware that the engine works on, as the kernel or a test's model provides it.

use core::ops::DerefMut;

use pmu::Repeats;
use pmu::exact::{Decoder, Instruction};

use crate::inside::Inside;
use crate::life::{Event, Phase};
use crate::stop::{Begun, Stop};
use crate::user::UserRegisters;

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
    /// Enter with RFLAGS.IF clear, because a flip did that.
    pub interrupts_off: bool,
    /// A run begins here: nothing that the saved state does not carry may be left
    /// over from before (FNINIT). Within a run such things have to survive.
    pub fresh: bool,
}

impl Order {
    /// To begin a run that only the counter has to stop.
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
    /// Whether the processor lets it, too.
    pub open: bool,
}

/// A page of a machine.
pub type PageOf<M> = MappedPage<<M as Machine>::Frame, <M as Machine>::Entry>;

/// What became of a hot page between two PEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Intact,
    /// Its content was changed.
    Stale,
    /// Something else, or nothing, is mapped there now, or with other permissions.
    Lost,
}

/// The hardware that the engine works on.
pub trait Machine {
    /// Names a page frame.
    type Frame: Copy + Eq;
    /// Names the place of a page in the machine's tables.
    type Entry: Copy;
    /// Where a saved state lives. States change roles all the time; so that none is copied for
    /// that, the places do.
    type State: DerefMut<Target = UserRegisters>;

    /// The time, in the counter's unit.
    fn now(&mut self) -> u64;
    /// Executes user code from `source`, or else from `state`, until it stops;
    /// `state` is then the state at the stop, not yet in the normal form.
    fn enter(&mut self, source: Option<&UserRegisters>, state: &mut UserRegisters, order: Order) -> Stop;
    /// [Enters](Self::enter) with [`Order::begin`]. Nearly all entries are such.
    #[inline]
    fn begin(&mut self, source: &UserRegisters, state: &mut UserRegisters, budget: u64) -> Begun {
        Begun::Otherwise(self.enter(Some(source), state, Order::begin(budget)))
    }
    /// The instruction at `rip`; one that cannot be read is nothing special. Of those
    /// that are not, `next` need not be true.
    fn decode(&mut self, rip: u64) -> Instruction;
    /// How the counter counts REP string instructions.
    fn repeats(&self) -> Repeats {
        Repeats::PerIteration
    }
    /// The page mapped at `address`, if there is one.
    fn page(&mut self, address: u64) -> Option<PageOf<Self>>;
    /// Takes a frame from the pool.
    fn allocate(&mut self) -> Option<Self::Frame>;
    /// Gives a frame back to the pool.
    fn release(&mut self, frame: Self::Frame);
    /// Copies a state.
    fn copy_state(&mut self, from: &UserRegisters, to: &mut UserRegisters) {
        to.clone_from(from);
    }
    /// Whether two states are the same in every byte, also in those that do not
    /// count; to say no where only such bytes differ is allowed, and costs time.
    fn is_same(&mut self, a: &UserRegisters, b: &UserRegisters) -> bool {
        a == b
    }
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
    /// Flushes the cache lines of all pages that user code accessed since the last
    /// call, and all translations; returns the number of lines.
    fn flush_lines(&mut self) -> u64;
    /// Flushes all caches.
    fn flush_caches(&mut self);
    /// Told of each step in the life of a PE, for tests that count them; elsewhere
    /// nothing comes of it.
    #[inline]
    fn stepped(&mut self, _from: Phase, _event: Event, _to: Phase) {}
    /// Called before each phase and each comparison, but the one of runs 1 and 2 by bytes,
    /// and after a page joined the set, for tests that damage what the engine keeps; elsewhere nothing
    /// comes of it.
    #[inline]
    fn visit(&mut self, _inside: Inside<'_, Self>)
    where
        Self: Sized,
    {
    }
}

/// A machine that reads instructions.
pub(crate) struct Decoding<'a, M>(pub &'a mut M);

impl<M: Machine> Decoder for Decoding<'_, M> {
    fn decode(&mut self, rip: u64) -> Instruction {
        self.0.decode(rip)
    }
}
