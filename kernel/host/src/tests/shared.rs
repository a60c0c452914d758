// SPDX-License-Identifier: MIT
//! Pages that several mappings share.

use linux_raw_sys::general::{MREMAP_FIXED, MREMAP_MAYMOVE, O_CREAT, O_RDWR};

use super::*;
use crate::linux::Status;

const RW: u64 = 3;
const SHARED: u64 = 1;
const SIGBUS: u8 = 7;
const SIGSEGV: u8 = 11;

impl Process {
    fn memfd(&mut self, length: u64) -> u64 {
        let name = self.string("name");
        let fd = self.call(Sysno::memfd_create, &[name, 0]).unwrap();
        self.call(Sysno::ftruncate, &[fd, length]).unwrap();
        fd
    }

    fn share(&mut self, fd: u64, pages: u64, offset: u64) -> u64 {
        self.call(Sysno::mmap, &[0, pages * PAGE_LEN, RW, SHARED, fd, offset]).unwrap()
    }

    /// The byte at `address`, as the program reads it.
    fn look(&mut self, address: u64) -> u8 {
        if self.space.read(address, &mut [0]).is_err() {
            self.linux.page_fault(&mut self.space, address, 4).unwrap();
        }
        self.peek(address, 1)[0]
    }
}

#[test]
fn aliases_show_each_other() {
    let mut process = Process::new();
    let fd = process.memfd(3 * PAGE_LEN);
    let (a, b) = (process.share(fd, 3, 0), process.share(fd, 1, PAGE_LEN));
    process.poke(a + PAGE_LEN + 5, b"x");
    assert_eq!(process.look(b + 5), b'x');
    process.poke(b + 6, b"y");
    assert_eq!(process.look(a + PAGE_LEN + 6), b'y');
    assert_eq!(process.call(Sysno::pread64, &[fd, DATA, 4, PAGE_LEN + 4]), Ok(4));
    assert_eq!(process.peek(DATA, 4), b"\0xy\0");
    process.poke(DATA, b"file");
    assert_eq!(process.call(Sysno::pwrite64, &[fd, DATA, 4, PAGE_LEN + 5]), Ok(4));
    assert_eq!((process.look(b + 5), process.look(a + PAGE_LEN + 8)), (b'f', b'e'));
    // Part of it moves and is mapped once more.
    let away = process.call(Sysno::mmap, &[0, 4 * PAGE_LEN, 0, 0x22, u64::MAX, 0]).unwrap();
    let flags = u64::from(MREMAP_MAYMOVE | MREMAP_FIXED);
    let middle = a + PAGE_LEN;
    assert_eq!(process.call(Sysno::mremap, &[middle, PAGE_LEN, PAGE_LEN, flags, away]), Ok(away));
    assert_eq!(process.look(away + 6), b'i');
    let again = process.call(Sysno::mremap, &[away, 0, PAGE_LEN, u64::from(MREMAP_MAYMOVE)]).unwrap();
    process.poke(again + 7, b"L");
    assert_eq!((process.look(b + 7), process.look(away + 7)), (b'L', b'L'));
    assert_eq!(process.call(Sysno::mremap, &[DATA, 0, PAGE_LEN, 1]), Err(errno::EINVAL));
    // What is to be mapped once more is taken away first.
    assert_eq!(process.call(Sysno::mremap, &[away, 0, PAGE_LEN, flags, away]), Err(errno::EFAULT));
    assert_eq!(process.linux.page_fault(&mut process.space, away, 4), Err(SIGSEGV));
    assert_eq!(process.call(Sysno::mremap, &[again, 0, PAGE_LEN, 0]), Err(errno::EINVAL));
}

#[test]
fn frames_live_as_long_as_somebody_has_them() {
    let mut process = Process::new();
    let fd = process.memfd(8 * PAGE_LEN);
    let free = frame::free_count();
    let a = process.share(fd, 8, 0);
    for page in 0..8 {
        process.poke(a + page * PAGE_LEN, b"x");
    }
    assert_eq!(frame::free_count(), free - 8);
    process.call(Sysno::close, &[fd]).unwrap();
    let child = process.fork();
    // The fork has a frame of its own, for its page tables.
    let free = free - 1;
    process.call(Sysno::munmap, &[a, 8 * PAGE_LEN]).unwrap();
    assert_eq!(frame::free_count(), free - 8);
    process.switch_to(child);
    assert_eq!(process.look(a + 3 * PAGE_LEN), b'x');
    process.call(Sysno::munmap, &[a, 4 * PAGE_LEN]).unwrap();
    process.call(Sysno::munmap, &[a + 4 * PAGE_LEN, 4 * PAGE_LEN]).unwrap();
    assert_eq!(frame::free_count(), free);
}

#[test]
fn what_is_cut_is_gone_for_everybody() {
    let mut process = Process::new();
    let fd = process.memfd(4 * PAGE_LEN);
    let a = process.share(fd, 4, 0);
    for page in 0..4 {
        process.poke(a + page * PAGE_LEN + 9, b"x");
    }
    let child = process.fork();
    assert_eq!(process.call(Sysno::ftruncate, &[fd, PAGE_LEN + 5]), Ok(0));
    assert_eq!(process.linux.page_fault(&mut process.space, a + 2 * PAGE_LEN, 4), Err(SIGBUS));
    assert_eq!((process.look(a + 9), process.look(a + PAGE_LEN + 9)), (b'x', 0));
    assert_eq!(process.call(Sysno::write, &[1, a + 3 * PAGE_LEN, 1]), Err(errno::EFAULT));
    assert_eq!(process.call(Sysno::ftruncate, &[fd, 4 * PAGE_LEN]), Ok(0));
    process.poke(a + 3 * PAGE_LEN, b"new");
    process.switch_to(child);
    assert_eq!((process.look(a + 3 * PAGE_LEN), process.look(a + 3 * PAGE_LEN + 9)), (b'n', 0));
    assert_eq!(process.look(a + 9), b'x');
}

#[test]
fn anonymous_memory_is_shared_with_children_only_if_it_says_so() {
    let mut process = Process::new();
    let own = process.call(Sysno::mmap, &[0, 2 * PAGE_LEN, RW, 0x22, u64::MAX, 0]).unwrap();
    let shared = process.call(Sysno::mmap, &[0, 2 * PAGE_LEN, RW, 0x21, u64::MAX, 0]).unwrap();
    let child = process.fork();
    process.switch_to(child);
    // Neither page was there when the child was made.
    process.poke(own, b"o");
    process.poke(shared + PAGE_LEN, b"s");
    process.end(Status::Exited(0), FIRST_ID);
    assert_eq!((process.look(own), process.look(shared + PAGE_LEN)), (0, b's'));
}

#[test]
fn files_can_be_mapped_to_be_written() {
    let mut process = Process::new();
    let path = process.string("/etc/motd");
    let reader = process.call(Sysno::open, &[path, 0, 0]).unwrap();
    assert_eq!(process.call(Sysno::mmap, &[0, PAGE_LEN, RW, SHARED, reader, 0]), Err(errno::EACCES));
    let seen = process.call(Sysno::mmap, &[0, 2 * PAGE_LEN, 1, SHARED, reader, 0]).unwrap();
    assert_eq!(process.call(Sysno::mprotect, &[seen, PAGE_LEN, RW]), Err(errno::EACCES));
    let path = process.string("/etc/motd");
    let writer = process.call(Sysno::open, &[path, u64::from(O_RDWR | O_CREAT), 0]).unwrap();
    let copy = process.call(Sysno::mmap, &[0, PAGE_LEN, RW, 2, writer, 0]).unwrap();
    let mapped = process.share(writer, 1, 0);
    process.poke(mapped + 3, b"good");
    assert_eq!(process.look(seen + 3), b'g');
    assert_eq!(process.peek(copy, 8), b"be well\n");
    assert_eq!(process.call(Sysno::read, &[reader, DATA, 100]), Ok(8));
    assert_eq!(process.peek(DATA, 8), b"be good\n");
    assert_eq!(process.linux.page_fault(&mut process.space, seen + PAGE_LEN, 4), Err(SIGBUS));
}

#[test]
fn many_objects_come_and_go_with_their_last_area() {
    let mut process = Process::new();
    let free = frame::free_count();
    // Two pages each, so that neighbours do not join; in both orders and in parts.
    let anonymous = |process: &mut Process| {
        let at = process.call(Sysno::mmap, &[0, 2 * PAGE_LEN, RW, 0x21, u64::MAX, 0]).unwrap();
        process.poke(at, b"x");
        process.poke(at + PAGE_LEN, b"y");
        at
    };
    let all: Vec<u64> = (0..200).map(|_| anonymous(&mut process)).collect();
    assert_eq!(frame::free_count(), free - 400);
    for at in all.iter().step_by(2) {
        assert_eq!(process.call(Sysno::mprotect, &[at + PAGE_LEN, PAGE_LEN, 1]), Ok(0));
        assert_eq!(process.call(Sysno::munmap, &[*at, PAGE_LEN]), Ok(0));
        assert_eq!(process.look(at + PAGE_LEN), b'y');
    }
    // An object keeps all its pages for as long as any of it is mapped.
    assert_eq!(frame::free_count(), free - 400);
    for at in &all {
        assert_eq!(process.call(Sysno::munmap, &[at + PAGE_LEN, PAGE_LEN]), Ok(0));
    }
    assert_eq!(frame::free_count(), free - 200);
    let (lowest, highest) = (all.iter().min().unwrap(), all.iter().max().unwrap());
    assert_eq!(process.call(Sysno::munmap, &[*lowest, highest + 2 * PAGE_LEN - lowest]), Ok(0));
    assert_eq!(frame::free_count(), free);
}

#[test]
fn many_files_that_a_child_has_cut_are_gone_for_the_parent() {
    let mut process = Process::new();
    let mapped: Vec<(u64, u64)> = (0..50)
        .map(|_| {
            let fd = process.memfd(2 * PAGE_LEN);
            let at = process.share(fd, 2, 0);
            process.poke(at, b"x");
            process.poke(at + PAGE_LEN, b"y");
            (fd, at)
        })
        .collect();
    let child = process.fork();
    process.switch_to(child);
    for (fd, _) in mapped.iter().step_by(2) {
        assert_eq!(process.call(Sysno::ftruncate, &[*fd, PAGE_LEN]), Ok(0));
    }
    process.switch_to(FIRST_ID);
    for (index, (_, at)) in mapped.iter().enumerate() {
        assert_eq!(process.look(*at), b'x');
        let behind = process.linux.page_fault(&mut process.space, at + PAGE_LEN, 4);
        match index % 2 {
            0 => assert_eq!(behind, Err(SIGBUS)),
            _ => assert_eq!(process.look(at + PAGE_LEN), b'y'),
        }
    }
}
