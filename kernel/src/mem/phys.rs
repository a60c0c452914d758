// SPDX-License-Identifier: MIT
//! The direct map: all physical memory at one constant distance.

use pages::{PAGE_LEN, Page};

use super::frame::Frame;
use crate::arch::boot::Region;

pub use crate::arch::map::{DIRECT_MAP, pointer};

/// A piece of physical memory as a slice.
///
/// # Safety
/// It must be memory that the direct map covers, initialised as far as anyone
/// cares, and nobody else may use it while the slice lives.
unsafe fn slice_mut(start: u64, length: u64) -> &'static mut [u8] {
    // SAFETY: passed on to the caller; bytes have no alignment and no invalid values.
    unsafe { core::slice::from_raw_parts_mut(pointer(start), length as usize) }
}

/// Works on the content of a frame.
///
/// # Panics
/// Never; but `with` must not be nested for the same frame.
pub fn with<R>(frame: Frame, work: impl FnOnce(&mut Page) -> R) -> R {
    // SAFETY: frames are whole pages inside the direct map (the allocator hands out
    // nothing else), the kernel has one thread, and user code does not run now.
    // Nested use of one frame is ruled out by the callers: `with2` asserts it.
    work(unsafe { &mut *pointer::<Page>(frame.address()) })
}

/// Works on the contents of two different frames.
///
/// # Panics
/// If they are the same.
pub fn with2<R>(a: Frame, b: Frame, work: impl FnOnce(&mut Page, &mut Page) -> R) -> R {
    assert!(a != b, "two different frames are needed");
    // SAFETY: as in `with`; the frames differ, so the references do not overlap.
    work(unsafe { &mut *pointer::<Page>(a.address()) }, unsafe { &mut *pointer::<Page>(b.address()) })
}

/// Works on the contents of three different frames.
///
/// # Panics
/// If two of them are the same.
pub fn with3<R>(a: Frame, b: Frame, c: Frame, work: impl FnOnce(&mut Page, &mut Page, &mut Page) -> R) -> R {
    assert!(a != c && b != c, "three different frames are needed");
    // SAFETY: as in `with`; the third frame differs from those that `with2` takes.
    with2(a, b, |a, b| work(a, b, unsafe { &mut *pointer::<Page>(c.address()) }))
}

/// Fills a frame with zeros.
pub fn clear(frame: Frame) {
    with(frame, |page| *page = [0; PAGE_LEN]);
}

/// The boot archive, for good.
pub fn archive(region: Region) -> &'static [u8] {
    // SAFETY: the boot loader put it there; `main` reserves its frames before any
    // frame is handed out, so nobody else uses it.
    unsafe { slice_mut(region.start, region.end - region.start) }
}

/// The channel's memory, for good.
pub fn channel(region: Region) -> &'static mut [u8] {
    // SAFETY: `main` has reserved its frames and calls this once.
    unsafe { slice_mut(region.start, region.end - region.start) }
}
