// SPDX-License-Identifier: MIT
//! What every counter promises.
//!
//! User mode is entered by *stretches*. Before each the counter is armed with a
//! budget ([`Counter::arm`]); after each it is disarmed and read
//! ([`Counter::stop`]), whatever ended the stretch. Between the two nothing else
//! may touch it. What it says of a stretch is the number of user instructions,
//! with everything that entering and leaving user mode adds already taken off
//! (the [`Biases`], which calibration measures).

use core::fmt;

use crate::skid::{Margin, Skid};

/// Why user mode was left, as far as it matters for the bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopKind {
    /// The counter's own interrupt.
    Counter,
    /// An exception that the processor takes on the current stack: page faults
    /// above all.
    Fault,
    /// An exception or interrupt with a stack of its own: #DB, NMI.
    Debug,
    /// A system call; the instruction itself counts.
    Syscall,
}

/// What the entry code has to do for the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the APIC timer is loaded with, last of all; 0 leaves it alone.
    pub timer: u32,
    /// Set the trap flag.
    pub step: bool,
}

/// How a stretch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// What ended it.
    pub kind: StopKind,
    /// Ticks between the time stamps around user mode.
    pub elapsed: u64,
    /// Whether a single step took two instructions, since the first was one that
    /// holds #DB back; see [`crate::exact::Instruction`].
    pub swallowed: bool,
}

/// What the counter says of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// User instructions executed.
    pub instructions: u64,
    /// The counter itself ended the stretch: its interrupt with an overflow behind
    /// it, or its step.
    pub own: bool,
    /// Counter interrupts that meant nothing and were dropped: without an overflow,
    /// or come when user mode had been left already.
    pub strays: u32,
}

/// How a REP string instruction is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// Every iteration is one: emulators, and single steps.
    PerIteration,
    /// The whole instruction is one: processors (Intel SDM vol. 3B, 21.2.7).
    PerInstruction,
}

/// What a stretch counts beyond its user instructions, by what ended it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Biases {
    /// The counter's interrupt.
    pub counter: i64,
    /// A fault.
    pub fault: i64,
    /// A debug exception.
    pub debug: i64,
    /// A system call.
    pub syscall: i64,
}

impl Biases {
    /// The one that belongs to a stop.
    #[inline]
    pub fn of(&self, kind: StopKind) -> i64 {
        match kind {
            StopKind::Counter => self.counter,
            StopKind::Fault => self.fault,
            StopKind::Debug => self.debug,
            StopKind::Syscall => self.syscall,
        }
    }

    /// User instructions in a stretch that counted `raw`.
    #[inline]
    pub fn remove(&self, kind: StopKind, raw: u64) -> u64 {
        (raw as i64).wrapping_sub(self.of(kind)).max(0) as u64
    }
}

impl fmt::Display for Biases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counter, fault, debug, syscall } = self;
        write!(f, "interrupt {counter:+}, fault {fault:+}, #DB {debug:+}, system call {syscall:+}")
    }
}

/// What has been measured about a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    /// Counted between arming and the first user instruction: a budget is armed
    /// as so many more.
    pub lead: i64,
    /// Counted beyond the user's instructions.
    pub biases: Biases,
    /// How late the interrupt is.
    pub skid: Skid,
}

/// What the vendor's history says about lateness, beside what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lateness {
    /// None at all, or the counter is not what it claims to be.
    Never,
    /// What is measured, but at least so much.
    AtLeast(u32),
    /// No bound is known; armed at least so early, and overshoots happen.
    Unbounded(u32),
}

/// A register did not keep what was written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unkept {
    /// Its name in the manual.
    pub register: &'static str,
    /// What was written.
    pub wrote: u64,
    /// What was read back.
    pub read: u64,
}

/// A way of counting user instructions and of stopping user code by them.
pub trait Counter {
    /// Its name, in a word or two.
    fn name(&self) -> &'static str;
    /// Writes to its registers and reads them back; the counter is off afterwards.
    fn probe(&mut self) -> Result<(), Unkept>;
    /// The largest budget; a larger one is cut to it, and the stretch ends early.
    fn longest(&self) -> u64;
    /// How it counts REP string instructions.
    fn repeats(&self) -> Repeats;
    /// How late its interrupt may be.
    fn lateness(&self) -> Lateness;
    /// What has been measured about it.
    fn calibration(&self) -> &Calibration;
    /// Where that is written.
    fn calibration_mut(&mut self) -> &mut Calibration;
    /// Prepares for a stretch that is to end after `budget` instructions, not
    /// earlier.
    fn arm(&mut self, budget: u64) -> Entry;
    /// Disarms it, reads it, and takes or acknowledges its interrupt. The counter
    /// that has not been calibrated says what it counted, raw.
    fn stop(&mut self, stopped: Stopped) -> Reading;
    /// Whether its overflow status is clear.
    fn is_clear(&mut self) -> bool;

    /// How far from a target it may be armed.
    fn margin(&self) -> Margin {
        self.calibration().skid.margin(self.lateness())
    }
}
