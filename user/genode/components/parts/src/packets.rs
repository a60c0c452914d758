// SPDX-License-Identifier: MIT
//! A packet stream in shared memory: two rings of descriptors, and the packets.
//!
//! The source submits packets in one ring, and the sink acknowledges them in the other. The rings are words of memory
//! that both sides write, so nothing that is read there is believed: see [`Broken`]. A side tells the other one by a
//! signal, and only when the other may be waiting: see [`Ring::push`] and [`Ring::pop`].

use core::sync::atomic::{AtomicU64, Ordering};

/// Descriptors that a ring has room for.
pub const SLOTS: usize = 64;
/// Bytes of the stream that the rings take.
pub const RINGS_LEN: usize = 4096;
const WORD: usize = 8;
/// Words of a ring: both counters, and the descriptors.
const RING_WORDS: usize = 2 + SLOTS;

/// A packet, by its place among the packets of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its first byte; a multiple of eight.
    pub offset: u32,
    /// Its bytes; a multiple of eight.
    pub length: u32,
}

impl Packet {
    const fn packed(self) -> u64 {
        (self.offset as u64) << 32 | self.length as u64
    }

    const fn unpacked(word: u64) -> Self {
        Self { offset: (word >> 32) as u32, length: word as u32 }
    }
}

/// The other side has written what no correct one writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was done.
    Done {
        /// What it yields.
        value: T,
        /// Whether the other side may be waiting for it, and has to be sent a signal.
        signals: bool,
    },
    /// The ring is full, or empty: one has to wait for the other side.
    Wait,
}

/// One ring.
#[derive(Clone, Copy, Debug)]
pub struct Ring<'a> {
    /// How many descriptors were put in, and how many taken out.
    put: &'a AtomicU64,
    taken: &'a AtomicU64,
    slots: &'a [AtomicU64],
}

impl<'a> Ring<'a> {
    /// The ring in some words; nothing if they are too few.
    fn new(words: &'a [AtomicU64]) -> Option<Self> {
        let [put, taken, slots @ ..] = words else { return None };
        Some(Self { put, taken, slots: slots.get(..SLOTS)? })
    }

    fn slot(&self, count: u64) -> &AtomicU64 {
        &self.slots[(count % SLOTS as u64) as usize]
    }

    /// How many descriptors there are, as the counters stand.
    fn filled(put: u64, taken: u64) -> Result<u64, Broken> {
        let filled = put.wrapping_sub(taken);
        if filled > SLOTS as u64 { Err(Broken) } else { Ok(filled) }
    }

    /// Puts a packet in. The other side may be waiting if it has taken all that was there before.
    ///
    /// # Errors
    /// It fails if the counters contradict each other.
    pub fn push(&self, packet: Packet) -> Result<Outcome<()>, Broken> {
        let put = self.put.load(Ordering::SeqCst);
        if Self::filled(put, self.taken.load(Ordering::SeqCst))? == SLOTS as u64 {
            return Ok(Outcome::Wait);
        }
        self.slot(put).store(packet.packed(), Ordering::SeqCst);
        self.put.store(put.wrapping_add(1), Ordering::SeqCst);
        // Looked at only now: whoever found the ring empty before that has said so in `taken`.
        let signals = self.taken.load(Ordering::SeqCst) == put;
        Ok(Outcome::Done { value: (), signals })
    }

    /// Takes a packet out. The other side may be waiting if the ring was full until then.
    ///
    /// # Errors
    /// It fails if the counters contradict each other.
    pub fn pop(&self) -> Result<Outcome<Packet>, Broken> {
        let taken = self.taken.load(Ordering::SeqCst);
        if Self::filled(self.put.load(Ordering::SeqCst), taken)? == 0 {
            return Ok(Outcome::Wait);
        }
        let value = Packet::unpacked(self.slot(taken).load(Ordering::SeqCst));
        self.taken.store(taken.wrapping_add(1), Ordering::SeqCst);
        let signals = self.put.load(Ordering::SeqCst).wrapping_sub(taken) >= SLOTS as u64;
        Ok(Outcome::Done { value, signals })
    }
}

/// A stream: both rings, and the packets.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// From the source to the sink.
    pub submitted: Ring<'a>,
    /// From the sink to the source.
    pub acknowledged: Ring<'a>,
    bytes: &'a [AtomicU64],
}

impl<'a> Stream<'a> {
    /// The stream in some words of memory; nothing if they are too few for its rings.
    #[must_use]
    pub fn new(words: &'a [AtomicU64]) -> Option<Self> {
        let (rings, bytes) = words.split_at_checked(RINGS_LEN / WORD)?;
        let (first, second) = rings.split_at(RING_WORDS);
        Some(Self { submitted: Ring::new(first)?, acknowledged: Ring::new(second)?, bytes })
    }

    /// The words of a packet.
    ///
    /// # Errors
    /// It fails if the packet is not whole words that lie in the stream.
    pub fn words(&self, packet: Packet) -> Result<&'a [AtomicU64], Broken> {
        let (start, length) = (packet.offset as usize, packet.length as usize);
        if !start.is_multiple_of(WORD) || !length.is_multiple_of(WORD) {
            return Err(Broken);
        }
        let end = start.checked_add(length).ok_or(Broken)?;
        self.bytes.get(start / WORD..end / WORD).ok_or(Broken)
    }
}

#[cfg(test)]
mod tests;
