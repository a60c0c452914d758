// SPDX-License-Identifier: MIT
//! Page frames, and the [database](super::frames) of them that this kernel has.

use core::ops::Range;

use super::frames::{Frames, MAX_FRAMES, Memory, Record};
use super::local::local;
pub use super::phys::region_of;
use super::{layout, page_cache, phys};
use crate::arch::boot::Region;

/// Bytes in a frame.
const FRAME_LEN: u64 = 4096;
/// Bytes of memory that can be used.
const MOST: u64 = MAX_FRAMES as u64 * FRAME_LEN;

/// The name of a page frame, by its number; whoever has it has no access to what lies there by that alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame(u32);

impl Frame {
    /// The first frame, which is nobody's.
    pub const FIRST: Self = Self(0);

    /// The frame at a physical address.
    #[inline]
    pub(super) fn at(address: u64) -> Self {
        Self((address / FRAME_LEN) as u32)
    }

    /// The frame with this number.
    pub(super) fn numbered(index: usize) -> Self {
        Self(index as u32)
    }

    /// The frame's number.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The frame's physical address.
    #[inline]
    pub(super) fn address(self) -> u64 {
        u64::from(self.0) * FRAME_LEN
    }
}

/// Neighbouring frames that belong to whoever has this value; they are never given back.
#[derive(Debug)]
pub struct Run {
    first: Frame,
    length: u64,
}

impl Run {
    pub(super) fn new(first: Frame, length: u64) -> Self {
        Self { first, length }
    }

    /// The first frame, and how many there are.
    pub(super) fn into_parts(self) -> (Frame, u64) {
        (self.first, self.length)
    }
}

/// No frame is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfFrames;

local! {
    static FRAMES: Frames = Frames::none();
}

/// What has become of memory.
pub struct Setup {
    /// Bytes that lie too high to be used.
    pub unused: u64,
    /// Where records of frames are kept.
    records: Region,
}

/// The whole frames of a piece of memory, as far as frames are used.
fn whole(region: &Region) -> Range<usize> {
    let first = region.start.div_ceil(FRAME_LEN) as usize;
    first..first.max((region.end.min(MOST) / FRAME_LEN) as usize)
}

/// All frames that have a part of a piece of memory, as far as frames are used.
fn touched(region: &Region) -> Range<usize> {
    (region.start / FRAME_LEN) as usize..region.end.min(MOST).div_ceil(FRAME_LEN) as usize
}

/// The memory of frames.
fn region(frames: &Range<usize>) -> Region {
    Region { start: frames.start as u64 * FRAME_LEN, end: frames.end as u64 * FRAME_LEN }
}

/// Hands out the whole frames of `memory` from now on, but for those of the kernel's image and of what is
/// [claimed](phys::claim).
pub fn init(memory: &[Region]) -> Result<Setup, OutOfFrames> {
    let claims = phys::close_claims();
    let reserved = || [layout::image()].into_iter().chain(claims.iter().copied());
    let records = FRAMES.with_borrow_mut(|frames| {
        memory.iter().for_each(|region| frames.add(whole(region)));
        reserved().for_each(|region| frames.reserve(touched(&region)));
        let count = memory.iter().map(|region| whole(region).end).max().unwrap_or(0);
        let room = (count * size_of::<Record>()).div_ceil(FRAME_LEN as usize);
        let run = frames.allocate_run(room as u64)?;
        let own = run.first.index()..run.first.index() + room;
        frames.keep_records(&mut run.into_records()[..count]);
        memory.iter().for_each(|region| frames.note_memory(whole(region), Memory::Ram));
        for range in reserved().map(|region| touched(&region)).chain([own.clone()]) {
            frames.note_memory(range, Memory::Reserved);
        }
        Ok(region(&own))
    })?;
    let unused = |region: &Region| region.end.saturating_sub(region.start.max(MOST));
    Ok(Setup { unused: memory.iter().map(unused).sum(), records })
}

/// Leaves so many bytes, side by side, to those who [allocate](allocate), and all other memory to programs, which have
/// it for good: that below the kernel's image, too, and what is `readable` beside memory. Returns what programs do not
/// have, claims apart.
pub fn set_aside(
    length: u64,
    setup: &Setup,
    memory: &[Region],
    readable: impl Iterator<Item = Region>,
) -> Result<[Region; 3], OutOfFrames> {
    let image = layout::boot_and_image();
    let kept = FRAMES.with_borrow_mut(|frames| frames.keep_only(length / FRAME_LEN))?;
    let claims = phys::close_claims();
    let is_used = |frame: usize| {
        let claimed = claims.iter().any(|claim| touched(claim).contains(&frame));
        claimed || touched(&image).contains(&frame)
    };
    FRAMES.with_borrow_mut(|frames| {
        // What the kernel never hands out, but does not need any more.
        let low = whole(&layout::image()).end;
        let low = |region| whole(region).start..whole(region).end.min(low);
        for frame in memory.iter().flat_map(low).filter(|frame| !is_used(*frame)) {
            frames.put_in_use(frame..frame + 1, Memory::Reserved);
        }
        readable.for_each(|region| frames.put_in_use(whole(&region), Memory::Device));
    });
    Ok([image, setup.records, region(&kept)])
}

/// Leaves memory that was claimed to programs, which have it for good; nobody has a reference to it any more.
///
/// # Panics
/// If it does not begin and end where a page does.
pub fn leave_to_programs(memory: &'static mut [u8]) {
    let region = region_of(memory);
    assert!(whole(&region) == touched(&region), "the memory at {:#x} is not whole pages", region.start);
    FRAMES.with_borrow_mut(|frames| frames.put_in_use(whole(&region), Memory::Reserved));
}

/// Has frames; if there are not enough of them, once more when those are free that the page cache can do without.
fn have<T>(work: impl Fn(&mut Frames) -> Result<T, OutOfFrames>) -> Result<T, OutOfFrames> {
    let (had, idle) = FRAMES.with_borrow_mut(|frames| (work(frames), frames.idle_count()));
    if had.is_err() && idle > 0 {
        page_cache::give_back_idle();
        return FRAMES.with_borrow_mut(work);
    }
    had
}

/// Takes a free frame; its content is arbitrary.
pub fn allocate() -> Result<Frame, OutOfFrames> {
    have(Frames::allocate)
}

/// Takes neighbouring frames for good, from the highest addresses down.
pub fn allocate_run(length: u64) -> Result<Run, OutOfFrames> {
    have(|frames| frames.allocate_run(length))
}

/// Promises free frames to the caller, who takes each by [`take_promised`] or [withdraws](withdraw) the promise.
pub fn promise(length: u64) -> Result<(), OutOfFrames> {
    have(|frames| frames.promise(length))
}

/// Ends a promise as far as it was not used.
pub fn withdraw(length: u64) {
    FRAMES.with_borrow_mut(|frames| frames.withdraw(length));
}

/// Takes one of the frames that were promised; its content is arbitrary.
///
/// # Panics
/// If none was.
pub fn take_promised() -> Frame {
    FRAMES.with_borrow_mut(Frames::take_promised)
}

/// Adds an owner to a frame that is in use: it has to be released once more.
pub fn share(frame: Frame) -> Result<(), OutOfFrames> {
    FRAMES.with_borrow_mut(|frames| frames.share(frame))
}

/// Adds the page cache to the owners of a frame that has one.
pub(super) fn keep(frame: Frame) {
    FRAMES.with_borrow_mut(|frames| frames.keep(frame));
}

/// Gives back a frame that nobody but the page cache owns; returns whether it was such a one.
pub(super) fn give_back_idle(frame: Frame) -> bool {
    FRAMES.with_borrow_mut(|frames| frames.give_back_idle(frame))
}

/// The number of a frame that somebody owns, by which it is [shared](share_numbered) as long as that is so.
pub(super) fn number(frame: Frame) -> u64 {
    FRAMES.with_borrow_mut(|frames| frames.number(frame))
}

/// Adds an owner to the frame of a number that was told, if it is memory that somebody owns.
pub(super) fn share_numbered(number: u64) -> Option<Frame> {
    FRAMES.with_borrow_mut(|frames| frames.share_numbered(number))
}

/// Whether a frame has more than one owner.
pub fn is_shared(frame: Frame) -> bool {
    FRAMES.with_borrow_mut(|frames| frames.owners(frame)) > 1
}

/// Releases a frame; it is free when its last owner does.
///
/// # Panics
/// If it is free already.
pub fn release(frame: Frame) {
    FRAMES.with_borrow_mut(|frames| frames.release(frame));
}

/// A tracker has a place in a page table from now on: the table stays where it is.
pub(super) fn hold(table: Frame) {
    FRAMES.with_borrow_mut(|frames| frames.hold(table));
}

/// A tracker has a place in a page table no more.
pub(super) fn let_go(table: Frame) {
    FRAMES.with_borrow_mut(|frames| frames.let_go(table));
}

/// What kind of memory a frame is.
pub fn memory(frame: Frame) -> Memory {
    FRAMES.with_borrow_mut(|frames| frames.memory(frame))
}

/// Whether the frame of a number is no memory that is known of.
pub fn is_device(number: u64) -> bool {
    FRAMES.with_borrow_mut(|frames| frames.is_device(number))
}

/// What tells whether somebody has changed a shared frame since: it moves with each [`touch`].
pub fn generation(frame: Frame) -> u64 {
    FRAMES.with_borrow_mut(|frames| frames.generation(frame))
}

/// Notes that a frame was changed by a commit, by the kernel or by a device, for all who share it; returns
/// its generation.
pub fn touch(frame: Frame) -> u64 {
    FRAMES.with_borrow_mut(|frames| frames.touch(frame))
}

/// How many owners all frames have together.
pub fn all_owners() -> u64 {
    FRAMES.with_borrow_mut(|frames| frames.all_owners())
}

/// How many frames are free, those that are promised apart.
pub fn free_count() -> u64 {
    FRAMES.with_borrow_mut(|frames| frames.free_count())
}
