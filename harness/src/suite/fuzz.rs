// SPDX-License-Identifier: MIT
//! The fuzzer of `user/fuzz`, short and from fixed seeds: the kernel comes through, and nothing differs.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use pe_replay::{Comparison, Mode, Policy, Recovery};

use super::{Context, Test};
use crate::emulator::Emulator;
use crate::fuzz::Bench;
use crate::workload::catalogue;

pub const TESTS: &[Test] = &[
    Test { name: "fuzz::dual", run: |context| on_qemu(context, 11, Policy::DEFAULT) },
    Test {
        name: "fuzz::triple",
        run: |context| on_qemu(context, 12, Policy { mode: Mode::Triple, ..Policy::DEFAULT }),
    },
    Test {
        name: "fuzz::dual_with_a_short_limit",
        run: |context| on_qemu(context, 13, Policy { limit: 250, max_dirty: 8, ..Policy::DEFAULT }),
    },
    Test {
        name: "fuzz::dual_by_hash",
        run: |context| {
            let comparison = Comparison::Hash;
            on_qemu(context, 14, Policy { comparison, recovery: Recovery::Vote, ..Policy::DEFAULT })
        },
    },
    Test { name: "fuzz::on_bochs", run: on_bochs },
    Test { name: "fuzz::a_flip_is_told", run: a_flip_is_told },
];

/// Calls of a seed.
const CALLS: u64 = 12_000;
/// Calls of one on Bochs, which is slow.
const CALLS_ON_BOCHS: u64 = 600;
/// When a run is given up. Each of its rounds has an end on the program's clock.
const TIMEOUT: Duration = Duration::from_secs(600);

fn bench(context: &Context, machine: Emulator) -> Result<Bench> {
    Bench::new(context.kernel.clone(), &catalogue::fuzzer()?, machine, TIMEOUT)
}

fn compare(context: &Context, machine: Emulator, (seed, calls): (u64, u64), policy: Policy) -> Result<()> {
    let off = Policy { mode: Mode::Off, ..Policy::DEFAULT };
    match bench(context, machine)?.compare(seed, calls, &[off, policy])? {
        Ok(found) => ensure!(found.calls >= calls, "{} of {calls} calls", found.calls),
        Err(finding) => bail!("{finding}"),
    }
    Ok(())
}

fn on_qemu(context: &Context, seed: u64, policy: Policy) -> Result<()> {
    compare(context, Emulator::Qemu, (seed, CALLS), policy)
}

fn on_bochs(context: &Context) -> Result<()> {
    compare(context, Emulator::Bochs, (15, CALLS_ON_BOCHS), Policy::DEFAULT)
}

/// What differs is found, and the calls before it are told.
fn a_flip_is_told(context: &Context) -> Result<()> {
    let flip = wire::injection::parse("pe=2000,run=1,at=1,target=rsp,bit=40")?;
    let bench = bench(context, Emulator::Qemu)?.with_flips(&[flip]);
    let off = Policy { mode: Mode::Off, ..Policy::DEFAULT };
    // The flip harms the one, and makes the other one start a PE again.
    let Err(finding) = bench.compare(16, 2000, &[off, Policy::DEFAULT])? else { bail!("nothing was found") };
    let told = finding.to_string();
    ensure!(told.starts_with("seed 16") && told.lines().count() > 2, "{told}");
    Ok(())
}
