// SPDX-License-Identifier: MIT
//! The entries of all written sets of a processor, each with its frames, in lists, and found by home.
//!
//! A list is walked by its length and has to end there: a link or a length that is not
//! what it was stops the kernel, and passes over no page.

use alloc::vec::Vec;

use crate::execution::Run;
use crate::machine::{Memory, Page};

/// No entry.
const NONE: u16 = u16::MAX;

/// A page of a written set. Which frames there are beside its home, and which is for what,
/// is for the [placement](crate::placement) to say.
pub struct Entry<F, S> {
    /// The page, mapped to its home.
    pub page: Page<F, S>,
    /// Frames beside the home.
    pub frames: [F; 3],
    /// How many of them there are; they stay with the entry, whosever it is.
    supplied: u8,
    /// Whether a run wrote it, as far as is known, or a flip hit it.
    pub written: bool,
    /// PEs in a row that did not write it.
    pub idle: u8,
    /// Whether it is resting, and in the list of all pages only.
    pub resting: bool,
    /// The tracker whose page it is.
    owner: u32,
    /// The next entry in each list that it is in.
    next: [u16; 2],
    /// The next entry whose home belongs in the same place of the index.
    chain: u16,
    /// The first entry whose home belongs in this place of the index.
    head: u16,
    /// How many of its last PEs did not write it, for each thread, by its number modulo 32: two bits, both set where it
    /// is not expected to any more.
    pub unwritten: u64,
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
        Self {
            page: Page { address: 0, frame, slot, writable: false, open: false, shared: false },
            frames: [frame; 3],
            supplied: 0,
            written: false,
            idle: 0,
            resting: true,
            owner: 0,
            next: [NONE; 2],
            chain: NONE,
            head: NONE,
            unwritten: u64::MAX,
            generation: 0,
            hash: 0,
            hashes: [0; Run::ALL.len()],
        }
    }
}

impl<F, S> Entry<F, S> {
    /// The frames that there are beside the home.
    pub fn copies(&self) -> &[F] {
        &self.frames[..usize::from(self.supplied)]
    }
}

/// Some entries, one after the other, by one of their links: an entry is in two lists at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List<const LINK: usize> {
    /// The first one.
    pub first: u16,
    /// The last one.
    pub last: u16,
    /// How many there are.
    pub len: u16,
}

/// All pages of a tracker, or all vacant entries.
pub type All = List<0>;
/// The open pages of a tracker.
pub type Open = List<1>;

impl<const LINK: usize> List<LINK> {
    /// No entries.
    pub const EMPTY: Self = Self { first: NONE, last: NONE, len: 0 };

    /// The entry behind another one.
    #[inline(always)]
    pub(crate) fn behind<F, S>(entry: &Entry<F, S>) -> u16 {
        entry.next[LINK]
    }

    /// Where a walk over a list ends.
    #[inline(always)]
    pub(crate) fn end(at: u16) {
        assert!(at == NONE, "a list of pages is longer than it was");
    }

    /// Puts an entry at the end.
    pub(crate) fn push<F, S>(&mut self, entries: &mut [Entry<F, S>], index: u16) {
        entries[usize::from(index)].next[LINK] = NONE;
        match entries.get_mut(usize::from(self.last)) {
            Some(last) => last.next[LINK] = index,
            None => self.first = index,
        }
        (self.last, self.len) = (index, self.len + 1);
    }

    /// Takes the entry between two others out, which is the first one or the last one if there are none.
    pub(crate) fn cut<F, S>(&mut self, entries: &mut [Entry<F, S>], before: Option<u16>, behind: u16) {
        match before {
            Some(before) => entries[usize::from(before)].next[LINK] = behind,
            None => self.first = behind,
        }
        if behind == NONE {
            self.last = before.unwrap_or(NONE);
        }
        self.len -= 1;
    }

    /// All entries.
    pub(crate) fn iter<F, S>(self, entries: &[Entry<F, S>]) -> impl Iterator<Item = &Entry<F, S>> {
        let mut at = self.first;
        (0..self.len).map(move |_| {
            let entry = &entries[usize::from(at)];
            at = Self::behind(entry);
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
            at = crate::pool::Open::behind($entry);
            $work
        }
        crate::pool::Open::end(at);
    }};
}
pub(crate) use each;

/// A processor's entries.
pub struct Pool<F, S> {
    /// All of them.
    pub entries: Vec<Entry<F, S>>,
    /// The first vacant one: those come first that have frames.
    free: u16,
    /// How many are in no use.
    pub vacant: usize,
}

/// A machine, and the entries for its pages.
pub struct Pages<'a, M: Memory> {
    pub(crate) machine: &'a mut M,
    pub(crate) pool: &'a mut Pool<M::Frame, M::Slot>,
}

impl<F: Copy + Eq, S: Copy> Pool<F, S> {
    /// A pool of vacant entries.
    ///
    /// # Panics
    /// If their number is no power of two below 2^16.
    pub fn new(mut entries: Vec<Entry<F, S>>) -> Self {
        let (count, mut free) = (entries.len(), All::EMPTY);
        assert!(count.is_power_of_two() && count < usize::from(NONE));
        (0..count).for_each(|index| free.push(&mut entries, index as u16));
        Self { entries, free: free.first, vacant: count }
    }

    fn place<M: Memory<Frame = F>>(&self, home: F) -> usize {
        M::number(home) & (self.entries.len() - 1)
    }

    /// The entry of a tracker's page, by its home.
    pub(crate) fn find<M: Memory<Frame = F>>(&self, owner: u32, home: F) -> Option<u16> {
        let mut at = self.entries[self.place::<M>(home)].head;
        while let Some(entry) = self.entries.get(usize::from(at)) {
            if entry.page.frame == home && entry.owner == owner {
                return Some(at);
            }
            at = entry.chain;
        }
        None
    }

    /// Takes an entry for a tracker's page, with so many frames beside the home.
    pub(crate) fn take<M: Memory<Frame = F, Slot = S>>(
        &mut self,
        machine: &mut M,
        owner: u32,
        page: Page<F, S>,
        frames: usize,
    ) -> Option<u16> {
        let (index, place) = (self.free, self.place::<M>(page.frame));
        let entry = self.entries.get_mut(usize::from(index))?;
        while usize::from(entry.supplied) < frames {
            entry.frames[usize::from(entry.supplied)] = machine.allocate()?;
            entry.supplied += 1;
        }
        (self.free, self.vacant) = (All::behind(entry), self.vacant - 1);
        let Entry { frames, supplied, head, .. } = *entry;
        *entry = Entry { page, frames, supplied, owner, head, ..Entry::vacant(page.frame, page.slot) };
        let chain = core::mem::replace(&mut self.entries[place].head, index);
        self.entries[usize::from(index)].chain = chain;
        Some(index)
    }

    /// Puts an entry back that is in no list any more.
    pub(crate) fn put<M: Memory<Frame = F>>(&mut self, index: u16) {
        let Entry { page, chain, .. } = self.entries[usize::from(index)];
        let place = self.place::<M>(page.frame);
        let mut link = &mut self.entries[place].head;
        while *link != index {
            let at = usize::from(*link);
            link = &mut self.entries[at].chain;
        }
        *link = chain;
        self.entries[usize::from(index)].next = [self.free, NONE];
        (self.free, self.vacant) = (index, self.vacant + 1);
    }

    /// Gives the frames of vacant entries back; they get others when they are taken.
    pub fn give_back<M: Memory<Frame = F>>(&mut self, machine: &mut M) {
        let mut at = self.free;
        for _ in 0..self.vacant {
            let entry = &mut self.entries[usize::from(at)];
            entry.copies().iter().for_each(|frame| machine.release(*frame));
            entry.supplied = 0;
            at = All::behind(entry);
        }
        All::end(at);
    }

    /// Gives the frames of all entries back.
    ///
    /// # Panics
    /// If an entry is in use.
    pub fn drain<M: Memory<Frame = F>>(&mut self, machine: &mut M) {
        assert!(self.vacant == self.entries.len(), "pages of a written set are still there");
        self.give_back(machine);
    }
}
