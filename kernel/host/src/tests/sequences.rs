// SPDX-License-Identifier: MIT
//! Sequences of system calls without sense, of several processes and threads that take turns, with memory
//! that ends now and then.
//!
//! After every call everything is counted right ([`audit`](crate::linux::Linux::audit)). Where
//! nobody can go on, nobody could: no wake-up was lost. In the end all memory is back.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::processes::THREAD_FLAGS;
use super::*;
use crate::heap::{self, Failing};
use crate::linux::Status;

/// Strings, a page that every process has from its program.
const PATHS: u64 = DATA;
/// Structures, another one.
const STRUCTURES: u64 = DATA + PAGE_LEN;
/// Buffers, two pages.
const BUFFERS: u64 = DATA + 2 * PAGE_LEN;
/// Where mappings go that are asked for at a place.
const MAPPINGS: u64 = 0x1000_0000;
/// How often processes may take turns in which none of them comes back to its program.
const MAX_TURNS: usize = 500;

const NAMES: [&str; 8] =
    ["/tmp/a", "/tmp/b", "/tmp/d", "/tmp/d/a", "/tmp/d/e", "/tmp/d/e/a", "/bin/other", "d/e"];

/// What one call is made of.
type Words = [u32; 6];

/// How a sequence goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    GoesOn,
    Over,
}

fn one_of<T: Copy>(word: u32, choice: &[T]) -> T {
    choice[word as usize % choice.len()]
}

fn path(word: u32) -> u64 {
    PATHS + 16 * u64::from(word % NAMES.len() as u32)
}

fn fd(word: u32) -> u64 {
    one_of(word, &[0, 1, 3, 3, 4, 4, 5, 5, 6, 6, 7, 8, 9, 10, 20, u64::MAX])
}

fn buffer(word: u32) -> u64 {
    let far = MAPPINGS + u64::from(word >> 8 & 31) * PAGE_LEN;
    one_of(word, &[BUFFERS, BUFFERS, BUFFERS + 4000, far, far + 4090, 0, 8])
}

fn length(word: u32) -> u64 {
    one_of(word, &[0, 1, 100, 4096, 4097, 5000, 8000, 65_536, 100_000])
}

fn signal(word: u32) -> u64 {
    one_of(word, &[0, 1, 9, 10, 10, 13, 15, 17, 18, 18, 18, 19, 19, 20, 20, 21, 64])
}

fn pages(word: u32) -> (u64, u64) {
    let start = MAPPINGS + u64::from(word & 31) * PAGE_LEN;
    (start, u64::from(word >> 8 & 7) * PAGE_LEN)
}

impl Process {
    /// Writes to memory as the program does where it may.
    fn try_poke(&mut self, address: u64, bytes: &[u8]) {
        for (at, byte) in (address..).zip(bytes) {
            while self.space.write(at, &[*byte]).is_err() {
                if self.linux.page_fault(&mut self.space, at, 6).is_err() {
                    return;
                }
            }
        }
    }

    fn words_at(&mut self, address: u64, words: &[u64]) {
        self.try_poke(address, &words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
    }

    /// Puts the strings where they belong.
    fn furnish(&mut self) {
        for (index, name) in NAMES.iter().enumerate() {
            let mut bytes = name.as_bytes().to_vec();
            bytes.resize(16, 0);
            self.try_poke(PATHS + 16 * index as u64, &bytes);
        }
    }

    /// A process to begin with: it has two pipes, two files and memory, and handlers for
    /// signals that would end it.
    fn furnished() -> Self {
        let mut process = Self::new();
        process.furnish();
        let all = 32 * PAGE_LEN;
        process.call(Sysno::mmap, &[MAPPINGS, all, 3, 0x32, u64::MAX, 0]).unwrap();
        process.words_at(STRUCTURES, &[TEXT + 0x300, 0x1400_0000, TEXT + 0x380, 0]);
        for signal in [1, 10, 13, 15, 64] {
            process.call(Sysno::rt_sigaction, &[signal, STRUCTURES, 0, 8]).unwrap();
        }
        for _ in 0..2 {
            process.call(Sysno::pipe2, &[STRUCTURES, 0]).unwrap();
            process.call(Sysno::open, &[path(0), 0o102, 0o755]).unwrap();
        }
        process
    }

    /// The number of a process: an own child's or whoever's.
    fn somebody(&self, word: u32) -> u64 {
        let newest = self.others.keys().max().copied().unwrap_or(FIRST_ID).max(self.id);
        one_of(
            word,
            &[self.id, newest, newest - u64::from(word >> 8) % 4, 0, u64::MAX, -(FIRST_ID as i64) as u64],
        )
    }

    /// Makes a call of words, which it may need structures for.
    fn compose(&mut self, [kind, a, b, c, d, _]: Words) -> (Sysno, [u64; 6]) {
        let at = STRUCTURES;
        let vector = |process: &mut Self| {
            process.words_at(at, &[buffer(b), length(c), buffer(c), length(d), BUFFERS, length(b >> 4)]);
        };
        let (start, span) = pages(b);
        let (call, arguments): (Sysno, Vec<u64>) = match kind % 70 {
            0..=3 => (Sysno::read, vec![fd(a), buffer(b), length(c)]),
            4..=8 => (Sysno::write, vec![fd(a), buffer(b), length(c)]),
            9..=10 => {
                vector(self);
                (one_of(kind, &[Sysno::readv, Sysno::writev]), vec![fd(a), at, 3])
            }
            11 => {
                vector(self);
                let call = one_of(b, &[Sysno::preadv2, Sysno::pwritev2]);
                (call, vec![fd(a), at, 3, one_of(c, &[u64::MAX, 0, 5000]), 0, one_of(d, &[0, 0, 8, 16])])
            }
            12..=13 => (Sysno::pipe2, vec![at, one_of(a, &[0, 0, 0o4000, 0o2_000_000])]),
            14..=15 => (Sysno::close, vec![fd(a)]),
            16 => (Sysno::dup2, vec![fd(a), fd(b)]),
            17 => (Sysno::dup, vec![fd(a)]),
            18 => (Sysno::close_range, vec![fd(a), fd(b), one_of(c, &[0, 4])]),
            19..=21 => {
                let flags =
                    one_of(b, &[0o102, 0o102, 0o2102, 0o1102, 0, 0o200_000, 0o2_000_102, 0o10_000_000]);
                (Sysno::open, vec![path(a), flags, 0o755])
            }
            22 => (Sysno::unlink, vec![path(a)]),
            23 => (one_of(b, &[Sysno::mkdir, Sysno::mkdir, Sysno::rmdir]), vec![path(a), 0o755]),
            24 => (Sysno::rename, vec![path(a), path(b)]),
            25 => (one_of(c, &[Sysno::link, Sysno::symlink]), vec![path(a), path(b)]),
            26 => (Sysno::chdir, vec![one_of(b, &[path(a), path(2), path(4)])]),
            27 => (Sysno::ftruncate, vec![fd(a), length(b)]),
            28..=29 => (Sysno::fork, vec![]),
            30 => (Sysno::vfork, vec![]),
            31 => {
                self.words_at(at, &[0, 0]);
                (Sysno::execve, vec![path(one_of(a, &[6, 6, 0])), at, at])
            }
            32 => (Sysno::exit, vec![a.into()]),
            33..=35 => (Sysno::wait4, vec![self.somebody(a), at, one_of(b, &[0, 1, 2, 10]), 0]),
            36 => {
                let options = one_of(b, &[4, 5, 14, 0x100_0004]);
                (Sysno::waitid, vec![one_of(a, &[0, 1, 2]), self.somebody(c), at, options, 0])
            }
            37..=40 => (Sysno::kill, vec![self.somebody(a), signal(b)]),
            41 => {
                let handler = one_of(a, &[0, 1, TEXT + 0x300, TEXT + 0x300]);
                let flags = 0x0400_0000 | one_of(b, &[0, 1, 0x1000_0000, 0x8000_0000, 2]);
                self.words_at(at, &[handler, flags, TEXT + 0x380, 0]);
                (Sysno::rt_sigaction, vec![signal(c), at, 0, 8])
            }
            42 => {
                self.words_at(at, &[one_of(b, &[0, 1 << 9, 1 << 16, 0x000f_0000, u64::MAX])]);
                (Sysno::rt_sigprocmask, vec![one_of(a, &[0, 1, 2]), at, 0, 8])
            }
            43 => {
                self.words_at(at, &[one_of(a, &[0, 1 << 9, u64::MAX])]);
                (Sysno::rt_sigsuspend, vec![at, 8])
            }
            44 => {
                self.words_at(at, &[1 << 9 | 1 << 16, 0, one_of(a, &[0, 1000, 1 << 40])]);
                (Sysno::rt_sigtimedwait, vec![at, 0, one_of(b, &[0, at + 8]), 8])
            }
            45..=48 => {
                let command = one_of(b, &[5, 6, 7, 7, 7, 36, 37, 38, 38]);
                let kind = one_of(c, &[0, 1, 1, 2]);
                let (start, length) = one_of(d, &[(0, 0), (0, 1), (1, 1), (0, 2), (3, 0), (2, 5), (5, 1)]);
                self.words_at(at, &[kind, start, length, 0]);
                (Sysno::fcntl, vec![fd(a), command, at])
            }
            49..=50 => (Sysno::flock, vec![fd(a), one_of(b, &[1, 2, 2, 5, 6, 8])]),
            51 => (Sysno::fcntl, vec![fd(a), 4, one_of(b, &[0, 0o4000, 0o2000])]),
            52..=54 => {
                let flags = one_of(a, &[0x32, 0x32, 0x31, 0x11, 0x12, 0x22]);
                (Sysno::mmap, vec![start, span, one_of(c, &[3, 3, 1, 0]), flags, fd(d), 0])
            }
            55 => (Sysno::munmap, vec![start, span]),
            56 => {
                let (target, longer) = pages(c);
                (Sysno::mremap, vec![start, span, longer, one_of(a, &[0, 1, 3]), target])
            }
            57..=58 => {
                let advice = one_of(a, &[4, 8, 9, 10, 11, 18, 19, 22, 23]);
                (Sysno::madvise, vec![start, span, advice])
            }
            59 => (Sysno::mprotect, vec![start, span, one_of(a, &[0, 1, 3])]),
            60 => {
                self.words_at(at, &[0, one_of(a, &[0, 1000, 1 << 29])]);
                (Sysno::nanosleep, vec![at, at])
            }
            61 => {
                self.words_at(at, &[fd(a) & 0xffff_ffff | 1 << 32, fd(b) & 0xffff_ffff | 4 << 32]);
                (Sysno::poll, vec![at, 2, one_of(c, &[0, 1, u64::MAX])])
            }
            62 => (one_of(a, &[Sysno::setpgid, Sysno::setpgid, Sysno::setsid]), vec![self.somebody(b), 0]),
            63..=64 => {
                let operation = one_of(a, &[0, 1, 1, 3, 4, 5, 128, 129]);
                let other = one_of(b, &[start, buffer(b) & !3]);
                (Sysno::futex, vec![start, operation, one_of(c, &[0, 0, 1]), 0, other, 0])
            }
            65..=66 => {
                let threads = u64::from(THREAD_FLAGS);
                let flags = one_of(a, &[threads, threads, threads, 0xf11, 0x111, 0x411, 0x211, 0x4111]);
                (Sysno::clone, vec![flags | one_of(b, &[0, 0x100_0000]), 0, start, start, 0])
            }
            67 => (Sysno::tgkill, vec![self.somebody(a), self.somebody(c), signal(b)]),
            68 => (one_of(b, &[Sysno::exit_group, Sysno::exit, Sysno::exit]), vec![a.into()]),
            _ => {
                // A list with one lock, which leads back to it.
                self.words_at(start, &[start + 24, 8, one_of(a, &[0, start + 24]), start]);
                self.words_at(start + 32, &[one_of(b, &[self.id, self.id | 1 << 31, 0])]);
                (Sysno::set_robust_list, vec![start, 24])
            }
        };
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(&arguments);
        (call, all)
    }

    /// Does something for the current process, and then what follows for all: as the loop over
    /// the processes does that is in the kernel.
    fn go_on(&mut self, mut next: Next, refuses: bool) -> Life {
        for _ in 0..MAX_TURNS {
            match next {
                Next::Continue => return Life::GoesOn,
                Next::Fork if refuses => {
                    let child = self.linux.take_child().unwrap();
                    self.refuse(child);
                    return Life::GoesOn;
                }
                Next::Fork => {
                    self.take_child();
                    if !self.linux.is_waiting() {
                        return Life::GoesOn;
                    }
                }
                Next::Yield | Next::Wait => {}
                Next::Executed => {
                    self.start_over();
                    next = self.deliver();
                    continue;
                }
                Next::Exit { .. } | Next::ExitThread | Next::Kill { .. } | Next::OutOfMemory => {
                    let ended = self.id;
                    match next {
                        Next::ExitThread => self.finish_thread(),
                        _ if self.linux.is_first() => return Life::Over,
                        Next::Exit { status } => self.finish(Status::Exited(status)),
                        _ => self.finish(Status::Signaled(9)),
                    }
                    let Some(id) = self.next_after(ended, self.now) else { return Life::Over };
                    self.go_on_as(id);
                    self.audit();
                    next = self.come_back();
                    continue;
                }
                Next::OutputFull { .. } => return Life::Over,
            }
            self.audit();
            let Some(id) = self.next_after(self.id, self.now) else {
                self.check_that_nobody_can_go_on();
                return Life::Over;
            };
            self.switch_to(id);
            next = self.come_back();
        }
        panic!("processes take turns, and none comes back to its program");
    }

    fn come_back(&mut self) -> Next {
        match self.linux.is_waiting() {
            true => self.again(),
            false => self.deliver(),
        }
    }

    /// Whoever waits, and is not stopped, would wait again.
    fn check_that_nobody_can_go_on(&mut self) {
        let all: Vec<u64> = self.others.keys().copied().chain([self.id]).collect();
        for id in all {
            self.switch_to(id);
            if self.linux.waits_for_event() {
                let (number, fd) = (self.user.rax, self.user.rdi);
                let waits = matches!(self.again(), Next::Wait);
                // As on Linux, what is not to be waited for any more wakes nobody: a pipe has become
                // non-blocking, a child has left its group, another thread has closed a descriptor.
                let refusals = [errno::EAGAIN, errno::ECHILD, errno::EBADF].map(|errno| -i64::from(errno));
                let transfers = [Sysno::write, Sysno::writev].map(|call| call.id() as u64);
                let is_cut = transfers.contains(&number) && self.linux.is_nonblocking(fd);
                let refuses = is_cut || refusals.contains(&(self.user.rax as i64));
                assert!(waits || refuses, "process {id} waited in call {number} and need not have");
            }
        }
    }

    /// One call, and what follows.
    fn act(&mut self, words: Words) -> Life {
        self.now += 100;
        let [.., fate] = words;
        let (mut call, mut arguments) = self.compose(words);
        if self.others.len() < 3 && fate >> 12 & 3 == 0 {
            (call, arguments) = (Sysno::fork, [0; 6]);
        }
        // With the first process all is over.
        let is_deadly = match call {
            Sysno::kill => arguments[1] == 9 && arguments[0] as i64 <= FIRST_ID as i64,
            Sysno::tgkill => arguments[2] == 9 && arguments[0] == FIRST_ID,
            Sysno::exit | Sysno::exit_group => self.linux.is_first(),
            _ => false,
        };
        if is_deadly {
            call = Sysno::sched_yield;
        }
        let failing = match fate % 16 {
            0 => Failing::Only(u64::from(fate >> 8) % 12),
            1 => Failing::From(u64::from(fate >> 8) % 12),
            _ => Failing::Never,
        };
        heap::fail(failing);
        let mut next = self.step(call.id() as u64, &arguments);
        heap::recover();
        if next == Next::Continue && fate >> 4 & 7 == 0 {
            next = Next::Yield;
        }
        let life = self.go_on(next, fate >> 7 & 15 == 0);
        if life == Life::GoesOn {
            self.audit();
            if call == Sysno::execve {
                self.furnish();
            }
        }
        life
    }
}

fn sequence(frames: u64, calls: &[Words]) {
    let before = heap::live();
    {
        let mut process = Process::furnished();
        let taken = frame::free_count() - frames;
        frame::set_free(frames);
        for words in calls {
            if process.act(*words) == Life::Over {
                break;
            }
        }
        frame::set_free(frame::free_count() + taken);
    }
    crate::arch::channel::take();
    assert_eq!(frame::free_count(), FRAMES, "frames are missing");
    assert_eq!(heap::live(), before, "bytes of the heap are missing");
}

#[test]
fn whatever_processes_do_is_counted_right_and_wakes_who_waits() {
    // What all tests share is there from now on.
    drop(Process::new());
    let config = Config { failure_persistence: None, cases: 2000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let calls = vec(any::<Words>(), 1..150);
    let frames = prop_oneof![Just(FRAMES - 100), 0..150_u64];
    runner
        .run(&(frames, calls), |(frames, calls)| {
            sequence(frames, &calls);
            Ok(())
        })
        .unwrap();
}
