// SPDX-License-Identifier: MIT
//! The largest values fit the bounds.

use flips::{Injection, MAX_INJECTIONS, Target};
use pe_replay::{Difference, Field, Mode, Phases, Policy, Run};
use wire::DelimiterKind;
use wire::Digest;
use wire::Events;
use wire::ThreadNumber;
use wire::WireError;
use wire::clock::{Clock, ClockKind};
use wire::config::{Config, Job, Mutation, Recording, Sink};
use wire::counter::{CounterChoice, CounterFaults, Lateness};
use wire::end::{
    CounterFault, CounterReport, Death, End, EndRecord, LongestCall, Refusal, Registers, Service, Suspect,
    Totals, Verdict, Watchdog,
};
use wire::isolation::Isolate;
use wire::nova::{MAX_MODULE_LEN, Module, Nova, RootDeath, System};
use wire::record::{CounterKind, MAX_RECORD_LEN, PeRecord, Record, TraceHeader};

use crate::samples::{encoded_config, encoded_end, encoded_record, end, header};

const LAST: ThreadNumber = ThreadNumber { process: u32::MAX, thread: u32::MAX };

#[test]
fn the_largest_values_fit() {
    let most =
        Difference { field: Field::YmmHigh(u8::MAX), first: u64::MAX, second: u64::MAX, address: u64::MAX };
    let policy = Policy { mode: Mode::Dual, limit: u64::MAX, max_dirty: u16::MAX, ..Policy::DEFAULT };
    let target = Target::Memory(u64::MAX);
    let flip = Injection { pe: u64::MAX, run: Run::Second, at: u64::MAX, target, bit: u8::MAX };
    let config = Config {
        job: Job::Hang,
        policy,
        seed: u64::MAX,
        channel_base: u64::MAX,
        channel_size: u64::MAX,
        sink: Sink::Debugcon,
        trace: Recording::Digests,
        max_instructions: u64::MAX,
        injections: [flip; MAX_INJECTIONS].into(),
        mutation: Some(Mutation::SkipSecondRun),
        counter: CounterChoice::Stepping,
        counter_faults: CounterFaults {
            skid: Lateness::LongTail(u32::MAX),
            stale: u32::MAX,
            spurious: u32::MAX,
            late: u32::MAX,
            lost: u32::MAX,
            per_fault: u8::MAX,
            per_interrupt: u8::MAX,
            after_interrupt: u8::MAX,
            wobble: u32::MAX,
            uneven: u32::MAX,
            masks_for_good: true,
            narrow: Some(u8::MAX),
            stops_after: Some(u64::MAX),
            swallows_writes: true,
            sticky_status: true,
            smi: u32::MAX,
            thaws: true,
            speculates: true,
            shared: u32::MAX,
            seed: u64::MAX,
        },
        clock: Clock { kind: ClockKind::Machine, date_s: u64::MAX },
        isolate: Isolate::Never,
        memory_len: u64::MAX,
        system: System::Nova(Nova {
            kernel_memory_len: u64::MAX,
            run_for_ns: Some(u64::MAX),
            logs_calls: true,
        }),
    };
    // It fits, but no kernel takes such bounds and flips.
    assert_eq!(Config::decode(&encoded_config(&config)), Err(WireError::Malformed));

    let module = Module { page: u32::MAX, length: u64::MAX, command_line: Some(u32::MAX) };
    assert_eq!(Module::take(module.encode(&mut [0; MAX_MODULE_LEN])), Ok((module, &[][..])));

    let record = Record::Pe(PeRecord {
        thread: LAST,
        sequence: u64::MAX,
        delimiter: DelimiterKind::DirtyLimit,
        rip: u64::MAX,
        instructions: u64::MAX,
        frames_written: u16::MAX,
        write_faults: u16::MAX,
        phases: Phases([u64::MAX; 8]),
        divergences: [most; 3].into(),
        counter_misses: u16::MAX,
        flips: u16::MAX,
        debug_exceptions: u32::MAX,
        digest: Some(Digest { state: u128::MAX, pages: u128::MAX }),
    });
    let header = TraceHeader { policy, margin_far: u64::MAX, margin_near: u64::MAX, ..header() };
    let header = Record::Header(header);
    assert!(encoded_record(&header).len() <= MAX_RECORD_LEN);
    assert!(encoded_record(&record).len() <= MAX_RECORD_LEN);

    let totals = Totals {
        pes: u64::MAX,
        committed: u64::MAX,
        restarts: u64::MAX,
        divergences: u64::MAX,
        counter_misses: u64::MAX,
        drained_overflows: u64::MAX,
        user_instructions: u64::MAX,
        frames_written: u64::MAX,
        write_faults: u64::MAX,
        third_runs: u64::MAX,
        outvoted: u64::MAX,
        events: Events {
            entries: u64::MAX,
            copied: u64::MAX,
            compared_and_copied: u64::MAX,
            compared: u64::MAX,
            hashed: u64::MAX,
            mapped: u64::MAX,
            mapped_at_once: u64::MAX,
            lines_flushed: u64::MAX,
            cache_flushes: u64::MAX,
            translation_flushes: u64::MAX,
            resumed: u64::MAX,
            states: u64::MAX,
            selectors: u64::MAX,
            bases_written: u64::MAX,
            bases_read: u64::MAX,
            x87_resets: u64::MAX,
            x87_clears: u64::MAX,
            time_stamps: u64::MAX,
            apic_writes: u64::MAX,
            spaces_loaded: u64::MAX,
            pages_invalidated: u64::MAX,
            lines_copied: u64::MAX,
            lines_filled: u64::MAX,
        },
        total: u64::MAX,
        boot: u64::MAX,
        ends: [u64::MAX; 8],
        phases: Phases([u64::MAX; 8]),
        flips: u64::MAX,
        lost_records: u64::MAX,
        longest_hold: u64::MAX,
        debug_exceptions: u64::MAX,
        longest_call: Some(LongestCall { ticks: u64::MAX, service: Service::Syscall(u32::MAX) }),
        idle: u64::MAX,
        longest_interrupt: u64::MAX,
        watchdog: Watchdog::Off,
    };
    let registers = Registers { gpr: [u64::MAX; 16], rip: u64::MAX, rflags: u64::MAX };
    let ends = [
        End::Killed(Death {
            thread: LAST,
            signal: u8::MAX,
            vector: Some(u8::MAX),
            address: u64::MAX,
            registers,
        }),
        End::Persistent(Verdict {
            pe: u64::MAX,
            thread: LAST,
            start_rip: u64::MAX,
            end_rip: u64::MAX,
            difference: most,
            attempts: u8::MAX,
            culprit: Some(Suspect { rip: u64::MAX, after: u64::MAX, code: [u8::MAX; 15] }),
            code: [u8::MAX; 15],
        }),
        End::RootDied(RootDeath { thread: LAST, event: u8::MAX, qualification: [u64::MAX; 2], registers }),
        End::Refused(Refusal::OutOfMemory { needed_pages: u64::MAX, free_pages: u64::MAX }),
        End::Refused(Refusal::Counter(CounterFault::Spread { least: i64::MIN, most: i64::MIN })),
        End::SelfTests { passed: u32::MAX, failed: u32::MAX },
        End::Calibrated(CounterReport {
            kind: CounterKind::Stepping,
            arm_lead: i64::MIN,
            bias_counter: i64::MIN,
            bias_page_fault: i64::MIN,
            bias_debug: i64::MIN,
            bias_syscall: i64::MIN,
            comparisons: u32::MAX,
        }),
    ];
    for how in ends {
        let record = EndRecord { totals, ..end(how) };
        assert_eq!(EndRecord::decode(&encoded_end(&record)), Ok(record));
    }
}
