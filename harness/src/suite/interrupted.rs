// SPDX-License-Identifier: MIT
//! Whatever ends the tool, nothing of it is left: no process, no folder.

use std::fs;
use std::iter;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::programs::BUSYBOX;
use super::{Context, Test};
use crate::emulator::Emulator;
use crate::host::children;

pub const TESTS: &[Test] = &[
    Test { name: "interrupted::by_signals_on_qemu", run: |context| signals(context, Emulator::Qemu, &ALL) },
    Test {
        name: "interrupted::by_signals_on_bochs",
        run: |context| signals(context, Emulator::Bochs, &ALL[..1]),
    },
    Test { name: "interrupted::one_of_two_processes", run: one_of_two },
    Test { name: "interrupted::both_processes", run: both },
    Test { name: "interrupted::emulators_that_are_ended", run: emulators },
    Test { name: "interrupted::native_programs_and_their_children", run: natives },
    Test { name: "interrupted::ignored_signals_stay_ignored", run: ignored },
];

const ALL: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];
/// For what takes a moment.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
/// A program that does not come to its end, and when its run is given up.
const ENDLESS: [&str; 7] = ["run", "calls", "100000000", "--counter", "virtual-time", "--timeout", "100"];

/// A call of the tool whose emulator, or native program, runs.
struct Started {
    tool: Child,
    /// Its directory for temporary files, which others do not use.
    directory: TempDir,
    /// The processes that work in that directory.
    processes: Vec<Pid>,
}

impl Started {
    /// Starts the tool, and waits until so many processes of that name work in its directory.
    fn new(context: &Context, words: &[&str], name: &str, count: usize) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(&context.reprise);
        command.args(words).env("TMPDIR", directory.path());
        let tool = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let tool =
            children::start(tool).with_context(|| format!("cannot start {}", context.reprise.display()))?;
        let mut started = Self { tool, directory, processes: Vec::new() };
        let found = until(|| {
            let all = working_in(started.directory.path());
            started.processes =
                all.into_iter().filter(|(_, its)| its.starts_with(name)).map(|(pid, _)| pid).collect();
            started.processes.len() >= count
        });
        ensure!(found, "{count} processes {name} did not start");
        Ok(started)
    }

    fn endless(context: &Context, machine: Emulator) -> Result<Self> {
        let (option, name) = match machine {
            Emulator::Qemu => ("qemu", "qemu-system"),
            Emulator::Bochs => ("bochs", "bochs"),
        };
        Self::new(context, &[&ENDLESS[..], &["--machine", option]].concat(), name, 1)
    }

    fn supervisor(&self) -> Pid {
        Pid::from_child(&self.tool)
    }

    /// The process that the supervisor waits for.
    fn worker(&self) -> Result<Pid> {
        let sign = format!("--supervisor\0{}\0", self.supervisor());
        let is_worker = |pid: &Pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&sign)
        };
        processes().find(is_worker).context("no worker")
    }

    /// Waits for the tool's end, and for that of all that worked in its directory.
    fn end(mut self) -> Result<(Output, TempDir)> {
        let (tool, directory) = (&mut self.tool, self.directory.path());
        let ended = until(|| matches!(tool.try_wait(), Ok(Some(_))) && working_in(directory).is_empty());
        if !ended {
            let left = working_in(directory);
            for (pid, _) in &left {
                // It fails for one that has ended since.
                let _ = kill_process(*pid, Signal::KILL);
            }
            let _ = tool.kill();
            bail!("after {} s still there: {left:?}", PATIENCE.as_secs());
        }
        // What has not changed to the directory yet, or is on its way out, has the output open.
        Ok((self.tool.wait_with_output()?, self.directory))
    }
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
}

/// The processes that work in a directory or below, with their names.
fn working_in(directory: &Path) -> Vec<(Pid, String)> {
    let inside =
        |pid: &Pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|path| path.starts_with(directory));
    let name = |pid: Pid| (pid, fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default());
    processes().filter(inside).map(name).collect()
}

/// Whether a process has a handler for a signal.
fn catches(pid: Pid, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal.as_raw() - 1)) != 0)
}

/// Whether the guest of this Bochs has executed something: its firmware says so in the log.
fn guest_runs(bochs: Pid) -> bool {
    fs::read_to_string(format!("/proc/{bochs}/cwd/log"))
        .is_ok_and(|log| log.contains("[BIOS  ] Starting rombios32"))
}

/// Whether something comes to be in time.
fn until(mut is: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}

/// Fails if a process is still there, or a file.
fn nothing_left(directory: &Path) -> Result<()> {
    let left = working_in(directory);
    ensure!(left.is_empty(), "still there: {left:?}");
    let files: Vec<_> = fs::read_dir(directory)?.collect();
    ensure!(files.is_empty(), "still there: {files:?}");
    Ok(())
}

fn signals(context: &Context, machine: Emulator, all: &[Signal]) -> Result<()> {
    for signal in all {
        let started = Started::endless(context, machine)?;
        kill_process(started.supervisor(), *signal)?;
        let (output, directory) = started.end()?;
        ensure!(output.status.signal() == Some(signal.as_raw()), "{signal:?}: {}", output.status);
        ensure!(output.stderr.is_empty(), "{signal:?}: {}", output.stderr.escape_ascii());
        nothing_left(directory.path())?;
    }
    Ok(())
}

fn one_of_two(context: &Context) -> Result<()> {
    let started = Started::endless(context, Emulator::Qemu)?;
    kill_process(started.supervisor(), Signal::KILL)?;
    let (output, directory) = started.end()?;
    ensure!(output.status.signal() == Some(Signal::KILL.as_raw()), "{}", output.status);
    nothing_left(directory.path())?;

    let started = Started::endless(context, Emulator::Qemu)?;
    kill_process(started.worker()?, Signal::KILL)?;
    let (output, directory) = started.end()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(137) && said.contains("ended by signal 9 (SIGKILL)"), "{said}");
    nothing_left(directory.path())
}

/// Nobody can remove the folder then; the next call does.
fn both(context: &Context) -> Result<()> {
    let started = Started::endless(context, Emulator::Qemu)?;
    let (supervisor, worker) = (started.supervisor(), started.worker()?);
    kill_process(supervisor, Signal::STOP)?;
    kill_process(worker, Signal::KILL)?;
    kill_process(supervisor, Signal::KILL)?;
    let (_, directory) = started.end()?;
    ensure!(until(|| working_in(directory.path()).is_empty()), "the emulator is still there");
    ensure!(fs::read_dir(directory.path())?.count() == 1, "not one folder was left");
    let output = context.reprise(&["run", "tiny"], |command| {
        command.env("TMPDIR", directory.path());
    })?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    nothing_left(directory.path())
}

/// That is no triple fault, and it is said what it was.
fn emulators(context: &Context) -> Result<()> {
    for (machine, signal, name) in [
        (Emulator::Qemu, Signal::TERM, "SIGTERM"),
        (Emulator::Qemu, Signal::KILL, "SIGKILL"),
        (Emulator::Bochs, Signal::KILL, "SIGKILL"),
        (Emulator::Bochs, Signal::INT, "SIGINT"),
    ] {
        let started = Started::endless(context, machine)?;
        let emulator = started.processes[0];
        // Some signals an emulator catches, once it has come so far; Bochs's debugger, once the guest runs.
        let is_ready = || match (machine, signal) {
            (_, Signal::KILL) => true,
            (Emulator::Qemu, _) => catches(emulator, signal),
            (Emulator::Bochs, _) => guest_runs(emulator),
        };
        ensure!(until(is_ready), "{machine} does not come so far as to catch {name}");
        kill_process(emulator, signal)?;
        let (output, directory) = started.end()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = format!("reprise: the emulator was ended by signal {} ({name})", signal.as_raw());
        ensure!(output.status.code() == Some(2) && said.starts_with(&expected), "{}: {said}", output.status);
        nothing_left(directory.path())?;
    }
    Ok(())
}

fn natives(context: &Context) -> Result<()> {
    let words = ["native", "--elf", BUSYBOX, "--", "sh", "-c", "sleep 1000 & sleep 1000"];
    // The worker's main thread waits for the program, and learns of its end while the end of the tool goes on: which is
    // faster is not the same each time.
    for signal in iter::once(Signal::TERM).chain(iter::repeat_n(Signal::KILL, 5)) {
        let started = Started::new(context, &words, "sleep", 2)?;
        kill_process(started.supervisor(), signal)?;
        let (output, directory) = started.end()?;
        ensure!(output.status.signal() == Some(signal.as_raw()), "{}", output.status);
        nothing_left(directory.path())?;
    }
    Ok(())
}

/// A signal that the caller has the tool ignore, as `nohup` does, does not end it.
fn ignored(context: &Context) -> Result<()> {
    let script =
        format!("trap '' HUP; exec '{}' run calls 100000 --counter virtual-time", context.reprise.display());
    let directory = tempfile::tempdir()?;
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env("TMPDIR", directory.path()).stdin(Stdio::null());
    let mut tool = children::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    ensure!(until(|| !working_in(directory.path()).is_empty()), "no emulator was started");
    kill_process(Pid::from_child(&tool), Signal::HUP)?;
    let status = tool.wait()?;
    ensure!(status.success(), "{status}");
    nothing_left(directory.path())
}
