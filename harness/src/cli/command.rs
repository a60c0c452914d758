// SPDX-License-Identifier: MIT
//! What a command line can ask for: a command, and what that command takes as its options.

use std::ffi::OsString;
use std::path::PathBuf;

use clap_complete::Shell;

use crate::{bench, compare, docs, doctor, fuzz, inject, native, profile, report, run};

/// What a command line can ask for.
#[derive(Debug)]
pub enum Command {
    /// `cargo reprise run`.
    Run(Box<run::Options>),
    /// `cargo reprise run --list`.
    List,
    /// `cargo reprise native`.
    Native(native::Options),
    /// To wait, and to become the program that `native` counts.
    Become(native::Become),
    /// To become a program that ends with the process that starts it.
    Tether {
        /// That process.
        parent: u32,
        /// The program and its arguments.
        words: Vec<OsString>,
    },
    /// `cargo reprise compare`.
    Compare(Box<compare::Options>),
    /// `cargo reprise demo`.
    Demo,
    /// `cargo reprise inject`.
    Inject(inject::Options),
    /// `cargo reprise fuzz`.
    Fuzz(fuzz::Options),
    /// `cargo reprise report`.
    Report(report::Options),
    /// `cargo reprise profile`.
    Profile(Box<profile::Options>),
    /// `cargo reprise bench`.
    Bench(Box<bench::Options>),
    /// `cargo reprise doctor`.
    Doctor(doctor::Options),
    /// `cargo reprise docs`.
    Docs(docs::Options),
    /// `cargo reprise test`.
    Test {
        /// What the names of the tests contain.
        filter: Option<String>,
        /// Whether only those are run that find most.
        quick: bool,
        /// Whether tests keep what they see.
        bless: bool,
    },
    /// `cargo reprise ci`.
    Ci,
    /// `cargo reprise build`.
    Build,
    /// `cargo reprise completions`.
    Completions(Shell),
    /// `cargo reprise man`.
    Man(PathBuf),
}
