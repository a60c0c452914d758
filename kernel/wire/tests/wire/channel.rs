// SPDX-License-Identifier: MIT
//! The channel's header and streams.

use wire::channel::{self, Header, MIN_CHANNEL_LEN, Progress, Stream, Writer};
use wire::{VERSION, WireError};

use crate::samples::{hex, unhex};

#[test]
fn channel_header_has_its_bytes() {
    let mut memory = vec![0; MIN_CHANNEL_LEN as usize];
    let mut writer = Writer::new(&mut memory, None);
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
    let _ = Writer::new(&mut memory, None);
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
