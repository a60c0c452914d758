// SPDX-License-Identifier: MIT
//! The kernel's end of the channel to the host.

use spin::Mutex;
use wire::Digest;
use wire::brief::Recorded;
use wire::channel::{DEBUGCON_MARK, Full, Progress, Stream, Writer};
use wire::config::Sink;
use wire::end::{EndRecord, MAX_END_LEN};
use wire::record::{MAX_RECORD_LEN, PeRecord, Record};

use super::debugcon::{self, reader};
use super::machine::{self, Exit};

struct Channel {
    writer: Writer<'static>,
    sink: Sink,
    lost_records: u64,
}

impl Channel {
    #[inline]
    fn trace(&mut self, append: impl FnOnce(&mut Writer<'static>) -> Result<(), Full>) {
        if append(&mut self.writer).is_err() {
            self.lost_records += 1;
        }
    }
}

static CHANNEL: Mutex<Option<Channel>> = Mutex::new(None);

/// Opens the channel in `memory`.
pub fn init(memory: &'static mut [u8], sink: Sink) {
    let is_read = sink == Sink::Memory && reader::is_there();
    let writer = Writer::new(memory, is_read.then_some(reader::wait as fn()));
    *CHANNEL.lock() = Some(Channel { writer, sink, lost_records: 0 });
}

#[inline]
fn with<R>(work: impl FnOnce(&mut Channel) -> R) -> Option<R> {
    CHANNEL.lock().as_mut().map(work)
}

/// Sends program output.
pub fn output(descriptor: u8, bytes: &[u8]) -> Result<(), Full> {
    with(|channel| channel.writer.output(descriptor, bytes)).unwrap_or(Err(Full { capacity: 0 }))
}

/// Length of the output stream so far.
pub fn output_len() -> u64 {
    with(|channel| channel.writer.stream(Stream::Output)[1].len() as u64).unwrap_or(0)
}

/// Sends a part of a log frame. What no longer fits is dropped: the log is not data.
pub fn log(bytes: &[u8]) {
    with(|channel| channel.writer.append(Stream::Log, &[bytes]));
}

/// Sends a trace record, or counts it as lost.
pub fn record(record: &Record) {
    let mut buffer = [0; MAX_RECORD_LEN];
    let bytes = record.encode(&mut buffer);
    with(|channel| channel.trace(|writer| writer.trace(bytes)));
}

/// Sends the record of a PE in the brief form, which must have room for it, or counts it as lost.
#[inline]
pub fn brief_pe_record(pe: &Recorded) {
    with(|channel| channel.trace(|writer| writer.trace_in_place(|place| pe.encode(place))));
}

/// Sends the record of a PE in the long form, or counts it as lost.
#[cold]
pub fn long_pe_record(pe: &Recorded) {
    record(&Record::Pe(pe.into()));
}

/// Sends the record of a PE with its digest.
#[cold]
pub fn digested_pe_record(pe: &Recorded, digest: Digest) {
    if pe.is_brief() {
        let write = |place: &mut _| pe.encode_digested(digest, place);
        with(|channel| channel.trace(|writer| writer.trace_in_place(write)));
    } else {
        record(&Record::Pe(PeRecord { digest: Some(digest), ..pe.into() }));
    }
}

/// Trace records lost so far.
pub fn lost_records() -> u64 {
    with(|channel| channel.lost_records).unwrap_or(0)
}

/// Publishes how far the run has come.
pub fn progress(progress: Progress) {
    with(|channel| channel.writer.progress(progress));
}

/// Sends the end record, and with it everything that has not reached the host
/// yet; then ends the machine.
pub fn finish(end: &EndRecord) -> ! {
    let mut buffer = [0; MAX_END_LEN];
    let bytes = end.encode(&mut buffer);
    with(|channel| {
        if let Err(Full { capacity }) = channel.writer.append(Stream::End, &[bytes]) {
            panic!("the end record does not fit into {capacity} bytes");
        }
        if channel.sink == Sink::Debugcon {
            debugcon::write(DEBUGCON_MARK);
            for stream in Stream::ALL {
                let pieces = channel.writer.stream(stream);
                let length: usize = pieces.iter().map(|piece| piece.len()).sum();
                debugcon::write(&[stream as u8]);
                debugcon::write(&(length as u64).to_le_bytes());
                pieces.iter().for_each(|piece| debugcon::write(piece));
            }
        }
    });
    machine::exit(Exit::Normal)
}
