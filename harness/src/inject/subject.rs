// SPDX-License-Identifier: MIT
//! A program that bits are flipped in, and what it does when nothing disturbs it.
//!
//! Where memory of one of our programs is hit was written down by hand, as far as its file and its stacks do not say it.
//! Of a program that is somebody's own, the pages are hit that its PEs write, as the kernel records them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::ops::Range;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use flips::{Injection, Target};
use pe_replay::{Mode, Policy, Run};
use wire::Name;
use wire::ThreadNumber;
use wire::clock::Clock;
use wire::config::{Job, Recording};
use wire::end::End;
use wire::flip::WrittenPage;
use wire::record::{PeRecord, Records, all_of};

use super::campaign::Scope;
use super::lab::{Lab, Outcome, Trial};
use super::own::Own;
use super::plan::{self, Plan};
use crate::emulator::ending::Ending;
use crate::emulator::{self, Silent};
use crate::outcome::batch::Ended;
use crate::outcome::told;
use crate::workload::archive::Contents;
use crate::workload::catalogue::{self, Kind};
use crate::workload::image::Image;
use crate::workload::request::{self, Request};

/// Where Go's heap begins, which has the stacks of goroutines, too, and how much of it is hit.
const GO_HEAP: Range<u64> = 0xc0_0000_0000..0xc0_0000_0000 + (64 << 10);
/// Threads, the first one apart, whose stacks are hit.
const STACKS: usize = 8;
/// A program hangs that has executed so many times the instructions of an undisturbed run.
const HANG_FACTOR: u64 = 8;

/// The length of a page.
const PAGE_LEN: u64 = 4096;

/// A program, and its undisturbed run.
pub struct Subject {
    plan: Plan,
    /// Its name in reports.
    name: String,
    /// The options of `cargo reprise run` that say what it is given, and its words.
    command: [Vec<OsString>; 2],
    /// The program, its arguments, and all that it is given.
    contents: Contents,
    clock: Clock,
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
    pub fn all(lab: &Lab, scope: &Scope, policies: &[Policy]) -> Result<Vec<Self>> {
        let plans: &[Plan] = match scope {
            Scope::All => &plan::PLANS,
            Scope::Shared => &[plan::SHARED],
            Scope::Threads => &plan::THREADED,
            Scope::Calls => &plan::CALLING,
            Scope::Own(_) => &[],
        };
        let mut subjects: Vec<_> =
            plans.iter().map(|plan| Self::new(lab, plan).context(plan.name)).collect::<Result<_>>()?;
        if let Scope::Own(own) = scope {
            subjects.push(Self::own(lab, own)?);
        }
        let trials: Vec<_> = subjects.iter().map(|subject| subject.first_trials(policies)).collect();
        let outcomes = lab.run(&trials.concat())?;
        let mut rest = &outcomes[..];
        let mut facts = Vec::new();
        for (subject, trials) in subjects.iter().zip(&trials) {
            let (outcomes, behind) =
                rest.split_at_checked(trials.len()).context("fewer ends than programs")?;
            rest = behind;
            facts.push(subject.facts(outcomes, policies).with_context(|| subject.name.clone())?);
        }
        let known = subjects.into_iter().zip(facts);
        Ok(known.map(|(subject, (shown, memory))| Self { shown, memory, ..subject }).collect())
    }

    /// One of our programs.
    fn new(lab: &Lab, plan: &Plan) -> Result<Self> {
        let words: Vec<_> = [plan.name].into_iter().chain(plan.arguments.iter().copied()).collect();
        let contents = Contents {
            program: Some(request::read_program(&catalogue::program(plan.name)?)?),
            argv: words.iter().map(|word| word.as_bytes().to_vec()).collect(),
            ..Contents::default()
        };
        let command = [Vec::new(), words.into_iter().map(OsString::from).collect()];
        let mut subject = Self::unknown(lab, plan.clone(), plan.name.to_owned(), contents, command);
        let policy = Policy { mode: Mode::Off, limit: plan.limit, ..Policy::DEFAULT };
        subject.run_recorded(lab, policy, Recording::Pes)?;
        Ok(subject)
    }

    /// A program of somebody's own.
    fn own(lab: &Lab, own: &Own) -> Result<Self> {
        let Own { name, contents, command, limit, max_dirty, memory_mib } = own.clone();
        let plan = Plan::given(limit, max_dirty, memory_mib);
        let mut subject = Self::unknown(lab, plan, name.clone(), contents, command);
        let policy = subject.bounded(Policy::DEFAULT);
        let trace = subject.run_recorded(lab, policy, Recording::Pages).context(name)?;
        subject.plan.has_threads = subject.threads.iter().collect::<BTreeSet<_>>().len() > 1;
        subject.memory = ranges(all_of(&trace).map(|page: WrittenPage| page.address));
        Ok(subject)
    }

    /// A program of which nothing is known so far.
    fn unknown(lab: &Lab, plan: Plan, name: String, contents: Contents, command: [Vec<OsString>; 2]) -> Self {
        Self {
            plan,
            name,
            command,
            contents,
            clock: lab.clock(),
            shown: Shown::default(),
            instructions: Vec::new(),
            threads: Vec::new(),
            memory: Vec::new(),
        }
    }

    /// The runs that tell what it does undisturbed, and, behind these, where its stacks are: a program of which
    /// an instruction is nowhere is ended there, with a report of its registers.
    fn first_trials(&self, policies: &[Policy]) -> Vec<Trial<'_>> {
        let off = Policy { mode: Mode::Off, ..Policy::DEFAULT };
        let trial = |policy, flips| Trial { subject: self, policy, flips };
        let undisturbed = policies.iter().map(|policy| trial(*policy, Vec::new()));
        let astray = |pe| Injection { pe, run: Run::First, at: 0, target: Target::Rip, bit: 46 };
        let stacks = self.looks_for_stacks().then(|| [0].into_iter().chain(self.middles()));
        let astray = stacks.into_iter().flatten().map(|pe| trial(off, vec![astray(pe)]));
        [trial(off, Vec::new())].into_iter().chain(undisturbed).chain(astray).collect()
    }

    /// Whether it is not known yet where its memory is.
    fn looks_for_stacks(&self) -> bool {
        self.plan.memory.is_none() && self.memory.is_empty()
    }

    /// Whether it is one of our programs.
    fn is_ours(&self) -> bool {
        !self.plan.name.is_empty()
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
        let ([undisturbed, replayed @ ..], astray) =
            outcomes.split_at_checked(1 + policies.len()).context("fewer ends than programs")?
        else {
            bail!("fewer ends than programs")
        };
        let undisturbed = ended(undisturbed)?;
        let shown = Shown::of(&undisturbed);
        let is_fit = match undisturbed.end() {
            End::Exited { .. } => !self.is_ours() || shown.status == 0 && !shown.stdout.is_empty(),
            _ => false,
        };
        ensure!(is_fit, "it fails undisturbed: {:?}", undisturbed.end());
        let (pes, instructions) = self.counts();
        let without = &undisturbed.record.totals;
        ensure!(
            (without.committed, without.user_instructions) == (pes, instructions),
            "it has {} PEs of {} instructions in off, but {pes} of {instructions} with pages tracked: the same flip would hit elsewhere (--limit, --max-dirty)",
            without.committed,
            without.user_instructions
        );
        for (policy, outcome) in policies.iter().zip(replayed) {
            let ended = ended(outcome)?;
            let (mode, totals) = (policy.mode.name(), &ended.record.totals);
            ensure!(Shown::of(&ended) == shown, "it shows something else in {mode} than in off");
            ensure!(totals.divergences == 0, "{} divergences in {mode}", totals.divergences);
            let counts = (totals.committed, totals.user_instructions);
            ensure!(counts == self.counts(), "it has other PEs in {mode} than in off");
        }
        let memory = match (&self.plan.memory, astray) {
            (Some(memory), _) => vec![memory.clone()],
            (None, []) => self.memory.clone(),
            (None, [astray, others @ ..]) => {
                let stack = match ended(astray)?.end() {
                    End::Killed(death) => death.registers.gpr[4],
                    other => bail!("it went on from an address that does not exist: {other:?}"),
                };
                let mut memory = Image::parse(self.elf())?.data;
                memory.push(stack - self.plan.stack..stack);
                for other in others {
                    // Go's runtime has a word to say before it ends; its goroutines have their stacks in its heap.
                    if let End::Killed(death) = ended(other)?.end() {
                        let stack = death.registers.gpr[4];
                        memory.push(stack..stack.saturating_add(self.plan.stack));
                    }
                }
                if Kind::of(&self.name)? == Some(Kind::Go) {
                    memory.push(GO_HEAP);
                }
                memory
            }
        };
        Ok((shown, memory))
    }

    /// Runs it undisturbed, and learns the instructions of each PE and whose it is; returns the trace.
    fn run_recorded(&mut self, lab: &Lab, policy: Policy, trace: Recording) -> Result<Vec<u8>> {
        let mut request = Request {
            policy,
            trace,
            memory_mib: self.memory_mib(),
            clock: lab.clock(),
            ..Request::job(Job::Run)
        };
        request.contents = self.contents.clone();
        let finished = emulator::boot(&request.boot(lab.kernel().to_owned())?, &mut Silent)?;
        let Ending::Normal(record) = finished.ending else { bail!("{}", finished.ending) };
        if let Some(why) = told::told(&record.end) {
            bail!("it does not come to its own end undisturbed: {why}");
        }
        ensure!(
            record.totals.lost_records == 0,
            "its {} PEs are more than a trace has room for; a larger --limit makes fewer",
            record.totals.committed
        );
        let (_, records) = Records::open(&finished.streams.trace).context("the trace")?;
        let pe =
            |record: Result<PeRecord, _>| record.map(|pe| (pe.instructions, pe.thread)).context("the trace");
        (self.instructions, self.threads) = records.map(pe).collect::<Result<(Vec<_>, Vec<_>)>>()?;
        ensure!(self.counts().1 > 0, "it executes no instruction");
        Ok(finished.streams.trace)
    }

    /// The program's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The options of `cargo reprise run` that say what it is given, and its words.
    pub fn command(&self) -> &[Vec<OsString>; 2] {
        &self.command
    }

    /// The program, its arguments, and all that it is given.
    pub fn contents(&self) -> &Contents {
        &self.contents
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
        self.contents.program.as_deref().unwrap_or_default()
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

/// The bytes of pages, those beside each other as one range.
fn ranges(pages: impl Iterator<Item = u64>) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for page in pages.collect::<BTreeSet<_>>() {
        match ranges.last_mut().filter(|last| last.end == page) {
            Some(last) => last.end += PAGE_LEN,
            None => ranges.push(page..page + PAGE_LEN),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_beside_each_other_are_one_range() {
        let pages = [0x3000, 0x1000, 0x2000, 0x9000, 0x1000];
        assert_eq!(ranges(pages.into_iter()), [0x1000..0x4000, 0x9000..0xa000]);
        assert_eq!(ranges([].into_iter()), []);
    }
}
