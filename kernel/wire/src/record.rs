// SPDX-License-Identifier: MIT
//! Trace records: one a PE, after a header that names version and unit.
//!
//! The trace stream is a sequence of postcard-encoded [`Record`]s, the first of
//! them a [`Record::Header`]. A PE is recorded in the [brief form](super::brief) if
//! it can be; a reader gets the same either way.

use arrayvec::ArrayString;
use pmu::Margin;
use pmu::exact::PATIENCE;
use serde::{Deserialize, Serialize};

use super::brief::{BriefRecord, DigestedRecord};
use super::clock::ClockKind;
pub use super::counter::{CounterKind, Unit};
use super::device::DeviceAccess;
use super::end::EndRecord;
use super::flip::{Flipped, Noticed, WrittenPage};
use super::limit::ReachedLimit;
pub use super::pe::PeRecord;
use super::{VERSION, WireError};
use pe_replay::Policy;

/// What all records of a trace have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceHeader {
    /// [`VERSION`] of the writer.
    pub version: u16,
    /// Unit of durations.
    pub unit: Unit,
    /// Counter back end.
    pub counter: CounterKind,
    /// What the program's time passed by.
    pub clock: ClockKind,
    /// Whether the kernel was out of the user's page tables.
    pub is_isolated: bool,
    /// How PEs were run.
    pub policy: Policy,
    /// How much earlier than a target the counter was armed, from afar.
    pub margin_far: u64,
    /// How much earlier than a target the counter was armed in tight loops; this
    /// [bounds](Self::most_debug_exceptions) the debug exceptions of a PE.
    pub margin_near: u64,
}

impl TraceHeader {
    /// The most debug exceptions that the second run of a PE of so many instructions
    /// can have taken, so many counter misses included, where the code at its end is
    /// a loop of `length` instructions; 1 holds for any code. Single steps in place
    /// of a counter are not bounded.
    pub fn most_debug_exceptions(&self, misses: u64, instructions: u64, length: u64) -> u64 {
        let first = Margin { far: self.margin_near, near: self.margin_near };
        let margin = (0..misses.min(64)).fold(first, |margin, _| margin.doubled()).near;
        // A margin as long as the way means single steps.
        let stepped = misses > 0 && margin >= instructions;
        let last = if stepped { instructions } else { margin.min(instructions) / length.max(1) };
        misses.saturating_add(1).saturating_mul(PATIENCE).saturating_add(last).saturating_add(1)
    }
}

/// How one program of a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRecord {
    /// The end.
    pub end: EndRecord,
    /// Length of the output stream by then: where the next program's output begins.
    pub output_end: u64,
}

/// A system call that the kernel does not have, or not with such arguments, and that a
/// program has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsupportedCall {
    /// Its number; `u32::MAX` for all that no processor's Linux has.
    pub number: u32,
    /// How often it was made.
    pub times: u64,
}

/// The longest name of a process, in bytes.
pub const MAX_LABEL_LEN: usize = 64;

/// The name of a process, which those who run it have given it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its number in records.
    pub process: u32,
    /// The name.
    pub text: ArrayString<MAX_LABEL_LEN>,
}

/// The records of one kind in a trace stream, in the order in which they were made; they end like [`all`].
pub fn all_of<Kind: TryFrom<Record>>(bytes: &[u8]) -> impl Iterator<Item = Kind> {
    all(bytes).filter_map(|record| record.try_into().ok())
}

/// All records of a trace stream up to the first that cannot be read.
pub fn all(bytes: &[u8]) -> impl Iterator<Item = Record> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let (record, behind) = take(rest).ok()?;
        rest = behind;
        Some(record)
    })
}

/// Takes the first record off a trace stream; a PE comes as [`Record::Pe`], in whatever form it was recorded.
pub fn take(bytes: &[u8]) -> Result<(Record, &[u8]), WireError> {
    if bytes.first() == Some(&HEADER_NUMBER) {
        // The version stands first, and decides how the rest is read.
        match postcard::take_from_bytes(&bytes[1..]) {
            Ok((VERSION, _)) => {}
            Ok((found, _)) => return Err(WireError::Version { found }),
            Err(_) => return Err(WireError::Malformed),
        }
    }
    match postcard::take_from_bytes(bytes) {
        Ok((Record::Brief(brief), rest)) => Ok((Record::Pe(brief.into()), rest)),
        Ok((Record::Digested(digested), rest)) => Ok((Record::Pe(digested.into()), rest)),
        Ok(other) => Ok(other),
        Err(_) => Err(WireError::Malformed),
    }
}

/// Reads the trace stream of a batch: each program's record, with those of its PEs.
///
/// Ends after the last program, or before the first whose records are not all there.
pub fn programs(bytes: &[u8]) -> impl Iterator<Item = (ProgramRecord, Records<'_>)> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let mut at = rest;
        loop {
            match take(at).ok()? {
                (Record::Program(record), behind) => {
                    let pes = Records { rest: &rest[..rest.len() - at.len()] };
                    rest = behind;
                    return Some((record, pes));
                }
                (
                    Record::Pe(_)
                    | Record::Brief(_)
                    | Record::Digested(_)
                    | Record::Unsupported(_)
                    | Record::Reached(_)
                    | Record::Label(_)
                    | Record::Device(_)
                    | Record::Flipped(_)
                    | Record::Noticed(_)
                    | Record::Written(_),
                    behind,
                ) => at = behind,
                (Record::Header(_), _) => return None,
            }
        }
    })
}

/// One entry of the trace stream.
#[expect(clippy::large_enum_variant, reason = "one exists at a time, and the kernel has no boxes here")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The first record.
    Header(TraceHeader),
    /// A PE.
    Pe(PeRecord),
    /// The end of one program of a batch, behind the records of its PEs. Such a trace has no
    /// header.
    Program(ProgramRecord),
    /// A PE that came to its end undisturbed, and in less than 2^32 ticks.
    Brief(BriefRecord),
    /// A PE that has the brief form, with its digest.
    Digested(DigestedRecord),
    /// A call that was made and is not supported; such records stand behind those of the PEs.
    Unsupported(UnsupportedCall),
    /// A limit that was come to; such records stand behind those of the PEs.
    Reached(ReachedLimit),
    /// The name of a process; such records stand behind those of the PEs.
    Label(Label),
    /// An access to a device, in front of the record of the PE behind which it was made.
    Device(DeviceAccess),
    /// A flip, in front of the record of the PE that it was made in. It is recorded whatever is recorded of PEs.
    Flipped(Flipped),
    /// The first difference between runs of a PE behind its flips, in front of its record.
    Noticed(Noticed),
    /// A page that a PE has written, in front of its record.
    Written(WrittenPage),
}

/// Takes what a record is of out of it; a record of another kind stays what it is.
macro_rules! kinds {
    ($($kind:ident($content:ty)),* $(,)?) => {$(
        impl TryFrom<Record> for $content {
            type Error = Record;

            fn try_from(record: Record) -> Result<Self, Record> {
                match record {
                    Record::$kind(content) => Ok(content),
                    other => Err(other),
                }
            }
        }
    )*};
}

kinds! {
    Unsupported(UnsupportedCall),
    Reached(ReachedLimit),
    Label(Label),
    Device(DeviceAccess),
    Flipped(Flipped),
    Noticed(Noticed),
    Written(WrittenPage),
}

/// [`Record::Header`]'s number in the encoding.
const HEADER_NUMBER: u8 = 0;

/// The largest encoded record, in bytes.
pub const MAX_RECORD_LEN: usize = 512;

impl Record {
    /// Writes the record to `buffer`; returns the used part.
    pub fn encode<'a>(&self, buffer: &'a mut [u8; MAX_RECORD_LEN]) -> &'a [u8] {
        match postcard::to_slice(self, buffer) {
            Ok(used) => used,
            Err(error) => unreachable!("a record has a bounded size: {error}"),
        }
    }
}

/// Reads a trace stream record by record.
///
/// Ends after the last record, or after the first error.
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// What was not read so far.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Checks the header and stands behind it.
    pub fn open(bytes: &'a [u8]) -> Result<(TraceHeader, Self), WireError> {
        match take(bytes)? {
            (Record::Header(header), rest) => Ok((header, Self { rest })),
            _ => Err(WireError::Malformed),
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<PeRecord, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (record, rest) = match take(self.rest) {
                Ok((
                    Record::Unsupported(_)
                    | Record::Reached(_)
                    | Record::Label(_)
                    | Record::Device(_)
                    | Record::Flipped(_)
                    | Record::Noticed(_)
                    | Record::Written(_),
                    rest,
                )) => {
                    self.rest = rest;
                    continue;
                }
                Ok((Record::Pe(record), rest)) => (Ok(record), rest),
                Ok((Record::Header(_) | Record::Program(_) | Record::Brief(_) | Record::Digested(_), _))
                | Err(_) => (Err(WireError::Malformed), &[][..]),
            };
            self.rest = rest;
            return Some(record);
        }
        None
    }
}
