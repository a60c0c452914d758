// SPDX-License-Identifier: MIT
//! The kernel's spaces against a simple model: page tables, shared frames, the tracker's switches, and
//! a processor that remembers what it was not told to forget.
//!
//! Two spaces, of which the second is a fork of the first, do things without sense; a switch between them gives
//! nothing up, and a generation tells what one has written that the other has open. After each, every page
//! is what the model says, and the processor remembers nothing that is no longer so. In between, and in the
//! end, as many frames are in use as the model's pages and the tables for them need.

use std::collections::{BTreeMap, BTreeSet};

use pe_replay::{Change, Page};
use proptest::collection::vec;
use proptest::prelude::*;

use super::space::kernel_half;
use crate::kernel::mem::frame::{self, Frame};
use crate::kernel::mem::phys;
use crate::kernel::mem::shared::SharedFrame;
use crate::kernel::mem::space::{Access, PAGE_LEN, Slot, Space, USER_END};
use crate::kernel::mem::translations;

/// Pages of one table, and of others that lie in other tables at each level.
const PAGES: [u64; 8] = [
    0x40_0000,
    0x40_1000,
    0x40_0000 + (1 << 21),
    0x40_0000 + (1 << 30),
    0x40_1000 + (1 << 30),
    0x40_0000 + (1 << 39),
    0x7000_0000_0000,
    USER_END - PAGE_LEN,
];
/// Shared frames.
const OBJECTS: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Own,
    Shared,
    CopyOnWrite,
}

#[derive(Clone, Copy)]
struct ModelPage {
    access: Access,
    /// Which of the model's frames it shows.
    frame: usize,
    sharing: Sharing,
}

/// A page that a tracker has opened.
struct Tracked {
    page: Page<Frame, Slot>,
    /// Whether user code has written it since it was switched.
    written: bool,
    /// Whether the kernel or another space has since the tracker looked.
    stale: bool,
    /// The frame's generation then.
    generation: u64,
}

struct Side {
    space: Space,
    pages: BTreeMap<u64, ModelPage>,
    tracked: Vec<Tracked>,
}

struct World {
    sides: Vec<Side>,
    current: usize,
    objects: Vec<SharedFrame>,
    /// The first byte of each of the model's frames; the first ones are the objects'.
    bytes: Vec<u8>,
    tracking: bool,
    free: u64,
}

fn access(word: u8) -> Access {
    Access { read: word & 3 != 0, write: word & 4 != 0, execute: word & 8 != 0 }
}

impl World {
    fn new(tracking: bool) -> Self {
        let half = kernel_half();
        let free = frame::free_count();
        let side =
            Side { space: Space::new(half, tracking).unwrap(), pages: BTreeMap::new(), tracked: Vec::new() };
        let objects = (0..OBJECTS).map(|_| SharedFrame::zeroed().unwrap()).collect();
        Self { sides: vec![side], current: 0, objects, bytes: vec![0; OBJECTS], tracking, free }
    }

    fn side(&mut self) -> &mut Side {
        &mut self.sides[self.current]
    }

    /// What the tracker does before it does anything: it finds out what became of its pages.
    fn catch_up(&mut self) {
        self.catch_up_on(self.current);
    }

    fn catch_up_on(&mut self, side: usize) {
        let bytes = &self.bytes;
        let Side { space, pages, tracked } = &mut self.sides[side];
        // A space is told what was done to its shared frames when it is the current one again.
        if !space.disturbed() && side == self.current {
            assert!(tracked.iter().all(|it| !it.stale), "a write of the kernel's disturbed nobody");
            return;
        }
        tracked.retain_mut(|it| match space.change(it.page.slot) {
            Change::Mapping => false,
            kept => {
                let page = pages[&it.page.address];
                assert_eq!(
                    space.tracked(it.page.address).unwrap().shared,
                    page.sharing == Sharing::Shared,
                    "{:#x}",
                    it.page.address
                );
                let now = frame::generation(it.page.frame);
                let has_moved = std::mem::replace(&mut it.generation, now) != now;
                assert_eq!(it.stale, kept == Change::Content || has_moved, "{:#x}", it.page.address);
                let mut byte = [0];
                phys::read(it.page.frame, 0, &mut byte);
                assert_eq!(byte[0], bytes[page.frame]);
                it.stale = false;
                true
            }
        });
    }

    /// All that shows a frame of the model's is stale for whoever has it open.
    fn note_write(&mut self, frame: usize) {
        for side in &mut self.sides {
            for it in &mut side.tracked {
                it.stale |= side.pages.get(&it.page.address).is_some_and(|page| page.frame == frame);
            }
        }
    }

    fn act(&mut self, [kind, a, b, c]: [u8; 4]) {
        let page = PAGES[usize::from(a) % PAGES.len()];
        let allowed = access(c);
        let fresh = self.bytes.len();
        let known = self.side().pages.get(&page).copied();
        match kind % 17 {
            0..=1 if known.is_none() => {
                self.side().space.map_zeroed(page, allowed).unwrap();
                self.bytes.push(0);
                let new = ModelPage { access: allowed, frame: fresh, sharing: Sharing::Own };
                self.side().pages.insert(page, new);
            }
            2 if known.is_none() => {
                let object = usize::from(b) % OBJECTS;
                let Self { sides, objects, current, .. } = self;
                sides[*current].space.map_shared(page, &objects[object], allowed).unwrap();
                let new = ModelPage { access: allowed, frame: object, sharing: Sharing::Shared };
                self.side().pages.insert(page, new);
            }
            3..=4 => {
                assert_eq!(self.side().space.unmap(page), known.is_some());
                self.side().pages.remove(&page);
            }
            5 => {
                assert_eq!(self.side().space.protect(page, allowed), known.is_some());
                self.side().pages.entry(page).and_modify(|page| page.access = allowed);
            }
            6 => {
                let to = PAGES[usize::from(b) % PAGES.len()];
                if self.side().pages.contains_key(&to) {
                    return;
                }
                assert_eq!(self.side().space.relocate(page, to), Ok(known.is_some()));
                if let Some(moved) = self.side().pages.remove(&page) {
                    self.side().pages.insert(to, moved);
                }
            }
            7 => {
                let may = known.is_some_and(|it| {
                    it.access.read && it.access.write && it.sharing != Sharing::CopyOnWrite
                });
                assert_eq!(self.side().space.write(page, &[b]).is_ok(), may);
                if may {
                    let frame = known.unwrap().frame;
                    self.bytes[frame] = b;
                    self.note_write(frame);
                }
            }
            8 => {
                let object = usize::from(a) % OBJECTS;
                self.objects[object].write(0, &[b]);
                self.bytes[object] = b;
                self.note_write(object);
                // As the personality does.
                let Self { sides, objects, current, .. } = self;
                sides[*current].space.note_write(&objects[object]);
            }
            9 => {
                let copied = known.is_some_and(|it| it.sharing == Sharing::CopyOnWrite);
                assert_eq!(self.side().space.own(page, allowed), Ok(copied));
                if copied {
                    let byte = self.bytes[known.unwrap().frame];
                    self.bytes.push(byte);
                    let new = ModelPage { access: allowed, frame: fresh, sharing: Sharing::Own };
                    self.side().pages.insert(page, new);
                }
            }
            10 => self.fork_or_end(),
            11 => self.change_sides(),
            12 => self.open(page),
            13 => self.run_two(b),
            14 => self.user(page, (c & 1 == 0).then_some(b)),
            15 => self.let_go(),
            16 => self.share(page, PAGES[usize::from(b) % PAGES.len()], allowed),
            _ => {}
        }
    }

    /// Maps the frame of a page a second time.
    fn share(&mut self, page: u64, also: u64, access: Access) {
        let Side { space, pages, .. } = self.side();
        let shown = pages.get_mut(&page).filter(|page| page.sharing != Sharing::CopyOnWrite);
        let shared = space.share(page).unwrap();
        assert_eq!(shared.is_some(), shown.is_some(), "{page:#x}");
        let (Some(shown), Some(shared)) = (shown, shared) else { return };
        shown.sharing = Sharing::Shared;
        let second = ModelPage { access, ..*shown };
        pages.entry(also).or_insert_with(|| {
            space.map_shared(also, &shared, access).unwrap();
            second
        });
    }

    fn fork_or_end(&mut self) {
        if self.sides.len() == 1 {
            let side = self.side();
            let space = side.space.fork().unwrap();
            for page in side.pages.values_mut().filter(|page| page.sharing == Sharing::Own) {
                page.sharing = Sharing::CopyOnWrite;
            }
            let pages = side.pages.clone();
            self.sides.push(Side { space, pages, tracked: Vec::new() });
        } else {
            self.let_go_of(1 - self.current);
            let ended = self.sides.remove(1 - self.current);
            self.current = 0;
            ended.space.destroy();
        }
    }

    fn change_sides(&mut self) {
        if self.sides.len() == 2 {
            self.current = 1 - self.current;
            self.side().space.activate();
        }
    }

    /// As after a write fault: all pages of the frame are writable, as far as they may be.
    fn open(&mut self, page: u64) {
        self.catch_up();
        let tracking = self.tracking;
        let Side { space, tracked, .. } = self.side();
        let Some(page) = space.tracked(page) else { return };
        if !tracking || !page.writable || page.open {
            return;
        }
        let (address, home) = (page.address, page.frame);
        assert!(
            tracked.iter().all(|it| it.page.frame != home),
            "{address:#x} is one of a frame that is open"
        );
        space.switch(&page, home, pe_replay::Access::Open);
        space.flush(address);
        let generation = frame::generation(home);
        tracked.push(Tracked { page, written: false, stale: false, generation });
    }

    /// As at the turn to run 2: all that is open shows a copy, and writes go there; then home again.
    fn run_two(&mut self, byte: u8) {
        self.catch_up();
        let Side { space, pages, tracked } = self.side();
        for it in &mut *tracked {
            assert_eq!(space.is_written(&it.page), it.written, "{:#x}", it.page.address);
            let copy = frame::allocate().unwrap();
            phys::copy(it.page.frame, copy);
            space.switch(&it.page, copy, pe_replay::Access::Open);
            space.flush(it.page.address);
            for (page, model) in
                pages.iter().filter(|(_, model)| model.frame == pages[&it.page.address].frame)
            {
                assert_eq!(space.lookup(*page).unwrap().frame, copy, "{page:#x} does not show the copy");
                translations::access(space, *page, model.access.write.then_some(byte));
            }
            space.switch(&it.page, it.page.frame, pe_replay::Access::Released);
            space.flush(it.page.address);
            assert!(!translations::access(space, it.page.address, Some(1)), "what was closed can be written");
            space.switch(&it.page, it.page.frame, pe_replay::Access::Open);
            space.flush(it.page.address);
            frame::release(copy);
            it.written = false;
        }
    }

    /// User mode reads or writes.
    fn user(&mut self, page: u64, writes: Option<u8>) {
        self.catch_up();
        let known = self.side().pages.get(&page).copied();
        let done = translations::access(&self.side().space, page, writes);
        let Some(model) = known else { return assert!(!done, "{page:#x} is not mapped") };
        match writes {
            None => assert_eq!(done, model.access.read),
            Some(byte) if done => {
                assert!(model.access.write && model.sharing != Sharing::CopyOnWrite);
                self.bytes[model.frame] = byte;
                // As a commit does, of which only others have to be told.
                self.note_write(model.frame);
                let Side { tracked, pages, space } = self.side();
                for it in tracked.iter_mut().filter(|it| pages[&it.page.address].frame == model.frame) {
                    (it.written, it.stale) = (true, false);
                    if space.tracked(it.page.address).unwrap().shared {
                        it.generation = frame::touch(it.page.frame);
                    }
                }
            }
            Some(_) => {}
        }
    }

    fn let_go(&mut self) {
        self.let_go_of(self.current);
    }

    fn let_go_of(&mut self, side: usize) {
        self.catch_up_on(side);
        let Side { space, tracked, .. } = &mut self.sides[side];
        for it in tracked.drain(..) {
            space.switch(&it.page, it.page.frame, pe_replay::Access::Released);
            space.flush(it.page.address);
        }
    }

    fn check(&mut self) {
        let (bytes, tracking) = (self.bytes.clone(), self.tracking);
        for Side { space, pages, tracked } in &self.sides {
            for page in PAGES {
                let (found, model) = (space.lookup(page), pages.get(&page));
                assert_eq!(found.is_some(), model.is_some(), "{page:#x}");
                let (Some(found), Some(model)) = (found, model) else { continue };
                let write = model.access.write && model.sharing != Sharing::CopyOnWrite;
                assert_eq!(found.access, Access { write, ..model.access }, "{page:#x}");
                let is_tracked = tracked.iter().any(|it| it.page.frame == found.frame);
                assert!(!found.open || write && (is_tracked || !tracking), "{page:#x} is open");
                let mut byte = [0];
                space.peek(page, &mut byte).unwrap();
                assert_eq!(byte[0], bytes[model.frame], "{page:#x}");
            }
        }
        translations::check(&self.sides[self.current].space);
    }

    /// Pages and tables that the model needs frames for.
    fn in_use(&self) -> usize {
        let pages = self.sides.iter().flat_map(|side| side.pages.values().map(|page| page.frame));
        let frames: BTreeSet<usize> = pages.chain(0..OBJECTS).collect();
        let tables = |side: &Side| {
            let below = |shift| side.pages.keys().map(|page| page >> shift).collect::<BTreeSet<_>>().len();
            1 + below(39) + below(30) + below(21)
        };
        frames.len() + self.sides.iter().map(tables).sum::<usize>()
    }

    fn count(&mut self) {
        (0..self.sides.len()).for_each(|side| self.catch_up_on(side));
        assert_eq!(self.free - frame::free_count(), self.in_use() as u64, "frames are in use");
    }

    fn end(mut self) {
        self.count();
        (0..self.sides.len()).for_each(|side| self.let_go_of(side));
        for side in self.sides.drain(..) {
            side.space.destroy();
        }
        self.objects.clear();
        assert_eq!(frame::free_count(), self.free, "frames were not given back");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn spaces_do_what_the_model_does(
        steps in vec(any::<[u8; 4]>(), 1..200),
        tracking in any::<bool>(),
    ) {
        let mut world = World::new(tracking);
        for (number, step) in steps.into_iter().enumerate() {
            world.act(step);
            world.check();
            if number % 16 == 15 {
                world.count();
            }
        }
        world.end();
    }
}

#[test]
fn a_table_waits_for_the_tracker() {
    let half = kernel_half();
    let mut space = Space::new(half, true).unwrap();
    let free = frame::free_count();
    let page = PAGES[0];
    let both = Access { read: true, write: true, execute: false };
    space.map_zeroed(page, both).unwrap();
    let tracked = space.tracked(page).unwrap();
    space.switch(&tracked, tracked.frame, pe_replay::Access::Open);
    space.flush(page);
    assert!(space.unmap(page));
    // The page and two tables are back; the tracker still has a place in the third.
    assert_eq!(frame::free_count(), free - 1);
    space.map_zeroed(page, both).unwrap();
    assert!(space.disturbed());
    assert_eq!(space.change(tracked.slot), Change::Mapping);
    assert!(space.unmap(page));
    assert_eq!(frame::free_count(), free);
    space.destroy();
}

#[test]
fn a_generation_moves_for_those_who_share_only() {
    let half = kernel_half();
    let mut space = Space::new(half, true).unwrap();
    let object = SharedFrame::zeroed().unwrap();
    let both = Access { read: true, write: true, execute: false };
    space.map_shared(PAGES[0], &object, both).unwrap();
    space.map_zeroed(PAGES[1], both).unwrap();
    let [shared, own] = [PAGES[0], PAGES[1]].map(|page| space.lookup(page).unwrap().frame);
    let before = [shared, own].map(frame::generation);
    object.write(0, b"a");
    space.write(PAGES[0], b"b").unwrap();
    space.write(PAGES[1], b"c").unwrap();
    frame::touch(own);
    frame::touch(shared);
    assert_eq!([shared, own].map(frame::generation), [before[0] + 3, before[1]]);
    assert_eq!(frame::memory(own), crate::kernel::mem::frames::Memory::Ram);
    space.destroy();
}
