// SPDX-License-Identifier: MIT
//! A piece of memory that carries byte streams from the kernel to the host.
//!
//! One header page, then one fixed region a stream. A stream only grows: the
//! host may read it while the kernel runs, and finds it complete afterwards,
//! also after a triple fault. What does not fit is refused, and the caller
//! decides whether that ends the program (output) or is counted (records).
//!
//! The trace's region has two halves, which are filled in turn, to the last byte. Once both are full, a half
//! is filled anew only if the host has read it: whoever makes the channel says how that is waited for, or
//! that nobody reads. Of the other streams nothing is ever overwritten.
//!
//! Under an emulator without shared memory the used parts are written to
//! debugcon at the end: [`DEBUGCON_MARK`], then per stream its number, its
//! length (u64, little-endian) and its bytes.

use super::{VERSION, WireError};

/// The streams of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// What the program wrote: chunks of [`CHUNK_HEADER_LEN`] bytes (file descriptor u8,
    /// length u32 little-endian) and that many bytes.
    Output,
    /// Trace records.
    Trace,
    /// The kernel's log: defmt frames.
    Log,
    /// The end record.
    End,
}

impl Stream {
    /// All streams, in memory order.
    pub const ALL: [Self; 4] = [Self::Output, Self::Trace, Self::Log, Self::End];
}

/// Length of the header in front of each chunk of [`Stream::Output`].
pub const CHUNK_HEADER_LEN: usize = 5;
/// What stands before the channel's streams on debugcon.
pub const DEBUGCON_MARK: &[u8] = b"\n@@REPRISE-CHANNEL@@\n";
/// What stands before a panic's text on debugcon; the text ends with a newline.
pub const PANIC_MARK: &[u8] = b"\n@@REPRISE-PANIC@@ ";
/// The smallest channel, in bytes.
pub const MIN_CHANNEL_LEN: u64 = 1 << 20;

const MAGIC: u64 = u64::from_le_bytes(*b"REPRISE\0");
const HEADER_LEN: usize = 4096;
/// Byte offsets in the header page; all values are u64, little-endian.
const MAGIC_AT: usize = 0;
const VERSION_AT: usize = 8;
const USED_AT: usize = 16;
/// How many halves of the trace are behind the one that is being filled; of that, [`USED_AT`] tells the length.
const HANDED_AT: usize = 64;
const PROGRESS_AT: usize = 128;

/// Halves of the trace's region.
const HALVES: usize = 2;
/// What the kernel writes to the host for each half that is full, in bytes: all that the smallest pipe takes without a
/// reader, so that the kernel has written it when the host has read that of the half before.
pub const TOKEN_LEN: usize = 4096;

/// Where each stream lies: offset and length, in bytes from the channel's base.
fn region(stream: Stream, size: usize) -> (usize, usize) {
    let body = size - HEADER_LEN;
    let (output, log, end) = (body / 4, body / 16, 4096);
    let trace = (body - output - log - end) / HALVES * HALVES;
    match stream {
        Stream::Output => (HEADER_LEN, output),
        Stream::Trace => (HEADER_LEN + output, trace),
        Stream::Log => (HEADER_LEN + output + trace, log),
        Stream::End => (HEADER_LEN + output + trace + log, end),
    }
}

/// How far a run has come, for a progress display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// PEs committed.
    pub pes: u64,
    /// User instructions committed.
    pub instructions: u64,
    /// RIP at the end of the last PE.
    pub rip: u64,
}

/// A stream cannot take any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// The stream's capacity in bytes.
    pub capacity: u64,
}

/// A stream as it is written.
struct Region<'a> {
    memory: &'a mut [u8],
    used: usize,
}

impl Region<'_> {
    fn full(&self) -> Full {
        Full { capacity: self.memory.len() as u64 }
    }
}

/// The kernel's side.
pub struct Writer<'a> {
    header: &'a mut [u8; HEADER_LEN],
    /// In memory order; the trace's is the half that is being filled.
    regions: [Region<'a>; Stream::ALL.len()],
    /// The other half of the trace's region.
    other_half: &'a mut [u8],
    /// How many halves are full and behind the one that is being filled.
    handed: u64,
    /// Returns when the host has read all halves but the last one of those that are full; nobody reads if there is none.
    wait_for_host: Option<fn()>,
}

impl<'a> Writer<'a> {
    /// Makes an empty channel of `memory`, of which a host that can be waited for reads the trace.
    ///
    /// # Panics
    /// If `memory` is smaller than [`MIN_CHANNEL_LEN`].
    pub fn new(memory: &'a mut [u8], wait_for_host: Option<fn()>) -> Self {
        assert!(memory.len() as u64 >= MIN_CHANNEL_LEN, "a channel has at least {MIN_CHANNEL_LEN} bytes");
        let size = memory.len();
        let Some((header, mut rest)) = memory.split_first_chunk_mut() else {
            unreachable!("the smallest channel is larger than its header");
        };
        let mut regions = Stream::ALL.map(|stream| {
            let (memory, after) = core::mem::take(&mut rest).split_at_mut(region(stream, size).1);
            rest = after;
            Region { memory, used: 0 }
        });
        let trace = &mut regions[Stream::Trace as usize].memory;
        let half = trace.len() / HALVES;
        let (first_half, other_half) = core::mem::take(trace).split_at_mut(half);
        *trace = first_half;
        let mut writer = Self { header, regions, other_half, handed: 0, wait_for_host };
        writer.put(HANDED_AT, 0);
        for stream in Stream::ALL {
            writer.put(USED_AT + 8 * stream as usize, 0);
        }
        writer.progress(Progress::default());
        writer.put(VERSION_AT, u64::from(VERSION));
        writer.put(MAGIC_AT, MAGIC);
        writer
    }

    #[inline]
    fn put(&mut self, at: usize, value: u64) {
        self.header.as_chunks_mut().0[at / 8] = value.to_le_bytes();
    }

    /// How many more bytes a stream takes; of the trace, the half that is being filled.
    pub fn room(&self, stream: Stream) -> usize {
        let region = &self.regions[stream as usize];
        region.memory.len() - region.used
    }

    /// Appends all parts to a stream, or none of them.
    pub fn append(&mut self, stream: Stream, parts: &[&[u8]]) -> Result<(), Full> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let room = self.room(stream);
        let region = &mut self.regions[stream as usize];
        if length > room {
            return Err(region.full());
        }
        for part in parts {
            region.memory[region.used..region.used + part.len()].copy_from_slice(part);
            region.used += part.len();
        }
        self.publish(stream);
        Ok(())
    }

    /// Appends a record of `LEN` bytes to the trace; `write` has to overwrite all that it is given.
    #[inline]
    pub fn trace_in_place<const LEN: usize>(
        &mut self,
        write: impl FnOnce(&mut [u8; LEN]),
    ) -> Result<(), Full> {
        let region = &mut self.regions[Stream::Trace as usize];
        let end = region.used.wrapping_add(LEN);
        let Some(Ok(place)) = region.memory.get_mut(region.used..end).map(TryInto::try_into) else {
            let mut record = [0; LEN];
            write(&mut record);
            return self.trace_across(&record);
        };
        write(place);
        region.used = end;
        self.publish(Stream::Trace);
        Ok(())
    }

    /// Appends a record to the trace.
    pub fn trace(&mut self, record: &[u8]) -> Result<(), Full> {
        match record.len() <= self.room(Stream::Trace) {
            true => self.append(Stream::Trace, &[record]),
            false => self.trace_across(record),
        }
    }

    /// Appends a record, the end of which goes into the next half.
    #[cold]
    fn trace_across(&mut self, record: &[u8]) -> Result<(), Full> {
        let full = Full { capacity: (HALVES * self.other_half.len()) as u64 };
        if self.wait_for_host.is_none() && self.handed > 0 {
            return Err(full);
        }
        let (first, rest) = record.split_at(self.room(Stream::Trace));
        self.append(Stream::Trace, &[first])?;
        if let Some(wait) = self.wait_for_host {
            wait();
        }
        // In this order: who sees the new half does not see the old one's length.
        self.handed += 1;
        let region = &mut self.regions[Stream::Trace as usize];
        core::mem::swap(&mut region.memory, &mut self.other_half);
        region.used = 0;
        self.publish(Stream::Trace);
        self.put(HANDED_AT, self.handed);
        self.append(Stream::Trace, &[rest])
    }

    /// Lets the host see what was appended.
    #[inline]
    fn publish(&mut self, stream: Stream) {
        self.put(USED_AT + 8 * stream as usize, self.regions[stream as usize].used as u64);
    }

    /// Appends one chunk of program output.
    pub fn output(&mut self, descriptor: u8, bytes: &[u8]) -> Result<(), Full> {
        let mut header = [descriptor, 0, 0, 0, 0];
        header[1..].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.append(Stream::Output, &[&header, bytes])
    }

    /// Publishes how far the run has come.
    pub fn progress(&mut self, progress: Progress) {
        self.put(PROGRESS_AT, progress.pes);
        self.put(PROGRESS_AT + 8, progress.instructions);
        self.put(PROGRESS_AT + 16, progress.rip);
    }

    /// The used part of a stream, in two pieces; of a trace that a host reads, what is in its region.
    pub fn stream(&self, stream: Stream) -> [&[u8]; 2] {
        let region = &self.regions[stream as usize];
        let before = match stream {
            Stream::Trace if self.handed > 0 => &*self.other_half,
            Stream::Trace | Stream::Output | Stream::Log | Stream::End => &[],
        };
        [before, &region.memory[..region.used]]
    }
}

/// The host's side: what the header page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    size: usize,
    used: [usize; Stream::ALL.len()],
    /// How many halves of the trace are behind the one that is being filled.
    pub handed: u64,
    /// How far the run has come.
    pub progress: Progress,
}

impl Header {
    /// Bytes to read from the channel's base for [`parse`](Self::parse).
    pub const LEN: usize = HEADER_LEN;

    /// Reads the header page of a channel of `size` bytes.
    ///
    /// `Ok(None)` means that the kernel has not come so far as to write one.
    pub fn parse(page: &[u8], size: u64) -> Result<Option<Self>, WireError> {
        let get = |at: usize| {
            let bytes = page.get(at..at + 8).ok_or(WireError::Malformed)?;
            Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| WireError::Malformed)?))
        };
        match get(MAGIC_AT)? {
            0 => return Ok(None),
            MAGIC => {}
            _ => return Err(WireError::Malformed),
        }
        let found = get(VERSION_AT)?;
        if found != u64::from(VERSION) {
            return Err(WireError::Version { found: u16::try_from(found).unwrap_or(u16::MAX) });
        }
        let size = match usize::try_from(size) {
            Ok(bytes) if size >= MIN_CHANNEL_LEN => bytes,
            Ok(_) | Err(_) => return Err(WireError::Malformed),
        };
        let mut used = [0; Stream::ALL.len()];
        for stream in Stream::ALL {
            let length = usize::try_from(get(USED_AT + 8 * stream as usize)?).unwrap_or(usize::MAX);
            let most = match stream {
                Stream::Trace => region(stream, size).1 / HALVES,
                Stream::Output | Stream::Log | Stream::End => region(stream, size).1,
            };
            if length > most {
                return Err(WireError::Malformed);
            }
            used[stream as usize] = length;
        }
        let progress = Progress {
            pes: get(PROGRESS_AT)?,
            instructions: get(PROGRESS_AT + 8)?,
            rip: get(PROGRESS_AT + 16)?,
        };
        Ok(Some(Self { size, used, handed: get(HANDED_AT)?, progress }))
    }

    /// Offset from the channel's base, and length, of the used part of a stream other than the trace.
    pub fn extent(&self, stream: Stream) -> (u64, usize) {
        (region(stream, self.size).0 as u64, self.used[stream as usize])
    }

    /// The length of a half of the trace's region.
    pub fn half_len(&self) -> u64 {
        (region(Stream::Trace, self.size).1 / HALVES) as u64
    }

    /// Length of the trace so far, as far as it is known that so many halves are full.
    pub fn trace_len(&self) -> u64 {
        self.handed * self.half_len() + self.used[Stream::Trace as usize] as u64
    }

    /// Offset from the channel's base of the trace's byte at `position`, and how many follow it in its half.
    pub fn trace_at(&self, position: u64) -> (u64, u64) {
        let (base, length) = region(Stream::Trace, self.size);
        (base as u64 + position % length as u64, self.half_len() - position % self.half_len())
    }
}

/// Splits an output stream into chunks: descriptor and bytes.
///
/// Ends at the end of `bytes`; what is left of a chunk cut short is dropped.
pub fn chunks(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let (header, body) = rest.split_first_chunk::<CHUNK_HEADER_LEN>()?;
        let [descriptor, length @ ..] = *header;
        let (chunk, after) = body.split_at_checked(u32::from_le_bytes(length) as usize)?;
        rest = after;
        Some((descriptor, chunk))
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut memory = vec![0; MIN_CHANNEL_LEN as usize];
        assert_eq!(Header::parse(&memory, MIN_CHANNEL_LEN), Ok(None));
        let mut writer = Writer::new(&mut memory, None);
        writer.output(1, b"hello ").unwrap();
        writer.output(2, b"error").unwrap();
        writer.append(Stream::Log, &[b"a", b"bc"]).unwrap();
        writer.progress(Progress { pes: 3, instructions: 4, rip: 5 });
        let header = Header::parse(&memory, MIN_CHANNEL_LEN).unwrap().unwrap();
        assert_eq!(header.progress, Progress { pes: 3, instructions: 4, rip: 5 });
        let (offset, length) = header.extent(Stream::Output);
        let output = &memory[offset as usize..][..length];
        assert_eq!(chunks(output).collect::<Vec<_>>(), [(1, &b"hello "[..]), (2, b"error")]);
        let (offset, length) = header.extent(Stream::Log);
        assert_eq!(&memory[offset as usize..][..length], b"abc");
    }

    #[test]
    fn a_full_stream_refuses_and_loses_nothing() {
        let mut memory = vec![0; MIN_CHANNEL_LEN as usize];
        let mut writer = Writer::new(&mut memory, None);
        let room = writer.room(Stream::End);
        writer.append(Stream::End, &[&vec![7; room - 1]]).unwrap();
        assert_eq!(writer.append(Stream::End, &[b"xy"]), Err(Full { capacity: room as u64 }));
        writer.append(Stream::End, &[b"z"]).unwrap();
        assert_eq!(writer.room(Stream::End), 0);
    }

    /// Appends numbered records of eight bytes until one is refused, or `most` are there; returns how many.
    fn fill(writer: &mut Writer, most: u64) -> u64 {
        let one = |number: u64| match number % 2 {
            0 => writer.trace(&number.to_le_bytes()),
            _ => writer.trace_in_place(|place| *place = number.to_le_bytes()),
        };
        (0..most)
            .map_while({
                let mut one = one;
                move |number| one(number).ok()
            })
            .count() as u64
    }

    #[test]
    fn a_trace_that_nobody_reads_ends_with_its_region() {
        let mut memory = vec![0; MIN_CHANNEL_LEN as usize];
        let mut writer = Writer::new(&mut memory, None);
        let count = fill(&mut writer, u64::MAX);
        let [first, second] = writer.stream(Stream::Trace);
        let trace = [first, second].concat();
        assert!((trace.len() as u64 / 8, trace.len() % 8) == (count, 0) && first.len() - second.len() < 8);
        assert!(trace.chunks(8).zip(0u64..).all(|(record, number)| record == number.to_le_bytes()));
        let header = Header::parse(&memory, MIN_CHANNEL_LEN).unwrap().unwrap();
        assert_eq!((header.handed, header.trace_len()), (1, 8 * count));
    }

    #[test]
    fn a_trace_that_is_read_goes_on_and_waits_at_each_half() {
        use core::sync::atomic::{AtomicU64, Ordering};
        static WAITED: AtomicU64 = AtomicU64::new(0);
        let mut memory = vec![0; MIN_CHANNEL_LEN as usize];
        let wait = || {
            WAITED.fetch_add(1, Ordering::Relaxed);
        };
        let mut writer = Writer::new(&mut memory, Some(wait));
        let most = MIN_CHANNEL_LEN;
        assert_eq!(fill(&mut writer, most), most);
        let header = Header::parse(&memory, MIN_CHANNEL_LEN).unwrap().unwrap();
        assert!(header.handed > 10);
        assert_eq!((header.handed, header.trace_len()), (WAITED.load(Ordering::Relaxed), 8 * most));
        // What is left of it are the last records.
        let at = |number: u64| header.trace_at(8 * number).0 as usize;
        for number in most - header.half_len() / 8..most {
            if header.trace_at(8 * number).1 >= 8 {
                assert_eq!(memory[at(number)..][..8], number.to_le_bytes());
            }
        }
    }

    #[test]
    fn another_version_is_refused() {
        let mut memory = vec![0; MIN_CHANNEL_LEN as usize];
        let _ = Writer::new(&mut memory, None);
        memory[VERSION_AT] = 99;
        assert_eq!(Header::parse(&memory, MIN_CHANNEL_LEN), Err(WireError::Version { found: 99 }));
    }
}
