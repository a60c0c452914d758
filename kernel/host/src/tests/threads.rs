// SPDX-License-Identifier: MIT
//! Several threads of one process: what they share, who gets a signal, and how they end.

use linux_raw_sys::general::{
    CLONE_FILES, FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP, SIGCHLD,
};
use wire::limit::{Limited, ReachedLimit};

use super::*;
use crate::linux::Status;
use crate::personality::Personality as _;

const SIGUSR1: u64 = 10;
const SIGTERM: u64 = 15;
const HANDLER: u64 = TEXT + 0x300;
/// Where threads have their stacks, and a word that the kernel writes to.
const STACKS: u64 = DATA + 2 * PAGE_LEN;
const WORDS: u64 = DATA + PAGE_LEN;

impl Process {
    /// A thread with a stack and a word of its own.
    fn thread(&mut self, number: u64) -> u64 {
        self.spawn(STACKS + 512 * (number + 1), WORDS + 64 * number, TEXT)
    }

    fn catches(&mut self, signal: u64) {
        let action = [HANDLER, 0x0400_0004, HANDLER + 8, 0].map(u64::to_le_bytes).concat();
        self.poke(DATA, &action);
        assert_eq!(self.call(Sysno::rt_sigaction, &[signal, DATA, 0, 8]), Ok(0));
    }

    fn blocks(&mut self, signal: u64) {
        self.poke(DATA, &u64::to_le_bytes(1 << (signal - 1)));
        assert_eq!(self.call(Sysno::rt_sigprocmask, &[0, DATA, 0, 8]), Ok(0));
    }

    fn sleeps_on(&mut self, address: u64) {
        let value = self.words(address);
        self.waits(Sysno::futex, &[address, FUTEX_WAIT.into(), value.into(), 0]);
    }

    fn futex(&mut self, address: u64, operation: u32, rest: [u64; 4]) -> Result<u64, u32> {
        let [value, timeout, other, last] = rest;
        self.call(Sysno::futex, &[address, operation.into(), value, timeout, other, last])
    }
}

#[test]
fn threads_share_what_a_process_has() {
    let mut process = Process::new();
    let second = process.thread(0);
    assert_eq!((second, process.words(WORDS)), (FIRST_ID + 1, second as u32));
    process.switch_to(second);
    assert_eq!((process.user.rsp, process.user.fs_base, process.user.rax), (STACKS + 512, TEXT, 0));
    assert_eq!(process.call(Sysno::getpid, &[]), Ok(FIRST_ID));
    assert_eq!(process.call(Sysno::gettid, &[]), Ok(second));
    assert_eq!(process.call(Sysno::close, &[0]), Ok(0));
    assert_eq!(process.call(Sysno::umask, &[0o77]), Ok(0o22));
    process.catches(SIGUSR1);
    let mapped = process.call(Sysno::mmap, &[0, PAGE_LEN, 3, 0x22, u64::MAX, 0]).unwrap();
    process.poke(mapped, b"mine");
    process.switch_to(FIRST_ID);
    assert_eq!(process.call(Sysno::dup, &[0]), Err(errno::EBADF));
    assert_eq!(process.call(Sysno::umask, &[0]), Ok(0o77));
    assert_eq!(process.peek(mapped, 4), b"mine");
    assert_eq!(process.call(Sysno::rt_sigaction, &[SIGUSR1, 0, DATA, 8]), Ok(0));
    assert_eq!(process.peek(DATA, 8), HANDLER.to_le_bytes());
    process.audit();
}

#[test]
fn the_end_of_a_thread_is_seen_in_its_word() {
    let mut process = Process::new();
    let second = process.thread(0);
    process.waits(Sysno::futex, &[WORDS, FUTEX_WAIT.into(), second, 0]);
    process.switch_to(second);
    assert_eq!(process.step(Sysno::exit.id() as u64, &[5]), Next::ExitThread);
    process.end_thread(FIRST_ID);
    assert_eq!((process.words(WORDS), process.returns()), (0, Ok(0)));
    // The last one's exit is the process's.
    assert_eq!(process.step(Sysno::exit.id() as u64, &[6]), Next::Exit { status: 6 });
    assert_eq!(process.call(Sysno::tkill, &[second, 0]), Err(errno::ESRCH));
    process.audit();
}

#[test]
fn a_signal_to_the_process_is_taken_by_one_thread_that_can() {
    let mut process = Process::new();
    process.catches(SIGUSR1);
    let (second, third) = (process.thread(0), process.thread(1));
    let handled = |process: &mut Process, id: u64| {
        process.switch_to(id);
        let before = process.user.rip;
        assert_eq!(process.deliver(), Next::Continue);
        let handled = process.user.rip == HANDLER;
        process.user.rip = before;
        handled
    };
    let send = |process: &mut Process| assert_eq!(process.call(Sysno::kill, &[FIRST_ID, SIGUSR1]), Ok(0));
    // The first one, although another one has sent it and could take it.
    process.switch_to(third);
    send(&mut process);
    assert_eq!([second, third, FIRST_ID].map(|id| handled(&mut process, id)), [false, false, true]);
    // It has it blocked now, by its handler; the others go round.
    process.switch_to(third);
    send(&mut process);
    assert_eq!([third, FIRST_ID, second].map(|id| handled(&mut process, id)), [false, false, true]);
    process.switch_to(FIRST_ID);
    send(&mut process);
    assert_eq!([FIRST_ID, second, third].map(|id| handled(&mut process, id)), [false, false, true]);
    // All have it blocked: it waits for the one that looks first.
    process.switch_to(FIRST_ID);
    send(&mut process);
    process.switch_to(second);
    process.poke(DATA, &[0; 8]);
    process.call(Sysno::rt_sigprocmask, &[2, DATA, 0, 8]).unwrap();
    assert_eq!(process.user.rip, HANDLER);
    process.audit();
}

#[test]
fn a_signal_to_a_thread_is_that_threads() {
    let mut process = Process::new();
    process.catches(SIGUSR1);
    let second = process.thread(0);
    process.switch_to(second);
    process.waits(Sysno::pause, &[]);
    process.switch_to(FIRST_ID);
    assert_eq!(process.call(Sysno::tgkill, &[FIRST_ID, second, SIGUSR1]), Ok(0));
    assert_ne!(process.user.rip, HANDLER);
    assert_eq!(process.call(Sysno::tgkill, &[second, second, SIGUSR1]), Err(errno::ESRCH));
    process.waits(Sysno::pause, &[]);
    assert_eq!(process.turn(), second);
    assert_eq!(process.returns(), Ok(process.user.rax));
    assert_eq!(process.user.rip, HANDLER);
    // One that kills is for all.
    assert_eq!(process.step(Sysno::tkill.id() as u64, &[FIRST_ID, SIGTERM]), Next::Continue);
    process.switch_to(FIRST_ID);
    assert_eq!(process.again(), Next::Kill { signal: SIGTERM as u8 });
}

#[test]
fn what_one_thread_gives_up_another_one_takes() {
    let mut process = Process::new();
    process.catches(SIGUSR1);
    let second = process.thread(0);
    process.switch_to(second);
    process.waits(Sysno::pause, &[]);
    process.switch_to(FIRST_ID);
    // It is the first one's, which blocks it before it has come to that.
    process.switch_to(second);
    let child = process.thread(1);
    process.switch_to(child);
    assert_eq!(process.call(Sysno::kill, &[FIRST_ID, SIGUSR1]), Ok(0));
    process.switch_to(FIRST_ID);
    process.poke(DATA, &u64::to_le_bytes(1 << (SIGUSR1 - 1)));
    let arguments = [0, DATA, 0, 8];
    assert_eq!(process.step(Sysno::rt_sigprocmask.id() as u64, &arguments), Next::Continue);
    assert_ne!(process.user.rip, HANDLER);
    process.switch_to(second);
    assert_eq!(process.deliver(), Next::Continue);
    assert_eq!(process.user.rip, HANDLER);
}

#[test]
fn a_stop_and_an_end_are_of_all_threads() {
    let mut process = Process::new();
    let child = process.fork();
    process.switch_to(child);
    let thread = process.thread(0);
    process.switch_to(FIRST_ID);
    assert_eq!(process.call(Sysno::kill, &[child, 19]), Ok(0));
    assert_eq!(process.turn(), child);
    assert_eq!(process.deliver(), Next::Wait);
    for _ in 0..3 {
        assert_eq!(process.turn(), FIRST_ID);
    }
    assert_eq!(process.call(Sysno::kill, &[child, 18]), Ok(0));
    assert_eq!((process.turn(), process.turn(), process.turn()), (child, thread, FIRST_ID));
    process.switch_to(thread);
    process.end(Status::Exited(3), FIRST_ID);
    assert_eq!(process.call(Sysno::wait4, &[u64::MAX, DATA, 0, 0]), Ok(child));
    assert_eq!((process.words(DATA), process.threads.len()), (3 << 8, 1));
    process.audit();
}

#[test]
fn a_program_is_executed_by_one_thread_alone() {
    let mut process = Process::new();
    let (second, third) = (process.thread(0), process.thread(1));
    process.switch_to(second);
    let path = process.string("/bin/other");
    assert_eq!(process.call(Sysno::execve, &[path, 0, 0]), Ok(0));
    assert_eq!(process.call(Sysno::gettid, &[]), Ok(FIRST_ID));
    assert_eq!(process.call(Sysno::tkill, &[third, 0]), Err(errno::ESRCH));
    assert_eq!(process.threads.len(), 1);
    process.audit();
}

#[test]
fn robust_locks_are_marked_and_handed_on() {
    let mut process = Process::new();
    let (second, third) = (process.thread(0), process.thread(1));
    let (head, locks) = (WORDS + 512, [WORDS + 600, WORDS + 640, WORDS + 680]);
    let word = |id: u64, bits: u32| (id as u32 | bits).to_le_bytes();
    process.switch_to(third);
    process.poke(locks[0] + 8, &word(second, 1 << 31));
    process.sleeps_on(locks[0] + 8);
    process.switch_to(second);
    // A list of two, the second one not its own, and one that it was about to take.
    process.poke(head, &[locks[0], 8, locks[2]].map(u64::to_le_bytes).concat());
    process.poke(locks[0], &locks[1].to_le_bytes());
    process.poke(locks[1], &head.to_le_bytes());
    process.poke(locks[1] + 8, &word(third, 0));
    process.poke(locks[2] + 8, &word(second, 0));
    assert_eq!(process.call(Sysno::set_robust_list, &[head, 24]), Ok(0));
    assert_eq!(process.call(Sysno::get_robust_list, &[0, DATA, DATA + 8]), Ok(0));
    assert_eq!(process.peek(DATA, 16), [head, 24].map(u64::to_le_bytes).concat());
    process.end_thread(FIRST_ID);
    let died = 1 << 30;
    let seen = locks.map(|lock| process.words(lock + 8));
    assert_eq!(seen, [died | 1 << 31, third as u32, died]);
    process.switch_to(third);
    assert_eq!(process.returns(), Ok(0));
    // A list that leads round is left some time.
    process.poke(head, &[locks[0], 8, 0].map(u64::to_le_bytes).concat());
    process.poke(locks[1], &locks[0].to_le_bytes());
    assert_eq!(process.call(Sysno::set_robust_list, &[head, 24]), Ok(0));
    process.end_thread(FIRST_ID);
}

#[test]
fn a_read_goes_on_although_its_descriptor_is_closed() {
    let mut process = Process::new();
    let (from, to) = process.pipe(0);
    let second = process.thread(0);
    process.switch_to(second);
    process.waits(Sysno::read, &[from, DATA, 4]);
    process.switch_to(FIRST_ID);
    assert_eq!(process.call(Sysno::close, &[from]), Ok(0));
    process.audit();
    assert_eq!(process.call(Sysno::write, &[to, DATA, 3]), Ok(3));
    process.switch_to(second);
    assert_eq!(process.returns(), Ok(3));
    process.audit();
    // Now nobody reads.
    process.switch_to(FIRST_ID);
    process.call(Sysno::rt_sigaction, &[13, 0, 0, 8]).unwrap();
    process.blocks(13);
    assert_eq!(process.call(Sysno::write, &[to, DATA, 3]), Err(errno::EPIPE));
}

#[test]
fn descriptors_in_common_are_told_apart_where_a_process_asks_for_it() {
    let mut process = Process::new();
    let shares = u64::from(CLONE_FILES | SIGCHLD);
    assert_eq!(process.step(Sysno::clone.id() as u64, &[shares, 0]), Next::Fork);
    let child = process.take_child();
    // Each has a limit of its own.
    process.poke(DATA, &[3_u64, 1024].map(u64::to_le_bytes).concat());
    assert_eq!(process.call(Sysno::setrlimit, &[7, DATA]), Ok(0));
    assert_eq!(process.call(Sysno::dup, &[0]), Err(errno::EMFILE));
    process.switch_to(child);
    assert_eq!(process.call(Sysno::dup, &[0]), Ok(3));
    assert_eq!(process.call(Sysno::close_range, &[3, 3, 2]), Ok(0));
    process.switch_to(FIRST_ID);
    assert_eq!(process.call(Sysno::fcntl, &[3, 1, 0]), Ok(0));
    process.thread(0);
    assert_eq!(process.call(Sysno::close_range, &[3, 3, 2]), Err(errno::EINVAL));
    process.audit();
}

#[test]
fn there_are_so_many_threads_and_no_more() {
    let mut process = Process::new();
    for number in 1..1024 {
        assert_eq!(process.spawn(STACKS, WORDS, 0), FIRST_ID + number);
    }
    let flags = u64::from(processes::THREAD_FLAGS);
    assert_eq!(process.call(Sysno::clone, &[flags, STACKS, WORDS, WORDS, 0]), Err(errno::EAGAIN));
    assert_eq!(process.call(Sysno::fork, &[]), Err(errno::EAGAIN));
    let reached: Vec<_> = process.linux.reached_limits().collect();
    assert_eq!(reached, [ReachedLimit { of: Limited::Threads, most: 1024, times: 2 }]);
    process.switch_to(FIRST_ID + 700);
    process.end_thread(FIRST_ID);
    process.spawn(STACKS, WORDS, 0);
}

#[test]
fn waiters_are_told_apart_moved_and_woken_as_the_operation_says() {
    let mut process = Process::new();
    let threads: Vec<u64> = (0..4).map(|number| process.thread(number)).collect();
    let (one, other) = (DATA + 64, DATA + 128);
    let wait = |process: &mut Process, id: u64, mask: u64| {
        process.switch_to(id);
        let value = u64::from(process.words(one));
        let operation = u64::from(FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG);
        process.waits(Sysno::futex, &[one, operation, value, 0, 0, mask]);
    };
    for (id, mask) in threads.iter().zip([1, 2, 4, 8]) {
        wait(&mut process, *id, mask);
    }
    process.switch_to(FIRST_ID);
    let wake_some = FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG;
    assert_eq!(process.futex(one, wake_some, [9, 0, 0, 6]), Ok(2));
    assert_eq!(process.futex(one, wake_some, [9, 0, 0, 0]), Err(errno::EINVAL));
    let value = u64::from(process.words(one));
    let compare = FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG;
    assert_eq!(process.futex(one, compare, [1, 9, other, value + 1]), Err(errno::EAGAIN));
    assert_eq!(process.futex(one, compare, [1, u64::MAX, other, value]), Err(errno::EINVAL));
    assert_eq!(process.futex(one, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, [0, 1, other, 0]), Ok(1));
    // Two are left: one here, one there. Add 5, and wake here, and there if it was what it was.
    let there = process.words(other);
    process.poke(other, &7_u32.to_le_bytes());
    let add_five_if_seven = 1 << 28 | 5 << 12 | 7;
    let operation = FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG;
    assert_eq!(process.futex(one, operation, [1, 1, other, add_five_if_seven]), Ok(2));
    assert_eq!((there, process.words(other)), (u32::from_le_bytes(*b"dddd"), 12));
    assert_eq!(process.futex(one, operation, [1, 1, other, add_five_if_seven]), Ok(0));
    assert_eq!(process.futex(one, operation, [1, 1, other, 5 << 28]), Err(errno::ENOSYS));
    // Zero wakes one, as Linux counts; nothing is mapped there, and nobody waits.
    wait(&mut process, threads[0], FUTEX_BITSET_MATCH_ANY.into());
    process.switch_to(FIRST_ID);
    assert_eq!(process.futex(one, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, [0; 4]), Ok(1));
    assert_eq!(process.futex(0x10_0000, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, [1, 0, 0, 0]), Ok(0));
    assert_eq!(process.futex(0x10_0000, FUTEX_WAKE, [1, 0, 0, 0]), Err(errno::EFAULT));
    assert_eq!(process.futex(one + 1, FUTEX_WAKE, [1, 0, 0, 0]), Err(errno::EINVAL));
    assert_eq!(process.futex(one, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, [1, 0, 0, 0]), Err(errno::ENOSYS));
}

#[test]
fn barriers_are_for_those_who_have_registered() {
    let mut process = Process::new();
    let mut barrier = |command: u64, flags: u64| process.call(Sysno::membarrier, &[command, flags]);
    assert_eq!(barrier(0, 0), Ok(0x7f));
    assert_eq!(
        (barrier(1, 0), barrier(8, 0), barrier(16, 0), barrier(8, 0)),
        (Ok(0), Err(errno::EPERM), Ok(0), Ok(0))
    );
    assert_eq!(
        (barrier(32, 0), barrier(3, 0), barrier(8, 1)),
        (Err(errno::EPERM), Err(errno::EINVAL), Err(errno::EINVAL))
    );
}
