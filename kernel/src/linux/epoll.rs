// SPDX-License-Identifier: MIT
//! What one `epoll` looks at, and what of that is to be told.
//!
//! An entry is of an open description and of the number that it had when it was added, and
//! goes with the last descriptor of that description. What is told once only, by its flag,
//! is told again when something has happened since.

use alloc::vec::Vec;
use core::cell::Cell;

use linux_raw_sys::general::{EPOLLET, EPOLLONESHOT, POLLERR, POLLHUP};

use super::descriptor::Object;
use super::errno::{EEXIST, ENOENT, Errno};
use crate::mem::fallible;
use crate::object::table::{Table, name};

name! {
    /// Names an `epoll`.
    EpollId
}

/// An open description that is looked at.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The number of its descriptor.
    pub fd: i32,
    /// What tells the description from all others.
    pub identity: u64,
    /// Where it leads.
    pub object: Object,
    /// Its access mode.
    pub mode: u32,
    /// What is to be told, `EPOLL...`.
    pub events: u32,
    /// What the program wants to be told with it.
    pub data: u64,
    /// It was told of, and is not any more.
    is_disabled: bool,
    /// What had happened when it was told of last.
    told: Option<[u64; 2]>,
}

impl Entry {
    /// An entry that was never told of.
    pub fn new(
        (fd, identity): (i32, u64),
        (object, mode): (Object, u32),
        (events, data): (u32, u64),
    ) -> Self {
        Self { fd, identity, object, mode, events, data, is_disabled: false, told: None }
    }

    /// What is to be told of an entry that is ready so, of which so much has happened.
    fn news(&self, ready: u32, changes: [u64; 2]) -> u32 {
        let seen = ready & (self.events | POLLERR | POLLHUP);
        let is_new = self.events & EPOLLET == 0 || self.told != Some(changes);
        if is_new && !self.is_disabled { seen } else { 0 }
    }

    /// It is told of now.
    fn tell(&mut self, changes: [u64; 2]) {
        self.told = Some(changes);
        self.is_disabled = self.events & EPOLLONESHOT != 0;
    }
}

/// What was seen of an `epoll` in one look at it, or at others that look at it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Which look that was; the first one is 1.
    pub look: u64,
    /// Whether anything is to be told.
    pub has_news: bool,
    /// How much has happened to all that it looks at.
    pub changes: u64,
}

/// In how many others an `epoll` is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// As long as those of all `epoll`s stand like this; the first such number is 1.
    pub nests: u64,
    /// So many, one in the other.
    pub depth: usize,
}

/// What one `epoll` looks at.
#[derive(Default)]
pub struct Epoll {
    /// By number and identity.
    entries: Vec<Entry>,
    /// Where to look first the next time: who was told of comes last.
    next: usize,
    /// What was seen last.
    seen: Cell<Seen>,
    /// What looks at it, as far as that is known.
    around: Cell<Around>,
}

/// All of them.
pub type Epolls = Table<EpollId, Epoll>;

impl Epoll {
    fn find(&self, fd: i32, identity: u64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&(fd, identity), |entry| (entry.fd, entry.identity))
    }

    /// Looks at one more description.
    pub fn add(&mut self, entry: Entry) -> Result<(), Errno> {
        match self.find(entry.fd, entry.identity) {
            Ok(_) => Err(EEXIST),
            Err(index) => Ok(fallible::insert(&mut self.entries, index, entry)?),
        }
    }

    /// Looks at a description in another way.
    pub fn change(&mut self, entry: Entry) -> Result<(), Errno> {
        let index = self.find(entry.fd, entry.identity).map_err(|_| ENOENT)?;
        self.entries[index] = entry;
        Ok(())
    }

    /// Looks at a description no more.
    pub fn remove(&mut self, fd: i32, identity: u64) -> Result<(), Errno> {
        let index = self.find(fd, identity).map_err(|_| ENOENT)?;
        self.entries.remove(index);
        Ok(())
    }

    /// The last descriptor of a description has been closed.
    pub fn forget(&mut self, identity: u64) {
        self.entries.retain(|entry| entry.identity != identity);
    }

    /// What was seen in this look, if it was looked at.
    pub fn seen_in(&self, look: u64) -> Option<Seen> {
        Some(self.seen.get()).filter(|seen| seen.look == look)
    }

    /// Notes down what is seen.
    pub fn note(&self, seen: Seen) {
        self.seen.set(seen);
    }

    /// In how many others it is, if that is known of how these stand.
    pub fn around_in(&self, nests: u64) -> Option<usize> {
        Some(self.around.get()).filter(|around| around.nests == nests).map(|around| around.depth)
    }

    /// Notes down in how many others it is.
    pub fn note_around(&self, around: Around) {
        self.around.set(around);
    }

    /// All that it looks at.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        self.entries.iter().map(|entry| entry.object)
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// The entry that is the `nth` to be looked at now.
    pub fn nth(&self, nth: usize) -> Entry {
        self.entries[(self.next + nth) % self.entries.len()]
    }

    /// What is to be told of the `nth` entry, which is ready so, and of which so much has happened.
    pub fn news(&self, nth: usize, ready: u32, changes: [u64; 2]) -> u32 {
        self.nth(nth).news(ready, changes)
    }

    /// The `nth` entry is told of.
    pub fn tell(&mut self, nth: usize, changes: [u64; 2]) {
        let index = (self.next + nth) % self.entries.len();
        self.entries[index].tell(changes);
    }

    /// The first `looked_at` entries have had their turn.
    pub fn turn(&mut self, looked_at: usize) {
        if !self.entries.is_empty() {
            self.next = (self.next + looked_at) % self.entries.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use linux_raw_sys::general::{POLLIN, POLLOUT};

    use super::*;

    fn entry(fd: i32, events: u32) -> Entry {
        Entry::new((fd, fd as u64 * 10), (Object::Output(1), 1), (events, 5))
    }

    #[test]
    fn what_is_ready_is_told_again_or_once_or_once_a_change() {
        let mut epoll = Epoll::default();
        for (fd, flags) in [(3, 0), (4, EPOLLET), (5, EPOLLONESHOT)] {
            epoll.add(entry(fd, POLLIN | flags)).unwrap();
        }
        let mut told = |ready: u32, changes: [u64; 2]| {
            [0, 1, 2].map(|nth| {
                let news = epoll.news(nth, ready, changes);
                if news != 0 {
                    epoll.tell(nth, changes);
                }
                news
            })
        };
        assert_eq!(told(POLLOUT, [1, 0]), [0; 3]);
        assert_eq!(told(POLLIN | POLLOUT, [1, 0]), [POLLIN; 3]);
        assert_eq!(told(POLLIN, [1, 0]), [POLLIN, 0, 0]);
        assert_eq!(told(POLLIN | POLLHUP, [2, 0]), [POLLIN | POLLHUP, POLLIN | POLLHUP, 0]);
        epoll.change(entry(5, POLLIN)).unwrap();
        assert_eq!(epoll.news(2, POLLIN, [2, 0]), POLLIN);
    }

    #[test]
    fn entries_are_by_number_and_description_and_take_turns() {
        let mut epoll = Epoll::default();
        epoll.add(entry(4, 1)).unwrap();
        epoll.add(entry(3, 1)).unwrap();
        assert_eq!(epoll.add(entry(3, 1)), Err(EEXIST));
        assert_eq!((epoll.change(entry(9, 1)), epoll.remove(3, 40)), (Err(ENOENT), Err(ENOENT)));
        assert_eq!((epoll.nth(0).fd, epoll.nth(1).fd), (3, 4));
        epoll.turn(1);
        assert_eq!((epoll.nth(0).fd, epoll.nth(1).fd), (4, 3));
        epoll.forget(40);
        assert_eq!((epoll.count(), epoll.nth(0).fd), (1, 3));
        epoll.remove(3, 30).unwrap();
        epoll.turn(1);
        assert_eq!(epoll.count(), 0);
    }
}
