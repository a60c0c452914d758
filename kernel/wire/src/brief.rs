// SPDX-License-Identifier: MIT
//! The brief form of a PE's record, for PEs that nothing disturbed.
//!
//! There is one for nearly every PE, and to write it is a part of what each PE
//! costs. So its integers have fixed widths, and it is written by a few stores to
//! constant places instead of field by field through postcard; that reads it like
//! any other record.

use arrayvec::ArrayVec;
use postcard::fixint::le;
use serde::{Deserialize, Serialize};

use super::pe::PeRecord;
use crate::digest::{Digest, Encoded};
use crate::{DelimiterKind, ThreadNumber};
use pe_replay::Account;
use pe_replay::phases::{Phase, Phases, Stopwatch};

const PHASES: usize = Phase::ALL.len();
/// [`Record::Brief`](super::record::Record::Brief)'s number in the encoding.
const NUMBER: u8 = 3;
/// [`Record::Digested`](super::record::Record::Digested)'s.
const DIGESTED_NUMBER: u8 = 4;

/// A duration of less than 2^32 ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ticks(#[serde(with = "le")] u32);

/// [`PeRecord`] without divergences, counter misses, flips and debug exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BriefRecord {
    delimiter: DelimiterKind,
    #[serde(with = "le")]
    process: u32,
    #[serde(with = "le")]
    thread: u32,
    #[serde(with = "le")]
    frames_written: u16,
    #[serde(with = "le")]
    rip: u64,
    #[serde(with = "le")]
    sequence: u32,
    #[serde(with = "le")]
    instructions: u32,
    phases: [Ticks; PHASES],
    #[serde(with = "le")]
    write_faults: u16,
}

/// Where `phases` begins in the encoded form.
const PHASES_AT: usize = 28;
const WRITE_FAULTS_AT: usize = PHASES_AT + 4 * PHASES;

impl BriefRecord {
    /// Length of the encoded form, in bytes.
    pub const LEN: usize = WRITE_FAULTS_AT + 2;
}

/// [`BriefRecord`], and the digest of what the PE left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestedRecord {
    brief: BriefRecord,
    digest: Digest,
}

impl DigestedRecord {
    /// Length of the encoded form, in bytes.
    pub const LEN: usize = BriefRecord::LEN + size_of::<Encoded>();
}

/// A PE that is to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// Whose it is.
    pub thread: ThreadNumber,
    /// Sequence number, from 0.
    pub sequence: u64,
    /// What ended it.
    pub delimiter: DelimiterKind,
    /// RIP at its end.
    pub rip: u64,
    /// Its instructions, counted once.
    pub instructions: u64,
    /// The stopwatch at the end of the one before.
    pub before: &'a Stopwatch,
    /// The stopwatch at its own end.
    pub now: &'a Stopwatch,
    /// What the engine says about it.
    pub account: &'a Account,
}

impl Recorded<'_> {
    /// Where the time went.
    #[inline]
    fn phases(&self) -> Phases {
        let (before, now) = (&self.before.phases.0, &self.now.phases.0);
        Phases(core::array::from_fn(|phase| now[phase].wrapping_sub(before[phase])))
    }

    /// Whether the brief form has room for all of this.
    #[inline]
    pub fn is_brief(&self) -> bool {
        // The time from end to end, which no phase exceeds.
        let duration = self.now.mark().wrapping_sub(self.before.mark());
        let wide = (self.sequence | self.instructions | duration) >> u32::BITS;
        let Account { divergences, counter_misses, flips, debug_exceptions, .. } = self.account;
        // All in one word: a branch each would cost more.
        let unusual =
            divergences.len() as u64 | u64::from(*debug_exceptions) | u64::from(*counter_misses | *flips);
        wide | unusual == 0
    }

    /// Writes the brief form, as postcard would write [`BriefRecord`]; of what it
    /// has no room for nothing is seen.
    #[inline]
    pub fn encode(&self, to: &mut [u8; BriefRecord::LEN]) {
        put::<0, 1>(to, [NUMBER]);
        put::<1, 1>(to, [self.delimiter as u8]);
        put::<2, 4>(to, self.thread.process.to_le_bytes());
        put::<6, 4>(to, self.thread.thread.to_le_bytes());
        put::<10, 2>(to, self.account.frames_written.to_le_bytes());
        put::<12, 8>(to, self.rip.to_le_bytes());
        put::<20, 4>(to, (self.sequence as u32).to_le_bytes());
        put::<24, 4>(to, (self.instructions as u32).to_le_bytes());
        for (to, ticks) in to[PHASES_AT..].as_chunks_mut::<4>().0.iter_mut().zip(self.phases().0) {
            *to = (ticks as u32).to_le_bytes();
        }
        put::<WRITE_FAULTS_AT, 2>(to, self.account.write_faults.to_le_bytes());
    }

    /// Writes the brief form with a digest.
    pub fn encode_digested(&self, digest: Digest, to: &mut [u8; DigestedRecord::LEN]) {
        if let Some((brief, rest)) = to.split_first_chunk_mut() {
            self.encode(brief);
            brief[0] = DIGESTED_NUMBER;
            rest.copy_from_slice(Encoded::from(digest).as_flattened());
        }
    }
}

impl From<&Recorded<'_>> for PeRecord {
    fn from(recorded: &Recorded<'_>) -> Self {
        let Recorded { thread, sequence, delimiter, rip, instructions, account, .. } = *recorded;
        Self {
            thread,
            sequence,
            delimiter,
            rip,
            instructions,
            frames_written: account.frames_written,
            write_faults: account.write_faults,
            phases: recorded.phases(),
            divergences: account.divergences.clone(),
            counter_misses: account.counter_misses,
            flips: account.flips,
            debug_exceptions: account.debug_exceptions,
            digest: None,
        }
    }
}

/// One store; a slice's copy would be one and, in the kernel's profile, eight
/// instructions that check it.
#[inline]
fn put<const AT: usize, const N: usize>(to: &mut [u8; BriefRecord::LEN], bytes: [u8; N]) {
    const { assert!(AT + N <= BriefRecord::LEN) };
    for (index, byte) in bytes.into_iter().enumerate() {
        to[AT + index] = byte;
    }
}

impl From<BriefRecord> for PeRecord {
    fn from(brief: BriefRecord) -> Self {
        Self {
            thread: ThreadNumber { process: brief.process, thread: brief.thread },
            sequence: brief.sequence.into(),
            delimiter: brief.delimiter,
            rip: brief.rip,
            instructions: brief.instructions.into(),
            frames_written: brief.frames_written,
            write_faults: brief.write_faults,
            phases: Phases(brief.phases.map(|Ticks(ticks)| ticks.into())),
            divergences: ArrayVec::new(),
            counter_misses: 0,
            flips: 0,
            debug_exceptions: 0,
            digest: None,
        }
    }
}

impl From<DigestedRecord> for PeRecord {
    fn from(DigestedRecord { brief, digest }: DigestedRecord) -> Self {
        Self { digest: Some(digest), ..brief.into() }
    }
}
