// SPDX-License-Identifier: MIT
//! `cargo reprise run`: one program, its output as ours, its exit status as ours.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use pe_replay::wire::channel::Progress;
use pe_replay::wire::config::{Job, Recording};
use pe_replay::wire::end::{End, EndRecord};

use crate::artifacts::Guest;
use crate::cli::{ReportArgs, RunArgs};
use crate::machine::{self, Machine, Observer, process};
use crate::report::{self, Summary};
use crate::request::{self, Request};
use crate::verdict::Ending;
use crate::{json, log, named, packages, told, trace_file};

/// Runs the command; returns the exit status.
pub fn run(args: &RunArgs) -> Result<u8> {
    let request = request(args)?;
    let kernel = Guest::KERNEL.build(Guest::KERNEL.package)?;
    let boot = request.boot(kernel)?;
    if args.dry_run {
        println!("{}", process::quoted(&machine::prepare(&boot)?));
        return Ok(0);
    }
    for path in [&args.json, &args.trace].into_iter().flatten() {
        clear(path)?;
    }
    let mut terminal = Terminal::new();
    let finished = machine::boot(&boot, &mut terminal);
    terminal.bar.finish_and_clear();
    let finished = finished?;
    if args.log {
        for line in log::lines(&boot.kernel, &finished.streams.log)? {
            eprintln!("{line}");
        }
    }
    let Ending::Normal(record) = &finished.ending else { bail!("{}", finished.ending) };
    if let Some(path) = &args.trace {
        save(path, &trace_file::pack(&finished.streams.trace, &finished.streams.end))?;
    }
    let summary = summarize(&finished.streams.trace, record, args.json.as_deref())?;
    if let Some(summary) = summary {
        eprint!("\n{summary}");
    }
    if let Some(text) = told::told(&record.end) {
        eprintln!("reprise: {text}");
    }
    Ok(told::exit_status(&record.end))
}

/// Sees that a file can be written, before there is anything to lose; what was there from another run must not
/// be taken for this one's.
fn clear(path: &Path) -> Result<()> {
    let clear = || -> io::Result<()> {
        fs::File::create(path)?;
        // A device stays, and so does a link.
        if fs::symlink_metadata(path)?.is_file() { fs::remove_file(path) } else { Ok(()) }
    };
    clear().with_context(|| path.display().to_string())
}

/// `cargo reprise report`: says again what was said after the run.
pub fn report(args: &ReportArgs) -> Result<u8> {
    let file = request::read(&args.file)?;
    let name = || args.file.display().to_string();
    let (trace, end) = trace_file::unpack(&file).with_context(name)?;
    if args.list {
        print!("{}", report::list::list(trace).with_context(name)?);
        return Ok(0);
    }
    let record = EndRecord::decode(end).context("the end record").with_context(name)?;
    let summary = summarize(trace, &record, args.json.as_deref()).with_context(name)?;
    if let Some(summary) = summary {
        print!("{summary}");
    }
    if let Some(text) = told::told(&record.end) {
        println!("{text}");
    }
    Ok(0)
}

/// What a run adds up to, also as JSON; `None` for a program that was refused and never ran.
fn summarize(trace: &[u8], record: &EndRecord, json: Option<&Path>) -> Result<Option<Summary>> {
    if matches!(record.end, End::Refused(_)) {
        return Ok(None);
    }
    let summary = Summary::new(trace, *record)?;
    if let Some(path) = json {
        let value = json::value(&summary, told::exit_status(&record.end));
        save(path, format!("{value:#}\n").as_bytes())?;
    }
    Ok(Some(summary))
}

/// Writes a file that the user named.
pub fn save(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// Makes the request, after checking everything that can be checked without a boot.
fn request(args: &RunArgs) -> Result<Request> {
    let mut request = Request::job(Job::Run);
    request.contents = named::named(&args.program)?.contents;
    request.machine = args.machine.machine();
    request.policy = args.policy.policy();
    request.cpu.clone_from(&args.cpu);
    request.memory_mib = args.memory;
    request.seed = args.seed;
    request.clock = args.clock.clock();
    request.trace = if args.digests { Recording::Digests } else { Recording::Pes };
    request.injections = args.inject.clone();
    (request.counter, request.counter_faults) = args.counter.choice().map_err(|text| anyhow!(text))?;
    // Last, so that what is wrong with the input is said first.
    packages::ensure_present(match request.machine {
        Machine::Qemu => &[packages::QEMU],
        Machine::Bochs => &[packages::BOCHS],
    })?;
    request.timeout = Duration::from_secs(args.timeout);
    Ok(request)
}

/// The program's output as ours, and a progress line if somebody is looking.
struct Terminal {
    bar: ProgressBar,
}

impl Terminal {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }
}

impl Observer for Terminal {
    fn output(&mut self, descriptor: u8, bytes: &[u8]) -> io::Result<()> {
        self.bar.suspend(|| match descriptor {
            2 => io::stderr().lock().write_all(bytes),
            _ => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
        })
    }

    fn progress(&mut self, Progress { pes, instructions, rip }: Progress) {
        self.bar.set_message(format!("{pes} PEs, {instructions} instructions, at {rip:#x}"));
        self.bar.tick();
    }
}
