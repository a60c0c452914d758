// SPDX-License-Identifier: MIT
//! The options of `run`, most of which `profile` takes, too.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use flips::Injection;
use wire::config::{Job, Recording};

use super::clock::{ClockArgs, ClockName};
use super::counter::CounterArgs;
use super::isolate::IsolateName;
use super::nova::{Booted, NovaArgs};
use super::policy::PolicyArgs;
use super::program::ProgramArgs;
use super::values::{MOST_SECONDS, MachineName, cpu, injection, number};
use crate::emulator::{MAX_MEMORY_MIB, MIN_MEMORY_MIB};
use crate::workload::artifacts::Guest;
use crate::workload::request::{self, Request};
use crate::{profile, run};

/// `cargo reprise run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The program
    #[command(flatten)]
    pub program: ProgramArgs,
    /// The system that is booted in place of a program
    #[command(flatten)]
    pub nova: NovaArgs,
    /// The emulator
    #[arg(long, value_enum, default_value_t = MachineName::Qemu)]
    pub machine: MachineName,
    /// The processor, in the emulator's words: a model, for QEMU with features added and taken away
    ///
    /// The usual ones hide what need not do the same twice, such as RDRAND, as far as the emulator can.
    #[arg(long, value_name = "MODEL", value_parser = cpu)]
    pub cpu: Option<String>,
    /// How processing elements are run
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// What keeps the instruction limit
    #[command(flatten)]
    pub counter: CounterArgs,
    /// What the program takes for the time
    #[command(flatten)]
    pub clock: ClockArgs,
    /// When the kernel is taken out of the page tables that user mode runs on
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = IsolateName::Auto)]
    pub isolate: IsolateName,
    /// Memory for kernel and program
    #[arg(long, value_name = "MIB", default_value_t = 256,
          value_parser = number::<u32>(MIN_MEMORY_MIB.into(), MAX_MEMORY_MIB.into()))]
    pub memory: u32,
    /// Seed of everything random that the program can see
    #[arg(long, value_name = "N", default_value_t = request::SEED, value_parser = number::<u64>(0, u64::MAX))]
    pub seed: u64,
    /// Flip a bit: pe=K,run=R,at=I,target=T,bit=B, T being rax..r15, rip, rflags, xmm0..xmm15 or mem:ADDRESS
    ///
    /// Also checkpoint:ADDRESS, second:ADDRESS and spare:ADDRESS, the engine's copies of a page, and start:rax..r15,
    /// shadow: and result:, its saved registers. Up to 16 times.
    #[arg(long = "inject", value_name = "SPEC", value_parser = injection)]
    pub inject: Vec<Injection>,
    /// Write the trace to a file, for `report`
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Record with each processing element a digest of what it left behind, for `report --list`
    ///
    /// It covers registers, delimiter, count, and address and content of each page written, and is the same in every
    /// mode and on every machine, but that `--mode off` does not track pages.
    #[arg(long)]
    pub digests: bool,
    /// Write the summary as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Show on a terminal, while the program runs, how fast it is and where its time goes
    #[arg(long, conflicts_with_all = ["dry_run", "log"])]
    pub watch: bool,
    /// Print the kernel's log on stderr
    #[arg(long)]
    pub log: bool,
    /// Seconds after which the run is ended
    #[arg(long, value_name = "S", default_value_t = 600,
          value_parser = number::<u64>(1, MOST_SECONDS))]
    pub timeout: u64,
    /// User instructions after which the program is ended, as by SIGXCPU: at the end of a processing element
    #[arg(long, value_name = "N", value_parser = number::<u64>(1, u64::MAX))]
    pub max_instructions: Option<u64>,
    /// Print the emulator's command line and leave its files where that says, but do not start it
    #[arg(long)]
    pub dry_run: bool,
}

/// `cargo reprise run`, or what there is to run.
#[derive(Args, Debug)]
pub struct RunOrListArgs {
    /// Name what there is to run, a line each, and run nothing
    #[arg(long, exclusive = true)]
    pub list: bool,
    /// The run
    #[command(flatten)]
    pub run: RunArgs,
}

impl TryFrom<RunArgs> for run::Options {
    type Error = &'static str;

    fn try_from(args: RunArgs) -> Result<Self, Self::Error> {
        let (counter, counter_faults) = args.counter.choice()?;
        let booted = args.nova.booted(&args.program)?;
        let system = args.nova.system(booted, args.memory)?;
        let mut clock = args.clock;
        if booted != Booted::Program {
            clock.clock = clock.clock.or(Some(ClockName::Machine));
        }
        let request = Request {
            machine: args.machine.into(),
            cpu: args.cpu,
            policy: args.policy.into(),
            counter,
            counter_faults,
            clock: clock.into(),
            isolate: args.isolate.into(),
            system,
            memory_mib: args.memory,
            seed: args.seed,
            injections: args.inject,
            trace: if args.digests { Recording::Digests } else { Recording::Pes },
            timeout: Duration::from_secs(args.timeout),
            max_instructions: args.max_instructions.unwrap_or(u64::MAX),
            ..Request::job(Job::Run)
        };
        let RunArgs { program, nova, trace, json, watch, log, dry_run, .. } = args;
        let log = log || nova.log_calls;
        Ok(Self {
            program: program.into(),
            nova: nova.given(booted)?,
            request,
            trace,
            json,
            watch,
            log,
            dry_run,
        })
    }
}

/// `cargo reprise profile`.
#[derive(Args, Debug)]
pub struct ProfileArgs {
    /// The run; with --json FILE the whole profile is written as JSON
    #[command(flatten)]
    pub run: RunArgs,
    /// Functions that are listed
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub top: u32,
}

impl TryFrom<ProfileArgs> for profile::Options {
    type Error = &'static str;

    fn try_from(args: ProfileArgs) -> Result<Self, Self::Error> {
        let ProfileArgs { mut run, top } = args;
        if run.nova.nova.is_none() && run.program.elf.is_none() && run.program.words.is_empty() {
            run.program.words.push(Guest::SHOWCASE.package.into());
        }
        Ok(Self { run: run.try_into()?, functions: top as usize })
    }
}
