// SPDX-License-Identifier: MIT
//! The kernel's own list of tests, on both emulators.

use anyhow::{Result, bail, ensure};
use pe_replay::wire::config::Job;
use pe_replay::wire::end::End;

use super::{Context, Test};
use crate::machine::Machine;
use crate::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "selftests::on_qemu", run: |context| pass(context, Machine::Qemu) },
    Test { name: "selftests::on_bochs", run: |context| pass(context, Machine::Bochs) },
];

/// On the slow emulator: one of the tests takes all memory, page by page.
const LITTLE_MEMORY_MIB: u32 = 64;

fn pass(context: &Context, machine: Machine) -> Result<()> {
    let mut request = Request { machine, ..Request::job(Job::SelfTest) };
    if machine == Machine::Bochs {
        request.memory_mib = LITTLE_MEMORY_MIB;
    }
    let outcome = context.boot(&request)?;
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
