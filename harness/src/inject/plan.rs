// SPDX-License-Identifier: MIT
//! The programs that campaigns hit, and how each of them is run.

use std::ops::Range;

/// How a program is run in a campaign.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of one of our programs.
    pub name: &'static str,
    /// Its arguments.
    pub arguments: &'static [&'static str],
    /// The instruction limit, so short that a run has many PEs.
    pub limit: u64,
    /// Bytes of stack that it uses.
    pub stack: u64,
    /// Whether XMM registers hold what matters, most of the time.
    pub vectors: bool,
    /// What is hit in place of data and stacks.
    pub memory: Option<Range<u64>>,
    /// Whether it has several threads.
    pub has_threads: bool,
    /// More pages than it writes in a PE; the frames for them are set apart for each run.
    pub max_dirty: u16,
    /// The memory of the machine.
    pub memory_mib: u32,
}

impl Plan {
    /// A program of one thread, which needs little memory; a machine with little starts sooner.
    const fn of(name: &'static str, limit: u64, stack: u64, vectors: bool) -> Self {
        Self {
            name,
            arguments: &[],
            limit,
            stack,
            vectors,
            memory: None,
            has_threads: false,
            max_dirty: 64,
            memory_mib: 32,
        }
    }

    /// A program of somebody's own, under bounds of his own.
    pub const fn given(limit: u64, max_dirty: u16, memory_mib: u32) -> Self {
        Self { max_dirty, memory_mib, ..Self::of("", limit, 0, true) }
    }

    /// A program of several threads.
    const fn with_threads(name: &'static str, arguments: &'static [&'static str], vectors: bool) -> Self {
        let plan = Self::of(name, 10_000, 1024, vectors);
        Self { arguments, has_threads: true, memory_mib: 128, ..plan }
    }

    /// A program of one thread that makes system calls, which write many pages in a PE, and may ask how much
    /// memory there is: all programs of a boot have the same.
    const fn calling(name: &'static str) -> Self {
        Self { max_dirty: 512, memory_mib: 128, ..Self::of(name, 2000, 1024, true) }
    }
}

/// Short ones, whose output depends on most of their state.
pub const PLANS: [Plan; 8] = [
    Plan::of("tiny", 500, 256, false),
    Plan::of("registers", 500, 640, true),
    Plan::of("heapsort", 500, 256, false),
    Plan::of("matrix", 500, 512, true),
    Plan::of("table", 1000, 256, false),
    Plan::of("lines", 1000, 256, false),
    Plan::of("crc", 500, 256, false),
    Plan::of("words", 1000, 2048, false),
];

/// Threads in C, Rust and Go: locks of all kinds, a race, channels, goroutines.
pub const THREADED: [Plan; 4] = [
    Plan::with_threads("threads", &["50"], false),
    Plan::with_threads("race", &[], false),
    Plan::with_threads("std-sync", &[], true),
    Plan::with_threads("go-channels", &[], true),
];

/// System calls of many kinds: `/proc`, sockets, an `epoll` in an `epoll`, timers, signals, locks, processes.
pub const CALLING: [Plan; 8] = [
    Plan::calling("lookups"),
    Plan::calling("pairs"),
    Plan::calling("nested"),
    Plan::with_threads("closed", &[], false),
    Plan::with_threads("timers", &[], false),
    Plan::calling("signals"),
    Plan::calling("locks"),
    Plan::calling("processes"),
];

/// Two processes, and where what they share is (`user/c/watched.c`).
pub const SHARED: Plan =
    Plan { memory: Some(0x2000_0000..0x2000_0000 + 16 + 96 * 8), ..Plan::of("watched", 200, 640, false) };
