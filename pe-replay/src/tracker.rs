// SPDX-License-Identifier: MIT
//! The pages of a space that PEs write or are expected to write: the written set.
//!
//! Each page has its *home*, the frame where it lives, and copies, of which a [`Placement`]
//! says what they are for. A page in the set is *open*: between PEs it is mapped writable and
//! not yet written, so that run 1 writes it without a fault; or it is *resting*: its copies
//! equal its home, it is read-only, and costs nothing a PE. Which pages open is predicted for
//! each thread: those that it wrote in its last PE. All other pages are mapped to their homes,
//! read-only, and join the set by a write fault. Prediction never grants: a page opens as far
//! as the process may truly write it.
//!
//! At the turn the machine says which open pages run 1 wrote; the others
//! are read-only for the later runs, and should one of these try to write
//! one, it gets its copy then: in run 1 a store into two pages may have failed in
//! the other one.
//!
//! Tracking is by frame: pages with the same home are one entry, and
//! [`Memory::map`](crate::Memory::map) switches all of them together. The copies of a frame that others
//! may write hold while its [generation](crate::Memory::generation) is what it was.
//!
//! Pages that join the set, and pages that are found written, are counted where that happens;
//! compared ones where they are compared. Nothing is committed before both numbers are the same.

use core::marker::PhantomData;

use crate::difference::{Difference, Field};
use crate::events::{Counted, Pages};
use crate::execution::Run;
use crate::inject::Copy;
use crate::machine::{Access, Change, Machine, Page, PageOf, View};
use crate::placement::{EntryOf, Placement};
use crate::policy::{MAX_DIRTY_PAGES, Policy};
use crate::pool::{List, Pool, each};

/// Bytes in a page.
pub const PAGE_LEN: u64 = 4096;
/// PEs in a row after which an open page that none of them wrote is given up. To
/// keep it costs two table edits a PE, to take it back a fault and two copies.
const MAX_IDLE: u8 = 3;

/// The written set of a space.
pub struct Tracker<P> {
    pub(crate) policy: Policy,
    /// The open pages.
    pub open: List,
    /// The resting pages.
    pub resting: List,
    owner: u32,
    /// The thread whose pages are open.
    thread: u8,
    /// The last of the runs that were turned to in this attempt.
    pub turned: Option<Run>,
    /// For this attempt's run 2 there is a second copy of PM0 beside the one that a roll-back trusts.
    pub witnessed: bool,
    /// In this attempt something was made from copies that may be damaged:
    /// should the results differ, these are not to be trusted.
    pub unwitnessed: bool,
    /// Pages that joined the set, were opened late or hit by a flip in this attempt.
    pub opened: u16,
    /// Pages that were open and found written in this attempt.
    pub found: u16,
    /// Pages that were compared when two results agreed.
    pub compared: Option<u16>,
    placement: PhantomData<P>,
}

/// The set, or the machine's frames for it, are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetFull;

/// The bit of a thread in [`Entry::predicted`].
fn bit(thread: u8) -> u32 {
    1 << (thread % 32)
}

/// Finds out whether no frame has two roles, and whether the copy that is trusted, if it is, is what it was.
#[cold]
fn check<M: Machine, P: Placement>(
    entry: &EntryOf<M>,
    counted: &mut Counted<M>,
    is_trusted: bool,
) -> Result<(), Difference> {
    let frames = &entry.frames[..P::FRAMES];
    let is_apart = |at: usize| frames[at] != entry.page.frame && !frames[..at].contains(&frames[at]);
    if !(0..P::FRAMES).all(is_apart) {
        let address = entry.page.address;
        return Err(Difference { field: Field::Memory, first: 0, second: 0, address });
    }
    if is_trusted { P::check(entry, counted) } else { Ok(()) }
}

/// Apart, so that no number has to be in memory to be printed.
#[cold]
#[inline(never)]
fn uncompared(written: u16, compared: Option<u16>) -> ! {
    panic!("{written} pages were written, {compared:?} compared")
}

/// Gives pages back that have left their list; `mapped` says that they are still there.
#[cold]
fn release<M: Machine, P: Placement>(pages: &mut Pages<M>, gone: List, mapped: bool) {
    let mut at = gone.first;
    for _ in 0..gone.len {
        let entry = &pages.pool.entries[usize::from(at)];
        let (index, page, frames) = (at, entry.page, entry.frames);
        at = entry.next();
        if mapped {
            pages.counted.map(View::Every, page, page.frame, Access::Released);
        }
        frames[..P::FRAMES].iter().for_each(|frame| pages.counted.machine.release(*frame));
        pages.pool.put::<M>(index);
    }
}

impl<P: Placement> Tracker<P> {
    /// An empty set. Of the trackers that share a pool each has a number of its own.
    pub fn new(owner: u32, policy: Policy) -> Self {
        Self {
            policy,
            open: List::EMPTY,
            resting: List::EMPTY,
            owner,
            thread: 0,
            turned: None,
            witnessed: false,
            unwitnessed: false,
            opened: 0,
            found: 0,
            compared: None,
            placement: PhantomData,
        }
    }

    /// Brings the set up to date before a PE of a thread.
    #[inline(always)]
    pub(crate) fn prepare<M: Machine>(&mut self, pages: &mut Pages<M>, thread: u8) {
        if pages.counted.machine.disturbed() {
            self.refresh(pages);
        }
        if pages.pool.running != self.running(thread) {
            self.resume(pages, thread);
        }
    }

    #[inline(always)]
    fn running(&self, thread: u8) -> u64 {
        u64::from(self.owner) << 8 | u64::from(thread)
    }

    /// Catches up with what happened to watched pages between two PEs.
    #[cold]
    #[inline(never)]
    fn refresh<M: Machine>(&mut self, pages: &mut Pages<M>) {
        for list in [&mut self.open, &mut self.resting] {
            let lost = list.split(pages, |counted, entry| match counted.machine.change(entry.page) {
                Change::None => false,
                Change::Content => {
                    P::save(entry, counted);
                    false
                }
                Change::Mapping => true,
            });
            release::<M, P>(pages, lost, false);
        }
    }

    /// Catches up with what others did since this tracker had a PE last, and opens the pages
    /// of a thread.
    #[cold]
    #[inline(never)]
    fn resume<M: Machine>(&mut self, pages: &mut Pages<M>, thread: u8) {
        pages.pool.running = self.running(thread);
        for list in [self.open, self.resting] {
            each!(list, pages.pool, entry => {
                let now = pages.counted.machine.generation(entry.page.frame);
                if core::mem::replace(&mut entry.generation, now) != now {
                    P::save(entry, &mut pages.counted);
                }
            });
        }
        let before = core::mem::replace(&mut self.thread, thread);
        if before == thread {
            return;
        }
        let rested = self.open.split(pages, |counted, entry| {
            let others = entry.predicted & !bit(before);
            entry.predicted = others | if entry.idle == 0 { bit(before) } else { 0 };
            (entry.idle, entry.resting) = (0, entry.predicted & bit(thread) == 0);
            if entry.resting {
                counted.map(View::Every, entry.page, entry.page.frame, Access::Closed);
            }
            entry.resting
        });
        let woken = self.resting.split(pages, |counted, entry| {
            entry.resting = entry.predicted & bit(thread) == 0;
            if !entry.resting {
                P::close(entry, counted);
            }
            !entry.resting
        });
        for (from, to) in [(rested, &mut self.resting), (woken, &mut self.open)] {
            let mut at = from.first;
            for _ in 0..from.len {
                let (index, next) = (at, pages.pool.entries[usize::from(at)].next());
                to.push(&mut pages.pool.entries, index);
                at = next;
            }
        }
    }

    /// Lets a run that met a write fault write `page`, if there is room and it may.
    ///
    /// In run 1 a page joins the set. Where the runs do not go on at once, a later one finds all of
    /// run 1's pages writable, and may write a page that was open and that no run before wrote.
    /// A write anywhere else is where run 1 met the dirty-frame limit, or a divergence. Should run 1
    /// be the one that is outvoted, the PE ends here, before that write.
    #[cold]
    #[inline(never)]
    pub(crate) fn write_fault<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        run: Run,
        page: PageOf<M>,
    ) -> Result<(), SetFull> {
        let known = pages.pool.find::<M>(self.owner, page.frame);
        if run != Run::First && !P::AT_ONCE {
            let entry = known.map(|index| &mut pages.pool.entries[usize::from(index)]);
            let entry = entry.filter(|entry| !entry.written && !entry.resting).ok_or(SetFull)?;
            entry.written = true;
            self.opened += 1;
            P::late(entry, &mut pages.counted, run, self.witnessed);
            return Ok(());
        }
        let index = self.join(pages, known, page)?;
        let entry = &mut pages.pool.entries[usize::from(index)];
        (entry.page, entry.plain) = (page, page.writable && !page.shared);
        P::open(entry, &mut pages.counted, run);
        Ok(())
    }

    /// Sees that a page, which may be known, is among the open ones.
    fn join<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        known: Option<u16>,
        page: PageOf<M>,
    ) -> Result<u16, SetFull> {
        let index = match known {
            Some(index) if !pages.pool.entries[usize::from(index)].resting => return Ok(index),
            Some(index) => {
                self.resting.remove(&mut pages.pool.entries, index);
                index
            }
            None => match self.allocate(pages, page) {
                Ok(index) => index,
                Err(SetFull) => {
                    self.give_up_unwritten(pages);
                    self.allocate(pages, page)?
                }
            },
        };
        self.open.push(&mut pages.pool.entries, index);
        self.opened += 1;
        let entry = &mut pages.pool.entries[usize::from(index)];
        if known.is_none() {
            entry.generation = pages.counted.machine.generation(page.frame);
            P::save(entry, &mut pages.counted);
        }
        (entry.written, entry.resting, entry.idle) = (true, false, 0);
        entry.plain = page.writable && !page.shared;
        Ok(index)
    }

    /// An entry with its frames.
    fn allocate<M: Machine>(&mut self, pages: &mut Pages<M>, page: PageOf<M>) -> Result<u16, SetFull> {
        if self.open.len + self.resting.len >= self.policy.max_dirty.min(MAX_DIRTY_PAGES) {
            return Err(SetFull);
        }
        let machine = &mut *pages.counted.machine;
        let mut frames = [machine.allocate().ok_or(SetFull)?; 3];
        let mut taken = 1;
        while taken < P::FRAMES
            && let Some(frame) = machine.allocate()
        {
            frames[taken] = frame;
            taken += 1;
        }
        let index = if taken == P::FRAMES { pages.pool.take::<M>(self.owner, page, frames) } else { None };
        if index.is_none() {
            frames[..taken].iter().for_each(|frame| machine.release(*frame));
        }
        index.ok_or(SetFull)
    }

    /// Gives up all pages that were not written so far: a page that is about
    /// to be needs the room more.
    #[cold]
    fn give_up_unwritten<M: Machine>(&mut self, pages: &mut Pages<M>) {
        let resting = core::mem::replace(&mut self.resting, List::EMPTY);
        release::<M, P>(pages, resting, true);
        let (mut found, unwritten) = (0, |counted: &mut Counted<M>, entry: &mut EntryOf<M>| {
            !entry.written && !P::is_written(entry, counted.machine)
        });
        let gone = self.open.split(pages, |counted, entry| {
            let goes = unwritten(counted, entry);
            found += u16::from(!goes && !core::mem::replace(&mut entry.written, true));
            goes
        });
        self.found += found;
        release::<M, P>(pages, gone, true);
    }

    /// Gives `run`, 2 or 3, PM0 for every page that a run before wrote; once more
    /// after a counter miss. `may_miss` says that such a miss is to be expected.
    /// Fails if a copy is found to be damaged.
    ///
    /// Where runs work in the home, from here to the commit or roll-back nothing maps a home writable that run
    /// 1 did not write, and none at all but where all runs share it.
    #[inline(always)]
    pub(crate) fn turn<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        run: Run,
        may_miss: bool,
    ) -> Result<(), Difference> {
        let again = self.turned >= Some(run);
        if run == Run::Second {
            if again {
                self.unwitnessed |= !self.witnessed && !P::CHECKED;
            } else {
                self.witnessed = may_miss && P::WITNESSES;
            }
        }
        let is_ready = P::IS_READY && run == Run::Second && !again && !self.witnessed;
        let mut found = 0;
        each!(self.open, pages.pool, entry => {
            if !entry.written {
                if !P::is_written(entry, pages.counted.machine) {
                    if !P::AT_ONCE {
                        pages.counted.map(View::Every, entry.page, entry.page.frame, Access::Closed);
                    }
                    continue;
                }
                entry.written = true;
                found = u16::wrapping_add(found, 1);
            }
            if is_ready {
                P::show(entry, &mut pages.counted, run);
            } else {
                P::turn(entry, &mut pages.counted, run, again, self.witnessed)?;
            }
        });
        self.found = self.found.wrapping_add(found);
        self.turned = if P::AT_ONCE { self.turned.max(Some(run)) } else { Some(run) };
        Ok(())
    }

    /// A flip is about to hit `page` as `run` sees it: from now on the page counts
    /// as written. Returns the frame to hit.
    #[cold]
    pub(crate) fn expose<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        run: Run,
        page: PageOf<M>,
    ) -> Result<M::Frame, SetFull> {
        let is_mapped =
            |entry: &&EntryOf<M>| Run::ALL.into_iter().any(|run| P::frame::<M>(entry, run) == page.frame);
        let home =
            self.open.iter(&pages.pool.entries).find(is_mapped).map_or(page.frame, |entry| entry.page.frame);
        let known = pages.pool.find::<M>(self.owner, home);
        let is_open = known.is_some_and(|index| !pages.pool.entries[usize::from(index)].resting);
        let index = self.join(pages, known, page)?;
        let entry = &mut pages.pool.entries[usize::from(index)];
        let is_new = !is_open || !core::mem::replace(&mut entry.written, true);
        self.opened += u16::from(is_new && is_open);
        if P::AT_ONCE {
            P::show(entry, &mut pages.counted, run);
        } else if run != Run::First && is_new {
            P::late(entry, &mut pages.counted, run, self.witnessed);
        } else if !is_open {
            P::close(entry, &mut pages.counted);
        }
        Ok(P::frame::<M>(entry, run))
    }

    /// Compares two results; the first byte on which they differ. This covers what one of them alone has
    /// written: on the other side it equals PM0. `verifies` says that they are those of runs 1 and 2, and to be
    /// committed if they agree.
    #[inline(always)]
    pub(crate) fn difference<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        a: Run,
        b: Run,
        verifies: bool,
    ) -> Option<Difference> {
        let mut compared = 0;
        each!(self.open, pages.pool, entry => {
            if !entry.written {
                continue;
            }
            let found = if verifies {
                P::verify(entry, &mut pages.counted)
            } else {
                P::difference(entry, &mut pages.counted, a, b)
            };
            if found.is_some() {
                return found;
            }
            compared = u16::wrapping_add(compared, 1);
        });
        self.conclude(compared, b)
    }

    /// The runs agree if all pages were compared that were written: these are known behind the turn to the last of them.
    #[inline(always)]
    fn conclude(&mut self, compared: u16, last: Run) -> Option<Difference> {
        let written = self.opened.wrapping_add(self.found);
        if compared != written || self.turned < Some(last) {
            return Some(Difference {
                field: Field::Compared,
                first: written.into(),
                second: compared.into(),
                address: 0,
            });
        }
        self.compared = Some(compared);
        None
    }

    /// Notes what runs up to `last` wrote that have views of their own.
    #[cold]
    pub(crate) fn gather<M: Machine>(&mut self, pages: &mut Pages<M>, last: Run) {
        self.turned = self.turned.max(Some(last));
        each!(self.open, pages.pool, entry => {
            if !entry.written && P::is_written(entry, pages.counted.machine) {
                entry.written = true;
                self.found += 1;
            }
        });
    }

    /// Finishes the last of the runs, so that its result can be compared.
    #[cold]
    pub(crate) fn finish<M: Machine>(&mut self, pages: &mut Pages<M>, run: Run) {
        each!(self.open, pages.pool, entry => {
            if entry.written {
                P::finish(entry, &mut pages.counted, run);
            }
        });
    }

    /// The pages that the last committed PE wrote, each with its address and the hash of its content; without
    /// those that only a flip has changed, where the process may not write.
    pub(crate) fn last_written<M: Machine>(
        &self,
        pool: &Pool<M::Frame, M::Slot>,
        machine: &mut M,
    ) -> impl Iterator<Item = (u64, u128)> {
        // The others' idle time has been counted up.
        let written = self.open.iter(&pool.entries).filter(|entry| entry.idle == 0);
        written.map(|entry| (entry.page.address, machine.hash(entry.page.frame)))
    }

    /// The frame of one of the engine's own copies of the page at `address`.
    pub(crate) fn copy_of<F: core::marker::Copy, S>(
        &self,
        pool: &Pool<F, S>,
        address: u64,
        copy: Copy,
    ) -> Option<F> {
        let mut pages = self.open.iter(&pool.entries);
        let entry = pages.find(|entry| entry.page.address == address & !(PAGE_LEN - 1))?;
        entry.frames[..P::FRAMES].get(copy as usize).copied()
    }

    /// What makes the copies doubtful where a run is outvoted. If that is run 1, and runs 2 and 3
    /// were both made from them, a damaged one alone may be the reason. `seen` is the difference.
    #[cold]
    pub(crate) fn damage<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        outvoted: Run,
        seen: Difference,
    ) -> Option<Difference> {
        if outvoted == Run::First && self.unwitnessed {
            return Some(seen);
        }
        let mut damage = None;
        each!(self.open, pages.pool, entry => {
            if entry.written && damage.is_none() {
                damage = check::<M, P>(entry, &mut pages.counted, outvoted == Run::First).err();
            }
        });
        damage
    }

    /// Takes run 1's result as it is, whatever run 2's was. Only mutants do that.
    #[cold]
    pub(crate) fn adopt<M: Machine>(&mut self, pages: &mut Pages<M>) {
        each!(self.open, pages.pool, entry => {
            if entry.written {
                P::adopt(entry, &mut pages.counted);
            }
        });
        self.compared = Some(self.opened + self.found);
    }

    /// Makes the result that was agreed on the state of the process; `outvoted` has
    /// another one. Returns how many pages it wrote.
    ///
    /// # Panics
    /// If not all pages that were written were compared.
    #[inline(always)]
    pub(crate) fn commit<M: Machine>(&mut self, pages: &mut Pages<M>, outvoted: Option<Run>) -> u16 {
        let mut written = 0;
        let mut spent = false;
        each!(self.open, pages.pool, entry => {
            if entry.written {
                written = u16::wrapping_add(written, 1);
                entry.written = false;
                entry.idle = 0;
                P::commit(entry, &mut pages.counted, outvoted, self.turned);
                if !entry.plain {
                    spent |= !entry.page.writable;
                    pages.counted.machine.publish(entry.page.frame);
                    entry.generation = pages.counted.machine.generation(entry.page.frame);
                }
            } else {
                entry.idle += 1;
                spent |= entry.idle >= MAX_IDLE || !entry.page.writable;
            }
            P::close(entry, &mut pages.counted);
        });
        if self.compared != Some(written) {
            uncompared(written, self.compared);
        }
        self.begin();
        if spent {
            self.demote(pages, |_, entry| entry.idle >= MAX_IDLE || !entry.page.writable);
        }
        written
    }

    /// Puts PM0 back. Fails, after having done so as well as it can, if it cannot
    /// be sure of it: `seen` is the difference that is the reason.
    #[cold]
    pub(crate) fn roll_back<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        seen: Option<Difference>,
    ) -> Result<(), Difference> {
        let mut result = seen.filter(|_| self.unwitnessed).map_or(Ok(()), Err);
        each!(self.open, pages.pool, entry => {
            P::roll_back(entry, &mut pages.counted);
            result = result.and(check::<M, P>(entry, &mut pages.counted, true));
            entry.written = false;
            P::close(entry, &mut pages.counted);
        });
        self.begin();
        self.demote(pages, |_, entry| !entry.page.writable);
        result
    }

    #[inline(always)]
    fn begin(&mut self) {
        (self.turned, self.witnessed, self.unwitnessed) = (None, false, false);
        (self.opened, self.found, self.compared) = (0, 0, None);
    }

    /// Gives up the pages for which `which` holds, between two PEs.
    pub(crate) fn give_up<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        mut which: impl FnMut(&mut M, &Page<M::Frame, M::Slot>) -> bool,
    ) {
        if pages.counted.machine.disturbed() {
            self.refresh(pages);
        }
        self.demote(pages, |machine, entry| which(machine, &entry.page));
    }

    fn demote<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        mut which: impl FnMut(&mut M, &EntryOf<M>) -> bool,
    ) {
        for list in [&mut self.open, &mut self.resting] {
            let gone = list.split(pages, |counted, entry| which(counted.machine, entry));
            release::<M, P>(pages, gone, true);
        }
    }
}
