// SPDX-License-Identifier: MIT
//! A program that flips are tried on, and what it does when nothing disturbs it.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use pe_replay::wire::channel::Progress;
use pe_replay::wire::end::End;
use pe_replay::{Injection, Mode, Policy, Run, Target};

use crate::request::Request;
use crate::suite::image::Image;
use crate::suite::{Context, Outcome};
use crate::verdict::Ending;

/// Short, so that a run has many PEs.
const LIMIT: u64 = 200;
/// These programs need little memory, and a machine with little starts sooner.
const MEMORY_MIB: u32 = 32;
/// Below the first stack pointer: what the deeper of the programs uses.
const STACK: u64 = 640;
/// The program whose shared memory is hit, and where that is (`user/c/watched.c`).
const WATCHED: &str = "watched";
const WATCHED_WORDS: Range<u64> = 0x2000_0000..0x2000_0000 + 16 + 96 * 8;
/// When it is looked whether a run hangs: by far longer than an undisturbed one takes.
const HANG: Duration = Duration::from_secs(4);
/// A run hangs that has come to so many times the PEs of an undisturbed one.
const HANG_FACTOR: u64 = 10;
/// When a run that has not come so far is given up: for busy machines.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program, and its undisturbed run.
pub struct Subject {
    name: String,
    request: Request,
    shown: Shown,
    instructions: Vec<u64>,
    memory: Vec<Range<u64>>,
}

/// All that a program shows.
#[derive(PartialEq, Eq)]
struct Shown {
    status: u8,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// What a flip does to a program without replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that shows.
    None,
    /// Its output is not what it should be.
    WrongOutput,
    /// Its exit status is not what it should be.
    WrongStatus,
    /// It was ended: by a signal, or by a verdict because a PE had no end.
    Ended,
    /// It goes on for ever, or waits for ever.
    Hung,
}

/// What flips do to a program with replay.
pub struct Dual {
    /// How many the comparison saw.
    pub detected: u64,
    /// What is not as it was without them.
    pub wrong: Option<String>,
}

impl Subject {
    /// Runs a program undisturbed, in both modes.
    pub fn new(context: &Context, name: &str) -> Result<Self> {
        let mut request = context.program(name, &[])?;
        request.memory_mib = MEMORY_MIB;
        let subject = Self {
            name: name.to_owned(),
            shown: Shown { status: 0, stdout: Vec::new(), stderr: Vec::new() },
            instructions: Vec::new(),
            memory: Vec::new(),
            request,
        };
        let (off, dual) = (subject.boot(context, Mode::Off, &[])?, subject.boot(context, Mode::Dual, &[])?);
        let lengths = |outcome: &Outcome| -> Result<Vec<_>> {
            Ok(outcome.records()?.iter().map(|record| (record.rip, record.instructions)).collect())
        };
        let pes = lengths(&off)?;
        ensure!(pes == lengths(&dual)?, "{name} has other PEs in off than in dual");
        let shown = Shown::of(&off)?;
        ensure!(shown == Shown::of(&dual)?, "{name} shows something else in off than in dual");
        ensure!(shown.status == 0 && !shown.stdout.is_empty(), "{name} fails undisturbed");
        let stack = subject.stack_pointer(context)?;
        let mut memory = Image::parse(subject.request.contents.program.as_deref().unwrap_or_default())?.data;
        memory.push(stack - STACK..stack);
        if name == WATCHED {
            memory = vec![WATCHED_WORDS];
        }
        let instructions = pes.into_iter().map(|(_, instructions)| instructions).collect();
        Ok(Self { shown, instructions, memory, ..subject })
    }

    /// The program's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instructions of each PE.
    pub fn instructions(&self) -> &[u64] {
        &self.instructions
    }

    /// Its data and its stack, or what its processes share.
    pub fn memory(&self) -> &[Range<u64>] {
        &self.memory
    }

    fn boot(&self, context: &Context, mode: Mode, flips: &[Injection]) -> Result<Outcome> {
        self.boot_until(context, mode, flips, PATIENCE)
    }

    fn boot_until(
        &self,
        context: &Context,
        mode: Mode,
        flips: &[Injection],
        timeout: Duration,
    ) -> Result<Outcome> {
        let policy = Policy { mode, limit: LIMIT, ..Policy::default() };
        context.boot(&Request { policy, timeout, injections: flips.to_vec(), ..self.request.clone() })
    }

    /// The first stack pointer: a program whose first instruction is somewhere else is
    /// ended there, with a report of its registers.
    fn stack_pointer(&self, context: &Context) -> Result<u64> {
        let astray = Injection { pe: 0, run: Run::First, at: 0, target: Target::Rip, bit: 46 };
        match self.boot(context, Mode::Off, &[astray])?.end()? {
            End::Killed(death) => Ok(death.registers.gpr[4]),
            other => bail!("{} went on from an address that does not exist: {other:?}", self.name),
        }
    }

    /// What a flip does in `off`, where there is only run 1.
    pub fn without_replay(&self, context: &Context, flip: Injection) -> Result<Effect> {
        let flips = [Injection { run: Run::First, ..flip }];
        let mut outcome = self.boot_until(context, Mode::Off, &flips, HANG)?;
        if let Ending::Timeout { progress, .. } = outcome.ending()
            && !self.is_hung(*progress)
        {
            outcome = self.boot(context, Mode::Off, &flips)?;
        }
        match outcome.ending() {
            Ending::Timeout { .. } => return Ok(Effect::Hung),
            Ending::Normal(_) => {}
            // Whatever a program's registers hold, the kernel has to go on.
            other => bail!("{} in off with --inject {}: {other}", self.name, flips[0]),
        }
        match outcome.end()? {
            End::Exited { .. } => {
                let shown = Shown::of(&outcome)?;
                Ok(if shown.status != self.shown.status {
                    Effect::WrongStatus
                } else if shown != self.shown {
                    Effect::WrongOutput
                } else {
                    Effect::None
                })
            }
            End::Killed(_) | End::Persistent(_) | End::Damaged(_) => Ok(Effect::Ended),
            End::Deadlock | End::OutputFull { .. } => Ok(Effect::Hung),
            other => bail!("{} in off with --inject {}: {other:?}", self.name, flips[0]),
        }
    }

    fn is_hung(&self, progress: Option<Progress>) -> bool {
        progress.is_some_and(|progress| progress.pes > HANG_FACTOR * self.instructions.len() as u64)
    }

    /// What flips in different PEs do in `dual`.
    pub fn with_replay(&self, context: &Context, flips: &[Injection]) -> Result<Dual> {
        let outcome = self.boot(context, Mode::Dual, flips)?;
        let mut detected = 0;
        let wrong = self.as_undisturbed(&outcome, flips, &mut detected).err();
        Ok(Dual { detected, wrong: wrong.map(|error| format!("{error:#}")) })
    }

    /// Everything is as it was, but for one restart of each PE whose flip was detected.
    fn as_undisturbed(&self, outcome: &Outcome, flips: &[Injection], detected: &mut u64) -> Result<()> {
        ensure!(matches!(outcome.end()?, End::Exited { .. }), "{:?}", outcome.end()?);
        let shown = Shown::of(outcome)?;
        ensure!(shown.status == self.shown.status, "status {}", shown.status);
        ensure!(shown == self.shown, "wrong output: {}", shown.stdout.escape_ascii());
        let records = outcome.records()?;
        ensure!(records.len() == self.instructions.len(), "{} PEs", records.len());
        let mut hit = 0;
        for (record, instructions) in records.iter().zip(&self.instructions) {
            let (pe, flips_there) = (record.sequence, u64::from(record.flips));
            let due = flips.iter().any(|flip| flip.pe == pe);
            let restarts = record.divergences.len() as u64;
            ensure!(record.instructions == *instructions, "PE {pe} has {} instructions", record.instructions);
            ensure!(flips_there <= u64::from(due), "PE {pe} was hit by {flips_there} flips");
            ensure!(
                restarts <= flips_there,
                "PE {pe} with {flips_there} flips was restarted {restarts} times"
            );
            hit += flips_there;
            *detected += restarts;
        }
        let totals = outcome.totals()?;
        ensure!(
            (totals.divergences, totals.restarts, totals.flips) == (*detected, *detected, hit),
            "{} divergences and {} restarts for {detected} of {} flips",
            totals.divergences,
            totals.restarts,
            totals.flips
        );
        Ok(())
    }
}

impl Shown {
    fn of(outcome: &Outcome) -> Result<Self> {
        let status = outcome.status().context("undisturbed")?;
        Ok(Self { status, stdout: outcome.stdout(), stderr: outcome.stderr() })
    }
}
