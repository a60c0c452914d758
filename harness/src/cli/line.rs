// SPDX-License-Identifier: MIT
//! The whole command line as clap reads it; the doc comments are the help.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::Command;
use super::bench::BenchArgs;
use super::compare::CompareArgs;
use super::doctor::DoctorArgs;
use super::fuzz::FuzzArgs;
use super::inject::InjectArgs;
use super::program::ProgramArgs;
use super::report::ReportArgs;
use super::run::{ProfileArgs, RunOrListArgs};
use crate::{docs, native};

/// Runs programs under a kernel that executes every piece of user code twice.
#[derive(Debug, Parser)]
#[command(name = "reprise", bin_name = "cargo reprise", version, term_width = 80)]
pub struct Line {
    /// The process that waits for this one, which does the work
    #[arg(long, hide = true)]
    pub supervisor: Option<u32>,
    /// What to do.
    #[command(subcommand)]
    pub command: Words,
}

/// The commands, with their options as words say them.
#[derive(Debug, Subcommand)]
pub enum Words {
    /// Run a program; its output, its exit status, and a summary on stderr
    Run(Box<RunOrListArgs>),
    /// Show what replay is for, on one flipped bit, in ten seconds
    Demo,
    /// Run a program on this machine, without a kernel of ours, and count its instructions and cycles
    Native(NativeArgs),
    /// What `native` becomes the program from: it waits until the counters are open
    #[command(hide = true)]
    Become(BecomeArgs),
    /// What emulators are started by: they end with who started them
    #[command(hide = true)]
    Tether(TetherArgs),
    /// Flip many bits, each in a run of its own, without replay and with it; a table on stdout
    Inject(Box<InjectArgs>),
    /// Make random system calls of hostile arguments, without replay and with it: what differs, or harms the kernel
    Fuzz(FuzzArgs),
    /// Run a program without replay and with it, and say what replay costs, in a table and in a sentence
    Compare(Box<CompareArgs>),
    /// Say what a trace file tells: tables, pictures, a page, or files for other tools
    Report(ReportArgs),
    /// Count where the instructions of a run go, by phase and by function; tables on stdout
    Profile(Box<ProfileArgs>),
    /// Measure what replay costs: the whole suite, or the parts that are named
    Bench(Box<BenchArgs>),
    /// Say which tools are there, and whether this machine's QEMU counts exactly
    Doctor(DoctorArgs),
    /// Make the book as pages for a browser, and print where they are
    Docs {
        /// The folder for the pages, which is new, empty, or has a book in it
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Everything that has to be green: formatting, lints, builds, all tests
    Test {
        /// Only emulator tests whose name contains this, and nothing else
        filter: Option<String>,
        /// Formatting, host unit tests, and the emulator tests that find most: under a minute when all is built
        #[arg(long, conflicts_with = "filter")]
        quick: bool,
        /// Keep what the tests called `lists` and `documents` see today, in ci/lists and as figures in README.md and
        /// docs, and say what changed
        #[arg(long, requires = "filter")]
        bless: bool,
    },
    /// Run every check and test, as `test` does without a filter
    Ci,
    /// Build the kernels and the programs
    Build,
    /// Print what a shell takes to complete the words of a command called `reprise`
    Completions {
        /// The shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
    /// Write a manual page for each command to a directory
    Man {
        /// The directory, which is made if it is not there
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// `cargo reprise native`.
#[derive(Args, Debug)]
pub struct NativeArgs {
    /// The program
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Write the summary as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl From<NativeArgs> for native::Options {
    fn from(NativeArgs { program, json }: NativeArgs) -> Self {
        Self { program: program.into(), json }
    }
}

/// What `native` starts itself with once more.
#[derive(Args, Debug)]
pub struct BecomeArgs {
    /// The directory that was made for the run
    pub place: PathBuf,
    /// The executable
    pub path: PathBuf,
    /// The arguments, from argv\[0\]
    #[arg(required = true)]
    pub words: Vec<OsString>,
}

impl From<BecomeArgs> for native::Become {
    fn from(BecomeArgs { place, path, words }: BecomeArgs) -> Self {
        Self { place, path, words }
    }
}

/// A program that ends with who starts it.
#[derive(Args, Debug)]
pub struct TetherArgs {
    /// The process that starts it
    pub parent: u32,
    /// The program and its arguments
    #[arg(required = true)]
    pub words: Vec<OsString>,
}

impl TryFrom<Words> for Command {
    type Error = &'static str;

    fn try_from(words: Words) -> Result<Self, Self::Error> {
        Ok(match words {
            Words::Run(args) if args.list => Self::List,
            Words::Run(args) => Self::Run(Box::new(args.run.try_into()?)),
            Words::Demo => Self::Demo,
            Words::Native(args) => Self::Native(args.into()),
            Words::Become(args) => Self::Become(args.into()),
            Words::Tether(TetherArgs { parent, words }) => Self::Tether { parent, words },
            Words::Inject(args) => Self::Inject((*args).try_into()?),
            Words::Compare(args) => Self::Compare(Box::new((*args).into())),
            Words::Fuzz(args) => Self::Fuzz(args.into()),
            Words::Report(args) => Self::Report(args.into()),
            Words::Profile(args) => Self::Profile(Box::new((*args).try_into()?)),
            Words::Bench(args) => Self::Bench(Box::new((*args).into())),
            Words::Doctor(args) => Self::Doctor(args.try_into()?),
            Words::Docs { out } => Self::Docs(docs::Options { out }),
            Words::Test { filter, quick, bless } => Self::Test { filter, quick, bless },
            Words::Ci => Self::Ci,
            Words::Build => Self::Build,
            Words::Completions { shell } => Self::Completions(shell),
            Words::Man { directory } => Self::Man(directory),
        })
    }
}
