// SPDX-License-Identifier: MIT
//! Pointers that no program may pass, in every pointer argument of every system call.
//!
//! A case is a call. Each of its pointers in turn is made bad in every way while
//! the others stay good; the kernel has to refuse each time, and to go on.
#![no_std]
#![no_main]

use hostile::calls::{Argument, Call, END};
use rt::sys::errno::{EBADF, EFAULT, EINVAL, ENOTDIR, ENOTTY};

use Argument::{Directory, File, In, InOrNull, Out, OutOrNull, Path, Scratch, Vector};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::calls::run(arguments, CALLS)
}

const fn n(value: u64) -> Argument {
    Argument::Value(value)
}

const NONE: Argument = n(0);
/// AT_FDCWD.
const HERE: Argument = n(-100i64 as u64);

/// Name, number, arguments, and the errors that are right besides ENOSYS.
const CALLS: &[Call] = &[
    Call("read", 0, [File, Out, n(64), NONE, NONE, NONE], &[EFAULT]),
    Call("read-length", 0, [File, Scratch, Argument::Length, NONE, NONE, NONE], &[EFAULT, EINVAL]),
    Call("write", 1, [File, In, n(64), NONE, NONE, NONE], &[EFAULT]),
    Call("write-length", 1, [File, Scratch, Argument::Length, NONE, NONE, NONE], &[EFAULT, EINVAL]),
    Call("open", 2, [In, NONE, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("stat", 4, [In, Out, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("fstat", 5, [File, Out, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("lstat", 6, [In, Out, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("poll", 7, [In, n(1), NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("poll-count", 7, [Scratch, Argument::Count, NONE, NONE, NONE, NONE], &[EFAULT, EINVAL]),
    Call("rt_sigaction", 13, [n(10), InOrNull, OutOrNull, n(8), NONE, NONE], &[EFAULT]),
    Call("rt_sigaction-size", 13, [n(10), Scratch, Scratch, Argument::Length, NONE, NONE], &[EINVAL]),
    Call("rt_sigprocmask", 14, [n(0), InOrNull, OutOrNull, n(8), NONE, NONE], &[EFAULT]),
    Call("ioctl-tcgets", 16, [File, n(0x5401), Out, NONE, NONE, NONE], &[ENOTTY, EFAULT]),
    Call("ioctl-winsize", 16, [File, n(0x5413), Out, NONE, NONE, NONE], &[ENOTTY, EFAULT]),
    Call("pread64", 17, [File, Out, n(64), NONE, NONE, NONE], &[EFAULT]),
    Call("pread64-offset", 17, [File, Scratch, n(64), n(u64::MAX), NONE, NONE], &[EINVAL]),
    Call("pwrite64", 18, [File, In, n(64), NONE, NONE, NONE], &[EFAULT]),
    Call("readv", 19, [File, In, n(1), NONE, NONE, NONE], &[EFAULT]),
    Call("readv-base", 19, [File, Vector, n(1), NONE, NONE, NONE], &[EFAULT]),
    Call("readv-count", 19, [File, Scratch, Argument::Count, NONE, NONE, NONE], &[EINVAL]),
    Call("writev", 20, [File, In, n(1), NONE, NONE, NONE], &[EFAULT]),
    Call("writev-base", 20, [File, Vector, n(1), NONE, NONE, NONE], &[EFAULT]),
    Call("writev-count", 20, [File, Scratch, Argument::Count, NONE, NONE, NONE], &[EINVAL]),
    Call("access", 21, [In, NONE, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("mincore", 27, [Scratch, n(4096), Out, NONE, NONE, NONE], &[EFAULT]),
    Call("nanosleep", 35, [In, NONE, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("execve", 59, [In, Scratch, Scratch, NONE, NONE, NONE], &[EFAULT]),
    Call("uname", 63, [Out, NONE, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("getcwd", 79, [Out, n(4096), NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("unlink", 87, [In, NONE, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("readlink", 89, [In, Out, n(64), NONE, NONE, NONE], &[EFAULT, EINVAL]),
    Call("gettimeofday", 96, [OutOrNull, OutOrNull, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("getrlimit", 97, [n(3), Out, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("getrusage", 98, [NONE, Out, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("sysinfo", 99, [Out, NONE, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("times", 100, [OutOrNull, NONE, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("sigaltstack", 131, [InOrNull, OutOrNull, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("prctl-get-name", 157, [n(16), Out, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("prctl-set-name", 157, [n(15), In, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("arch_prctl-get-fs", 158, [n(0x1003), Out, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("time", 201, [OutOrNull, NONE, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("futex-wake", 202, [In, n(1), n(1), NONE, NONE, NONE], &[EFAULT, EINVAL]),
    Call("sched_getaffinity", 204, [NONE, n(128), Out, NONE, NONE, NONE], &[EFAULT]),
    Call("getdents64", 217, [Directory, Out, n(4096), NONE, NONE, NONE], &[EFAULT]),
    Call("getdents64-file", 217, [File, Out, n(4096), NONE, NONE, NONE], &[EFAULT, ENOTDIR]),
    Call("clock_gettime", 228, [n(1), Out, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("clock_getres", 229, [n(1), OutOrNull, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("clock_nanosleep", 230, [n(1), NONE, In, NONE, NONE, NONE], &[EFAULT]),
    Call("openat", 257, [HERE, In, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("newfstatat", 262, [HERE, In, Out, NONE, NONE, NONE], &[EFAULT]),
    Call("newfstatat-fd", 262, [n(999), Path, Scratch, NONE, NONE, NONE], &[EBADF]),
    Call("unlinkat", 263, [HERE, In, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("readlinkat", 267, [HERE, In, Out, n(64), NONE, NONE], &[EFAULT, EINVAL]),
    Call("faccessat", 269, [HERE, In, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("ppoll", 271, [In, n(1), NONE, InOrNull, n(8), NONE], &[EFAULT]),
    Call("ppoll-timeout", 271, [Scratch, NONE, InOrNull, NONE, n(8), NONE], &[EFAULT]),
    Call("pipe2", 293, [Out, NONE, NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("prlimit64", 302, [NONE, n(3), InOrNull, OutOrNull, NONE, NONE], &[EFAULT]),
    Call("getrandom", 318, [Out, n(64), NONE, NONE, NONE, NONE], &[EFAULT]),
    Call("getrandom-flags", 318, [Scratch, n(64), n(0xff00), NONE, NONE, NONE], &[EINVAL]),
    Call("statx", 332, [HERE, In, NONE, n(0x7ff), Out, NONE], &[EFAULT]),
    // These only note the pointer; what is bad about it shows when the program ends.
    Call("set_tid_address", 218, [Argument::Noted, NONE, NONE, NONE, NONE, NONE], &[]),
    Call("set_robust_list", 273, [Argument::Noted, n(24), NONE, NONE, NONE, NONE], &[]),
    Call("unknown", 0xffff_ffff, [n(END), In, Out, NONE, NONE, NONE], &[]),
    Call("negative", u64::MAX, [n(END), In, Out, NONE, NONE, NONE], &[]),
];
