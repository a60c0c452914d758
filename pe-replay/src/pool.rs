// SPDX-License-Identifier: MIT
//! The entries of all written sets of a processor, in lists, and found by frame.
//!
//! A list is walked by its length and has to end there: a link or a length that is not
//! what it was stops the kernel, and passes over no page.

use alloc::vec::Vec;

use crate::events::{Counted, Pages};
use crate::execution::Run;
use crate::machine::{Machine, Memory, Page};

/// No entry.
const NONE: u16 = u16::MAX;

/// A page of a written set. Which frames there are beside its home, and which is for what,
/// is for the [placement](crate::placement) to say.
pub struct Entry<F, S> {
    /// The page, mapped to its home.
    pub page: Page<F, S>,
    /// Frames beside the home.
    pub frames: [F; 3],
    /// Whether a run wrote it, as far as is known, or a flip hit it.
    pub written: bool,
    /// PEs in a row that did not write it.
    pub idle: u8,
    /// Whether it is resting.
    pub resting: bool,
    /// Whether the process may write the page and nobody else writes its home.
    pub(crate) plain: bool,
    /// The tracker whose page it is.
    owner: u32,
    next: u16,
    before: u16,
    /// The next entry whose home belongs in the same place of the index.
    chain: u16,
    /// The first entry whose home belongs in this place of the index.
    head: u16,
    /// The threads, by their number modulo 32, that are expected to write it.
    pub predicted: u32,
    /// The generation of the home that the copies are of.
    pub generation: u64,
    /// The hash of PM0.
    pub hash: u128,
    /// The hash after each run.
    pub hashes: [u128; Run::ALL.len()],
}

impl<F: Copy, S: Copy> Entry<F, S> {
    /// An entry that is in no use; the frame and the slot may be any.
    pub fn vacant(frame: F, slot: S) -> Self {
        let page = Page { address: 0, frame, slot, writable: false, open: false, shared: false };
        Self {
            page,
            frames: [frame; 3],
            written: false,
            idle: 0,
            resting: false,
            plain: true,
            owner: 0,
            next: NONE,
            before: NONE,
            chain: NONE,
            head: NONE,
            predicted: 0,
            generation: 0,
            hash: 0,
            hashes: [0; Run::ALL.len()],
        }
    }
}

/// Some entries, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    /// The first one.
    pub first: u16,
    /// The last one.
    pub last: u16,
    /// How many there are.
    pub len: u16,
}

impl List {
    /// No entries.
    pub const EMPTY: Self = Self { first: NONE, last: NONE, len: 0 };

    /// Where a walk over a list ends.
    #[inline(always)]
    pub(crate) fn end(at: u16) {
        assert!(at == NONE, "a list of pages is longer than it was");
    }

    pub(crate) fn push<F, S>(&mut self, entries: &mut [Entry<F, S>], index: u16) {
        let entry = &mut entries[usize::from(index)];
        (entry.next, entry.before) = (NONE, self.last);
        match self.last {
            NONE => self.first = index,
            last => entries[usize::from(last)].next = index,
        }
        self.last = index;
        self.len += 1;
    }

    pub(crate) fn remove<F, S>(&mut self, entries: &mut [Entry<F, S>], index: u16) {
        let Entry { next, before, .. } = entries[usize::from(index)];
        match before {
            NONE => self.first = next,
            before => entries[usize::from(before)].next = next,
        }
        match next {
            NONE => self.last = before,
            next => entries[usize::from(next)].before = before,
        }
        self.len -= 1;
    }

    /// Takes out those for which `goes` holds.
    pub(crate) fn split<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        mut goes: impl FnMut(&mut Counted<M>, &mut Entry<M::Frame, M::Slot>) -> bool,
    ) -> Self {
        let mut gone = Self::EMPTY;
        let mut at = self.first;
        for _ in 0..self.len {
            let entry = &mut pages.pool.entries[usize::from(at)];
            let (index, next) = (at, entry.next);
            if goes(&mut pages.counted, entry) {
                self.remove(&mut pages.pool.entries, index);
                gone.push(&mut pages.pool.entries, index);
            }
            at = next;
        }
        Self::end(at);
        gone
    }

    /// All entries.
    pub(crate) fn iter<F, S>(self, entries: &[Entry<F, S>]) -> impl Iterator<Item = &Entry<F, S>> {
        let mut at = self.first;
        (0..self.len).map(move |_| {
            let entry = &entries[usize::from(at)];
            at = entry.next;
            entry
        })
    }
}

/// Does something with each entry of a list. A macro, since the entries and all else are borrowed apart.
macro_rules! each {
    ($list:expr, $pool:expr, $entry:ident => $work:expr) => {{
        let mut at = $list.first;
        let entries = &mut $pool.entries[..];
        for _ in 0..$list.len {
            let $entry = &mut entries[usize::from(at)];
            at = $entry.next();
            $work
        }
        crate::pool::List::end(at);
    }};
}
pub(crate) use each;

impl<F, S> Entry<F, S> {
    #[inline(always)]
    pub(crate) fn next(&self) -> u16 {
        self.next
    }
}

/// A processor's entries.
pub struct Pool<F, S> {
    /// All of them.
    pub entries: Vec<Entry<F, S>>,
    free: List,
    /// The tracker that had a PE last, and its thread, in one number: should another one come, what it keeps
    /// may be out of date.
    pub(crate) running: u64,
}

impl<F: Copy + Eq, S: Copy> Pool<F, S> {
    /// A pool of vacant entries.
    ///
    /// # Panics
    /// If their number is no power of two below 2^16.
    pub fn new(entries: Vec<Entry<F, S>>) -> Self {
        assert!(entries.len().is_power_of_two() && entries.len() < usize::from(NONE));
        let mut pool = Self { entries, free: List::EMPTY, running: u64::MAX };
        for index in 0..pool.entries.len() {
            pool.free.push(&mut pool.entries, index as u16);
        }
        pool
    }

    /// How many entries are in no use.
    pub fn vacant(&self) -> usize {
        self.free.len.into()
    }

    fn place<M: Memory<Frame = F>>(&self, home: F) -> usize {
        M::number(home) & (self.entries.len() - 1)
    }

    /// The entry of a tracker's page, by its home.
    pub(crate) fn find<M: Memory<Frame = F>>(&self, owner: u32, home: F) -> Option<u16> {
        let mut at = self.entries[self.place::<M>(home)].head;
        while at != NONE {
            let entry = &self.entries[usize::from(at)];
            if entry.page.frame == home && entry.owner == owner {
                return Some(at);
            }
            at = entry.chain;
        }
        None
    }

    /// Takes an entry for a page, mapped to its home.
    pub(crate) fn take<M: Memory<Frame = F>>(
        &mut self,
        owner: u32,
        page: Page<F, S>,
        frames: [F; 3],
    ) -> Option<u16> {
        let index = self.free.first;
        if index == NONE {
            return None;
        }
        self.free.remove(&mut self.entries, index);
        let place = self.place::<M>(page.frame);
        let head = core::mem::replace(&mut self.entries[place].head, index);
        let entry = &mut self.entries[usize::from(index)];
        (entry.page, entry.frames, entry.owner, entry.chain) = (page, frames, owner, head);
        (entry.written, entry.idle, entry.resting, entry.predicted) = (true, 0, false, 0);
        Some(index)
    }

    /// Puts an entry back that is in no list any more.
    pub(crate) fn put<M: Memory<Frame = F>>(&mut self, index: u16) {
        let Entry { page, chain, .. } = self.entries[usize::from(index)];
        let place = self.place::<M>(page.frame);
        if self.entries[place].head == index {
            self.entries[place].head = chain;
        } else {
            let mut at = self.entries[place].head;
            while self.entries[usize::from(at)].chain != index {
                at = self.entries[usize::from(at)].chain;
            }
            self.entries[usize::from(at)].chain = chain;
        }
        self.free.push(&mut self.entries, index);
    }
}
