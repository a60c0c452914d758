// SPDX-License-Identifier: MIT
//! A golden array for each variant.

use arrayvec::ArrayString;
use flips::{Copy, Injection, Saved, Target};
use pe_replay::{Comparison, Difference, Field, Flush, Mode, Policy, Recovery, Run};
use wire::VERSION;
use wire::config::{Config, Job, Mutation, Sink};
use wire::device::{DeviceAccess, Space};
use wire::end::{CounterFault, End, EndRecord, ProcessorLack, Refusal, Service};
use wire::flip::{Flipped, Noticed, WrittenPage};
use wire::limit::{Limited, ReachedLimit};
use wire::record::{
    Label, PeRecord, ProgramRecord, Record, Records, TraceHeader, UnsupportedCall, all_of, programs,
};

use crate::samples::{
    COUNTER, DIFFERENCE, DIGEST, THREAD, TOTALS, config, encoded_config, encoded_end, encoded_record, end,
    ends, header, hex, name, pe, unhex,
};

#[test]
fn config_has_its_bytes() {
    let golden = format!(
        "{VERSION:02x}0001000000a08d068008078080808001808080080001ffffffffffffffffff01020300f40300043f0401000480a0b0020700{COUNTER}"
    );
    assert_eq!(hex(&encoded_config(&config())), golden);
    assert_eq!(Config::decode(&unhex(&golden)), Ok(config()));
}

#[test]
fn config_with_a_mutation_has_its_bytes() {
    let mutation = Some(Mutation::SkipSecondRun);
    let config = Config { job: Job::SelfTest, sink: Sink::Debugcon, mutation, ..config() };
    let golden = format!(
        "{VERSION:02x}0101000000a08d068008078080808001808080080101ffffffffffffffffff01020300f40300043f0401000480a0b002070100{COUNTER}"
    );
    assert_eq!(hex(&encoded_config(&config)), golden);
    assert_eq!(Config::decode(&unhex(&golden)), Ok(config));
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
        assert_eq!(hex(&bytes), format!("00{VERSION:02x}00000101{golden}ac0202"), "{policy:?}");
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
        assert_eq!(bytes.unwrap(), golden, "{flip:?}");
    }
}

#[test]
fn trace_header_has_its_bytes() {
    let golden = format!("00{VERSION:02x}0000010101000000a08d068008ac0202");
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
            "010102ac020180a080029f8d06050601020300052106bc050007010201100f0e0d0c0b0a090807060504030201201f1e1d1c1b1a191817161514131211",
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
    assert_eq!(names.len(), 12);
    for (how, golden) in ends() {
        let golden = format!("{VERSION:02x}{golden}{TOTALS}");
        assert_eq!(hex(&encoded_end(&end(how))), golden, "{}", name(how));
        assert_eq!(EndRecord::decode(&unhex(&golden)), Ok(end(how)));
    }
}

#[test]
fn what_a_program_asks_for_has_its_bytes() {
    for (service, golden) in [
        (Service::Syscall(300), "00ac02"),
        (Service::PageFault, "01"),
        (Service::Exception(6), "0206"),
        (Service::Switch, "03"),
        (Service::Hypercall(12), "040c"),
    ] {
        let bytes = postcard::to_slice(&service, &mut [0; 8]).map(|bytes| hex(bytes));
        assert_eq!(bytes.unwrap(), golden, "{service:?}");
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
fn unsupported_calls_have_their_bytes_and_stand_behind_the_pes() {
    let calls = [UnsupportedCall { number: 435, times: 2 }, UnsupportedCall { number: u32::MAX, times: 300 }];
    let records = calls.map(|call| encoded_record(&Record::Unsupported(call)));
    assert_eq!(records.each_ref().map(|bytes| hex(bytes)), ["05b30302", "05ffffffff0fac02"]);
    let all: Vec<u8> = records.concat();
    let trace =
        [encoded_record(&Record::Header(header())), encoded_record(&Record::Pe(pe(&[]))), all.clone()]
            .concat();
    assert_eq!(Records::open(&trace).unwrap().1.collect::<Vec<_>>(), [Ok(pe(&[]))]);
    assert_eq!(all_of(&trace).collect::<Vec<UnsupportedCall>>(), calls);
    let program = ProgramRecord { end: end(End::Deadlock), output_end: 300 };
    let batch = [all, encoded_record(&Record::Program(program))].concat();
    assert!(programs(&batch).all(|(_, mut pes)| pes.next().is_none()));
    assert_eq!(programs(&batch).count(), 1);
}

#[test]
fn reached_limits_have_their_bytes_and_stand_behind_the_pes() {
    let limits = [
        ReachedLimit { of: Limited::Threads, most: 1024, times: 300 },
        ReachedLimit { of: Limited::Processes, most: 64, times: 1 },
    ];
    let records = limits.map(|limit| encoded_record(&Record::Reached(limit)));
    assert_eq!(records.each_ref().map(|bytes| hex(bytes)), ["06008008ac02", "06014001"]);
    let start = [encoded_record(&Record::Header(header())), encoded_record(&Record::Pe(pe(&[])))].concat();
    let trace = [start, records.concat()].concat();
    assert_eq!(Records::open(&trace).unwrap().1.collect::<Vec<_>>(), [Ok(pe(&[]))]);
    assert_eq!(all_of(&trace).collect::<Vec<ReachedLimit>>(), limits);
    let program = ProgramRecord { end: end(End::Deadlock), output_end: 300 };
    let batch = [records.concat(), encoded_record(&Record::Program(program))].concat();
    assert_eq!(programs(&batch).count(), 1);
}

#[test]
fn names_of_processes_have_their_bytes_and_stand_behind_the_pes() {
    let label = Label { process: 300, text: ArrayString::from("init -> log").unwrap() };
    let record = encoded_record(&Record::Label(label));
    assert_eq!(hex(&record), "07ac020b696e6974202d3e206c6f67");
    let start = [encoded_record(&Record::Header(header())), encoded_record(&Record::Pe(pe(&[])))].concat();
    let trace = [start, record.clone()].concat();
    assert_eq!(Records::open(&trace).unwrap().1.collect::<Vec<_>>(), [Ok(pe(&[]))]);
    assert_eq!(all_of(&trace).collect::<Vec<Label>>(), [label]);
    let program = ProgramRecord { end: end(End::Deadlock), output_end: 300 };
    let batch = [record, encoded_record(&Record::Program(program))].concat();
    assert_eq!(programs(&batch).count(), 1);
}

#[test]
fn device_accesses_have_their_bytes_and_stand_among_the_pes() {
    let access = DeviceAccess {
        pe: 300,
        thread: THREAD,
        space: Space::Memory,
        address: 0xfed0_00f0,
        bytes: 4,
        writes: false,
        value: 0x80,
    };
    let port = DeviceAccess { space: Space::Port, address: 0x3f8, bytes: 1, writes: true, ..access };
    let records = [access, port].map(|access| encoded_record(&Record::Device(access)));
    let golden = ["08ac02010201f081c0f60f04008001", "08ac02010200f80701018001"];
    assert_eq!(records.each_ref().map(|bytes| hex(bytes)), golden);
    let header = encoded_record(&Record::Header(header()));
    let pe_bytes = encoded_record(&Record::Pe(pe(&[])));
    let trace = [&header[..], &records[0], &records[1], &pe_bytes].concat();
    assert_eq!(Records::open(&trace).unwrap().1.collect::<Vec<_>>(), [Ok(pe(&[]))]);
    assert_eq!(all_of(&trace).collect::<Vec<DeviceAccess>>(), [access, port]);
    let program =
        encoded_record(&Record::Program(ProgramRecord { end: end(End::Deadlock), output_end: 300 }));
    assert_eq!(programs(&[records.concat(), program].concat()).count(), 1);
}

#[test]
fn flips_and_pages_have_their_bytes_and_stand_among_the_pes() {
    let flip = Injection { pe: 300, run: Run::Second, at: 5, target: Target::Gpr(3), bit: 17 };
    let flipped = Flipped { flip, rip: 0x40_1000, ticks: 1000, has_hit: true };
    let seen = Noticed { pe: 300, ticks: 2000 };
    let page = WrittenPage { pe: 300, address: 0x4c_1000 };
    let records = [Record::Flipped(flipped), Record::Noticed(seen), Record::Written(page)];
    let records = records.map(|record| encoded_record(&record));
    let golden = ["09ac02010500031180a08002e80701", "0aac02d00f", "0bac0280a0b002"];
    assert_eq!(records.each_ref().map(|bytes| hex(bytes)), golden);
    let header = encoded_record(&Record::Header(header()));
    let trace = [header, records.concat(), encoded_record(&Record::Pe(pe(&[])))].concat();
    assert_eq!(Records::open(&trace).unwrap().1.collect::<Vec<_>>(), [Ok(pe(&[]))]);
    assert_eq!(all_of(&trace).collect::<Vec<Flipped>>(), [flipped]);
    assert_eq!(all_of(&trace).collect::<Vec<Noticed>>(), [seen]);
    assert_eq!(all_of(&trace).collect::<Vec<WrittenPage>>(), [page]);
    let program =
        encoded_record(&Record::Program(ProgramRecord { end: end(End::Deadlock), output_end: 300 }));
    let batch = [records.concat(), program].concat();
    let (_, pes) = programs(&batch).next().unwrap();
    assert_eq!(all_of(pes.rest()).collect::<Vec<Flipped>>(), [flipped]);
    assert_eq!(pes.count(), 0);
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
