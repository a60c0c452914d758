// SPDX-License-Identifier: MIT
//! `cargo reprise profile`: where the instructions of a run go, by phase and by function.
//!
//! A plugin (`profile/plugin.c`) counts in QEMU each executed instruction by its address and phase; a run is the same
//! as without it, instruction for instruction. What the kernel's own stopwatch and events say of the run is held against
//! that: the two come to their figures in different ways, and [`Profile::differences`] says where they do not agree.

mod counts;
mod kinds;
mod marks;
mod names;
mod show;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use pe_replay::{Mode, Recovery};
use wire::end::EndRecord;

use crate::emulator::ending::Ending;
use crate::emulator::qemu;
use crate::emulator::{self, Emulator, Silent};
use crate::host::children;
use crate::host::packages;
use crate::outcome::told;
use crate::run;
use crate::workload::artifacts::{self, Guest};
use crate::workload::image::Image;
use crate::workload::request::Request;

use counts::Counts;
use kinds::Kinds;
use names::Names;

/// The option that names the file to be written.
const JSON: &str = "--json";

/// What is asked of the command.
#[derive(Debug)]
pub struct Options {
    /// The run.
    pub run: run::Options,
    /// How many functions are listed.
    pub functions: usize,
}

/// A run, and every instruction that was executed for it.
pub struct Profile {
    /// What the kernel says of the run.
    pub record: EndRecord,
    counts: Counts,
    kinds: Kinds,
    names: Names,
}

/// Runs the command; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    let Options { run: options, functions } = options;
    for (given, name) in [
        (options.trace.is_some(), "--trace"),
        (options.dry_run, "--dry-run"),
        (options.log, "--log"),
        (options.watch, "--watch"),
    ] {
        ensure!(!given, "profile takes no {name}: it prints where the instructions go, and nothing else");
    }
    let (request, files) = run::request(options)?;
    ensure!(request.machine == Emulator::Qemu, "profile counts with a plugin of QEMU; Bochs has none");
    packages::ensure_present(&[packages::COMPILER])?;
    let files = files.written(JSON, options.json.as_ref())?.cleared()?;
    let kernel = Guest::build_kernel(request.counter)?;
    let profile = Profile::measure(&request, &kernel)?;
    files.write_json(JSON, || Ok(run::origin(&request)?.stamp(profile.value())))?;
    print!("{}", profile.text(*functions));
    if let Some(text) = told::told(&profile.record.end) {
        eprintln!("reprise: {text}");
    }
    Ok(0)
}

impl Profile {
    /// Boots under the plugin.
    pub fn measure(request: &Request, kernel: &Path) -> Result<Self> {
        let contents = &request.contents;
        let program = contents.program.as_deref();
        let first = program.or(contents.modules.first().map(|module| module.bytes.as_slice()));
        let image = Image::parse(first.context("no program")?)?;
        let directory = tempfile::tempdir().context("cannot make a directory for the profile")?;
        let (marks, out) = (directory.path().join("marks"), directory.path().join("counts"));
        let executable = directory.path().join("program");
        if let Some(program) = program {
            std::fs::write(&executable, program).with_context(|| executable.display().to_string())?;
        }
        let names = Names::new(kernel, program.map(|_| executable.as_path()))?;
        let code = std::fs::read(kernel).with_context(|| kernel.display().to_string())?;
        std::fs::write(&marks, marks::text(&marks::find(&code, &names)?)).context("the marks")?;
        let runs = match (request.policy.mode, request.policy.recovery) {
            (Mode::Off, _) => 1,
            (Mode::Dual, Recovery::Restart) => 2,
            (Mode::Dual, Recovery::Vote) | (Mode::Triple, _) => 3,
        };
        let plugin = plugin()?;
        let mut option = qemu::comma_doubled(&plugin);
        for (name, path) in [(",marks=", &marks), (",out=", &out)] {
            option.push(name);
            option.push(qemu::comma_doubled(path));
        }
        option.push(format!(",entry={:x},runs={runs}", image.entry));
        let mut request = request.clone();
        request.extra.extend(["-plugin".into(), option]);
        let finished = emulator::boot(&request.boot(kernel.to_owned())?, &mut Silent)?;
        let Ending::Normal(record) = finished.ending else { bail!("{}", finished.ending) };
        let counts = Counts::read(&out).context("QEMU's plugin")?;
        let kinds = Kinds::of(&code, &counts, &names)?;
        Ok(Self { record: *record, counts, kinds, names })
    }
}

/// Compiles the plugin for this machine's QEMU, if that has not been done, and returns where it is.
fn plugin() -> Result<PathBuf> {
    let source = artifacts::root().join("harness/src/profile/plugin.c");
    let api = api(qemu::version()?);
    let directory = artifacts::root().join("target/profile");
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let library = directory.join(format!("plugin-{api}.so"));
    let changed = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified());
    if let (Ok(built), Ok(written)) = (changed(&library), changed(&source))
        && built > written
    {
        return Ok(library);
    }
    // Under a name of its own first, so that nobody loads half a file.
    let unfinished = tempfile::NamedTempFile::new_in(&directory).context("cannot make a temporary file")?;
    let mut command = Command::new("gcc");
    command
        .args(["-O2", "-fPIC", "-shared", "-fvisibility=hidden"])
        .arg(format!("-DPLUGIN_API={api}"))
        .arg("-o")
        .arg(unfinished.path())
        .arg(&source);
    let status = children::status(&mut command).context("cannot start gcc")?;
    ensure!(status.success(), "compiling {} failed ({status})", source.display());
    unfinished.persist(&library).with_context(|| format!("cannot write {}", library.display()))?;
    Ok(library)
}

/// The version of the plugin interface that a QEMU takes: what is used of it is the same in both.
fn api((major, _): (u32, u32)) -> u32 {
    if major < 9 { 1 } else { 2 }
}
