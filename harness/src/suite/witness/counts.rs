// SPDX-License-Identifier: MIT
//! Programs whose every PE is counted again, in QEMU's log of executed instructions.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use pe_replay::{Mode, Policy};
use wire::config::Mutation;
use wire::counter::{CounterChoice, CounterFaults, Lateness};
use wire::end::Totals;
use wire::record::PeRecord;
use wire::{DelimiterKind, Name};

use super::boundaries::{self, Tally};
use super::logging;
use super::stretches::{self, Stretches};
use crate::host::input;
use crate::outcome::log;
use crate::suite::{Context, Outcome};
use crate::workload::image::Image;
use crate::workload::request::Request;

const SHORT: u64 = 1_000;
/// A prime.
const LONG: u64 = 9_973;
/// The fewest that can be asked for.
const FEW_PAGES: u16 = 8;

/// What was said and seen of one boot.
struct Watched {
    program: Vec<u8>,
    totals: Totals,
    records: Vec<PeRecord>,
    log: Stretches,
}

impl Watched {
    fn compare(&self, mode: Mode) -> Result<Tally> {
        boundaries::compare(&self.program, &self.log, &self.records, mode)
    }
}

/// Boots with a log of all user code, and of where SYSCALL leads.
fn watch(kernel: &Path, request: &Request, boot: impl Fn(&Request) -> Result<Outcome>) -> Result<Watched> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("executed");
    let program = request.contents.program.clone().context("no program")?;
    let syscalls = stretches::entries(&input::read(kernel, log::KERNEL)?, "syscall_entry")
        .with_context(|| kernel.display().to_string())?;
    let syscalls: Vec<u64> = syscalls.into_iter().map(|function| function.start).collect();
    let Image { entry, mut code, .. } = Image::parse(&program)?;
    code.extend(syscalls.iter().map(|address| *address..address + 1));
    let extra = logging("exec,nochain,int", &path, &code)?;
    let outcome = boot(&Request { extra, ..request.clone() })?;
    let (totals, records) = (*outcome.totals()?, outcome.records()?);
    ensure!(
        totals.committed == records.len() as u64,
        "{} of {} PEs recorded",
        records.len(),
        totals.committed
    );
    Ok(Watched { program, totals, records, log: Stretches::read(&path, entry, &syscalls)? })
}

/// Compares all PEs of a run.
fn count_again(context: &Context, request: &Request, policy: Policy) -> Result<(Tally, Totals)> {
    let request = Request { policy, ..request.clone() };
    let watched = watch(&context.kernel, &request, |request| context.boot(request))?;
    let tally = watched.compare(policy.mode)?;
    let totals = watched.totals;
    ensure!(tally.all() == totals.committed, "{} of {} PEs compared", tally.all(), totals.committed);
    ensure!(
        tally.pes == totals.ends,
        "PEs by their ends: {:?}, the kernel says {:?}",
        tally.pes,
        totals.ends
    );
    if policy.mode == Mode::Dual {
        context.add_undisturbed(totals.pes);
    }
    Ok((tally, totals))
}

fn all_ends(
    context: &Context,
    request: &Request,
    policies: &[Policy],
    wanted: &[DelimiterKind],
) -> Result<()> {
    let mut ends = [0; DelimiterKind::ALL.len()];
    for policy in policies {
        let told = || format!("{} at limit {}", policy.mode.name(), policy.limit);
        let (tally, _) = count_again(context, request, *policy).with_context(told)?;
        let Tally { debug_exceptions, early, .. } = tally;
        ensure!(
            debug_exceptions + early == 0,
            "{debug_exceptions} debug exceptions, {early} interrupts too early"
        );
        ends.iter_mut().zip(tally.pes).for_each(|(all, more)| *all += more);
    }
    for kind in wanted {
        ensure!(ends[*kind as usize] > 0, "no PE ended by {}", kind.name());
    }
    Ok(())
}

fn policy(mode: Mode, limit: u64) -> Policy {
    Policy { mode, limit, ..Policy::DEFAULT }
}

/// The policies: `off` and `dual`, at both limits.
fn policies() -> Vec<Policy> {
    let modes = [Mode::Off, Mode::Dual];
    modes.into_iter().flat_map(|mode| [SHORT, LONG].map(|limit| policy(mode, limit))).collect()
}

/// The counts are right for a program without a C library.
pub fn tiny(context: &Context) -> Result<()> {
    let wanted = [DelimiterKind::Syscall, DelimiterKind::Limit];
    all_ends(context, &context.program("tiny", &[])?, &policies(), &wanted)
}

/// The counts are right for a program with a C library and pages that are not there yet, and for one that writes more pages than it may in a PE.
pub fn words(context: &Context) -> Result<()> {
    all_ends(context, &context.program("words", &[])?, &policies(), &[DelimiterKind::PageFault])?;
    let few = Policy { max_dirty: FEW_PAGES, ..policy(Mode::Dual, LONG) };
    all_ends(context, &context.program("table", &[])?, &[few], &[DelimiterKind::DirtyLimit])
}

/// Exceptions of all kinds, by a program that handles them; and time stamps.
pub fn signals(context: &Context) -> Result<()> {
    let wanted = [DelimiterKind::PageFault, DelimiterKind::Exception, DelimiterKind::PortIo];
    let both = [policy(Mode::Off, LONG), policy(Mode::Dual, SHORT)];
    all_ends(context, &context.program("signals", &[])?, &both, &wanted)?;
    let stamps = context.program("hostile-privileged", &["rdtsc"])?;
    all_ends(context, &stamps, &both, &[DelimiterKind::Rdtsc])
}

/// PEs that end inside REP instructions, by the limit and by page faults.
pub fn rep(context: &Context) -> Result<()> {
    let wanted = [DelimiterKind::PageFault, DelimiterKind::Limit];
    all_ends(
        context,
        &context.program("rep", &[])?,
        &[policy(Mode::Off, LONG), policy(Mode::Dual, SHORT)],
        &wanted,
    )
}

/// A counter that is late and interrupts for nothing: run 2 gets to its end by breakpoints, single steps, and
/// parts of REP instructions.
pub fn with_skid(context: &Context) -> Result<()> {
    let mut sum = Tally::default();
    for (name, skid) in [("tiny", Lateness::Random(1_000)), ("crc", Lateness::LongTail(10_000))] {
        let mut request = context.program(name, &[])?;
        request.counter = CounterChoice::IntelEmulated;
        request.counter_faults = CounterFaults { skid, stale: 10, seed: 6, ..CounterFaults::default() };
        let (tally, totals) = count_again(context, &request, policy(Mode::Dual, SHORT)).context(name)?;
        let seen = (tally.debug_exceptions, tally.missed);
        let told = (totals.debug_exceptions, totals.counter_misses);
        ensure!(seen == told, "debug exceptions and missed runs: {seen:?} in the log, {told:?} told");
        sum.debug_exceptions += tally.debug_exceptions;
        sum.missed += tally.missed;
        sum.parts += tally.parts;
        sum.early += tally.early;
    }
    let Tally { debug_exceptions, missed, parts, early, .. } = sum;
    ensure!(
        debug_exceptions > 0 && missed > 0 && parts > 0 && early > 0,
        "{debug_exceptions} debug exceptions, {missed} missed runs, {parts} parts of a REP, {early} early interrupts"
    );
    Ok(())
}

/// Something wrong in a record, and its name.
type Change = (&'static str, fn(&mut PeRecord));

/// No count passes that is one off, and no PE without a second run.
pub fn finds_out(context: &Context) -> Result<()> {
    let mut request = context.program("tiny", &[])?;
    request.policy = policy(Mode::Dual, SHORT);
    let boot = |request: &Request| context.boot_for_tests(request);
    let mut whole = watch(&context.for_tests, &request, boot)?;
    let tally = whole.compare(Mode::Dual).context("nothing skipped yet")?;
    ensure!(whole.compare(Mode::Off).is_err(), "second runs were not missed in dual");
    for index in 0..whole.records.len() {
        let changes: [Change; 5] = [
            ("an instruction more", |record| record.instructions += 1),
            ("an instruction less", |record| record.instructions -= 1),
            ("a write fault more", |record| record.write_faults += 1),
            ("another end", |record| record.delimiter = DelimiterKind::PageFault),
            ("another RIP", |record| record.rip += 1),
        ];
        for (name, change) in changes {
            let record = whole.records[index].clone();
            change(&mut whole.records[index]);
            // Where the last PE leads is not to be seen.
            let is_unseen = name == "another RIP" && index + 1 == whole.records.len();
            let found_out = whole.compare(Mode::Dual).is_err() != is_unseen;
            ensure!(found_out, "{name} in PE {index} of {} was not found out", tally.all());
            whole.records[index] = record;
        }
    }
    request.mutation = Some(Mutation::SkipSecondRun);
    let mutant = watch(&context.for_tests, &request, boot)?;
    ensure!(mutant.records.len() == whole.records.len(), "the mutant runs other PEs");
    match mutant.compare(Mode::Dual) {
        Ok(_) => bail!("a kernel without second runs was not found out"),
        Err(_) => Ok(()),
    }
}
