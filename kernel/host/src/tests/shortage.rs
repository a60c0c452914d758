// SPDX-License-Identifier: MIT
//! Who ends when there is no page left.

use super::*;
use crate::linux::Status;

#[test]
fn who_has_most_pages_ends_and_who_needed_one_goes_on() {
    const FRESH: u64 = DATA + 2 * PAGE_LEN;
    for is_call in [false, true] {
        let mut process = Process::new();
        let (small, large) = (process.fork(), process.fork());
        process.switch_to(large);
        let at = process.call(Sysno::mmap, &[0, 50 * PAGE_LEN, 3, 0x22, u64::MAX, 0]).unwrap();
        for page in 0..50 {
            process.poke(at + page * PAGE_LEN, b"x");
        }
        process.waits(Sysno::pause, &[]);
        process.switch_to(small);
        frame::set_free(0);
        let rip = process.user.rip;
        if is_call {
            assert_eq!(process.step(Sysno::uname.id() as u64, &[FRESH]), Next::Yield);
            assert_eq!((process.user.rip, process.linux.is_waiting()), (rip.wrapping_sub(2), false));
        } else {
            assert_eq!(process.linux.page_fault(&mut process.space, FRESH, 6), Err(9));
            let fault = (FRESH, 6);
            let next = process.bad_page(fault, 9);
            assert_eq!((next, process.user.rip), (Next::Yield, rip));
        }
        assert_eq!(process.turn(), large);
        assert_eq!(process.again(), Next::Kill { signal: 9 });
        process.end(Status::Signaled(9), small);
        assert_eq!(process.next_after(small, 0), Some(FIRST_ID));
        frame::set_free(50);
        assert_eq!(process.call(Sysno::uname, &[FRESH]), Ok(0));
    }
    // Who is the largest itself ends.
    let mut process = Process::new();
    process.fork();
    let at = process.call(Sysno::mmap, &[0, 50 * PAGE_LEN, 3, 0x22, u64::MAX, 0]).unwrap();
    process.poke(at, b"x");
    process.poke(at + PAGE_LEN, b"x");
    frame::set_free(0);
    assert_eq!(process.last(Sysno::uname, &[at + 3 * PAGE_LEN]), Next::OutOfMemory);
}

#[test]
fn what_was_transferred_before_the_shortage_counts() {
    let mut process = Process::new();
    let at = process.call(Sysno::mmap, &[0, 8 * PAGE_LEN, 3, 0x22, u64::MAX, 0]).unwrap();
    let path = process.string("/dev/zero");
    let fd = process.call(Sysno::open, &[path, 0]).unwrap();
    frame::set_free(2);
    assert_eq!(process.call(Sysno::read, &[fd, at, 8 * PAGE_LEN]), Ok(2 * PAGE_LEN));
}

#[test]
fn what_could_not_be_read_wholly_was_not_written() {
    for to_file in [false, true] {
        let mut process = Process::new();
        let at = process.call(Sysno::mmap, &[0, 4 * PAGE_LEN, 3, 0x22, u64::MAX, 0]).unwrap();
        process.poke(at, &[b'x'; 5000]);
        let path = process.string("/tmp/file");
        let fd = if to_file { process.call(Sysno::open, &[path, 0o102, 0o644]).unwrap() } else { 1 };
        // The second part of what is copied at a time lies in two buffers, one of them not there.
        let words = [at, 5000, at + 3 * PAGE_LEN, 100].map(u64::to_le_bytes);
        process.poke(DATA, &words.concat());
        frame::set_free(0);
        let told = process.call(Sysno::writev, &[fd, DATA, 2]).unwrap();
        let written = match to_file {
            true => process.call(Sysno::lseek, &[fd, 0, 2]).unwrap(),
            false => crate::arch::channel::take().len() as u64,
        };
        assert_eq!((told, written), (4096, 4096));
    }
}
