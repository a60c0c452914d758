// SPDX-License-Identifier: MIT
//! `cargo reprise run`: one program, its output as ours, its exit status as ours.

mod watch;

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use flips::{Injection, Target};
use indicatif::ProgressBar;
use pe_replay::{Mode, Policy, Recovery};
use wire::Name;
use wire::channel::Progress;
use wire::end::{End, EndRecord};
use wire::injection::Text;
use wire::nova::Stop;

use crate::emulator::ending::Ending;
use crate::emulator::{self, Boot, Emulator, Observer};
use crate::host::destination::{Destinations, Files, Pending};
use crate::host::input::Deadline;
use crate::host::process;
use crate::host::{console, packages};
use crate::outcome::flipped::{self, Flips};
use crate::outcome::model::Model;
use crate::outcome::origin::Origin;
use crate::outcome::record_stream::RecordStream;
use crate::outcome::subject::Subject;
use crate::outcome::summary::{Summary, Sums};
use crate::outcome::{json, log, told, trace_file};
use crate::workload::artifacts::Guest;
use crate::workload::named::{self, Given};
use crate::workload::request::Request;
use crate::workload::symbols::Symbols;
use crate::workload::{listing, nova};
use watch::Watch;

/// The exit status of a run in which the text has not come that was to end it.
const STATUS_MISSED: u8 = 1;

/// The options that name files to be written.
const JSON: &str = "--json";
const TRACE: &str = "--trace";

/// What is asked of the command.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program.
    pub program: Given,
    /// The system that is booted in place of a program.
    pub nova: Option<nova::Given>,
    /// All that the boot is asked for, but its contents: these are the program's.
    pub request: Request,
    /// Where the trace is written.
    pub trace: Option<PathBuf>,
    /// Where the summary is written as JSON.
    pub json: Option<PathBuf>,
    /// Whether what the run comes to is shown while it goes on.
    pub watch: bool,
    /// Whether the kernel's log is printed.
    pub log: bool,
    /// Whether the emulator's command line is printed, and nothing is started.
    pub dry_run: bool,
}

/// Runs the command; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    let (request, files) = request(options)?;
    let files = files.written(JSON, options.json.as_ref())?.written(TRACE, options.trace.as_ref())?;
    let kernel = Guest::build_kernel(request.counter)?;
    let boot = request.boot(kernel)?;
    if options.dry_run {
        return dry_run(&boot);
    }
    let files = files.cleared()?;
    let mut terminal = Terminal::new(options.watch.then(|| watched(&request)).transpose()?);
    let mut recorder = Recorder::new(&files, &request, terminal.watch.clone())?;
    let finished = emulator::boot_tracing(&boot, &mut terminal, &mut |piece| recorder.add(piece));
    terminal.bar.finish_and_clear();
    let finished = finished?;
    if options.log {
        for line in log::lines(&boot.kernel, &finished.streams.log)? {
            eprintln!("{line}");
        }
    }
    let Ending::Normal(record) = &finished.ending else { bail!("{}", finished.ending) };
    let is_awaited = options.nova.as_ref().is_some_and(|given| given.until.is_some());
    let is_missed = is_missed(is_awaited, &record.end);
    let status = if is_missed { STATUS_MISSED } else { told::run_status(&record.end, &finished.serial) };
    let (summary, flips) = recorder.finish(&finished.streams.end, record)?;
    if let Some(summary) = &summary {
        files.write_json(JSON, || Ok(origin(&request)?.stamp(json::value(summary, status))))?;
        eprint!("\n{summary}");
        if !summary.labels.is_empty() {
            eprint!("\n{}", summary.breakdown);
        }
        for call in &summary.unsupported {
            eprintln!("reprise: {}", told::unsupported(call));
        }
        for limit in &summary.reached {
            eprintln!("reprise: {}", told::reached(limit));
        }
        let symbols = Symbols::of(request.contents.program.as_deref().unwrap_or_default());
        for line in flipped::lines(&flips, summary, &symbols) {
            eprintln!("reprise: {line}");
        }
        let (wanted, flips) = (options.request.injections.len() as u64, summary.totals().flips);
        if flips < wanted {
            eprintln!(
                "reprise: {} of {wanted} flips hit nothing: no such PE, its run is shorter, or what they aim at was not there",
                wanted - flips
            );
        }
    }
    if let Some(text) = told::told(&record.end) {
        eprintln!("reprise: {text}");
    }
    if let Some(value) = told::exit_value(&record.end, &finished.serial) {
        eprintln!("reprise: init has exited, with exit value {value}");
    }
    if is_missed {
        eprintln!("reprise: --until: the text has not come");
    }
    Ok(status)
}

/// What a run's result depends on.
pub fn origin(request: &Request) -> Result<Origin> {
    let contents = &request.contents;
    let elf = contents.program.as_deref().or(contents.modules.first().map(|module| module.bytes.as_slice()));
    let origin = Origin::find(Some(request.machine)).with_program(elf, &contents.argv);
    Ok(origin.with("seed", request.seed).with("model", Model::built_in()?.processor.clone()))
}

/// What becomes of a trace while it comes: it is added up, and goes to the file that was asked for.
struct Recorder<'a> {
    file: Option<trace_file::Writer<Pending<'a>>>,
    stream: RecordStream,
    sums: Sums,
    flips: Flips,
    /// Who looks on, if somebody does.
    watch: Option<Rc<RefCell<Watch>>>,
}

impl<'a> Recorder<'a> {
    fn new(files: &'a Destinations, request: &Request, watch: Option<Rc<RefCell<Watch>>>) -> Result<Self> {
        let begun = |file| trace_file::Writer::new(file, &Subject::new(&request.contents));
        let file = files.begin(TRACE)?.map(begun).transpose()?;
        Ok(Self {
            file,
            stream: RecordStream::default(),
            sums: Sums::default(),
            flips: Flips::default(),
            watch,
        })
    }

    fn add(&mut self, piece: &[u8]) -> Result<()> {
        if let Some(file) = &mut self.file {
            file.trace(piece)?;
        }
        self.stream.push(piece);
        self.add_up()
    }

    fn add_up(&mut self) -> Result<()> {
        while let Some(record) = self.stream.take() {
            let record = record.with_context(|| format!("the trace after {} PEs", self.sums.count()))?;
            self.sums.add(&record);
            self.flips.add(&record);
            if let Some(watch) = &self.watch {
                watch.borrow_mut().add(&record);
            }
        }
        Ok(())
    }

    /// Keeps the file of a run that has ended; returns its summary, if a program has run, and its flips.
    fn finish(mut self, end: &[u8], record: &EndRecord) -> Result<(Option<Summary>, Flips)> {
        if let Some(file) = self.file.take() {
            file.end(end)?.keep()?;
        }
        self.stream.complete();
        self.add_up()?;
        Ok((self.sums.summary(*record)?, self.flips))
    }
}

/// Names what there is to run.
pub fn list() -> Result<u8> {
    print!("{}", listing::text()?);
    Ok(0)
}

/// Whether a run that is to end with a text, if one is awaited, has ended well without it.
fn is_missed(is_awaited: bool, end: &End) -> bool {
    is_awaited && told::exit_status(end) == 0 && !matches!(end, End::Stopped(Stop::Text))
}

/// Lays out the files of a boot, and says in a shell's words how to make it.
fn dry_run(boot: &Boot) -> Result<u8> {
    let (directory, command) = emulator::prepare(boot)?;
    println!("{}", process::quoted(&["cd".into(), directory.clone().into()]));
    println!("{}", process::quoted(&command));
    eprintln!(
        "reprise: the emulator's files stay in {}; remove it when it is not needed any more",
        directory.display()
    );
    Ok(0)
}

/// Makes the request, after checking everything that can be checked without a boot; returns the files that were
/// read for it, too.
pub fn request(options: &Options) -> Result<(Request, Files)> {
    let mut request = options.request.clone();
    let deadline = Some(Deadline::after(request.timeout));
    let (files, contents) = match &options.nova {
        Some(given) => {
            let named = nova::named(given, deadline)?;
            (named.files(), named.contents)
        }
        None => {
            let named = named::named(&options.program, deadline)?;
            (named.files(), named.contents)
        }
    };
    request.contents = contents;
    request.injections.iter().try_for_each(|flip| can_hit(&request.policy, flip))?;
    // Last, so that what is wrong with the input is said first.
    packages::ensure_present(match request.machine {
        Emulator::Qemu => &[packages::QEMU],
        Emulator::Bochs => &[packages::BOCHS],
    })?;
    Ok((request, files))
}

/// Fails for a flip that finds nothing to hit under a policy, whatever the program does.
fn can_hit(policy: &Policy, flip: &Injection) -> Result<()> {
    let runs = match (policy.mode, policy.recovery) {
        (Mode::Off, _) => 1,
        (Mode::Dual, Recovery::Restart) => 2,
        (Mode::Dual, Recovery::Vote) | (Mode::Triple, _) => 3,
    };
    let of = format!("--mode {}, --recovery {}", policy.mode.name(), policy.recovery.name());
    let (text, run) = (Text(*flip), flip.run.number());
    ensure!(run <= runs, "--inject {text}: there is no run {run} under {of}");
    let is_copy = matches!(flip.target, Target::Copy(..) | Target::Saved(..));
    ensure!(!(is_copy && runs == 1), "--inject {text}: there is no copy of anything under {of}");
    Ok(())
}

/// The view of a run, if there is somebody to look at it.
fn watched(request: &Request) -> Result<Watch> {
    ensure!(request.machine == Emulator::Qemu, "--watch: Bochs tells nothing before the end");
    ensure!(io::stderr().is_terminal(), "--watch: standard error is no terminal");
    let program = request.contents.argv.first().map(|name| String::from_utf8_lossy(name).into_owned());
    let program = program.unwrap_or_else(|| "a system".into());
    let most = (request.max_instructions < u64::MAX).then_some(request.max_instructions);
    Ok(Watch::new(&program, &request.policy, most, Instant::now()))
}

/// The program's output as ours, and a progress line or a view if somebody is looking.
struct Terminal {
    bar: ProgressBar,
    watch: Option<Rc<RefCell<Watch>>>,
}

impl Terminal {
    fn new(watch: Option<Watch>) -> Self {
        let bar = match watch {
            Some(_) => console::view(None, "{msg}", watch::LINES),
            None => console::progress_bar(None, "{spinner} {elapsed} {msg}"),
        };
        Self { bar, watch: watch.map(RefCell::new).map(Rc::new) }
    }
}

impl Observer for Terminal {
    fn output(&mut self, descriptor: u8, bytes: &[u8]) {
        self.bar.suspend(|| console::pass_on(descriptor, bytes));
    }

    fn progress(&mut self, progress: Progress) {
        if let Some(watch) = &self.watch {
            let mut watch = watch.borrow_mut();
            watch.note(progress, Instant::now());
            self.bar.set_message(watch.text());
            self.bar.tick();
            return;
        }
        let Progress { pes, instructions, rip } = progress;
        self.bar.set_message(format!("{pes} PEs, {instructions} instructions, at {rip:#x}"));
        self.bar.tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_awaited_text_can_be_missed() {
        let (well, badly) = (End::Exited { status: 0 }, End::Exited { status: STATUS_MISSED });
        assert!(is_missed(true, &well));
        assert!(!is_missed(true, &End::Stopped(Stop::Text)));
        assert!(!is_missed(true, &badly), "its own status says it already");
        assert!(!is_missed(false, &well) && !is_missed(false, &badly), "nobody asked for a text");
    }

    #[test]
    fn flips_that_cannot_hit_are_refused() {
        let (dual, off) = (Policy::DEFAULT, Policy { mode: Mode::Off, ..Policy::DEFAULT });
        let vote = Policy { recovery: Recovery::Vote, ..Policy::DEFAULT };
        let triple = Policy { mode: Mode::Triple, ..Policy::DEFAULT };
        for (run, target, policy, wanted) in [
            (1, "rax", off, true),
            (2, "rax", off, false),
            (1, "start:rax", off, false),
            (1, "checkpoint:0x1000", off, false),
            (2, "shadow:rax", dual, true),
            (3, "rax", dual, false),
            (3, "rax", vote, true),
            (3, "spare:0x1000", triple, true),
        ] {
            let text = format!("pe=0,run={run},at=0,target={target},bit=0");
            let flip = wire::injection::parse(&text).unwrap();
            assert_eq!(can_hit(&policy, &flip).is_ok(), wanted, "{text}");
        }
    }
}
