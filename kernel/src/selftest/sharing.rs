// SPDX-License-Identifier: MIT
//! One frame at several pages, and in several spaces.

use flips::{Injection, Target};
use pe_replay::{Delimiter, End, Replay, Run};

use super::fixture::{CODE, DATA, DATA_PAGES, Engine, Fixture, READ_ONLY};
use super::replaying::{POLICY, committed};
use super::{Found, Test, check};
use crate::mem::frame;
use crate::mem::shared::SharedFrame;
use crate::mem::space::{Access, PAGE_LEN, Space};
use crate::replay;

pub const TESTS: &[Test] = &[
    ("sharing: both runs see through one alias what they write through another", weave),
    ("sharing: a write through any alias counts", any_alias),
    ("sharing: a flip that one alias shows is found and undone", flips),
    ("sharing: an alias that may only be read stays so, and shows all", read_only),
    ("sharing: an alias that comes or goes between two PEs is like the others", come_and_go),
    ("sharing: what the kernel writes is there after a restart", kernel_writes),
    ("sharing: two spaces write a frame by turns, and neither keeps what is out of date", by_turns),
    ("sharing: a page that rests is woken through any alias, and leaves its table", woken),
    ("sharing: a copied space is copied on write, and gives all back", copied_on_write),
    ("sharing: no page that is copied on write is ever open", never_open),
    ("sharing: a space has so many pages of shared frames and no more", so_many),
];

const READ_WRITE: Access = Access { read: true, write: true, execute: false };
const READ: Access = Access { read: true, write: false, execute: false };
/// Where the aliases are.
const FIRST: u64 = 0x4000_0000;
const SECOND: u64 = 0x5000_3000;
const THIRD: u64 = 0x6000_5000;

/// `ADD [RSI], RDX; MOV RAX, [RDI]; ADD [RDI], RAX; MOV RBX, [RSI]; SYSCALL`.
const WEAVE: [u8; 14] = [0x48, 0x01, 0x16, 0x48, 0x8b, 0x07, 0x48, 0x01, 0x07, 0x48, 0x8b, 0x1e, 0x0f, 0x05];
/// `ADD [RSI], RDX; SYSCALL`.
const ADD: [u8; 5] = [0x48, 0x01, 0x16, 0x0f, 0x05];

type Result<T> = core::result::Result<T, alloc::string::String>;

/// A shared frame, an engine, and code to run.
struct Course<'a> {
    fixture: &'a mut Fixture,
    engine: Engine,
    frame: SharedFrame,
}

impl<'a> Course<'a> {
    fn new(fixture: &'a mut Fixture, code: &[u8], injections: &[Injection]) -> Result<Self> {
        let state = fixture.start(code);
        let mut engine = fixture.engine(POLICY, injections);
        engine.state_mut().clone_from(&state);
        let Ok(frame) = SharedFrame::zeroed() else { return Err("no memory".into()) };
        let mut course = Self { fixture, engine, frame };
        course.map(FIRST, READ_WRITE)?;
        course.map(SECOND, READ_WRITE)?;
        Ok(course)
    }

    fn map(&mut self, page: u64, access: Access) -> Found {
        let mapped = self.fixture.machine.space.map_shared(page, &self.frame, access);
        mapped.map_err(|_| "no memory".into())
    }

    /// One PE from the start of the code.
    fn execute(&mut self, rsi: u64, rdi: u64, rdx: u64) -> Result<End> {
        let state = self.engine.state_mut();
        (state.rip, state.rsi, state.rdi, state.rdx) = (CODE, rsi, rdi, rdx);
        committed(self.engine.execute(&mut self.fixture.machine))
    }

    fn divergences(&self) -> usize {
        self.engine.account().divergences.len()
    }

    fn is_open(&self, page: u64) -> bool {
        self.fixture.machine.space.processor_may_write(page)
    }

    /// The first word of the frame.
    fn word(&self) -> u64 {
        let mut bytes = [0; 8];
        self.frame.read(0, &mut bytes);
        u64::from_le_bytes(bytes)
    }
}

impl Drop for Course<'_> {
    fn drop(&mut self) {
        self.engine.retire(&mut self.fixture.machine);
        for page in [FIRST, SECOND, THIRD] {
            self.fixture.machine.space.unmap(page);
        }
    }
}

fn weave(fixture: &mut Fixture) -> Found {
    let mut course = Course::new(fixture, &WEAVE, &[])?;
    let mut expected = 0_u64;
    for round in 1..=20 {
        let (rsi, rdi) = if round % 3 == 0 { (SECOND, FIRST) } else { (FIRST, SECOND) };
        course.execute(rsi, rdi, round)?;
        let seen = expected + round;
        expected = 2 * seen;
        let (rax, rbx) = (course.engine.state().rax, course.engine.state().rbx);
        check!((rax, rbx) == (seen, expected), "round {round}: {rax} and {rbx} were seen");
        check!(course.word() == expected, "round {round}: the frame holds {}", course.word());
        let account = course.engine.account();
        check!(account.divergences.is_empty() && account.frames_written == 1, "round {round}: {account:?}");
        check!(account.write_faults == u16::from(round == 1), "round {round}: {account:?}");
        check!(course.is_open(FIRST) && course.is_open(SECOND), "round {round}: an alias is closed");
    }
    Ok(())
}

fn any_alias(fixture: &mut Fixture) -> Found {
    let mut course = Course::new(fixture, &ADD, &[])?;
    for (round, page) in [FIRST, SECOND, SECOND, SECOND, SECOND, SECOND, FIRST].into_iter().enumerate() {
        course.execute(page, 0, 1)?;
        let account = course.engine.account();
        check!(account.frames_written == 1 && account.divergences.is_empty(), "round {round}: {account:?}");
        check!(account.write_faults == u16::from(round == 0), "round {round}: {account:?}");
        check!(course.word() == round as u64 + 1, "round {round}: the frame holds {}", course.word());
    }
    Ok(())
}

fn flips(fixture: &mut Fixture) -> Found {
    for run in [Run::First, Run::Second] {
        for (hit, written) in [(FIRST, SECOND), (SECOND, FIRST), (FIRST, FIRST)] {
            // The word is hit before the first instruction, and in a hot page.
            for pe in [0, 2] {
                let flip = Injection { pe, run, at: 0, target: Target::Memory(hit), bit: 4 };
                let mut course = Course::new(fixture, &ADD, &[flip])?;
                for _ in 0..=pe {
                    course.execute(written, 0, 1)?;
                }
                let account = course.engine.account();
                let found = account.divergences.len();
                check!(found == 1, "{run:?} PE {pe} {hit:#x} {written:#x}: {account:?}");
                check!(course.word() == pe + 1, "{run:?} PE {pe}: the frame holds {}", course.word());
            }
        }
    }
    Ok(())
}

fn read_only(fixture: &mut Fixture) -> Found {
    // The flip makes an alias that may not be written the one that the set knows.
    let flip = Injection { pe: 1, run: Run::First, at: 0, target: Target::Memory(THIRD + 64), bit: 0 };
    let mut course = Course::new(fixture, &WEAVE, &[flip])?;
    course.map(THIRD, READ)?;
    let refused = course.execute(FIRST, THIRD, 5)?;
    let expected = Delimiter::PageFault { address: THIRD, error: 7 };
    check!(refused.delimiter == expected, "it ended with {:?}", refused.delimiter);
    check!(course.engine.state().rax == 5 && course.word() == 5, "it saw {}", course.engine.state().rax);
    check!(!course.is_open(THIRD), "it is open");
    course.engine.retire(&mut course.fixture.machine);
    course.execute(FIRST, SECOND, 1)?;
    check!(course.divergences() == 1, "{:?}", course.engine.account());
    check!(course.word() == 12, "the frame holds {}", course.word());
    check!(!course.is_open(THIRD), "it is open");
    Ok(())
}

fn come_and_go(fixture: &mut Fixture) -> Found {
    let mut course = Course::new(fixture, &WEAVE, &[])?;
    course.execute(FIRST, SECOND, 1)?;
    course.map(THIRD, READ_WRITE)?;
    course.execute(THIRD, FIRST, 1)?;
    check!(
        course.word() == 6 && course.divergences() == 0,
        "{} {:?}",
        course.word(),
        course.engine.account()
    );
    course.fixture.machine.space.protect(SECOND, READ);
    course.execute(THIRD, FIRST, 1)?;
    check!(course.word() == 14 && !course.is_open(SECOND), "the frame holds {}", course.word());
    check!(course.fixture.machine.space.unmap(FIRST), "it is not mapped");
    check!(!course.is_open(THIRD), "what the engine lost sight of is open");
    course.fixture.machine.space.protect(SECOND, READ_WRITE);
    course.execute(SECOND, THIRD, 1)?;
    check!(course.word() == 30 && course.divergences() == 0, "the frame holds {}", course.word());
    let moved = course.fixture.machine.space.relocate(THIRD, FIRST);
    check!(moved == Ok(true) && !course.is_open(SECOND), "it was not moved");
    course.execute(SECOND, FIRST, 1)?;
    check!(course.word() == 62 && course.divergences() == 0, "the frame holds {}", course.word());
    Ok(())
}

fn kernel_writes(fixture: &mut Fixture) -> Found {
    for through_space in [false, true] {
        let flip = Injection { pe: 1, run: Run::First, at: 0, target: Target::Gpr(2), bit: 3 };
        let mut course = Course::new(fixture, &ADD, &[flip])?;
        course.execute(FIRST, 0, 1)?;
        let bytes = 100_u64.to_le_bytes();
        if through_space {
            check!(course.fixture.machine.space.write(SECOND, &bytes).is_ok(), "it is not writable");
        } else {
            course.frame.write(0, &bytes);
            course.fixture.machine.space.note_write(&course.frame);
        }
        course.execute(FIRST, 0, 1)?;
        check!(course.divergences() == 1, "{:?}", course.engine.account());
        check!(course.word() == 101, "the frame holds {}", course.word());
    }
    Ok(())
}

fn by_turns(fixture: &mut Fixture) -> Found {
    // Each PE but the first of each space is begun again.
    let flips: [_; 8] = core::array::from_fn(|pe| {
        let run = if pe % 4 < 2 { Run::First } else { Run::Second };
        Injection { pe: pe as u64 + 2, run, at: 0, target: Target::Gpr(2), bit: 3 }
    });
    let mut course = Course::new(fixture, &ADD, &flips)?;
    let other_thread = replay::thread(course.engine.state(), 0);
    let other_space = Space::new(course.fixture.platform.kernel_root, true);
    let (Ok(mut thread), Ok(mut space)) = (other_thread, other_space) else { return Err("no memory".into()) };
    let mut tracker = Replay::new(2, POLICY);
    let code = space.map_zeroed(CODE, Access { execute: true, ..READ });
    let mapped = code.and_then(|()| space.map_shared(FIRST, &course.frame, READ_WRITE));
    check!(mapped.is_ok() && space.load(CODE, &ADD).is_ok(), "no memory");
    let mut turn = |course: &mut Course| {
        core::mem::swap(&mut course.engine.thread, &mut thread);
        core::mem::swap(&mut course.engine.replay, &mut tracker);
        core::mem::swap(&mut course.fixture.machine.space, &mut space);
        course.fixture.machine.space.activate();
    };
    turn(&mut course);
    let mut expected = 0_u64;
    for round in 0..10 {
        turn(&mut course);
        if round == 5 || round == 8 {
            // For the space whose turn it was: the kernel tells nobody of it.
            expected = 100 * round;
            course.frame.write(0, &expected.to_le_bytes());
        }
        course.execute(FIRST, 0, 1)?;
        expected += 1;
        let account = course.engine.account();
        check!(account.divergences.len() == usize::from(round >= 2), "round {round}: {account:?}");
        check!(account.write_faults == u16::from(round < 2), "round {round}: {account:?}");
        check!(course.word() == expected, "round {round}: the frame holds {}", course.word());
    }
    course.engine.give_up(&mut course.fixture.machine);
    turn(&mut course);
    space.destroy();
    Ok(())
}

fn woken(fixture: &mut Fixture) -> Found {
    let before = frame::free_count();
    {
        let mut course = Course::new(fixture, &ADD, &[])?;
        let Ok(mut other) = replay::thread(course.engine.state(), 1) else { return Err("no memory".into()) };
        course.execute(FIRST, 0, 1)?;
        core::mem::swap(&mut course.engine.thread, &mut other);
        // The aliases lie in different tables.
        course.execute(SECOND, 0, 1)?;
        let account = course.engine.account();
        check!(account.write_faults == 1 && account.divergences.is_empty(), "{account:?}");
        check!(course.word() == 2, "the frame holds {}", course.word());
    }
    check!(frame::free_count() == before, "{} frames free of {before}", frame::free_count());
    Ok(())
}

fn copied_on_write(fixture: &mut Fixture) -> Found {
    let before = frame::free_count();
    {
        let mut course = Course::new(fixture, &ADD, &[])?;
        course.execute(DATA, 0, 1)?;
        course.execute(FIRST, 0, 7)?;
        let Ok(mut child) = course.fixture.machine.space.fork() else { return Err("no memory".into()) };
        let refused = course.execute(DATA, 0, 1)?;
        let expected = Delimiter::PageFault { address: DATA, error: 7 };
        check!(refused.delimiter == expected, "it ended with {:?}", refused.delimiter);
        check!(child.write(DATA, b"x").is_err(), "the child may write what is not its own");
        let space = &mut course.fixture.machine.space;
        check!(space.own(DATA, READ_WRITE) == Ok(true), "it is its own already");
        check!(space.own(DATA, READ_WRITE) == Ok(false), "it was copied twice");
        course.execute(DATA, 0, 1)?;
        course.execute(SECOND, 0, 1)?;
        let word = |space: &crate::mem::space::Space, page| {
            let mut bytes = [0; 8];
            space.peek(page, &mut bytes).map(|()| u64::from_le_bytes(bytes))
        };
        let seen = [word(&course.fixture.machine.space, DATA), word(&child, DATA), word(&child, SECOND)];
        check!(seen == [Ok(2), Ok(1), Ok(8)], "the pages hold {seen:?}");
        check!(child.own(DATA, READ_WRITE) == Ok(true), "it is the child's own already");
        check!(child.write(DATA, &9_u64.to_le_bytes()).is_ok(), "the child may not write its own");
        check!(course.fixture.word(DATA) == 2, "the child has written what is not its own");
        child.destroy();
    }
    own_all(fixture);
    check!(frame::free_count() == before, "{} frames free of {before}", frame::free_count());
    Ok(())
}

/// Makes the fixture's pages what they were.
fn own_all(fixture: &mut Fixture) {
    let data = (0..DATA_PAGES).map(|page| (DATA + page * PAGE_LEN, READ_WRITE));
    for (page, access) in data.chain([(CODE, Access { execute: true, ..READ }), (READ_ONLY, READ)]) {
        let owned = fixture.machine.space.own(page, access);
        assert!(owned.is_ok(), "alone, a page is not copied");
    }
}

fn never_open(fixture: &mut Fixture) -> Found {
    {
        let mut course = Course::new(fixture, &ADD, &[])?;
        course.execute(DATA, 0, 1)?;
        check!(course.is_open(DATA), "it is not hot");
        let Ok(child) = course.fixture.machine.space.fork() else { return Err("no memory".into()) };
        let space = &mut course.fixture.machine.space;
        check!(!space.processor_may_write(DATA), "it is still open");
        space.protect(DATA, READ);
        space.protect(DATA, READ_WRITE);
        let Some(page) = space.tracked(DATA) else { return Err("not mapped".into()) };
        space.switch(&page, page.frame, pe_replay::Access::Open);
        space.flush(DATA);
        check!(!space.processor_may_write(DATA), "it was opened");
        let away = DATA + 0x100_0000;
        check!(space.relocate(DATA, away) == Ok(true), "it was not moved");
        check!(space.write(away, b"x").is_err(), "moved, it is writable");
        check!(space.load(away, b"x").is_err(), "the loader may write it");
        check!(space.relocate(away, DATA) == Ok(true), "it was not moved back");
        child.destroy();
    }
    own_all(fixture);
    Ok(())
}

fn so_many(fixture: &mut Fixture) -> Found {
    const MOST: u64 = 1 << 18;
    /// Pages of one frame: how many others there are is looked at for each.
    const EACH: u64 = 64;
    const BASE: u64 = 0x10_0000_0000;
    let before = frame::free_count();
    let Ok(mut child) = fixture.machine.space.fork() else { return Err("no memory".into()) };
    let (mut mapped, mut frames) = (0, alloc::vec::Vec::new());
    while mapped <= MOST
        && let Ok(frame) = SharedFrame::zeroed()
    {
        let pages = (mapped..mapped + EACH).map(|page| BASE + page * PAGE_LEN);
        let count = pages.take_while(|page| child.map_shared(*page, &frame, READ).is_ok()).count() as u64;
        frames.push(frame);
        mapped += count;
        if count < EACH {
            break;
        }
    }
    child.destroy();
    drop(frames);
    own_all(fixture);
    check!(mapped == MOST, "{mapped} pages were mapped");
    check!(frame::free_count() == before, "{} frames free of {before}", frame::free_count());
    Ok(())
}
