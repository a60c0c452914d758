// SPDX-License-Identifier: MIT
//! The page cache: frames with content that never changes, and that all spaces may have in common.
//!
//! What is in the boot archive stays as it is for good. A page of it is copied to a frame once, however many
//! processes and programs of a batch map it; nobody may write that frame ([`CACHED`](super::entry::CACHED)). The
//! cache owns each of its frames. One that nobody else owns is *idle*: it counts as free, and all idle ones are
//! given back when there is no other free frame. So the cache takes memory from nobody.

use super::frame::{self, Frame, OutOfFrames};
use super::local::local;
use super::phys;
use super::sorted::Sorted;

/// The content of a page: zeros, but for some bytes that last.
#[derive(Clone, Copy, Debug)]
pub struct Lasting {
    bytes: &'static [u8],
    offset: usize,
}

/// What tells one content from all others: bytes that last have an address of their own.
type Key = (usize, usize, usize);

impl Lasting {
    /// The page that has `bytes` at `offset`; all of them have to lie in it.
    pub fn new(bytes: &'static [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    fn key(self) -> Key {
        (self.bytes.as_ptr().addr(), self.bytes.len(), self.offset)
    }

    /// Makes it the content of a frame.
    pub(super) fn write(self, to: Frame) {
        phys::clear(to);
        phys::write(to, self.offset, self.bytes);
    }
}

/// A frame that the cache owns.
struct Cached {
    key: Key,
    frame: Frame,
}

local! {
    static CACHE: Sorted<Cached> = Sorted::new();
}

/// An ownership of the frame with this content, if the cache has one or has room for one.
pub(super) fn find(content: Lasting) -> Result<Option<Frame>, OutOfFrames> {
    let key = content.key();
    let known = CACHE.with_borrow_mut(|cache| {
        let place = cache.place(|cached| cached.key < key);
        cache.get(place).filter(|cached| cached.key == key).map(|cached| cached.frame)
    });
    if let Some(known) = known {
        return Ok(frame::share(known).ok().map(|()| known));
    }
    // The cache may have to give frames back for it, so the cache is not looked at meanwhile.
    let new = frame::allocate()?;
    content.write(new);
    let kept = CACHE.with_borrow_mut(|cache| {
        let place = cache.place(|cached| cached.key < key);
        cache.insert(place, Cached { key, frame: new })
    });
    if kept.is_err() {
        frame::release(new);
        return Ok(None);
    }
    frame::keep(new);
    Ok(Some(new))
}

/// Gives back all frames that nobody else owns.
pub(super) fn give_back_idle() {
    CACHE.with_borrow_mut(|cache| cache.retain(|cached| !frame::give_back_idle(cached.frame)));
}
