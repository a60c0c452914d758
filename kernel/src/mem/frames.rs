// SPDX-License-Identifier: MIT
//! The frame database: of every frame, whether it is free, how many own it, what kind of memory it is,
//! and its generation.
//!
//! Some of the free frames may be promised: whoever was promised them gets them whenever he wants, and
//! nobody else does. So what must not run out need not be taken beforehand.
//!
//! The *generation* of a frame moves whenever somebody changes what others see in it: a commit, a write
//! of the kernel's, a device. Who keeps a copy of a shared frame remembers the generation; the copy holds
//! as long as it is the same. A frame that has one owner keeps its generation: nobody asks for it.
//!
//! A frame may be the [page cache](super::page_cache)'s, which is one of its owners. While it is the only one, the
//! frame is *idle*: it counts as free, and the cache gives it back when no other frame is.
//!
//! A frame may hold a page table. The tree that it stands in is its owner; trackers may [hold](Frames::hold)
//! it as well, as long as they have places in it. It is free when neither does.

use core::ops::Range;

use super::bitmap::Bitmap;
use super::frame::{Frame, OutOfFrames, Run};

/// Frames that there is room for: memory above 4 GiB is not used.
pub const MAX_FRAMES: usize = 1 << 20;
/// Owners that a frame can have.
const MOST_OWNERS: u32 = 1 << 16;

/// What kind of memory a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Memory {
    /// No memory that the boot loader told of: registers of devices, or nothing.
    Device,
    /// Memory for everybody.
    Ram,
    /// Memory that the kernel has set aside for good.
    Reserved,
}

/// Who else knows a frame than those who have got it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Known {
    /// Nobody.
    Nobody,
    /// The page cache, which is one of its owners.
    Cache,
    /// Whoever was told its number, as long as somebody owns it.
    Numbered,
}

/// What is known of one frame.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    generation: u64,
    /// Who has to release it before it is free.
    owners: u32,
    /// How many places in it trackers have, if it is a page table.
    held: u16,
    memory: Memory,
    known: Known,
}

impl Record {
    /// The record of a frame of which nothing is known.
    pub const UNKNOWN: Self =
        Self { generation: 0, owners: 0, held: 0, memory: Memory::Device, known: Known::Nobody };
}

/// All frames.
pub struct Frames {
    free: Bitmap<{ MAX_FRAMES / 64 }>,
    /// What is known of each; nothing before there is room. So all of this is zero at first, and takes no room in the
    /// kernel's file.
    records: Option<&'static mut [Record]>,
    /// How many are free and not promised.
    count: u64,
    /// How many are free and promised.
    promised: u64,
    /// How many are idle.
    idle: u64,
    /// Below it nothing is free.
    hint: usize,
    /// From it on nothing is free.
    end: usize,
}

impl Frames {
    /// No frame at all.
    pub const fn none() -> Self {
        Self { free: Bitmap::EMPTY, records: None, count: 0, promised: 0, idle: 0, hint: 0, end: 0 }
    }

    /// Adds frames that are free.
    pub fn add(&mut self, frames: Range<usize>) {
        self.hint = self.hint.min(frames.start);
        self.end = self.end.max(frames.end);
        self.count += self.free.insert_all(frames);
    }

    /// Takes frames out of use.
    pub fn reserve(&mut self, frames: Range<usize>) {
        self.count -= self.free.remove_all(frames);
    }

    /// Gets room for what is known of frames, a record each.
    pub fn keep_records(&mut self, records: &'static mut [Record]) {
        assert!(records.len() >= self.end, "there are {} records for {} frames", records.len(), self.end);
        self.records = Some(records);
    }

    /// Notes what kind of memory some frames are, as far as there are records of them.
    pub fn note_memory(&mut self, frames: Range<usize>, memory: Memory) {
        let records = self.records.as_deref_mut().unwrap_or_default();
        let end = frames.end.min(records.len());
        let known = records.get_mut(frames.start..end).unwrap_or_default();
        known.iter_mut().for_each(|record| record.memory = memory);
    }

    #[inline]
    fn record(&mut self, frame: Frame) -> &mut Record {
        let known = self.records.as_deref_mut().and_then(|records| records.get_mut(frame.index()));
        let Some(record) = known else { panic!("{frame:?} is no frame that was handed out") };
        record
    }

    /// Takes the first free frame, whoever it is for.
    fn take(&mut self) -> Result<Frame, OutOfFrames> {
        let index = self.free.take_least(self.hint).ok_or(OutOfFrames)?;
        self.hint = index + 1;
        let frame = Frame::numbered(index);
        self.record(frame).owners = 1;
        Ok(frame)
    }

    /// Takes a free frame; its content is arbitrary.
    pub fn allocate(&mut self) -> Result<Frame, OutOfFrames> {
        self.count = self.count.checked_sub(1).ok_or(OutOfFrames)?;
        self.take()
    }

    /// Takes neighbouring frames for good, from the highest addresses down.
    pub fn allocate_run(&mut self, length: u64) -> Result<Run, OutOfFrames> {
        let left = self.count.checked_sub(length).ok_or(OutOfFrames)?;
        let mut end = self.free.last_in(0..self.end).ok_or(OutOfFrames)? + 1;
        loop {
            let start = end.checked_sub(length as usize).ok_or(OutOfFrames)?;
            match self.free.last_not_in(start..end) {
                None => {
                    self.free.remove_all(start..end);
                    self.count = left;
                    self.note_memory(start..end, Memory::Reserved);
                    return Ok(Run::new(Frame::numbered(start), length));
                }
                // Below the taken frame; what is taken below that is skipped at once.
                Some(taken) => end = self.free.last_in(0..taken).ok_or(OutOfFrames)? + 1,
            }
        }
    }

    /// Keeps neighbouring free frames, from the highest addresses down, as those that are handed out. All others that
    /// are free have an owner from now on who never gives them back. Returns those that are kept.
    pub fn keep_only(&mut self, length: u64) -> Result<Range<usize>, OutOfFrames> {
        let (first, _) = self.allocate_run(length)?.into_parts();
        let kept = first.index()..first.index() + length as usize;
        while self.count > 0 {
            let frame = self.allocate()?;
            self.number(frame);
        }
        self.note_memory(kept.clone(), Memory::Ram);
        self.add(kept.clone());
        Ok(kept)
    }

    /// Has frames of a kind be memory with an owner who never gives it back, as far as there are records of them and
    /// nobody has them.
    pub fn put_in_use(&mut self, frames: Range<usize>, of: Memory) {
        let records = self.records.as_deref_mut().unwrap_or_default();
        let end = frames.end.min(records.len());
        for record in records.get_mut(frames.start..end).unwrap_or_default() {
            if record.memory == of && record.owners == 0 {
                (record.memory, record.owners, record.known) = (Memory::Ram, 1, Known::Numbered);
            }
        }
    }

    /// Promises free frames to the caller, who takes each by [`take_promised`](Self::take_promised) or
    /// [withdraws](Self::withdraw) the promise.
    pub fn promise(&mut self, length: u64) -> Result<(), OutOfFrames> {
        self.count = self.count.checked_sub(length).ok_or(OutOfFrames)?;
        self.promised += length;
        Ok(())
    }

    /// Ends a promise as far as it was not used.
    pub fn withdraw(&mut self, length: u64) {
        self.promised -= length;
        self.count += length;
    }

    /// Takes one of the frames that were promised; its content is arbitrary.
    ///
    /// # Panics
    /// If none was.
    pub fn take_promised(&mut self) -> Frame {
        self.promised -= 1;
        match self.take() {
            Ok(frame) => frame,
            Err(OutOfFrames) => panic!("more frames were promised than are free"),
        }
    }

    /// Adds an owner to a frame that is in use: it has to be released once more.
    pub fn share(&mut self, frame: Frame) -> Result<(), OutOfFrames> {
        let Record { owners, known, .. } = self.record(frame);
        assert!(*owners > 0, "{frame:?} is shared and is nobody's");
        if *owners >= MOST_OWNERS {
            return Err(OutOfFrames);
        }
        *owners += 1;
        let was_idle = *known == Known::Cache && *owners == 2;
        self.idle -= u64::from(was_idle);
        Ok(())
    }

    /// The number of a frame that somebody owns: as long as that is so, it is [shared](Self::share_numbered) by it.
    pub fn number(&mut self, frame: Frame) -> u64 {
        let record = self.record(frame);
        assert!(record.owners > 0 && record.known != Known::Cache, "{frame:?} is not its owners' alone");
        record.known = Known::Numbered;
        frame.index() as u64
    }

    /// Adds an owner to the frame of a number that was told, if it is memory that somebody owns.
    pub fn share_numbered(&mut self, number: u64) -> Option<Frame> {
        let index = usize::try_from(number).ok()?;
        let known = self.records.as_deref()?.get(index)?;
        let frame = Frame::numbered(index);
        let is_owned = known.memory == Memory::Ram && known.owners > 0 && known.known == Known::Numbered;
        (is_owned && self.share(frame).is_ok()).then_some(frame)
    }

    /// Adds the page cache to the owners of a frame that has one.
    pub fn keep(&mut self, frame: Frame) {
        let record = self.record(frame);
        assert!(record.known == Known::Nobody && record.owners == 1, "{frame:?} is not its owner's alone");
        (record.known, record.owners) = (Known::Cache, 2);
    }

    /// Gives a frame back that is idle; returns whether it was.
    pub fn give_back_idle(&mut self, frame: Frame) -> bool {
        let record = self.record(frame);
        let is_idle = record.known == Known::Cache && record.owners == 1;
        if is_idle {
            record.owners = 0;
            self.idle -= 1;
            self.free(frame);
        }
        is_idle
    }

    /// Releases a frame; it is free when its last owner does.
    ///
    /// # Panics
    /// If it is free already.
    #[inline]
    pub fn release(&mut self, frame: Frame) {
        let record = self.record(frame);
        let Some(left) = record.owners.checked_sub(1) else { panic!("{frame:?} was given back twice") };
        record.owners = left;
        match (left, record.known == Known::Cache) {
            (0, false) if record.held == 0 => self.free(frame),
            (0, true) => panic!("{frame:?} is the cache's, which has not given it back"),
            (1, true) => self.idle += 1,
            _ => {}
        }
    }

    fn free(&mut self, frame: Frame) {
        let index = frame.index();
        assert!(self.free.insert(index), "{frame:?} was given back twice");
        self.record(frame).known = Known::Nobody;
        self.count += 1;
        self.hint = self.hint.min(index);
    }

    /// A tracker has a place in a page table from now on.
    pub fn hold(&mut self, table: Frame) {
        let record = self.record(table);
        assert!(record.owners > 0, "{table:?} is no table");
        record.held += 1;
    }

    /// A tracker has a place in a page table no more; the table is free if it stands in no tree either.
    pub fn let_go(&mut self, table: Frame) {
        let record = self.record(table);
        let Some(left) = record.held.checked_sub(1) else { panic!("{table:?} is held by no tracker") };
        record.held = left;
        if record.owners == 0 && left == 0 {
            self.free(table);
        }
    }

    /// How many own a frame.
    pub fn owners(&mut self, frame: Frame) -> u32 {
        self.record(frame).owners
    }

    /// How many owners all frames have together.
    pub fn all_owners(&self) -> u64 {
        self.records.as_deref().unwrap_or_default().iter().map(|record| u64::from(record.owners)).sum()
    }

    /// What kind of memory a frame is.
    pub fn memory(&self, frame: Frame) -> Memory {
        let known = self.records.as_deref().and_then(|records| records.get(frame.index()));
        known.map_or(Memory::Device, |record| record.memory)
    }

    /// Whether the frame of a number is no memory that is known of.
    pub fn is_device(&self, number: u64) -> bool {
        let records = self.records.as_deref().unwrap_or_default();
        let known = usize::try_from(number).ok().and_then(|index| records.get(index));
        known.is_none_or(|record| record.memory == Memory::Device)
    }

    /// What tells whether somebody has changed a shared frame since.
    pub fn generation(&mut self, frame: Frame) -> u64 {
        self.record(frame).generation
    }

    /// Notes that a frame was changed: who shares it sees another generation, which is returned.
    #[inline]
    pub fn touch(&mut self, frame: Frame) -> u64 {
        let record = self.record(frame);
        record.generation += u64::from(record.owners > 1);
        record.generation
    }

    /// How many frames are free, those that are promised apart.
    pub fn free_count(&self) -> u64 {
        self.count + self.idle
    }

    /// How many of them the page cache has.
    pub fn idle_count(&self) -> u64 {
        self.idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred frames, the first ten of which are out of use.
    fn hundred() -> Frames {
        let mut frames = Frames::none();
        frames.add(0..100);
        frames.reserve(0..10);
        frames.keep_records(Vec::leak(vec![Record::UNKNOWN; 120]));
        frames.note_memory(0..100, Memory::Ram);
        frames.note_memory(0..10, Memory::Reserved);
        frames
    }

    #[test]
    fn what_is_not_kept_has_an_owner_for_good() {
        let mut frames = hundred();
        frames.reserve(70..71);
        assert_eq!(frames.keep_only(20), Ok(80..100));
        assert_eq!(frames.free_count(), 20);
        // It can be shared, and is not handed out when nobody shares it any more.
        for number in [10, 69, 79] {
            let shared = frames.share_numbered(number).unwrap();
            assert_eq!((frames.owners(shared), frames.memory(shared)), (2, Memory::Ram));
            frames.release(shared);
        }
        for number in [0, 70, 80, 100, 1 << 40] {
            assert_eq!(frames.share_numbered(number), None, "{number}");
        }
        let handed = Vec::from_iter((0..20).map(|_| frames.allocate().unwrap().index()));
        assert_eq!((handed, frames.allocate()), (Vec::from_iter(80..100), Err(OutOfFrames)));
    }

    #[test]
    fn a_frame_is_found_by_a_number_that_was_told_until_it_is_free() {
        let mut frames = hundred();
        let frame = frames.allocate().unwrap();
        assert_eq!(frames.share_numbered(frame.index() as u64), None);
        let number = frames.number(frame);
        assert_eq!(frames.share_numbered(number), Some(frame));
        frames.release(frame);
        frames.release(frame);
        assert_eq!(frames.share_numbered(number), None);
        // It has become something else, a page table perhaps.
        assert_eq!(frames.allocate(), Ok(frame));
        assert_eq!(frames.share_numbered(number), None);
    }

    #[test]
    fn there_is_nothing_to_keep_where_no_frames_are_neighbours() {
        let mut frames = hundred();
        (0..100).step_by(4).for_each(|index| frames.reserve(index..index + 1));
        assert_eq!(frames.keep_only(4), Err(OutOfFrames));
        assert_eq!(frames.keep_only(3), Ok(97..100));
    }

    #[test]
    fn frames_that_nobody_has_are_put_in_use_by_their_kind() {
        let mut frames = hundred();
        frames.put_in_use(8..12, Memory::Reserved);
        frames.put_in_use(110..200, Memory::Device);
        assert!([8, 9, 110, 119].into_iter().all(|number| frames.share_numbered(number).is_some()));
        assert!([7, 10, 11, 109, 120].into_iter().all(|number| frames.share_numbered(number).is_none()));
        assert_eq!(frames.free_count(), 90);
        // It is nobody else's by that.
        frames.put_in_use(8..9, Memory::Ram);
        assert_eq!(frames.owners(Frame::numbered(8)), 2);
    }
}
