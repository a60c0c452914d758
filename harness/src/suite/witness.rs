// SPDX-License-Identifier: MIT
//! Every piece of user code runs twice: QEMU's own log of executed instructions says so,
//! which the kernel knows nothing of.
//!
//! The log has an entry for each instruction that is begun. One that faults on its data is
//! begun, ends its PE (or, in run 1, has its page checkpointed) and is begun again later.
//! So in `off` each instruction stands there once for each time it was executed, and once
//! more for each page fault that ended a PE at it; in `dual` twice as often, and once more
//! for each of the tracker's write faults, which run 1 alone takes.

mod boundaries;
mod counts;
mod debugger;
mod log;
mod stretches;

use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use pe_replay::{Mode, Policy};
use wire::DelimiterKind;
use wire::config::Mutation;
use wire::end::Totals;

use self::log::Executed;
use super::{Context, Outcome, Test};
use crate::emulator::qemu;
use crate::workload::image::Image;
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "witness::tiny", run: |context| twice(context, &context.program("tiny", &[])?) },
    Test { name: "witness::calls", run: |context| twice(context, &context.program("calls", &[])?) },
    Test {
        name: "witness::hostile",
        run: |context| twice(context, &context.program("hostile-memory", &["write-text"])?),
    },
    Test {
        name: "witness::busybox",
        run: |context| twice(context, &context.elf("/bin/busybox".as_ref(), &["echo", "twice"])?),
    },
    Test { name: "witness::counts_at_every_boundary_of_tiny", run: counts::tiny },
    Test { name: "witness::counts_at_every_boundary_of_words", run: counts::words },
    Test { name: "witness::counts_at_every_boundary_of_signals", run: counts::signals },
    Test { name: "witness::counts_at_every_boundary_of_rep", run: counts::rep },
    Test { name: "witness::counts_at_every_boundary_with_skid", run: counts::with_skid },
    Test { name: "witness::counts_by_debugger", run: debugger::counts },
    Test { name: "witness::finds_out_who_miscounts", run: counts::finds_out },
    Test { name: "witness::finds_out_who_skips_the_second_run", run: finds_out },
];

/// Short, so that many PEs end within loops.
const LIMIT: u64 = 1000;
/// QEMU has the option to translate instructions one by one as a property of its
/// accelerator since this version; before, it is an argument.
const PROPERTY_SINCE: (u32, u32) = (8, 1);

/// A run, as the kernel and as the emulator saw it.
struct Witnessed {
    totals: Totals,
    executed: Executed,
}

/// The program's instructions are begun as often as the kernel says in `off`, and twice as
/// often in `dual`.
fn twice(context: &Context, request: &Request) -> Result<()> {
    let mut witness = Witness::new(request)?;
    let off = witness.watch(Mode::Off, |request| context.boot(request))?;
    once_as_told(&off)?;
    let dual = witness.watch(Mode::Dual, |request| context.boot(request))?;
    ensure!(dual.totals.divergences == 0, "{} divergences", dual.totals.divergences);
    doubled(&off, &dual)
}

/// The check fails on a kernel that commits each PE after its first run.
fn finds_out(context: &Context) -> Result<()> {
    let mut witness = Witness::new(&context.program("tiny", &[])?)?;
    let off = witness.watch(Mode::Off, |request| context.boot_for_tests(request))?;
    let whole = witness.watch(Mode::Dual, |request| context.boot_for_tests(request))?;
    doubled(&off, &whole).context("nothing skipped yet")?;
    witness.request.mutation = Some(Mutation::SkipSecondRun);
    let mutant = witness.watch(Mode::Dual, |request| context.boot_for_tests(request))?;
    ensure!(mutant.totals.committed == whole.totals.committed, "the mutant runs other PEs");
    match doubled(&off, &mutant) {
        Ok(()) => bail!("a kernel without second runs was not found out"),
        Err(_) => Ok(()),
    }
}

/// In `off` the log has what the kernel counts, and page faults that ended a PE once more.
fn once_as_told(off: &Witnessed) -> Result<()> {
    let Totals { user_instructions, write_faults, ends, .. } = off.totals;
    for kind in
        [DelimiterKind::Exception, DelimiterKind::PortIo, DelimiterKind::Rdtsc, DelimiterKind::DirtyLimit]
    {
        // Whether such an instruction is in the kernel's count differs from one to the next.
        ensure!(ends[kind as usize] == 0, "{} PEs ended by {}", ends[kind as usize], kind.name());
    }
    ensure!(write_faults == 0, "{write_faults} write faults without tracking");
    let faults = ends[DelimiterKind::PageFault as usize];
    let logged = off.executed.total();
    ensure!(
        logged == user_instructions + faults,
        "{logged} instructions in QEMU's log; the kernel counts {user_instructions} and {faults} page faults"
    );
    Ok(())
}

/// In `dual` each instruction stands in the log twice as often as in `off`, the tracker's
/// write faults apart.
fn doubled(off: &Witnessed, dual: &Witnessed) -> Result<()> {
    let mut again = 0;
    for (address, once, both) in off.executed.beside(&dual.executed) {
        let Some(more) = both.checked_sub(2 * once) else {
            bail!(
                "the instruction at {address:#x} was begun {once} times in off and only {both} times in dual"
            );
        };
        again += more;
    }
    ensure!(
        again == dual.totals.write_faults,
        "{again} instructions beyond the double; the kernel counts {} write faults",
        dual.totals.write_faults
    );
    Ok(())
}

/// Boots with QEMU's log of executed instructions.
struct Witness {
    request: Request,
    image: Image,
}

impl Witness {
    fn new(request: &Request) -> Result<Self> {
        let program = request.contents.program.as_deref().context("no program")?;
        Ok(Self { request: request.clone(), image: Image::parse(program)? })
    }

    fn watch(&mut self, mode: Mode, boot: impl FnOnce(&Request) -> Result<Outcome>) -> Result<Witnessed> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("executed");
        self.request.policy = Policy { mode, limit: LIMIT, ..Policy::DEFAULT };
        self.request.extra = logging("exec,nochain", &path, &self.image.code)?;
        let outcome = boot(&self.request)?;
        let totals = *outcome.totals()?;
        Ok(Witnessed { totals, executed: Executed::read(&path, self.image.entry)? })
    }
}

/// The arguments with which QEMU logs `what` of the instructions in `code`, one by one.
fn logging(what: &str, path: &Path, code: &[Range<u64>]) -> Result<Vec<OsString>> {
    let code = code.iter().map(|range| format!("{:#x}..{:#x}", range.start, range.end - 1));
    let code = code.collect::<Vec<_>>().join(",");
    let mut arguments = ["-d", what, "-dfilter", &code, "-D"].map(Into::into).to_vec();
    arguments.push(path.into());
    arguments.extend(one_by_one()?.iter().map(Into::into));
    Ok(arguments)
}

/// The arguments with which this QEMU translates instructions one by one.
fn one_by_one() -> Result<&'static [&'static str]> {
    Ok(if qemu::version()? < PROPERTY_SINCE {
        &["-singlestep"]
    } else {
        &["-accel", "tcg,one-insn-per-tb=on"]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_doubled_is_found_out() {
        let witnessed = |counts: &[(u64, u64)], write_faults| Witnessed {
            totals: Totals { write_faults, ..Totals::default() },
            executed: counts.iter().copied().collect(),
        };
        let off = witnessed(&[(1, 10), (2, 3)], 0);
        assert!(doubled(&off, &witnessed(&[(1, 20), (2, 6)], 0)).is_ok());
        assert!(doubled(&off, &witnessed(&[(1, 21), (2, 7)], 2)).is_ok());
        for (counts, write_faults) in [
            (&[(1, 20), (2, 6)][..], 1),
            (&[(1, 21), (2, 5)], 0),
            (&[(1, 20)], 0),
            (&[(1, 20), (2, 6), (3, 1)], 0),
            (&[(1, 11), (2, 3)], 1),
        ] {
            assert!(doubled(&off, &witnessed(counts, write_faults)).is_err(), "{counts:?}");
        }
    }
}
