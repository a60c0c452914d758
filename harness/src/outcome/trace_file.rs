// SPDX-License-Identifier: MIT
//! Trace files: what a run was of, its trace stream in pieces, and its end record, in one container.
//!
//! Magic (8 bytes) and container version (u16), then pieces: kind (u8, [`Kind`]), length (u32), bytes, CRC-32 of
//! the whole file so far without the checksums in it (u32); numbers are little-endian. The first says what the run was of. The pieces of the trace
//! behind it are full but for the last of them. Behind them comes one with the end record, and nothing behind that. So who writes a file need not know how
//! long it is going to be, and who reads it believes no record of which the checksum has not been seen. The file says
//! nothing about when and where it was made, so that equal runs give equal files.

use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use crc32fast::Hasher;
use wire::end::EndRecord;
use wire::record::{Record, TraceHeader};

use super::record_stream::RecordStream;
use super::subject::Subject;
use crate::host::input;

const MAGIC: [u8; 8] = *b"REPRTRCE";
/// The version of the container; what it holds has versions of its own.
const VERSION: u16 = 3;
/// The length of a full piece; none is longer.
const PIECE_LEN: usize = 1 << 18;

/// What a piece is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Trace = 1,
    End = 2,
    Subject = 3,
}

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

/// Writes a trace file while its trace comes.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    checksum: Hasher,
    /// The trace's piece that is not full yet.
    piece: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a file of a run of something.
    pub fn new(to: W, subject: &Subject) -> Result<Self> {
        let mut writer = Self { to, checksum: Hasher::new(), piece: Vec::with_capacity(PIECE_LEN) };
        writer.put(&MAGIC)?;
        writer.put(&VERSION.to_le_bytes())?;
        let mut buffer = vec![0; PIECE_LEN];
        let subject = postcard::to_slice(subject, &mut buffer);
        let subject = subject.map_err(|_| anyhow!("a trace has room for {PIECE_LEN} bytes of arguments"))?;
        writer.piece(Kind::Subject, subject)?;
        Ok(writer)
    }

    /// Adds to the trace.
    pub fn trace(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at(bytes.len().min(PIECE_LEN - self.piece.len()));
            self.piece.extend_from_slice(taken);
            bytes = rest;
            if self.piece.len() == PIECE_LEN {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Ends the file with an end record, which fits into a piece; gives back what was written to.
    pub fn end(mut self, end: &[u8]) -> io::Result<W> {
        if !self.piece.is_empty() {
            self.flush()?;
        }
        self.piece(Kind::End, end)?;
        Ok(self.to)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut piece = std::mem::take(&mut self.piece);
        self.piece(Kind::Trace, &piece)?;
        piece.clear();
        self.piece = piece;
        Ok(())
    }

    fn piece(&mut self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        self.put(&[kind as u8])?;
        self.put(&(bytes.len() as u32).to_le_bytes())?;
        self.put(bytes)?;
        // Whatever stands before, the CRC-32 of a text with its CRC-32 behind it is the same: so it is none of its own.
        let checksum = self.checksum.clone().finalize();
        self.to.write_all(&checksum.to_le_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.update(bytes);
        self.to.write_all(bytes)
    }
}

/// Reads a trace file record by record, with one piece of it in memory.
///
/// The records are those behind the header, PEs as [`Record::Pe`] in whatever form they were recorded. They end after
/// the last one, or after the first error.
pub struct Reader {
    source: Source,
    subject: Subject,
    stream: RecordStream,
    header: Option<TraceHeader>,
    end: Option<EndRecord>,
    has_failed: bool,
}

impl Reader {
    /// Opens a file, and reads as far as the trace's header.
    pub fn open(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let file = input::open(path)?;
        Self::new(file).with_context(name)
    }

    /// Takes what a file holds, and reads as far as the trace's header.
    pub fn new(from: impl Read + 'static) -> Result<Self> {
        let mut source = Source::new(from)?;
        let subject = match source.piece()? {
            (Kind::Subject, bytes) => postcard::from_bytes(bytes).map_err(|_| Unreadable::Damaged)?,
            (Kind::Trace | Kind::End, _) => return Err(Unreadable::Damaged.into()),
        };
        let mut reader = Self {
            source,
            subject,
            stream: RecordStream::default(),
            header: None,
            end: None,
            has_failed: false,
        };
        // The stream gives the header first, or an error; a program that was refused has no trace.
        if let Some(Record::Header(header)) = reader.record()? {
            reader.header = Some(header);
        }
        Ok(reader)
    }

    /// What the run was of.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The checksum of what has been read so far; after the end, of the file.
    pub fn checksum(&self) -> u32 {
        self.source.checksum.clone().finalize()
    }

    /// How PEs were run; none where no program ran.
    pub fn header(&self) -> Option<TraceHeader> {
        self.header
    }

    /// Reads on to the end record, which stands behind all others.
    pub fn end(&mut self) -> Result<EndRecord> {
        while self.record()?.is_some() {}
        self.end.context("no end record")
    }

    fn record(&mut self) -> Result<Option<Record>> {
        loop {
            if let Some(record) = self.stream.take() {
                return Ok(Some(record.context("the trace")?));
            }
            if self.end.is_some() {
                return Ok(None);
            }
            match self.source.piece()? {
                (Kind::Trace, bytes) => self.stream.push(bytes),
                (Kind::End, bytes) => {
                    self.end = Some(EndRecord::decode(bytes).context("the end record")?);
                    self.source.ended()?;
                    self.stream.complete();
                }
                (Kind::Subject, _) => return Err(Unreadable::Damaged.into()),
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let record = self.record();
        self.has_failed = record.is_err();
        record.transpose()
    }
}

/// The pieces of a file, checked.
struct Source {
    from: Box<dyn Read>,
    checksum: Hasher,
    piece: Vec<u8>,
}

impl Source {
    fn new(from: impl Read + 'static) -> Result<Self> {
        let mut source = Self { from: Box::new(from), checksum: Hasher::new(), piece: Vec::new() };
        match source.get::<{ MAGIC.len() }>(Unreadable::Foreign)? {
            MAGIC => {}
            _ => return Err(Unreadable::Foreign.into()),
        }
        match u16::from_le_bytes(source.get(Unreadable::Damaged)?) {
            VERSION => Ok(source),
            other => Err(Unreadable::Version(other).into()),
        }
    }

    /// The next piece.
    fn piece(&mut self) -> Result<(Kind, &[u8])> {
        let [kind, length @ ..] = self.get::<5>(Unreadable::Damaged)?;
        let kind = match kind {
            1 => Kind::Trace,
            2 => Kind::End,
            3 => Kind::Subject,
            _ => return Err(Unreadable::Damaged.into()),
        };
        let length = u32::from_le_bytes(length) as usize;
        if length > PIECE_LEN {
            return Err(Unreadable::Damaged.into());
        }
        self.piece.resize(length, 0);
        fill(&mut self.from, &mut self.piece, Unreadable::Damaged)?;
        self.checksum.update(&self.piece);
        let expected = self.checksum.clone().finalize();
        let mut checksum = [0; 4];
        fill(&mut self.from, &mut checksum, Unreadable::Damaged)?;
        if u32::from_le_bytes(checksum) != expected {
            return Err(Unreadable::Damaged.into());
        }
        Ok((kind, &self.piece))
    }

    /// Fails if there is more.
    fn ended(&mut self) -> Result<()> {
        let mut more = Vec::new();
        match self.from.by_ref().take(1).read_to_end(&mut more)? {
            0 => Ok(()),
            _ => Err(Unreadable::Damaged.into()),
        }
    }

    fn get<const N: usize>(&mut self, short: Unreadable) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        fill(&mut self.from, &mut bytes, short)?;
        self.checksum.update(&bytes);
        Ok(bytes)
    }
}

/// Fills a buffer; a file that ends before is called `short`.
fn fill(from: &mut dyn Read, buffer: &mut [u8], short: Unreadable) -> Result<()> {
    match from.read_exact(buffer) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(short.into()),
        result => Ok(result?),
    }
}

#[cfg(test)]
pub mod tests {
    use std::io::Cursor;

    use wire::WireError;
    use wire::end::MAX_END_LEN;

    use super::*;
    use crate::outcome::summary::tests::sample;

    /// A file of a trace.
    pub fn packed(trace: &[u8], end: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), &Subject::default()).unwrap();
        writer.trace(trace).unwrap();
        writer.end(end).unwrap()
    }

    /// The sample's file.
    fn file() -> Vec<u8> {
        let (trace, end) = sample();
        packed(&trace, end.encode(&mut [0; MAX_END_LEN]))
    }

    fn read(file: Vec<u8>) -> Result<(Vec<Record>, EndRecord)> {
        let mut reader = Reader::new(Cursor::new(file))?;
        let records = reader.by_ref().collect::<Result<_>>()?;
        Ok((records, reader.end()?))
    }

    #[test]
    fn what_is_written_is_read() {
        let (trace, end) = sample();
        let (records, read_end) = read(file()).unwrap();
        assert_eq!((records.len(), read_end), (5, end));
        assert!(records.iter().all(|record| matches!(record, Record::Pe(_))));
        assert_eq!(Reader::new(Cursor::new(file())).unwrap().end().unwrap(), end);
        let refused = packed(b"", end.encode(&mut [0; MAX_END_LEN]));
        assert_eq!(Reader::new(Cursor::new(refused)).unwrap().header(), None);

        // As many PEs as fill several pieces, however they come.
        let (header, pes) = trace.split_at(trace.len() - wire::record::take(&trace).unwrap().1.len());
        let long = [header, &pes.repeat(6000)].concat();
        assert!(long.len() > 2 * PIECE_LEN);
        let whole = packed(&long, end.encode(&mut [0; MAX_END_LEN]));
        let mut writer = Writer::new(Vec::new(), &Subject::default()).unwrap();
        long.chunks(PIECE_LEN / 3 + 1).for_each(|piece| writer.trace(piece).unwrap());
        assert_eq!(writer.end(end.encode(&mut [0; MAX_END_LEN])).unwrap(), whole);
        assert_eq!(read(whole).unwrap().0.len(), 30_000);
    }

    #[test]
    fn the_layout_is_fixed() {
        let mut expected = b"REPRTRCE\x03\0".to_vec();
        let mut so_far = expected.clone();
        for piece in [&b"\x03\x03\0\0\0\0\0\0"[..], b"\x01\x01\0\0\0a", b"\x02\x02\0\0\0bc"] {
            so_far.extend_from_slice(piece);
            expected.extend_from_slice(piece);
            expected.extend_from_slice(&crc32fast::hash(&so_far).to_le_bytes());
        }
        assert_eq!(packed(b"a", b"bc"), expected);
    }

    #[test]
    fn any_damage_is_refused() {
        let file = file();
        for length in 0..file.len() {
            assert!(read(file[..length].to_vec()).is_err(), "cut to {length}");
        }
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert!(read(damaged).is_err(), "byte {at}");
        }
        let error = |file: Vec<u8>| read(file).unwrap_err().downcast::<Unreadable>().unwrap();
        assert_eq!(error([&file[..], b"x"].concat()), Unreadable::Damaged);
        // A piece again, whole in itself.
        assert_eq!(error([&file[..], &file[MAGIC.len() + 2..]].concat()), Unreadable::Damaged);
        // What the run was of is missing, and is there twice.
        let pieces = |kinds: &[u8]| {
            let mut file = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
            let mut so_far = file.clone();
            for kind in kinds {
                let piece = [*kind, 3, 0, 0, 0, 0, 0, 0];
                so_far.extend_from_slice(&piece);
                file.extend_from_slice(&piece);
                file.extend_from_slice(&crc32fast::hash(&so_far).to_le_bytes());
            }
            file
        };
        assert_eq!(error(pieces(&[1])), Unreadable::Damaged);
        assert_eq!(error(pieces(&[3, 3])), Unreadable::Damaged);
    }

    #[test]
    fn no_piece_is_lost_doubled_or_moved() {
        let (trace, end) = sample();
        let (header, pes) = trace.split_at(trace.len() - wire::record::take(&trace).unwrap().1.len());
        let long = [header, &pes.repeat(4 * PIECE_LEN / pes.len() + 1)].concat();
        let file = packed(&long[..4 * PIECE_LEN], end.encode(&mut [0; MAX_END_LEN]));
        let full = 1 + 4 + PIECE_LEN + 4;
        let (start, pieces) = file.split_at(MAGIC.len() + 2 + 1 + 4 + 3 + 4);
        let (pieces, end) = pieces.split_at(4 * full);
        let pieces: Vec<&[u8]> = pieces.chunks(full).collect();
        let refused = |order: &[usize]| {
            let pieces = order.iter().flat_map(|at| pieces[*at].iter().copied());
            let error = read(start.iter().copied().chain(pieces).chain(end.iter().copied()).collect()).err();
            error.and_then(|error| error.downcast::<Unreadable>().ok()) == Some(Unreadable::Damaged)
        };
        assert!(!refused(&[0, 1, 2, 3]));
        assert!(refused(&[0, 2, 1, 3]) && refused(&[0, 1, 3]) && refused(&[0, 1, 2, 2, 3]));
    }

    #[test]
    fn others_are_named() {
        let error = |file: &[u8]| Reader::new(Cursor::new(file.to_vec())).map(|_| ()).unwrap_err();
        assert_eq!(error(b"\x7fELF and more").downcast::<Unreadable>().unwrap(), Unreadable::Foreign);
        assert_eq!(error(b"REPRTRCE\x01\0").to_string(), "trace file version 1 is not known (this is 3)");
        let (trace, end) = sample();
        let end = end.encode(&mut [0; MAX_END_LEN]).to_vec();
        let other = packed(&[&[trace[0], trace[1] ^ 1], &trace[2..]].concat(), &end);
        let found = wire::VERSION ^ 1;
        assert_eq!(error(&other).downcast::<WireError>().unwrap(), WireError::Version { found });
    }
}
