// SPDX-License-Identifier: MIT
//! The host's end of a channel: read from the file behind the guest's memory, or
//! taken out of what came by debugcon.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use wire::WireError;
use wire::channel::{DEBUGCON_MARK, Header, Stream, chunks};

use super::{Layout, Observer, Streams};

/// A channel in the file behind the guest's memory.
pub struct MemoryChannel {
    path: PathBuf,
    layout: Layout,
    file: Option<File>,
    /// How much of the output has been passed on.
    passed: usize,
    /// How much of the trace has.
    told: usize,
}

impl MemoryChannel {
    /// The channel of a guest whose memory is, or will be, the file at `path`.
    pub fn new(path: PathBuf, layout: Layout) -> Self {
        Self { path, layout, file: None, passed: 0, told: 0 }
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
    pub fn poll(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let Ok(Some(header)) = self.header() else { return Ok(()) };
        let (offset, length) = header.extent(Stream::Output);
        if length > self.passed {
            let new = self.read(offset + self.passed as u64, length - self.passed);
            let new = new.with_context(|| format!("cannot read {}", self.path.display()))?;
            self.passed += pass_on(&new, observer);
        }
        let (offset, length) = header.extent(Stream::Trace);
        if observer.wants_records() && length > self.told {
            let new = self.read(offset + self.told as u64, length - self.told);
            observer.recorded(&new.with_context(|| format!("cannot read {}", self.path.display()))?);
            self.told = length;
        }
        observer.progress(header.progress);
        Ok(())
    }

    /// All streams, if there is a channel.
    pub fn streams(&mut self) -> Result<Option<Streams>> {
        let Some(header) = self.header().context("the kernel's channel")? else { return Ok(None) };
        let mut get = |stream| {
            let (offset, length) = header.extent(stream);
            self.read(offset, length).with_context(|| format!("cannot read {}", self.path.display()))
        };
        Ok(Some(Streams {
            output: get(Stream::Output)?,
            trace: get(Stream::Trace)?,
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
    struct Heard(Vec<(u8, Vec<u8>)>, Progress, Vec<Vec<u8>>);

    impl Observer for Heard {
        fn output(&mut self, descriptor: u8, bytes: &[u8]) {
            self.0.push((descriptor, bytes.to_vec()));
        }

        fn progress(&mut self, progress: Progress) {
            self.1 = progress;
        }

        fn wants_records(&self) -> bool {
            true
        }

        fn recorded(&mut self, bytes: &[u8]) {
            self.2.push(bytes.to_vec());
        }
    }

    #[test]
    fn output_is_passed_on_once_while_it_grows() {
        let layout = Layout { memory_mib: 1, channel_mib: 1 };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ram");
        let mut channel = MemoryChannel::new(path.clone(), layout);
        let mut heard = Heard::default();
        channel.poll(&mut heard).unwrap();
        assert_eq!(channel.streams().unwrap(), None);

        let mut file = File::create(&path).unwrap();
        let mut save = |memory: &[u8]| {
            file.seek(SeekFrom::Start(layout.channel_base())).unwrap();
            file.write_all(memory).unwrap();
        };
        let mut memory = vec![0; layout.channel_size() as usize];
        save(&memory);
        channel.poll(&mut heard).unwrap();
        let mut writer = Writer::new(&mut memory);
        writer.output(1, b"one").unwrap();
        writer.append(Stream::Trace, &[b"first"]).unwrap();
        save(&memory);
        channel.poll(&mut heard).unwrap();
        channel.poll(&mut heard).unwrap();
        assert_eq!(heard.0, [(1, b"one".to_vec())]);

        let mut memory = vec![0; layout.channel_size() as usize];
        let mut writer = Writer::new(&mut memory);
        writer.output(1, b"one").unwrap();
        writer.output(2, b"two").unwrap();
        writer.append(Stream::Trace, &[b"first", b"second"]).unwrap();
        writer.append(Stream::Log, &[b"log"]).unwrap();
        writer.progress(Progress { pes: 1, instructions: 2, rip: 3 });
        save(&memory);
        channel.poll(&mut heard).unwrap();
        assert_eq!(heard.0, [(1, b"one".to_vec()), (2, b"two".to_vec())]);
        assert_eq!(heard.1.rip, 3);
        assert_eq!(heard.2, [b"first".to_vec(), b"second".to_vec()]);
        assert_eq!(channel.streams().unwrap().unwrap().log, b"log");
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
