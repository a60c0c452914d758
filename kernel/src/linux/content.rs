// SPDX-License-Identifier: MIT
//! The content of a regular file.
//!
//! Chunks of [`CHUNK_LEN`] bytes: borrowed from the boot archive until they are
//! written, absent where nothing was ever written. Bytes of a chunk that are not
//! stored are zero. Chunks stand in groups, and only groups are there that hold
//! something: the table of a sparse file is as small as the file. All of it is paid
//! for from one [`Budget`]. From the first shared mapping on, [`Pages`] instead.

use alloc::vec::Vec;
use core::ops::Range;

use super::budget::{Budget, block_len, list_len};
use super::errno::{EFBIG, ENOMEM, ENOSPC, Errno};
use super::pages::{Object, Pages};
use crate::mem::fallible::{self, Exhausted};
use crate::mem::space::OutOfFrames;

/// Length of a chunk.
const CHUNK_LEN: usize = 64 << 10;
/// Chunks in a group.
const GROUP_LEN: usize = 64;
/// The largest file (Linux's `MAX_LFS_FILESIZE`).
pub const MAX_LEN: u64 = i64::MAX as u64;

static ZEROS: [u8; 4096] = [0; 4096];

enum Chunk {
    Borrowed(&'static [u8]),
    Owned(Vec<u8>),
}

impl Chunk {
    const HOLE: Self = Self::Borrowed(&[]);

    fn stored(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    /// Bytes of memory that it takes.
    fn cost(&self) -> u64 {
        match self {
            Self::Borrowed(_) => 0,
            Self::Owned(bytes) => list_len(bytes),
        }
    }

    /// Forgets what lies behind `length`.
    fn truncate(&mut self, length: usize) {
        match self {
            Self::Borrowed(bytes) => *bytes = &bytes[..bytes.len().min(length)],
            Self::Owned(bytes) => bytes.truncate(length),
        }
    }

    /// Writes at `within`; returns what that has added to the cost.
    fn write(&mut self, within: usize, from: &[u8], budget: &mut Budget) -> Result<u64, Exhausted> {
        let end = within + from.len();
        let mut cost = 0;
        match self {
            Self::Owned(bytes) if end <= bytes.capacity() => {
                fallible::resize(bytes, bytes.len().max(end), || 0)?;
            }
            Self::Owned(_) | Self::Borrowed(_) => {
                let (owned, added) = self.grown(end, budget)?;
                *self = Self::Owned(owned);
                cost = added;
            }
        }
        if let Self::Owned(bytes) = self {
            bytes[within..end].copy_from_slice(from);
        }
        Ok(cost)
    }

    /// A copy with at least `length` bytes, and what it costs more than the chunk. It has room
    /// for twice as much as there was, where the budget is not short.
    fn grown(&self, length: usize, budget: &mut Budget) -> Result<(Vec<u8>, u64), Exhausted> {
        let stored = self.stored();
        let (least, before) = (stored.len().max(length), self.cost());
        for room in [least.max(2 * stored.len()).min(CHUNK_LEN), least] {
            let cost = block_len(room) - before;
            if budget.charge(cost).is_err() {
                continue;
            }
            let mut bytes = Vec::new();
            if fallible::reserve_exact(&mut bytes, room).is_err() {
                budget.refund(cost);
                continue;
            }
            fallible::extend(&mut bytes, stored)?;
            fallible::resize(&mut bytes, least, || 0)?;
            return Ok((bytes, cost));
        }
        Err(Exhausted)
    }
}

/// Up to [`GROUP_LEN`] chunks side by side, one of which is more than a hole.
struct Group {
    /// The first one's number, in groups.
    number: u64,
    /// From the first one on; all that are missing are holes.
    chunks: Vec<Chunk>,
}

impl Group {
    fn cost(&self) -> u64 {
        list_len(&self.chunks) + self.chunks.iter().map(Chunk::cost).sum::<u64>()
    }

    /// Makes room for the chunk at `place`; returns what that has added to the cost. Small files
    /// have no more than the first group: that one is as long as it has to be.
    fn reach(&mut self, place: usize, budget: &mut Budget) -> Result<u64, Exhausted> {
        let mut cost = 0;
        if place >= self.chunks.capacity() {
            let room = if self.number == 0 { (place + 1).next_power_of_two() } else { GROUP_LEN };
            cost = block_len(room * size_of::<Chunk>()) - list_len(&self.chunks);
            budget.charge(cost)?;
            let more = room - self.chunks.len();
            fallible::reserve_exact(&mut self.chunks, more).inspect_err(|_| budget.refund(cost))?;
        }
        let length = self.chunks.len().max(place + 1);
        fallible::resize(&mut self.chunks, length, || Chunk::HOLE)?;
        Ok(cost)
    }
}

/// The content of a regular file.
#[derive(Default)]
pub struct Content {
    length: u64,
    /// In the order of their numbers.
    groups: Vec<Group>,
    /// Bytes of the budget that it takes.
    cost: u64,
    /// All of it, as long as it is what is in the boot archive.
    lasting: Option<&'static [u8]>,
    /// What takes the place of all that.
    pages: Option<Object>,
}

/// The group and the place in it of the chunk with `offset`.
fn place(offset: u64) -> (u64, usize) {
    let chunk = offset / CHUNK_LEN as u64;
    (chunk / GROUP_LEN as u64, (chunk % GROUP_LEN as u64) as usize)
}

impl Content {
    /// The content of a file in the boot archive; its [cost](Self::cost) is to be charged.
    pub fn borrowed(bytes: &'static [u8]) -> Result<Self, Exhausted> {
        let parts = bytes.chunks(CHUNK_LEN * GROUP_LEN);
        let mut groups = Vec::new();
        fallible::reserve_exact(&mut groups, parts.len())?;
        for (number, part) in (0..).zip(parts) {
            let chunks = fallible::collect(part.chunks(CHUNK_LEN).map(Chunk::Borrowed))?;
            fallible::push(&mut groups, Group { number, chunks })?;
        }
        let cost = list_len(&groups) + groups.iter().map(Group::cost).sum::<u64>();
        Ok(Self { length: bytes.len() as u64, groups, cost, lasting: Some(bytes), pages: None })
    }

    /// The content as pages to map, from now on; `id` is to be theirs. They are not
    /// part of the budget.
    pub fn share(&mut self, id: u64, budget: &mut Budget) -> Result<Object, Errno> {
        if let Some(pages) = &self.pages {
            return Ok(pages.clone());
        }
        self.lasting = None;
        let object = Pages::new(id, 0)?;
        let mut pages = object.borrow_mut();
        for group in &self.groups {
            let first = group.number * GROUP_LEN as u64;
            for (number, chunk) in (first..).zip(&group.chunks) {
                let stored = chunk.stored();
                let written = pages.write(number * CHUNK_LEN as u64, stored);
                if !written.is_ok_and(|written| written == stored.len()) {
                    return Err(ENOMEM);
                }
            }
        }
        pages.resize(self.length);
        drop(pages);
        budget.refund(core::mem::take(&mut self.cost));
        self.groups = Vec::new();
        self.pages = Some(object.clone());
        Ok(object)
    }

    /// All of it, if nobody can change it any more: it is still what is in the boot archive. Whoever writes the file
    /// writes a copy.
    pub fn lasting(&self) -> Option<&'static [u8]> {
        self.lasting
    }

    /// The pages, if it has come to that.
    pub fn pages(&self) -> Option<&Object> {
        self.pages.as_ref()
    }

    /// The file's length in bytes.
    pub fn length(&self) -> u64 {
        self.pages.as_ref().map_or(self.length, |pages| pages.borrow().length())
    }

    /// Bytes of the budget that it takes.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// The index of a group, or where it would have to be.
    fn find(&self, number: u64) -> Result<usize, usize> {
        self.groups.binary_search_by_key(&number, |group| group.number)
    }

    /// Some bytes at `offset`, at most `limit`; none at or behind the end. They may lie
    /// in `buffer`.
    pub fn at<'a>(&'a self, offset: u64, limit: u64, buffer: &'a mut [u8]) -> &'a [u8] {
        if let Some(pages) = &self.pages {
            let most = buffer.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
            let length = pages.borrow().read(offset, &mut buffer[..most]);
            return &buffer[..length];
        }
        let left = self.length.saturating_sub(offset).min(limit);
        let ((number, place), within) = (place(offset), (offset % CHUNK_LEN as u64) as usize);
        let left = left.min((CHUNK_LEN - within) as u64) as usize;
        let chunk = self.find(number).ok().and_then(|index| self.groups[index].chunks.get(place));
        match chunk.and_then(|chunk| chunk.stored().get(within..)) {
            Some(bytes) if !bytes.is_empty() => &bytes[..bytes.len().min(left)],
            Some(_) | None => &ZEROS[..ZEROS.len().min(left)],
        }
    }

    /// Writes `bytes` at `offset`; returns how many, fewer if memory ends.
    pub fn write(&mut self, offset: u64, bytes: &[u8], budget: &mut Budget) -> Result<usize, Errno> {
        if let Some(pages) = &self.pages {
            offset.checked_add(bytes.len() as u64).filter(|end| *end <= MAX_LEN).ok_or(EFBIG)?;
            return pages.borrow_mut().write(offset, bytes).map_err(|OutOfFrames| ENOSPC);
        }
        let mut done = 0;
        while done < bytes.len() {
            match self.write_chunk(offset + done as u64, &bytes[done..], budget) {
                Ok(length) => done += length,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn write_chunk(&mut self, offset: u64, bytes: &[u8], budget: &mut Budget) -> Result<usize, Errno> {
        self.lasting = None;
        let within = (offset % CHUNK_LEN as u64) as usize;
        let bytes = &bytes[..bytes.len().min(CHUNK_LEN - within)];
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= MAX_LEN).ok_or(EFBIG)?;
        let (number, place) = place(offset);
        let index = match self.find(number) {
            Ok(index) => index,
            Err(index) => {
                self.insert_group(index, number, budget).map_err(|Exhausted| ENOSPC)?;
                index
            }
        };
        let group = &mut self.groups[index];
        let reached = group.reach(place, budget).map(|cost| self.cost += cost);
        match reached.and_then(|()| group.chunks[place].write(within, bytes, budget)) {
            Ok(cost) => self.cost += cost,
            Err(Exhausted) => {
                self.drop_if_empty(index, budget);
                return Err(ENOSPC);
            }
        }
        self.length = self.length.max(end);
        Ok(bytes.len())
    }

    fn insert_group(&mut self, index: usize, number: u64, budget: &mut Budget) -> Result<(), Exhausted> {
        self.cost += budget.reserve_one(&mut self.groups)?;
        fallible::insert(&mut self.groups, index, Group { number, chunks: Vec::new() })
    }

    /// Takes a group away that holds nothing.
    fn drop_if_empty(&mut self, index: usize, budget: &mut Budget) {
        if self.groups[index].chunks.iter().all(|chunk| chunk.stored().is_empty()) {
            self.drop_groups(index..index + 1, budget);
        }
    }

    /// Takes groups away; with the last one, their list as well.
    fn drop_groups(&mut self, range: Range<usize>, budget: &mut Budget) {
        let mut freed = self.groups.drain(range).map(|group| group.cost()).sum();
        if self.groups.is_empty() {
            freed += list_len(&core::mem::take(&mut self.groups));
        }
        self.cost -= freed;
        budget.refund(freed);
    }

    /// Cuts or lengthens the file to `length` bytes.
    pub fn resize(&mut self, length: u64, budget: &mut Budget) -> Result<(), Errno> {
        if length > MAX_LEN {
            return Err(EFBIG);
        }
        if let Some(pages) = &self.pages {
            pages.borrow_mut().resize(length);
            return Ok(());
        }
        self.lasting = self.lasting.filter(|_| length == self.length);
        if length < self.length {
            self.cut(length, budget);
        }
        self.length = length;
        Ok(())
    }

    fn cut(&mut self, length: u64, budget: &mut Budget) {
        // The first chunk that goes as a whole.
        let (number, first) = place(length.next_multiple_of(CHUNK_LEN as u64));
        let kept = self.groups.partition_point(|group| group.number < number + u64::from(first > 0));
        self.drop_groups(kept..self.groups.len(), budget);
        if let Ok(index) = self.find(number) {
            let chunks = &mut self.groups[index].chunks;
            let freed = chunks.drain(first.min(chunks.len())..).map(|chunk| chunk.cost()).sum();
            self.cost -= freed;
            budget.refund(freed);
            self.drop_if_empty(index, budget);
        }
        let (number, place) = place(length);
        let within = (length % CHUNK_LEN as u64) as usize;
        if within > 0
            && let Ok(index) = self.find(number)
            && let Some(chunk) = self.groups[index].chunks.get_mut(place)
        {
            chunk.truncate(within);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a group of chunks takes that is not a file's first.
    const FULL: u64 = block_len(GROUP_LEN * size_of::<Chunk>());

    impl Content {
        /// Fails if the cost is not that of what is there.
        pub fn audit(&self) {
            let cost = list_len(&self.groups) + self.groups.iter().map(Group::cost).sum::<u64>();
            assert_eq!(self.cost, cost);
            assert!(self.groups.is_sorted_by(|a, b| a.number < b.number));
            let is_hole = |chunk: &Chunk| chunk.stored().is_empty();
            assert!(!self.groups.iter().any(|group| group.chunks.iter().all(is_hole)), "an empty group");
        }
    }

    fn all(content: &Content) -> Vec<u8> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < content.length() {
            let mut buffer = [0; 100];
            let part = content.at(bytes.len() as u64, u64::MAX, &mut buffer);
            assert!(!part.is_empty());
            bytes.extend_from_slice(part);
        }
        assert!(content.at(content.length(), u64::MAX, &mut [0; 10]).is_empty());
        bytes
    }

    #[test]
    fn borrowed_chunks_are_copied_when_written() {
        static BYTES: [u8; CHUNK_LEN + 10] = [7; CHUNK_LEN + 10];
        let mut content = Content::borrowed(&BYTES).unwrap();
        let mut budget = Budget::new(1 << 20);
        assert_eq!(content.cost(), block_len(2 * 24) + block_len(32));
        budget.charge(content.cost()).unwrap();
        assert_eq!(content.write(CHUNK_LEN as u64 - 1, &[1, 2, 3], &mut budget), Ok(3));
        let mut expected = BYTES.to_vec();
        expected[CHUNK_LEN - 1..CHUNK_LEN + 2].copy_from_slice(&[1, 2, 3]);
        assert_eq!(all(&content), expected);
        assert_eq!(budget.left(), (1 << 20) - content.cost());
    }

    #[test]
    fn what_was_never_written_or_cut_off_is_zero() {
        let mut content = Content::default();
        let mut budget = Budget::new(1 << 20);
        assert_eq!(content.write(3 * CHUNK_LEN as u64, &[9; 100], &mut budget), Ok(100));
        content.resize(3 * CHUNK_LEN as u64 + 2, &mut budget).unwrap();
        content.resize(3 * CHUNK_LEN as u64 + 4, &mut budget).unwrap();
        let mut expected = std::vec![0; 3 * CHUNK_LEN];
        expected.extend([9, 9, 0, 0]);
        assert_eq!(all(&content), expected);
        content.resize(0, &mut budget).unwrap();
        assert_eq!(budget.left(), 1 << 20);
    }

    #[test]
    fn shared_content_stays_and_leaves_the_budget() {
        static BYTES: [u8; CHUNK_LEN + 10] = [7; CHUNK_LEN + 10];
        crate::mem::frame::set_free(100);
        let (mut content, mut budget) = (Content::borrowed(&BYTES).unwrap(), Budget::new(1 << 20));
        budget.charge(content.cost()).unwrap();
        content.write(5, &[1, 2, 3], &mut budget).unwrap();
        let before = all(&content);
        let pages = content.share(1, &mut budget).unwrap();
        assert_eq!((all(&content), budget.left()), (before, 1 << 20));
        assert_eq!(crate::mem::frame::free_count(), 100 - 17);
        pages.borrow_mut().write(6, &[9]).unwrap();
        content.write(7, &[8], &mut budget).unwrap();
        assert_eq!(all(&content)[5..9], [1, 9, 8, 7]);
        content.resize(6, &mut budget).unwrap();
        assert_eq!(all(&content), [7, 7, 7, 7, 7, 1]);
        drop((content, pages));
        assert_eq!(crate::mem::frame::free_count(), 100);
    }

    #[test]
    fn a_sparse_file_takes_no_more_than_its_bytes_and_a_group_for_each_place() {
        let (mut content, mut budget) = (Content::default(), Budget::new(1 << 20));
        let last = MAX_LEN & !(CHUNK_LEN as u64 - 1);
        let places = [0, 1 << 37, last, 1 << 62, 1 << 37 | 1 << 20, 5 << 22];
        for (at, byte) in places.into_iter().zip(1..) {
            assert_eq!(content.write(at, &[byte], &mut budget), Ok(1), "{at:#x}");
        }
        assert_eq!(content.length(), last + 1);
        // Two of them share a group; eight groups have a place in the list.
        assert_eq!(content.cost(), block_len(24) + 4 * FULL + block_len(8 * 32) + 6 * block_len(1));
        for (at, byte) in places.into_iter().zip(1..) {
            assert_eq!(content.at(at, 1, &mut []), [byte], "{at:#x}");
            let behind: &[u8] = if at == last { &[] } else { &[0] };
            assert_eq!(content.at(at + 1, 1, &mut []), behind, "{at:#x}");
        }
        content.resize(1 << 37 | 1 << 20, &mut budget).unwrap();
        assert_eq!(content.cost(), block_len(24) + 2 * FULL + block_len(8 * 32) + 3 * block_len(1));
        content.resize(1 << 37, &mut budget).unwrap();
        assert_eq!(content.cost(), block_len(24) + FULL + block_len(8 * 32) + 2 * block_len(1));
        content.resize(0, &mut budget).unwrap();
        assert_eq!((content.cost(), budget.left()), (0, 1 << 20));
    }

    #[test]
    fn what_does_not_fit_the_budget_leaves_nothing_behind() {
        let total = FULL + block_len(4 * 32) + block_len(5000);
        let (mut content, mut budget) = (Content::default(), Budget::new(total));
        assert_eq!(content.write(1 << 40, &[1; 6000], &mut budget), Err(ENOSPC));
        assert_eq!((content.length(), content.cost(), budget.left()), (0, 0, total));
        // There is no room to double, but for what is needed.
        assert_eq!(content.write(1 << 40, &[1; 3000], &mut budget), Ok(3000));
        assert_eq!(content.write((1 << 40) + 3000, &[2; 2000], &mut budget), Ok(2000));
        assert_eq!((content.at((1 << 40) + 2999, 2, &mut []), budget.left()), (&[1, 2][..], 0));
        // Its block has some bytes more than it was asked for.
        let rest = block_len(5000) as usize;
        assert_eq!(content.write((1 << 40) + 5000, &[3; 100][..rest - 5000], &mut budget), Err(ENOSPC));
    }

    #[test]
    fn the_budget_and_the_largest_offset_are_kept() {
        let mut content = Content::default();
        assert_eq!(content.write(0, &[1], &mut Budget::new(100)), Err(ENOSPC));
        assert_eq!(content.write(MAX_LEN, &[1], &mut Budget::new(1 << 20)), Err(EFBIG));
        assert_eq!(content.write(u64::MAX - 1, &[1, 2, 3], &mut Budget::new(1 << 20)), Err(EFBIG));
        assert_eq!(content.resize(u64::MAX, &mut Budget::new(0)), Err(EFBIG));
    }
}
