// SPDX-License-Identifier: MIT
//! The boot configuration, and the names of the boot archive's entries.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::counter::{CounterChoice, CounterFaults};
use super::isolation::Isolate;
use super::nova::System;
use super::{VERSION, WireError};
use flips::{Injection, MAX_INJECTIONS};
use pe_replay::Policy;

/// Names of the entries of the boot archive (newc cpio).
pub mod entry {
    /// The configuration: [`Config`](super::Config), by [`Config::encode`](super::Config::encode).
    pub const CONFIG: &str = "reprise/config";
    /// The program: a static ELF executable.
    pub const PROGRAM: &str = "reprise/program";
    /// A list of programs to run one after the other, for [`Job::Batch`](super::Job::Batch):
    /// each is its arguments, each ended by a NUL byte, and one more NUL byte.
    pub const BATCH: &str = "reprise/batch";
    /// How each of these is run, in the same order: [`Task`](super::super::task::Task)s. If
    /// absent, all are run as the configuration says.
    pub const TASKS: &str = "reprise/tasks";
    /// Prefix of the programs of a batch; a program's name is its argv\[0\].
    pub const PROGRAMS: &str = "programs/";
    /// The arguments, each ended by a NUL byte; the first one is argv\[0\].
    pub const ARGV: &str = "reprise/argv";
    /// The environment, each `NAME=VALUE` ended by a NUL byte.
    pub const ENVP: &str = "reprise/envp";
    /// Standard input; absent means empty.
    pub const STDIN: &str = "reprise/stdin";
    /// What a NOVA system is booted with, the root task's image first: a list of
    /// [`Module`](super::super::nova::Module)s.
    pub const MODULES: &str = "nova/modules";
    /// The text on the console at which a NOVA system's run is ended; absent means none.
    pub const UNTIL: &str = "nova/until";
    /// The memory of the modules, from a page's first byte on. The last entry.
    pub const MEMORY: &str = "nova/memory";
    /// Prefix of the files that the program finds: `files/etc/motd` is `/etc/motd`.
    pub const FILES: &str = "files/";
}

/// The largest encoded flip, in bytes: three numbers of ten, and a byte each for run, target, part of it and bit.
pub(super) const MAX_INJECTION_LEN: usize = 34;
/// The largest encoded configuration, in bytes.
pub const MAX_CONFIG_LEN: usize = 512 + MAX_INJECTIONS * MAX_INJECTION_LEN;

/// What the kernel is booted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    /// Run the program in the archive.
    Run,
    /// Run the kernel's list of self-tests.
    SelfTest,
    /// Only start, calibrate the counter and report ([`end::CounterReport`](super::end::CounterReport)).
    Calibrate,
    /// Panic on purpose, to show that the end is recognised.
    Panic,
    /// Triple-fault on purpose, likewise.
    TripleFault,
    /// Spin for ever with interrupts off, likewise.
    Hang,
    /// Run the programs of the archive's list, one after the other.
    Batch,
}

/// How streams reach the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sink {
    /// The host reads the channel's memory.
    Memory,
    /// The kernel writes the channel to debugcon at the end (port E9h).
    Debugcon,
}

/// What of each PE the trace stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recording {
    /// Nothing.
    Nothing,
    /// What it did.
    Pes,
    /// What it did, and the digest of what it left behind, which costs time that is not counted as the
    /// policy's.
    Digests,
    /// What it did, and in front of that each page that it wrote.
    Pages,
}

/// A part of the engine that is left out on purpose, to show that it is needed. Kernels that are not
/// built with the feature `mutants` refuse to boot with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mutation {
    /// Run 2 is not executed; run 1's result is taken twice.
    SkipSecondRun,
}

/// The boot configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// What to do.
    pub job: Job,
    /// How PEs are run.
    pub policy: Policy,
    /// Seed of everything random that the program can see.
    pub seed: u64,
    /// Physical address of the channel.
    pub channel_base: u64,
    /// Its size in bytes.
    pub channel_size: u64,
    /// How it reaches the host.
    pub sink: Sink,
    /// What of each PE is recorded in the trace stream.
    pub trace: Recording,
    /// User instructions after which the program is ended by SIGXCPU, at the end of a PE.
    pub max_instructions: u64,
    /// Flips.
    pub injections: ArrayVec<Injection, MAX_INJECTIONS>,
    /// A part of the engine to leave out.
    pub mutation: Option<Mutation>,
    /// What keeps the instruction limit.
    pub counter: CounterChoice,
    /// What an emulated counter does wrong.
    pub counter_faults: CounterFaults,
    /// What programs take for the time.
    pub clock: Clock,
    /// When the kernel is taken out of the user's page tables.
    pub isolate: Isolate,
    /// Memory for kernel and program in bytes: what a program is told of depends on this
    /// alone, not on what is free.
    pub memory_len: u64,
    /// What programs see.
    pub system: System,
}

impl Config {
    /// Writes version and configuration to `buffer`; returns the used part.
    pub fn encode<'a>(&self, buffer: &'a mut [u8; MAX_CONFIG_LEN]) -> &'a [u8] {
        match postcard::to_slice(&(VERSION, self), buffer) {
            Ok(used) => used,
            Err(error) => unreachable!("a configuration has a bounded size: {error}"),
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (found, rest): (u16, _) = postcard::take_from_bytes(bytes).map_err(|_| WireError::Malformed)?;
        if found != VERSION {
            return Err(WireError::Version { found });
        }
        let config: Self = postcard::from_bytes(rest).map_err(|_| WireError::Malformed)?;
        let flips_exist = config.injections.iter().all(crate::injection::is_possible);
        let fits =
            config.policy.is_within_bounds() && flips_exist && config.clock.date_s <= Clock::MAX_DATE_S;
        if fits { Ok(config) } else { Err(WireError::Malformed) }
    }
}
