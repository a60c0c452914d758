// SPDX-License-Identifier: MIT
//! The entries of a directory: by name, for paths, and in order of creation, for lists.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::super::budget::block_len;
use super::super::proc::Fixed;
use super::InodeId;
use crate::mem::fallible::{self, Exhausted};
use crate::mem::sorted::{Place, Sorted};

/// An entry of a directory.
pub struct Entry {
    /// Its name.
    pub name: Vec<u8>,
    /// What it names.
    pub inode: InodeId,
    /// Its place in the order of creation, from [`Directory::FIRST_SERIAL`].
    pub serial: u64,
}

/// A directory.
pub struct Directory {
    /// The directory that it is in.
    pub parent: InodeId,
    /// Whether it keeps that one alive: it has been removed from there.
    pub holds_parent: bool,
    /// What is not stored and begins here, in place of what is in the directory.
    pub mounted: Option<Fixed>,
    next_serial: u64,
    /// In order of creation.
    entries: Sorted<Rc<Entry>>,
    /// By name; of equal names the older entry comes first.
    names: Sorted<Rc<Entry>>,
}

impl Directory {
    /// Serials below stand for `.` and `..`.
    pub const FIRST_SERIAL: u64 = 3;

    /// What an entry takes: itself with the two counts of who holds it, its name, and a place
    /// in both lists, whose blocks are a quarter full at least.
    pub fn entry_cost(name: &[u8]) -> u64 {
        let entry = block_len(size_of::<Entry>() + 2 * size_of::<usize>());
        entry + block_len(name.len()) + 2 * 4 * size_of::<usize>() as u64
    }

    /// An empty directory.
    pub fn new() -> Self {
        let (entries, names) = (Sorted::default(), Sorted::default());
        Self {
            parent: InodeId::ROOT,
            holds_parent: false,
            mounted: None,
            next_serial: Self::FIRST_SERIAL,
            entries,
            names,
        }
    }

    /// Where the first entry of that name and with that serial or a higher one would be.
    fn place(&self, name: &[u8], serial: u64) -> Place {
        self.names.place(|entry| (entry.name.as_slice(), entry.serial) < (name, serial))
    }

    /// The entry of a name.
    pub fn find(&self, name: &[u8]) -> Option<&Entry> {
        self.names.get(self.place(name, 0)).map(Rc::as_ref).filter(|entry| entry.name == name)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries behind the one with this serial, in order of creation.
    pub fn behind(&self, serial: u64) -> impl Iterator<Item = &Entry> {
        self.entries.onward(self.entries.place(|entry| entry.serial <= serial)).map(Rc::as_ref)
    }

    /// Adds an entry. For as long as an older one has its name, that one is found.
    pub fn insert(&mut self, name: Vec<u8>, inode: InodeId) -> Result<(), Exhausted> {
        let serial = self.next_serial;
        let place = self.names.make_room(self.place(&name, serial))?;
        let entry = fallible::shared(Entry { name, inode, serial })?;
        self.entries.insert(self.entries.end(), entry.clone())?;
        self.names.insert(place, entry)?;
        self.next_serial += 1;
        Ok(())
    }

    /// Takes the entry of a name away, if there is one: what it named.
    pub fn remove(&mut self, name: &[u8]) -> Option<InodeId> {
        let serial = self.find(name)?.serial;
        self.names.remove(self.place(name, serial));
        let entry = self.entries.remove(self.entries.place(|entry| entry.serial < serial))?;
        if self.entries.is_empty() {
            // Nobody pays for the room that is left.
            (self.entries, self.names) = (Sorted::default(), Sorted::default());
        }
        Some(entry.inode)
    }
}

#[cfg(test)]
impl Directory {
    /// Leaves so much room in each list: what comes next has to make more.
    pub fn tighten(&mut self, room: usize) {
        self.entries.tighten(room);
        self.names.tighten(room);
    }

    /// What all entries take.
    pub fn cost(&self) -> u64 {
        self.behind(0).map(|entry| Self::entry_cost(&entry.name)).sum()
    }
}
