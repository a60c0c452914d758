// SPDX-License-Identifier: MIT
//! Page frames, in a bitmap, and how often each is in use.

use bitvec::array::BitArray;
use bitvec::order::Lsb0;
use spin::Mutex;

use crate::arch::boot::Region;

const FRAME_LEN: u64 = 4096;
/// Frames that the bitmap has room for: memory above 4 GiB is not used.
const MAX_FRAMES: usize = 1 << 20;

/// A page frame, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame(u32);

impl Frame {
    /// The frame at a physical address.
    pub fn at(address: u64) -> Self {
        Self((address / FRAME_LEN) as u32)
    }

    /// Its physical address.
    pub fn address(self) -> u64 {
        u64::from(self.0) * FRAME_LEN
    }
}

/// No frame is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfFrames;

struct Allocator {
    /// A set bit is a free frame.
    free: BitArray<[u64; MAX_FRAMES / 64], Lsb0>,
    /// Who uses a frame beside its first user.
    sharers: [u16; MAX_FRAMES],
    count: u64,
    /// Below it nothing is free.
    hint: usize,
}

static FRAMES: Mutex<Allocator> =
    Mutex::new(Allocator { free: BitArray::ZERO, sharers: [0; MAX_FRAMES], count: 0, hint: MAX_FRAMES });

/// Adds the whole frames of a region. Returns the bytes that lie too high to be used.
pub fn add(region: Region) -> u64 {
    let mut frames = FRAMES.lock();
    let end = region.end.min(MAX_FRAMES as u64 * FRAME_LEN);
    let first = region.start.div_ceil(FRAME_LEN) as usize;
    let last = (end / FRAME_LEN) as usize;
    for index in first..last {
        if !frames.free.replace(index, true) {
            frames.count += 1;
        }
    }
    frames.hint = frames.hint.min(first);
    region.end.saturating_sub(end.max(region.start))
}

/// Takes every frame that a region touches out of use.
pub fn reserve(region: Region) {
    let mut frames = FRAMES.lock();
    let last = region.end.div_ceil(FRAME_LEN).min(MAX_FRAMES as u64);
    for index in region.start / FRAME_LEN..last {
        if frames.free.replace(index as usize, false) {
            frames.count -= 1;
        }
    }
}

/// Takes a free frame; its content is arbitrary.
pub fn allocate() -> Result<Frame, OutOfFrames> {
    let mut frames = FRAMES.lock();
    let hint = frames.hint.min(MAX_FRAMES);
    let index = frames.free[hint..].first_one().ok_or(OutOfFrames)? + hint;
    frames.free.set(index, false);
    frames.count -= 1;
    frames.hint = index + 1;
    Ok(Frame(index as u32))
}

/// Takes neighbouring frames, from the highest addresses down.
pub fn allocate_run(length: u64) -> Result<Frame, OutOfFrames> {
    let mut frames = FRAMES.lock();
    let length = length as usize;
    let mut end = frames.free.last_one().ok_or(OutOfFrames)? + 1;
    loop {
        let start = end.checked_sub(length).ok_or(OutOfFrames)?;
        match frames.free[start..end].last_zero() {
            None => {
                frames.free[start..end].fill(false);
                frames.count -= length as u64;
                return Ok(Frame(start as u32));
            }
            // Below the taken frame; what is taken below that is skipped at once.
            Some(taken) => end = frames.free[..start + taken].last_one().ok_or(OutOfFrames)? + 1,
        }
    }
}

/// Adds a user to a frame that is in use: it has to be given back once more.
pub fn share(frame: Frame) -> Result<(), OutOfFrames> {
    let mut frames = FRAMES.lock();
    let sharers = &mut frames.sharers[frame.0 as usize];
    *sharers = sharers.checked_add(1).ok_or(OutOfFrames)?;
    Ok(())
}

/// Whether a frame has more than one user.
pub fn is_shared(frame: Frame) -> bool {
    FRAMES.lock().sharers[frame.0 as usize] > 0
}

/// Gives a frame back; it is free when its last user does.
///
/// # Panics
/// If it is free already.
pub fn release(frame: Frame) {
    let mut frames = FRAMES.lock();
    let index = frame.0 as usize;
    if let Some(left) = frames.sharers[index].checked_sub(1) {
        frames.sharers[index] = left;
        return;
    }
    assert!(!frames.free.replace(index, true), "{frame:?} was given back twice");
    frames.count += 1;
    frames.hint = frames.hint.min(index);
}

/// How many frames are free.
pub fn free_count() -> u64 {
    FRAMES.lock().count
}
