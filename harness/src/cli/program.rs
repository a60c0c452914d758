// SPDX-License-Identifier: MIT
//! The options that name a program and say what it is given.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::workload::named::Given;

/// A program and what it is given.
#[derive(Args, Debug)]
pub struct ProgramArgs {
    /// The program: showcase, or one of user/c, std, go, bench or hostile; then its arguments
    ///
    /// Without one, `run` boots init, `inject` takes those of --programs, and other commands run showcase. With --elf, all words are arguments; those that start with a dash go after `--`.
    #[arg(value_name = "NAME | ARGS")]
    pub words: Vec<OsString>,
    /// Run this static x86-64 executable
    #[arg(long, value_name = "PATH")]
    pub elf: Option<PathBuf>,
    /// The program's standard input; empty if absent
    #[arg(long, value_name = "FILE")]
    pub stdin: Option<PathBuf>,
    /// Give the program a file; GUEST is absolute and defaults to /NAME of the host's file
    #[arg(long = "file", value_name = "HOST[:GUEST]")]
    pub files: Vec<OsString>,
    /// Add to the program's environment, which is empty otherwise
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub env: Vec<OsString>,
}

impl From<ProgramArgs> for Given {
    fn from(args: ProgramArgs) -> Self {
        let ProgramArgs { words, elf, stdin, files, env } = args;
        Self { words, elf, stdin, files, env }
    }
}
