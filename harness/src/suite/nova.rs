// SPDX-License-Identifier: MIT
//! Root tasks of the NOVA interface: what they say does not depend on how their PEs are run, and each run ends as it
//! was asked to.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use pe_replay::{Mode, Policy};
use wire::clock::{Clock, ClockKind};
use wire::config::Job;
use wire::end::End;
use wire::nova::{Nova, Stop, System};

use super::{Context, Test};
use crate::emulator::Emulator;
use crate::workload::nova::{self, Given};
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "nova::hello_on_qemu", run: |context| hello(context, Emulator::Qemu) },
    Test { name: "nova::hello_on_bochs", run: |context| hello(context, Emulator::Bochs) },
    Test { name: "nova::a_text_ends_the_run", run: text },
];

/// Says a few lines, and rests.
const HELLO: &str = "nova-hello";
/// What it says first and last.
const FIRST: &str = "Hypervisor NOVA (API v10), processor 0 of 64\n";
const LAST: &str = "the root task starts, is heard, and rests\n";

/// A boot of a root task of ours.
fn system(name: &str, machine: Emulator, policy: Policy, until: Option<&str>) -> Result<Request> {
    let given = Given { image: PathBuf::from(name), until: until.map(str::to_owned), ..Given::default() };
    let contents = nova::named(&given, None)?.contents;
    let system = Nova { kernel_memory_len: 64 << 20, run_for_ns: None, logs_calls: false };
    let clock = Clock { kind: ClockKind::Machine, ..Clock::default() };
    Ok(Request { contents, machine, policy, clock, system: System::Nova(system), ..Request::job(Job::Run) })
}

/// The policies under which each root task is run.
fn policies() -> impl Iterator<Item = Policy> {
    [10_000, 100_000].into_iter().flat_map(|limit| {
        [Mode::Off, Mode::Dual, Mode::Triple].map(|mode| Policy { mode, limit, ..Policy::DEFAULT })
    })
}

fn hello(context: &Context, machine: Emulator) -> Result<()> {
    for policy in policies() {
        let outcome = context.boot(&system(HELLO, machine, policy, None)?)?;
        ensure!(*outcome.end()? == End::Stopped(Stop::Idle), "{policy:?}: {:?}", outcome.end()?);
        let said = String::from_utf8_lossy(outcome.serial()).into_owned();
        ensure!(said == [FIRST, LAST].concat(), "{policy:?}: {said:?}");
        let totals = outcome.totals()?;
        ensure!(totals.divergences == 0 && outcome.status()? == 0, "{policy:?}: {totals:?}");
    }
    Ok(())
}

/// The run ends with the text's last letter.
fn text(context: &Context) -> Result<()> {
    let outcome = context.boot(&system(HELLO, Emulator::Qemu, Policy::DEFAULT, Some("processor"))?)?;
    ensure!(*outcome.end()? == End::Stopped(Stop::Text), "{:?}", outcome.end()?);
    ensure!(outcome.serial() == b"Hypervisor NOVA (API v10), processor", "{:?}", outcome.serial());
    Ok(())
}
