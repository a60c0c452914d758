// SPDX-License-Identifier: MIT
//! The wire formats, byte for byte: a golden array for each variant, unknown
//! versions and every truncation refused, and the size bounds.
//!
//! A golden that has to change means that [`VERSION`] has to.

use arrayvec::ArrayVec;
use pe_replay::drive::Account;
use pe_replay::inject::{Copy, Saved};
use pe_replay::stop::DelimiterKind;
use pe_replay::wire::brief::{BriefRecord, DigestedRecord, Recorded};
use pe_replay::wire::channel::{self, Header, MIN_CHANNEL_LEN, Progress, Stream, Writer};
use pe_replay::wire::config::{Config, Job, MAX_CONFIG_LEN, MAX_INJECTIONS, Mutation, Sink};
use pe_replay::wire::counter::{CounterChoice, CounterFaults, Lateness};
use pe_replay::wire::end::{
    CounterFault, CounterReport, Damage, Death, End, EndRecord, MAX_END_LEN, ProcessorLack, Refusal,
    Registers, Suspect, Totals, Verdict,
};
use pe_replay::wire::record::{
    CounterKind, MAX_RECORD_LEN, PeRecord, ProgramRecord, Record, Records, TraceHeader, Unit, programs,
};
use pe_replay::wire::{VERSION, WireError};
use pe_replay::{
    Comparison, Difference, Events, Field, Flush, Injection, Mode, Phases, Policy, Recovery, Run, Target,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

const DIFFERENCE: Difference =
    Difference { field: Field::Memory, first: 0x12, second: 0x13, address: 0x40_1234 };

fn config() -> Config {
    Config {
        job: Job::Run,
        policy: Policy { mode: Mode::Dual, ..Policy::DEFAULT },
        seed: 7,
        channel_base: 0x1000_0000,
        channel_size: 0x100_0000,
        sink: Sink::Memory,
        trace: true,
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
    }
}

fn encoded_config(config: &Config) -> Vec<u8> {
    config.encode(&mut [0; MAX_CONFIG_LEN]).to_vec()
}

fn encoded_record(record: &Record) -> Vec<u8> {
    record.encode(&mut [0; MAX_RECORD_LEN]).to_vec()
}

fn encoded_end(end: &EndRecord) -> Vec<u8> {
    end.encode(&mut [0; MAX_END_LEN]).to_vec()
}

fn header() -> TraceHeader {
    TraceHeader {
        version: VERSION,
        unit: Unit::Instructions,
        counter: CounterKind::VirtualTime,
        policy: Policy { mode: Mode::Dual, ..Policy::DEFAULT },
        margin_far: 300,
        margin_near: 2,
    }
}

fn pe(divergences: &[Difference]) -> PeRecord {
    PeRecord {
        process: 1,
        thread: 2,
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

fn totals() -> Totals {
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
            lines_flushed: 46,
            cache_flushes: 47,
            translation_flushes: 48,
        },
        total: 1000,
        boot: 2000,
        ends: [10, 11, 12, 13, 14, 15, 16],
        phases: Phases([20, 21, 22, 23, 24, 27, 25, 26]),
        flips: 30,
        lost_records: 31,
        longest_hold: 32,
        debug_exceptions: 49,
    }
}

fn end(end: End) -> EndRecord {
    EndRecord { end, unit: Unit::Cycles, counter: CounterKind::VirtualTime, totals: totals() }
}

fn death() -> Death {
    let registers =
        Registers { gpr: core::array::from_fn(|index| index as u64), rip: 0x40_1000, rflags: 0x246 };
    Death { signal: 11, vector: Some(14), address: 0xdead_0000, registers }
}

fn verdict() -> Verdict {
    Verdict {
        pe: 9,
        start_rip: 0x40_1000,
        end_rip: 0x40_2000,
        difference: DIFFERENCE,
        attempts: 3,
        culprit: Some(Suspect { rip: 0x40_1008, after: 2, code: [0x0f; 15] }),
        code: core::array::from_fn(|at| at as u8 + 0xf0),
    }
}

fn damage() -> Damage {
    Damage { pe: 9, difference: DIFFERENCE }
}

fn report() -> CounterReport {
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

/// A name for each way to end; a variant without one does not compile.
fn name(end: End) -> &'static str {
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
    }
}

/// The ways to end, each with the bytes that stand for it.
fn ends() -> Vec<(End, &'static str)> {
    vec![
        (End::Exited { status: 3 }, "0003"),
        (End::Killed(death()), "010b010e8080b4f50d000102030405060708090a0b0c0d0e0f80a08002c604"),
        (
            End::Persistent(verdict()),
            "020980a0800280c08002191213b4a48002030188a08002020f0f0f0f0f0f0f0f0f0f0f0f0f0f0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfe",
        ),
        (End::Refused(Refusal::NoProgram), "0300"),
        (End::Deadlock, "04"),
        (End::OutputFull { limit: 300 }, "05ac02"),
        (End::SelfTests { passed: 20, failed: 1 }, "061401"),
        (End::Calibrated(report()), "0704010405080ad804"),
        (End::Batch { programs: 300 }, "08ac02"),
        (End::Damaged(damage()), "0909191213b4a48002"),
    ]
}

/// What follows the way a boot ended: unit, counter and sums.
const TOTALS: &str =
    "0100010203040506070809212228292a2b2c2d2e2f30e807d00f0a0b0c0d0e0f1014151617181b191a1e1f2031";

/// Choice of the counter and its faults.
const COUNTER: &str = "000207010000000000000000000000000009";

#[test]
fn config_has_its_bytes() {
    let golden = format!(
        "{VERSION:02x}0001000000a08d068008078080808001808080080001020300f40300043f0401000480a0b0020700{COUNTER}"
    );
    assert_eq!(hex(&encoded_config(&config())), golden);
    assert_eq!(Config::decode(&unhex(&golden)), Ok(config()));
}

#[test]
fn config_with_a_mutation_has_its_bytes() {
    for (mutation, golden) in [
        (
            Mutation::SkipSecondRun,
            "0101000000a08d068008078080808001808080080101020300f40300043f0401000480a0b002070100",
        ),
        (
            Mutation::Drop(Field::Gpr(3)),
            "0101000000a08d068008078080808001808080080101020300f40300043f0401000480a0b0020701010003",
        ),
        (
            Mutation::Drop(Field::Constant),
            "0101000000a08d068008078080808001808080080101020300f40300043f0401000480a0b0020701011a",
        ),
        (
            Mutation::Drop(Field::PageHash),
            "0101000000a08d068008078080808001808080080101020300f40300043f0401000480a0b0020701011b",
        ),
        (
            Mutation::Drop(Field::Summary),
            "0101000000a08d068008078080808001808080080101020300f40300043f0401000480a0b0020701011c",
        ),
    ] {
        let config =
            Config { job: Job::SelfTest, sink: Sink::Debugcon, mutation: Some(mutation), ..config() };
        let golden = format!("{VERSION:02x}{golden}{COUNTER}");
        assert_eq!(hex(&encoded_config(&config)), golden);
        assert_eq!(Config::decode(&unhex(&golden)), Ok(config));
    }
}

/// Mode, recovery, comparison and flush stand behind each other.
#[test]
fn policies_have_their_bytes() {
    let policy = Policy { limit: 10, max_dirty: 8, ..Policy::DEFAULT };
    for (policy, golden) in [
        (Policy { mode: Mode::Off, ..policy }, "000000000a08"),
        (Policy { mode: Mode::Dual, ..policy }, "010000000a08"),
        (Policy { mode: Mode::Triple, ..policy }, "020000000a08"),
        (Policy { recovery: Recovery::Vote, ..policy }, "010100000a08"),
        (Policy { comparison: Comparison::Hash, ..policy }, "010001000a08"),
        (Policy { flush: Flush::Lines, ..policy }, "010000010a08"),
        (Policy { flush: Flush::All, ..policy }, "010000020a08"),
        (Policy { flush: Flush::Retry, ..policy }, "010000030a08"),
    ] {
        let bytes = encoded_record(&Record::Header(TraceHeader { policy, ..header() }));
        assert_eq!(hex(&bytes), format!("00{VERSION:02x}0000{golden}ac0202"), "{policy:?}");
    }
}

#[test]
fn flips_have_their_bytes() {
    let last = u64::MAX;
    for (run, target, golden) in [
        (Run::First, Target::Gpr(15), "03000c000f05"),
        (Run::Second, Target::Rip, "03010c0105"),
        (Run::Third, Target::Rflags, "03020c0205"),
        (Run::First, Target::Xmm(15), "03000c030f05"),
        (Run::First, Target::Memory(last), "03000c04ffffffffffffffffff0105"),
        (Run::First, Target::Copy(Copy::Checkpoint, 0x1000), "03000c0500802005"),
        (Run::First, Target::Copy(Copy::Second, 0x1000), "03000c0501802005"),
        (Run::First, Target::Copy(Copy::Spare, 0x1000), "03000c0502802005"),
        (Run::First, Target::Saved(Saved::Start, 15), "03000c06000f05"),
        (Run::First, Target::Saved(Saved::Shadow, 15), "03000c06010f05"),
        (Run::First, Target::Saved(Saved::Result, 15), "03000c06020f05"),
    ] {
        let flip = Injection { pe: 3, run, at: 12, target, bit: 5 };
        let bytes = postcard::to_slice(&flip, &mut [0; 64]).map(|bytes| hex(bytes));
        assert_eq!(bytes.unwrap(), golden, "{flip}");
    }
}

#[test]
fn trace_header_has_its_bytes() {
    let golden = format!("00{VERSION:02x}000001000000a08d068008ac0202");
    assert_eq!(hex(&encoded_record(&Record::Header(header()))), golden);
    let bytes = unhex(&golden);
    let (read, mut records) = Records::open(&bytes).unwrap();
    assert_eq!(read, header());
    assert_eq!(records.next(), None);
}

#[test]
fn pe_record_has_its_bytes() {
    let goldens = [
        (pe(&[]), "010102ac020180a080029f8d06050601020300052106bc050007010200"),
        (
            PeRecord { digest: Some(DIGEST), ..pe(&[]) },
            "010102ac020180a080029f8d06050601020300052106bc050007010201909eb8e8c0e1828589909cb0d080c1818202",
        ),
        (
            pe(&[DIFFERENCE, Difference { field: Field::Xmm(15), ..DIFFERENCE }]),
            "010102ac020180a080029f8d06050601020300052106bc0502191213b4a48002130f1213b4a4800207010200",
        ),
    ];
    let mut trace = encoded_record(&Record::Header(header()));
    for (record, golden) in &goldens {
        assert_eq!(hex(&encoded_record(&Record::Pe(record.clone()))), *golden);
        trace.extend(unhex(golden));
    }
    let (_, records) = Records::open(&trace).unwrap();
    let read: Vec<_> = records.map(Result::unwrap).collect();
    assert_eq!(read, goldens.map(|(record, _)| record));
}

#[test]
fn end_records_have_their_bytes() {
    let mut names: Vec<&str> = ends().iter().map(|(how, _)| name(*how)).collect();
    names.dedup();
    assert_eq!(names.len(), 10);
    for (how, golden) in ends() {
        let golden = format!("{VERSION:02x}{golden}{TOTALS}");
        assert_eq!(hex(&encoded_end(&end(how))), golden, "{}", name(how));
        assert_eq!(EndRecord::decode(&unhex(&golden)), Ok(end(how)));
    }
}

#[test]
fn a_program_of_a_batch_has_its_bytes() {
    let program = ProgramRecord { end: end(End::Deadlock), output_end: 300 };
    let golden = format!("0204{TOTALS}ac02");
    assert_eq!(hex(&encoded_record(&Record::Program(program))), golden);
    let two = unhex(&golden.repeat(2));
    assert_eq!(programs(&two).map(|(read, _)| read).collect::<Vec<_>>(), [program; 2]);
    assert!(programs(&two).all(|(_, mut pes)| pes.next().is_none()));
    assert_eq!(programs(&two[..two.len() - 1]).count(), 1);
}

#[test]
fn the_pes_of_a_batch_stand_in_front_of_their_program() {
    let program = ProgramRecord { end: end(End::Deadlock), output_end: 300 };
    let quiet = PeRecord { counter_misses: 0, flips: 0, debug_exceptions: 0, ..pe(&[]) };
    let disturbed = pe(&[DIFFERENCE]);
    let behind = encoded_record(&Record::Program(program));
    let trace = [
        digested(&quiet),
        encoded_record(&Record::Pe(disturbed.clone())),
        behind.clone(),
        behind.clone(),
        brief(&quiet),
        behind,
    ]
    .concat();
    let read: Vec<Vec<_>> = programs(&trace).map(|(_, pes)| pes.map(Result::unwrap).collect()).collect();
    let with_digest = PeRecord { digest: Some(DIGEST), ..quiet.clone() };
    assert_eq!(read, [Vec::from([with_digest, disturbed]), Vec::new(), Vec::from([quiet])]);
    // Cut short, a program has none of its PEs.
    assert_eq!(programs(&trace[..trace.len() - 1]).count(), 2);
    let header_first = [encoded_record(&Record::Header(header())), trace].concat();
    assert_eq!(programs(&header_first).count(), 0);
}

#[test]
fn refusals_have_their_bytes() {
    let goldens = [
        (Refusal::NoProgram, "0300"),
        (Refusal::NotElf, "0301"),
        (Refusal::OtherMachine, "0302"),
        (Refusal::NotStatic, "0303"),
        (Refusal::Truncated, "0304"),
        (Refusal::SegmentOutsideUserSpace { address: 0x1000 }, "03058020"),
        (Refusal::Malformed, "0306"),
        (Refusal::ArgumentsTooLong { limit: 0x2000 }, "03078040"),
        (Refusal::OutOfMemory { needed_pages: 300, free_pages: 2 }, "0308ac0202"),
        (Refusal::Mutation, "0309"),
        (Refusal::Processor(ProcessorLack::Apic), "030a03"),
        (Refusal::LimitAboveWatchdog { limit: 300, most: 2 }, "030cac0202"),
        (Refusal::Counter(CounterFault::Dead), "030b00"),
        (Refusal::Counter(CounterFault::Spread { least: -1, most: 1 }), "030b010102"),
        (Refusal::Counter(CounterFault::Inexact { asked: 100, seen: 101 }), "030b026465"),
    ];
    for (refusal, golden) in goldens {
        let golden = format!("{VERSION:02x}{golden}{TOTALS}");
        assert_eq!(hex(&encoded_end(&end(End::Refused(refusal)))), golden, "{refusal:?}");
        assert_eq!(EndRecord::decode(&unhex(&golden)), Ok(end(End::Refused(refusal))));
    }
}

#[test]
fn unknown_versions_are_refused_by_their_number() {
    // Also where nothing that is known follows.
    for found in [0, VERSION + 1, 300] {
        let version = postcard_u16(found);
        let refused = WireError::Version { found };
        for tail in [&[][..], &[0xff; 64]] {
            let bytes = [&version, tail].concat();
            assert_eq!(Config::decode(&bytes), Err(refused));
            assert_eq!(EndRecord::decode(&bytes), Err(refused));
            let bytes = [&[0], &version[..], tail].concat();
            assert_eq!(Records::open(&bytes).map(|(header, _)| header), Err(refused));
        }
    }
    assert_eq!(
        WireError::Version { found: 0 }.to_string(),
        format!("wire version 0 is not known (this is {VERSION})")
    );
}

fn postcard_u16(value: u16) -> Vec<u8> {
    let (low, high) = ((value & 0x7f) as u8, (value >> 7) as u8);
    if high == 0 { vec![low] } else { vec![low | 0x80, high] }
}

#[test]
fn every_prefix_is_refused() {
    let bytes = encoded_config(&config());
    for length in 0..bytes.len() {
        assert_eq!(Config::decode(&bytes[..length]), Err(WireError::Malformed), "{length} bytes of config");
    }
    for (how, _) in ends() {
        let bytes = encoded_end(&end(how));
        for length in 0..bytes.len() {
            let refused = EndRecord::decode(&bytes[..length]);
            assert_eq!(refused, Err(WireError::Malformed), "{length} bytes of {}", name(how));
        }
    }
    let bytes = encoded_record(&Record::Header(header()));
    for length in 0..bytes.len() {
        assert!(matches!(Records::open(&bytes[..length]), Err(WireError::Malformed)), "{length}");
    }
}

#[test]
fn a_trace_cut_short_gives_its_records_and_then_the_error() {
    let mut trace = encoded_record(&Record::Header(header()));
    let one = encoded_record(&Record::Pe(pe(&[DIFFERENCE])));
    trace.extend(&one);
    for length in 1..one.len() {
        let cut = [&trace, &one[..length]].concat();
        let (_, mut records) = Records::open(&cut).unwrap();
        assert_eq!(records.next(), Some(Ok(pe(&[DIFFERENCE]))));
        assert_eq!(records.next(), Some(Err(WireError::Malformed)));
        assert_eq!(records.next(), None);
    }
}

#[test]
fn a_trace_has_one_header_and_has_it_first() {
    let header_bytes = encoded_record(&Record::Header(header()));
    let pe_bytes = encoded_record(&Record::Pe(pe(&[])));
    assert!(matches!(Records::open(&pe_bytes), Err(WireError::Malformed)));
    let twice = header_bytes.repeat(2);
    let (_, mut records) = Records::open(&twice).unwrap();
    assert_eq!(records.next(), Some(Err(WireError::Malformed)));
}

#[test]
fn bounds_and_flips_that_do_not_exist_are_refused() {
    let refused = |change: fn(&mut Config)| {
        let mut config = config();
        change(&mut config);
        assert_eq!(Config::decode(&encoded_config(&config)), Err(WireError::Malformed), "{config:?}");
    };
    refused(|config| config.policy.limit = 9);
    refused(|config| config.policy.limit = 10_000_001);
    refused(|config| config.policy.max_dirty = 7);
    refused(|config| config.policy.max_dirty = 1025);
    refused(|config| config.injections[0].target = Target::Gpr(16));
    refused(|config| config.injections[0].target = Target::Xmm(16));
    refused(|config| config.injections[0].bit = 64);
    refused(|config| config.injections[0].target = Target::Rflags);
    refused(|config| config.injections[1].bit = 8);
}

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
        trace: true,
        injections: [flip; MAX_INJECTIONS].into(),
        mutation: Some(Mutation::Drop(Field::YmmHigh(u8::MAX))),
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
            narrow: u8::MAX,
            stops_after: u64::MAX,
            swallows_writes: true,
            sticky_status: true,
            seed: u64::MAX,
        },
    };
    // It fits, but no kernel takes such bounds and flips.
    assert_eq!(Config::decode(&encoded_config(&config)), Err(WireError::Malformed));

    let record = Record::Pe(PeRecord {
        process: u16::MAX,
        thread: u16::MAX,
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
        digest: Some(u128::MAX),
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
            lines_flushed: u64::MAX,
            cache_flushes: u64::MAX,
            translation_flushes: u64::MAX,
        },
        total: u64::MAX,
        boot: u64::MAX,
        ends: [u64::MAX; 7],
        phases: Phases([u64::MAX; 8]),
        flips: u64::MAX,
        lost_records: u64::MAX,
        longest_hold: u64::MAX,
        debug_exceptions: u64::MAX,
    };
    let registers = Registers { gpr: [u64::MAX; 16], rip: u64::MAX, rflags: u64::MAX };
    let ends = [
        End::Killed(Death { signal: u8::MAX, vector: Some(u8::MAX), address: u64::MAX, registers }),
        End::Persistent(Verdict {
            pe: u64::MAX,
            start_rip: u64::MAX,
            end_rip: u64::MAX,
            difference: most,
            attempts: u8::MAX,
            culprit: Some(Suspect { rip: u64::MAX, after: u64::MAX, code: [u8::MAX; 15] }),
            code: [u8::MAX; 15],
        }),
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

#[test]
fn channel_header_has_its_bytes() {
    let mut memory = vec![0; MIN_CHANNEL_LEN as usize];
    let mut writer = Writer::new(&mut memory);
    writer.output(2, b"hi").unwrap();
    writer.append(Stream::Trace, &[b"abc"]).unwrap();
    writer.append(Stream::End, &[b"d"]).unwrap();
    writer.progress(Progress { pes: 1, instructions: 0x1234, rip: 0x40_1000 });
    let words = |at: usize, count: usize| hex(&memory[at..at + 8 * count]);
    assert_eq!(words(0, 2), "5245505249534500".to_owned() + &format!("{VERSION:02x}00000000000000"));
    let used = ["0700000000000000", "0300000000000000", "0000000000000000", "0100000000000000"];
    assert_eq!(words(16, 4), used.concat());
    let progress = ["0100000000000000", "3412000000000000", "0010400000000000"];
    assert_eq!(words(128, 3), progress.concat());
    assert_eq!(hex(&memory[Header::LEN..Header::LEN + 7]), "02020000006869");
}

#[test]
fn a_damaged_channel_header_is_refused() {
    let mut memory = vec![0; MIN_CHANNEL_LEN as usize];
    let _ = Writer::new(&mut memory);
    assert!(Header::parse(&memory, MIN_CHANNEL_LEN).unwrap().is_some());
    for length in 0..128 {
        assert_eq!(Header::parse(&memory[..length], MIN_CHANNEL_LEN), Err(WireError::Malformed));
    }
    for size in [0, 4096, MIN_CHANNEL_LEN - 1] {
        assert_eq!(Header::parse(&memory, size), Err(WireError::Malformed));
    }
    let mut damaged = memory.clone();
    damaged[0] ^= 1;
    assert_eq!(Header::parse(&damaged, MIN_CHANNEL_LEN), Err(WireError::Malformed));
    let mut damaged = memory.clone();
    damaged[10] = 1;
    let refused = WireError::Version { found: u16::MAX };
    assert_eq!(Header::parse(&damaged, MIN_CHANNEL_LEN), Err(refused));
    for stream in Stream::ALL {
        let mut damaged = memory.clone();
        damaged[16 + 8 * stream as usize + 7] = 1;
        assert_eq!(Header::parse(&damaged, MIN_CHANNEL_LEN), Err(WireError::Malformed), "{stream:?}");
    }
}

#[test]
fn an_output_cut_short_gives_its_whole_chunks() {
    let bytes = unhex("01020000006869" /* whole */);
    for length in 1..bytes.len() {
        let cut = [&bytes, &bytes[..length]].concat();
        assert_eq!(channel::chunks(&cut).collect::<Vec<_>>(), [(1, &b"hi"[..])]);
    }
}

fn undisturbed(at: u32) -> PeRecord {
    PeRecord {
        process: at as u16,
        thread: !at as u16,
        sequence: at.rotate_left(7).into(),
        delimiter: DelimiterKind::ALL[at as usize % DelimiterKind::ALL.len()],
        rip: u64::from(at) << 17,
        instructions: at.into(),
        frames_written: (at >> 3) as u16,
        write_faults: (at >> 5) as u16,
        phases: Phases(core::array::from_fn(|phase| at.rotate_left(9 * phase as u32).into())),
        divergences: ArrayVec::new(),
        counter_misses: 0,
        flips: 0,
        debug_exceptions: 0,
        digest: None,
    }
}

fn account(record: &PeRecord) -> Account {
    Account {
        frames_written: record.frames_written,
        write_faults: record.write_faults,
        divergences: record.divergences.clone(),
        counter_misses: record.counter_misses,
        flips: record.flips,
        ..Account::default()
    }
}

fn recorded<'a>(record: &'a PeRecord, account: &'a Account) -> Recorded<'a> {
    let PeRecord { process, thread, sequence, delimiter, rip, instructions, phases, .. } = record;
    let (process, thread, sequence) = (*process, *thread, *sequence);
    let (delimiter, rip, instructions) = (*delimiter, *rip, *instructions);
    Recorded { process, thread, sequence, delimiter, rip, instructions, phases, account }
}

/// What differs in every byte.
const DIGEST: u128 = 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10;

fn digested(record: &PeRecord) -> Vec<u8> {
    let account = account(record);
    let mut bytes = [0xff; DigestedRecord::LEN];
    recorded(record, &account).encode_digested(DIGEST, &mut bytes);
    bytes.to_vec()
}

fn brief(record: &PeRecord) -> Vec<u8> {
    let account = account(record);
    let recorded = recorded(record, &account);
    assert!(recorded.is_brief());
    let mut bytes = [0xff; BriefRecord::LEN];
    recorded.encode(&mut bytes);
    bytes.to_vec()
}

#[test]
fn a_brief_record_has_its_bytes() {
    let record = PeRecord { counter_misses: 0, flips: 0, debug_exceptions: 0, ..pe(&[]) };
    let golden = concat!(
        "0301010002000500001040000000000",
        "02c0100009f86010001000000020000000300000000000000050000002100000006000000bc0200000600"
    );
    assert_eq!(hex(&brief(&record)), golden);
    let one = unhex(golden);
    let trace = [encoded_record(&Record::Header(header())), one.clone()].concat();
    assert_eq!(Records::open(&trace).unwrap().1.collect::<Vec<_>>(), [Ok(record)]);
    for length in 1..one.len() {
        let (_, mut records) = Records::open(&trace[..trace.len() - length]).unwrap();
        assert_eq!(records.next(), Some(Err(WireError::Malformed)));
        assert_eq!(records.next(), None);
    }
}

#[test]
fn a_digest_stands_behind_the_brief_form() {
    let record = PeRecord { counter_misses: 0, flips: 0, debug_exceptions: 0, ..pe(&[]) };
    let (plain, bytes) = (brief(&record), digested(&record));
    assert_eq!(hex(&bytes), format!("04{}100f0e0d0c0b0a090807060504030201", hex(&plain[1..])));
    let trace = [encoded_record(&Record::Header(header())), bytes.clone(), plain].concat();
    let read: Vec<_> = Records::open(&trace).unwrap().1.collect();
    assert_eq!(read, [Ok(PeRecord { digest: Some(DIGEST), ..record.clone() }), Ok(record)]);
    let (Record::Digested(read), []) = postcard::take_from_bytes(&bytes).unwrap() else {
        panic!("{bytes:x?} is no record with a digest");
    };
    assert_eq!(encoded_record(&Record::Digested(read)), bytes);
}

#[test]
fn the_brief_form_is_postcards() {
    for at in [0, 1, 127, 128, 0xffff, 0x1234_5678, u32::MAX] {
        let record = undisturbed(at);
        let bytes = brief(&record);
        let (Record::Brief(read), []) = postcard::take_from_bytes(&bytes).unwrap() else {
            panic!("{bytes:x?} is no brief record");
        };
        assert_eq!(encoded_record(&Record::Brief(read)), bytes);
        assert_eq!(PeRecord::from(read), record);
    }
}

#[test]
fn what_the_brief_form_has_no_room_for_is_not_brief() {
    let changes: [fn(&mut PeRecord); 6] = [
        |record| record.sequence = 1 << 32,
        |record| record.instructions = 1 << 32,
        |record| record.phases.0[6] = 1 << 32,
        |record| record.divergences.push(DIFFERENCE),
        |record| record.counter_misses = 1,
        |record| record.flips = 1,
    ];
    for change in changes {
        let mut record = undisturbed(u32::MAX);
        assert!(recorded(&record, &account(&record)).is_brief());
        change(&mut record);
        let account = account(&record);
        assert!(!recorded(&record, &account).is_brief(), "{record:?}");
        assert_eq!(PeRecord::from(&recorded(&record, &account)), record);
    }
}
