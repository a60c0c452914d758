// SPDX-License-Identifier: MIT
//! What is tried: each system call that there is, and what else the kernel does for a process.
//!
//! A call that `dispatch.rs` performs has to be here, with arguments for each of its ways
//! through: in [`PLAIN`] if the [stage](super::stage) is all that it needs.

use super::stage::*;
use super::*;
use crate::tests::processes::THREAD_FLAGS;

/// The working directory, as a descriptor.
const HERE: u64 = -100_i64 as u64;
const PAGE: u64 = PAGE_LEN;
/// Any descriptor.
const NONE: u64 = u64::MAX;
const FAR: u64 = 1 << 37;
const SIGUSR1: u64 = 10;

/// Calls that are refused, here or at all: what they fail with does not matter.
pub const REFUSED: &[Sysno] = &[
    Sysno::accept,
    Sysno::accept4,
    Sysno::bind,
    Sysno::clock_settime,
    Sysno::connect,
    Sysno::copy_file_range,
    Sysno::listen,
    Sysno::rseq,
    Sysno::sendfile,
    Sysno::setsid,
    Sysno::setsockopt,
    Sysno::socket,
    Sysno::settimeofday,
    Sysno::splice,
];

/// Calls, each with all the arguments that it is tried with.
pub const PLAIN: &[(Sysno, &[&[u64]])] = &[
    // Data.
    (
        Sysno::read,
        &[
            &[FILE, FRESH, 9000],
            &[EVENT, FRESH, 8],
            &[TIMER, FRESH, 8],
            &[MAPS, FRESH, 9000],
            &[ENVIRONMENT, FRESH, 9000],
            &[FROM, FRESH, 50],
            &[0, FRESH, 5],
            &[ZERO, FRESH, 9000],
            &[RANDOM, FRESH, 300],
            &[SHARED_FILE, FRESH, 9000],
        ],
    ),
    (
        Sysno::write,
        &[
            &[FILE, FULL, 65_000],
            &[TO, FULL, 5000],
            &[EVENT, ZEROS, 8],
            &[AWAITED, FULL, 10],
            &[1, FULL, 5000],
            &[SPARSE, FULL, 9000],
            &[SPARSE, FRESH, 9000],
            &[SHARED_FILE, FULL, 30_000],
            &[ZERO, FULL, 10],
        ],
    ),
    (Sysno::pread64, &[&[FILE, FRESH, 9000, 100], &[SPARSE, FRESH, 10, FAR]]),
    (
        Sysno::pwrite64,
        &[&[SPARSE, FULL, 9000, FAR - 5000], &[FILE, FULL, 100, 1 << 40], &[SHARED_FILE, FULL, 5000, FAR]],
    ),
    (Sysno::readv, &[&[FILE, VECTOR, 3], &[FROM, VECTOR, 3]]),
    (Sysno::writev, &[&[SPARSE, FULL_VECTOR, 3], &[TO, FULL_VECTOR, 3], &[1, FULL_VECTOR, 3]]),
    (Sysno::preadv, &[&[FILE, VECTOR, 3, 1000]]),
    (Sysno::pwritev, &[&[FILE, FULL_VECTOR, 3, FAR]]),
    (Sysno::preadv2, &[&[FILE, VECTOR, 3, 1000, 0, 0]]),
    (Sysno::pwritev2, &[&[FILE, FULL_VECTOR, 3, NONE, 0, 16]]),
    (Sysno::lseek, &[&[FILE, 5, 0]]),
    (Sysno::ftruncate, &[&[FILE, 100], &[FILE, 1 << 40], &[SHARED_FILE, PAGE], &[SHARED_FILE, 9 * PAGE]]),
    (Sysno::truncate, &[&[PATH_FILE, 10]]),
    (Sysno::sendfile, &[&[TO, FILE, 0, 100]]),
    (Sysno::splice, &[&[FILE, 0, TO, 0, 100]]),
    (Sysno::copy_file_range, &[&[FILE, 0, SPARSE, 0, 100]]),
    (Sysno::fsync, &[&[FILE]]),
    (Sysno::fdatasync, &[&[FILE]]),
    (Sysno::syncfs, &[&[FILE]]),
    (Sysno::fadvise64, &[&[FILE, 0, 0, 0]]),
    (Sysno::flock, &[&[FILE, 2]]),
    (Sysno::sync, &[&[]]),
    // Descriptors.
    (Sysno::pipe, &[&[FRESH]]),
    (Sysno::pipe2, &[&[FRESH, 0o2_000_000]]),
    (Sysno::memfd_create, &[&[NAME, 0]]),
    (Sysno::close, &[&[FILE], &[AWAITED], &[FROM]]),
    (Sysno::close_range, &[&[3, 100, 0], &[3, 100, 4]]),
    (Sysno::dup, &[&[FILE]]),
    (Sysno::dup2, &[&[FILE, 500], &[FILE, TO], &[FILE, FILE]]),
    (Sysno::dup3, &[&[FILE, 500, 0o2_000_000]]),
    (
        Sysno::fcntl,
        &[
            &[FILE, 0, 100],
            &[FILE, 1030, 100],
            &[FILE, 3],
            &[FILE, 5, FRESH],
            &[FILE, 6, FRESH],
            &[FILE, 37, FRESH],
        ],
    ),
    (Sysno::ioctl, &[&[FILE, 0x541b, FRESH]]),
    (Sysno::poll, &[&[POLLED, 2, 1000]]),
    (Sysno::ppoll, &[&[POLLED, 2, ZEROS]]),
    (Sysno::select, &[&[8, SET, 0, FRESH, ZEROS]]),
    (Sysno::pselect6, &[&[8, SET, 0, FRESH, ZEROS]]),
    // Sockets.
    (Sysno::socketpair, &[&[1, 1, 0, FRESH]]),
    (Sysno::sendto, &[&[LEFT, FULL, 100]]),
    (Sysno::recvfrom, &[&[RIGHT, FRESH, 100, 0, FRESH + PAGE, FRESH + 2 * PAGE], &[RIGHT, FRESH, 100, 2]]),
    (Sysno::sendmsg, &[&[LEFT, MESSAGE]]),
    (Sysno::recvmsg, &[&[RIGHT, MESSAGE]]),
    (Sysno::shutdown, &[&[LEFT, 2]]),
    (Sysno::socket, &[&[2, 1, 0]]),
    (Sysno::bind, &[&[LEFT, ZEROS, 16]]),
    (Sysno::connect, &[&[LEFT, ZEROS, 16]]),
    (Sysno::listen, &[&[LEFT, 1]]),
    (Sysno::accept, &[&[LEFT, 0, 0]]),
    (Sysno::accept4, &[&[LEFT, 0, 0, 0]]),
    (Sysno::setsockopt, &[&[LEFT, 1, 7, ZEROS, 4]]),
    (Sysno::getsockname, &[&[LEFT, FRESH, SIXTEEN]]),
    (Sysno::getpeername, &[&[LEFT, FRESH, SIXTEEN]]),
    (Sysno::getsockopt, &[&[LEFT, 1, 3, FRESH, SIXTEEN], &[LEFT, 1, 4, FRESH, SIXTEEN]]),
    (Sysno::eventfd, &[&[5]]),
    (Sysno::eventfd2, &[&[5, 0o2_004_000]]),
    (Sysno::epoll_create, &[&[1]]),
    (Sysno::epoll_create1, &[&[0o2_000_000]]),
    (
        Sysno::epoll_ctl,
        &[&[EPOLL, 1, TO, FULL], &[EPOLL, 3, FROM, FULL], &[EPOLL, 2, FROM, 0], &[EPOLL, 1, EVENT, FULL]],
    ),
    (Sysno::epoll_wait, &[&[EPOLL, FRESH, 5, 0]]),
    (Sysno::epoll_pwait, &[&[EPOLL, FRESH, 5, 0, ZEROS, 8]]),
    (Sysno::epoll_pwait2, &[&[EPOLL, FRESH, 5, ZEROS, ZEROS, 8]]),
    (Sysno::timerfd_create, &[&[1, 0]]),
    (Sysno::timerfd_settime, &[&[TIMER, 0, TIMES, FRESH]]),
    (Sysno::timerfd_gettime, &[&[TIMER, FRESH]]),
    // Paths.
    (
        Sysno::open,
        &[
            &[PATH_FILE, 2],
            &[PATH_NEW, 0o102, 0o644],
            &[PATH_LONG, 0o102, 0o644],
            &[PATH_FILE, 0o1002],
            &[PATH_TMP, 0o200_000],
            &[PATH_STDOUT, 1],
            &[PATH_MAPS, 0],
            &[PATH_DESCRIPTOR, 0],
        ],
    ),
    (Sysno::openat, &[&[HERE, PATH_NEW, 0o102, 0o644]]),
    (Sysno::creat, &[&[PATH_NEW, 0o644], &[PATH_FILE, 0o644]]),
    (Sysno::stat, &[&[PATH_FILE, FRESH]]),
    (Sysno::lstat, &[&[PATH_LINK, FRESH]]),
    (Sysno::newfstatat, &[&[HERE, PATH_FILE, FRESH, 0]]),
    (Sysno::fstat, &[&[FILE, FRESH], &[FROM, FRESH]]),
    (Sysno::statx, &[&[HERE, PATH_FILE, 0, 0xfff, FRESH]]),
    (Sysno::statfs, &[&[PATH_FILE, FRESH]]),
    (Sysno::fstatfs, &[&[FILE, FRESH]]),
    (Sysno::access, &[&[PATH_FILE, 4]]),
    (Sysno::faccessat, &[&[HERE, PATH_FILE, 4]]),
    (Sysno::faccessat2, &[&[HERE, PATH_FILE, 4, 0]]),
    (Sysno::mkdir, &[&[PATH_NEW, 0o755]]),
    (Sysno::mkdirat, &[&[HERE, PATH_LONG, 0o755]]),
    (Sysno::unlink, &[&[PATH_FILE], &[PATH_SHARED]]),
    (Sysno::rmdir, &[&[PATH_EMPTY]]),
    (Sysno::unlinkat, &[&[HERE, PATH_EMPTY, 0x200], &[HERE, PATH_NAME, 0]]),
    (Sysno::rename, &[&[PATH_FILE, PATH_NEW], &[PATH_SHARED, PATH_FILE], &[PATH_DIRECTORY, PATH_NEW]]),
    (Sysno::renameat, &[&[HERE, PATH_FILE, HERE, PATH_LONG]]),
    (Sysno::renameat2, &[&[HERE, PATH_FILE, HERE, PATH_NEW, 1]]),
    (Sysno::link, &[&[PATH_FILE, PATH_NEW]]),
    (Sysno::linkat, &[&[HERE, PATH_LINK, HERE, PATH_NEW, 0x400]]),
    (Sysno::symlink, &[&[PATH_FILE, PATH_NEW]]),
    (Sysno::symlinkat, &[&[PATH_FILE, HERE, PATH_LONG]]),
    (Sysno::readlink, &[&[PATH_LINK, FRESH, 100], &[PATH_DESCRIPTOR, FRESH, 100]]),
    (Sysno::readlinkat, &[&[HERE, PATH_LINK, FRESH, 100]]),
    (Sysno::getcwd, &[&[FRESH, 100]]),
    (Sysno::chdir, &[&[PATH_DIRECTORY]]),
    (Sysno::fchdir, &[&[DIRECTORY]]),
    (Sysno::getdents64, &[&[DIRECTORY, FRESH, 1000], &[LISTED, FRESH, 1000]]),
    (Sysno::chmod, &[&[PATH_FILE, 0o600]]),
    (Sysno::fchmodat, &[&[HERE, PATH_FILE, 0o600]]),
    (Sysno::fchmod, &[&[FILE, 0o600]]),
    (Sysno::chown, &[&[PATH_FILE, 0, 0]]),
    (Sysno::lchown, &[&[PATH_FILE, 0, 0]]),
    (Sysno::fchownat, &[&[HERE, PATH_FILE, 0, 0, 0]]),
    (Sysno::fchown, &[&[FILE, 0, 0]]),
    (Sysno::utimensat, &[&[HERE, PATH_FILE, ZEROS, 0], &[FILE, 0, 0, 0]]),
    (Sysno::umask, &[&[0o77]]),
    // Memory.
    (
        Sysno::mmap,
        &[
            &[0, 3 * PAGE, 3, 0x22, NONE, 0],
            &[FULL + 4 * PAGE, 3 * PAGE, 1, 0x32, NONE, 0],
            &[FULL + 4 * PAGE, 3 * PAGE, 3, 0x31, NONE, 0],
            &[0, 3 * PAGE, 3, 0x21, NONE, 0],
            &[0, 9 * PAGE, 3, 1, FILE, 0],
            &[0, 9 * PAGE, 3, 1, SHARED_FILE, PAGE],
            &[0, 20 * PAGE, 3, 2, FILE, PAGE],
            &[NOTHING, PAGE, 1, 0x12, FILE, 0],
            &[0, PAGE, 3, 2, ZERO, 0],
        ],
    ),
    (
        Sysno::munmap,
        &[
            &[FULL + 4 * PAGE, PAGE],
            &[FULL, 16 * PAGE],
            &[FULL + PAGE, 30 * PAGE],
            &[SHARED + PAGE, PAGE],
            &[SHARED, 8 * PAGE],
            &[MAPPED, 4 * PAGE],
            &[FULL, SHARED - FULL + 2 * PAGE],
        ],
    ),
    (
        Sysno::mprotect,
        &[&[FULL + 4 * PAGE, PAGE, 1], &[FULL, 16 * PAGE, 1], &[SHARED + PAGE, PAGE, 1], &[FRESH, PAGE, 0]],
    ),
    (
        Sysno::mremap,
        &[
            &[FULL, 16 * PAGE, 20 * PAGE, 0],
            &[FULL, 16 * PAGE, 4 * PAGE, 0],
            &[FULL + PAGE, 3 * PAGE, 5 * PAGE, 1],
            &[FULL + PAGE, 5 * PAGE, 3 * PAGE, 3, NOTHING],
            &[FULL + PAGE, 5 * PAGE, 7 * PAGE, 3, NOTHING],
            &[FULL, 16 * PAGE, 16 * PAGE, 3, SHARED],
            &[SHARED, 3 * PAGE, 3 * PAGE, 3, FRESH + 10 * PAGE],
            &[SHARED, 0, 2 * PAGE, 1],
            &[MAPPED, 2 * PAGE, 3 * PAGE, 1],
        ],
    ),
    (
        Sysno::madvise,
        &[
            &[FULL + 4 * PAGE, PAGE, 4],
            &[FULL, 16 * PAGE, 4],
            &[SHARED, PAGE, 4],
            &[FULL, PAGE, 3],
            &[FULL, PAGE, 10],
            &[FULL, PAGE, 18],
            &[FRESH, PAGE, 23],
            &[SHARED, PAGE, 9],
        ],
    ),
    (Sysno::brk, &[&[0], &[DATA + 6 * PAGE + 5]]),
    (Sysno::mlock, &[&[FULL, PAGE]]),
    (Sysno::mlock2, &[&[FULL, PAGE, 0]]),
    (Sysno::munlock, &[&[FULL, PAGE]]),
    (Sysno::msync, &[&[MAPPED, PAGE, 4]]),
    (Sysno::mlockall, &[&[1]]),
    (Sysno::munlockall, &[&[]]),
    // Time.
    (Sysno::clock_gettime, &[&[1, FRESH]]),
    (Sysno::clock_getres, &[&[1, FRESH]]),
    (Sysno::clock_settime, &[&[0, ZEROS]]),
    (Sysno::settimeofday, &[&[ZEROS, 0]]),
    (Sysno::gettimeofday, &[&[FRESH, FRESH + PAGE]]),
    (Sysno::time, &[&[FRESH]]),
    (Sysno::nanosleep, &[&[ZEROS, 0]]),
    (Sysno::clock_nanosleep, &[&[1, 0, ZEROS, 0]]),
    (Sysno::times, &[&[FRESH]]),
    (Sysno::getrusage, &[&[0, FRESH]]),
    (Sysno::sysinfo, &[&[FRESH]]),
    // Signals.
    (Sysno::rt_sigaction, &[&[12, ACTION, FRESH, 8]]),
    (Sysno::rt_sigprocmask, &[&[0, SIGNALS, FRESH, 8]]),
    (Sysno::rt_sigpending, &[&[FRESH, 8]]),
    (Sysno::rt_sigsuspend, &[&[ZEROS, 8]]),
    (Sysno::rt_sigtimedwait, &[&[SIGNALS, 0, 0, 8]]),
    (Sysno::pause, &[&[]]),
    (Sysno::sigaltstack, &[&[STACK, FRESH]]),
    (Sysno::alarm, &[&[0], &[5]]),
    (Sysno::getitimer, &[&[0, FRESH]]),
    (Sysno::setitimer, &[&[0, TIMES, FRESH]]),
    (Sysno::timer_create, &[&[1, 0, FRESH]]),
    (Sysno::timer_settime, &[&[0, 0, TIMES, FRESH]]),
    (Sysno::timer_gettime, &[&[0, FRESH]]),
    (Sysno::timer_getoverrun, &[&[0]]),
    (Sysno::timer_delete, &[&[0]]),
    // The process.
    (Sysno::exit, &[&[3]]),
    (Sysno::exit_group, &[&[3]]),
    (Sysno::getpid, &[&[]]),
    (Sysno::gettid, &[&[]]),
    (Sysno::set_tid_address, &[&[FRESH]]),
    (Sysno::getppid, &[&[]]),
    (Sysno::getpgrp, &[&[]]),
    (Sysno::getpgid, &[&[0]]),
    (Sysno::getsid, &[&[0]]),
    (Sysno::setpgid, &[&[0, 0]]),
    (Sysno::setsid, &[&[]]),
    (Sysno::getuid, &[&[]]),
    (Sysno::geteuid, &[&[]]),
    (Sysno::getgid, &[&[]]),
    (Sysno::getegid, &[&[]]),
    (Sysno::getgroups, &[&[0, 0]]),
    (Sysno::setfsuid, &[&[0]]),
    (Sysno::setfsgid, &[&[0]]),
    (Sysno::getresuid, &[&[FRESH, FRESH + 2 * PAGE, FRESH + 4 * PAGE]]),
    (Sysno::getresgid, &[&[FRESH, FRESH, FRESH]]),
    (Sysno::setuid, &[&[0]]),
    (Sysno::setgid, &[&[0]]),
    (Sysno::arch_prctl, &[&[0x1003, FRESH], &[0x1002, FULL]]),
    (Sysno::prctl, &[&[16, FRESH], &[15, NAME]]),
    (Sysno::set_robust_list, &[&[FRESH, 24]]),
    (Sysno::get_robust_list, &[&[0, FRESH, FRESH + 9 * PAGE]]),
    (Sysno::membarrier, &[&[0, 0], &[16, 0]]),
    (
        Sysno::futex,
        &[
            &[SHARED, 1, 1],
            &[FRESH, 0, 0, 0],
            &[SHARED + 4 * PAGE, 0, 0, ZEROS],
            &[SHARED, 3, 0, 1, SHARED + 4 * PAGE],
            &[FRESH, 6, 0, 0],
            &[SHARED + 4 * PAGE, 8],
        ],
    ),
    (Sysno::prlimit64, &[&[0, 7, LIMIT, FRESH]]),
    (Sysno::getrlimit, &[&[7, FRESH]]),
    (Sysno::setrlimit, &[&[7, LIMIT]]),
    (Sysno::getrandom, &[&[FRESH, 9000, 0]]),
    (Sysno::uname, &[&[FRESH]]),
    (Sysno::personality, &[&[0xffff_ffff]]),
    (Sysno::wait4, &[&[NONE, FRESH, 0, FRESH + PAGE]]),
    (Sysno::waitid, &[&[0, 0, FRESH, 4]]),
    (Sysno::fork, &[&[]]),
    (Sysno::vfork, &[&[]]),
    (
        Sysno::clone,
        &[
            &[0x0130_0011, 0, FRESH, FRESH + PAGE],
            // A thread, a process that shares everything, and one that waits for its child.
            &[THREAD_FLAGS as u64 | 0x100_0000, FRESH + 9 * PAGE, FRESH, FRESH + PAGE, FRESH],
            &[0xf11, FRESH + 9 * PAGE],
            &[0x4111, 0],
        ],
    ),
    (Sysno::clone3, &[&[CLONE, 88]]),
    (Sysno::clone3, &[&[FRESH, 88]]),
    (Sysno::execve, &[&[PATH_PROGRAM, LIST, LIST], &[PATH_PROGRAM, 0, 0]]),
    (Sysno::sched_yield, &[&[]]),
    (Sysno::sched_setscheduler, &[&[0, 0, ZEROS]]),
    (Sysno::sched_getscheduler, &[&[0]]),
    (Sysno::sched_setparam, &[&[0, ZEROS]]),
    (Sysno::sched_getparam, &[&[0, FRESH]]),
    (Sysno::sched_get_priority_max, &[&[0]]),
    (Sysno::sched_get_priority_min, &[&[0]]),
    (Sysno::sched_getaffinity, &[&[0, 8, FRESH]]),
    (Sysno::sched_setaffinity, &[&[0, 8, WORD]]),
    (Sysno::getcpu, &[&[FRESH, FRESH + 2 * PAGE]]),
    (Sysno::getpriority, &[&[0, 0]]),
    (Sysno::setpriority, &[&[0, 0, 0]]),
    (Sysno::rseq, &[&[FRESH, 32, 0, 0]]),
];

/// Lets the next handler's frame come to lie where no page is.
fn far_stack(process: &mut Process) {
    process.user.rsp -= 1 << 20;
}

/// Blocks SIGUSR1, and sends it.
fn with_a_pending_signal(process: &mut Process) {
    process.call(Sysno::rt_sigprocmask, &[0, SIGNALS, 0, 8]).unwrap();
    let own = process.id;
    process.call(Sysno::kill, &[own, SIGUSR1]).unwrap();
}

/// Leads a process to where there is something to do, and says what.
type Prepare = fn(&mut Process) -> Work;

/// What the stage alone does not prepare: system calls by their names, and the rest.
pub const PREPARED: &[(&str, Prepare)] = &[
    ("kill", |process| {
        far_stack(process);
        system_call(Sysno::kill, &[process.id, SIGUSR1])
    }),
    ("tkill", |process| {
        far_stack(process);
        system_call(Sysno::tkill, &[process.id, SIGUSR1])
    }),
    ("tgkill", |process| {
        far_stack(process);
        system_call(Sysno::tgkill, &[process.id, process.id, SIGUSR1])
    }),
    ("rt_sigprocmask", |process| {
        with_a_pending_signal(process);
        far_stack(process);
        system_call(Sysno::rt_sigprocmask, &[2, ZEROS, FRESH, 8])
    }),
    ("rt_sigsuspend", |process| {
        with_a_pending_signal(process);
        far_stack(process);
        system_call(Sysno::rt_sigsuspend, &[ZEROS, 8])
    }),
    ("rt_sigtimedwait", |process| {
        with_a_pending_signal(process);
        system_call(Sysno::rt_sigtimedwait, &[SIGNALS, FRESH, ZEROS, 8])
    }),
    ("rt_sigreturn", |process| {
        let own = process.id;
        process.last(Sysno::kill, &[own, SIGUSR1]);
        // The handler has returned to the restorer.
        process.user.rsp += 8;
        system_call(Sysno::rt_sigreturn, &[])
    }),
    ("brk down", |process| {
        let end = process.call(Sysno::brk, &[0]).unwrap();
        process.call(Sysno::brk, &[end + 9 * PAGE]).unwrap();
        (0..8).for_each(|page| process.poke(end + page * PAGE, b"x"));
        system_call(Sysno::brk, &[end + PAGE])
    }),
    ("a fork that finds no engine", |_| {
        Box::new(|process| {
            let next = process.step(Sysno::fork.id() as u64, &[]);
            if next == Next::Fork {
                let child = process.linux.take_child().unwrap();
                process.refuse(child);
            }
            Next::Yield
        })
    }),
    ("a page fault for a page of zeros", |_| page_fault(FRESH + 5, 6)),
    ("a page fault for a shared page", |_| page_fault(SHARED + 5 * PAGE, 4)),
    ("a page fault for a page of a file", |_| page_fault(MAPPED + 2 * PAGE, 6)),
    ("a page fault for a copy", |process| {
        process.fork();
        page_fault(FULL + 2 * PAGE, 7)
    }),
    ("a page fault for the stack", |process| page_fault(process.user.rsp - (1 << 20), 6)),
    ("an exception with a handler", |process| {
        process.call(Sysno::rt_sigaction, &[4, ACTION, 0, 8]).unwrap();
        far_stack(process);
        Box::new(|process| {
            let undefined = crate::linux::signal::exception::Exception { vector: 6, error: 0 };
            process.exception(undefined)
        })
    }),
    ("a bad page with a handler", |process| {
        process.call(Sysno::rt_sigaction, &[11, ACTION, 0, 8]).unwrap();
        far_stack(process);
        Box::new(|process| process.bad_page((NOTHING, 6), 11))
    }),
    ("a switch to who has to look what was cut", |process| {
        let (child, own) = (process.fork(), process.id);
        (0..4).for_each(|page| process.poke(MAPPED + page * PAGE, b"x"));
        process.switch_to(child);
        (0..4).for_each(|page| process.poke(MAPPED + page * PAGE, b"x"));
        process.call(Sysno::ftruncate, &[SHARED_FILE, PAGE]).unwrap();
        process.linux.switch_to(process.threads[&own]);
        process.linux.switch_to(process.threads[&child]);
        Box::new(|process| match process.linux.catch_up(&mut process.space) {
            true => Next::Continue,
            false => Next::OutOfMemory,
        })
    }),
    ("a program executed by a thread", |process| {
        process.spawn(FULL + PAGE, FULL, 0);
        let own = process.spawn(FULL + PAGE, FULL, 0);
        process.switch_to(own);
        system_call(Sysno::execve, &[PATH_PROGRAM, LIST, LIST])
    }),
    ("a program executed in somebody's memory", |process| {
        assert_eq!(process.step(Sysno::clone.id() as u64, &[0xf11, 0]), Next::Fork);
        let child = process.take_child();
        process.switch_to(child);
        system_call(Sysno::execve, &[PATH_PROGRAM, LIST, LIST])
    }),
    ("the end of a thread with robust locks", |process| {
        let own = process.spawn(FULL + PAGE, FRESH + 3 * PAGE, 0);
        process.switch_to(own);
        process.poke(FULL, &[FULL + 64, 8, 0].map(u64::to_le_bytes).concat());
        process.poke(FULL + 64, &[FULL, own].map(u64::to_le_bytes).concat());
        process.call(Sysno::set_robust_list, &[FULL, 24]).unwrap();
        Box::new(|process| {
            let first = FIRST_ID + 1;
            process.end_thread(first);
            Next::Yield
        })
    }),
    ("the end of a process", |_| {
        Box::new(|process| {
            process.end(Status::Exited(1), FIRST_ID);
            Next::Yield
        })
    }),
    ("a reader that goes on", |process| {
        process.call(Sysno::write, &[AWAITED, FULL, 10]).unwrap();
        let reader = process.id + 1;
        process.switch_to(reader);
        Box::new(Process::again)
    }),
];

/// A system call.
pub fn system_call(call: Sysno, arguments: &[u64]) -> Work {
    let arguments = arguments.to_vec();
    Box::new(move |process| process.step(call.id() as u64, &arguments))
}

fn page_fault(address: u64, error: u32) -> Work {
    Box::new(move |process| match process.linux.page_fault(&mut process.space, address, error) {
        Ok(()) => Next::Continue,
        Err(signal) => Next::Kill { signal },
    })
}
