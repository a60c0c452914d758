// SPDX-License-Identifier: MIT
//! `cargo reprise build`: the kernels and all programs; prints where they are.

use anyhow::Result;
use wire::counter::CounterChoice;

use crate::host::packages;
use crate::workload::artifacts::{self, Guest};

/// Runs the command; returns the exit status.
pub fn run() -> Result<u8> {
    packages::ensure_present(&[packages::COMPILER])?;
    println!("{}", Guest::build_kernel(CounterChoice::VirtualTime)?.display());
    println!("{}", Guest::build_kernel(CounterChoice::IntelEmulated)?.display());
    let (c, bench, hostile) = (artifacts::c_names()?, artifacts::bench_names()?, artifacts::hostile_names()?);
    let names = [vec!["showcase".to_owned()], c, bench, hostile].concat();
    for name in names {
        println!("{}", artifacts::program(&name)?.display());
    }
    println!("{}", artifacts::fuzzer()?.display());
    Ok(0)
}
