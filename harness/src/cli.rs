// SPDX-License-Identifier: MIT
//! The whole command line; the doc comments are the help.

pub mod clock;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use pe_replay::inject::InjectionError;
use pe_replay::policy::{DEFAULT_LIMIT, MAX_DIRTY_PAGES, MAX_LIMIT, MIN_DIRTY_PAGES, MIN_LIMIT};
use pe_replay::wire::counter::{CounterChoice, CounterFaults, FaultsError};
use pe_replay::{Comparison, Flush, Injection, Mode, Policy, Recovery};

use crate::cli::clock::ClockArgs;
use crate::emulator::{MAX_MEMORY_MIB, MIN_MEMORY_MIB, Machine};

/// Runs programs under a kernel that executes every piece of user code twice.
#[derive(Debug, Parser)]
#[command(name = "reprise", bin_name = "cargo reprise", version)]
pub struct Cli {
    /// The process that waits for this one, which does the work
    #[arg(long, hide = true)]
    pub supervisor: Option<u32>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program; its output, its exit status, and a summary on stderr
    Run(Box<RunArgs>),
    /// Run a program on this machine, without a kernel of ours, and count its instructions and cycles
    Native(NativeArgs),
    /// What `native` becomes the program from: it waits until the counters are open
    #[command(hide = true)]
    Become(BecomeArgs),
    /// What emulators are started by: they end with who started them
    #[command(hide = true)]
    Tether(TetherArgs),
    /// Flip many bits, each in a run of its own, without replay and with it; a table on stdout
    Inject(InjectArgs),
    /// Print the summary of a trace file again
    Report(ReportArgs),
    /// Count where the instructions of a run go, by phase and by function; tables on stdout
    Profile(Box<ProfileArgs>),
    /// Measure what replay costs: the whole suite, or the parts that are named
    Bench(Box<BenchArgs>),
    /// Say which tools are there, and whether this machine's QEMU counts exactly
    Doctor(DoctorArgs),
    /// Everything that has to be green: formatting, lints, builds, all tests
    Test {
        /// Only emulator tests whose name contains this, and nothing else
        filter: Option<String>,
        /// Formatting, host unit tests, and the emulator tests that find most: under a minute when all is built
        #[arg(long, conflicts_with = "filter")]
        quick: bool,
        /// Keep what the tests called `lists` and `documents` see today, in ci/lists and as figures in README.md, and
        /// say what changed
        #[arg(long, requires = "filter")]
        bless: bool,
    },
    /// The same as `test` without a filter
    Ci,
    /// Build the kernels and the programs
    Build,
}

/// A program and what it is given.
#[derive(Args, Debug)]
pub struct ProgramArgs {
    /// The program: showcase (the default), or one of user/c, user/bench or user/hostile; then its arguments
    ///
    /// With --elf, all words are arguments; those that start with a dash go after `--`.
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

/// `cargo reprise run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The program
    #[command(flatten)]
    pub program: ProgramArgs,
    /// The emulator
    #[arg(long, value_enum, default_value_t = MachineName::Qemu)]
    pub machine: MachineName,
    /// The processor, in the emulator's words: a model, for QEMU with features added and taken away
    ///
    /// The usual ones hide what need not do the same twice, such as RDRAND, as far as the emulator can.
    #[arg(long, value_name = "MODEL", value_parser = cpu)]
    pub cpu: Option<String>,
    /// How processing elements are run
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// What keeps the instruction limit
    #[command(flatten)]
    pub counter: CounterArgs,
    /// What the program takes for the time
    #[command(flatten)]
    pub clock: ClockArgs,
    /// Memory for kernel and program
    #[arg(long, value_name = "MIB", default_value_t = 256,
          value_parser = number::<u32>(MIN_MEMORY_MIB.into(), MAX_MEMORY_MIB.into()))]
    pub memory: u32,
    /// Seed of everything random that the program can see
    #[arg(long, value_name = "N", default_value_t = crate::workload::request::SEED, value_parser = number::<u64>(0, u64::MAX))]
    pub seed: u64,
    /// Flip a bit: pe=K,run=R,at=I,target=T,bit=B, T being rax..r15, rip, rflags, xmm0..xmm15 or mem:ADDRESS
    ///
    /// Also checkpoint:ADDRESS, second:ADDRESS and spare:ADDRESS, the engine's copies of a page, and start:rax..r15,
    /// shadow: and result:, its saved registers. Up to 16 times.
    #[arg(long = "inject", value_name = "SPEC", value_parser = injection)]
    pub inject: Vec<Injection>,
    /// Write the trace to a file, for `report`
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Record with each processing element a digest of what it left behind, for `report --list`
    ///
    /// It covers registers, delimiter, count, and address and content of each page written, and is the same in every
    /// mode and on every machine, but that `--mode off` does not track pages.
    #[arg(long)]
    pub digests: bool,
    /// Write the summary as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print the kernel's log on stderr
    #[arg(long)]
    pub log: bool,
    /// Seconds after which the run is ended
    #[arg(long, value_name = "S", default_value_t = 600,
          value_parser = number::<u64>(1, MOST_SECONDS))]
    pub timeout: u64,
    /// User instructions after which the program is ended, as by SIGXCPU: at the end of a processing element
    #[arg(long, value_name = "N", value_parser = number::<u64>(1, u64::MAX))]
    pub max_instructions: Option<u64>,
    /// Print the emulator's command line and leave its files where that says, but do not start it
    #[arg(long)]
    pub dry_run: bool,
}

/// `cargo reprise profile`.
#[derive(Args, Debug)]
pub struct ProfileArgs {
    /// The run; with --json FILE the whole profile is written as JSON
    #[command(flatten)]
    pub run: RunArgs,
    /// Functions that are listed
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub top: u32,
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

/// A program that ends with who starts it.
#[derive(Args, Debug)]
pub struct TetherArgs {
    /// The process that starts it
    pub parent: u32,
    /// The program and its arguments
    #[arg(required = true)]
    pub words: Vec<OsString>,
}

/// What keeps the instruction limit.
#[derive(Args, Clone, Copy, Debug)]
pub struct CounterArgs {
    /// What counts instructions; the best that proves itself if absent
    #[arg(long, value_enum)]
    pub counter: Option<CounterName>,
    /// What an emulated counter does wrong, say skid=random:10000,stale=100,seed=7
    #[arg(long, value_name = "SPEC", value_parser = counter_faults)]
    pub counter_faults: Option<CounterFaults>,
}

impl CounterArgs {
    /// The same for the kernel.
    pub fn choice(&self) -> Result<(CounterChoice, CounterFaults), &'static str> {
        let choice = match self.counter {
            None => CounterChoice::Detect,
            Some(CounterName::VirtualTime) => CounterChoice::VirtualTime,
            Some(CounterName::IntelEmulated) => CounterChoice::IntelEmulated,
            Some(CounterName::AmdEmulated) => CounterChoice::AmdEmulated,
            Some(CounterName::None) => CounterChoice::Stepping,
        };
        let emulated = matches!(choice, CounterChoice::IntelEmulated | CounterChoice::AmdEmulated);
        match self.counter_faults {
            Some(_) if !emulated => {
                Err("--counter-faults needs --counter intel-emulated or --counter amd-emulated")
            }
            faults => Ok((choice, faults.unwrap_or_default())),
        }
    }
}

/// `cargo reprise doctor`.
#[derive(Args, Clone, Copy, Debug)]
pub struct DoctorArgs {
    /// Boot, and print the self-checks of the counter that is taken, and why no better one was
    #[arg(long)]
    pub boot: bool,
    /// The emulator to boot
    #[arg(long, value_enum, default_value_t = MachineName::Qemu, requires = "boot")]
    pub machine: MachineName,
    /// What keeps the instruction limit
    #[command(flatten)]
    pub counter: CounterArgs,
}

/// The counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CounterName {
    /// The APIC timer and time stamps of an instruction-counting emulator
    VirtualTime,
    /// Intel's counter in software, driven by virtual time
    IntelEmulated,
    /// AMD's counter in software, driven by virtual time
    AmdEmulated,
    /// None: single steps, slow but right
    None,
}

/// How processing elements are run.
#[derive(Args, Clone, Copy, Debug)]
pub struct PolicyArgs {
    /// Run each processing element once, twice or three times, and compare
    #[arg(long, value_enum, default_value_t = ModeName::Dual)]
    pub mode: ModeName,
    /// What follows when two runs differ
    #[arg(long, value_enum, default_value_t = RecoveryName::Restart)]
    pub recovery: RecoveryName,
    /// How written pages are compared
    #[arg(long, value_enum, default_value_t = CompareName::Bytes)]
    pub compare: CompareName,
    /// When the caches are flushed
    #[arg(long, value_enum, default_value_t = FlushName::None)]
    pub flush: FlushName,
    /// Instructions after which a processing element ends
    #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT,
          value_parser = number::<u64>(MIN_LIMIT, MAX_LIMIT))]
    pub limit: u64,
    /// Written pages at which a processing element ends
    #[arg(long, value_name = "N", default_value_t = MAX_DIRTY_PAGES,
          value_parser = number::<u16>(MIN_DIRTY_PAGES.into(), MAX_DIRTY_PAGES.into()))]
    pub max_dirty: u16,
}

impl PolicyArgs {
    /// The same for the engine.
    pub fn policy(self) -> Policy {
        Policy {
            mode: match self.mode {
                ModeName::Off => Mode::Off,
                ModeName::Dual => Mode::Dual,
                ModeName::Triple => Mode::Triple,
            },
            recovery: match self.recovery {
                RecoveryName::Restart => Recovery::Restart,
                RecoveryName::Vote => Recovery::Vote,
            },
            comparison: self.compare.comparison(),
            flush: match self.flush {
                FlushName::None => Flush::Never,
                FlushName::Clflush => Flush::Lines,
                FlushName::Wbinvd => Flush::All,
                FlushName::Retry => Flush::Retry,
            },
            limit: self.limit,
            max_dirty: self.max_dirty,
        }
    }
}

/// `cargo reprise report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// What `run --trace` wrote
    #[arg(value_name = "TRACE")]
    pub file: PathBuf,
    /// Print one line for each processing element instead: its number, process, delimiter, RIP at its end, instructions,
    /// pages written, and the digest of what it left behind if the run was made with --digests
    #[arg(long)]
    pub list: bool,
    /// Write the summary as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `cargo reprise bench`.
#[derive(Args, Debug, Default)]
pub struct BenchArgs {
    /// Only this part: a workload, `bars`, `original`, `sweep`, `counters`, `scaling` or `boot`; may be given more than once
    #[arg(long = "suite", value_name = "NAME")]
    pub suites: Vec<String>,
    /// Say what there is to measure, and measure nothing
    #[arg(long)]
    pub list: bool,
    /// One short workload under three policies, or with `--suite scaling` some of its calls, to see that all is well
    #[arg(long, conflicts_with = "plot")]
    pub quick: bool,
    /// Print the tables as Markdown, with date, commit and machine
    #[arg(long)]
    pub markdown: bool,
    /// Put that between the lines `<!-- bench -->` and `<!-- end of bench -->` of a document
    #[arg(long, value_name = "FILE")]
    pub into: Option<PathBuf>,
    /// Write all figures as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the sweep of the limit as SVG to a file
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Weights of modelled cycles in place of those of benches/model.toml
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// What the programs take for the time
    #[command(flatten)]
    pub clock: ClockArgs,
    /// Flip a bit in every replayed run, as `run --inject`: the command has to fail then
    #[arg(long, value_name = "SPEC", value_parser = injection)]
    pub inject: Option<Injection>,
    /// Seconds after which one run is ended
    #[arg(long, value_name = "S", default_value_t = 300,
          value_parser = number::<u64>(1, MOST_SECONDS))]
    pub timeout: u64,
}

/// `cargo reprise inject`.
#[derive(Args, Clone, Debug)]
pub struct InjectArgs {
    /// Flips in run 1, which have a counterpart without replay; half as many again have none
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = number::<u64>(1, 10_000_000))]
    pub count: u64,
    /// Seed of the campaign
    #[arg(long, value_name = "S", default_value_t = crate::inject::SEED, value_parser = number::<u64>(0, u64::MAX))]
    pub seed: u64,
    /// What follows when two runs differ
    #[arg(long, value_enum, default_value_t = RecoveriesName::Both)]
    pub recovery: RecoveriesName,
    /// Run each processing element twice or three times
    #[arg(long, value_enum, default_value_t = ReplayName::Dual)]
    pub mode: ReplayName,
    /// How written pages are compared
    #[arg(long, value_enum, default_value_t = CompareName::Bytes)]
    pub compare: CompareName,
    /// What the programs take for the time
    #[command(flatten)]
    pub clock: ClockArgs,
    /// Write the table as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl InjectArgs {
    /// The policies to be tried.
    pub fn policies(&self) -> Vec<Policy> {
        let mode = match self.mode {
            ReplayName::Dual => Mode::Dual,
            ReplayName::Triple => Mode::Triple,
        };
        let recoveries: &[Recovery] = match self.recovery {
            RecoveriesName::Restart => &[Recovery::Restart],
            RecoveriesName::Vote => &[Recovery::Vote],
            RecoveriesName::Both => &[Recovery::Restart, Recovery::Vote],
        };
        let comparison = self.compare.comparison();
        // Three runs are voted on in any case.
        let recoveries = if mode == Mode::Triple { &recoveries[..1] } else { recoveries };
        recoveries.iter().map(|&recovery| Policy { mode, recovery, comparison, ..Policy::DEFAULT }).collect()
    }
}

/// The modes that compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReplayName {
    /// Each processing element twice
    Dual,
    /// Each processing element three times
    Triple,
}

/// One way to recover, or each in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecoveriesName {
    /// The processing element starts again
    Restart,
    /// It is run a third time
    Vote,
    /// The same flips with the one and with the other
    Both,
}

/// The emulators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MachineName {
    /// QEMU's TCG, counting instructions
    Qemu,
    /// Bochs, from a GRUB image
    Bochs,
}

impl MachineName {
    /// The same for the harness.
    pub fn machine(self) -> Machine {
        match self {
            Self::Qemu => Machine::Qemu,
            Self::Bochs => Machine::Bochs,
        }
    }
}

/// The modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeName {
    /// Each processing element once
    Off,
    /// Each processing element twice
    Dual,
    /// Each processing element three times; two of the results have to agree
    Triple,
}

/// The ways to recover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecoveryName {
    /// The processing element starts again
    Restart,
    /// It is run a third time, and what two of the three runs agree on is taken
    Vote,
}

/// The ways to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareName {
    /// Byte by byte, with four frames for each written page
    Bytes,
    /// By 128-bit hashes, with two frames for each written page
    Hash,
}

impl CompareName {
    /// The same for the engine.
    fn comparison(self) -> Comparison {
        match self {
            Self::Bytes => Comparison::Bytes,
            Self::Hash => Comparison::Hash,
        }
    }
}

/// The flush policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlushName {
    /// Never
    None,
    /// Between the runs, the lines of all pages that were read or written
    Clflush,
    /// Between the runs, all caches
    Wbinvd,
    /// Only before a processing element is executed again, all caches
    Retry,
}

/// The longest timeout, in seconds: a week.
const MOST_SECONDS: u64 = 604_800;

/// What may stand in a command line or a settings file without meaning anything else.
fn cpu(text: &str) -> Result<String, String> {
    let fits = |it: char| it.is_ascii_alphanumeric() || ",_-+=.".contains(it);
    if !text.is_empty() && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("expected a model's name, such as max or max,-avx2".into())
    }
}

/// Whole numbers in a range, also hexadecimal; what is wrong with another text says which.
fn number<T: TryFrom<u64>>(
    least: u64,
    most: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        match number {
            Ok(number) if !(least..=most).contains(&number) => {
                Err(format!("{number} is not in {least}..={most}"))
            }
            Ok(number) => T::try_from(number).map_err(|_| format!("{number} is too large")),
            Err(_) => Err(format!("expected a whole number from {least} to {most}")),
        }
    }
}

fn counter_faults(text: &str) -> Result<CounterFaults, String> {
    text.parse().map_err(|error: FaultsError| error.to_string())
}

fn injection(text: &str) -> Result<Injection, String> {
    text.parse().map_err(|error: InjectionError| error.to_string())
}

/// Why a command line is none that one could act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unparsed {
    /// It asks for help or for the version: the answer.
    Asked(String),
    /// What is wrong with it, in one line.
    Wrong(String),
}

/// Reads the command line.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, Unparsed> {
    Cli::try_parse_from(words).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Unparsed::Asked(error.render().to_string()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Unparsed::Wrong("a command is needed; --help lists them".into())
        }
        _ => Unparsed::Wrong(one_line(&error.to_string())),
    })
}

/// The first paragraph of clap's message without its prefix.
fn one_line(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or(message);
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let line = words.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Cli, Unparsed> {
        parse(std::iter::once("reprise").chain(words.iter().copied()).map(OsString::from))
    }

    fn run(words: &[&str]) -> RunArgs {
        match parse_words(words).unwrap().command {
            Command::Run(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_of_the_program_may_follow_directly_or_after_a_double_dash() {
        let args = run(&["run", "--elf", "/bin/busybox", "sha256sum", "f", "--limit", "1000"]);
        assert_eq!((args.program.words, args.policy.limit), (vec!["sha256sum".into(), "f".into()], 1000));
        let args = run(&["run", "--limit", "1000", "--elf", "/bin/busybox", "--", "gzip", "-c"]);
        assert_eq!(args.program.words, ["gzip", "-c"]);
        assert_eq!(run(&["run"]).program.words, [""; 0]);
    }

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        assert_eq!((run(&["run", "--seed", "0xff"]).seed, run(&["run", "--seed", "255"]).seed), (255, 255));
        assert_eq!(run(&["run", "--max-dirty", "0x10"]).policy.max_dirty, 16);
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        for (words, part) in [
            (&["run", "--limit", "9"][..], "9 is not in 10..=10000000"),
            (&["run", "--max-dirty", "2000"], "2000 is not in 8..=1024"),
            (&["run", "--memory", "4096"], "4096 is not in"),
            (&["run", "--limit", "abc"], "expected a whole number from 10 to 10000000"),
            (&["run", "--seed", "x"], "expected a whole number from 0 to 18446744073709551615"),
            (&["run", "--seed", "18446744073709551616"], "expected a whole number from 0 to"),
            (&["run", "--max-dirty", "-1"], "unexpected argument '-1'"),
            (&["run", "--timeout", "1.5"], "expected a whole number from 1 to 604800"),
            (&["run", "--max-instructions", "0"], "0 is not in 1..="),
            (&["inject", "--seed", ""], "expected a whole number"),
            (&["run", "--inject", "pe=1"], "each of pe, run, at, target and bit is needed once"),
            (&["run", "--mode", "quad"], "invalid value 'quad'"),
            (&["run", "--counter", "sand"], "invalid value 'sand'"),
            (&["run", "--counter-faults", "skid=late"], "skid is none, fixed:N, random:N or long-tail:N"),
            (&["run", "--clock", "sun"], "invalid value 'sun'"),
            (&["run", "--date", "today"], "expected a date such as 2024-05-01"),
            (&["report"], "<TRACE>"),
            (&["fly"], "unrecognized subcommand 'fly'"),
        ] {
            let Unparsed::Wrong(message) = parse_words(words).unwrap_err() else { panic!("{words:?}") };
            assert!(message.contains(part) && !message.contains('\n'), "{message}");
        }
    }
}
