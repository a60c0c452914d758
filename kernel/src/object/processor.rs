// SPDX-License-Identifier: MIT
//! What runs user code, seen from the objects: the machine with replay, or a stand-in in host tests.
//!
//! It holds one space, that of the current thread, with a tracker of what its threads write.
//! Of each thread it keeps the committed registers, and whatever else it needs to run it.

use alloc::boxed::Box;

use pe_replay::diagnose::Culprit;
use pe_replay::phases::Stopwatch;
use pe_replay::{Account, Difference, End, Outcome, Policy, UserRegisters};
use wire::Digest;
use wire::end::Totals;

use super::interrupt::{LineSet, Message, Wire};
use crate::mem::fallible::Exhausted;
use crate::mem::space::Space;

/// How many bytes a port is read or written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One.
    Byte,
    /// Two.
    Word,
    /// Four.
    Double,
}

impl Width {
    /// That, as a number.
    pub fn bytes(self) -> u8 {
        match self {
            Self::Byte => 1,
            Self::Word => 2,
            Self::Double => 4,
        }
    }
}

/// How many bytes of a device's memory are read or written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// One.
    Byte,
    /// Two.
    Word,
    /// Four.
    Double,
    /// Eight.
    Quad,
}

impl Piece {
    /// That, as a number.
    pub fn bytes(self) -> u8 {
        match self {
            Self::Byte => 1,
            Self::Word => 2,
            Self::Double => 4,
            Self::Quad => 8,
        }
    }
}

/// A space as the processor holds it.
pub struct Held<T> {
    /// Its pages.
    pub pages: Space,
    /// What the processor keeps of the pages, for all threads that run in the space.
    pub tracker: T,
}

/// What runs user code.
pub trait Processor {
    /// What it keeps of a thread.
    type State;
    /// What it keeps of a space's pages.
    type Tracker;

    /// The committed registers of a thread.
    fn registers(state: &Self::State) -> &UserRegisters;
    /// The committed registers of a thread, to be changed between PEs.
    fn registers_mut(state: &mut Self::State) -> &mut UserRegisters;
    /// What is recorded about the last PE.
    fn account(&self) -> &Account;
    /// Where time goes, since the first PE.
    fn watch(&self) -> &Stopwatch;
    /// Charges the time since the last mark to what is done between PEs; returns how long that was.
    fn charge(&mut self) -> u64;

    /// The space that it holds.
    fn space(&self) -> &Space;
    /// The space that it holds, to be changed between PEs.
    fn space_mut(&mut self) -> &mut Space;
    /// Takes another space in place of the one that it holds.
    fn exchange(&mut self, held: Held<Self::Tracker>) -> Held<Self::Tracker>;
    /// Makes the space that it holds the one in which user code runs.
    fn activate(&mut self);

    /// The tracker of a space that nobody has run in.
    fn tracker(&mut self) -> Self::Tracker;
    /// Takes in a thread that begins with these registers; `number` tells it from the others of its space.
    fn admit(&mut self, registers: &UserRegisters, number: u8) -> Result<Box<Self::State>, Exhausted>;
    /// Says what the next PE of a thread begins with: the time from which on it is charged, and how many
    /// instructions it may have if that is less than usual.
    fn prepare(&mut self, state: &mut Self::State, since: u64, limit: u64);
    /// Runs a PE of a thread whose space it holds, which has this number in the run.
    fn execute(&mut self, state: &mut Self::State, sequence: u64) -> Outcome;
    /// The digest of what the last PE of a thread, which was committed so, has left behind.
    fn digest(&mut self, state: &Self::State, committed: End) -> Digest;
    /// Calls `each` with the address of each page that the last PE has written.
    fn for_each_written(&self, each: &mut dyn FnMut(u64));
    /// Looks for the instruction behind a persistent divergence.
    fn diagnose(&mut self, state: &mut Self::State, seen: Difference) -> Option<Culprit>;
    /// How PEs are run where nobody says otherwise.
    fn run_policy(&self) -> Policy;
    /// Has PEs in the space that it holds run by another policy.
    fn set_policy(&mut self, policy: Policy);
    /// Gives up all copies of the space's pages.
    fn release(&mut self);
    /// Gives up the copies of pages that the thread which ran last is not expected to write.
    fn release_resting(&mut self);
    /// Gives the frames back in which it keeps no copies now.
    fn give_back(&mut self);
    /// Pages whose copies it can still keep.
    fn pooled(&self) -> u64;

    /// The time stamp counter.
    fn now(&mut self) -> u64;
    /// Counts time stamps that were read where no PE passes.
    fn count_time_stamps(&mut self, more: u64);
    /// Begins to count what the machine is made to do.
    fn begin_counting(&mut self);
    /// Ends that count.
    fn end_counting(&mut self);
    /// Adds what was counted.
    fn complete(&self, totals: &mut Totals);

    /// How a line interrupts if nobody says otherwise; `None` if it has no pin.
    fn wire(&self, line: u8) -> Option<Wire>;
    /// Where the registers of the event timer lie, if there is one.
    fn event_timer(&self) -> Option<u64>;
    /// What a device writes to interrupt by a line that has no pin.
    fn message(&self, line: u8) -> Message;
    /// Has a line interrupt, its pin as it is wired, if it has one.
    fn open_line(&mut self, line: u8, wire: Wire);
    /// Has a line interrupt again that was masked when it interrupted.
    fn unmask_line(&mut self, line: u8);
    /// Keeps a line from interrupting.
    fn close_line(&mut self, line: u8);
    /// Lets lines interrupt that wait for it; returns those that have.
    fn take_lines(&mut self) -> LineSet;
    /// How often a line has interrupted since this was asked last.
    fn take_count(&mut self, line: u8) -> u32;
    /// Lets time pass until a line has interrupted, or until this time stamp.
    fn idle(&mut self, until: Option<u64>);

    /// Reads a port.
    fn input(&mut self, port: u16, width: Width) -> u32;
    /// Writes a port.
    fn output(&mut self, port: u16, width: Width, value: u32);

    /// Reads a device at a physical address.
    fn read_device(&mut self, physical: u64, piece: Piece) -> u64;
    /// Writes a device at a physical address.
    fn write_device(&mut self, physical: u64, piece: Piece, value: u64);
}
