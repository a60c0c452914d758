// SPDX-License-Identifier: MIT
//! Traces and logs that agree, and such that do not in one thing.

use arrayvec::ArrayVec;
use pe_replay::Phases;
use wire::ThreadNumber;

use super::*;

const START: u64 = 0x40_1000;
const COUNTER: u8 = 0xfe;

/// A record, whose RIP is behind so many instructions of a byte each.
fn record(delimiter: DelimiterKind, instructions: u64, at: u64) -> PeRecord {
    PeRecord {
        thread: ThreadNumber { process: 1, thread: 1 },
        sequence: 0,
        delimiter,
        rip: START + at,
        instructions,
        frames_written: 0,
        write_faults: 0,
        phases: Phases::default(),
        divergences: ArrayVec::new(),
        counter_misses: 0,
        flips: 0,
        debug_exceptions: 0,
        digest: None,
    }
}

fn left(vector: u8, error: u32, at: u64) -> Left {
    Left::Interrupted(Interrupt { vector, error, asked: vector == BREAKPOINT, rip: START + at, address: 0 })
}

/// A log of stretches, each of instructions of a byte each.
fn log(stretches: &[(&[u64], Left)]) -> Stretches {
    let mut log = Stretches::default();
    for (begun, left) in stretches {
        let from = log.addresses.len();
        log.addresses.extend(begun.iter().map(|at| START + at));
        log.list.push(Stretch { begun: from..log.addresses.len(), left: *left });
    }
    log
}

#[test]
fn each_end_has_its_rule() {
    const FETCH: u32 = FAULT_FETCH | FAULT_USER;
    for (delimiter, left, counted) in [
        (DelimiterKind::Limit, left(COUNTER, 0, 3), 3),
        (DelimiterKind::Syscall, Left::Syscall, 3),
        (DelimiterKind::PageFault, left(vector::PAGE_FAULT, FAULT_USER, 2), 2),
        (DelimiterKind::PageFault, left(vector::PAGE_FAULT, TRACKED, 2), 2),
        (DelimiterKind::PageFault, left(vector::PAGE_FAULT, FETCH, 3), 3),
        (DelimiterKind::DirtyLimit, left(vector::PAGE_FAULT, TRACKED, 2), 2),
        (DelimiterKind::Rdtsc, left(vector::GENERAL_PROTECTION, 0, 2), 2),
        (DelimiterKind::PortIo, left(vector::GENERAL_PROTECTION, 0, 2), 2),
        (DelimiterKind::Exception, left(vector::GENERAL_PROTECTION, 0, 2), 2),
        (DelimiterKind::Exception, left(DIVIDE, 0, 2), 2),
        (DelimiterKind::Exception, left(X87, 0, 2), 2),
        (DelimiterKind::Exception, left(UNDEFINED, 0, 2), 3),
        (DelimiterKind::Exception, left(BREAKPOINT, 0, 2), 3),
    ] {
        let seen = log(&[(&[0, 1, 2], left)]);
        for instructions in 0..5 {
            let at = if delimiter == DelimiterKind::DirtyLimit { 2 } else { 3 };
            let compared = compare(&[], &seen, &[record(delimiter, instructions, at)], Mode::Off);
            assert_eq!(compared.is_ok(), instructions == counted, "{delimiter:?}, {left:?}: {compared:?}");
        }
    }
}

#[test]
fn an_end_without_a_rule_is_an_error() {
    for (delimiter, left) in [
        (DelimiterKind::Limit, Left::Syscall),
        (DelimiterKind::Syscall, left(COUNTER, 0, 3)),
        (DelimiterKind::DirtyLimit, left(vector::PAGE_FAULT, FAULT_USER, 3)),
        (DelimiterKind::Rdtsc, left(UNDEFINED, 0, 3)),
        (DelimiterKind::Exception, left(17, 0, 3)),
    ] {
        let seen = log(&[(&[0, 1, 2], left)]);
        for instructions in 2..4 {
            let compared = compare(&[], &seen, &[record(delimiter, instructions, 3)], Mode::Off);
            assert!(compared.is_err(), "{delimiter:?}, {left:?}");
        }
    }
}

#[test]
fn both_runs_are_counted_through_write_faults() {
    let write_fault = |at| left(vector::PAGE_FAULT, TRACKED, at);
    let stop = left(COUNTER, 0, 4);
    let whole: [(&[u64], Left); 4] =
        [(&[0, 1], write_fault(1)), (&[1, 2, 3], write_fault(3)), (&[3], stop), (&[0, 1, 2, 3], stop)];
    let records = [PeRecord { write_faults: 2, ..record(DelimiterKind::Limit, 4, 4) }];
    let tally = compare(&[], &log(&whole), &records, Mode::Dual).unwrap();
    assert_eq!((tally.all(), tally.runs, tally.instructions), (1, 2, 4));

    let mut without_one = whole;
    without_one[3].0 = &[0, 1, 3];
    let mut elsewhere = whole;
    elsewhere[3].0 = &[0, 1, 5, 3];
    let mut other_end = whole;
    other_end[3].1 = left(COUNTER, 0, 5);
    for stretches in [&without_one[..], &elsewhere, &other_end, &whole[..3], &[whole, whole].concat()] {
        assert!(compare(&[], &log(stretches), &records, Mode::Dual).is_err(), "{stretches:?}");
    }
    for change in [
        |record: &mut PeRecord| record.instructions += 1,
        |record: &mut PeRecord| record.instructions -= 1,
        |record: &mut PeRecord| record.write_faults += 1,
        |record: &mut PeRecord| record.write_faults -= 1,
        |record: &mut PeRecord| record.rip += 1,
        |record: &mut PeRecord| record.counter_misses = 1,
        |record: &mut PeRecord| record.debug_exceptions = 1,
    ] {
        let mut records = records.clone();
        change(&mut records[0]);
        assert!(compare(&[], &log(&whole), &records, Mode::Dual).is_err(), "{:?}", records[0]);
    }
}

#[test]
fn the_next_pe_begins_where_the_record_says() {
    let stop = |at| left(COUNTER, 0, at);
    let records = [record(DelimiterKind::Limit, 2, 2), record(DelimiterKind::Limit, 1, 3)];
    let compared = |at| compare(&[], &log(&[(&[0, 1], stop(2)), (&[at], stop(3))]), &records, Mode::Off);
    assert_eq!(compared(2).unwrap().all(), 2);
    assert!(compared(5).is_err());
}

/// Run 2 comes too early, meets a breakpoint, overshoots; then it steps.
#[test]
fn the_way_to_the_end_of_run_1_is_counted() {
    let step = |at| left(vector::DEBUG, 0, at);
    let stop = |at| left(COUNTER, 0, at);
    let whole: [(&[u64], Left); 6] = [
        (&[0, 1, 2], stop(3)),
        (&[0], stop(1)),
        (&[1, 2, 3], stop(4)),
        (&[0], stop(1)),
        (&[1], step(2)),
        (&[2], step(3)),
    ];
    let mut records =
        [PeRecord { counter_misses: 1, debug_exceptions: 2, ..record(DelimiterKind::Limit, 3, 3) }];
    let tally = compare(&[], &log(&whole), &records, Mode::Dual).unwrap();
    assert_eq!((tally.early, tally.missed, tally.debug_exceptions, tally.parts), (2, 1, 2, 0));
    records[0].counter_misses = 0;
    assert!(compare(&[], &log(&whole), &records, Mode::Dual).is_err());
}

/// Run 1 ended after two iterations; run 2 executes two as one instruction, and that has an end.
#[test]
fn a_part_of_a_rep_has_an_end_of_its_own() {
    let whole: [(&[u64], Left); 3] = [
        (&[0, 1, 1], left(COUNTER, 0, 1)),
        (&[0], left(COUNTER, 0, 1)),
        (&[1, 1, 1], left(vector::DEBUG, 0, 3)),
    ];
    let records = [PeRecord { debug_exceptions: 1, ..record(DelimiterKind::Limit, 3, 1) }];
    let tally = compare(&[], &log(&whole), &records, Mode::Dual).unwrap();
    assert_eq!((tally.parts, tally.runs), (1, 2));
    let mut other = whole;
    other[2].0 = &[1, 1, 2];
    assert!(compare(&[], &log(&other), &records, Mode::Dual).is_err());
}
