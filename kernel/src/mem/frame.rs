// SPDX-License-Identifier: MIT
//! Page frames, in a bitmap, and how often each is in use.
//!
//! Some of the free frames may be promised: whoever was promised them gets them whenever he wants, and nobody
//! else does. So what must not run out need not be taken beforehand.

use spin::Mutex;

use super::bitmap::Bitmap;
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
    free: Bitmap<{ MAX_FRAMES / 64 }>,
    /// Who uses a frame beside its first user.
    sharers: [u16; MAX_FRAMES],
    /// How many are free and not promised.
    count: u64,
    /// How many are free and promised.
    promised: u64,
    /// Below it nothing is free.
    hint: usize,
    /// From it on nothing is free.
    end: usize,
}

/// All of it is zero at first, so that it takes no room in the kernel's file.
static FRAMES: Mutex<Allocator> = Mutex::new(Allocator {
    free: Bitmap::EMPTY,
    sharers: [0; MAX_FRAMES],
    count: 0,
    promised: 0,
    hint: 0,
    end: 0,
});

impl Allocator {
    /// Takes the first free frame, whoever it is for.
    fn take(&mut self) -> Result<Frame, OutOfFrames> {
        let index = self.free.take_least(self.hint).ok_or(OutOfFrames)?;
        self.hint = index + 1;
        Ok(Frame(index as u32))
    }
}

/// Adds the whole frames of a region. Returns the bytes that lie too high to be used.
pub fn add(region: Region) -> u64 {
    let mut frames = FRAMES.lock();
    let end = region.end.min(MAX_FRAMES as u64 * FRAME_LEN);
    let first = region.start.div_ceil(FRAME_LEN) as usize;
    let last = (end / FRAME_LEN) as usize;
    frames.count += frames.free.insert_all(first..last);
    frames.hint = frames.hint.min(first);
    frames.end = frames.end.max(last);
    region.end.saturating_sub(end.max(region.start))
}

/// Takes every frame that a region touches out of use.
pub fn reserve(region: Region) {
    let mut frames = FRAMES.lock();
    let last = region.end.div_ceil(FRAME_LEN).min(MAX_FRAMES as u64);
    frames.count -= frames.free.remove_all((region.start / FRAME_LEN) as usize..last as usize);
}

/// Takes a free frame; its content is arbitrary.
pub fn allocate() -> Result<Frame, OutOfFrames> {
    let mut frames = FRAMES.lock();
    frames.count = frames.count.checked_sub(1).ok_or(OutOfFrames)?;
    frames.take()
}

/// Takes neighbouring frames, from the highest addresses down.
pub fn allocate_run(length: u64) -> Result<Frame, OutOfFrames> {
    let mut frames = FRAMES.lock();
    let left = frames.count.checked_sub(length).ok_or(OutOfFrames)?;
    let length = length as usize;
    let mut end = frames.free.last_in(0..frames.end).ok_or(OutOfFrames)? + 1;
    loop {
        let start = end.checked_sub(length).ok_or(OutOfFrames)?;
        match frames.free.last_not_in(start..end) {
            None => {
                frames.free.remove_all(start..end);
                frames.count = left;
                return Ok(Frame(start as u32));
            }
            // Below the taken frame; what is taken below that is skipped at once.
            Some(taken) => end = frames.free.last_in(0..taken).ok_or(OutOfFrames)? + 1,
        }
    }
}

/// Promises free frames to the caller, who takes each by [`take_promised`] or [withdraws](withdraw) the promise.
pub fn promise(length: u64) -> Result<(), OutOfFrames> {
    let mut frames = FRAMES.lock();
    frames.count = frames.count.checked_sub(length).ok_or(OutOfFrames)?;
    frames.promised += length;
    Ok(())
}

/// Ends a promise as far as it was not used.
pub fn withdraw(length: u64) {
    let mut frames = FRAMES.lock();
    frames.promised -= length;
    frames.count += length;
}

/// Takes one of the frames that were promised; its content is arbitrary.
///
/// # Panics
/// If none was.
pub fn take_promised() -> Frame {
    let mut frames = FRAMES.lock();
    frames.promised -= 1;
    match frames.take() {
        Ok(frame) => frame,
        Err(OutOfFrames) => panic!("more frames were promised than are free"),
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
    assert!(frames.free.insert(index), "{frame:?} was given back twice");
    frames.count += 1;
    frames.hint = frames.hint.min(index);
}

/// How many frames are free, those that are promised apart.
pub fn free_count() -> u64 {
    FRAMES.lock().count
}
