// SPDX-License-Identifier: MIT
//! The content of a regular file.
//!
//! Chunks of [`CHUNK_LEN`] bytes: borrowed from the boot archive until they are
//! written, absent where nothing was ever written. Bytes of a chunk that are not
//! stored are zero. From the first shared mapping on, [`Pages`] instead.

use alloc::vec::Vec;

use super::errno::{EFBIG, ENOMEM, ENOSPC, Errno};
use super::pages::{Object, Pages};
use crate::mem::space::OutOfFrames;

/// Length of a chunk.
const CHUNK_LEN: usize = 64 << 10;
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
            Self::Owned(bytes) => bytes.capacity() as u64,
        }
    }

    /// Forgets what lies behind `length`.
    fn truncate(&mut self, length: usize) {
        match self {
            Self::Borrowed(bytes) => *bytes = &bytes[..bytes.len().min(length)],
            Self::Owned(bytes) => bytes.truncate(length),
        }
    }

    /// Its first `length` bytes, to be written; `None` if memory is used up.
    fn writable(&mut self, length: usize) -> Option<&mut [u8]> {
        if let Self::Borrowed(bytes) = *self {
            let mut owned = Vec::new();
            owned.try_reserve_exact(bytes.len().max(length)).ok()?;
            owned.extend_from_slice(bytes);
            *self = Self::Owned(owned);
        }
        let Self::Owned(bytes) = self else { return None };
        if bytes.len() < length {
            bytes.try_reserve(length - bytes.len()).ok()?;
            bytes.resize(length, 0);
        }
        Some(bytes)
    }
}

/// Memory that files may still take, in bytes.
pub struct Budget(pub u64);

/// The content of a regular file.
#[derive(Default)]
pub struct Content {
    length: u64,
    chunks: Vec<Chunk>,
    /// What takes the place of both.
    pages: Option<Object>,
}

impl Content {
    /// The content of a file in the boot archive.
    pub fn borrowed(bytes: &'static [u8]) -> Result<Self, Errno> {
        let mut chunks = Vec::new();
        chunks.try_reserve_exact(bytes.len().div_ceil(CHUNK_LEN)).map_err(|_| ENOSPC)?;
        chunks.extend(bytes.chunks(CHUNK_LEN).map(Chunk::Borrowed));
        Ok(Self { length: bytes.len() as u64, chunks, pages: None })
    }

    /// The content as pages to map, from now on; `id` is to be theirs. They are not
    /// part of the budget.
    pub fn share(&mut self, id: u64, budget: &mut Budget) -> Result<Object, Errno> {
        if let Some(pages) = &self.pages {
            return Ok(pages.clone());
        }
        let object = Pages::new(id, 0)?;
        let mut pages = object.borrow_mut();
        for (index, chunk) in self.chunks.iter().enumerate() {
            let (offset, stored) = ((index * CHUNK_LEN) as u64, chunk.stored());
            if pages.write(offset, stored).is_ok_and(|written| written == stored.len()) {
                continue;
            }
            return Err(ENOMEM);
        }
        pages.resize(self.length);
        drop(pages);
        budget.0 = budget.0.saturating_add(self.cost());
        self.chunks = Vec::new();
        self.pages = Some(object.clone());
        Ok(object)
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
        self.chunks.iter().map(Chunk::cost).sum()
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
        let (chunk, within) = (offset / CHUNK_LEN as u64, (offset % CHUNK_LEN as u64) as usize);
        let left = left.min((CHUNK_LEN - within) as u64) as usize;
        let stored = usize::try_from(chunk).ok().and_then(|index| self.chunks.get(index));
        match stored.and_then(|chunk| chunk.stored().get(within..)) {
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
        let within = (offset % CHUNK_LEN as u64) as usize;
        let length = bytes.len().min(CHUNK_LEN - within);
        let end = offset.checked_add(length as u64).filter(|end| *end <= MAX_LEN).ok_or(EFBIG)?;
        let index = usize::try_from(offset / CHUNK_LEN as u64).map_err(|_| EFBIG)?;
        if index >= self.chunks.len() {
            self.chunks.try_reserve(index + 1 - self.chunks.len()).map_err(|_| ENOSPC)?;
            self.chunks.resize_with(index + 1, || Chunk::HOLE);
        }
        let chunk = &mut self.chunks[index];
        let before = chunk.cost();
        // What a write may add at most: growth doubles, up to a whole chunk.
        if before < CHUNK_LEN as u64 && budget.0 < CHUNK_LEN as u64 {
            return Err(ENOSPC);
        }
        let room = chunk.writable(within + length).ok_or(ENOSPC)?;
        room[within..within + length].copy_from_slice(&bytes[..length]);
        budget.0 = budget.0.saturating_sub(chunk.cost().saturating_sub(before));
        self.length = self.length.max(end);
        Ok(length)
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
        if length < self.length {
            let before = self.cost();
            let chunks = usize::try_from(length.div_ceil(CHUNK_LEN as u64)).map_err(|_| EFBIG)?;
            self.chunks.truncate(chunks);
            let within = (length % CHUNK_LEN as u64) as usize;
            if within > 0
                && let Some(chunk) = self.chunks.get_mut(chunks - 1)
            {
                chunk.truncate(within);
            }
            budget.0 = budget.0.saturating_add(before.saturating_sub(self.cost()));
        }
        self.length = length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut budget = Budget(1 << 20);
        assert_eq!(content.cost(), 0);
        assert_eq!(content.write(CHUNK_LEN as u64 - 1, &[1, 2, 3], &mut budget), Ok(3));
        let mut expected = BYTES.to_vec();
        expected[CHUNK_LEN - 1..CHUNK_LEN + 2].copy_from_slice(&[1, 2, 3]);
        assert_eq!(all(&content), expected);
        assert_eq!(budget.0, (1 << 20) - content.cost());
    }

    #[test]
    fn what_was_never_written_or_cut_off_is_zero() {
        let mut content = Content::default();
        let mut budget = Budget(1 << 20);
        assert_eq!(content.write(3 * CHUNK_LEN as u64, &[9; 100], &mut budget), Ok(100));
        content.resize(3 * CHUNK_LEN as u64 + 2, &mut budget).unwrap();
        content.resize(3 * CHUNK_LEN as u64 + 4, &mut budget).unwrap();
        let mut expected = std::vec![0; 3 * CHUNK_LEN];
        expected.extend([9, 9, 0, 0]);
        assert_eq!(all(&content), expected);
        content.resize(0, &mut budget).unwrap();
        assert_eq!(budget.0, 1 << 20);
    }

    #[test]
    fn shared_content_stays_and_leaves_the_budget() {
        static BYTES: [u8; CHUNK_LEN + 10] = [7; CHUNK_LEN + 10];
        crate::mem::frame::set_free(100);
        let (mut content, mut budget) = (Content::borrowed(&BYTES).unwrap(), Budget(1 << 20));
        content.write(5, &[1, 2, 3], &mut budget).unwrap();
        let before = all(&content);
        let pages = content.share(1, &mut budget).unwrap();
        assert_eq!((all(&content), budget.0), (before, 1 << 20));
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
    fn the_budget_and_the_largest_offset_are_kept() {
        let mut content = Content::default();
        assert_eq!(content.write(0, &[1], &mut Budget(10)), Err(ENOSPC));
        assert_eq!(content.write(MAX_LEN, &[1], &mut Budget(1 << 20)), Err(EFBIG));
        assert_eq!(content.write(u64::MAX - 1, &[1, 2, 3], &mut Budget(1 << 20)), Err(EFBIG));
        assert_eq!(content.resize(u64::MAX, &mut Budget(0)), Err(EFBIG));
    }
}
