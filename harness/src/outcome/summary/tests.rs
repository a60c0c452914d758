// SPDX-License-Identifier: MIT
//! Summaries of a made-up run, against a golden text.

use pe_replay::{Field, Policy};
use wire::VERSION;
use wire::clock::ClockKind;
use wire::end::{End, LongestCall, Service};
use wire::record::{CounterKind, MAX_RECORD_LEN, PeRecord, Record, Unit};
use wire::{DelimiterKind, Events, ThreadNumber};

use super::*;

/// A run of five PEs, of which the fourth diverged once: trace and end record.
pub(crate) fn sample() -> (Vec<u8>, EndRecord) {
    let header = TraceHeader {
        version: VERSION,
        unit: Unit::Instructions,
        counter: CounterKind::VirtualTime,
        clock: ClockKind::User,
        is_isolated: false,
        policy: Policy::DEFAULT,
        margin_far: 0,
        margin_near: 0,
    };
    let mut trace = Vec::new();
    let mut put = |record: Record| trace.extend_from_slice(record.encode(&mut [0; MAX_RECORD_LEN]));
    put(Record::Header(header));
    let events = Events {
        entries: 17,
        compared_and_copied: 10,
        lines_flushed: 128,
        states: 17,
        apic_writes: 34,
        ..Events::default()
    };
    let mut totals =
        Totals { events, boot: 1_234_567, drained_overflows: 2, longest_hold: 777, ..Totals::default() };
    totals.longest_call = Some(LongestCall { ticks: 4321, service: Service::Syscall(11) });
    for sequence in 0..5 {
        let kind = if sequence < 4 { DelimiterKind::Limit } else { DelimiterKind::Syscall };
        let mut record = PeRecord {
            thread: ThreadNumber { process: 1, thread: 2 },
            sequence,
            delimiter: kind,
            rip: 0x40_1000 + sequence,
            instructions: 1000,
            frames_written: 2,
            write_faults: 1,
            phases: Phases([1000, 50, 20 * sequence, 0, 1000, 0, 30 + sequence, 10]),
            divergences: Default::default(),
            counter_misses: 0,
            flips: 0,
            debug_exceptions: 0,
            digest: None,
        };
        if sequence == 3 {
            record.divergences.push(Difference { field: Field::Gpr(3), first: 16, second: 17, address: 0 });
            record.flips = 1;
        }
        totals.pes += 1;
        totals.committed += 1;
        totals.restarts += record.divergences.len() as u64;
        totals.divergences += record.divergences.len() as u64;
        totals.flips += u64::from(record.flips);
        totals.user_instructions += record.instructions;
        totals.frames_written += u64::from(record.frames_written);
        totals.write_faults += u64::from(record.write_faults);
        let at = DelimiterKind::ALL.iter().position(|one| *one == kind).unwrap();
        totals.ends[at] += 1;
        totals.phases.0.iter_mut().zip(record.phases.0).for_each(|(sum, part)| *sum += part);
        put(Record::Pe(record));
    }
    totals.total = totals.phases.total();
    let end = End::Exited { status: 0 };
    (trace, EndRecord { end, unit: Unit::Instructions, counter: CounterKind::VirtualTime, totals })
}

#[test]
fn the_text_is_as_it_always_was() {
    let (trace, end) = sample();
    let text = Summary::new(&trace, end).unwrap().to_string();
    assert_eq!(text, include_str!("tests.txt"), "\n{text}");
}

#[test]
fn what_took_longest_has_its_name() {
    let names = [
        Service::Syscall(0),
        Service::Syscall(9999),
        Service::PageFault,
        Service::Exception(6),
        Service::Switch,
        Service::Hypercall(12),
    ]
    .map(text::service_name);
    assert_eq!(names, ["read", "system call 9999", "page fault", "exception 6", "process switch", "sm_ctrl"]);
}

#[test]
fn medians_are_those_of_the_records() {
    let (trace, end) = sample();
    let summary = Summary::new(&trace, end).unwrap();
    assert_eq!(summary.medians, Phases([1000, 50, 40, 0, 1000, 0, 32, 10]));
}

#[test]
fn sums_that_do_not_agree_are_refused() {
    let (trace, end) = sample();
    let spoiled = |change: fn(&mut Totals)| {
        let mut end = end;
        change(&mut end.totals);
        Summary::new(&trace, end).unwrap_err().to_string()
    };
    assert!(spoiled(|totals| totals.total += 1).starts_with("phases and total do not agree"));
    assert!(spoiled(|totals| totals.ends[0] += 1).starts_with("PEs by delimiter"));
    assert!(spoiled(|totals| totals.lost_records = 1).starts_with("trace records"));
    assert!(spoiled(|totals| totals.user_instructions += 1).starts_with("user instructions"));
    assert!(spoiled(|totals| totals.divergences = 0).starts_with("divergences of trace"));
    let cut = Summary::new(&trace[..trace.len() - 1], end).unwrap_err();
    assert_eq!(format!("{cut:#}"), "the trace after 4 PEs: malformed or cut short");
}
