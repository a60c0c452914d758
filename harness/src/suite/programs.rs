// SPDX-License-Identifier: MIT
//! Programs do the same with and without replay, and the same as natively; undisturbed
//! runs diverge nowhere.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use pe_replay::{Mode, Policy};
use wire::isolation::Isolate;
use wire::{Name, ThreadNumber};

use super::{Context, Outcome, Test, batch, lists};
use crate::native::{self, Purpose};
use crate::workload::archive::Contents;
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "programs::showcase", run: |context| project(context, "showcase") },
    Test { name: "programs::advice", run: |context| project(context, "advice") },
    Test { name: "programs::aliases", run: |context| project(context, "aliases") },
    Test { name: "programs::alloc", run: |context| project(context, "alloc") },
    Test { name: "programs::avx", run: |context| project(context, "avx") },
    Test { name: "programs::calls", run: |context| project(context, "calls") },
    Test { name: "programs::clock", run: |context| project(context, "clock") },
    Test { name: "programs::cputime", run: |context| project(context, "cputime") },
    Test { name: "programs::crc", run: |context| project(context, "crc") },
    Test { name: "programs::dirty", run: |context| project(context, "dirty") },
    Test { name: "programs::fileio", run: |context| project(context, "fileio") },
    Test { name: "programs::flags", run: |context| project(context, "flags") },
    Test { name: "programs::fpuenv", run: |context| project(context, "fpuenv") },
    Test { name: "programs::heapsort", run: |context| project(context, "heapsort") },
    Test { name: "programs::inherit", run: |context| project(context, "inherit") },
    Test { name: "programs::limits", run: |context| project(context, "limits") },
    Test { name: "programs::lines", run: |context| project(context, "lines") },
    Test { name: "programs::locks", run: |context| project(context, "locks") },
    Test { name: "programs::lookups", run: |context| project(context, "lookups") },
    Test { name: "programs::matrix", run: |context| project(context, "matrix") },
    Test { name: "programs::nature", run: |context| project(context, "nature") },
    Test { name: "programs::nested", run: |context| project(context, "nested") },
    Test { name: "programs::vsyscall", run: |context| project(context, "vsyscall") },
    Test { name: "programs::closed", run: |context| project(context, "closed") },
    Test { name: "programs::pairs", run: |context| project(context, "pairs") },
    Test { name: "programs::pingpong", run: |context| project(context, "pingpong") },
    Test { name: "programs::processes", run: |context| project(context, "processes") },
    Test { name: "programs::registers", run: |context| project(context, "registers") },
    Test { name: "programs::rep", run: |context| project(context, "rep") },
    Test { name: "programs::reach", run: |context| project(context, "reach") },
    Test { name: "programs::reserved", run: |context| project(context, "reserved") },
    Test { name: "programs::scattered", run: |context| project(context, "scattered") },
    Test { name: "programs::selfmod", run: |context| project(context, "selfmod") },
    Test { name: "programs::signals", run: |context| project(context, "signals") },
    Test { name: "programs::sse", run: |context| project(context, "sse") },
    Test { name: "programs::stopping", run: |context| project(context, "stopping") },
    Test { name: "programs::strings", run: |context| project(context, "strings") },
    Test { name: "programs::syscalls", run: |context| project(context, "syscalls") },
    Test { name: "programs::table", run: |context| project(context, "table") },
    Test { name: "programs::ticks", run: |context| project(context, "ticks") },
    Test { name: "programs::tiny", run: |context| project(context, "tiny") },
    Test { name: "programs::transfers", run: |context| project(context, "transfers") },
    Test { name: "programs::trap", run: |context| project(context, "trap") },
    Test { name: "programs::unaligned", run: |context| project(context, "unaligned") },
    Test { name: "programs::words", run: |context| project(context, "words") },
    Test { name: "programs::watched", run: |context| project(context, "watched") },
    Test { name: "programs::x87", run: |context| project(context, "x87") },
    Test { name: "programs::x87trans", run: |context| project(context, "x87trans") },
    Test { name: "programs::busybox_sha256sum", run: |context| busybox(context, APPLETS[0]) },
    Test { name: "programs::busybox_gzip", run: |context| busybox(context, APPLETS[1]) },
    Test { name: "programs::busybox_sort", run: |context| busybox(context, APPLETS[2]) },
    Test { name: "programs::busybox_bzip2", run: |context| busybox(context, APPLETS[3]) },
    Test { name: "programs::busybox_wc", run: |context| busybox(context, APPLETS[4]) },
    Test { name: "programs::busybox_sh", run: |context| busybox(context, APPLETS[5]) },
    Test { name: "programs::records_are_complete", run: records_are_complete },
    Test { name: "programs::unknown_calls_are_logged", run: unknown_calls_are_logged },
];

/// Runs when all of [`TESTS`] have run.
pub const CONCLUSION: Test = Test { name: "programs::a_million_undisturbed_pes", run: a_million };

/// PEs that have to be run twice without a divergence, in all tests together.
const UNDISTURBED_PES: u64 = 1_000_000;

/// Programs that are not run natively, or show something else there: an attack, what emulators round in their own
/// way, and what a processor says of itself.
const OTHERWISE: [&str; 3] = ["reach", "x87trans", "nature"];

/// Instruction limits under which nothing may diverge; two of them are primes. Under the last one busybox works on
/// all of the input, under shorter ones on the [beginning](SHORT_INPUT), where that has more PEs.
pub(super) const LIMITS: [u64; 3] = [997, 9_973, 100_000];
/// A limit under which that has hundreds of thousands.
const SHORTEST_LIMIT: u64 = 251;
/// Modes that come to the same.
const MODES: [Mode; 2] = [Mode::Off, Mode::Dual];

pub(super) const BUSYBOX: &str = "/bin/busybox";
/// Pipelines, statuses, a subshell, and what another program says.
const SCRIPT: &str = "b() { /bin/busybox \"$@\"; }; \
    b echo a | b tr a b; b seq 1 1000 | b sort -rn | b head -3; (exit 3); echo $?; b false; echo $?; \
    said=$(b sha256sum input | b cut -c 1-16); echo \"said $said\"; b cat input | b grep -c word07; \
    b sort input | b uniq | b wc -l; echo out > file; b cat < file; b rm file; exit 5";
/// The file that the applets work on.
pub(super) const INPUT_NAME: &str = "input";
/// How much of that file there is under a short limit.
pub(super) const SHORT_INPUT: usize = 1 << 16;
/// The file's length in lines, of 16 bytes each: a megabyte.
const INPUT_LINES: u64 = 1 << 16;

/// Output and exit status, which is all that a program shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub status: u8,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Shown {
    pub fn of(outcome: &Outcome) -> Result<Self> {
        Ok(Self { status: outcome.status()?, stdout: outcome.stdout(), stderr: outcome.stderr() })
    }

    /// Of the same program with the same input and files on this machine as it is.
    pub fn natively(path: &Path, contents: &Contents) -> Result<Self> {
        let ended = native::start(path, contents, Purpose::Compare)?;
        ensure!(ended.signal.is_none(), "natively it is killed by signal {}", ended.status & 0x7f);
        Ok(Self { status: ended.status, stdout: ended.stdout, stderr: ended.stderr })
    }

    /// Fails with the first thing that differs.
    pub fn check(&self, expected: &Self, what: &str) -> Result<()> {
        let Self { status, stdout, stderr } = self;
        ensure!(*status == expected.status, "{what}: status {status} instead of {}", expected.status);
        for (name, ours, theirs) in
            [("stdout", stdout, &expected.stdout), ("stderr", stderr, &expected.stderr)]
        {
            let at = ours.iter().zip(theirs).position(|(one, other)| one != other);
            let at = at.or_else(|| (ours.len() != theirs.len()).then(|| ours.len().min(theirs.len())));
            if let Some(at) = at {
                let near = |bytes: &[u8]| bytes[at..bytes.len().min(at + 60)].escape_ascii().to_string();
                anyhow::bail!("{what}: {name} at byte {at}: {} instead of {}", near(ours), near(theirs));
            }
        }
        Ok(())
    }
}

/// Where isolation is not what a test is about, the kernel stays in the page tables of programs that do not go for it:
/// QEMU forgets all that it knows of memory whenever page tables are loaded, which is twice a run where the kernel is
/// isolated. The lists show that all of these programs do the same either way.
pub(super) fn isolation(program: &str) -> Isolate {
    if program == "reach" { Isolate::Auto } else { Isolate::Never }
}

/// Whether a native run of a program has to show the same.
pub(super) fn is_same_natively(program: &str) -> bool {
    !OTHERWISE.contains(&program)
}

/// The limits of a program whose list is made under one of them, in all modes, and held against the native run.
pub(super) fn limits(list: &str) -> Vec<u64> {
    LIMITS.into_iter().filter(|limit| *limit != lists::limit(list)).collect()
}

fn project(context: &Context, name: &str) -> Result<()> {
    let request = of_project(context, name)?;
    let natively = || Shown::natively(&context.executable(name)?, &request.contents);
    let expected = is_same_natively(name).then(natively).transpose()?;
    same(context, &request, expected.as_ref(), &limits(name))
}

/// A run of one of the project's programs, which has a line of input.
pub(super) fn of_project(context: &Context, name: &str) -> Result<Request> {
    let mut request = Request { isolate: isolation(name), ..context.program(name, &[])? };
    request.contents.stdin = Some(b"standard input\n".to_vec());
    Ok(request)
}

/// The applets that are run, with their arguments.
pub(super) const APPLETS: [&[&str]; 6] = [
    &["sha256sum", INPUT_NAME],
    &["gzip", "-c", INPUT_NAME],
    &["sort", INPUT_NAME],
    &["bzip2", "-c", INPUT_NAME],
    &["wc", INPUT_NAME],
    &["sh", "-c", SCRIPT],
];

/// A run of one of them on this input.
pub(super) fn applet(context: &Context, arguments: &[&str], input: &[u8]) -> Result<Request> {
    let mut request = context.elf(Path::new(BUSYBOX), arguments)?;
    request.contents.files.push((format!("/{INPUT_NAME}"), input.to_vec()));
    if arguments[0] == "sh" {
        request.contents.files.push((BUSYBOX.to_owned(), fs::read(BUSYBOX)?));
    }
    Ok(request)
}

fn busybox(context: &Context, arguments: &[&str]) -> Result<()> {
    let input = input();
    let [.., long] = LIMITS;
    let mut short = limits(&lists::of_applet(arguments[0]));
    short.retain(|limit| *limit != long);
    short.push(SHORTEST_LIMIT);
    for (limits, input) in [(&short[..], &input[..SHORT_INPUT]), (&[long], &input)] {
        let request = Request { isolate: isolation(BUSYBOX), ..applet(context, arguments, input)? };
        let expected = Shown::natively(Path::new(BUSYBOX), &request.contents)?;
        same(context, &request, Some(&expected), limits)?;
    }
    Ok(())
}

/// A megabyte of lines that are neither sorted nor all alike, from a linear congruential sequence.
pub(super) fn input() -> Vec<u8> {
    let mut state = 1_u64;
    let mut text = String::new();
    for _ in 0..INPUT_LINES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (word, number) = (state >> 58, (state >> 33) & 0xff_ffff);
        text.push_str(&format!("word{word:02} {number:08}\n"));
    }
    text.into_bytes()
}

/// Off and dual show the same under every limit, and as natively; nothing diverges.
pub(super) fn same(
    context: &Context,
    request: &Request,
    native: Option<&Shown>,
    limits: &[u64],
) -> Result<()> {
    same_in(&MODES, context, request, native, limits)
}

/// All modes show the same under every limit, and as natively; nothing diverges.
pub(super) fn same_in(
    modes: &[Mode],
    context: &Context,
    request: &Request,
    native: Option<&Shown>,
    limits: &[u64],
) -> Result<()> {
    let under = |limit: &u64| {
        let limit = *limit;
        modes.iter().map(move |mode| Policy { mode: *mode, limit, ..Policy::DEFAULT })
    };
    let policies: Vec<_> = limits.iter().flat_map(under).collect();
    let ended = batch::under(context, request, &policies)?;
    ensure!(ended.len() == policies.len(), "{} runs of {}", ended.len(), policies.len());
    for (policies, ended) in policies.chunks(modes.len()).zip(ended.chunks(modes.len())) {
        let [first, ..] = ended else { bail!("no modes") };
        let expected = batch::shown(first);
        for (Policy { mode, limit, .. }, ended) in policies.iter().zip(ended) {
            let what = format!("{} with limit {limit}", mode.name());
            batch::undisturbed(ended).with_context(|| what.clone())?;
            if *mode != Mode::Off {
                context.add_undisturbed(ended.record.totals.pes);
            }
            batch::shown(ended).check(&expected, &format!("{what} against {}", modes[0].name()))?;
            let [due, seen] = [first, ended].map(|ended| ended.record.totals.user_instructions);
            ensure!(due == seen, "{what}: {seen} user instructions, {due} in {}", modes[0].name());
        }
        if let Some(native) = native {
            let limit = policies[0].limit;
            expected.check(native, &format!("{} with limit {limit} against native", modes[0].name()))?;
        }
    }
    Ok(())
}

/// The runs above are many enough to say something.
fn a_million(context: &Context) -> Result<()> {
    let pes = context.undisturbed();
    eprintln!("{pes} undisturbed PEs, no divergence, restart or counter miss");
    ensure!(pes >= UNDISTURBED_PES, "only {pes} undisturbed PEs");
    Ok(())
}

/// Every PE has its record: numbered from 0, in the order of time, none left out.
fn records_are_complete(context: &Context) -> Result<()> {
    let outcome = context.boot(&context.program("tiny", &[])?)?;
    let records = outcome.records()?;
    let committed = outcome.totals()?.committed;
    ensure!(records.len() as u64 == committed, "{} records of {committed} PEs", records.len());
    for (index, record) in records.iter().enumerate() {
        ensure!(record.sequence == index as u64, "record {index} is of PE {}", record.sequence);
        ensure!(
            record.thread == ThreadNumber { process: 1, thread: 1 },
            "record {index} is of another thread: {record:?}"
        );
    }
    Ok(())
}

/// The kernel's log names system calls that it does not know.
fn unknown_calls_are_logged(context: &Context) -> Result<()> {
    let log = context.boot(&context.program("syscalls", &[])?)?.log()?;
    let named = log.iter().any(|line| line.contains("warn") && line.contains("unknown system call 9999"));
    ensure!(named, "not in the log: {}", log.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::threaded;
    use super::*;
    use crate::workload::catalogue::{self, Kind};

    #[test]
    fn every_program_is_tested() {
        for name in catalogue::names(&[Kind::Showcase, Kind::C, Kind::Std, Kind::Go]).unwrap() {
            let wanted = [format!("programs::{name}"), format!("threaded::{name}")];
            let all = || TESTS.iter().chain(threaded::TESTS);
            assert!(all().any(|test| wanted.iter().any(|name| name == test.name)), "{wanted:?}");
        }
    }

    #[test]
    fn the_input_is_a_megabyte_of_lines() {
        let input = input();
        assert_eq!(input.len(), 1 << 20);
        assert!(input.ends_with(b"\n"));
    }

    #[test]
    fn what_differs_first_is_named() {
        let shown = |stdout: &[u8]| Shown { status: 0, stdout: stdout.to_vec(), stderr: Vec::new() };
        assert!(shown(b"same").check(&shown(b"same"), "x").is_ok());
        let error = shown(b"sane").check(&shown(b"same!"), "x").unwrap_err();
        assert_eq!(error.to_string(), "x: stdout at byte 2: ne instead of me!");
        let error = shown(b"same").check(&shown(b"same!"), "x").unwrap_err();
        assert_eq!(error.to_string(), "x: stdout at byte 4:  instead of !");
    }
}
