// SPDX-License-Identifier: MIT
//! Trace files: a trace stream and its end record, in one container.
//!
//! Magic (8 bytes), container version (u16), length of the trace (u64), length of the
//! end record (u64), trace, end record, CRC-32 of all before it (u32); numbers are
//! little-endian. The file says nothing about when and where it was made, so that equal
//! runs give equal files.

use crate::emulator::Emulator;
use crate::host::input::Bound;

/// The bound of a trace file: no trace is larger than the channel that it comes through.
pub const BOUND: Bound = Bound { most: Emulator::LARGEST_CHANNEL, of: "a trace file" };
const MAGIC: [u8; 8] = *b"REPRTRCE";
/// The version of the container; what it holds has versions of its own.
const VERSION: u16 = 1;
const HEADER_LEN: usize = MAGIC.len() + 2 + 8 + 8;
const CHECKSUM_LEN: usize = 4;

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The file is no trace file at all.
    #[error("not a trace file of reprise")]
    Foreign,
    /// The container has another version.
    #[error("trace file version {0} is not known (this is {this})", this = VERSION)]
    Version(u16),
    /// The file is cut short, too long, or changed.
    #[error("a damaged trace file: lengths or checksum do not agree")]
    Damaged,
}

/// Makes a file of a trace stream and an end record.
pub fn pack(trace: &[u8], end: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER_LEN + trace.len() + end.len() + CHECKSUM_LEN);
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&(trace.len() as u64).to_le_bytes());
    file.extend_from_slice(&(end.len() as u64).to_le_bytes());
    file.extend_from_slice(trace);
    file.extend_from_slice(end);
    let checksum = crc32fast::hash(&file);
    file.extend_from_slice(&checksum.to_le_bytes());
    file
}

/// Takes a file apart: trace stream and end record.
pub fn unpack(file: &[u8]) -> Result<(&[u8], &[u8]), Unreadable> {
    let (magic, rest) = file.split_first_chunk::<{ MAGIC.len() }>().ok_or(Unreadable::Foreign)?;
    if *magic != MAGIC {
        return Err(Unreadable::Foreign);
    }
    let (version, rest) = rest.split_first_chunk().ok_or(Unreadable::Damaged)?;
    match u16::from_le_bytes(*version) {
        VERSION => {}
        other => return Err(Unreadable::Version(other)),
    }
    let (trace_len, rest) = rest.split_first_chunk().ok_or(Unreadable::Damaged)?;
    let (end_len, rest) = rest.split_first_chunk().ok_or(Unreadable::Damaged)?;
    let (body, checksum) = rest.split_last_chunk::<CHECKSUM_LEN>().ok_or(Unreadable::Damaged)?;
    let length =
        |bytes: &[u8; 8]| usize::try_from(u64::from_le_bytes(*bytes)).map_err(|_| Unreadable::Damaged);
    let (trace_len, end_len) = (length(trace_len)?, length(end_len)?);
    let covered = &file[..file.len() - CHECKSUM_LEN];
    if trace_len.checked_add(end_len) != Some(body.len())
        || crc32fast::hash(covered) != u32::from_le_bytes(*checksum)
    {
        return Err(Unreadable::Damaged);
    }
    Ok(body.split_at(trace_len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        for (trace, end) in [(&b"trace"[..], &b"end"[..]), (b"", b"end"), (b"", b"")] {
            assert_eq!(unpack(&pack(trace, end)), Ok((trace, end)));
        }
    }

    #[test]
    fn the_layout_is_fixed() {
        let mut expected = b"REPRTRCE\x01\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0abc".to_vec();
        let checksum = crc32fast::hash(&expected);
        expected.extend_from_slice(&checksum.to_le_bytes());
        assert_eq!(pack(b"a", b"bc"), expected);
    }

    #[test]
    fn any_damage_is_refused() {
        let file = pack(b"trace", b"end");
        for length in 0..file.len() {
            assert!(unpack(&file[..length]).is_err(), "cut to {length}");
        }
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert!(unpack(&damaged).is_err(), "byte {at}");
        }
        let longer = [&file[..], b"x"].concat();
        assert_eq!(unpack(&longer), Err(Unreadable::Damaged));
    }

    #[test]
    fn others_are_named() {
        assert_eq!(unpack(b"\x7fELF and more"), Err(Unreadable::Foreign));
        let mut file = pack(b"trace", b"end");
        file[8] = 2;
        assert_eq!(unpack(&file), Err(Unreadable::Version(2)));
    }
}
