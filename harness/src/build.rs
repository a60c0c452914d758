// SPDX-License-Identifier: MIT
//! `cargo reprise build`: the kernels, all programs and root tasks; prints where they are.

use anyhow::Result;
use wire::counter::CounterChoice;

use crate::host::packages;
use crate::workload::artifacts::Guest;
use crate::workload::catalogue::{self, Kind};

/// Runs the command; returns the exit status.
pub fn run() -> Result<u8> {
    for kind in Kind::ALL {
        packages::ensure_present(kind.packages())?;
    }
    println!("{}", Guest::build_kernel(CounterChoice::VirtualTime)?.display());
    println!("{}", Guest::build_kernel(CounterChoice::IntelEmulated)?.display());
    for name in catalogue::names(&Kind::ALL)? {
        println!("{}", catalogue::program(&name)?.display());
    }
    for name in catalogue::root_tasks()? {
        if let Some(path) = catalogue::root_task(&name)? {
            println!("{}", path.display());
        }
    }
    println!("{}", catalogue::fuzzer()?.display());
    Ok(0)
}
