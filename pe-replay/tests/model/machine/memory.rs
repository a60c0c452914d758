// SPDX-License-Identifier: MIT
//! The memory of the model: frames, and pages in views.

use xxhash_rust::xxh3::xxh3_128;

use pe_replay::{Access, Change, Memory, Page as Mapped, View};

use super::moments::{Call, Next};
use super::{Entry, Mapping, Model, POISON, Use, views};
use crate::space::PAGE_LEN;

impl Memory for Model {
    type Frame = usize;
    type Slot = u64;

    fn number(frame: usize) -> usize {
        frame
    }

    fn page(&mut self, address: u64) -> Option<Mapped<usize, u64>> {
        self.tick(Call::Other);
        let address = address & !(PAGE_LEN - 1);
        let entry = self.entries.get(&address)?;
        let Mapping { frame, open, .. } = entry.views[self.view];
        let (writable, shared) = (entry.writable, false);
        Some(Mapped { address, frame, slot: address, writable, open, shared })
    }

    fn allocate(&mut self) -> Option<usize> {
        self.tick(Call::Other);
        let frame = self.frames.iter().position(|(_, kind)| *kind == Use::Free)?;
        self.frames[frame].1 = Use::Taken;
        Some(frame)
    }

    fn release(&mut self, frame: usize) {
        self.tick(Call::Other);
        self.moments.forget(frame);
        let mapped = self.entries.values().any(|entry| entry.views.iter().any(|view| view.frame == frame));
        assert!(!mapped, "frame {frame} is given back and still mapped");
        let (page, kind) = &mut self.frames[frame];
        assert!(*kind == Use::Taken, "frame {frame} was not taken");
        (*page, *kind) = ([POISON; PAGE_LEN as usize], Use::Free);
    }

    fn copy(&mut self, from: usize, to: usize) {
        self.tick(Call::Other);
        self.moments.used(from, if self.frames[to].1 == Use::Home { Next::CopiedHome } else { Next::Copied });
        self.moments.used(to, Next::Overwritten);
        self.clock += 16;
        let page = *self.live(from);
        *self.live(to) = page;
    }

    fn compare_and_copy(&mut self, a: usize, b: usize, to: usize) -> bool {
        self.misjudges |= self.goes_wrong(Call::Comparison);
        [a, b].into_iter().for_each(|frame| self.moments.used(frame, Next::Compared));
        self.moments.used(to, Next::Overwritten);
        self.clock += 20;
        let (a, b) = (*self.live(a), *self.live(b));
        if core::mem::take(&mut self.misjudges) {
            *self.live(to) = [POISON; PAGE_LEN as usize];
            return false;
        }
        // Not a copy where they differ: nobody may use it.
        *self.live(to) = if a == b { a } else { [POISON; PAGE_LEN as usize] };
        a == b
    }

    fn equal(&mut self, a: usize, b: usize) -> bool {
        let misjudged = self.goes_wrong(Call::Comparison);
        [a, b].into_iter().for_each(|frame| self.moments.used(frame, Next::Compared));
        self.clock += 12;
        let a = *self.live(a);
        a == *self.live(b) && !misjudged
    }

    fn hash(&mut self, frame: usize) -> u128 {
        let wrong = self.goes_wrong(Call::Hash);
        self.moments.hashed(frame);
        self.clock += 10;
        xxh3_128(self.live(frame)) ^ u128::from(wrong) << 77
    }

    fn first_difference(&mut self, a: usize, b: usize) -> Option<u16> {
        self.tick(Call::Other);
        self.clock += 8;
        let (a, b) = (*self.live(a), *self.live(b));
        if a == b {
            return None;
        }
        a.iter().zip(b).position(|(x, y)| *x != y).map(|at| at as u16)
    }

    fn byte(&mut self, frame: usize, offset: u16) -> u8 {
        self.tick(Call::Other);
        self.live(frame)[usize::from(offset)]
    }

    fn flip(&mut self, frame: usize, offset: u16, mask: u8) {
        let homes = self.entries.values().filter(|entry| entry.views.iter().any(|view| view.frame == frame));
        let homes = homes.map(|entry| entry.home);
        self.attempt.touched.extend(homes);
        self.live(frame)[usize::from(offset)] ^= mask;
    }

    fn map(&mut self, view: View, page: &Mapped<usize, u64>, frame: usize, access: Access) {
        self.tick(Call::Other);
        self.clock += 3;
        self.live(frame);
        let entry = &self.entries[&page.slot];
        assert_eq!(
            (entry.home, entry.writable),
            (page.frame, page.writable),
            "not the page that is mapped there"
        );
        let open = access == Access::Open;
        for entry in self.entries.values_mut().filter(|entry| entry.home == page.frame) {
            entry.views[views(view)].fill(Mapping { frame, open: open && entry.writable, dirty: false });
            entry.watched = access != Access::Released;
            entry.stale = false;
        }
        self.stale.insert(page.frame);
    }

    fn flush(&mut self, page: &Mapped<usize, u64>) {
        self.stale.remove(&page.frame);
    }

    fn flush_all(&mut self) {
        self.stale.clear();
    }

    fn settle(&mut self, view: View) {
        self.view = views(view).start;
    }

    fn is_written(&mut self, view: View, page: &Mapped<usize, u64>) -> bool {
        self.tick(Call::Other);
        let dirty = |entry: &Entry| entry.views[views(view)].iter().any(|view| view.dirty);
        self.entries.values().any(|entry| entry.home == page.frame && dirty(entry))
    }

    /// Asked for at the beginning of each attempt.
    fn disturbed(&mut self) -> bool {
        self.tick(Call::Other);
        self.begin_attempt();
        core::mem::take(&mut self.disturbed)
    }

    fn change(&mut self, page: &Mapped<usize, u64>) -> Change {
        self.tick(Call::Other);
        match self.entries.get_mut(&page.slot) {
            Some(entry) if entry.home == page.frame && entry.watched => {
                if core::mem::take(&mut entry.stale) {
                    Change::Content
                } else {
                    Change::None
                }
            }
            Some(_) | None => Change::Mapping,
        }
    }
}
