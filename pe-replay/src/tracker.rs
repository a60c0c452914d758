// SPDX-License-Identifier: MIT
//! The pages of a space that PEs write or are expected to write: the written set.
//!
//! Each page has its *home*, the frame where it lives, and copies, of which a [`Placement`]
//! says what they are for. A page in the set is *open*: between PEs it is mapped writable and
//! not yet written, so that run 1 writes it without a fault; or it is *resting*: its copies
//! equal its home, it is read-only, and costs nothing a PE. Which pages open is predicted for
//! each thread: those that it wrote in one of its last three PEs, where PEs that fetches of absent code ended count as one,
//! and the one of data that the last page fault was about, if it is mapped by now. All other pages are mapped to their homes,
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
use crate::execution::{Attempt, Run};
use crate::machine::{Access, Change, Machine, Page, PageOf, View};
use crate::placement::{EntryOf, Placement};
use crate::policy::{MAX_DIRTY_PAGES, Policy};
use crate::pool::{All, Open, Pages, each};
use crate::thread::Thread;

/// Bytes in a page.
pub const PAGE_LEN: u64 = 4096;
/// PEs in a row after which an open page that none of them wrote is given up. To
/// keep it costs two table edits a PE, to take it back a fault and two copies.
const MAX_IDLE: u8 = 3;
/// Pages whose translations are flushed one by one. For more, to flush all and to walk the tables again is
/// taken to cost less: 604 cycles against 246 a page (`benches/model.toml`).
const FEW: u16 = 2;

/// The written set of a space.
pub struct Tracker<P> {
    pub(crate) policy: Policy,
    /// All pages.
    all: All,
    /// The open ones of them.
    pub open: Open,
    owner: u32,
    /// The thread whose pages are open.
    thread: u8,
    /// What is known of the attempt.
    pub attempt: Attempt,
    placement: PhantomData<P>,
}

/// What damage there is to the frames of a page: one that has two roles or, where that is `trusted`, a copy that is not
/// what it was.
#[cold]
fn damage<M: Machine, P: Placement>(
    entry: &EntryOf<M>,
    machine: &mut M,
    trusted: bool,
) -> Option<Difference> {
    let frames = &entry.frames[..P::FRAMES];
    let is_apart = |at: usize| frames[at] != entry.page.frame && !frames[..at].contains(&frames[at]);
    if !(0..P::FRAMES).all(is_apart) {
        let address = entry.page.address;
        return Some(Difference { field: Field::Memory, first: 0, second: 0, address });
    }
    if trusted { P::damage(entry, machine) } else { None }
}

/// Whether a page is written: user code may have done it since it was asked last. Then it is one more of those that
/// are `written`.
#[inline(always)]
fn is_written<M: Machine, P: Placement>(entry: &mut EntryOf<M>, machine: &mut M, written: &mut u16) -> bool {
    if !entry.written && P::is_written(entry, machine) {
        (*written, entry.written) = (written.wrapping_add(1), true);
    }
    entry.written
}

/// Apart, so that no number has to be in memory to be printed.
#[cold]
fn uncompared(committed: u16, written: u16) -> ! {
    panic!("{committed} pages are committed, {written} were written, or not all were compared")
}

/// Flushes the translations of pages that were all mapped otherwise.
#[inline(always)]
fn flush<M: Machine>(pages: &mut Pages<M>, list: Open) {
    if list.len > FEW {
        pages.machine.flush_all();
    } else if list.len > 0 {
        each!(list, pages.pool, entry => pages.machine.flush(&entry.page));
    }
}

impl<P: Placement> Tracker<P> {
    /// An empty set. Of the trackers that share a pool each has a number of its own.
    pub fn new(owner: u32, policy: Policy) -> Self {
        let (attempt, placement) = (Attempt::default(), PhantomData);
        Self { policy, all: All::EMPTY, open: Open::EMPTY, owner, thread: 0, attempt, placement }
    }

    /// Brings the set up to date before a PE of a thread.
    #[inline(always)]
    pub(crate) fn prepare<M: Machine>(&mut self, pages: &mut Pages<M>, thread: &mut Thread<M::Place>) {
        let disturbed = pages.machine.disturbed();
        if disturbed || self.thread != thread.number {
            self.catch_up(pages, disturbed, thread.number);
        }
        if let Some(address) = thread.awaited.take() {
            let page = pages.machine.page(address).filter(|page| page.writable && !page.open);
            page.and_then(|page| self.open(pages, Run::First, page));
        }
    }

    /// Catches up with what happened between two PEs. If pages were disturbed, each tells how, and what others write
    /// to a shared frame moves its generation. The pages of a thread open in place of those of the one before.
    #[cold]
    fn catch_up<M: Machine>(&mut self, pages: &mut Pages<M>, disturbed: bool, thread: u8) {
        let before = core::mem::replace(&mut self.thread, thread);
        // Where a thread's bits are in an entry; they have room for `MAX_IDLE`.
        let [own, last] = [thread, before].map(|thread| u32::from(thread % 32) * 2);
        self.sift(pages, |machine, entry| {
            if disturbed {
                let (change, generation) = (machine.change(&entry.page), entry.generation);
                if entry.page.shared {
                    entry.generation = machine.generation(entry.page.frame);
                }
                if change == Change::Content || change == Change::None && entry.generation != generation {
                    P::save(entry, machine);
                }
                if change == Change::Mapping {
                    return false;
                }
            }
            if before != thread {
                if !entry.resting {
                    let others = entry.unwritten & !(u64::from(MAX_IDLE) << last);
                    entry.unwritten = others | u64::from(entry.idle.min(MAX_IDLE)) << last;
                }
                entry.idle = (entry.unwritten >> own) as u8 & MAX_IDLE;
                let rests = entry.idle == MAX_IDLE;
                if rests && !entry.resting {
                    machine.map(View::Every, &entry.page, entry.page.frame, Access::Closed);
                    machine.flush(&entry.page);
                } else if entry.resting && !rests {
                    P::open(entry, machine);
                    machine.flush(&entry.page);
                }
                entry.resting = rests;
            }
            true
        });
    }

    /// Looks at all pages: forgets those for which `keeps` does not hold, and of the others those are open
    /// that do not rest.
    ///
    /// # Panics
    /// If the open ones before were not those that did not rest.
    fn sift<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        mut keeps: impl FnMut(&mut M, &mut EntryOf<M>) -> bool,
    ) {
        let open = core::mem::replace(&mut self.open, Open::EMPTY);
        let (mut at, mut kept, mut were_open) = (self.all.first, None, 0);
        for _ in 0..self.all.len {
            let entry = &mut pages.pool.entries[usize::from(at)];
            let index = core::mem::replace(&mut at, All::behind(entry));
            were_open += u16::from(!entry.resting);
            if keeps(pages.machine, entry) {
                kept = Some(index);
                if !entry.resting {
                    self.open.push(&mut pages.pool.entries, index);
                }
            } else {
                self.all.cut(&mut pages.pool.entries, kept, at);
                pages.pool.put::<M>(index);
            }
        }
        All::end(at);
        assert!(were_open == open.len, "a page is open and in no list");
    }

    /// Lets a run that met a write fault write `page`, if there is room for it and it may; says whether it does.
    ///
    /// In run 1 a page joins the set. Where the runs do not go on at once, a later one finds all of
    /// run 1's pages writable, and may write a page that was open and that no run before wrote.
    /// A write anywhere else is where run 1 met the dirty-frame limit, or a divergence. Should run 1
    /// be the one that is outvoted, the PE ends here, before that write.
    #[cold]
    pub(crate) fn write_fault<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        run: Run,
        page: PageOf<M>,
    ) -> bool {
        if run != Run::First && !P::AT_ONCE {
            let known = pages.pool.find::<M>(self.owner, page.frame);
            let entry = known.map(|index| &pages.pool.entries[usize::from(index)]);
            if entry.is_none_or(|entry| entry.written || entry.resting) {
                return false;
            }
        }
        self.write(pages, run, page).is_some()
    }

    /// Opens a page for a run, if need be in place of others, and counts it as written. Returns its entry, unless there is
    /// no room for one.
    fn write<M: Machine>(&mut self, pages: &mut Pages<M>, run: Run, page: PageOf<M>) -> Option<u16> {
        let index = self.open(pages, run, page).or_else(|| {
            self.give_up_unwritten(pages);
            self.open(pages, run, page)
        })?;
        let entry = &mut pages.pool.entries[usize::from(index)];
        if !core::mem::replace(&mut entry.written, true) {
            self.attempt.written += 1;
            if run != Run::First {
                P::late(entry, pages.machine, run, self.attempt.witnessed);
            }
        }
        Some(index)
    }

    /// Sees that a page, which is mapped to its home, is among the open ones, and that a run can write it. Returns its
    /// entry, unless there is no room for one.
    fn open<M: Machine>(&mut self, pages: &mut Pages<M>, run: Run, page: PageOf<M>) -> Option<u16> {
        let known = pages.pool.find::<M>(self.owner, page.frame);
        let index = known.or_else(|| self.join(pages, page))?;
        if core::mem::take(&mut pages.pool.entries[usize::from(index)].resting) {
            self.open.push(&mut pages.pool.entries, index);
        }
        let entry = &mut pages.pool.entries[usize::from(index)];
        P::show(entry, pages.machine, run);
        pages.machine.flush(&entry.page);
        Some(index)
    }

    /// Takes in a page that is not known, if there is room.
    fn join<M: Machine>(&mut self, pages: &mut Pages<M>, page: PageOf<M>) -> Option<u16> {
        if self.all.len >= self.policy.max_dirty.min(MAX_DIRTY_PAGES) {
            return None;
        }
        let index = pages.pool.take(pages.machine, self.owner, page, P::FRAMES)?;
        self.all.push(&mut pages.pool.entries, index);
        let entry = &mut pages.pool.entries[usize::from(index)];
        entry.generation = pages.machine.generation(page.frame);
        P::save(entry, pages.machine);
        Some(index)
    }

    /// Gives up all pages that were not written so far: a page that is about
    /// to be needs the room more.
    #[cold]
    fn give_up_unwritten<M: Machine>(&mut self, pages: &mut Pages<M>) {
        let mut written = self.attempt.written;
        self.demote(pages, |machine, entry| {
            entry.resting || !is_written::<M, P>(entry, machine, &mut written)
        });
        self.attempt.written = written;
    }

    /// Gives `run`, 2 or 3, PM0 for every page that a run before wrote; once more
    /// after a counter miss. `may_miss` says that such a miss is to be expected.
    /// Returns damage to a copy that it finds.
    ///
    /// Where runs work in the home, from here to the commit or roll-back nothing maps a home writable that run
    /// 1 did not write, and none at all but where all runs share it.
    #[inline(always)]
    pub(crate) fn turn<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        run: Run,
        may_miss: bool,
    ) -> Option<Difference> {
        if self.attempt.turned >= run {
            self.attempt.again = true;
            self.attempt.unwitnessed |= run == Run::Second && !self.attempt.witnessed && !P::SHARED;
        } else if run == Run::Second {
            self.attempt.witnessed = may_miss && !P::SHARED && !P::AT_ONCE;
        } else {
            self.attempt.again = false;
        }
        self.attempt.turned = run;
        let is_ready =
            !P::SHARED && !P::AT_ONCE && run == Run::Second && !self.attempt.again && !self.attempt.witnessed;
        let mut written = self.attempt.written;
        each!(self.open, pages.pool, entry => {
            if is_written::<M, P>(entry, pages.machine, &mut written) {
                if !is_ready && let Some(damage) = P::turn(entry, pages.machine, &self.attempt) {
                    // The roll-back flushes.
                    return Some(damage);
                }
                P::show(entry, pages.machine, run);
            } else if !P::AT_ONCE {
                pages.machine.map(View::Every, &entry.page, entry.page.frame, Access::Closed);
            }
        });
        flush(pages, self.open);
        self.attempt.written = written;
        None
    }

    /// The frame of `page` as `run` sees it is about to be changed: from now on the page counts
    /// as written, if pages are tracked and there is room. Returns that frame.
    #[cold]
    pub(crate) fn expose<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        run: Run,
        page: PageOf<M>,
    ) -> Option<M::Frame> {
        if P::FRAMES == 0 {
            return Some(page.frame);
        }
        let is_mapped =
            |entry: &&EntryOf<M>| Run::ALL.into_iter().any(|run| P::frame::<M>(entry, run) == page.frame);
        let shown = self.open.iter(&pages.pool.entries).find(is_mapped);
        let frame = shown.map_or(page.frame, |entry| entry.page.frame);
        let index = self.write(pages, run, Page { frame, ..page })?;
        let entry = &pages.pool.entries[usize::from(index)];
        self.attempt.exposed |= !entry.page.writable;
        Some(P::frame::<M>(entry, run))
    }

    /// Compares two results; the first byte on which they differ. This covers what one of them alone has
    /// written: on the other side it equals PM0. `verifies` says that they are those of runs 1 and 2, and to be
    /// committed if they agree.
    ///
    /// The runs agree if all pages were compared that were written: these are known behind the turn to the last
    /// of them.
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
            if entry.written {
                let machine = &mut *pages.machine;
                if !if verifies { P::verify(entry, machine) } else { P::agree(entry, machine, a, b) } {
                    return Some(P::difference(entry, machine, a, b));
                }
                compared = u16::wrapping_add(compared, 1);
            }
        });
        let written = self.attempt.written;
        if compared != written || self.attempt.turned < b {
            let (first, second) = (written.into(), compared.into());
            return Some(Difference { field: Field::Compared, first, second, address: 0 });
        }
        self.attempt.agreed = true;
        None
    }

    /// Takes in what runs up to `last` left that no turn to a later one has taken in.
    #[cold]
    pub(crate) fn finish<M: Machine>(&mut self, pages: &mut Pages<M>, last: Run) {
        self.attempt.turned = self.attempt.turned.max(last);
        each!(self.open, pages.pool, entry => {
            if is_written::<M, P>(entry, pages.machine, &mut self.attempt.written) {
                P::finish(entry, pages.machine, last);
            }
        });
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
        if outvoted == Run::First && self.attempt.unwitnessed {
            return Some(seen);
        }
        each!(self.open, pages.pool, entry => {
            if entry.written
                && let damage @ Some(_) = damage::<M, P>(entry, pages.machine, outvoted == Run::First)
            {
                return damage;
            }
        });
        None
    }

    /// Makes the result that was agreed on the state of the process; `outvoted` has
    /// another one. Returns how many pages it wrote. The count of PEs that did not write a page grows by `age`, to 1 at least.
    ///
    /// # Panics
    /// If not all pages that were written were compared.
    #[inline(always)]
    pub(crate) fn commit<M: Machine>(&mut self, pages: &mut Pages<M>, outvoted: Option<Run>, age: u8) -> u16 {
        let (mut written, mut spent) = (0, self.attempt.exposed);
        each!(self.open, pages.pool, entry => {
            if entry.written {
                written = u16::wrapping_add(written, 1);
                (entry.written, entry.idle) = (false, 0);
                P::commit(entry, pages.machine, outvoted, self.attempt.turned);
                if entry.page.shared {
                    entry.generation = pages.machine.publish(entry.page.frame);
                }
            } else {
                entry.idle = (entry.idle + age).max(1);
                spent |= entry.idle >= MAX_IDLE;
            }
            P::open(entry, pages.machine);
        });
        flush(pages, self.open);
        if !self.attempt.agreed || written != self.attempt.written {
            uncompared(written, self.attempt.written);
        }
        self.attempt = Attempt::default();
        if spent {
            self.demote(pages, |_, entry| !entry.resting && entry.idle >= MAX_IDLE || !entry.page.writable);
        }
        written
    }

    /// Puts PM0 back as well as it can, because of the difference `seen`. Returns what makes it doubtful that it is PM0.
    #[cold]
    pub(crate) fn roll_back<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        seen: Option<Difference>,
    ) -> Option<Difference> {
        let attempt = core::mem::take(&mut self.attempt);
        let mut doubt = seen.filter(|_| attempt.unwitnessed);
        each!(self.open, pages.pool, entry => {
            P::roll_back(entry, pages.machine);
            doubt = doubt.or(damage::<M, P>(entry, pages.machine, true));
            entry.written = false;
            P::open(entry, pages.machine);
            pages.machine.flush(&entry.page);
        });
        self.demote(pages, |_, entry| !entry.page.writable);
        doubt
    }

    /// Gives up the pages for which `which` holds, between two PEs.
    pub(crate) fn give_up<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        mut which: impl FnMut(&EntryOf<M>) -> bool,
    ) {
        let disturbed = pages.machine.disturbed();
        self.catch_up(pages, disturbed, self.thread);
        self.demote(pages, |_, entry| which(entry));
    }

    /// Gives up the pages for which `which` holds.
    #[cold]
    fn demote<M: Machine>(
        &mut self,
        pages: &mut Pages<M>,
        mut which: impl FnMut(&mut M, &mut EntryOf<M>) -> bool,
    ) {
        self.sift(pages, |machine, entry| {
            let goes = which(machine, entry);
            if goes {
                machine.map(View::Every, &entry.page, entry.page.frame, Access::Released);
                machine.flush(&entry.page);
            }
            !goes
        });
    }
}
