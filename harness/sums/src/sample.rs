// SPDX-License-Identifier: MIT
//! A made-up run, for tests.

use pe_replay::{Difference, Field, Phases, Policy};
use wire::clock::ClockKind;
use wire::record::{CounterKind, MAX_RECORD_LEN, PeRecord, Record, TraceHeader, Unit};
use wire::{DelimiterKind, ThreadNumber, VERSION};

/// Five PEs of one thread, of which the fourth diverged once, and was hit by a flip.
pub fn records() -> Vec<PeRecord> {
    let record = |sequence| PeRecord {
        thread: ThreadNumber { process: 1, thread: 2 },
        sequence,
        delimiter: if sequence < 4 { DelimiterKind::Limit } else { DelimiterKind::Syscall },
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
    let mut records: Vec<_> = (0..5).map(record).collect();
    let difference = Difference { field: Field::Gpr(3), first: 16, second: 17, address: 0 };
    records[3].divergences.push(difference);
    records[3].flips = 1;
    records
}

/// The trace of these.
pub fn trace() -> Vec<u8> {
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
    let records = std::iter::once(Record::Header(header)).chain(records().into_iter().map(Record::Pe));
    records.flat_map(|record| record.encode(&mut [0; MAX_RECORD_LEN]).to_vec()).collect()
}
