// SPDX-License-Identifier: MIT
//! Locks on files: who is kept out, who waits, and what frees them.

use linux_raw_sys::general::{
    F_GETLK, F_OFD_SETLK, F_RDLCK, F_SETLK, F_SETLKW, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB, LOCK_SH, O_CREAT,
    O_PATH, O_RDWR,
};

use super::*;
use crate::linux::Status;

const FLOCK: u64 = DATA + 256;

impl Process {
    fn lock_file(&mut self) -> u64 {
        let path = self.string("/tmp/locked");
        self.call(Sysno::open, &[path, u64::from(O_RDWR | O_CREAT), 0o600]).unwrap()
    }

    fn flock(&mut self, kind: u32, start: u64, length: u64) {
        let words = [u64::from(kind), start, length, 0];
        self.poke(FLOCK, &words.map(u64::to_le_bytes).concat());
    }

    fn record(&mut self, fd: u64, command: u32, kind: u32, start: u64, length: u64) -> Result<u64, u32> {
        self.flock(kind, start, length);
        self.call(Sysno::fcntl, &[fd, command.into(), FLOCK])
    }

    fn whole(&mut self, fd: u64, operation: u32) -> Result<u64, u32> {
        self.call(Sysno::flock, &[fd, u64::from(operation | LOCK_NB)])
    }
}

#[test]
fn a_record_lock_keeps_others_out_until_it_is_given_up() {
    let mut process = Process::new();
    let fd = process.lock_file();
    assert_eq!(process.record(fd, F_SETLK, F_WRLCK, 100, 50), Ok(0));
    let child = process.fork();
    process.switch_to(child);
    assert_eq!(process.record(fd, F_SETLK, F_RDLCK, 149, 1), Err(errno::EAGAIN));
    assert_eq!(process.record(fd, F_SETLK, F_WRLCK, 150, 1), Ok(0));
    assert_eq!(process.record(fd, F_GETLK, F_WRLCK, 0, 0), Ok(0));
    let told = [0, 8, 16, 24].map(|at| process.words(FLOCK + at));
    assert_eq!(told, [F_WRLCK, 100, 50, FIRST_ID as u32]);
    process.flock(F_WRLCK, 120, 1);
    process.waits(Sysno::fcntl, &[fd, F_SETLKW.into(), FLOCK]);
    process.switch_to(FIRST_ID);
    assert_eq!(process.record(fd, F_SETLK, F_UNLCK, 110, 20), Ok(0));
    assert_eq!(process.turn(), child);
    assert_eq!(process.returns(), Ok(0));
    // Any descriptor of the file that a process closes frees all that it has there.
    let other = process.lock_file();
    assert_eq!(process.call(Sysno::close, &[other]), Ok(0));
    process.switch_to(FIRST_ID);
    assert_eq!(process.record(fd, F_SETLK, F_WRLCK, 0, 0), Ok(0));
    // So does its end.
    process.switch_to(child);
    assert_eq!(process.record(fd, F_SETLK, F_RDLCK, 0, 1), Err(errno::EAGAIN));
    process.switch_to(FIRST_ID);
    assert_eq!(process.record(fd, F_SETLK, F_UNLCK, 0, 0), Ok(0));
    process.switch_to(child);
    assert_eq!(process.record(fd, F_SETLK, F_WRLCK, 0, 0), Ok(0));
    process.end(Status::Exited(0), FIRST_ID);
    assert_eq!(process.record(fd, F_SETLK, F_WRLCK, 0, 0), Ok(0));
}

#[test]
fn who_would_close_a_circle_is_told() {
    let mut process = Process::new();
    let fd = process.lock_file();
    let ids = [FIRST_ID, process.fork(), process.fork()];
    for (index, id) in ids.into_iter().enumerate() {
        process.switch_to(id);
        assert_eq!(process.record(fd, F_SETLK, F_WRLCK, index as u64, 1), Ok(0));
    }
    for (index, id) in ids.into_iter().enumerate().take(2) {
        process.switch_to(id);
        process.flock(F_WRLCK, index as u64 + 1, 1);
        process.waits(Sysno::fcntl, &[fd, F_SETLKW.into(), FLOCK]);
    }
    process.switch_to(ids[2]);
    assert_eq!(process.record(fd, F_SETLKW, F_WRLCK, 0, 1), Err(errno::EDEADLK));
    // A wait that is over binds nobody.
    assert_eq!(process.record(fd, F_SETLK, F_UNLCK, 0, 0), Ok(0));
    process.switch_to(ids[1]);
    assert_eq!(process.returns(), Ok(0));
    process.switch_to(ids[2]);
    process.flock(F_WRLCK, 1, 1);
    process.waits(Sysno::fcntl, &[fd, F_SETLKW.into(), FLOCK]);
}

#[test]
fn locks_of_open_files_end_with_the_last_descriptor() {
    let mut process = Process::new();
    let (one, other) = (process.lock_file(), process.lock_file());
    assert_eq!(process.whole(one, LOCK_EX), Ok(0));
    assert_eq!(process.whole(other, LOCK_SH), Err(errno::EAGAIN));
    assert_eq!(process.record(one, F_OFD_SETLK, F_WRLCK, 0, 10), Ok(0));
    assert_eq!(process.record(other, F_OFD_SETLK, F_RDLCK, 9, 1), Err(errno::EAGAIN));
    assert_eq!(process.record(other, F_SETLK, F_RDLCK, 9, 1), Err(errno::EAGAIN));
    let again = process.call(Sysno::dup, &[one]).unwrap();
    let child = process.fork();
    assert_eq!(process.call(Sysno::close_range, &[one, one, 0]), Ok(0));
    assert_eq!(process.call(Sysno::dup2, &[0, again]), Ok(again));
    assert_eq!(process.whole(other, LOCK_SH), Err(errno::EAGAIN));
    process.waits(Sysno::flock, &[other, LOCK_SH.into()]);
    process.switch_to(child);
    process.end(Status::Exited(0), FIRST_ID);
    assert_eq!(process.returns(), Ok(0));
    assert_eq!(process.record(other, F_OFD_SETLK, F_RDLCK, 9, 1), Ok(0));
    // To change a lock is to give it up first.
    let third = process.lock_file();
    assert_eq!(process.whole(third, LOCK_SH), Ok(0));
    assert_eq!(process.whole(other, LOCK_EX), Err(errno::EAGAIN));
    assert_eq!(process.whole(third, LOCK_EX), Ok(0));
}

#[test]
fn there_are_only_so_many() {
    let mut process = Process::new();
    let fd = process.lock_file();
    let mut count = 0;
    while process.record(fd, F_SETLK, F_WRLCK, 2 * count, 1).is_ok() {
        count += 1;
    }
    assert_eq!(process.record(fd, F_SETLK, F_WRLCK, 2 * count, 1), Err(errno::ENOLCK));
    assert!((4000..5000).contains(&count), "{count}");
    assert_eq!(process.record(fd, F_SETLK, F_UNLCK, 0, 0), Ok(0));
    assert_eq!(process.record(fd, F_SETLK, F_WRLCK, 2 * count, 1), Ok(0));
}

#[test]
fn who_has_all_locks_can_change_them_and_give_each_up() {
    let mut process = Process::new();
    let fd = process.lock_file();
    let mut count = 0;
    while process.record(fd, F_SETLK, F_WRLCK, 10 + 8 * count, 4).is_ok() {
        count += 1;
    }
    assert_eq!(count, 4096);
    // What would make two of one is refused.
    assert_eq!(process.record(fd, F_SETLK, F_UNLCK, 11, 1), Err(errno::ENOLCK));
    assert_eq!(process.record(fd, F_SETLK, F_RDLCK, 10, 2), Err(errno::ENOLCK));
    assert_eq!(process.record(fd, F_SETLK, F_WRLCK, 11, 1), Ok(0));
    assert_eq!(process.record(fd, F_SETLK, F_RDLCK, 10, 4), Ok(0));
    assert_eq!(process.record(fd, F_SETLK, F_UNLCK, 12, 2), Ok(0));
    assert_eq!(process.record(fd, F_SETLK, F_UNLCK, 10, 2), Ok(0));
    assert_eq!(process.record(fd, F_SETLK, F_WRLCK, 0, 1), Ok(0));
}

#[test]
fn a_place_that_is_closed_takes_no_locks_along() {
    let mut process = Process::new();
    let fd = process.lock_file();
    assert_eq!(process.record(fd, F_SETLK, F_WRLCK, 0, 1), Ok(0));
    let path = process.string("/tmp/locked");
    let place = process.call(Sysno::open, &[path, O_PATH.into()]).unwrap();
    assert_eq!(process.call(Sysno::close, &[place]), Ok(0));
    let child = process.fork();
    process.switch_to(child);
    assert_eq!(process.record(fd, F_SETLK, F_WRLCK, 0, 1), Err(errno::EAGAIN));
}
