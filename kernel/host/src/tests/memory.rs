// SPDX-License-Identifier: MIT
//! The `mmap` family and `brk`.

use linux_raw_sys::general::{
    MADV_DONTNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_PRIVATE, MREMAP_FIXED, MREMAP_MAYMOVE,
    PROT_READ, PROT_WRITE,
};

use super::*;

const ANONYMOUS: u64 = (MAP_PRIVATE | MAP_ANONYMOUS) as u64;
const FIXED: u64 = ANONYMOUS | MAP_FIXED as u64;
const RW: u64 = (PROT_READ | PROT_WRITE) as u64;
const SIGSEGV: u8 = 11;

impl Process {
    fn map(&mut self, hint: u64, pages: u64, flags: u64) -> Result<u64, u32> {
        self.call(Sysno::mmap, &[hint, pages * PAGE_LEN, RW, flags, u64::MAX, 0])
    }
}

#[test]
fn mappings_grow_downwards_and_holes_are_used_again() {
    let mut process = Process::new();
    let first = process.map(0, 4, ANONYMOUS).unwrap();
    let second = process.map(0, 2, ANONYMOUS).unwrap();
    assert_eq!(second, first - 2 * PAGE_LEN);
    assert_eq!(process.call(Sysno::munmap, &[first + PAGE_LEN, 2 * PAGE_LEN]), Ok(0));
    assert_eq!(process.map(0, 2, ANONYMOUS), Ok(first + PAGE_LEN));
    assert_eq!(process.map(0x1000_0123, 1, ANONYMOUS), Ok(0x1000_0000));
    let no_replace = ANONYMOUS | u64::from(MAP_FIXED_NOREPLACE);
    assert_eq!(process.map(first, 1, no_replace), Err(errno::EEXIST));
    assert_eq!(process.map(0x1000, 1, FIXED), Err(errno::EPERM));
    assert_eq!(process.map(0x7fff_ffff_f000, 1, FIXED), Err(errno::ENOMEM));
    assert_eq!(process.map(first + 1, 1, FIXED), Err(errno::EINVAL));
    assert_eq!(process.map(0, 0, ANONYMOUS), Err(errno::EINVAL));
    assert_eq!(process.map(0, FRAMES + 1, ANONYMOUS), Err(errno::ENOMEM));
}

#[test]
fn a_huge_mapping_is_cheap_and_gives_back_what_it_took() {
    let mut process = Process::new();
    let mapped = process.space.mapped();
    let length = 1 << 46;
    let at = process.call(Sysno::mmap, &[0, length, 0, ANONYMOUS, u64::MAX, 0]).unwrap();
    assert_eq!(process.call(Sysno::mprotect, &[at + (1 << 40), 2 * PAGE_LEN, RW]), Ok(0));
    process.poke(at + (1 << 40) + PAGE_LEN, b"x");
    assert_eq!(process.space.mapped(), mapped + 1);
    assert_eq!(process.linux.page_fault(&mut process.space, at, 4), Err(SIGSEGV));
    assert_eq!(process.call(Sysno::munmap, &[at, length]), Ok(0));
    assert_eq!(process.space.mapped(), mapped);
}

#[test]
fn protection_applies_up_to_a_hole() {
    let mut process = Process::new();
    let at = process.map(0, 3, ANONYMOUS).unwrap();
    process.poke(at, b"kept");
    process.call(Sysno::munmap, &[at + 2 * PAGE_LEN, PAGE_LEN]).unwrap();
    assert_eq!(process.call(Sysno::mprotect, &[at, 3 * PAGE_LEN, 0]), Err(errno::ENOMEM));
    assert_eq!(process.linux.page_fault(&mut process.space, at, 5), Err(SIGSEGV));
    assert_eq!(process.call(Sysno::write, &[1, at, 4]), Err(errno::EFAULT));
    assert_eq!(process.call(Sysno::mprotect, &[at, PAGE_LEN, u64::from(PROT_READ)]), Ok(0));
    assert_eq!(process.peek(at, 4), b"kept");
    assert_eq!(process.call(Sysno::read, &[0, at, 4]), Err(errno::EFAULT));
    assert_eq!(process.call(Sysno::mprotect, &[at + 1, PAGE_LEN, 0]), Err(errno::EINVAL));
}

#[test]
fn remapping_takes_the_content_along() {
    let mut process = Process::new();
    let may_move = u64::from(MREMAP_MAYMOVE);
    let at = process.map(0, 2, ANONYMOUS).unwrap();
    process.poke(at + PAGE_LEN, b"content");
    let blocked = Err(errno::ENOMEM);
    assert_eq!(process.call(Sysno::mremap, &[at, 2 * PAGE_LEN, 4 * PAGE_LEN, 0]), blocked);
    let moved = process.call(Sysno::mremap, &[at, 2 * PAGE_LEN, 4 * PAGE_LEN, may_move]).unwrap();
    assert_eq!(process.peek(moved + PAGE_LEN, 7), b"content");
    process.poke(moved + 3 * PAGE_LEN, b"more");
    assert_eq!(process.linux.page_fault(&mut process.space, at + PAGE_LEN, 4), Err(SIGSEGV));
    assert_eq!(process.call(Sysno::mremap, &[moved, 4 * PAGE_LEN, PAGE_LEN, 0]), Ok(moved));
    assert_eq!(process.linux.page_fault(&mut process.space, moved + PAGE_LEN, 4), Err(SIGSEGV));
    assert_eq!(process.call(Sysno::mremap, &[at, PAGE_LEN, 2 * PAGE_LEN, may_move]), Err(errno::EFAULT));
}

#[test]
fn advice_discards_anonymous_pages_only() {
    let mut process = Process::new();
    let dont_need = u64::from(MADV_DONTNEED);
    let at = process.map(0, 2, ANONYMOUS).unwrap();
    process.poke(at, b"x");
    assert_eq!(process.call(Sysno::madvise, &[at, 2 * PAGE_LEN, dont_need]), Ok(0));
    process.linux.page_fault(&mut process.space, at, 4).unwrap();
    assert_eq!(process.peek(at, 1), [0]);
    assert_eq!(process.call(Sysno::madvise, &[DATA, PAGE_LEN, dont_need]), Err(errno::EINVAL));
    assert_eq!(process.call(Sysno::madvise, &[at - PAGE_LEN, PAGE_LEN, dont_need]), Err(errno::ENOMEM));
}

#[test]
fn the_break_moves_and_stops_at_what_is_there() {
    let mut process = Process::new();
    let start = process.call(Sysno::brk, &[0]).unwrap();
    assert_eq!(start, DATA + 4 * PAGE_LEN);
    assert_eq!(process.call(Sysno::brk, &[start + 5000]), Ok(start + 5000));
    process.poke(start + PAGE_LEN, b"heap");
    let mapped = process.space.mapped();
    assert_eq!(process.call(Sysno::brk, &[start + 100]), Ok(start + 100));
    assert_eq!(process.space.mapped(), mapped - 1);
    assert_eq!(process.call(Sysno::brk, &[start - 1]), Ok(start + 100));
    assert_eq!(process.call(Sysno::brk, &[u64::MAX]), Ok(start + 100));
    process.map(start + 4 * PAGE_LEN, 1, FIXED).unwrap();
    assert_eq!(process.call(Sysno::brk, &[start + 3 * PAGE_LEN]), Ok(start + 3 * PAGE_LEN));
    assert_eq!(process.call(Sysno::brk, &[start + 3 * PAGE_LEN + 1]), Ok(start + 3 * PAGE_LEN));
}

#[test]
fn a_child_gets_what_it_is_to_get() {
    let [omit, keep_in, wipe, keep] = [10, 11, 18, 19_u64];
    let mut process = Process::new();
    let at = process.map(0, 4, ANONYMOUS).unwrap();
    for page in 0..4 {
        process.poke(at + page * PAGE_LEN, b"x");
    }
    let advise = |process: &mut Process, page: u64, advice| {
        process.call(Sysno::madvise, &[at + page * PAGE_LEN, PAGE_LEN, advice])
    };
    assert_eq!(advise(&mut process, 0, wipe), Ok(0));
    assert_eq!(advise(&mut process, 1, omit), Ok(0));
    for advice in [wipe, keep, omit, keep_in] {
        assert_eq!(advise(&mut process, 2, advice), Ok(0));
    }
    assert_eq!(process.call(Sysno::madvise, &[DATA, PAGE_LEN, wipe]), Err(errno::EINVAL));
    let child = process.fork();
    process.switch_to(child);
    assert_eq!(process.linux.page_fault(&mut process.space, at, 4), Ok(()));
    assert_eq!(process.peek(at, 1), [0]);
    assert_eq!(process.linux.page_fault(&mut process.space, at + PAGE_LEN, 4), Err(SIGSEGV));
    assert_eq!(process.peek(at + 2 * PAGE_LEN, 1), [b'x']);
    process.switch_to(FIRST_ID);
    assert_eq!((process.peek(at, 1), process.peek(at + PAGE_LEN, 1)), (vec![b'x'], vec![b'x']));
    // After vfork it is the same memory.
    assert_eq!(process.step(Sysno::vfork.id() as u64, &[]), Next::Fork);
    let child = process.take_child();
    process.switch_to(child);
    assert_eq!((process.peek(at, 1), process.peek(at + PAGE_LEN, 1)), (vec![b'x'], vec![b'x']));
}

#[test]
fn removed_pages_are_gone_for_everybody_and_wanted_ones_are_there() {
    const REMOVE: u64 = 9;
    const POPULATE: u64 = 23;
    let mut process = Process::new();
    let shared = process.call(Sysno::mmap, &[0, 2 * PAGE_LEN, RW, 0x21, u64::MAX, 0]).unwrap();
    process.poke(shared, b"x");
    process.poke(shared + PAGE_LEN, b"y");
    let child = process.fork();
    let free = frame::free_count();
    assert_eq!(process.call(Sysno::madvise, &[shared, PAGE_LEN, REMOVE]), Ok(0));
    process.switch_to(child);
    assert_eq!(frame::free_count(), free + 1);
    assert_eq!(process.linux.page_fault(&mut process.space, shared, 4), Ok(()));
    assert_eq!(process.linux.page_fault(&mut process.space, shared + PAGE_LEN, 4), Ok(()));
    assert_eq!((process.peek(shared, 1), process.peek(shared + PAGE_LEN, 1)), (vec![0], vec![b'y']));
    let own = process.map(0, 3, ANONYMOUS).unwrap();
    let mapped = process.space.mapped();
    assert_eq!(process.call(Sysno::madvise, &[own, 2 * PAGE_LEN, POPULATE]), Ok(0));
    assert_eq!(process.call(Sysno::mlock, &[own + 2 * PAGE_LEN, 1]), Ok(0));
    assert_eq!(process.space.mapped(), mapped + 3);
    // What cannot be had is refused; nobody is killed.
    let own = process.map(0, 3, ANONYMOUS).unwrap();
    frame::set_free(1);
    assert_eq!(process.call(Sysno::mlock, &[own, 3 * PAGE_LEN]), Err(errno::ENOMEM));
}

#[test]
fn what_is_mapped_once_more_at_its_own_place_is_gone() {
    let mut process = Process::new();
    let shared = process.call(Sysno::mmap, &[0, 2 * PAGE_LEN, RW, 0x21, u64::MAX, 0]).unwrap();
    process.poke(shared + PAGE_LEN, b"y");
    let flags = u64::from(MREMAP_MAYMOVE | MREMAP_FIXED);
    let call = [shared, 0, PAGE_LEN, flags, shared];
    assert_eq!(process.call(Sysno::mremap, &call), Err(errno::EFAULT));
    assert_eq!(process.linux.page_fault(&mut process.space, shared, 4), Err(SIGSEGV));
    assert_eq!(process.peek(shared + PAGE_LEN, 1), [b'y']);
}

#[test]
fn a_part_of_what_is_advised_moves_with_its_advice() {
    const OMIT: u64 = 10;
    let mut process = Process::new();
    let at = process.map(0, 4, ANONYMOUS).unwrap();
    assert_eq!(process.call(Sysno::madvise, &[at, 4 * PAGE_LEN, OMIT]), Ok(0));
    // What is advised reaches beyond what moves.
    let may_move = u64::from(MREMAP_MAYMOVE);
    let moved = process.call(Sysno::mremap, &[at, PAGE_LEN, 2 * PAGE_LEN, may_move]).unwrap();
    let child = process.fork();
    process.switch_to(child);
    for page in [at + PAGE_LEN, moved, moved + PAGE_LEN] {
        assert_eq!(process.linux.page_fault(&mut process.space, page, 4), Err(SIGSEGV), "{page:#x}");
    }
}
