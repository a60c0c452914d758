// SPDX-License-Identifier: MIT
//! The brief form of a record.

use arrayvec::ArrayVec;
use pe_replay::Account;
use pe_replay::phases::{Phases, Stopwatch};
use wire::DelimiterKind;
use wire::ThreadNumber;
use wire::WireError;
use wire::brief::{BriefRecord, Recorded};
use wire::record::{PeRecord, Record, Records};

use crate::samples::{DIFFERENCE, encoded_record, header, hex, pe, unhex};

fn undisturbed(at: u32) -> PeRecord {
    PeRecord {
        thread: ThreadNumber { process: at, thread: !at },
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

pub fn account(record: &PeRecord) -> Account {
    Account {
        frames_written: record.frames_written,
        write_faults: record.write_faults,
        divergences: record.divergences.clone(),
        counter_misses: record.counter_misses,
        flips: record.flips,
        ..Account::default()
    }
}

/// A stopwatch before a PE, and one behind it.
pub fn watches(record: &PeRecord) -> [Stopwatch; 2] {
    let before = Phases(core::array::from_fn(|phase| u64::MAX - phase as u64));
    let now = Phases(core::array::from_fn(|phase| before.0[phase].wrapping_add(record.phases.0[phase])));
    let longest = record.phases.0.into_iter().max().unwrap();
    [(7, before), (7 + longest, now)].map(|(mark, phases)| {
        let mut watch = Stopwatch::start(mark);
        watch.phases = phases;
        watch
    })
}

pub fn recorded<'a>(record: &'a PeRecord, account: &'a Account, watches: &'a [Stopwatch; 2]) -> Recorded<'a> {
    let PeRecord { thread, sequence, delimiter, rip, instructions, .. } = record;
    let (thread, sequence) = (*thread, *sequence);
    let (delimiter, rip, instructions) = (*delimiter, *rip, *instructions);
    let [before, now] = watches;
    Recorded { thread, sequence, delimiter, rip, instructions, before, now, account }
}

pub fn brief(record: &PeRecord) -> Vec<u8> {
    let (account, watches) = (account(record), watches(record));
    let recorded = recorded(record, &account, &watches);
    assert!(recorded.is_brief());
    let mut bytes = [0xff; BriefRecord::LEN];
    recorded.encode(&mut bytes);
    bytes.to_vec()
}

#[test]
fn a_brief_record_has_its_bytes() {
    let thread = ThreadNumber { process: 70_000, thread: 2 };
    let record = PeRecord { thread, counter_misses: 0, flips: 0, debug_exceptions: 0, ..pe(&[]) };
    let golden = concat!(
        "030170110100020000000500001040000000000",
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
        assert!(recorded(&record, &account(&record), &watches(&record)).is_brief());
        change(&mut record);
        let (account, watches) = (account(&record), watches(&record));
        assert!(!recorded(&record, &account, &watches).is_brief(), "{record:?}");
        assert_eq!(PeRecord::from(&recorded(&record, &account, &watches)), record);
    }
}
