// SPDX-License-Identifier: MIT
//! Transfers that stop in the middle, and go on.

use linux_raw_sys::general::O_NONBLOCK;

use super::*;

const FIRST: u64 = 100_000;
const SECOND: u64 = 40_000;
const PIPE: u64 = 65_536;

impl Process {
    /// Two buffers of their own kind of bytes, and the list of them.
    fn two_buffers(&mut self, first: u64, second: u64) -> u64 {
        let pages = (first + second + 2 * PAGE_LEN).next_multiple_of(PAGE_LEN);
        let at = self.call(Sysno::mmap, &[0, pages, 3, 0x22, u64::MAX, 0]).unwrap();
        self.poke(at, &vec![b'a'; first as usize]);
        self.poke(at + first, &vec![b'b'; second as usize]);
        let list = at + pages - 64;
        for (index, word) in [at, first, 0, 0, at + first, second].into_iter().enumerate() {
            self.poke(list + 8 * index as u64, &word.to_le_bytes());
        }
        list
    }
}

#[test]
fn a_vector_goes_on_where_it_stopped_whatever_becomes_of_its_list() {
    let mut process = Process::new();
    let (from, to) = process.pipe(0);
    let list = process.two_buffers(FIRST, SECOND);
    let child = process.fork();
    process.waits(Sysno::writev, &[to, list, 3]);
    process.poke(list, &[0xff; 48]);
    let (mut a, mut b) = (0, 0);
    while a + b < FIRST + SECOND {
        process.switch_to(child);
        let length = process.call(Sysno::read, &[from, DATA, 3 * PAGE_LEN]).unwrap();
        let bytes = process.peek(DATA, length as usize);
        assert!(bytes.is_sorted() && (b == 0 || bytes[0] == b'b'));
        a += bytes.iter().filter(|byte| **byte == b'a').count() as u64;
        b += bytes.iter().filter(|byte| **byte == b'b').count() as u64;
        process.switch_to(FIRST_ID);
        if process.linux.is_waiting() && process.again() == Next::Continue {
            assert_eq!(process.user.rax, FIRST + SECOND);
        }
    }
    assert_eq!((a, b, process.linux.is_waiting()), (FIRST, SECOND, false));
}

#[test]
fn what_was_transferred_counts_whatever_comes_then() {
    const SIGUSR1: u64 = 10;
    // A signal.
    let mut process = Process::new();
    let action = [TEXT + 0x300, 0x1400_0000, TEXT + 0x308, 0].map(u64::to_le_bytes).concat();
    process.poke(DATA, &action);
    assert_eq!(process.call(Sysno::rt_sigaction, &[SIGUSR1, DATA, 0, 8]), Ok(0));
    let (from, to) = process.pipe(0);
    let list = process.two_buffers(FIRST, SECOND);
    let child = process.fork();
    process.switch_to(child);
    process.waits(Sysno::writev, &[to, list, 3]);
    process.switch_to(FIRST_ID);
    assert_eq!(process.call(Sysno::kill, &[child, SIGUSR1]), Ok(0));
    process.switch_to(child);
    assert_eq!(process.again(), Next::Continue);
    process.user.rsp += 8;
    assert_eq!(process.step(Sysno::rt_sigreturn.id() as u64, &[]), Next::Continue);
    assert_eq!(process.user.rax, PIPE);
    // The last reader's end.
    process.call(Sysno::close, &[to]).unwrap();
    process.switch_to(FIRST_ID);
    let buffer = process.call(Sysno::mmap, &[0, PIPE, 3, 0x22, u64::MAX, 0]).unwrap();
    assert_eq!(process.call(Sysno::read, &[from, buffer, PIPE]), Ok(PIPE));
    assert_eq!(process.call(Sysno::write, &[to, DATA, 0]), Ok(0));
    process.call(Sysno::rt_sigaction, &[13, DATA, 0, 8]).unwrap();
    process.waits(Sysno::writev, &[to, list, 3]);
    process.switch_to(child);
    process.call(Sysno::close, &[from]).unwrap();
    process.switch_to(FIRST_ID);
    // The reader that is left is the writer itself.
    assert_eq!(process.again(), Next::Wait);
}

#[test]
fn a_short_write_is_whole_or_not_at_all() {
    let mut process = Process::new();
    let (from, to) = process.pipe(O_NONBLOCK);
    let list = process.two_buffers(2048, 2048);
    let buffer = process.call(Sysno::mmap, &[0, PIPE, 3, 0x22, u64::MAX, 0]).unwrap();
    for _ in 0..16 {
        assert_eq!(process.call(Sysno::writev, &[to, list, 3]), Ok(4096));
    }
    assert_eq!(process.call(Sysno::read, &[from, buffer, 3000]), Ok(3000));
    assert_eq!(process.call(Sysno::writev, &[to, list, 3]), Err(errno::EAGAIN));
    assert_eq!(process.call(Sysno::writev, &[to, list, 1]), Ok(2048));
    assert_eq!(process.call(Sysno::read, &[from, buffer, PIPE]), Ok(PIPE - 3000 + 2048));
    // A bad second buffer: nothing of a short write, the whole pages of a longer one.
    process.poke(list + 32, &8_u64.to_le_bytes());
    assert_eq!(process.call(Sysno::writev, &[to, list, 3]), Err(errno::EFAULT));
    process.poke(list + 8, &4096_u64.to_le_bytes());
    assert_eq!(process.call(Sysno::writev, &[to, list, 3]), Ok(4096));
    // What a bad buffer does not take stays.
    assert_eq!(process.call(Sysno::read, &[from, DATA + 4 * PAGE_LEN - 5, 10]), Err(errno::EFAULT));
    assert_eq!(process.call(Sysno::read, &[from, buffer, PIPE]), Ok(4096));
}

#[test]
fn offsets_and_flags_of_the_second_kind() {
    let mut process = Process::new();
    let path = process.string("/tmp/f");
    let fd = process.call(Sysno::open, &[path, 0x42, 0o600]).unwrap();
    let list = process.two_buffers(3, 2);
    let [here, append, unknown] = [u64::MAX, 16, 1 << 20];
    let write =
        |at, flags, process: &mut Process| process.call(Sysno::pwritev2, &[fd, list, 3, at, 0, flags]);
    assert_eq!(write(10, 0, &mut process), Ok(5));
    assert_eq!(write(here, 0, &mut process), Ok(5));
    assert_eq!(write(0, append, &mut process), Ok(5));
    assert_eq!(write(0, unknown, &mut process), Err(errno::EOPNOTSUPP));
    assert_eq!(process.call(Sysno::lseek, &[fd, 0, 1]), Ok(5));
    assert_eq!(process.call(Sysno::preadv2, &[fd, list, 3, here, 0, 0]), Ok(5));
    assert_eq!(process.call(Sysno::pread64, &[fd, DATA, 100, 0]), Ok(20));
    assert_eq!(process.peek(DATA, 20), b"aaabb\0\0\0\0\0aaabbaaabb");
    // What a register holds above an `int` says nothing.
    let junk = 7 << 32;
    assert_eq!(process.call(Sysno::dup2, &[junk | fd, junk | fd]), Ok(fd));
    assert_eq!(process.call(Sysno::getpgid, &[junk]), Ok(FIRST_ID));
    assert_eq!(process.call(Sysno::prlimit64, &[junk, 7, 0, 0]), Ok(0));
    let link = process.string("/proc/self/exe");
    assert_eq!(process.call(Sysno::readlink, &[link, DATA, junk | 3]), Ok(3));
}
