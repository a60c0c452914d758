// SPDX-License-Identifier: MIT
//! The pages that a PE wrote or is expected to write, and what stands in for
//! them meanwhile.
//!
//! Each page has its *home*, the frame where it lives, and a *checkpoint*, a copy
//! of it as it was before the PE (PM0). Run 1 works in the home. What the later
//! runs work in, and how the results are compared, is the business of [`bytes`]
//! and [`hash`].
//!
//! A page that was written stays in the set: it is *hot*. Between PEs it is mapped
//! to its home, writable and not yet written, so that run 1 writes it without a
//! fault. At the turn the machine says which hot pages run 1 wrote; the others
//! are mapped read-only for the later runs, and should one of these try to write
//! one, it gets its copy then: in run 1 a store into two pages may have failed in
//! the other one. All other pages are mapped to their homes, read-only, and join
//! the set by a write fault.
//!
//! Tracking is by frame: pages with the same home are one entry, and
//! [`Machine::map`] switches all of them together.
//!
//! No single damaged copy can make both runs agree on something wrong: what run 2
//! starts from is never made from the checkpoint, which is what a roll-back trusts.

use arrayvec::ArrayVec;

use crate::compare::Difference;
use crate::events::Counted;
use crate::inject::Copy;
use crate::inside::Tracked;
use crate::life::Run;
use crate::machine::{Kept, Machine, PageOf};
use crate::policy::{Comparison, MAX_DIRTY_PAGES};

mod bytes;
mod hash;

/// Bytes in a page.
pub const PAGE_LEN: u64 = 4096;
/// PEs in a row after which a hot page that none of them wrote is given up. To
/// keep it costs two table edits a PE, to take it back a fault and two copies.
const MAX_IDLE: u8 = 3;

/// What there is of a page beside its home and its checkpoint.
enum Copies<F> {
    /// Compared byte by byte.
    Bytes(bytes::Frames<F>),
    /// Compared by hash.
    Hash(hash::Hashes),
}

/// A page of the set. Between PEs: `checkpoint` holds what `page.frame`, its
/// home, holds, and it is mapped there, writable.
struct WrittenPage<M: Machine> {
    page: PageOf<M>,
    checkpoint: M::Frame,
    copies: Copies<M::Frame>,
    /// A run wrote it, as far as is known, or a flip hit it.
    written: bool,
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
        if let Copies::Bytes(frames) = &self.copies {
            frames.release(machine);
        }
    }

    /// The frame that `run` works in.
    fn frame_of(&self, run: Run) -> M::Frame {
        match &self.copies {
            Copies::Bytes(frames) => frames.of(run, self.page.frame),
            Copies::Hash(_) => self.page.frame,
        }
    }

    fn is_mapped_to(&self, frame: M::Frame) -> bool {
        Run::ALL.into_iter().any(|run| self.frame_of(run) == frame)
    }

    /// Takes what is in the home for PM0: between PEs, or before run 1 writes it.
    fn save(&mut self, machine: &mut Counted<M>) {
        machine.copy(self.page.frame, self.checkpoint);
        match &mut self.copies {
            Copies::Bytes(frames) => frames.save(machine, self.page.frame),
            Copies::Hash(hashes) => hashes.save(machine, self.page.frame),
        }
    }

    fn map_home(&self, machine: &mut Counted<M>, writable: bool) {
        machine.map(self.page, self.page.frame, writable);
    }
}

/// The pages that are tracked: written by the PE that is being executed, or hot.
pub struct WrittenSet<M: Machine> {
    pages: ArrayVec<WrittenPage<M>, { MAX_DIRTY_PAGES as usize }>,
    limit: usize,
    comparison: Comparison,
    /// The run that was turned to last, in this attempt.
    turned: Option<Run>,
    /// For this attempt's run 2 there is a second copy of PM0 beside the checkpoint.
    witnessed: bool,
    /// In this attempt something was made from checkpoints that may be damaged:
    /// should the results differ, these are not to be trusted.
    unwitnessed: bool,
    /// In this attempt a flip hit a page by an address where it cannot be written, so
    /// that it is in the set without being open.
    exposed: bool,
}

/// The set, or the machine's frames for it, are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetFull;

impl<M: Machine> WrittenSet<M> {
    /// An empty set for at most `limit` pages.
    pub fn new(limit: u16, comparison: Comparison) -> Self {
        Self {
            pages: ArrayVec::new(),
            limit: usize::from(limit.min(MAX_DIRTY_PAGES)),
            comparison,
            turned: None,
            witnessed: false,
            unwitnessed: false,
            exposed: false,
        }
    }

    /// Catches up with what happened to hot pages between two PEs.
    #[cold]
    pub fn refresh(&mut self, machine: &mut Counted<M>) {
        self.pages.retain(|entry| match machine.machine.kept(entry.page) {
            Kept::Intact => true,
            Kept::Stale => {
                entry.save(machine);
                true
            }
            Kept::Lost => {
                entry.release(machine.machine);
                false
            }
        });
    }

    /// First-run treatment: checkpoints a page and lets run 1 write it.
    pub fn open(&mut self, machine: &mut Counted<M>, page: PageOf<M>) -> Result<(), SetFull> {
        let same = |entry: &&mut WrittenPage<M>| entry.page.frame == page.frame;
        let known = if self.exposed { self.pages.iter_mut().find(same) } else { None };
        match known {
            Some(entry) => entry.page = page,
            None => self.checkpoint(machine, page)?,
        }
        machine.map(page, page.frame, page.writable);
        Ok(())
    }

    /// Gives `run`, 2 or 3, PM0 for every page that a run before wrote; once more
    /// after a counter miss. `may_miss` says that such a miss is to be expected.
    /// Fails if a checkpoint is found to be damaged.
    ///
    /// From here to [`commit`](Self::commit) or [`roll_back`](Self::roll_back)
    /// nothing maps a home writable; under [`Comparison::Hash`] nothing but what run
    /// 1 wrote.
    #[inline(always)]
    pub fn turn(&mut self, machine: &mut Counted<M>, run: Run, may_miss: bool) -> Result<(), Difference> {
        let again = self.turned == Some(run);
        if run == Run::Second {
            if again {
                self.unwitnessed |= !self.witnessed && self.comparison == Comparison::Bytes;
            } else {
                self.witnessed = may_miss;
            }
        }
        for entry in &mut self.pages {
            if !entry.note_writes(machine.machine) {
                entry.map_home(machine, false);
                continue;
            }
            match &mut entry.copies {
                Copies::Bytes(_) => bytes::turn(entry, machine, run, again, self.witnessed)?,
                Copies::Hash(_) => hash::turn(entry, machine, run, again),
            }
        }
        self.turned = Some(run);
        Ok(())
    }

    /// Run 2 or 3 met a write fault: lets it write its own copy if the page was
    /// hot, and a run before could have written it but did not. Returns whether
    /// that was so.
    #[cold]
    pub fn open_late(&mut self, machine: &mut Counted<M>, run: Run, page: PageOf<M>) -> bool {
        let unwritten = |entry: &&mut WrittenPage<M>| entry.page.frame == page.frame && !entry.written;
        let Some(entry) = self.pages.iter_mut().find(unwritten) else { return false };
        show_late(entry, machine, run, self.witnessed);
        true
    }

    /// Makes room for a page and adds it, with its checkpoint.
    fn checkpoint(&mut self, machine: &mut Counted<M>, page: PageOf<M>) -> Result<(), SetFull> {
        let (checkpoint, copies) = match self.frames(machine.machine) {
            Ok(frames) => frames,
            Err(SetFull) => {
                self.give_up_unwritten(machine);
                self.frames(machine.machine)?
            }
        };
        let mut entry = WrittenPage { page, checkpoint, copies, written: true, idle: 0 };
        entry.save(machine);
        self.pages.push(entry);
        Ok(())
    }

    fn frames(&self, machine: &mut M) -> Result<(M::Frame, Copies<M::Frame>), SetFull> {
        if self.pages.len() >= self.limit {
            return Err(SetFull);
        }
        let checkpoint = machine.allocate().ok_or(SetFull)?;
        match self.comparison {
            Comparison::Bytes => match bytes::Frames::allocate(machine) {
                Some(frames) => Ok((checkpoint, Copies::Bytes(frames))),
                None => {
                    machine.release(checkpoint);
                    Err(SetFull)
                }
            },
            Comparison::Hash => Ok((checkpoint, Copies::Hash(hash::Hashes::default()))),
        }
    }

    /// Gives up all hot pages that were not written so far: a page that is about
    /// to be needs the room more.
    #[cold]
    fn give_up_unwritten(&mut self, machine: &mut Counted<M>) {
        self.pages.retain(|entry| {
            let written = entry.note_writes(machine.machine);
            if !written {
                entry.map_home(machine, false);
                entry.release(machine.machine);
            }
            written
        });
    }

    /// A flip is about to hit `page` as `run` sees it: from now on the page counts
    /// as written. Returns the frame to hit.
    pub fn expose(
        &mut self,
        machine: &mut Counted<M>,
        run: Run,
        page: PageOf<M>,
    ) -> Result<M::Frame, SetFull> {
        let known = self.pages.iter().position(|it| it.is_mapped_to(page.frame));
        let index = match known {
            Some(index) => index,
            None => {
                self.checkpoint(machine, page)?;
                self.pages.len() - 1
            }
        };
        let entry = &mut self.pages[index];
        if run == Run::First {
            if known.is_none() {
                self.exposed |= !page.writable;
                entry.map_home(machine, page.writable);
            }
            entry.written = true;
        } else if known.is_none() || !entry.written {
            show_late(entry, machine, run, self.witnessed);
        }
        Ok(entry.frame_of(run))
    }

    /// All pages of the set.
    pub fn tracked(&self) -> impl Iterator<Item = Tracked<M::Frame>> {
        self.pages.iter().map(|entry| {
            let others = match &entry.copies {
                Copies::Bytes(frames) => Some([frames.second, frames.spare]),
                Copies::Hash(_) => None,
            };
            let WrittenPage { page, checkpoint, .. } = entry;
            Tracked { address: page.address, home: page.frame, checkpoint: *checkpoint, others }
        })
    }

    /// The frame of one of the engine's own copies of the page at `address`.
    pub fn copy_of(&self, address: u64, copy: Copy) -> Option<M::Frame> {
        let entry = self.pages.iter().find(|entry| entry.page.address == address & !(PAGE_LEN - 1))?;
        match (copy, &entry.copies) {
            (Copy::Checkpoint, _) => Some(entry.checkpoint),
            (Copy::Second | Copy::Spare, Copies::Hash(_)) => None,
            (Copy::Second, Copies::Bytes(frames)) => Some(frames.second),
            (Copy::Spare, Copies::Bytes(frames)) => Some(frames.spare),
        }
    }

    /// Under [`Comparison::Bytes`], compares the results of runs 1 and 2, and prepares
    /// to commit them: the first byte on which they differ. This covers what one of them alone has
    /// written: on the other side it equals PM0.
    #[inline(always)]
    pub fn verify(&mut self, machine: &mut Counted<M>) -> Option<Difference> {
        self.pages.iter_mut().filter(|entry| entry.written).find_map(|entry| bytes::verify(entry, machine))
    }

    /// Finishes the last of the runs, so that its result can be compared.
    pub fn finish(&mut self, machine: &mut Counted<M>, run: Run) {
        for entry in self.pages.iter_mut().filter(|entry| entry.written) {
            if let Copies::Hash(hashes) = &mut entry.copies {
                hashes.finish(machine, run, entry.page.frame);
            }
        }
    }

    /// Compares the results of two [finished](Self::finish) runs.
    pub fn difference(&mut self, machine: &mut Counted<M>, a: Run, b: Run) -> Option<Difference> {
        self.pages.iter().filter(|entry| entry.written).find_map(|entry| match &entry.copies {
            Copies::Bytes(_) => bytes::difference(entry, machine, a, b),
            Copies::Hash(hashes) => hashes.difference(entry.page.address, a, b),
        })
    }

    /// The written pages' addresses and hashes after a [finished](Self::finish)
    /// run; nothing under [`Comparison::Bytes`].
    pub fn hashes(&self, run: Run) -> impl Iterator<Item = (u64, u128)> {
        self.pages.iter().filter(|entry| entry.written).filter_map(move |entry| match &entry.copies {
            Copies::Bytes(_) => None,
            Copies::Hash(hashes) => Some((entry.page.address, hashes.after(run))),
        })
    }

    /// The pages that the last committed PE wrote, each with its address and the hash of its content; without
    /// those that only a flip has changed, where the process may not write.
    pub fn last_written(&self, machine: &mut M) -> impl Iterator<Item = (u64, u128)> {
        // The others' idle time has been counted up.
        let written = self.pages.iter().filter(|entry| entry.idle == 0);
        written.map(|entry| (entry.page.address, machine.hash(entry.page.frame)))
    }

    /// Whether the result of run 3 is the only one that memory still holds.
    pub fn holds_the_last_result_only(&self) -> bool {
        self.comparison == Comparison::Hash
    }

    /// What makes the checkpoints doubtful where runs 2 and 3 agree against run 1: if
    /// both were made from them, a damaged one alone may be the reason. `seen` is the
    /// difference.
    #[cold]
    pub fn damage(&mut self, machine: &mut Counted<M>, seen: Difference) -> Option<Difference> {
        if self.unwitnessed {
            return Some(seen);
        }
        self.pages.iter().filter(|entry| entry.written).find_map(|entry| match &entry.copies {
            Copies::Bytes(_) => None,
            Copies::Hash(hashes) => hashes.check(machine, entry.page.address, entry.checkpoint).err(),
        })
    }

    /// Takes run 1's result as it is, whatever run 2's was. Only mutants do that.
    pub fn adopt(&mut self, machine: &mut Counted<M>) {
        for entry in self.pages.iter_mut().filter(|entry| entry.written) {
            match &mut entry.copies {
                Copies::Bytes(frames) => frames.adopt(machine, entry.page.frame),
                Copies::Hash(hashes) => hashes.save(machine, entry.page.frame),
            }
        }
    }

    /// Makes the result that was agreed on the state of the process; `outvoted` has
    /// another one. Returns how many pages it wrote.
    #[inline(always)]
    pub fn commit(&mut self, machine: &mut Counted<M>, outvoted: Option<Run>) -> u16 {
        let mut written = 0;
        let mut spent = false;
        for entry in &mut self.pages {
            if entry.written {
                written += 1;
                entry.written = false;
                entry.idle = 0;
                match &mut entry.copies {
                    Copies::Bytes(frames) => {
                        frames.commit(machine, entry.page.frame, &mut entry.checkpoint, outvoted);
                    }
                    Copies::Hash(hashes) => {
                        hashes.commit(self.turned);
                        machine.copy(entry.page.frame, entry.checkpoint);
                    }
                }
            } else {
                entry.idle += 1;
                spent = spent || entry.idle >= MAX_IDLE;
            }
            spent = spent || !entry.page.writable;
            machine.map(entry.page, entry.page.frame, entry.page.writable);
        }
        self.begin();
        if spent {
            self.demote(machine, |entry| entry.idle >= MAX_IDLE || !entry.page.writable);
        }
        written
    }

    /// Puts PM0 back. Fails, after having done so as well as it can, if it cannot
    /// be sure of it: `seen` is the difference that is the reason.
    #[cold]
    pub fn roll_back(
        &mut self,
        machine: &mut Counted<M>,
        seen: Option<Difference>,
    ) -> Result<(), Difference> {
        let mut result = match seen {
            Some(seen) if self.unwitnessed => Err(seen),
            Some(_) | None => Ok(()),
        };
        for entry in &mut self.pages {
            machine.copy(entry.checkpoint, entry.page.frame);
            match &mut entry.copies {
                Copies::Bytes(frames) => frames.roll_back(machine, entry.checkpoint),
                Copies::Hash(hashes) => {
                    result = result.and(hashes.check(machine, entry.page.address, entry.checkpoint));
                }
            }
            entry.written = false;
            entry.map_home(machine, entry.page.writable);
        }
        self.begin();
        self.demote(machine, |entry| !entry.page.writable);
        result
    }

    fn begin(&mut self) {
        self.turned = None;
        self.witnessed = false;
        self.unwitnessed = false;
        self.exposed = false;
    }

    /// Lets go of some pages, between two PEs.
    pub fn let_go(&mut self, machine: &mut Counted<M>, which: impl Fn(&M, &PageOf<M>) -> bool) {
        self.pages.retain(|entry| {
            let goes = which(machine.machine, &entry.page);
            if goes {
                entry.map_home(machine, false);
                entry.release(machine.machine);
            }
            !goes
        });
    }

    /// Lets go of all pages, between two PEs.
    pub fn clear(&mut self, machine: &mut Counted<M>) {
        self.demote(machine, |_| true);
    }

    fn demote(&mut self, machine: &mut Counted<M>, which: impl Fn(&WrittenPage<M>) -> bool) {
        self.pages.retain(|entry| {
            let goes = which(entry);
            if goes {
                entry.map_home(machine, false);
                entry.release(machine.machine);
            }
            !goes
        });
    }
}

/// Gives `run` a page that no run before wrote: all have PM0 there.
fn show_late<M: Machine>(entry: &mut WrittenPage<M>, machine: &mut Counted<M>, run: Run, witnessed: bool) {
    entry.written = true;
    match &mut entry.copies {
        Copies::Bytes(frames) => frames.show_late(machine, entry.page.frame, run, witnessed),
        Copies::Hash(hashes) => hashes.show_late(),
    }
    machine.map(entry.page, entry.frame_of(run), entry.page.writable);
}
