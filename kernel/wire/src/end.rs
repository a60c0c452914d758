// SPDX-License-Identifier: MIT
//! How a boot ended: the last thing that the kernel says.

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};

use super::counter::{CounterKind, Unit};
use super::nova::{RootDeath, Stop};
use super::{DelimiterKind, Events, GPR_NAMES, ThreadNumber, VERSION, WireError};
use pe_replay::Difference;
use pe_replay::phases::Phases;

/// Why the kernel refuses to run what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The archive has no entry of that name that the job needs.
    NoProgram,
    /// The program is not a 64-bit little-endian ELF file.
    NotElf,
    /// It is an ELF file for another machine than x86-64.
    OtherMachine,
    /// It is not a static executable (ET_EXEC without PT_INTERP).
    NotStatic,
    /// Headers or segments reach past the end of the file.
    Truncated,
    /// A segment lies outside user space.
    SegmentOutsideUserSpace {
        /// Its address.
        address: u64,
    },
    /// Segments overlap, or a header contradicts itself.
    Malformed,
    /// Arguments and environment exceed what the stack takes.
    ArgumentsTooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// There is too little memory.
    OutOfMemory {
        /// Pages needed at the point of failure, as far as known.
        needed_pages: u64,
        /// Pages free then.
        free_pages: u64,
    },
    /// The configuration asks for a mutant, and this kernel is not built for it.
    Mutation,
    /// The processor lacks something that Reprise needs.
    Processor(ProcessorLack),
    /// The counter failed its calibration.
    Counter(CounterFault),
    /// The instruction limit is too long for this machine's watchdog.
    LimitAboveWatchdog {
        /// The limit asked for.
        limit: u64,
        /// The longest one.
        most: u64,
    },
    /// The machine has no I/O APIC: its interrupts come by the two old controllers, which can hold none back.
    NoIoApic,
}

/// What a processor may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcessorLack {
    /// XSAVE and XRSTOR.
    Xsave,
    /// No-execute pages.
    NoExecute,
    /// SYSCALL in 64-bit mode.
    Syscall,
    /// A local APIC.
    Apic,
    /// AVX, a part of the state that is compared.
    Avx,
}

/// Why a counter is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CounterFault {
    /// It does not move, or the interrupt never comes.
    Dead,
    /// Known blocks do not count the same every time.
    Spread {
        /// Smallest bias seen.
        least: i64,
        /// Largest bias seen.
        most: i64,
    },
    /// It does not stop where it was told to.
    Inexact {
        /// Instructions asked for.
        asked: u64,
        /// Instructions seen.
        seen: u64,
    },
    /// It failed a self-check, or there is none: in words.
    Refused(ArrayString<MAX_REASON_LEN>),
}

/// The longest reason for a refusal, in bytes.
pub const MAX_REASON_LEN: usize = 104;

/// What the calibration measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterReport {
    /// Which counter it is.
    pub kind: CounterKind,
    /// Ticks between arming and the first user instruction.
    pub arm_lead: i64,
    /// Ticks counted beyond the user instructions where the counter's interrupt ends them.
    pub bias_counter: i64,
    /// Ticks counted beyond the user instructions where a fault ends them.
    pub bias_page_fault: i64,
    /// Ticks counted beyond the user instructions where #DB ends them.
    pub bias_debug: i64,
    /// Ticks counted beyond the user instructions where a system call ends them.
    pub bias_syscall: i64,
    /// Comparisons of a count with a known one that stand behind this.
    pub comparisons: u32,
}

/// The registers of a program that was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registers {
    /// General registers, in encoding order.
    pub gpr: [u64; GPR_NAMES.len()],
    /// RIP.
    pub rip: u64,
    /// RFLAGS.
    pub rflags: u64,
}

/// A program that was ended for what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// The thread that did it, or that a signal from elsewhere found.
    pub thread: ThreadNumber,
    /// The signal that Linux would have sent.
    pub signal: u8,
    /// The exception's vector, if one was behind it.
    pub vector: Option<u8>,
    /// The fault address or, for signals without one, the instruction's.
    pub address: u64,
    /// Its registers.
    pub registers: Registers,
}

/// A PE that kept diverging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The PE's sequence number.
    pub pe: u64,
    /// Whose PE it is.
    pub thread: ThreadNumber,
    /// Where it starts.
    pub start_rip: u64,
    /// Where its first run ended.
    pub end_rip: u64,
    /// The first difference of the last attempt.
    pub difference: Difference,
    /// Attempts made.
    pub attempts: u8,
    /// The instruction that does not do the same twice, if it was found.
    pub culprit: Option<Suspect>,
    /// The first bytes of the instruction at `end_rip`.
    pub code: [u8; 15],
}

/// An instruction that did not do the same twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// Its address.
    pub rip: u64,
    /// Instructions of the PE before it.
    pub after: u64,
    /// Its first bytes.
    pub code: [u8; 15],
}

/// A PE whose start state was lost: the engine keeps two copies, and they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The PE's sequence number.
    pub pe: u64,
    /// Whose PE it is.
    pub thread: ThreadNumber,
    /// Where the copies differ.
    pub difference: Difference,
}

/// How a boot, or a program of a batch, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The program ended by itself.
    Exited {
        /// Its exit status.
        status: u8,
    },
    /// The program was ended.
    Killed(Death),
    /// A PE kept diverging.
    Persistent(Verdict),
    /// The kernel does not run what it was given.
    Refused(Refusal),
    /// Nothing is left that could wake anything up.
    Deadlock,
    /// The program wrote more than the channel takes.
    OutputFull {
        /// The limit in bytes.
        limit: u64,
    },
    /// The self-tests ended.
    SelfTests {
        /// How many passed.
        passed: u32,
        /// How many failed.
        failed: u32,
    },
    /// The calibration ended.
    Calibrated(CounterReport),
    /// The batch ended; each program's own end stands in the trace.
    Batch {
        /// How many programs were run.
        programs: u32,
    },
    /// A fault hit the engine's own copies of a PE's start state.
    Damaged(Damage),
    /// A system was ended that goes on by itself.
    Stopped(Stop),
    /// The root task of a system has ended.
    RootDied(RootDeath),
}

/// What a program makes the kernel do between two PEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    /// A system call, by its number.
    Syscall(u32),
    /// A page fault.
    PageFault,
    /// Another exception, by its vector.
    Exception(u8),
    /// Going from one process to the next.
    Switch,
    /// A hypercall of the NOVA interface, by its number.
    Hypercall(u8),
}

/// The longest time that the kernel took over one thing, in the counter's unit: nothing
/// else ran meanwhile. What a call waits for others is not in it, its end of a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongestCall {
    /// How long that took.
    pub ticks: u64,
    /// What it was.
    pub service: Service,
}

/// What would end a run that nothing else does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Watchdog {
    /// The old timer.
    #[default]
    Pit,
    /// A comparator of the event timer: a program has the old one.
    EventTimer,
    /// Nothing would.
    Off,
}

/// Sums over a whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// PEs started, each counted once however often it was run.
    pub pes: u64,
    /// PEs committed.
    pub committed: u64,
    /// Attempts started over after a divergence.
    pub restarts: u64,
    /// Divergences.
    pub divergences: u64,
    /// Second runs repeated because the counter overshot.
    pub counter_misses: u64,
    /// Overflow interrupts that came too late to mean anything, and were dropped.
    pub drained_overflows: u64,
    /// Committed user instructions, counted once.
    pub user_instructions: u64,
    /// Pages written, summed over PEs.
    pub frames_written: u64,
    /// Write faults that the tracker took.
    pub write_faults: u64,
    /// Third runs.
    pub third_runs: u64,
    /// PEs committed although one run of three differed.
    pub outvoted: u64,
    /// What the machine was made to do.
    pub events: Events,
    /// From the first user entry to the program's end, in the counter's unit.
    pub total: u64,
    /// From reset to the first user entry.
    pub boot: u64,
    /// PEs by what ended them, in the order of [`DelimiterKind::ALL`].
    pub ends: [u64; DelimiterKind::ALL.len()],
    /// Where `total` went.
    pub phases: Phases,
    /// Flips applied.
    pub flips: u64,
    /// Trace records lost because the trace stream was full.
    pub lost_records: u64,
    /// Longest time that interrupts were held back, in the counter's unit.
    pub longest_hold: u64,
    /// Debug exceptions taken to stop exactly.
    pub debug_exceptions: u64,
    /// The longest service, if there was any.
    pub longest_call: Option<LongestCall>,
    /// How long the processor was halted since nobody could run, which is in no phase and not in
    /// `total`.
    pub idle: u64,
    /// The longest time from a line's interrupt to its acknowledgement by a program, in the counter's unit.
    pub longest_interrupt: u64,
    /// What would end a run that nothing else does.
    pub watchdog: Watchdog,
}

/// The last record of a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndRecord {
    /// How it ended.
    pub end: End,
    /// Unit of durations.
    pub unit: Unit,
    /// Counter back end.
    pub counter: CounterKind,
    /// Sums.
    pub totals: Totals,
}

/// The largest encoded end record, in bytes.
pub const MAX_END_LEN: usize = 1024;

impl EndRecord {
    /// Writes version and record to `buffer`; returns the used part.
    pub fn encode<'a>(&self, buffer: &'a mut [u8; MAX_END_LEN]) -> &'a [u8] {
        match postcard::to_slice(&(VERSION, self), buffer) {
            Ok(used) => used,
            Err(error) => unreachable!("an end record has a bounded size: {error}"),
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (found, rest): (u16, _) = postcard::take_from_bytes(bytes).map_err(|_| WireError::Malformed)?;
        if found != VERSION {
            return Err(WireError::Version { found });
        }
        postcard::from_bytes(rest).map_err(|_| WireError::Malformed)
    }
}
