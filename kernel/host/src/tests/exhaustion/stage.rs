// SPDX-License-Identifier: MIT
//! A process in which every system call has something to do.
//!
//! It is the child of the first one, so that its end can be looked at from outside, and has
//! children of its own: one waits in a pipe, one in a futex, one has ended.

use super::*;
use crate::linux::Status;
use crate::tests::processes::THREAD_FLAGS;

/// Pages that were touched: [`STRINGS`], then structures.
const TEXTS: u64 = 0x1000_0000;
/// Structures: where they are, see [`structures`].
pub const STRUCTURES: u64 = 0x1001_0000;
/// Memory of which no page is there.
pub const FRESH: u64 = 0x2000_0000;
/// Sixteen pages side by side that are all there.
pub const FULL: u64 = 0x3000_0000;
/// Eight pages of shared memory, three of which are there.
pub const SHARED: u64 = 0x4000_0000;
/// Four pages of a file, mapped shared; the first one is there.
pub const MAPPED: u64 = 0x5000_0000;
/// Nothing is mapped from here on.
pub const NOTHING: u64 = 0x6000_0000;

/// Descriptors.
pub const FILE: u64 = 3;
pub const DIRECTORY: u64 = 4;
/// A pipe with a hundred bytes in it.
pub const FROM: u64 = 5;
pub const TO: u64 = 6;
/// The end into which another process waits for bytes.
pub const AWAITED: u64 = 8;
pub const SHARED_FILE: u64 = 9;
pub const ZERO: u64 = 10;
pub const RANDOM: u64 = 11;
pub const SPARSE: u64 = 12;
pub const MEMORY_FILE: u64 = 13;
pub const EVENT: u64 = 14;
/// It looks at the pipe with bytes in it.
pub const EPOLL: u64 = 15;
pub const TIMER: u64 = 16;
/// The process's own maps, the strings of its environment, and a list of its descriptors.
pub const MAPS: u64 = 17;
pub const ENVIRONMENT: u64 = 18;
pub const LISTED: u64 = 19;
/// A pair of sockets: what the first one has sent waits in the second one.
pub const LEFT: u64 = 20;
pub const RIGHT: u64 = 21;

const STRINGS: [&str; 15] = [
    "/tmp/file",
    "/tmp/dir",
    "/tmp/new",
    "/proc/self/exe",
    "/bin/other",
    "/tmp",
    "/tmp/dir/empty",
    "/tmp/dir/name",
    "/tmp/shared",
    "argument",
    "name",
    "/dev/stdout",
    "/tmp/dir/a-longer-name-than-that",
    "/proc/self/maps",
    "/proc/self/fd/3",
];

/// Where the strings are.
const fn string(index: u64) -> u64 {
    TEXTS + 64 * index
}
pub const PATH_FILE: u64 = string(0);
pub const PATH_DIRECTORY: u64 = string(1);
pub const PATH_NEW: u64 = string(2);
pub const PATH_LINK: u64 = string(3);
pub const PATH_PROGRAM: u64 = string(4);
pub const PATH_TMP: u64 = string(5);
pub const PATH_EMPTY: u64 = string(6);
pub const PATH_NAME: u64 = string(7);
pub const PATH_SHARED: u64 = string(8);
pub const WORD: u64 = string(9);
pub const NAME: u64 = string(10);
pub const PATH_STDOUT: u64 = string(11);
pub const PATH_LONG: u64 = string(12);
pub const PATH_MAPS: u64 = string(13);
pub const PATH_DESCRIPTOR: u64 = string(14);

/// An `iovec` of three buffers, none of which is there.
pub const VECTOR: u64 = STRUCTURES;
/// An `iovec` of three buffers with content.
pub const FULL_VECTOR: u64 = STRUCTURES + 64;
/// Sixteen bytes of zeros and more: a time of nothing, no signals, no limit.
pub const ZEROS: u64 = STRUCTURES + 128;
/// A `sigaction` with a handler.
pub const ACTION: u64 = STRUCTURES + 192;
/// A set with SIGUSR1.
pub const SIGNALS: u64 = STRUCTURES + 224;
/// An `rlimit` for descriptors.
pub const LIMIT: u64 = STRUCTURES + 240;
/// Two `pollfd`s.
pub const POLLED: u64 = STRUCTURES + 256;
/// An `fd_set` with the pipe's reading end.
pub const SET: u64 = STRUCTURES + 288;
/// A list of two strings.
pub const LIST: u64 = STRUCTURES + 320;
/// A `stack_t`.
pub const STACK: u64 = STRUCTURES + 352;
/// Two times: at once, and every second.
pub const TIMES: u64 = STRUCTURES + 480;
/// A `struct clone_args` of a thread.
pub const CLONE: u64 = STRUCTURES + 384;

/// A `struct msghdr` of three buffers.
pub const MESSAGE: u64 = STRUCTURES + 512;
/// The number sixteen.
pub const SIXTEEN: u64 = STRUCTURES + 576;

const SIGUSR1: u64 = 10;
const HANDLER: u64 = TEXT + 0x300;
/// SA_RESTORER and SA_SIGINFO.
const FLAGS: u64 = 0x0400_0004;

/// The structures' words.
fn structures() -> [(u64, Vec<u64>); 14] {
    let page = |number: u64| FRESH + number * 2 * PAGE_LEN;
    [
        (VECTOR, vec![page(0), 5000, page(4), 100, page(6) + 10, 20_000]),
        (FULL_VECTOR, vec![FULL + 10, 5000, FULL, 7, FULL + PAGE_LEN, 20_000]),
        (ZEROS, vec![0; 8]),
        (ACTION, vec![HANDLER, FLAGS, HANDLER + 0x100, 0]),
        (SIGNALS, vec![1 << (SIGUSR1 - 1)]),
        (LIMIT, vec![1000, 1024]),
        (POLLED, vec![FROM | 1 << 32, TO | 4 << 32]),
        (SET, vec![1 << FROM]),
        (LIST, vec![WORD, NAME, 0]),
        (STACK, vec![FRESH, 0, 0x4000]),
        (TIMES, vec![1, 0, 0, 1]),
        (MESSAGE, vec![0, 0, FULL_VECTOR, 3, 0, 0, 0]),
        (SIXTEEN, vec![16]),
        (CLONE, vec![THREAD_FLAGS.into(), 0, page(0), page(1), 0, page(2), 0x1000, FRESH, 0, 0, 0]),
    ]
}

impl Process {
    fn must(&mut self, call: Sysno, arguments: &[u64]) -> u64 {
        self.call(call, arguments).unwrap_or_else(|errno| panic!("{call} {arguments:x?}: {errno}"))
    }

    fn place(&mut self, start: u64, pages: u64, flags: u64, fd: u64) {
        self.must(Sysno::mmap, &[start, pages * PAGE_LEN, 3, 0x10 | flags, fd, 0]);
    }

    fn touch(&mut self, start: u64, pages: u64) {
        for page in 0..pages {
            self.poke(start + page * PAGE_LEN, b"touched");
        }
    }
}

/// The process.
pub fn process() -> Process {
    let mut process = Process::new();
    let actor = process.fork();
    process.switch_to(actor);
    memory(&mut process);
    files(&mut process, actor);
    children(&mut process, actor);
    process
}

fn memory(process: &mut Process) {
    process.place(TEXTS, 1, 0x22, u64::MAX);
    process.place(STRUCTURES, 1, 0x22, u64::MAX);
    process.place(FRESH, 64, 0x22, u64::MAX);
    process.place(FULL, 16, 0x22, u64::MAX);
    process.place(SHARED, 8, 0x21, u64::MAX);
    process.touch(FULL, 16);
    process.touch(SHARED, 3);
    for (index, text) in STRINGS.iter().enumerate() {
        process.poke(string(index as u64), text.as_bytes());
        process.poke(string(index as u64) + text.len() as u64, &[0]);
    }
    for (at, words) in structures() {
        process.poke(at, &words.into_iter().flat_map(u64::to_le_bytes).collect::<Vec<_>>());
    }
    process.must(Sysno::rt_sigaction, &[SIGUSR1, ACTION, 0, 8]);
}

fn files(process: &mut Process, actor: u64) {
    const CREATE: u64 = 0o102;
    let open = |process: &mut Process, path, flags, expected| {
        assert_eq!(process.must(Sysno::open, &[path, flags, 0o644]), expected);
    };
    open(process, PATH_FILE, CREATE, FILE);
    process.must(Sysno::write, &[FILE, FULL, 60_000]);
    process.must(Sysno::lseek, &[FILE, 0, 0]);
    process.must(Sysno::mkdir, &[PATH_DIRECTORY, 0o755]);
    process.must(Sysno::mkdir, &[PATH_EMPTY, 0o755]);
    process.must(Sysno::link, &[PATH_FILE, PATH_NAME]);
    open(process, PATH_DIRECTORY, 0o200_000, DIRECTORY);
    assert_eq!(process.pipe(0), (FROM, TO));
    process.must(Sysno::write, &[TO, FULL, 100]);
    assert_eq!(process.pipe(0), (AWAITED - 1, AWAITED));
    open(process, PATH_SHARED, CREATE, SHARED_FILE);
    process.must(Sysno::ftruncate, &[SHARED_FILE, 4 * PAGE_LEN]);
    process.place(MAPPED, 4, 1, SHARED_FILE);
    process.touch(MAPPED, 1);
    for (path, expected) in [("/dev/zero", ZERO), ("/dev/urandom", RANDOM)] {
        let path = process.string(path);
        open(process, path, 2, expected);
    }
    let path = process.string("/tmp/sparse");
    open(process, path, CREATE, SPARSE);
    assert_eq!(process.must(Sysno::memfd_create, &[NAME, 0]), MEMORY_FILE);
    assert_eq!(process.must(Sysno::eventfd2, &[5, 0]), EVENT);
    assert_eq!(process.must(Sysno::epoll_create1, &[0]), EPOLL);
    process.poke(FULL, &[1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
    process.must(Sysno::epoll_ctl, &[EPOLL, 1, FROM, FULL]);
    assert_eq!(process.must(Sysno::timerfd_create, &[1, 0]), TIMER);
    process.must(Sysno::timer_create, &[1, 0, STRUCTURES + 1000]);
    for (path, expected) in
        [("/proc/self/maps", MAPS), ("/proc/self/environ", ENVIRONMENT), ("/proc/self/fd", LISTED)]
    {
        let path = process.string(path);
        open(process, path, 0, expected);
    }
    process.must(Sysno::socketpair, &[1, 1, 0, FULL]);
    assert_eq!(process.peek(FULL, 8), [LEFT as u8, 0, 0, 0, RIGHT as u8, 0, 0, 0]);
    process.must(Sysno::sendto, &[LEFT, FULL, 3000]);
    assert_eq!(process.must(Sysno::getpid, &[]), actor);
}

fn children(process: &mut Process, actor: u64) {
    let reader = process.fork();
    process.switch_to(reader);
    process.waits(Sysno::read, &[AWAITED - 1, FRESH, 10]);
    process.switch_to(actor);
    let waiter = process.fork();
    process.switch_to(waiter);
    let word = u64::from(u32::from_le_bytes(*b"touc"));
    process.waits(Sysno::futex, &[SHARED, 0, word, 0]);
    process.switch_to(actor);
    let ended = process.fork();
    process.switch_to(ended);
    process.end(Status::Exited(3), actor);
}
