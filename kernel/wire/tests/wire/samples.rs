// SPDX-License-Identifier: MIT
//! What the tests encode, and the bytes that stand for it.

use flips::{Injection, Target};
use pe_replay::{Difference, Field, Mode, Phases, Policy, Run};
use wire::DelimiterKind;
use wire::Digest;
use wire::Events;
use wire::ThreadNumber;
use wire::VERSION;
use wire::clock::{Clock, ClockKind};
use wire::config::{Config, Job, MAX_CONFIG_LEN, Recording, Sink};
use wire::counter::{CounterChoice, CounterFaults, Lateness};
use wire::end::{
    CounterReport, Damage, Death, End, EndRecord, LongestCall, MAX_END_LEN, Refusal, Registers, Service,
    Suspect, Totals, Verdict, Watchdog,
};
use wire::isolation::Isolate;
use wire::nova::{Nova, RootDeath, Stop, System};
use wire::record::{CounterKind, MAX_RECORD_LEN, PeRecord, Record, TraceHeader, Unit};

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

pub const DIFFERENCE: Difference =
    Difference { field: Field::Memory, first: 0x12, second: 0x13, address: 0x40_1234 };

/// What differs in every byte.
pub const DIGEST: Digest = Digest {
    state: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10,
    pages: 0x1112_1314_1516_1718_191a_1b1c_1d1e_1f20,
};

pub fn config() -> Config {
    Config {
        job: Job::Run,
        policy: Policy { mode: Mode::Dual, ..Policy::DEFAULT },
        seed: 7,
        channel_base: 0x1000_0000,
        channel_size: 0x100_0000,
        sink: Sink::Memory,
        trace: Recording::Pes,
        max_instructions: u64::MAX,
        injections: [
            Injection { pe: 3, run: Run::First, at: 500, target: Target::Gpr(4), bit: 63 },
            Injection { pe: 4, run: Run::Second, at: 0, target: Target::Memory(0x4c_1000), bit: 7 },
        ]
        .into_iter()
        .collect(),
        mutation: None,
        counter: CounterChoice::Detect,
        counter_faults: CounterFaults {
            skid: Lateness::Random(7),
            stale: 1,
            seed: 9,
            ..CounterFaults::default()
        },
        clock: Clock { kind: ClockKind::Machine, ..Clock::default() },
        isolate: Isolate::Always,
        memory_len: 0x1000_0000,
        system: System::Nova(Nova { kernel_memory_len: 0x400_0000, run_for_ns: Some(300), logs_calls: true }),
    }
}

pub fn encoded_config(config: &Config) -> Vec<u8> {
    config.encode(&mut [0; MAX_CONFIG_LEN]).to_vec()
}

pub fn encoded_record(record: &Record) -> Vec<u8> {
    record.encode(&mut [0; MAX_RECORD_LEN]).to_vec()
}

pub fn encoded_end(end: &EndRecord) -> Vec<u8> {
    end.encode(&mut [0; MAX_END_LEN]).to_vec()
}

pub fn header() -> TraceHeader {
    TraceHeader {
        version: VERSION,
        unit: Unit::Instructions,
        counter: CounterKind::VirtualTime,
        clock: ClockKind::Machine,
        is_isolated: true,
        policy: Policy { mode: Mode::Dual, ..Policy::DEFAULT },
        margin_far: 300,
        margin_near: 2,
    }
}

pub const THREAD: ThreadNumber = ThreadNumber { process: 1, thread: 2 };

pub fn pe(divergences: &[Difference]) -> PeRecord {
    PeRecord {
        thread: THREAD,
        sequence: 300,
        delimiter: DelimiterKind::PageFault,
        rip: 0x40_1000,
        instructions: 99_999,
        frames_written: 5,
        write_faults: 6,
        phases: Phases([1, 2, 3, 0, 5, 33, 6, 700]),
        divergences: divergences.iter().copied().collect(),
        counter_misses: 7,
        flips: 1,
        debug_exceptions: 2,
        digest: None,
    }
}

pub fn totals() -> Totals {
    Totals {
        pes: 1,
        committed: 2,
        restarts: 3,
        divergences: 4,
        counter_misses: 5,
        drained_overflows: 6,
        user_instructions: 7,
        frames_written: 8,
        write_faults: 9,
        third_runs: 33,
        outvoted: 34,
        events: Events {
            entries: 40,
            copied: 41,
            compared_and_copied: 42,
            compared: 43,
            hashed: 44,
            mapped: 45,
            mapped_at_once: 63,
            lines_flushed: 46,
            cache_flushes: 47,
            translation_flushes: 48,
            resumed: 50,
            states: 51,
            selectors: 52,
            bases_written: 53,
            bases_read: 54,
            x87_resets: 55,
            x87_clears: 56,
            time_stamps: 57,
            apic_writes: 58,
            spaces_loaded: 59,
            pages_invalidated: 60,
            lines_copied: 61,
            lines_filled: 62,
        },
        total: 1000,
        boot: 2000,
        ends: [10, 11, 12, 13, 14, 15, 16, 17],
        phases: Phases([20, 21, 22, 23, 24, 27, 25, 26]),
        flips: 30,
        lost_records: 31,
        longest_hold: 32,
        debug_exceptions: 49,
        longest_call: Some(LongestCall { ticks: 50, service: Service::Syscall(11) }),
        idle: 63,
        longest_interrupt: 64,
        watchdog: Watchdog::EventTimer,
    }
}

pub fn end(end: End) -> EndRecord {
    EndRecord { end, unit: Unit::Cycles, counter: CounterKind::VirtualTime, totals: totals() }
}

pub fn death() -> Death {
    let registers =
        Registers { gpr: core::array::from_fn(|index| index as u64), rip: 0x40_1000, rflags: 0x246 };
    Death { thread: THREAD, signal: 11, vector: Some(14), address: 0xdead_0000, registers }
}

pub fn verdict() -> Verdict {
    Verdict {
        pe: 9,
        thread: THREAD,
        start_rip: 0x40_1000,
        end_rip: 0x40_2000,
        difference: DIFFERENCE,
        attempts: 3,
        culprit: Some(Suspect { rip: 0x40_1008, after: 2, code: [0x0f; 15] }),
        code: core::array::from_fn(|at| at as u8 + 0xf0),
    }
}

pub fn damage() -> Damage {
    Damage { pe: 9, thread: THREAD, difference: DIFFERENCE }
}

pub fn report() -> CounterReport {
    CounterReport {
        kind: CounterKind::AmdEmulated,
        arm_lead: -1,
        bias_counter: 2,
        bias_page_fault: -3,
        bias_debug: 4,
        bias_syscall: 5,
        comparisons: 600,
    }
}

pub fn root_death() -> RootDeath {
    let Death { thread, registers, .. } = death();
    RootDeath { thread, event: 14, qualification: [4, 0x9000], registers }
}

/// A name for each way to end; a variant without one does not compile.
pub fn name(end: End) -> &'static str {
    match end {
        End::Exited { .. } => "exited",
        End::Killed(_) => "killed",
        End::Persistent(_) => "persistent",
        End::Refused(_) => "refused",
        End::Deadlock => "deadlock",
        End::OutputFull { .. } => "output full",
        End::SelfTests { .. } => "self-tests",
        End::Calibrated(_) => "calibrated",
        End::Batch { .. } => "batch",
        End::Damaged(_) => "damaged",
        End::Stopped(_) => "stopped",
        End::RootDied(_) => "root died",
    }
}

/// The ways to end, each with the bytes that stand for it.
pub fn ends() -> Vec<(End, &'static str)> {
    vec![
        (End::Exited { status: 3 }, "0003"),
        (End::Killed(death()), "0101020b010e8080b4f50d000102030405060708090a0b0c0d0e0f80a08002c604"),
        (
            End::Persistent(verdict()),
            "0209010280a0800280c08002191213b4a48002030188a08002020f0f0f0f0f0f0f0f0f0f0f0f0f0f0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfe",
        ),
        (End::Refused(Refusal::NoProgram), "0300"),
        (End::Deadlock, "04"),
        (End::OutputFull { limit: 300 }, "05ac02"),
        (End::SelfTests { passed: 20, failed: 1 }, "061401"),
        (End::Calibrated(report()), "0704010405080ad804"),
        (End::Batch { programs: 300 }, "08ac02"),
        (End::Damaged(damage()), "09090102191213b4a48002"),
        (End::Stopped(Stop::Idle), "0a00"),
        (End::Stopped(Stop::Text), "0a01"),
        (End::Stopped(Stop::Time), "0a02"),
        (End::Stopped(Stop::Instructions), "0a03"),
        (End::RootDied(root_death()), "0b01020e0480a002000102030405060708090a0b0c0d0e0f80a08002c604"),
    ]
}

/// What follows the way a boot ended: unit, counter and sums.
pub const TOTALS: &str = "0100010203040506070809212228292a2b2c2d3f2e2f3032333435363738393a3b3c3d3ee807d00f0a0b0c0d0e0f101114151617181b191a1e1f20310132000b3f4001";

/// Choice of the counter and its faults; then the clock, the date, the isolation, the memory, and the system.
pub const COUNTER: &str =
    "0002070100000000000000000000000000000000000901808bd2bb06018080808001018080802001ac0201";
