// SPDX-License-Identifier: MIT
//! A program that bits are flipped in, and what it does when nothing disturbs it.

use std::ops::Range;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use pe_replay::{Injection, Mode, Policy, Run, Target};
use wire::Name;
use wire::clock::Clock;
use wire::config::Job;
use wire::end::End;
use wire::record::Records;

use super::campaign::Scope;
use super::lab::{Lab, MEMORY_MIB, Outcome, Trial};
use crate::emulator::ending::Ending;
use crate::emulator::{self, Silent};
use crate::outcome::batch::Ended;
use crate::outcome::told;
use crate::workload::catalogue;
use crate::workload::image::Image;
use crate::workload::request::{self, Request};

/// A program, and how it is run.
struct Plan {
    name: &'static str,
    /// The instruction limit, so short that a run has many PEs.
    limit: u64,
    /// Bytes of stack that it uses.
    stack: u64,
    /// Whether XMM registers hold what matters, most of the time.
    vectors: bool,
    /// What is hit in place of data and stack.
    memory: Option<Range<u64>>,
}

/// Short ones, whose output depends on most of their state.
const PLANS: [Plan; 8] = [
    Plan { name: "tiny", limit: 500, stack: 256, vectors: false, memory: None },
    Plan { name: "registers", limit: 500, stack: 640, vectors: true, memory: None },
    Plan { name: "heapsort", limit: 500, stack: 256, vectors: false, memory: None },
    Plan { name: "matrix", limit: 500, stack: 512, vectors: true, memory: None },
    Plan { name: "table", limit: 1000, stack: 256, vectors: false, memory: None },
    Plan { name: "lines", limit: 1000, stack: 256, vectors: false, memory: None },
    Plan { name: "crc", limit: 500, stack: 256, vectors: false, memory: None },
    Plan { name: "words", limit: 1000, stack: 2048, vectors: false, memory: None },
];

/// Two processes, and where what they share is (`user/c/watched.c`).
const SHARED: Plan = Plan {
    name: "watched",
    limit: 200,
    stack: 640,
    vectors: false,
    memory: Some(0x2000_0000..0x2000_0000 + 16 + 96 * 8),
};

/// More than any of these programs writes in a PE; the frames for them are set apart for each run.
const MAX_DIRTY: u16 = 64;
/// Runs that tell something about a program without replay.
const FIRST_TRIALS: usize = 2;
/// A program hangs that has executed so many times the instructions of an undisturbed run.
const HANG_FACTOR: u64 = 8;

/// A program, and its undisturbed run.
pub struct Subject {
    plan: &'static Plan,
    clock: Clock,
    elf: Vec<u8>,
    shown: Shown,
    instructions: Vec<u64>,
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
        };
        let subjects: Vec<_> =
            plans.iter().map(|plan| Self::new(lab, plan).context(plan.name)).collect::<Result<_>>()?;
        let trials: Vec<_> = subjects.iter().flat_map(|subject| subject.first_trials(policies)).collect();
        let outcomes = lab.run(&trials)?;
        let mut rest = outcomes.chunks(FIRST_TRIALS + policies.len());
        let mut facts = Vec::new();
        for subject in &subjects {
            let outcomes = rest.next().context("fewer ends than programs")?;
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
            memory: Vec::new(),
        };
        subject.instructions = subject.lengths(lab)?;
        Ok(subject)
    }

    /// The runs that tell what it does undisturbed, and where its stack is: a program whose first
    /// instruction is nowhere is ended there, with a report of its registers.
    fn first_trials(&self, policies: &[Policy]) -> Vec<Trial<'_>> {
        let astray = Injection { pe: 0, run: Run::First, at: 0, target: Target::Rip, bit: 46 };
        let off = Policy { mode: Mode::Off, ..Policy::DEFAULT };
        let trial = |policy, flips| Trial { subject: self, policy, flips };
        let undisturbed = policies.iter().map(|policy| trial(*policy, Vec::new()));
        [trial(off, vec![astray]), trial(off, Vec::new())].into_iter().chain(undisturbed).collect()
    }

    /// What these runs told: what it shows, and its memory.
    fn facts(&self, outcomes: &[Outcome], policies: &[Policy]) -> Result<(Shown, Vec<Range<u64>>)> {
        let ended = |outcome: &Outcome| outcome.clone().map_err(|reason| anyhow!(reason));
        let [astray, undisturbed, replayed @ ..] = outcomes else { bail!("fewer ends than programs") };
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
                memory
            }
        };
        Ok((shown, memory))
    }

    /// The instructions of each PE, from a trace.
    fn lengths(&self, lab: &Lab) -> Result<Vec<u64>> {
        let policy = Policy { mode: Mode::Off, limit: self.plan.limit, ..Policy::DEFAULT };
        let mut request =
            Request { policy, memory_mib: MEMORY_MIB, clock: lab.clock(), ..Request::job(Job::Run) };
        request.contents.program = Some(self.elf.clone());
        request.contents.argv = vec![self.name().as_bytes().to_vec()];
        let finished = emulator::boot(&request.boot(lab.kernel().to_owned())?, &mut Silent)?;
        ensure!(matches!(finished.ending, Ending::Normal(_)), "{}", finished.ending);
        let (_, records) = Records::open(&finished.streams.trace).context("the trace")?;
        records.map(|record| Ok(record.context("the trace")?.instructions)).collect()
    }

    /// The program's name.
    pub fn name(&self) -> &'static str {
        self.plan.name
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
        Policy { limit: self.plan.limit, max_dirty: MAX_DIRTY, ..policy }
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
