// SPDX-License-Identifier: MIT
//! Each way in which a boot can end is recognised as what it is, on both emulators.

use std::time::Duration;

use anyhow::{Result, ensure};
use wire::config::Job;
use wire::end::End;

use super::{Context, Test};
use crate::emulator::Emulator;
use crate::emulator::ending::Ending;
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "ends::normal_on_qemu", run: |context| normal(context, Emulator::Qemu) },
    Test { name: "ends::normal_on_bochs", run: |context| normal(context, Emulator::Bochs) },
    Test { name: "ends::panic_on_qemu", run: |context| panic(context, Emulator::Qemu) },
    Test { name: "ends::panic_on_bochs", run: |context| panic(context, Emulator::Bochs) },
    Test { name: "ends::triple_fault_on_qemu", run: |context| triple_fault(context, Emulator::Qemu) },
    Test { name: "ends::triple_fault_on_bochs", run: |context| triple_fault(context, Emulator::Bochs) },
    Test { name: "ends::hang_on_qemu", run: |context| hang(context, Emulator::Qemu) },
    Test { name: "ends::hang_on_bochs", run: |context| hang(context, Emulator::Bochs) },
    Test { name: "ends::emulator_error_of_qemu", run: |context| emulator_error(context, Emulator::Qemu) },
    Test { name: "ends::emulator_error_of_bochs", run: |context| emulator_error(context, Emulator::Bochs) },
];

/// Long enough for either emulator to be well inside the kernel.
const SHORT: Duration = Duration::from_secs(4);

fn on(machine: Emulator, job: Job) -> Request {
    Request { machine, ..Request::job(job) }
}

fn normal(context: &Context, machine: Emulator) -> Result<()> {
    let outcome = context.boot(&on(machine, Job::Calibrate))?;
    let end = outcome.end()?;
    ensure!(matches!(end, End::Calibrated(report) if report.comparisons > 0), "{end:?}");
    Ok(())
}

fn panic(context: &Context, machine: Emulator) -> Result<()> {
    let outcome = context.boot(&on(machine, Job::Panic))?;
    let ending = outcome.ending();
    ensure!(matches!(ending, Ending::Panic(text) if text.contains("as asked for")), "{ending}");
    Ok(())
}

fn triple_fault(context: &Context, machine: Emulator) -> Result<()> {
    let outcome = context.boot(&on(machine, Job::TripleFault))?;
    ensure!(*outcome.ending() == Ending::TripleFault, "{}", outcome.ending());
    Ok(())
}

fn hang(context: &Context, machine: Emulator) -> Result<()> {
    let outcome = context.boot(&Request { timeout: SHORT, ..on(machine, Job::Hang) })?;
    let ending = outcome.ending();
    ensure!(matches!(ending, Ending::Timeout { .. }), "{ending}");
    Ok(())
}

fn emulator_error(context: &Context, machine: Emulator) -> Result<()> {
    let extra = vec!["-no-such-option".into()];
    let outcome = context.boot(&Request { extra, ..on(machine, Job::Calibrate) })?;
    let ending = outcome.ending();
    ensure!(matches!(ending, Ending::EmulatorError(_)), "{ending}");
    Ok(())
}
