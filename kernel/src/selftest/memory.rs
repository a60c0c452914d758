// SPDX-License-Identifier: MIT
//! Frames, the kernel's own mappings, and the two kinds of permission.

use arrayvec::ArrayVec;

use super::fixture::{CODE, DATA, Fixture, READ_ONLY};
use super::{Found, Test, check};
use crate::arch::segment;
use crate::mem::frame;
use crate::mem::layout;
use crate::mem::phys::DIRECT_MAP;
use crate::mem::space::{Access, PAGE_LEN, USER_END};

pub const TESTS: &[Test] = &[
    ("memory: a frame is handed out once and comes back", frames),
    ("memory: promised frames are nobody else's, and all there", promised_frames),
    ("memory: no kernel page is both writable and executable", w_xor_x),
    ("memory: no kernel page is open to user mode", kernel_pages_are_closed),
    ("memory: the direct map has what is behind the image, and not the image", direct_map),
    ("memory: stacks have guard pages", guards),
    ("memory: user access needs the true permission", true_permissions),
    ("memory: tracking never widens a permission", tracking_never_widens),
    ("memory: addresses outside user space are refused", outside),
    ("memory: a moved page keeps its content", relocation),
];

fn frames(_: &mut Fixture) -> Found {
    let before = frame::free_count();
    let (Ok(a), Ok(b)) = (frame::allocate(), frame::allocate()) else { return Err("none free".into()) };
    check!(a != b, "{a:?} was handed out twice");
    check!(frame::free_count() == before - 2, "{} free of {before}", frame::free_count());
    frame::release(a);
    frame::release(b);
    check!(frame::free_count() == before, "{} free of {before}", frame::free_count());
    Ok(())
}

fn promised_frames(_: &mut Fixture) -> Found {
    const FEW: u64 = 3;
    let before = frame::free_count();
    check!(frame::promise(before + 1).is_err(), "more frames were promised than are free");
    check!(frame::promise(before - FEW).is_ok(), "{before} frames are free, and were not promised");
    check!(frame::free_count() == FEW, "{} frames are free of {FEW}", frame::free_count());
    let own: ArrayVec<_, { FEW as usize + 1 }> = (0..=FEW).filter_map(|_| frame::allocate().ok()).collect();
    check!(own.len() as u64 == FEW, "{} frames were handed out of {FEW} that are not promised", own.len());
    check!(frame::allocate_run(1).is_err(), "a promised frame was handed out in a run");
    let promised = frame::take_promised();
    check!(!own.contains(&promised), "{promised:?} was handed out twice");
    check!(frame::free_count() == 0, "{} frames are free of none", frame::free_count());
    own.into_iter().for_each(frame::release);
    frame::withdraw(before - FEW - 1);
    check!(frame::free_count() == before - 1, "{} frames are free of {}", frame::free_count(), before - 1);
    frame::release(promised);
    check!(frame::free_count() == before, "{} frames are free of {before}", frame::free_count());
    Ok(())
}

fn w_xor_x(_: &mut Fixture) -> Found {
    let mut pages = 0;
    for page in layout::kernel_pages() {
        pages += 1;
        check!(!(page.writable && page.executable), "{:#x} is writable and executable", page.address);
    }
    check!(pages > 100, "only {pages} kernel pages were found");
    Ok(())
}

fn kernel_pages_are_closed(_: &mut Fixture) -> Found {
    for page in layout::kernel_pages() {
        check!(!page.user, "{:#x} is open to user mode", page.address);
    }
    Ok(())
}

fn direct_map(_: &mut Fixture) -> Found {
    let (end, reserved) = (layout::image_end(), layout::image().end);
    let is_mapped = |physical| layout::kernel_pages().any(|page| page.address == DIRECT_MAP + physical);
    for physical in [end, reserved - PAGE_LEN].into_iter().filter(|physical| *physical >= end) {
        check!(physical == reserved || is_mapped(physical), "{physical:#x} is not in the direct map");
    }
    check!(!is_mapped(end - PAGE_LEN), "the image's last page is in the direct map");
    Ok(())
}

fn guards(_: &mut Fixture) -> Found {
    for guard in segment::guards() {
        check!(layout::kernel_pages().all(|page| page.address != guard), "{guard:#x} is mapped");
    }
    Ok(())
}

fn true_permissions(fixture: &mut Fixture) -> Found {
    let space = &mut fixture.machine.space;
    check!(space.write(DATA, b"x").is_ok(), "data is not writable");
    check!(space.write(READ_ONLY, b"x").is_err(), "read-only data is writable");
    check!(space.read(READ_ONLY, &mut [0]).is_ok(), "read-only data is not readable");
    let closed = Access { read: false, write: true, execute: false };
    check!(space.protect(DATA, closed), "data is not mapped");
    check!(space.write(DATA, b"x").is_err(), "a closed page is writable");
    check!(space.read(DATA, &mut [0]).is_err(), "a closed page is readable");
    space.protect(DATA, Access { read: true, write: true, execute: false });
    let across = space.read(READ_ONLY + PAGE_LEN - 4, &mut [0; 8]);
    check!(across.is_err_and(|bad| bad.0 == READ_ONLY + PAGE_LEN), "reading across the end gave {across:?}");
    Ok(())
}

fn tracking_never_widens(fixture: &mut Fixture) -> Found {
    let space = &mut fixture.machine.space;
    for page in [CODE, READ_ONLY] {
        let (before, Some(tracked)) = (space.lookup(page), space.tracked(page)) else {
            return Err("not mapped".into());
        };
        space.switch(&tracked, tracked.frame, pe_replay::Access::Open);
        space.flush(page);
        check!(space.lookup(page) == before, "{page:#x} changed what it allows");
        check!(!space.processor_may_write(page), "{page:#x} became writable");
    }
    Ok(())
}

fn outside(fixture: &mut Fixture) -> Found {
    let space = &mut fixture.machine.space;
    for address in
        [0, USER_END, 1 << 47, 0xffff_8000_0000_0000, 0xffff_ffff_8020_0000, u64::MAX - 3, u64::MAX]
    {
        check!(space.read(address, &mut [0; 8]).is_err(), "{address:#x} can be read");
        check!(space.write(address, &[0; 8]).is_err(), "{address:#x} can be written");
    }
    Ok(())
}

fn relocation(fixture: &mut Fixture) -> Found {
    let space = &mut fixture.machine.space;
    let (from, to) = (DATA, DATA + 0x100_0000);
    check!(space.write(from, b"content").is_ok(), "data is not writable");
    check!(space.relocate(from, to) == Ok(true), "it was not moved");
    let mut seen = [0; 7];
    check!(space.read(from, &mut seen).is_err(), "it is still there");
    check!(space.read(to, &mut seen).is_ok() && seen == *b"content", "it holds {seen:?}");
    check!(space.relocate(to, from) == Ok(true), "it was not moved back");
    Ok(())
}
