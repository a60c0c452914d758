// SPDX-License-Identifier: MIT
//! `cargo reprise doctor`: what is there, and whether this machine's QEMU counts exactly.

use anyhow::{Result, bail};
use wire::channel::chunks;
use wire::config::Job;
use wire::counter::{CounterChoice, CounterFaults};
use wire::end::{CounterReport, End, Refusal};

use crate::emulator::ending::Ending;
use crate::emulator::{self, Emulator, Silent};
use crate::host::STATUS_FAILURE;
use crate::host::packages::{self, Package};
use crate::outcome::told;
use crate::workload::artifacts::Guest;
use crate::workload::request::Request;

/// The status when something is missing or inexact.
const STATUS_ILL: u8 = 1;

/// What is asked of the command.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The boot whose self-checks are printed, instead of an examination of this machine.
    pub boot: Option<Boot>,
}

/// A boot, and the counter that is to prove itself in it.
#[derive(Clone, Copy, Debug)]
pub struct Boot {
    /// The emulator.
    pub machine: Emulator,
    /// What keeps the instruction limit.
    pub counter: CounterChoice,
    /// What an emulated counter does wrong.
    pub counter_faults: CounterFaults,
}

/// Examines this machine; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    if let Some(machine) = options.boot {
        return boot(machine);
    }
    let mut missing = 0;
    for (title, group) in [
        ("to run programs", packages::QEMU),
        ("to run them on the second emulator", packages::BOCHS),
        ("to build the C programs", packages::COMPILER),
        ("to build the Go programs", packages::GO),
        ("to run the tests", packages::TESTS),
    ] {
        println!("{title}:");
        for package in group {
            missing += usize::from(!package.present());
            println!("  {}", line(package));
        }
    }
    match missing {
        0 => println!("All packages are there."),
        _ => println!("{missing} missing: `run` and `test` install them as root, or say what to install."),
    }
    if packages::QEMU.iter().any(|package| !package.present()) {
        println!("Without QEMU there is nothing to calibrate.");
        return Ok(STATUS_ILL);
    }
    calibrate()
}

fn line(package: &Package) -> String {
    let Package { name, purpose, .. } = package;
    let found = if package.present() { "there  " } else { "MISSING" };
    format!("{name:<16} {found}  {purpose}")
}

/// Boots, and prints how the counter proved itself.
fn boot(Boot { machine, counter, counter_faults }: Boot) -> Result<u8> {
    packages::ensure_present(match machine {
        Emulator::Qemu => &[packages::QEMU],
        Emulator::Bochs => &[packages::BOCHS],
    })?;
    let kernel = Guest::build_kernel(counter)?;
    let request = Request { machine, counter, counter_faults, ..Request::job(Job::Calibrate) };
    let finished = emulator::boot(&request.boot(kernel)?, &mut Silent)?;
    let Ending::Normal(record) = finished.ending else { bail!("{}", finished.ending) };
    match record.end {
        End::Calibrated(report) => {
            let text: Vec<u8> =
                chunks(&finished.streams.output).flat_map(|(_, bytes)| bytes.to_vec()).collect();
            print!("{}", String::from_utf8_lossy(&text));
            print!("{}", table(&report));
            Ok(0)
        }
        other => {
            println!("The kernel did not calibrate: {}.", told::told(&other).unwrap_or_default());
            Ok(STATUS_ILL)
        }
    }
}

/// Boots, and says in words what the kernel's calibration saw.
fn calibrate() -> Result<u8> {
    let kernel = Guest::build_kernel(CounterChoice::default())?;
    let finished = emulator::boot(&Request::job(Job::Calibrate).boot(kernel)?, &mut Silent)?;
    let Ending::Normal(record) = finished.ending else {
        println!("The calibration did not end as it should: {}.", finished.ending);
        return Ok(STATUS_FAILURE);
    };
    match record.end {
        End::Calibrated(report) => {
            print!("{}", table(&report));
            println!(
                "This machine's QEMU counts exactly: {} counts were compared with known ones, and none differed.",
                report.comparisons
            );
            Ok(0)
        }
        End::Refused(Refusal::Counter(fault)) => {
            println!(
                "This machine's QEMU does not count exactly: {}.",
                told::refusal(&Refusal::Counter(fault))
            );
            Ok(STATUS_ILL)
        }
        other => {
            println!("The kernel did not calibrate: {}.", told::told(&other).unwrap_or_default());
            Ok(STATUS_FAILURE)
        }
    }
}

/// What was measured, in instructions.
fn table(report: &CounterReport) -> String {
    let CounterReport {
        kind: _,
        arm_lead,
        bias_counter,
        bias_page_fault,
        bias_debug,
        bias_syscall,
        comparisons,
    } = report;
    [
        ("from arming to the first user instruction", *arm_lead),
        ("bias of the counter's own interrupt", *bias_counter),
        ("bias of a page fault", *bias_page_fault),
        ("bias of a debug exception", *bias_debug),
        ("bias of a system call", *bias_syscall),
        ("comparisons", i64::from(*comparisons)),
    ]
    .map(|(name, value)| format!("  {name:<44}{value:>8}\n"))
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned() {
        let text = table(&CounterReport { arm_lead: 12, bias_counter: -3, ..CounterReport::default() });
        let mut lengths = text.lines().map(str::len);
        let first = lengths.next();
        assert!(lengths.all(|length| Some(length) == first), "{text}");
    }
}
