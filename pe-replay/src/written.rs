// SPDX-License-Identifier: MIT
//! The pages that a PE wrote or is expected to write, and what stands in for
//! them meanwhile.
//!
//! Each entry has four frames: *home*, where the page lives and run 1 works in
//! place; the *checkpoint*, a copy of it as it was before the PE (PM0); run 2's
//! *second* copy of PM0; and the *spare*. While home and second are compared, the
//! spare is filled with home; when all pages agree, spare and checkpoint change
//! roles, and every copy is up to date again: nothing is copied for its own sake.
//!
//! A page that was written stays in the set: it is *hot*. Between PEs it is mapped
//! to its home, writable and not yet written, so that run 1 writes it without a
//! fault. At the turn the machine says which hot pages run 1 wrote; the others
//! are mapped read-only for run 2, and should run 2 try to write one, it gets its
//! copy then: in run 1 a store into two pages may have failed in the other one.
//! All other pages are mapped to their homes, read-only, and join the set by a
//! write fault.
//!
//! Tracking is by frame: pages with the same home are one entry, and
//! [`Machine::map`] switches all of them together.

use arrayvec::ArrayVec;

use crate::compare::{Difference, Field};
use crate::drive::{Machine, PageOf};
use crate::life::Run;
use crate::policy::MAX_DIRTY_PAGES;

/// Bytes in a page.
pub const PAGE_LEN: u64 = 4096;
/// PEs in a row after which a hot page that none of them wrote is given up. To
/// keep it costs two table edits a PE, to take it back a fault and two copies.
const MAX_IDLE: u8 = 3;

/// What became of a hot page between two PEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Intact,
    /// Its content was changed.
    Stale,
    /// Something else, or nothing, is mapped there now, or with other permissions.
    Lost,
}

/// A page of the set. Between PEs: `checkpoint` holds what `page.frame`, its
/// home, holds, and it is mapped there, writable.
struct WrittenPage<M: Machine> {
    page: PageOf<M>,
    checkpoint: M::Frame,
    second: M::Frame,
    spare: M::Frame,
    /// A run wrote it, as far as is known, or a flip hit it.
    written: bool,
    /// `second` holds what `checkpoint` holds.
    ready: bool,
    /// PEs in a row that did not write it.
    idle: u8,
}

impl<M: Machine> WrittenPage<M> {
    fn note_writes(&mut self, machine: &mut M) -> bool {
        self.written = self.written || machine.is_written(self.page);
        self.written
    }

    fn release(&self, machine: &mut M) {
        machine.release(self.checkpoint);
        machine.release(self.second);
        machine.release(self.spare);
    }

    /// Puts run 2's copy of PM0 in place.
    fn show_second(&mut self, machine: &mut M) {
        if !self.ready {
            machine.copy(self.checkpoint, self.second);
        }
        // Run 2 is about to write it.
        self.ready = false;
        machine.map(self.page, self.second, self.page.writable);
    }
}

/// The pages that are tracked: written by the PE that is being executed, or hot.
pub struct WrittenSet<M: Machine> {
    pages: ArrayVec<WrittenPage<M>, { MAX_DIRTY_PAGES as usize }>,
    limit: usize,
}

/// The set, or the machine's frames for it, are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetFull;

impl<M: Machine> WrittenSet<M> {
    /// An empty set for at most `limit` pages.
    pub fn new(limit: u16) -> Self {
        Self { pages: ArrayVec::new(), limit: usize::from(limit.min(MAX_DIRTY_PAGES)) }
    }

    /// Whether the page that is mapped to `frame` now is in the set.
    pub fn contains(&self, frame: M::Frame) -> bool {
        self.pages.iter().any(|entry| entry.page.frame == frame || entry.second == frame)
    }

    /// Catches up with what happened to hot pages between two PEs.
    #[cold]
    pub fn refresh(&mut self, machine: &mut M) {
        self.pages.retain(|entry| match machine.kept(entry.page) {
            Kept::Intact => true,
            Kept::Stale => {
                machine.copy(entry.page.frame, entry.checkpoint);
                entry.ready = false;
                true
            }
            Kept::Lost => {
                entry.release(machine);
                false
            }
        });
    }

    /// First-run treatment: checkpoints a page and lets run 1 write it.
    pub fn open(&mut self, machine: &mut M, page: PageOf<M>) -> Result<(), SetFull> {
        self.checkpoint(machine, page)?;
        machine.map(page, page.frame, page.writable);
        Ok(())
    }

    /// Gives run 2 PM0 for every page that run 1 wrote; once more after a counter
    /// miss.
    ///
    /// From here to [`commit`](Self::commit) or [`roll_back`](Self::roll_back)
    /// nothing maps a home writable.
    #[inline]
    pub fn turn(&mut self, machine: &mut M) {
        for entry in &mut self.pages {
            if entry.note_writes(machine) {
                entry.show_second(machine);
            } else {
                machine.map(entry.page, entry.page.frame, false);
            }
        }
    }

    /// Run 2 met a write fault: lets it write its own copy if the page was hot, and
    /// run 1 could have written it but did not. Returns whether that was so.
    #[cold]
    pub fn open_second(&mut self, machine: &mut M, page: PageOf<M>) -> bool {
        let unwritten = |entry: &&mut WrittenPage<M>| entry.page.frame == page.frame && !entry.written;
        let Some(entry) = self.pages.iter_mut().find(unwritten) else { return false };
        entry.written = true;
        entry.show_second(machine);
        true
    }

    /// Makes room for a page and adds it, with its checkpoint.
    fn checkpoint(&mut self, machine: &mut M, page: PageOf<M>) -> Result<(), SetFull> {
        let frames = match self.frames(machine) {
            Ok(frames) => frames,
            Err(SetFull) => {
                self.give_up_unwritten(machine);
                self.frames(machine)?
            }
        };
        let [checkpoint, second, spare] = frames;
        machine.copy(page.frame, checkpoint);
        self.pages.push(WrittenPage {
            page,
            checkpoint,
            second,
            spare,
            written: true,
            ready: false,
            idle: 0,
        });
        Ok(())
    }

    fn frames(&self, machine: &mut M) -> Result<[M::Frame; 3], SetFull> {
        if self.pages.len() >= self.limit {
            return Err(SetFull);
        }
        let mut taken = ArrayVec::<_, 3>::new();
        while let Some(frame) = machine.allocate() {
            taken.push(frame);
            if taken.is_full() {
                break;
            }
        }
        taken.into_inner().map_err(|few| {
            few.into_iter().for_each(|frame| machine.release(frame));
            SetFull
        })
    }

    /// Gives up all hot pages that were not written so far: a page that is about
    /// to be needs the room more.
    #[cold]
    fn give_up_unwritten(&mut self, machine: &mut M) {
        self.pages.retain(|entry| {
            let written = entry.note_writes(machine);
            if !written {
                machine.map(entry.page, entry.page.frame, false);
                entry.release(machine);
            }
            written
        });
    }

    /// A flip is about to hit `page` as `run` sees it: from now on the page counts
    /// as written. Returns the frame to hit.
    pub fn expose(&mut self, machine: &mut M, run: Run, page: PageOf<M>) -> Result<M::Frame, SetFull> {
        let known = self.pages.iter().position(|it| it.page.frame == page.frame || it.second == page.frame);
        let index = match known {
            Some(index) => index,
            None => {
                self.checkpoint(machine, page)?;
                self.pages.len() - 1
            }
        };
        let entry = &mut self.pages[index];
        match run {
            Run::First => {
                if known.is_none() {
                    machine.map(page, page.frame, page.writable);
                }
                entry.written = true;
                Ok(entry.page.frame)
            }
            Run::Second => {
                if known.is_none() || !entry.written {
                    entry.written = true;
                    entry.show_second(machine);
                }
                Ok(entry.second)
            }
        }
    }

    /// The first byte on which the two runs differ. This covers what one of them
    /// alone has written: on the other side it equals PM0.
    ///
    /// Where they agree, the spares hold what the homes do.
    #[inline]
    pub fn verify(&mut self, machine: &mut M) -> Option<Difference> {
        for entry in self.pages.iter_mut().filter(|entry| entry.written) {
            entry.ready = machine.compare_and_copy(entry.page.frame, entry.second, entry.spare);
            if !entry.ready {
                return Some(difference(machine, entry));
            }
        }
        None
    }

    /// Takes run 1's result as it is, whatever run 2's was. Only mutants do that.
    pub fn adopt(&mut self, machine: &mut M) {
        for entry in self.pages.iter_mut().filter(|entry| entry.written) {
            machine.copy(entry.page.frame, entry.spare);
            entry.ready = false;
        }
    }

    /// Makes what run 1 wrote the state of the process, after all of it was
    /// [verified](Self::verify). Returns how many pages that were.
    #[inline]
    pub fn commit(&mut self, machine: &mut M) -> u16 {
        let mut written = 0;
        let mut spent = false;
        for entry in &mut self.pages {
            if entry.written {
                written += 1;
                core::mem::swap(&mut entry.checkpoint, &mut entry.spare);
                entry.written = false;
                entry.idle = 0;
            } else {
                entry.idle += 1;
                spent = spent || entry.idle >= MAX_IDLE;
            }
            spent = spent || !entry.page.writable;
            machine.map(entry.page, entry.page.frame, entry.page.writable);
        }
        if spent {
            self.demote(machine, |entry| entry.idle >= MAX_IDLE || !entry.page.writable);
        }
        written
    }

    /// Puts PM0 back.
    #[cold]
    pub fn roll_back(&mut self, machine: &mut M) {
        for entry in &mut self.pages {
            machine.copy(entry.checkpoint, entry.page.frame);
            entry.written = false;
            entry.ready = false;
            machine.map(entry.page, entry.page.frame, entry.page.writable);
        }
        self.demote(machine, |entry| !entry.page.writable);
    }

    /// Lets go of all pages, between two PEs.
    pub fn clear(&mut self, machine: &mut M) {
        self.demote(machine, |_| true);
    }

    fn demote(&mut self, machine: &mut M, which: impl Fn(&WrittenPage<M>) -> bool) {
        self.pages.retain(|entry| {
            let goes = which(entry);
            if goes {
                machine.map(entry.page, entry.page.frame, false);
                entry.release(machine);
            }
            !goes
        });
    }
}

/// Where the two copies of a page that was found to differ do so. Should a second
/// look find nothing, the first one was disturbed: its spare is not to be trusted,
/// and the pages behind were not compared, so this is a difference all the same.
#[cold]
fn difference<M: Machine>(machine: &mut M, entry: &WrittenPage<M>) -> Difference {
    let offset = machine.first_difference(entry.page.frame, entry.second).unwrap_or(0);
    Difference {
        field: Field::Memory,
        first: u64::from(machine.byte(entry.page.frame, offset)),
        second: u64::from(machine.byte(entry.second, offset)),
        address: entry.page.address + u64::from(offset),
    }
}
