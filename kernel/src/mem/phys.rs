// SPDX-License-Identifier: MIT
//! The direct map: all physical memory at one constant distance.
//!
//! A [`Frame`] is a name. What lies in a frame is copied in and out by the functions here, and each of
//! them makes its references for itself: none leaves it, and none calls anything that could come back
//! while it holds one. So no two references to one frame ever exist, whoever calls what (decision 0017).
//! Memory that is to be a Rust object for good is handed out once, as a value: a [claim](claim) before
//! there are frames, or a [`Run`] of them.

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrayvec::ArrayVec;
use pages::{PAGE_LEN, Page, Primitives};
use spin::Mutex;

use super::entry::Entry;
use super::frame::{Frame, Run};
use super::frames::Record;
use super::layout;
use crate::arch::boot::Region;
use crate::arch::cache;

pub use crate::arch::map::DIRECT_MAP;
use crate::arch::map::pointer;

/// Pieces of memory that are claimed: the boot archive and the channel.
const CLAIMS: usize = 2;

/// The content of a frame.
///
/// # Safety
/// No other reference to the frame's content may exist as long as this one does.
#[inline(always)]
unsafe fn page<'a>(frame: Frame) -> &'a mut Page {
    // SAFETY: frames are whole pages inside the direct map, and bytes have no invalid values. That
    // the reference is the only one is passed on to the caller.
    unsafe { &mut *pointer::<Page>(frame.address()) }
}

/// The contents of two different frames.
///
/// # Safety
/// As for [`page`], for both frames.
#[inline(always)]
unsafe fn two<'a>(a: Frame, b: Frame) -> (&'a mut Page, &'a mut Page) {
    assert!(a != b, "two different frames are needed");
    // SAFETY: passed on to the caller; the frames differ, so the references do not overlap.
    unsafe { (page(a), page(b)) }
}

/// Copies what is at `offset`; all of it has to lie in the page.
#[inline]
pub fn read(frame: Frame, offset: usize, into: &mut [u8]) {
    // SAFETY: the reference ends here; `into` lies in no frame, as there are no references into frames.
    into.copy_from_slice(unsafe { &page(frame)[offset..offset + into.len()] });
}

/// Writes at `offset`; all of it has to lie in the page.
#[inline]
pub fn write(frame: Frame, offset: usize, from: &[u8]) {
    // SAFETY: the reference ends here; `from` lies in no frame, as there are no references into frames.
    unsafe { page(frame)[offset..offset + from.len()].copy_from_slice(from) };
}

/// Changes a byte by exclusive or.
pub fn flip(frame: Frame, offset: usize, mask: u8) {
    // SAFETY: the reference ends here.
    unsafe { page(frame)[offset] ^= mask };
}

/// Fills a frame with zeros.
pub fn clear(frame: Frame) {
    // SAFETY: the reference ends here.
    unsafe { *page(frame) = [0; PAGE_LEN] };
}

/// Copies a frame to another one.
pub fn copy(from: Frame, to: Frame) {
    // SAFETY: both references end here.
    let (from, to) = unsafe { two(from, to) };
    *to = *from;
}

/// Copies a frame to another one as the engine does.
#[inline(always)]
pub fn copy_by(by: &Primitives, from: Frame, to: Frame) {
    // SAFETY: both references end here; the primitives work on what they are given, and on nothing else.
    let (from, to) = unsafe { two(from, to) };
    by.copy(from, to);
}

/// Copies `a` to `to` and returns whether `a` and `b` are equal.
#[inline(always)]
pub fn compare_and_copy(by: &Primitives, a: Frame, b: Frame, to: Frame) -> bool {
    assert!(a != to && b != to, "three different frames are needed");
    // SAFETY: all three references end here, and the frames differ: `two` looks at the first pair.
    let ((a, b), to) = unsafe { (two(a, b), page(to)) };
    by.compare_and_copy(a, b, to)
}

/// Whether two frames are equal.
#[inline(always)]
pub fn equal(by: &Primitives, a: Frame, b: Frame) -> bool {
    // SAFETY: both references end here.
    let (a, b) = unsafe { two(a, b) };
    by.equal(a, b)
}

/// The hash of a frame.
pub fn hash(by: &Primitives, frame: Frame) -> u128 {
    // SAFETY: the reference ends here.
    by.hash(unsafe { page(frame) })
}

/// Where two frames differ first.
pub fn first_difference(by: &Primitives, a: Frame, b: Frame) -> Option<u16> {
    // SAFETY: both references end here.
    let (a, b) = unsafe { two(a, b) };
    by.first_difference(a, b)
}

/// Flushes a frame's lines out of all caches; returns how many.
pub fn flush_lines(frame: Frame) -> u64 {
    // SAFETY: the reference ends here; a flush changes nothing.
    cache::flush_page(unsafe { page(frame) })
}

/// Where an entry of a page table lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Where the direct map has the entry.
    place: u64,
}

impl Slot {
    /// The slot of entry `index`, of 512, in a table.
    #[inline]
    pub(super) fn new(table: Frame, index: u16) -> Self {
        Self { place: DIRECT_MAP + table.address() + u64::from(index % 512) * 8 }
    }

    /// The slot's number among all of memory, which takes less room.
    pub(super) fn number(self) -> u32 {
        ((self.place - DIRECT_MAP) / 8) as u32
    }

    /// A slot in which nothing is ever sought.
    pub fn nowhere() -> Self {
        Self::numbered(0)
    }

    /// The slot with this [number](Self::number).
    pub(super) fn numbered(number: u32) -> Self {
        Self { place: DIRECT_MAP + u64::from(number) * 8 }
    }

    /// The table.
    pub(super) fn table(self) -> Frame {
        Frame::at(self.place - DIRECT_MAP)
    }

    /// The entry, as it is now.
    #[inline(always)]
    pub(super) fn entry(self) -> Entry {
        Entry::from_bits(self.word().load(Ordering::Relaxed))
    }

    /// Replaces the entry; whoever makes a used one of an unused one, or the other way round, counts that.
    #[inline(always)]
    pub(super) fn set(self, entry: Entry) {
        // What the processor makes of a user's half is that space's own matter; the kernel's half is
        // written while it is made, in `layout`, and in its window to devices.
        self.word().store(entry.bits(), Ordering::Relaxed);
    }

    /// The entry in memory: the processor sets bits in tables by itself.
    #[inline(always)]
    fn word(self) -> &'static AtomicU64 {
        // SAFETY: the slot lies in a frame, aligned, which is mapped for good; there are no references into
        // frames but these, by which all entries are reached.
        unsafe { AtomicU64::from_ptr(self.place as *mut u64) }
    }
}

/// The pieces of memory that have been claimed.
static CLAIMED: Mutex<ArrayVec<Region, CLAIMS>> = Mutex::new(ArrayVec::new_const());
/// Whether frames are handed out: nothing can be claimed any more then.
static CLOSED: AtomicBool = AtomicBool::new(false);

fn overlap(a: Region, b: Region) -> bool {
    a.start < b.end && b.start < a.end
}

/// Whether a piece of memory is the kernel's code and data or claimed, in part at least.
fn is_used(claimed: &[Region], region: Region) -> bool {
    claimed.iter().chain([&layout::code_and_data()]).any(|other| overlap(region, *other))
}

/// Clears a piece of memory before frames are handed out, unless a part of it is used.
///
/// # Panics
/// If it is too late.
pub fn clear_unused(region: Region) {
    assert!(!CLOSED.load(Ordering::Relaxed), "memory is cleared that may be somebody's frame");
    if !is_used(&CLAIMED.lock(), region) && region.start < region.end {
        // SAFETY: the direct map covers it, and it is nobody's: it is not claimed, and frames are not
        // handed out yet. Any bytes are valid.
        unsafe { pointer::<u8>(region.start).write_bytes(0, (region.end - region.start) as usize) };
    }
}

/// Takes a piece of memory for good, before frames are handed out.
///
/// # Panics
/// If the piece is the kernel's code and data or claimed already, in part at least, or if it is too late.
pub fn claim(region: Region) -> &'static mut [u8] {
    assert!(!CLOSED.load(Ordering::Relaxed), "memory is claimed that may be somebody's frame");
    let mut claimed = CLAIMED.lock();
    let is_used = is_used(&claimed, region);
    assert!(region.start <= region.end && !is_used, "the memory at {:#x} is in use", region.start);
    claimed.push(region);
    // SAFETY: the direct map covers it, and it is nobody else's: no other claim has any of it, and no
    // frame of it will be handed out, since whoever closes the claims sets them aside.
    unsafe { core::slice::from_raw_parts_mut(pointer(region.start), (region.end - region.start) as usize) }
}

/// Ends the time of claims; returns them.
pub fn close_claims() -> ArrayVec<Region, CLAIMS> {
    CLOSED.store(true, Ordering::Relaxed);
    CLAIMED.lock().clone()
}

/// Where memory lies that was claimed.
pub fn region_of(memory: &[u8]) -> Region {
    let start = memory.as_ptr().addr() as u64 - DIRECT_MAP;
    Region { start, end: start + memory.len() as u64 }
}

/// The memory of a run of frames, for good.
///
/// # Safety
/// What the memory holds must be a valid `T`, over and over.
unsafe fn forever<T>(run: Run) -> &'static mut [T] {
    let (first, count) = run.into_parts();
    let length = count as usize * PAGE_LEN / size_of::<T>();
    // SAFETY: the frames lie side by side in the direct map, page-aligned, and belonged to the run alone;
    // they are never given back, as the run is gone. That the values are valid is passed on to the caller.
    unsafe { core::slice::from_raw_parts_mut(pointer(first.address()), length) }
}

impl Run {
    /// The run's memory, for good.
    pub fn into_memory(self) -> &'static mut [MaybeUninit<u8>] {
        // SAFETY: no byte has to hold anything.
        unsafe { forever(self) }
    }

    /// The run's memory as records of frames of which nothing is known, for good.
    pub fn into_records(self) -> &'static mut [Record] {
        // SAFETY: no record has to hold anything before it is written.
        let memory = unsafe { forever::<MaybeUninit<Record>>(self) };
        for record in &mut *memory {
            record.write(Record::UNKNOWN);
        }
        // SAFETY: all of it has just been written.
        unsafe { memory.assume_init_mut() }
    }
}
