// SPDX-License-Identifier: MIT
//! What is no message, or none of this version, is refused.

use flips::Target;
use wire::clock::Clock;
use wire::config::Config;
use wire::end::EndRecord;
use wire::record::{Record, Records};
use wire::{VERSION, WireError};

use crate::samples::{
    DIFFERENCE, config, encoded_config, encoded_end, encoded_record, end, ends, header, name, pe,
};

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
    refused(|config| config.clock.date_s = Clock::MAX_DATE_S + 1);
}
