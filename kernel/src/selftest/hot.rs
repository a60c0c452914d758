// SPDX-License-Identifier: MIT
//! Pages that stay writable from PE to PE, and what the kernel does to them.

use flips::{Injection, Target};
use pe_replay::user::UserRegisters;
use pe_replay::{Delimiter, End, Run};

use super::fixture::{CODE, DATA, DATA_PAGES, Engine, Fixture};
use super::replaying::{POLICY, TOUCH, committed};
use super::{Found, Test, check};
use crate::mem::frame;
use crate::mem::space::{Access, PAGE_LEN};
use crate::replay;

pub const TESTS: &[Test] = &[
    ("hot: a page that was written is written again without a fault", no_faults),
    ("hot: a page that is not written for long is closed", idle),
    ("hot: what the kernel writes is there after a restart", kernel_writes),
    ("hot: a page that is mapped anew is a new page", mapped_anew),
    ("hot: a page that is gone leaves its table when the tracker has looked", gone_with_its_table),
    ("hot: a page that is closed stays closed", closed),
    ("hot: a page that is moved is not where it was", moved),
    ("hot: a store into an open and a closed page faults alike", two_pages),
    ("hot: each thread of a space finds the pages open that it writes itself", threads),
    ("hot: a stray store of run 2 is found and undone", stray_store),
];

const READ_WRITE: Access = Access { read: true, write: true, execute: false };
const READ: Access = Access { read: true, write: false, execute: false };

/// A program of the code `TOUCH`, one call a PE.
struct Course<'a> {
    fixture: &'a mut Fixture,
    engine: Engine,
}

impl<'a> Course<'a> {
    fn new(fixture: &'a mut Fixture, code: &[u8], injections: &[Injection]) -> Self {
        let state = fixture.start(code);
        let mut engine = fixture.engine(POLICY, injections);
        engine.state_mut().clone_from(&state);
        Self { fixture, engine }
    }

    /// One PE from the start of the code; `prepare` sets its registers.
    fn execute(&mut self, prepare: impl FnOnce(&mut UserRegisters)) -> Result<End, alloc::string::String> {
        let state = self.engine.state_mut();
        state.rip = CODE;
        prepare(state);
        committed(self.engine.execute(&mut self.fixture.machine))
    }

    /// Adds 1 to a word of each of the first `pages` pages of data.
    fn touch(&mut self, pages: u64) -> Result<End, alloc::string::String> {
        self.execute(|state| (state.rsi, state.rdx, state.r8) = (DATA, PAGE_LEN, pages))
    }

    fn faults(&self) -> u16 {
        self.engine.account().write_faults
    }

    fn divergences(&self) -> usize {
        self.engine.account().divergences.len()
    }

    fn open_pages(&self) -> usize {
        let space = &self.fixture.machine.space;
        (0..DATA_PAGES).filter(|page| space.processor_may_write(DATA + page * PAGE_LEN)).count()
    }
}

impl Drop for Course<'_> {
    fn drop(&mut self) {
        self.engine.retire(&mut self.fixture.machine);
    }
}

fn no_faults(fixture: &mut Fixture) -> Found {
    let mut course = Course::new(fixture, &TOUCH, &[]);
    for round in 1..=20 {
        course.touch(4)?;
        let expected = if round == 1 { 4 } else { 0 };
        check!(course.faults() == expected, "round {round}: {} faults", course.faults());
        check!(course.engine.account().frames_written == 4, "round {round}: {:?}", course.engine.account());
        check!(course.open_pages() == 4, "round {round}: {} pages are open", course.open_pages());
        for page in 0..4 {
            let word = course.fixture.word(DATA + page * PAGE_LEN);
            check!(word == round, "round {round}: page {page} holds {word}");
        }
    }
    Ok(())
}

fn threads(fixture: &mut Fixture) -> Found {
    let mut course = Course::new(fixture, &TOUCH, &[]);
    let Ok(mut other) = replay::thread(course.engine.state(), 1) else { return Err("no memory".into()) };
    for round in 1..=6 {
        for (first, pages) in [(0, 2), (2, 3)] {
            course.execute(|state| {
                (state.rsi, state.rdx, state.r8) = (DATA + first * PAGE_LEN, PAGE_LEN, pages);
            })?;
            let account = course.engine.account();
            let faults = if round == 1 { pages as u16 } else { 0 };
            check!(account.write_faults == faults, "round {round}, {pages} pages: {account:?}");
            check!(account.divergences.is_empty(), "round {round}, {pages} pages: {account:?}");
            // What the other one writes rests.
            let open = course.open_pages();
            check!(open as u64 == pages, "round {round}: {open} pages are open of {pages}");
            let words = [first, first + pages - 1].map(|page| course.fixture.word(DATA + page * PAGE_LEN));
            check!(words == [round; 2], "round {round}: the pages hold {words:?}");
            core::mem::swap(&mut course.engine.thread, &mut other);
        }
    }
    Ok(())
}

fn idle(fixture: &mut Fixture) -> Found {
    let mut course = Course::new(fixture, &TOUCH, &[]);
    course.touch(6)?;
    for round in 0..20 {
        course.touch(2)?;
        check!(course.engine.account().frames_written == 2, "round {round}: {:?}", course.engine.account());
    }
    check!(course.open_pages() == 2, "{} pages are open", course.open_pages());
    Ok(())
}

fn kernel_writes(fixture: &mut Fixture) -> Found {
    for run in [Run::First, Run::Second] {
        let flip = Injection { pe: 1, run, at: 1, target: Target::Gpr(15), bit: 3 };
        let mut course = Course::new(fixture, &TOUCH, &[flip]);
        course.touch(2)?;
        check!(course.fixture.machine.space.write(DATA, &100u64.to_le_bytes()).is_ok(), "it is not writable");
        course.touch(2)?;
        check!(course.divergences() == 1, "{run:?}: {} divergences", course.divergences());
        let words = [course.fixture.word(DATA), course.fixture.word(DATA + PAGE_LEN)];
        check!(words == [101, 2], "{run:?}: the pages hold {words:?}");
        course.touch(2)?;
        check!(course.faults() == 0, "{run:?}: {} faults", course.faults());
    }
    Ok(())
}

fn mapped_anew(fixture: &mut Fixture) -> Found {
    let mut course = Course::new(fixture, &TOUCH, &[]);
    course.touch(3)?;
    let space = &mut course.fixture.machine.space;
    check!(space.unmap(DATA + PAGE_LEN), "it is not mapped");
    check!(space.map_zeroed(DATA + PAGE_LEN, READ_WRITE).is_ok(), "no memory");
    course.touch(3)?;
    check!(course.faults() == 1 && course.divergences() == 0, "{:?}", course.engine.account());
    let words = [0, 1, 2].map(|page| course.fixture.word(DATA + page * PAGE_LEN));
    check!(words == [2, 1, 2], "the pages hold {words:?}");
    Ok(())
}

fn gone_with_its_table(fixture: &mut Fixture) -> Found {
    /// A page that has two tables to itself.
    const FAR: u64 = 0x50_0000_0000;
    let mut course = Course::new(fixture, &TOUCH, &[]);
    course.touch(1)?;
    let before = frame::free_count();
    for round in 0..3 {
        let mapped = course.fixture.machine.space.map_zeroed(FAR, READ_WRITE);
        check!(mapped.is_ok(), "no memory");
        course.execute(|state| (state.rsi, state.rdx, state.r8) = (FAR, PAGE_LEN, 1))?;
        let space = &mut course.fixture.machine.space;
        check!(space.processor_may_write(FAR), "round {round}: it is not hot");
        check!(space.unmap(FAR), "round {round}: it is not mapped");
        let kept = before - frame::free_count();
        check!(kept == 1, "round {round}: {kept} frames are kept for the tracker");
        course.touch(1)?;
        check!(
            frame::free_count() == before,
            "round {round}: {} frames free of {before}",
            frame::free_count()
        );
    }
    Ok(())
}

fn closed(fixture: &mut Fixture) -> Found {
    let mut course = Course::new(fixture, &TOUCH, &[]);
    course.touch(2)?;
    course.fixture.machine.space.protect(DATA, READ);
    let ended = course.touch(2)?;
    let refused = Delimiter::PageFault { address: DATA, error: 7 };
    course.fixture.machine.space.protect(DATA, READ_WRITE);
    check!(ended.delimiter == refused, "it ended with {:?}", ended.delimiter);
    check!(course.divergences() == 0, "{:?}", course.engine.account());
    check!(course.fixture.word(DATA) == 1, "it was written");
    course.touch(2)?;
    check!(course.faults() == 1 && course.fixture.word(DATA) == 2, "{:?}", course.engine.account());
    Ok(())
}

fn moved(fixture: &mut Fixture) -> Found {
    let mut course = Course::new(fixture, &TOUCH, &[]);
    course.touch(1)?;
    let away = DATA + 0x100_0000;
    check!(course.fixture.machine.space.relocate(DATA, away) == Ok(true), "it was not moved");
    let ended = course.touch(1)?;
    let absent = matches!(ended.delimiter, Delimiter::PageFault { address: DATA, error } if error & 1 == 0);
    check!(course.fixture.word(away) == 1, "its content has changed");
    check!(course.fixture.machine.space.relocate(away, DATA) == Ok(true), "it was not moved back");
    check!(absent && course.divergences() == 0, "it ended with {:?}", ended.delimiter);
    Ok(())
}

fn two_pages(fixture: &mut Fixture) -> Found {
    // MOV [RSI], RDX; SYSCALL
    let mut course = Course::new(fixture, &[0x48, 0x89, 0x16, 0x0f, 0x05], &[]);
    course.execute(|state| (state.rsi, state.rdx) = (DATA + 8, 1))?;
    course.fixture.machine.space.protect(DATA + PAGE_LEN, READ);
    let ended = course.execute(|state| (state.rsi, state.rdx) = (DATA + PAGE_LEN - 4, !0));
    course.fixture.machine.space.protect(DATA + PAGE_LEN, READ_WRITE);
    let refused = Delimiter::PageFault { address: DATA + PAGE_LEN, error: 7 };
    let delimiter = ended?.delimiter;
    check!(delimiter == refused, "it ended with {delimiter:?}");
    check!(course.divergences() == 0, "{:?}", course.engine.account());
    check!(course.fixture.word(DATA + PAGE_LEN - 8) == 0, "it was written in part");
    Ok(())
}

/// Run 2 is led to a hot page that run 1 does not write.
fn stray_store(fixture: &mut Fixture) -> Found {
    let flip = Injection { pe: 1, run: Run::Second, at: 0, target: Target::Gpr(6), bit: 13 };
    let mut course = Course::new(fixture, &TOUCH, &[flip]);
    course.touch(4)?;
    course.touch(1)?;
    check!(course.divergences() == 1, "{:?}", course.engine.account());
    let words = [0, 1, 2, 3].map(|page| course.fixture.word(DATA + page * PAGE_LEN));
    check!(words == [2, 1, 1, 1], "the pages hold {words:?}");
    Ok(())
}
