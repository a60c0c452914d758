// SPDX-License-Identifier: MIT
//! The programs that are measured. Each prints a result that is the same on every machine.

use pe_replay::Policy;

use super::case::Case;

/// A program to measure.
#[derive(Debug)]
pub struct Workload {
    /// Its name in tables and for `--suite`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
}

impl Workload {
    /// This program under a policy.
    pub fn case(&self, policy: Policy) -> Case {
        Case::new(self.program, self.arguments, policy)
    }
}

/// Writes at most four pages a PE at the default limit.
pub const LIGHT: Workload = Workload {
    name: "light",
    about: "swaps in a table of three pages",
    program: "bench-light",
    arguments: &[],
};

/// PEs of about 20,000 instructions and ten written pages.
pub const STEADY: Workload = Workload {
    name: "steady",
    about: "ten pages and a system call every 20,000 instructions",
    program: "bench-steady",
    arguments: &[],
};

/// As [`STEADY`], but other pages in every PE, so that none is predicted.
pub const FRESH: Workload = Workload {
    name: "fresh",
    about: "ten pages and a system call every 20,000 instructions, other pages each time",
    program: "bench-fresh",
    arguments: &[],
};

/// Arithmetic.
pub const COMPUTE: Workload = Workload {
    name: "compute",
    about: "arithmetic in registers, no writes",
    program: "bench-compute",
    arguments: &[],
};

/// Tens of written pages a PE, always the same.
pub const MEMORY: Workload = Workload {
    name: "memory",
    about: "updates spread over forty pages, the same in every PE",
    program: "bench-memory",
    arguments: &[],
};

/// What a user would run.
pub const MIXED: Workload = Workload {
    name: "mixed",
    about: "the showcase: hashes, sorts, compresses, computes, with its system calls and faults",
    program: "showcase",
    arguments: &[],
};

/// Next to nothing between system calls.
pub const SYSCALL: Workload = Workload {
    name: "syscall",
    about: "getpid, gettid, getuid, again and again",
    program: "bench-syscall",
    arguments: &[],
};

/// All of them.
pub const ALL: &[Workload] = &[
    COMPUTE,
    LIGHT,
    STEADY,
    MEMORY,
    Workload {
        name: "stream",
        about: "updates of four megabytes in sequence, other pages in every PE",
        program: "bench-stream",
        arguments: &[],
    },
    SYSCALL,
    Workload {
        name: "fault",
        about: "maps, touches and unmaps memory: pages made on demand",
        program: "bench-fault",
        arguments: &[],
    },
    MIXED,
];

/// A part of `steady`, for `--quick`.
pub const QUICK: Workload = Workload { arguments: &["200"], ..STEADY };
