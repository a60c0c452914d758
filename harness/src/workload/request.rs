// SPDX-License-Identifier: MIT
//! What is asked of one boot, and how it becomes an archive and a machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use arrayvec::ArrayVec;
use flips::{Injection, MAX_INJECTIONS};
use pe_replay::Policy;
use wire::clock::Clock;
use wire::config::Mutation;
use wire::config::{Config, Job, Recording};
use wire::counter::{CounterChoice, CounterFaults};
use wire::isolation::Isolate;
use wire::nova::System;

use super::archive::{self, Contents};
use super::program;
use crate::emulator::{Boot, Emulator, Layout, Processor};
use crate::host::input;

/// The seed where none is asked for.
pub const SEED: u64 = 1;

/// One boot, as a user or a test asks for it.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the kernel is to do.
    pub job: Job,
    /// The emulator.
    pub machine: Emulator,
    /// Its processor.
    pub processor: Processor,
    /// How PEs are run.
    pub policy: Policy,
    /// Program, arguments, input, files.
    pub contents: Contents,
    /// Memory for kernel and program.
    pub memory_mib: u32,
    /// Seed of everything random.
    pub seed: u64,
    /// What of each PE is recorded.
    pub trace: Recording,
    /// User instructions after which the program is ended.
    pub max_instructions: u64,
    /// Flips.
    pub injections: Vec<Injection>,
    /// A part of the engine to leave out.
    pub mutation: Option<Mutation>,
    /// The processor, if not the emulator's usual one, in the emulator's words.
    pub cpu: Option<String>,
    /// What keeps the instruction limit.
    pub counter: CounterChoice,
    /// What an emulated counter does wrong.
    pub counter_faults: CounterFaults,
    /// What programs take for the time.
    pub clock: Clock,
    /// Size of the channel, if it is not the machine's usual one, in MiB.
    pub channel_mib: Option<u32>,
    /// When the kernel is taken out of the user's page tables.
    pub isolate: Isolate,
    /// What programs see.
    pub system: System,
    /// When to give up.
    pub timeout: Duration,
    /// Further arguments for the emulator.
    pub extra: Vec<OsString>,
}

impl Request {
    /// A boot without a program.
    pub fn job(job: Job) -> Self {
        Self {
            job,
            machine: Emulator::Qemu,
            processor: Processor::default(),
            policy: Policy::DEFAULT,
            contents: Contents::default(),
            memory_mib: 256,
            seed: SEED,
            trace: Recording::Pes,
            max_instructions: u64::MAX,
            injections: Vec::new(),
            mutation: None,
            cpu: None,
            counter: CounterChoice::default(),
            counter_faults: CounterFaults::default(),
            clock: Clock::default(),
            channel_mib: None,
            isolate: Isolate::default(),
            system: System::default(),
            timeout: Duration::from_secs(600),
            extra: Vec::new(),
        }
    }

    /// A run of the program in a file, under a name, with arguments.
    pub fn program(path: &Path, name: &str, arguments: &[&str]) -> Result<Self> {
        let mut request = Self::job(Job::Run);
        request.contents.program = Some(read_program(path)?);
        request.contents.argv = std::iter::once(name)
            .chain(arguments.iter().copied())
            .map(|word| word.as_bytes().to_vec())
            .collect();
        Ok(request)
    }

    /// The boot.
    pub fn boot(&self, kernel: PathBuf) -> Result<Boot> {
        let usual = self.machine.layout(self.memory_mib);
        let layout = Layout { channel_mib: self.channel_mib.unwrap_or(usual.channel_mib), ..usual };
        let injections: ArrayVec<Injection, MAX_INJECTIONS> =
            self.injections.iter().copied().take(MAX_INJECTIONS).collect();
        ensure!(
            injections.len() == self.injections.len(),
            "{} flips asked for; the limit is {MAX_INJECTIONS} a run",
            self.injections.len()
        );
        let config = Config {
            job: self.job,
            policy: self.policy,
            seed: self.seed,
            channel_base: layout.channel_base(),
            channel_size: layout.channel_size(),
            sink: self.machine.sink(),
            trace: self.trace,
            max_instructions: self.max_instructions,
            injections,
            mutation: self.mutation,
            counter: self.counter,
            counter_faults: self.counter_faults,
            clock: self.clock,
            isolate: self.isolate,
            memory_len: u64::from(self.memory_mib) << 20,
            system: self.system,
        };
        let archive = match self.machine {
            Emulator::Qemu => archive::pack(&config, &self.contents),
            // There a boot loader reads it, slowly.
            Emulator::Bochs => archive::pack(&config, &self.contents.clone().loaded()?),
        };
        let boot = Boot {
            machine: self.machine,
            processor: self.processor,
            kernel,
            archive: archive?,
            layout,
            cpu: self.cpu.clone(),
            timeout: self.timeout,
            has_serial_ports: matches!(self.system, System::Nova(_)),
            extra: self.extra.clone(),
        };
        let (total, most) = (boot.total_mib(), self.machine.max_total_mib());
        ensure!(
            total <= most,
            "{} MiB of memory with channel and files make {total} MiB; {} takes {most} at most",
            self.memory_mib,
            self.machine
        );
        Ok(boot)
    }
}

/// Reads a program and checks that it can be run.
pub fn read_program(path: &Path) -> Result<Vec<u8>> {
    checked(path, input::read(path, archive::GIVEN)?)
}

/// Checks that what was read from a file can be run.
pub fn checked(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>> {
    program::check(&bytes).with_context(|| path.display().to_string())?;
    Ok(bytes)
}
