// SPDX-License-Identifier: MIT
//! The kernel's own list of tests, on both emulators.

use anyhow::{Result, bail, ensure};
use wire::config::Job;
use wire::end::End;
use wire::isolation::Isolate;

use super::Test;
use crate::emulator::Emulator;
use crate::outcome::Outcome;
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "selftests::on_qemu", run: |context| pass(&context.boot(&request(Emulator::Qemu))?) },
    Test { name: "selftests::on_bochs", run: |context| pass(&context.boot(&request(Emulator::Bochs))?) },
    Test {
        name: "selftests::of_the_kernel_for_tests",
        run: |context| pass(&context.boot_for_tests(&request(Emulator::Qemu))?),
    },
];

/// On the slow emulator: one of the tests takes all memory, page by page.
const LITTLE_MEMORY_MIB: u32 = 64;

fn request(machine: Emulator) -> Request {
    let request = Request { machine, ..Request::job(Job::SelfTest) };
    match machine {
        Emulator::Qemu => request,
        // There the kernel would not be isolated; other tests run it so.
        Emulator::Bochs => Request { memory_mib: LITTLE_MEMORY_MIB, isolate: Isolate::Always, ..request },
    }
}

fn pass(outcome: &Outcome) -> Result<()> {
    match *outcome.end()? {
        End::SelfTests { passed, failed: 0 } => {
            ensure!(passed > 0, "the kernel ran no self-test");
            Ok(())
        }
        End::SelfTests { passed, failed } => {
            let output = outcome.stdout();
            let output = String::from_utf8_lossy(&output);
            let lines: Vec<_> = output.lines().filter(|line| !line.ends_with("... ok")).collect();
            bail!("{passed} passed, {failed} failed: {}", lines.join("; "))
        }
        other => bail!("{other:?}"),
    }
}
