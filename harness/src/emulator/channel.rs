// SPDX-License-Identifier: MIT
//! The host's end of a channel: read from the file behind the guest's memory, or
//! taken out of what came by debugcon.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use wire::WireError;
use wire::channel::{DEBUGCON_MARK, Header, Stream, chunks};

use super::tokens::Tokens;
use super::{Layout, Observer, Streams, TraceSink};

/// How much of a trace is read at a time.
const PIECE: u64 = 1 << 20;

/// A channel in the file behind the guest's memory.
pub struct MemoryChannel {
    path: PathBuf,
    layout: Layout,
    file: Option<File>,
    /// How much of the output has been passed on.
    passed: usize,
    /// How much of the trace has.
    traced: u64,
    /// Where the kernel waits, if it is to wait for what has not been passed on.
    tokens: Option<Tokens>,
}

impl MemoryChannel {
    /// The channel of a guest whose memory is, or will be, the file at `path`.
    pub fn new(path: PathBuf, layout: Layout, tokens: Option<Tokens>) -> Self {
        Self { path, layout, file: None, passed: 0, traced: 0, tokens }
    }

    fn read(&mut self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(File::open(&self.path)?),
        };
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, self.layout.channel_base() + offset)?;
        Ok(bytes)
    }

    /// The header; `Ok(None)` before the emulator has made the file or the kernel the header.
    pub fn header(&mut self) -> Result<Option<Header>, WireError> {
        match self.read(0, Header::LEN) {
            Ok(page) => Header::parse(&page, self.layout.channel_size()),
            Err(_) => Ok(None),
        }
    }

    /// Passes on what is new. A header that does not parse is not news: before the kernel
    /// makes it, firmware may have used that memory.
    pub fn poll(&mut self, observer: &mut dyn Observer, trace: TraceSink) -> Result<()> {
        let Ok(Some(header)) = self.header() else { return Ok(()) };
        let (offset, length) = header.extent(Stream::Output);
        if length > self.passed {
            let new = self.read(offset + self.passed as u64, length - self.passed);
            let new = new.with_context(|| format!("cannot read {}", self.path.display()))?;
            self.passed += pass_on(&new, observer);
        }
        observer.progress(header.progress);
        self.pass_trace(trace)
    }

    /// The header, in which the trace's length is none that it has not had.
    ///
    /// The kernel may go on to the next half while a header is read. Of two the second is right, if both say that as
    /// many halves are full: what it says of the half that is being filled was written later than that.
    fn settled(&mut self) -> Result<Option<Header>, WireError> {
        loop {
            let (Some(before), Some(header)) = (self.header()?, self.header()?) else { return Ok(None) };
            if before.handed == header.handed {
                return Ok(Some(header));
            }
        }
    }

    /// Passes on what is new of the trace, and lets the kernel go on.
    fn pass_trace(&mut self, trace: TraceSink) -> Result<()> {
        while let Ok(Some(header)) = self.settled()
            && header.trace_len() > self.traced
        {
            let (offset, in_half) = header.trace_at(self.traced);
            let length = in_half.min(header.trace_len() - self.traced).min(PIECE);
            let piece = self.read(offset, length as usize);
            let piece = piece.with_context(|| format!("cannot read {}", self.path.display()))?;
            let half = self.traced / header.half_len();
            let is_there = matches!(self.header(), Ok(Some(now)) if now.handed < half + 2);
            ensure!(is_there, "the kernel has not waited for the trace to be read");
            trace(&piece)?;
            self.traced += length;
            if let Some(tokens) = &mut self.tokens
                && self.traced.is_multiple_of(header.half_len())
            {
                tokens.owe();
            }
            self.take_tokens()?;
        }
        self.take_tokens()
    }

    fn take_tokens(&mut self) -> Result<()> {
        self.tokens
            .as_mut()
            .map_or(Ok(()), Tokens::take)
            .context("cannot read what the kernel says of the trace")
    }

    /// All streams but the trace, if there is a channel.
    pub fn streams(&mut self) -> Result<Option<Streams>> {
        let Some(header) = self.header().context("the kernel's channel")? else { return Ok(None) };
        let mut get = |stream| {
            let (offset, length) = header.extent(stream);
            self.read(offset, length).with_context(|| format!("cannot read {}", self.path.display()))
        };
        Ok(Some(Streams {
            output: get(Stream::Output)?,
            trace: Vec::new(),
            log: get(Stream::Log)?,
            end: get(Stream::End)?,
        }))
    }
}

/// Passes whole chunks on; returns how many bytes of the stream that were.
pub fn pass_on(output: &[u8], observer: &mut dyn Observer) -> usize {
    let mut passed = 0;
    for (descriptor, bytes) in chunks(output) {
        observer.output(descriptor, bytes);
        passed += wire::channel::CHUNK_HEADER_LEN + bytes.len();
    }
    passed
}

/// Finds the channel in what came by debugcon; returns where it stood, too.
pub fn from_debugcon(bytes: &[u8]) -> Result<Option<(Streams, Range<usize>)>> {
    let Some(start) = find(bytes, DEBUGCON_MARK) else { return Ok(None) };
    let mut rest = &bytes[start + DEBUGCON_MARK.len()..];
    let mut streams = Streams::default();
    for stream in Stream::ALL {
        let Some((header, body)) = rest.split_first_chunk::<9>() else { bail!("the channel is cut short") };
        let [number, length @ ..] = *header;
        if usize::from(number) != stream as usize {
            bail!("the channel is damaged: stream {number} where {} is due", stream as usize);
        }
        let length = usize::try_from(u64::from_le_bytes(length))?;
        let Some((content, after)) = body.split_at_checked(length) else { bail!("the channel is cut short") };
        *match stream {
            Stream::Output => &mut streams.output,
            Stream::Trace => &mut streams.trace,
            Stream::Log => &mut streams.log,
            Stream::End => &mut streams.end,
        } = content.to_vec();
        rest = after;
    }
    Ok(Some((streams, start..bytes.len() - rest.len())))
}

/// Where `needle` stands first.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use wire::channel::{Progress, Writer};

    use super::*;

    #[derive(Default)]
    struct Heard(Vec<(u8, Vec<u8>)>, Progress);

    impl Observer for Heard {
        fn output(&mut self, descriptor: u8, bytes: &[u8]) {
            self.0.push((descriptor, bytes.to_vec()));
        }

        fn progress(&mut self, progress: Progress) {
            self.1 = progress;
        }
    }

    #[test]
    fn output_and_trace_are_passed_on_once_while_they_grow() {
        let layout = Layout { memory_mib: 1, channel_mib: 1 };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ram");
        let mut channel = MemoryChannel::new(path.clone(), layout, None);
        let (mut heard, mut trace) = (Heard::default(), Vec::new());
        let mut poll = |channel: &mut MemoryChannel, heard: &mut Heard| {
            channel.poll(heard, &mut |piece| {
                trace.extend_from_slice(piece);
                Ok(())
            })
        };
        poll(&mut channel, &mut heard).unwrap();
        assert_eq!(channel.streams().unwrap(), None);

        let mut file = File::create(&path).unwrap();
        let mut save = |memory: &[u8]| {
            file.seek(SeekFrom::Start(layout.channel_base())).unwrap();
            file.write_all(memory).unwrap();
        };
        let size = layout.channel_size() as usize;
        save(&vec![0; size]);
        poll(&mut channel, &mut heard).unwrap();

        // What the kernel has written by and by; it does not wait.
        let record = |number: u64| number.to_le_bytes();
        let written = |outputs: &[(u8, &[u8])], records: u64| {
            let mut memory = vec![0; size];
            let mut writer = Writer::new(&mut memory, Some(|| ()));
            outputs.iter().for_each(|(descriptor, bytes)| writer.output(*descriptor, bytes).unwrap());
            (0..records).for_each(|number| writer.trace(&record(number)).unwrap());
            writer.append(Stream::Log, &[b"log"]).unwrap();
            writer.progress(Progress { pes: records, instructions: 2, rip: 3 });
            memory
        };
        save(&written(&[(1, b"one")], 10));
        poll(&mut channel, &mut heard).unwrap();
        poll(&mut channel, &mut heard).unwrap();
        assert_eq!(heard.0, [(1, b"one".to_vec())]);
        let per_half =
            Header::parse(&written(&[], 1), layout.channel_size()).unwrap().unwrap().half_len() / 8;
        // To the middle of the first half, across two borders, and on; then too far.
        let known = [per_half / 2, 3 * per_half / 2, 5 * per_half / 2 + 7, 3 * per_half];
        for records in known {
            save(&written(&[(1, b"one"), (2, b"two")], records));
            poll(&mut channel, &mut heard).unwrap();
            assert_eq!(heard.1.pes, records);
        }
        assert_eq!(heard.0, [(1, b"one".to_vec()), (2, b"two".to_vec())]);
        assert_eq!(channel.streams().unwrap().unwrap().log, b"log");
        save(&written(&[], 6 * per_half));
        let error = poll(&mut channel, &mut heard).unwrap_err().to_string();
        assert_eq!(error, "the kernel has not waited for the trace to be read");
        let expected: Vec<u8> = (0..known[3]).flat_map(record).collect();
        assert!(trace == expected, "{} and {} bytes", trace.len(), expected.len());
    }

    #[test]
    fn a_channel_is_taken_out_of_debugcon() {
        let mut bytes = b"banner".to_vec();
        assert_eq!(from_debugcon(&bytes).unwrap(), None);
        bytes.extend_from_slice(DEBUGCON_MARK);
        for (number, content) in [&b"out"[..], b"", b"log", b"end"].into_iter().enumerate() {
            bytes.push(number as u8);
            bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
            bytes.extend_from_slice(content);
        }
        let end = bytes.len();
        assert!(from_debugcon(&bytes[..end - 1]).is_err());
        bytes.extend_from_slice(b"bye");
        let (streams, place) = from_debugcon(&bytes).unwrap().unwrap();
        assert_eq!((&streams.output[..], &streams.end[..], place), (&b"out"[..], &b"end"[..], 6..end));
    }
}
