// SPDX-License-Identifier: MIT
//! What each way of counting has to be able to do, uncalibrated.
//!
//! A back end says what it counted, with everything that entering and leaving
//! user mode adds to it. What that is, [`crate::check`] finds out, and
//! [`Counter`](crate::Counter) takes it off.

use displaydoc::Display;

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

impl Entry {
    /// Nothing: the counter is in registers of its own.
    pub const PLAIN: Self = Self { timer: 0, step: false };
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

/// What is said of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Instructions: of a [`BackEnd`] all that it counted, of a
    /// [`Counter`](crate::Counter) those that user code executed.
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

/// {register}: wrote {wrote:#x}, read {read:#x}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
pub struct Unkept {
    /// Its name in the manual.
    pub register: &'static str,
    /// What was written.
    pub wrote: u64,
    /// What was read back.
    pub read: u64,
}

/// What a counter does in System Management Mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Display)]
pub enum Freezing {
    /// the counter cannot be told to stand still in it
    #[default]
    Absent,
    /// the counter stands still in it
    Kept,
    /// the counter was told to stand still in it, and does not
    Refused,
}

/// How a counter stands to System Management Mode, into which firmware takes the
/// processor unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Smm {
    /// What the counter does in it.
    pub freezing: Freezing,
    /// How often the processor has been there; none if it does not say.
    pub interrupts: Option<u64>,
}

/// A way of counting user instructions and of stopping user code by them.
pub trait BackEnd {
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
    /// Prepares for a stretch that is to end when so much has been counted, not
    /// earlier.
    fn arm(&mut self, budget: u64) -> Entry;
    /// Disarms it, reads it, and takes or acknowledges its interrupt.
    fn stop(&mut self, stopped: Stopped) -> Reading;
    /// Whether its overflow status is clear.
    fn is_clear(&mut self) -> bool;

    /// Whether a hypervisor lends the counter, and may take it away at any time.
    fn is_lent(&mut self) -> bool {
        false
    }

    /// How it stands to System Management Mode.
    fn smm(&mut self) -> Smm {
        Smm::default()
    }

    /// Prepares for a stretch in which not instructions are counted, but locked ones
    /// that were executed on speculation; false on processors that do not do it.
    fn watch_locks(&mut self) -> bool {
        false
    }

    /// How many there were in that stretch; the counter is off afterwards, and counts
    /// instructions again.
    fn speculative_locks(&mut self, _stopped: Stopped) -> u64 {
        0
    }
}
