// SPDX-License-Identifier: MIT
//! Some PEs, counted by a debugger that executes them one instruction at a time.
//!
//! A stop for a debugger lets time pass, with `-icount` too: the counter's interrupt would
//! come at once. So QEMU first records the run (`rr=record`), in which nothing else is
//! different, and then replays it under gdb. There interrupts come at the instructions
//! where they came before, and a step of gdb is an instruction, or the interrupt or fault
//! that comes in its place. (A step over PAUSE would take the next instruction along; the
//! program has none.)

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use pe_replay::{Mode, Policy};
use wire::DelimiterKind;
use wire::record::PeRecord;

use super::stretches;
use crate::emulator::qemu;
use crate::host::input;
use crate::host::packages::command::GDB;
use crate::host::process;
use crate::outcome::log::KERNEL;
use crate::suite::Context;
use crate::workload::image::Image;
use crate::workload::request::Request;

const LIMIT: u64 = 1_000;
/// PEs at the program's beginning, with write faults in the first and the limit at their end.
const FIRST: usize = 2;
/// PEs at its end, which is where its system calls are.
const LAST: usize = 3;
/// A stretch takes gdb a second at most where nothing else is running.
const DEADLINE: Duration = Duration::from_secs(300);
/// The kernel's half of the address space.
const KERNEL_HALF: u64 = 1 << 63;
/// Length of IRETQ, which the way to user mode ends with.
const IRETQ_LEN: u64 = 2;
/// What QEMU says when gdb's last command, to kill it, has reached it. Gdb may miss the answer, and fails then.
const KILLED: &str = "Terminated via GDBstub";
/// What stands before the numbers in gdb's output.
const SIGN: &str = "stretch:";

/// User code from an entry into user mode to the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stepped {
    /// Where it begins.
    start: u64,
    /// Steps until gdb saw the kernel.
    steps: u64,
    /// Where in the kernel that was.
    kernel: u64,
}

/// Every step that began in user mode is an instruction, but for those that ended a
/// stretch otherwise than by SYSCALL.
pub fn counts(context: &Context) -> Result<()> {
    let mut request = context.program("tiny", &[])?;
    request.policy = Policy { mode: Mode::Dual, limit: LIMIT, ..Policy::DEFAULT };
    let program = request.contents.program.as_deref().context("no program")?;
    let entry = Image::parse(program)?.entry;
    let kernel = input::read(&context.kernel, KERNEL)?;
    let find = |name| stretches::entries(&kernel, name).with_context(|| context.kernel.display().to_string());
    let syscalls: Vec<u64> = find("syscall_entry")?.into_iter().map(|function| function.start).collect();
    let ways: Vec<u64> = find("enter_user")?.into_iter().map(|function| function.end - IRETQ_LEN).collect();

    let directory = tempfile::tempdir()?;
    let path = directory.path().join("replay").display().to_string();
    let plain = context.boot(&request)?.records()?;
    request.extra = ["-icount", &format!("rr=record,rrfile={path}")].map(Into::into).to_vec();
    let records = context.boot(&request)?.records()?;
    ensure!(records == plain, "a run that is recorded is another one");

    request.extra =
        ["-icount", &format!("rr=replay,rrfile={path}"), "-S", "-gdb", "stdio"].map(Into::into).to_vec();
    let chosen = [0..FIRST, records.len() - LAST..records.len()];
    let script = script(&replayed(context, &request, directory.path())?, entry, &ways, &records, &chosen);
    let stepped = step(&script, directory.path())?;
    let compare = |records: &[PeRecord]| compare(records, &chosen, &stepped, entry, &syscalls);
    compare(&records)?;
    for index in chosen.iter().cloned().flatten() {
        let mut other = records.clone();
        other[index].instructions += 1;
        ensure!(compare(&other).is_err(), "an instruction more in PE {index} was not found out");
    }
    Ok(())
}

/// The command line of a replay that gdb is connected to.
fn replayed(context: &Context, request: &Request, directory: &Path) -> Result<String> {
    let command = qemu::prepare(&request.boot(context.kernel.clone())?, directory)?;
    // Should gdb be killed, its child has to end as well.
    let timeout = ["timeout".into(), DEADLINE.as_secs().to_string().into()];
    Ok(process::quoted(&[&timeout[..], &process::words(&command)].concat()))
}

/// How many times a PE's code is entered.
fn stretches_of(record: &PeRecord) -> u64 {
    let (first, second) = (u64::from(record.write_faults) + 1, 1);
    first + second
}

/// What gdb is to do: step through the chosen PEs, and go past all others.
fn script(command: &str, entry: u64, ways: &[u64], records: &[PeRecord], chosen: &[Range<usize>]) -> String {
    let breakpoints: String = ways.iter().map(|iretq| format!("  hbreak *{iretq:#x}\n")).collect();
    let mut script = format!(
        "set pagination off\nset confirm off\nset architecture i386:x86-64\n\
         define pass\n{breakpoints}  set $left = $arg0\n  while $left > 0\n    continue\n    \
         set $left = $left - 1\n  end\n  delete\n  stepi\nend\n\
         define stretch\n  set $start = (unsigned long)$pc\n  set $steps = 0\n  \
         while (unsigned long)$pc < {KERNEL_HALF:#x}\n    stepi\n    set $steps = $steps + 1\n  end\n  \
         printf \"{SIGN} %lx %lx %lx\\n\", $start, $steps, (unsigned long)$pc\nend\n\
         target remote | exec {command}\nhbreak *{entry:#x}\ncontinue\ndelete\n"
    );
    // The first entry has been made.
    let mut passed = 0;
    for (index, record) in records.iter().enumerate() {
        for _ in 0..stretches_of(record) {
            if chosen.iter().any(|range| range.contains(&index)) {
                let pass = if passed > 0 { format!("pass {passed}\n") } else { String::new() };
                // Writing to a string cannot fail.
                let _ = writeln!(script, "{pass}stretch");
                passed = 0;
            }
            passed += 1;
        }
    }
    script.push_str("kill\n");
    script
}

/// Lets gdb do it.
fn step(script: &str, directory: &Path) -> Result<Vec<Stepped>> {
    let path = directory.join("script");
    std::fs::write(&path, script).context("cannot write gdb's script")?;
    let mut command = Command::new(GDB);
    command.args(["-nx", "-quiet", "-batch", "-x"]).arg(path).current_dir(directory);
    let exit = process::watch(&mut command, DEADLINE, |_| Ok(()))?;
    let (text, errors) = (String::from_utf8_lossy(&exit.stdout), String::from_utf8_lossy(&exit.stderr));
    match exit.status {
        Some(status) if status.success() || errors.contains(KILLED) => {}
        Some(status) => bail!("gdb: {status}: {errors}"),
        None => bail!("gdb was not done after {} s", DEADLINE.as_secs()),
    }
    let lines = text.lines().filter_map(|line| line.strip_prefix(SIGN));
    lines.map(|line| Stepped::parse(line).with_context(|| format!("gdb said {line}"))).collect()
}

impl Stepped {
    fn parse(line: &str) -> Option<Self> {
        let mut numbers = line.split_ascii_whitespace().map(|word| u64::from_str_radix(word, 16).ok());
        let (start, steps, kernel) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(Self { start, steps, kernel })
    }
}

/// Holds the steps of the chosen PEs against their records.
fn compare(
    records: &[PeRecord],
    chosen: &[Range<usize>],
    stepped: &[Stepped],
    entry: u64,
    syscalls: &[u64],
) -> Result<()> {
    let mut rest = stepped.iter();
    for index in chosen.iter().cloned().flatten() {
        let record = &records[index];
        let start = index.checked_sub(1).map_or(entry, |before| records[before].rip);
        for stretches in [u64::from(record.write_faults) + 1, 1] {
            let run: Vec<_> = rest.by_ref().take(stretches as usize).collect();
            ensure!(run.len() as u64 == stretches, "PE {index} is not complete");
            let (first, last) = (run[0], run[run.len() - 1]);
            ensure!(first.start == start, "PE {index} began at {:#x} instead of {start:#x}", first.start);
            let calls = run.iter().filter(|stretch| syscalls.contains(&stretch.kernel)).count() as u64;
            let is_call = syscalls.contains(&last.kernel);
            ensure!(is_call == (record.delimiter == DelimiterKind::Syscall), "PE {index} ended otherwise");
            let steps: u64 = run.iter().map(|stretch| stretch.steps).sum();
            let executed = steps - (stretches - calls);
            ensure!(
                executed == record.instructions,
                "gdb executed {executed} instructions of PE {index}; the kernel counts {}",
                record.instructions
            );
        }
    }
    ensure!(rest.len() == 0, "{} stretches too many", rest.len());
    Ok(())
}
