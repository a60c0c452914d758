// SPDX-License-Identifier: MIT
//! Records with a digest, and the PEs of a batch.

use wire::brief::DigestedRecord;
use wire::end::End;
use wire::record::{PeRecord, ProgramRecord, Record, Records, programs};

use crate::brief::{account, brief, recorded, watches};
use crate::samples::{DIFFERENCE, DIGEST, encoded_record, end, header, hex, pe};

fn digested(record: &PeRecord) -> Vec<u8> {
    let account = account(record);
    let mut bytes = [0xff; DigestedRecord::LEN];
    recorded(record, &account, &watches(record)).encode_digested(DIGEST, &mut bytes);
    bytes.to_vec()
}

fn quiet() -> PeRecord {
    PeRecord { counter_misses: 0, flips: 0, debug_exceptions: 0, ..pe(&[]) }
}

#[test]
fn a_digest_stands_behind_the_brief_form() {
    let record = quiet();
    let (plain, bytes) = (brief(&record), digested(&record));
    assert_eq!(
        hex(&bytes),
        format!("04{}100f0e0d0c0b0a090807060504030201201f1e1d1c1b1a191817161514131211", hex(&plain[1..]))
    );
    let trace = [encoded_record(&Record::Header(header())), bytes.clone(), plain].concat();
    let read: Vec<_> = Records::open(&trace).unwrap().1.collect();
    assert_eq!(read, [Ok(PeRecord { digest: Some(DIGEST), ..record.clone() }), Ok(record)]);
    let (Record::Digested(read), []) = postcard::take_from_bytes(&bytes).unwrap() else {
        panic!("{bytes:x?} is no record with a digest");
    };
    assert_eq!(encoded_record(&Record::Digested(read)), bytes);
}

#[test]
fn the_pes_of_a_batch_stand_in_front_of_their_program() {
    let program = ProgramRecord { end: end(End::Deadlock), output_end: 300 };
    let disturbed = pe(&[DIFFERENCE]);
    let behind = encoded_record(&Record::Program(program));
    let trace = [
        digested(&quiet()),
        encoded_record(&Record::Pe(disturbed.clone())),
        behind.clone(),
        behind.clone(),
        brief(&quiet()),
        behind,
    ]
    .concat();
    let read: Vec<Vec<_>> = programs(&trace).map(|(_, pes)| pes.map(Result::unwrap).collect()).collect();
    let with_digest = PeRecord { digest: Some(DIGEST), ..quiet() };
    assert_eq!(read, [Vec::from([with_digest, disturbed]), Vec::new(), Vec::from([quiet()])]);
    // Cut short, a program has none of its PEs.
    assert_eq!(programs(&trace[..trace.len() - 1]).count(), 2);
    let header_first = [encoded_record(&Record::Header(header())), trace].concat();
    assert_eq!(programs(&header_first).count(), 0);
}
