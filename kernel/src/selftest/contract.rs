// SPDX-License-Identifier: MIT
//! What a space does for the personality: one list of cases for the kernel's space and for
//! the host's stand-in, which the personality's host tests rely on.
//!
//! The kernel runs the list as self-tests, with tracking and without; `kernel-host` runs it
//! over the kernel's own code with memory of the host's, and over the stand-in. A case gets
//! an empty space; when that is gone, all frames have to be back.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;

use super::super::mem::frame;
use super::super::mem::page_cache::Lasting;
use super::super::mem::shared::SharedFrame;
use super::super::mem::space::{Access, BadAddress, OutOfFrames, PAGE_LEN, Space, USER_END};

/// What a case found: what was wrong, if anything was.
pub type Found = Result<(), String>;

/// A case, by name.
pub type Case = (&'static str, fn(&mut Space) -> Found);

/// All cases.
pub const CASES: &[Case] = &[
    ("a fresh page is zeros, and allows what it was mapped with", fresh),
    ("permissions change, the content stays", protection),
    ("a range goes as far as its pages allow", ranges),
    ("addresses outside user space are bad", outside),
    ("an unmapped page is gone, with its frame", unmapping),
    ("a moved page is the page it was", moving),
    ("where nothing is mapped any more, nothing is kept", giving_back),
    ("shared pages show each other's writes", sharing),
    ("a page can be shared later, and is like others then", sharing_later),
    ("a shared frame lives as long as somebody has it", shared_lives),
    ("a fork's pages are its own once they are written", forking),
    ("who is left of a fork needs no frame", left_alone),
    ("what is to be copied on write stays so", copies_stay),
    ("content that lasts is changed by nobody", lasting),
    ("content that lasts is a fork's as all other is", lasting_in_forks),
    ("pages that are mapped are found in order", next_mapped),
    ("a frame has a number as long as somebody has it", numbers),
    ("without frames nothing changes", exhaustion),
];

const PAGE: u64 = 0x40_0000;
/// Pages that other tables map than those of [`PAGE`].
const FAR: [u64; 3] = [PAGE + (1 << 21), 0x7000_0000_0000, USER_END - PAGE_LEN];
const NONE: Access = Access { read: false, write: false, execute: false };
const READ: Access = Access { read: true, ..NONE };
const BOTH: Access = Access { write: true, ..READ };
const EVERY: [Access; 8] = [
    NONE,
    READ,
    Access { write: true, ..NONE },
    Access { execute: true, ..NONE },
    BOTH,
    Access { execute: true, ..READ },
    Access { read: false, write: true, execute: true },
    Access { read: true, write: true, execute: true },
];

fn same<T: PartialEq + Debug>(what: &str, seen: T, expected: T) -> Found {
    if seen == expected { Ok(()) } else { Err(alloc::format!("{what}: {seen:x?} instead of {expected:x?}")) }
}

fn zeroed(space: &mut Space, page: u64, access: Access) -> Found {
    same("a page is mapped", space.map_zeroed(page, access), Ok(()))
}

fn filled(space: &mut Space, page: u64, access: Access, byte: u8) -> Found {
    zeroed(space, page, access)?;
    same("a page is filled", space.load(page, &[byte; PAGE_LEN as usize]), Ok(()))
}

/// First and last byte of a page that can be read.
fn ends(space: &Space, page: u64) -> Result<[u8; 2], BadAddress> {
    let (mut first, mut last) = ([0], [0]);
    space.read(page, &mut first)?;
    space.read(page + PAGE_LEN - 1, &mut last)?;
    Ok([first[0], last[0]])
}

/// The page allows this, and nothing else.
fn allows(space: &mut Space, page: u64, access: Access) -> Found {
    let or_bad = |allowed: bool| if allowed { Ok(()) } else { Err(BadAddress(page)) };
    let mut byte = [0];
    same("reading", space.read(page, &mut byte), or_bad(access.read))?;
    // What cannot be read cannot be written, as on a processor.
    same("writing", space.write(page, &byte), or_bad(access.read && access.write))
}

fn fresh(space: &mut Space) -> Found {
    for (index, access) in EVERY.into_iter().enumerate() {
        let page = PAGE + index as u64 * PAGE_LEN;
        // The frame may have been another page's.
        filled(space, page, access, 0xee)?;
        same("unmapping", space.unmap(page), true)?;
        zeroed(space, page, access)?;
        allows(space, page, access)?;
        if access.read {
            let mut bytes = [1; PAGE_LEN as usize];
            same("reading all", space.read(page, &mut bytes), Ok(()))?;
            same("bytes that are not 0", bytes.iter().filter(|byte| **byte != 0).count(), 0)?;
        }
        same("loading", space.load(page, b"x"), Ok(()))?;
        same("owning", space.own(page, BOTH), Ok(false))?;
        allows(space, page, access)?;
    }
    FAR.into_iter().try_for_each(|page| zeroed(space, page, BOTH).and_then(|()| allows(space, page, BOTH)))
}

fn protection(space: &mut Space) -> Found {
    same("protecting nothing", space.protect(PAGE, BOTH), false)?;
    filled(space, PAGE, BOTH, 7)?;
    for before in EVERY {
        for access in EVERY {
            same("protecting", space.protect(PAGE, before), true)?;
            same("protecting", space.protect(PAGE, access), true)?;
            if !(access.read && access.write) {
                same("writing", space.write(PAGE, &[9]), Err(BadAddress(PAGE)))?;
            }
            same("reading", space.read(PAGE, &mut [0]).is_ok(), access.read)?;
        }
    }
    same("protecting", space.protect(PAGE, READ), true)?;
    same("content", ends(space, PAGE), Ok([7, 7]))
}

fn ranges(space: &mut Space) -> Found {
    let (second, third, hole) = (PAGE + PAGE_LEN, PAGE + 2 * PAGE_LEN, PAGE + 3 * PAGE_LEN);
    filled(space, PAGE, BOTH, 1)?;
    filled(space, second, BOTH, 2)?;
    filled(space, third, READ, 3)?;
    let mut bytes = [0; 4];
    same("reading over a border", space.read(second - 2, &mut bytes), Ok(()))?;
    same("what is read", bytes, [1, 1, 2, 2])?;
    same("writing over a border", space.write(second - 2, b"abcd"), Ok(()))?;
    same("what is written", (ends(space, PAGE), ends(space, second)), (Ok([1, b'b']), Ok([b'c', 2])))?;
    // Up to the first bad address everything is done.
    same("writing into what can be read", space.write(third - 2, b"efgh"), Err(BadAddress(third)))?;
    same("the part before", ends(space, second), Ok([b'c', b'f']))?;
    same("the part behind", ends(space, third), Ok([3, 3]))?;
    let mut bytes = [0; 4];
    same("reading into a hole", space.read(hole - 2, &mut bytes), Err(BadAddress(hole)))?;
    same("the part before", bytes, [3, 3, 0, 0])?;
    same("loading into a hole", space.load(hole - 2, b"ijkl"), Err(BadAddress(hole)))?;
    same("the part before", ends(space, third), Ok([3, b'j']))?;
    let mut all = [0; 2 * PAGE_LEN as usize + 1];
    same("reading three pages", space.read(second - 1, &mut all), Ok(()))?;
    same("what is read", (all[0], all[1], all[all.len() - 1]), (b'b', b'c', b'j'))?;
    for nowhere in [hole, USER_END, u64::MAX] {
        same("reading nothing", space.read(nowhere, &mut []), Ok(()))?;
        same("writing nothing", space.write(nowhere, &[]), Ok(()))?;
        same("loading nothing", space.load(nowhere, &[]), Ok(()))?;
    }
    Ok(())
}

fn outside(space: &mut Space) -> Found {
    let last = USER_END - PAGE_LEN;
    filled(space, last, BOTH, 5)?;
    for address in [0, USER_END, 1 << 47, 0xffff_8000_0000_0000, 0xffff_ffff_8020_0000, u64::MAX - 3] {
        let bad = Err(BadAddress(address));
        same("reading", space.read(address, &mut [0; 8]), bad)?;
        same("writing", space.write(address, &[0; 8]), bad)?;
        same("loading", space.load(address, &[0; 8]), bad)?;
    }
    same("reading past the end", space.read(USER_END - 4, &mut [0; 8]), Err(BadAddress(USER_END)))?;
    same("writing past the end", space.write(USER_END - 4, &[6; 8]), Err(BadAddress(USER_END)))?;
    same("the last page", ends(space, last), Ok([5, 6]))
}

fn unmapping(space: &mut Space) -> Found {
    same("unmapping nothing", space.unmap(PAGE), false)?;
    // The tables are there now, and stay.
    filled(space, PAGE, BOTH, 1)?;
    filled(space, PAGE + PAGE_LEN, BOTH, 2)?;
    let free = frame::free_count();
    same("unmapping", space.unmap(PAGE), true)?;
    same("free frames", frame::free_count(), free + 1)?;
    same("unmapping again", space.unmap(PAGE), false)?;
    same("reading", space.read(PAGE, &mut [0]), Err(BadAddress(PAGE)))?;
    same("its neighbour", ends(space, PAGE + PAGE_LEN), Ok([2, 2]))?;
    zeroed(space, PAGE, BOTH)?;
    same("a new page there", ends(space, PAGE), Ok([0, 0]))?;
    same("free frames", frame::free_count(), free)
}

fn giving_back(space: &mut Space) -> Found {
    let free = frame::free_count();
    let back = |what| same(what, frame::free_count(), free);
    for page in FAR {
        zeroed(space, page, BOTH)?;
        zeroed(space, page - PAGE_LEN, BOTH)?;
        same("unmapping", space.unmap(page), true)?;
        same("its neighbour", ends(space, page - PAGE_LEN), Ok([0, 0]))?;
        same("unmapping", space.unmap(page - PAGE_LEN), true)?;
        back("free frames")?;
        same("what is no more", space.read(page, &mut [0]), Err(BadAddress(page)))?;
        zeroed(space, page, BOTH)?;
        same("unmapping", space.unmap(page), true)?;
        back("free frames after the second time")?;
    }
    zeroed(space, FAR[0], BOTH)?;
    for pair in FAR.windows(2) {
        same("moving", space.relocate(pair[0], pair[1]), Ok(true))?;
    }
    same("unmapping", space.unmap(FAR[2]), true)?;
    back("free frames after all moves")?;
    let object = new_shared()?;
    for page in FAR {
        shared(space, page, &object, BOTH)?;
    }
    let mut child = forked(space)?;
    for page in FAR {
        same("unmapping", space.unmap(page) && child.unmap(page), true)?;
    }
    child.destroy();
    drop(object);
    back("free frames after a fork")
}

fn moving(space: &mut Space) -> Found {
    same("moving nothing", space.relocate(PAGE, FAR[0]), Ok(false))?;
    for (index, access) in [BOTH, READ, NONE].into_iter().enumerate() {
        let byte = index as u8 + 1;
        filled(space, PAGE, access, byte)?;
        for (from, to) in [(PAGE, PAGE), (PAGE, PAGE + PAGE_LEN), (PAGE + PAGE_LEN, FAR[1])] {
            same("moving", space.relocate(from, to), Ok(true))?;
            same("the old place", space.unmap(from), from == to)?;
            if from == to {
                filled(space, PAGE, access, byte)?;
            }
        }
        allows(space, FAR[1], access)?;
        same("protecting", space.protect(FAR[1], READ), true)?;
        same("content", ends(space, FAR[1]), Ok([byte; 2]))?;
        same("unmapping", space.unmap(FAR[1]), true)?;
    }
    Ok(())
}

fn shared(space: &mut Space, page: u64, with: &SharedFrame, access: Access) -> Found {
    same("a shared page is mapped", space.map_shared(page, with, access), Ok(()))
}

fn new_shared() -> Result<SharedFrame, String> {
    SharedFrame::zeroed().map_err(|OutOfFrames| "there is no frame".into())
}

fn forked(space: &mut Space) -> Result<Space, String> {
    space.fork().map_err(|OutOfFrames| "there is no frame for a fork".into())
}

fn sharing(space: &mut Space) -> Found {
    let (one, other) = (PAGE, FAR[0]);
    let object = new_shared()?;
    object.write(PAGE_LEN as usize - 2, b"yz");
    shared(space, one, &object, BOTH)?;
    shared(space, other, &object, READ)?;
    same("what was there before", ends(space, other), Ok([0, b'z']))?;
    same("writing", space.write(one, b"a"), Ok(()))?;
    same("the other page", ends(space, other), Ok([b'a', b'z']))?;
    let mut byte = [0];
    object.read(0, &mut byte);
    same("the object", byte, *b"a")?;
    object.write(0, b"b");
    space.note_write(&object);
    same("both pages", (ends(space, one), ends(space, other)), (Ok(*b"bz"), Ok(*b"bz")))?;
    same("owning", space.own(one, BOTH), Ok(false))?;
    // What the pages allow is each one's own.
    allows(space, one, BOTH)?;
    allows(space, other, READ)?;
    same("protecting", space.protect(one, READ), true)?;
    same("protecting", space.protect(other, BOTH), true)?;
    allows(space, one, READ)?;
    allows(space, other, BOTH)?;
    let mut child = forked(space)?;
    allows(&mut child, one, READ)?;
    allows(&mut child, other, BOTH)?;
    same("the child's write", child.write(other, b"c"), Ok(()))?;
    same("the parent's page", ends(space, one), Ok(*b"cz"))?;
    same("moving", space.relocate(one, FAR[1]), Ok(true))?;
    same("the parent's write", space.write(other, b"d"), Ok(()))?;
    let all = (ends(space, FAR[1]), ends(&child, one), ends(&child, other));
    same("all pages", all, (Ok(*b"dz"), Ok(*b"dz"), Ok(*b"dz")))?;
    same("unmapping", space.unmap(other), true)?;
    same("the page that is left", ends(space, FAR[1]), Ok(*b"dz"))?;
    child.destroy();
    Ok(())
}

fn share(space: &mut Space, page: u64) -> Result<SharedFrame, String> {
    match space.share(page) {
        Ok(Some(frame)) => Ok(frame),
        Ok(None) => Err("the page cannot be shared".into()),
        Err(OutOfFrames) => Err("there is no memory to share a page".into()),
    }
}

fn sharing_later(space: &mut Space) -> Found {
    same("sharing nothing", space.share(PAGE).map(|shared| shared.is_some()), Ok(false))?;
    filled(space, PAGE, BOTH, 1)?;
    let free = frame::free_count();
    let object = share(space, PAGE)?;
    // To share a page that is shared is to have it once more.
    let again = share(space, PAGE)?;
    shared(space, PAGE + PAGE_LEN, &object, READ)?;
    same("free frames", frame::free_count(), free)?;
    same("writing", space.write(PAGE, b"a"), Ok(()))?;
    same("the other page", ends(space, PAGE + PAGE_LEN), Ok([b'a', 1]))?;
    again.write(PAGE_LEN as usize - 1, b"b");
    space.note_write(&again);
    same("both pages", (ends(space, PAGE), ends(space, PAGE + PAGE_LEN)), (Ok(*b"ab"), Ok(*b"ab")))?;
    let mut child = forked(space)?;
    same("the child's write", child.write(PAGE, b"c"), Ok(()))?;
    drop((object, again));
    same("unmapping", space.unmap(PAGE), true)?;
    same("the page that is left", ends(space, PAGE + PAGE_LEN), Ok(*b"cb"))?;
    child.destroy();
    filled(space, PAGE, BOTH, 2)?;
    let child = forked(space)?;
    same("sharing a copy", space.share(PAGE).map(|shared| shared.is_some()), Ok(false))?;
    child.destroy();
    Ok(())
}

fn shared_lives(space: &mut Space) -> Found {
    // Their neighbours keep the tables in use.
    for page in [PAGE, FAR[0]] {
        zeroed(space, page + PAGE_LEN, READ)?;
    }
    let free = frame::free_count();
    let object = new_shared()?;
    shared(space, PAGE, &object, BOTH)?;
    shared(space, FAR[0], &object, BOTH)?;
    same("free frames", frame::free_count(), free - 1)?;
    object.write(0, b"e");
    space.note_write(&object);
    drop(object);
    same("unmapping", space.unmap(PAGE), true)?;
    same("the other page", ends(space, FAR[0]), Ok([b'e', 0]))?;
    same("free frames", frame::free_count(), free - 1)?;
    same("unmapping", space.unmap(FAR[0]), true)?;
    same("free frames", frame::free_count(), free)
}

fn next_mapped(space: &mut Space) -> Found {
    let pages = [PAGE, PAGE + 3 * PAGE_LEN, FAR[0], FAR[1], FAR[2]];
    same("nothing", space.next_mapped(0, USER_END), None)?;
    pages.into_iter().try_for_each(|page| zeroed(space, page, NONE))?;
    for (index, page) in pages.into_iter().enumerate() {
        same("itself", space.next_mapped(page, USER_END), Some(page))?;
        same("the next one", space.next_mapped(page + PAGE_LEN, USER_END), pages.get(index + 1).copied())?;
        same("nothing below", space.next_mapped(page, page), None)?;
        same("nothing before the end", space.next_mapped(page + PAGE_LEN, page + 2 * PAGE_LEN), None)?;
    }
    same("the first one", space.next_mapped(0, USER_END), Some(PAGE))
}

fn numbers(space: &mut Space) -> Found {
    let (one, other) = (new_shared()?, new_shared()?);
    let (first, second) = (one.number(), other.number());
    same("different ones", first == second, false)?;
    let again = SharedFrame::numbered(first).ok_or("a frame that is in use is not found")?;
    again.write(9, b"n");
    let mut byte = [0];
    one.read(9, &mut byte);
    same("the same frame", (byte, again.number()), ([b'n'], first))?;
    shared(space, PAGE, &again, BOTH)?;
    drop((one, again));
    same("it is mapped still", SharedFrame::numbered(first).is_some(), true)?;
    same("unmapping", space.unmap(PAGE), true)?;
    same("it is gone", SharedFrame::numbered(first).is_none(), true)?;
    same("no memory", SharedFrame::numbered(1 << 40).is_none(), true)
}

fn forking(space: &mut Space) -> Found {
    filled(space, PAGE, BOTH, 1)?;
    filled(space, FAR[1], READ, 2)?;
    let mut child = forked(space)?;
    let mut grandchild = forked(&mut child)?;
    for one in [&mut *space, &mut child, &mut grandchild] {
        same("content", (ends(one, PAGE), ends(one, FAR[1])), (Ok([1, 1]), Ok([2, 2])))?;
        same("writing", one.write(PAGE, b"x"), Err(BadAddress(PAGE)))?;
        same("loading", one.load(FAR[1], b"x"), Err(BadAddress(FAR[1])))?;
        same("owning nothing", one.own(PAGE + PAGE_LEN, BOTH), Ok(false))?;
    }
    let free = frame::free_count();
    for (one, byte) in [(&mut child, 3), (&mut *space, 4)] {
        same("owning", one.own(PAGE, BOTH), Ok(true))?;
        same("owning again", one.own(PAGE, BOTH), Ok(false))?;
        same("what is owned", ends(one, PAGE), Ok([1, 1]))?;
        same("writing", one.write(PAGE, &[byte]), Ok(()))?;
        same("what is left as it was", one.write(FAR[1], b"x"), Err(BadAddress(FAR[1])))?;
    }
    same("free frames", frame::free_count(), free - 2)?;
    let all = (ends(space, PAGE), ends(&child, PAGE), ends(&grandchild, PAGE));
    same("all three", all, (Ok([4, 1]), Ok([3, 1]), Ok([1, 1])))?;
    // What is owned may allow less.
    same("owning", child.own(FAR[1], READ), Ok(true))?;
    allows(&mut child, FAR[1], READ)?;
    same("loading", child.load(FAR[1], b"y"), Ok(()))?;
    same("unmapping", grandchild.unmap(FAR[1]), true)?;
    same("the parent's", ends(space, FAR[1]), Ok([2, 2]))?;
    grandchild.destroy();
    child.destroy();
    Ok(())
}

fn left_alone(space: &mut Space) -> Found {
    filled(space, PAGE, BOTH, 1)?;
    forked(space)?.destroy();
    let free = frame::free_count();
    same("writing", space.write(PAGE, b"x"), Err(BadAddress(PAGE)))?;
    same("owning", space.own(PAGE, BOTH), Ok(true))?;
    same("free frames", frame::free_count(), free)?;
    same("writing", space.write(PAGE, b"x"), Ok(()))?;
    same("content", ends(space, PAGE), Ok([b'x', 1]))
}

fn copies_stay(space: &mut Space) -> Found {
    filled(space, PAGE, BOTH, 1)?;
    let child = forked(space)?;
    same("protecting", space.protect(PAGE, NONE), true)?;
    allows(space, PAGE, NONE)?;
    same("protecting", space.protect(PAGE, BOTH), true)?;
    allows(space, PAGE, READ)?;
    same("moving", space.relocate(PAGE, FAR[0]), Ok(true))?;
    allows(space, FAR[0], READ)?;
    same("owning", space.own(FAR[0], BOTH), Ok(true))?;
    allows(space, FAR[0], BOTH)?;
    same("writing", space.write(FAR[0], b"x"), Ok(()))?;
    same("the child's", ends(&child, PAGE), Ok([1, 1]))?;
    child.destroy();
    Ok(())
}

static LASTING: [u8; PAGE_LEN as usize] = [3; PAGE_LEN as usize];

fn mapped_lasting(space: &mut Space, page: u64, content: Lasting, access: Access) -> Found {
    same("content is mapped", space.map_lasting(page, content, access), Ok(()))
}

fn lasting(space: &mut Space) -> Found {
    let (whole, first, last) =
        (Lasting::new(&LASTING, 0), Lasting::new(&LASTING[1..], 0), Lasting::new(&LASTING[1..], 1));
    let pages = [(whole, [3, 3]), (first, [3, 0]), (last, [0, 3]), (whole, [3, 3])];
    let page = |index: usize| PAGE + index as u64 * PAGE_LEN;
    for (index, (content, _)) in pages.into_iter().enumerate() {
        mapped_lasting(space, page(index), content, READ)?;
        allows(space, page(index), READ)?;
        same("loading", space.load(page(index), b"x"), Err(BadAddress(page(index))))?;
        same("sharing", space.share(page(index)).map(|shared| shared.is_some()), Ok(false))?;
    }
    same("protecting", space.protect(PAGE, NONE), true)?;
    allows(space, PAGE, NONE)?;
    same("moving", space.relocate(PAGE, FAR[0]), Ok(true))?;
    same("loading", space.load(FAR[0], b"x"), Err(BadAddress(FAR[0])))?;
    // Whoever may write it writes a copy, and need not ask for it.
    same("protecting", space.protect(FAR[0], BOTH), true)?;
    same("owning", space.own(FAR[0], BOTH), Ok(false))?;
    same("writing", space.write(FAR[0], b"x"), Ok(()))?;
    same("what was written", ends(space, FAR[0]), Ok([b'x', 3]))?;
    same("owning", space.own(page(1), READ), Ok(true))?;
    same("loading", space.load(page(1), b"y"), Ok(()))?;
    for (index, (content, expected)) in pages.into_iter().enumerate().skip(2) {
        same("content", ends(space, page(index)), Ok(expected))?;
        mapped_lasting(space, page(index + 4), content, READ)?;
        same("content anew", ends(space, page(index + 4)), Ok(expected))?;
    }
    mapped_lasting(space, FAR[1], whole, BOTH)?;
    same("writing", space.write(FAR[1], b"z"), Ok(()))?;
    mapped_lasting(space, FAR[2], whole, READ)?;
    same("content anew", ends(space, FAR[2]), Ok([3, 3]))
}

fn lasting_in_forks(space: &mut Space) -> Found {
    let content = Lasting::new(&LASTING, 0);
    mapped_lasting(space, PAGE, content, READ)?;
    let mut child = forked(space)?;
    for one in [&mut *space, &mut child] {
        same("protecting", one.protect(PAGE, BOTH), true)?;
        // As of every page of a fork, the write is what asks for a copy.
        same("writing", one.write(PAGE, b"x"), Err(BadAddress(PAGE)))?;
        same("owning", one.own(PAGE, BOTH), Ok(true))?;
        same("content", ends(one, PAGE), Ok([3, 3]))?;
        same("writing", one.write(PAGE, b"x"), Ok(()))?;
    }
    child.destroy();
    mapped_lasting(space, FAR[0], content, READ)?;
    same("content", ends(space, FAR[0]), Ok([3, 3]))
}

fn exhaustion(space: &mut Space) -> Found {
    filled(space, PAGE, BOTH, 1)?;
    let child = forked(space)?;
    let object = new_shared()?;
    let mut taken = Vec::new();
    loop {
        if taken.try_reserve(1).is_err() {
            return Err("there is no memory to note down all frames".into());
        }
        match SharedFrame::zeroed() {
            Ok(one) => taken.extend([one]),
            Err(OutOfFrames) => break,
        }
    }
    same("free frames", frame::free_count(), 0)?;
    let found = (|| {
        same("mapping", space.map_zeroed(PAGE + PAGE_LEN, BOTH), Err(OutOfFrames))?;
        same("what was to be mapped", space.unmap(PAGE + PAGE_LEN), false)?;
        same("owning", space.own(PAGE, BOTH), Err(OutOfFrames))?;
        same("what was to be owned", ends(space, PAGE), Ok([1, 1]))?;
        same("writing it", space.write(PAGE, b"x"), Err(BadAddress(PAGE)))?;
        same("forking", space.fork().map(Space::destroy), Err(OutOfFrames))?;
        // What needs no frame can be done.
        same("sharing", space.map_shared(PAGE + PAGE_LEN, &object, BOTH), Ok(()))?;
        same("writing", space.write(PAGE + PAGE_LEN, b"y"), Ok(()))?;
        same("moving", space.relocate(PAGE + PAGE_LEN, PAGE + 2 * PAGE_LEN), Ok(true))?;
        same("content", ends(space, PAGE + 2 * PAGE_LEN), Ok([b'y', 0]))
    })();
    drop(taken);
    found?;
    same("owning", space.own(PAGE, BOTH), Ok(true))?;
    same("writing", space.write(PAGE, b"x"), Ok(()))?;
    same("the child's", ends(&child, PAGE), Ok([1, 1]))?;
    child.destroy();
    Ok(())
}
