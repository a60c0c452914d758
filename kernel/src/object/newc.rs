// SPDX-License-Identifier: MIT
//! The entries of a newc cpio archive, one header after the other.
//!
//! The crates for that add up every byte of every file, for a checksum that the format has not: for a
//! large program that was a sixth of a boot.

/// A header: six bytes of magic number, thirteen fields.
const HEADER_LEN: usize = MAGIC.len() + 13 * FIELD_LEN;
/// A field has so many hexadecimal digits.
const FIELD_LEN: usize = 8;
const MAGIC: &[u8] = b"070701";
/// The name of the entry behind the last one.
const TRAILER: &str = "TRAILER!!!";
/// Name and content end at a multiple of so many bytes.
const ALIGNMENT: usize = 4;

/// The fields that are looked at, by their places.
const MODE: usize = 1;
const FILE_LEN: usize = 6;
const NAME_LEN: usize = 11;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a str,
    /// File type and permissions, as in `st_mode`.
    pub mode: u32,
    /// Its content.
    pub content: &'a [u8],
}

/// The entries of an archive, up to the first one that is malformed.
#[derive(Clone, Debug)]
pub struct Entries<'a>(&'a [u8]);

impl<'a> Entries<'a> {
    /// Those in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn read(&mut self) -> Option<Entry<'a>> {
        let header = self.0.strip_prefix(MAGIC)?.get(..HEADER_LEN - MAGIC.len())?;
        let fields = header.as_chunks::<FIELD_LEN>().0;
        let name_end = HEADER_LEN.checked_add(length(fields[NAME_LEN])?)?;
        // The last byte of a name is zero.
        let name = self.0.get(HEADER_LEN..name_end)?.strip_suffix(b"\0")?;
        let begin = name_end.checked_next_multiple_of(ALIGNMENT)?;
        let end = begin.checked_add(length(fields[FILE_LEN])?)?;
        let content = self.0.get(begin..end)?;
        let name = core::str::from_utf8(name).ok()?;
        self.0 = self.0.get(end.checked_next_multiple_of(ALIGNMENT)?..).unwrap_or_default();
        (name != TRAILER).then_some(Entry { name, mode: number(fields[MODE])?, content })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.read();
        if entry.is_none() {
            self.0 = &[];
        }
        entry
    }
}

/// A field's number.
fn number(field: [u8; FIELD_LEN]) -> Option<u32> {
    field.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}

fn length(field: [u8; FIELD_LEN]) -> Option<usize> {
    number(field).map(|length| length as usize)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::vec::Vec;

    use super::*;

    const FILES: [(&str, u32, &[u8]); 4] = [
        ("a", 0o100_644, b""),
        ("reprise/config", 0o100_755, b"12345"),
        ("files/l", 0o120_777, b"/target"),
        ("f\u{e4}", 0o100_600, &[0xff; 4096]),
    ];

    fn packed() -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, mode, content) in FILES {
            let builder = cpio::newc::Builder::new(name).mode(mode);
            let mut writer = builder.write(&mut bytes, content.len() as u32);
            writer.write_all(content).unwrap();
            writer.finish().unwrap();
        }
        cpio::newc::trailer(&mut bytes).unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Vec<(&str, u32, &[u8])> {
        Entries::new(bytes).map(|entry| (entry.name, entry.mode, entry.content)).collect()
    }

    #[test]
    fn what_another_program_packs_is_read() {
        assert_eq!(read(&packed()), FILES);
        assert!(read(&[]).is_empty());
    }

    #[test]
    fn an_archive_that_is_cut_short_gives_its_whole_entries() {
        let bytes = packed();
        for length in 0..bytes.len() {
            let entries = read(&bytes[..length]);
            assert_eq!(entries, FILES[..entries.len()], "{length}");
        }
    }

    #[test]
    fn an_archive_with_a_damaged_header_ends_there() {
        let bytes = packed();
        for at in 0..HEADER_LEN {
            for damage in [b'g', b'F', 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = damage;
                let entries = read(&damaged);
                assert!(entries.iter().skip(1).all(|entry| FILES.contains(entry)), "{at}: {entries:?}");
            }
            let mut damaged = bytes.clone();
            damaged[at] = b'g';
            let is_looked_at =
                at < MAGIC.len() || [MODE, FILE_LEN, NAME_LEN].contains(&((at - MAGIC.len()) / FIELD_LEN));
            assert_eq!(read(&damaged).is_empty(), is_looked_at, "{at}");
        }
    }
}
