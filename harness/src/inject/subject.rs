// SPDX-License-Identifier: MIT
//! A program that bits are flipped in, and what it does when nothing disturbs it.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use flips::{Injection, Target};
use pe_replay::{Mode, Policy, Run};
use wire::Name;
use wire::ThreadNumber;
use wire::clock::Clock;
use wire::config::Job;
use wire::end::End;
use wire::record::{PeRecord, Records};

use super::campaign::Scope;
use super::lab::{Lab, Outcome, Trial};
use crate::emulator::ending::Ending;
use crate::emulator::{self, Silent};
use crate::outcome::batch::Ended;
use crate::outcome::told;
use crate::workload::catalogue::{self, Kind};
use crate::workload::image::Image;
use crate::workload::request::{self, Request};

/// A program, and how it is run.
struct Plan {
    name: &'static str,
    /// Its arguments.
    arguments: &'static [&'static str],
    /// The instruction limit, so short that a run has many PEs.
    limit: u64,
    /// Bytes of stack that it uses.
    stack: u64,
    /// Whether XMM registers hold what matters, most of the time.
    vectors: bool,
    /// What is hit in place of data and stacks.
    memory: Option<Range<u64>>,
    /// Whether it has several threads.
    has_threads: bool,
    /// More pages than it writes in a PE; the frames for them are set apart for each run.
    max_dirty: u16,
    /// The memory of the machine.
    memory_mib: u32,
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
const PLANS: [Plan; 8] = [
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
const THREADED: [Plan; 4] = [
    Plan::with_threads("threads", &["50"], false),
    Plan::with_threads("race", &[], false),
    Plan::with_threads("std-sync", &[], true),
    Plan::with_threads("go-channels", &[], true),
];

/// System calls of many kinds: `/proc`, sockets, an `epoll` in an `epoll`, timers, signals, locks, processes.
const CALLING: [Plan; 8] = [
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
const SHARED: Plan =
    Plan { memory: Some(0x2000_0000..0x2000_0000 + 16 + 96 * 8), ..Plan::of("watched", 200, 640, false) };

/// Where Go's heap begins, which has the stacks of goroutines, too, and how much of it is hit.
const GO_HEAP: Range<u64> = 0xc0_0000_0000..0xc0_0000_0000 + (64 << 10);
/// Threads, the first one apart, whose stacks are hit.
const STACKS: usize = 8;
/// A program hangs that has executed so many times the instructions of an undisturbed run.
const HANG_FACTOR: u64 = 8;

/// A program, and its undisturbed run.
pub struct Subject {
    plan: &'static Plan,
    clock: Clock,
    elf: Vec<u8>,
    shown: Shown,
    instructions: Vec<u64>,
    /// The thread of each PE.
    threads: Vec<ThreadNumber>,
    memory: Vec<Range<u64>>,
}

/// All that a program shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The exit status, as of `cargo reprise run`.
    pub status: u8,
    /// The standard output.
    pub stdout: Vec<u8>,
    /// The standard error.
    pub stderr: Vec<u8>,
}

impl Shown {
    /// What a program showed that has ended.
    pub fn of(ended: &Ended) -> Self {
        let Ended { stdout, stderr, .. } = ended.clone();
        Self { status: told::exit_status(&ended.end()), stdout, stderr }
    }

    /// Whether this is what `whole` begins with.
    pub fn begins(&self, whole: &Self) -> bool {
        whole.stdout.starts_with(&self.stdout) && whole.stderr.starts_with(&self.stderr)
    }
}

impl Subject {
    /// All subjects, each of them run undisturbed without replay and under each of the policies.
    pub fn all(lab: &Lab, scope: Scope, policies: &[Policy]) -> Result<Vec<Self>> {
        let plans: &'static [Plan] = match scope {
            Scope::All => &PLANS,
            Scope::Shared => &[SHARED],
            Scope::Threads => &THREADED,
            Scope::Calls => &CALLING,
        };
        let subjects: Vec<_> =
            plans.iter().map(|plan| Self::new(lab, plan).context(plan.name)).collect::<Result<_>>()?;
        let trials: Vec<_> = subjects.iter().map(|subject| subject.first_trials(policies)).collect();
        let outcomes = lab.run(&trials.concat())?;
        let mut rest = &outcomes[..];
        let mut facts = Vec::new();
        for (subject, trials) in subjects.iter().zip(&trials) {
            let (outcomes, behind) =
                rest.split_at_checked(trials.len()).context("fewer ends than programs")?;
            rest = behind;
            facts.push(subject.facts(outcomes, policies).context(subject.name())?);
        }
        let known = subjects.into_iter().zip(facts);
        Ok(known.map(|(subject, (shown, memory))| Self { shown, memory, ..subject }).collect())
    }

    fn new(lab: &Lab, plan: &'static Plan) -> Result<Self> {
        let elf = request::read_program(&catalogue::program(plan.name)?)?;
        let mut subject = Self {
            plan,
            clock: lab.clock(),
            elf,
            shown: Shown::default(),
            instructions: Vec::new(),
            threads: Vec::new(),
            memory: Vec::new(),
        };
        (subject.instructions, subject.threads) = subject.pes(lab)?;
        Ok(subject)
    }

    /// The runs that tell what it does undisturbed, and, behind these, where its stacks are: a program of which
    /// an instruction is nowhere is ended there, with a report of its registers.
    fn first_trials(&self, policies: &[Policy]) -> Vec<Trial<'_>> {
        let off = Policy { mode: Mode::Off, ..Policy::DEFAULT };
        let trial = |policy, flips| Trial { subject: self, policy, flips };
        let undisturbed = policies.iter().map(|policy| trial(*policy, Vec::new()));
        let astray = |pe| Injection { pe, run: Run::First, at: 0, target: Target::Rip, bit: 46 };
        let astray = [0].into_iter().chain(self.middles()).map(|pe| trial(off, vec![astray(pe)]));
        [trial(off, Vec::new())].into_iter().chain(undisturbed).chain(astray).collect()
    }

    /// The PE in the middle of each thread's, the first thread apart.
    fn middles(&self) -> impl Iterator<Item = u64> {
        let mut pes: BTreeMap<ThreadNumber, Vec<u64>> = BTreeMap::new();
        for (pe, (thread, count)) in self.threads.iter().zip(&self.instructions).enumerate() {
            if *count > 0 {
                pes.entry(*thread).or_default().push(pe as u64);
            }
        }
        let wanted = if self.plan.has_threads { STACKS } else { 0 };
        pes.into_values().skip(1).take(wanted).map(|pes| pes[pes.len() / 2])
    }

    /// What these runs told: what it shows, and its memory.
    fn facts(&self, outcomes: &[Outcome], policies: &[Policy]) -> Result<(Shown, Vec<Range<u64>>)> {
        let ended = |outcome: &Outcome| outcome.clone().map_err(|reason| anyhow!(reason));
        let ([undisturbed, replayed @ ..], [astray, others @ ..]) =
            outcomes.split_at_checked(1 + policies.len()).context("fewer ends than programs")?
        else {
            bail!("fewer ends than programs")
        };
        let stack = match ended(astray)?.end() {
            End::Killed(death) => death.registers.gpr[4],
            other => bail!("it went on from an address that does not exist: {other:?}"),
        };
        let undisturbed = ended(undisturbed)?;
        let shown = Shown::of(&undisturbed);
        ensure!(
            shown.status == 0 && !shown.stdout.is_empty(),
            "it fails undisturbed: {:?}",
            undisturbed.end()
        );
        for (policy, outcome) in policies.iter().zip(replayed) {
            let ended = ended(outcome)?;
            let (mode, totals) = (policy.mode.name(), &ended.record.totals);
            ensure!(Shown::of(&ended) == shown, "it shows something else in {mode} than in off");
            ensure!(totals.divergences == 0, "{} divergences in {mode}", totals.divergences);
            let counts = (totals.committed, totals.user_instructions);
            ensure!(counts == self.counts(), "it has other PEs in {mode} than in off");
        }
        let memory = match &self.plan.memory {
            Some(memory) => vec![memory.clone()],
            None => {
                let mut memory = Image::parse(&self.elf)?.data;
                memory.push(stack - self.plan.stack..stack);
                for other in others {
                    // Go's runtime has a word to say before it ends; its goroutines have their stacks in its heap.
                    if let End::Killed(death) = ended(other)?.end() {
                        let stack = death.registers.gpr[4];
                        memory.push(stack..stack.saturating_add(self.plan.stack));
                    }
                }
                if Kind::of(self.name())? == Some(Kind::Go) {
                    memory.push(GO_HEAP);
                }
                memory
            }
        };
        Ok((shown, memory))
    }

    /// The instructions of each PE and whose it is, from a trace.
    fn pes(&self, lab: &Lab) -> Result<(Vec<u64>, Vec<ThreadNumber>)> {
        let policy = Policy { mode: Mode::Off, limit: self.plan.limit, ..Policy::DEFAULT };
        let mut request =
            Request { policy, memory_mib: self.memory_mib(), clock: lab.clock(), ..Request::job(Job::Run) };
        request.contents.program = Some(self.elf.clone());
        request.contents.argv = self.words().map(|word| word.as_bytes().to_vec()).collect();
        let finished = emulator::boot(&request.boot(lab.kernel().to_owned())?, &mut Silent)?;
        ensure!(matches!(finished.ending, Ending::Normal(_)), "{}", finished.ending);
        let (_, records) = Records::open(&finished.streams.trace).context("the trace")?;
        let pe =
            |record: Result<PeRecord, _>| record.map(|pe| (pe.instructions, pe.thread)).context("the trace");
        records.map(pe).collect()
    }

    /// The program's name.
    pub fn name(&self) -> &'static str {
        self.plan.name
    }

    /// Its name and its arguments.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        [self.plan.name].into_iter().chain(self.plan.arguments.iter().copied())
    }

    /// Whether it has several threads.
    pub fn has_threads(&self) -> bool {
        self.plan.has_threads
    }

    /// The thread that a PE is of.
    pub fn thread(&self, pe: u64) -> Option<ThreadNumber> {
        self.threads.get(usize::try_from(pe).ok()?).copied()
    }

    /// The memory of the machine that it is run on.
    pub fn memory_mib(&self) -> u32 {
        self.plan.memory_mib
    }

    /// What it takes for the time.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The program.
    pub fn elf(&self) -> &[u8] {
        &self.elf
    }

    /// A policy with the bounds that this program is run under.
    pub fn bounded(&self, policy: Policy) -> Policy {
        Policy { limit: self.plan.limit, max_dirty: self.plan.max_dirty, ..policy }
    }

    /// Whether XMM registers are worth hitting.
    pub fn has_vectors(&self) -> bool {
        self.plan.vectors
    }

    /// What it shows.
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// The instructions of each PE.
    pub fn instructions(&self) -> &[u64] {
        &self.instructions
    }

    /// How many PEs it has, and all their instructions.
    pub fn counts(&self) -> (u64, u64) {
        (self.instructions.len() as u64, self.instructions.iter().sum())
    }

    /// Instructions after which it is taken to hang.
    pub fn most(&self) -> u64 {
        HANG_FACTOR * self.counts().1
    }

    /// Its data and its stack, or what its processes share.
    pub fn memory(&self) -> &[Range<u64>] {
        &self.memory
    }
}
