// SPDX-License-Identifier: MIT
//! Hostile programs: each attack ends as `user/hostile/expect.toml` says, and the kernel goes on.
//!
//! The attacks of a boot run one after the other in the same kernel. The last program is a
//! well-behaved one, whose output has to be right in spite of all that came before it.

mod batch;
pub mod expect;
mod report;

use anyhow::{Context as _, Result, bail, ensure};
use pe_replay::{Mode, Policy};
use wire::end::End;
use wire::isolation::Isolate;

use super::{Context, Test};
use crate::emulator::Emulator;
use crate::workload::request::Request;
use batch::{Ended, Entry, Setting};
use expect::{Case, Expectations};

pub const TESTS: &[Test] = &[
    Test { name: "hostile::on_bochs", run: on_bochs },
    Test { name: "hostile::on_qemu", run: on_qemu },
    Test { name: "hostile::off", run: off },
    Test { name: "hostile::reach", run: reach },
];

/// How many failures one test tells of.
const FAILURES_SHOWN: usize = 10;

/// Every case, a boot for each program; and the programs name exactly these cases.
fn on_qemu(context: &Context) -> Result<()> {
    let expectations = Expectations::load()?;
    let setting = Setting { machine: Emulator::Qemu, mode: Mode::Dual };
    let mut failures = Failures::default();
    for program in expectations.programs() {
        let cases = expectations.of(program);
        let mut entries = vec![Entry { program, case: "list" }];
        entries.extend(cases.iter().map(|case| case.entry()));
        let ended = batch::run(context, setting, &entries)?;
        let Some((list, ended)) = ended.split_first() else { bail!("the batch is empty") };
        failures.note(complete(program, list, &cases));
        cases.iter().zip(ended).for_each(|(case, ended)| failures.note(check(case, ended)));
    }
    failures.none()
}

/// Every case in one boot, which is slow.
fn on_bochs(context: &Context) -> Result<()> {
    let expectations = Expectations::load()?;
    let setting = Setting { machine: Emulator::Bochs, mode: Mode::Dual };
    let cases = expectations.all();
    let ended = batch::run(context, setting, &entries(&cases))?;
    let mut failures = Failures::default();
    cases.iter().zip(&ended).for_each(|(case, ended)| failures.note(check(case, ended)));
    failures.none()
}

/// Without replay every case ends in the same way, to the last register.
fn off(context: &Context) -> Result<()> {
    let expectations = Expectations::load()?;
    let cases = expectations.all();
    let in_mode = |mode| batch::run(context, Setting { machine: Emulator::Qemu, mode }, &entries(&cases));
    let (off, dual) = (in_mode(Mode::Off)?, in_mode(Mode::Dual)?);
    let mut failures = Failures::default();
    for ((case, off), dual) in cases.iter().zip(&off).zip(&dual) {
        failures.note(check(case, off));
        failures.note(alike(off, dual).with_context(|| case.to_string()));
    }
    failures.none()
}

/// What `reach` says of a kernel out of reach.
const OUT_OF_REACH: &str = "words told: 0\npages written, but for one: 0\naccesses: 0\n";

/// A program that goes for the kernel's memory is told and changes nothing, in any mode, whether the machine refuses
/// that or the kernel had to be isolated. Where it had, a kernel that is not does not come through.
fn reach(context: &Context) -> Result<()> {
    let request = |machine, mode, isolate| -> Result<Request> {
        let policy = Policy { mode, ..Policy::DEFAULT };
        Ok(Request { machine, policy, isolate, ..context.program("reach", &[])? })
    };
    for (machine, mode, isolate) in [
        (Emulator::Qemu, Mode::Off, Isolate::Auto),
        (Emulator::Qemu, Mode::Dual, Isolate::Auto),
        (Emulator::Qemu, Mode::Triple, Isolate::Auto),
        (Emulator::Bochs, Mode::Dual, Isolate::Auto),
        (Emulator::Bochs, Mode::Dual, Isolate::Always),
    ] {
        let what = format!("{machine:?}, {mode:?}, {isolate:?}");
        let outcome = context.boot(&request(machine, mode, isolate)?).with_context(|| what.clone())?;
        let said = String::from_utf8_lossy(&outcome.stdout()).into_owned();
        ensure!(said == OUT_OF_REACH, "{what}: {said}");
        let summary = outcome.summary()?;
        ensure!(summary.totals().divergences == 0, "{what}: divergences");
        if machine == Emulator::Qemu && mode == Mode::Dual && summary.header.is_isolated {
            let exposed =
                context.boot(&request(machine, mode, Isolate::Never)?).map(|outcome| outcome.stdout());
            let came_through = exposed.is_ok_and(|said| said == OUT_OF_REACH.as_bytes());
            ensure!(!came_through, "{what}: the kernel was isolated in vain");
        }
    }
    Ok(())
}

fn entries<'a>(cases: &[&'a Case]) -> Vec<Entry<'a>> {
    cases.iter().map(|case| case.entry()).collect()
}

/// `PROGRAM list` prints the cases that are expected of it, each once.
fn complete(program: &str, list: &Ended, cases: &[&Case]) -> Result<()> {
    ensure!(list.end() == End::Exited { status: 0 }, "{program} list: {:?}", list.end());
    let text = String::from_utf8(list.stdout.clone())?;
    let mut listed: Vec<&str> = text.lines().collect();
    let mut expected: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    listed.sort_unstable();
    expected.sort_unstable();
    let odd = listed.iter().find(|name| !expected.contains(name));
    let odd = odd.or_else(|| expected.iter().find(|name| !listed.contains(name)));
    ensure!(listed == expected, "{program}: its list and expect.toml differ, first in {odd:?}");
    Ok(())
}

/// The case ended in one of its ways, undisturbed, and with a report if by a signal.
fn check(case: &Case, ended: &Ended) -> Result<()> {
    let way = expect::Way::of(&ended.end());
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(
        way.is_some_and(|way| case.ways.contains(&way)),
        "{case}: {:?} instead of {}; {said}",
        ended.end(),
        case.ways()
    );
    ensure!(ended.stdout.is_empty() && said.is_empty(), "{case} said something: {said}");
    let totals = &ended.record.totals;
    let disturbed = totals.divergences + totals.restarts + totals.counter_misses;
    ensure!(disturbed == 0, "{case}: {disturbed} divergences, restarts and counter misses");
    ensure!(totals.pes == totals.committed, "{case}: not every PE was committed");
    match ended.end() {
        End::Killed(death) => {
            report::check(&death, case.attacked, case.sent).with_context(|| case.to_string())
        }
        _ => Ok(()),
    }
}

/// Both modes end a program alike.
fn alike(off: &Ended, dual: &Ended) -> Result<()> {
    ensure!(off.end() == dual.end(), "{:?} in off, {:?} in dual", off.end(), dual.end());
    ensure!((&off.stdout, &off.stderr) == (&dual.stdout, &dual.stderr), "the output differs");
    Ok(())
}

/// What went wrong, case by case.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn note(&mut self, result: Result<()>) {
        self.0.extend(result.err().map(|reason| format!("{reason:#}")));
    }

    fn none(self) -> Result<()> {
        let shown = self.0[..self.0.len().min(FAILURES_SHOWN)].join("; ");
        ensure!(self.0.is_empty(), "{} cases: {shown}", self.0.len());
        Ok(())
    }
}
