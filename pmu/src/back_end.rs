// SPDX-License-Identifier: MIT
//! What each way of counting has to be able to do, uncalibrated.
//!
//! A back end says what it counted, with everything that entering and leaving
//! user mode adds to it. What that is, [`crate::check`] finds out, and
//! [`Counter`](crate::Counter) takes it off.

use strum::VariantArray;

/// Why user mode was left, as far as it matters for the bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
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
    /// Debug exceptions before that, from which user code went on at once; `elapsed` has what passed in user mode
    /// before each.
    pub passed: u32,
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

/// What is known of a counter's lateness, beside what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lateness {
    /// None at all, or the counter is not what it claims to be.
    Never,
    /// What is measured, but at least so many instructions, as the vendor's history
    /// says.
    AtLeast(u64),
}

/// What a way of counting is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nature {
    /// The most that can be counted in a stretch; one that is to be longer ends early.
    pub longest: u64,
    /// How it counts REP string instructions.
    pub repeats: Repeats,
    /// How late its interrupt may be.
    pub lateness: Lateness,
    /// A hypervisor lends the counter, and may take it away at any time.
    pub lent: bool,
}

/// A register that does not keep what is written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unkept {
    /// The register.
    pub msr: u32,
    /// What was written.
    pub wrote: u64,
    /// What was read back.
    pub read: u64,
}

/// How a counter stands to System Management Mode, into which firmware takes the
/// processor unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Smm {
    /// Whether the counter, which was told to stand still in it, does; none if it
    /// cannot be told to.
    pub freezes: Option<bool>,
    /// How often the processor has been there, modulo 2^32; none if it does not say.
    pub interrupts: Option<u32>,
}

/// A way of counting user instructions and of stopping user code by them.
pub trait BackEnd {
    /// What it is like, which does not change.
    fn nature(&self) -> Nature;
    /// Prepares for a stretch that is to end when so much has been counted, or
    /// [`Nature::longest`], and not earlier.
    fn arm(&mut self, budget: u64) -> Entry;
    /// Disarms it, reads it, and takes or acknowledges its interrupt.
    fn stop(&mut self, stopped: Stopped) -> Reading;

    /// What a debug exception adds to the time stamps, if it is by these that this counts; `measured` is what a
    /// debug exception adds to its own count. Who is told can see from a time stamp how far user code has come.
    fn stamped(&self, _measured: i64) -> Option<i64> {
        None
    }

    /// Writes to its registers and reads them back, if it has any; the counter is off
    /// afterwards.
    fn probe(&mut self) -> Result<(), Unkept> {
        Ok(())
    }

    /// Whether its overflow status, if it has one, is clear.
    fn is_clear(&mut self) -> bool {
        true
    }

    /// How it stands to System Management Mode.
    fn smm(&mut self) -> Smm {
        Smm::default()
    }

    /// Counts from now on not instructions, but locked ones that were executed on
    /// speculation; called again, instructions. False on processors that execute none so.
    fn swap_locks(&mut self) -> bool {
        false
    }
}
