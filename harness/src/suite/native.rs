// SPDX-License-Identifier: MIT
//! The command `native`: the program is given the same as under the kernel, shows the same
//! as started directly, and all of it is counted, from its first instruction on.
//!
//! What is counted on every machine are page faults and CPU time; where the processor's
//! counters are offered, they go through the same code.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Context, PATIENCE, Test};
use crate::host::process;

pub const TESTS: &[Test] = &[
    Test { name: "native::same_output", run: same_output },
    Test { name: "native::same_as_under_the_kernel", run: same_as_under_the_kernel },
    Test { name: "native::statuses", run: statuses },
    Test { name: "native::no_descriptor_is_left_open", run: no_descriptor_is_left_open },
    Test { name: "native::counts_from_the_first_instruction_on", run: counts_from_the_first_instruction_on },
    Test { name: "native::children_are_counted", run: children_are_counted },
    Test { name: "native::what_is_not_counted_is_said", run: what_is_not_counted_is_said },
    Test { name: "native::refusals_are_told_apart", run: refusals_are_told_apart },
    Test { name: "native::cannot_be_started", run: cannot_be_started },
];

const BUSYBOX: &str = "/bin/busybox";
/// A freestanding program.
const TINY: &str = "tiny";

/// Runs the command on words behind its options; its output, and its summary.
fn native(context: &Context, words: &[&str]) -> Result<(Output, Value)> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("summary");
    let options = ["native", "--json", path.to_str().context("a path that is not text")?];
    let output = context.reprise(&[&options, words].concat(), |_| ())?;
    let summary = fs::read(&path).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok((output, serde_json::from_slice(&summary)?))
}

fn directly(path: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(path);
    process::output(command.args(arguments).env_clear(), PATIENCE)
}

fn same_output(context: &Context) -> Result<()> {
    for name in [TINY, "showcase", "bench-light"] {
        let (output, summary) = native(context, &[name])?;
        let expected = directly(&context.executable(name)?, &[])?;
        ensure!(output.stdout == expected.stdout, "{name}: {}", output.stdout.escape_ascii());
        ensure!(output.status == expected.status, "{name}: {}", output.status);
        ensure!(summary["end"]["kind"] == "exited", "{name}: {}", summary["end"]);
    }
    Ok(())
}

/// Arguments, environment, standard input and files, with the same words for `run`.
fn same_as_under_the_kernel(context: &Context) -> Result<()> {
    const SCRIPT: &str = "echo \"$0 $1 $2:$A:$B:$HOME\"; read line; echo \"$line\"; read line; echo $?; \
        cat one deep/two; exit 7";
    let directory = tempfile::tempdir()?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = directory.path().join(name);
        fs::write(&path, text)?;
        Ok(path.to_str().context("a path that is not text")?.to_owned())
    };
    let (stdin, one, two) = (file("stdin", "a line\n")?, file("one", "1\n")?, file("two", "2\n")?);
    let two = format!("{two}:/deep/two");
    let options = ["--elf", BUSYBOX, "--env", "A=a b", "--env", "B=", "--stdin", &stdin];
    let given = ["--file", &one, "--file", &two, "--file", BUSYBOX];
    let words = [&options[..], &given, &["--", "sh", "-c", SCRIPT, "name", "-x", "--"]].concat();
    let (natively, _) = native(context, &words)?;
    let emulated = context.reprise(&[&["run"][..], &words].concat(), |_| ())?;
    ensure!(natively.status.code() == Some(7), "natively: {}", natively.status);
    ensure!(natively.stdout == b"name -x --:a b::\na line\n1\n1\n2\n", "{}", natively.stdout.escape_ascii());
    ensure!(emulated.status == natively.status, "under the kernel: {}", emulated.status);
    ensure!(emulated.stdout == natively.stdout, "under the kernel: {}", emulated.stdout.escape_ascii());
    Ok(())
}

/// A freestanding attacker is killed, here by Linux; the status says by what.
fn statuses(context: &Context) -> Result<()> {
    let (output, summary) = native(context, &["hostile-privileged", "hlt"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(139), "{}: {said}", output.status);
    ensure!(said.contains("killed by signal 11 (SIGSEGV)"), "{said}");
    ensure!(summary["exit_status"] == 139 && summary["end"]["signal"] == 11, "{summary}");
    let (output, summary) = native(context, &["--elf", BUSYBOX, "false"])?;
    ensure!(output.status.code() == Some(1) && summary["end"]["status"] == 1, "{summary}");
    Ok(())
}

/// Counters, pipes and files of this tool are not the program's.
fn no_descriptor_is_left_open(context: &Context) -> Result<()> {
    let arguments = ["ls", "/proc/self/fd"];
    let (output, _) = native(context, &[&["--elf", BUSYBOX], &arguments[..]].concat())?;
    let expected = directly(Path::new(BUSYBOX), &arguments)?;
    ensure!(
        !output.stdout.is_empty() && output.stdout == expected.stdout,
        "{}",
        output.stdout.escape_ascii()
    );
    Ok(())
}

fn page_faults(summary: &Value) -> Result<u64> {
    summary["page_faults"].as_u64().with_context(|| format!("no page faults: {}", summary["not_counted"]))
}

/// The program has a few pages; this tool, which becomes the program, has hundreds.
fn counts_from_the_first_instruction_on(context: &Context) -> Result<()> {
    const MOST: u64 = 60;
    let (_, summary) = native(context, &[TINY])?;
    let faults = page_faults(&summary)?;
    ensure!((1..=MOST).contains(&faults), "{faults} page faults");
    let (cpu, elapsed) = (summary["cpu_time_ns"].as_u64(), summary["elapsed_ns"].as_u64());
    ensure!(cpu.is_some_and(|cpu| cpu > 0) && cpu <= elapsed, "{cpu:?} ns of {elapsed:?}");
    Ok(())
}

fn children_are_counted(context: &Context) -> Result<()> {
    const CHILDREN: u64 = 20;
    let faults =
        |script: &str| page_faults(&native(context, &["--elf", BUSYBOX, "--", "sh", "-c", script])?.1);
    let none = faults(":")?;
    let many = faults(&format!("i=0; while [ $i -lt {CHILDREN} ]; do (:); i=$((i+1)); done"))?;
    // Each copies a page at least: its stack.
    ensure!(many >= none + CHILDREN, "{many} page faults with {CHILDREN} children, {none} without");
    Ok(())
}

/// A count, or null and a reason; the same in the summary for people.
fn what_is_not_counted_is_said(context: &Context) -> Result<()> {
    let (output, summary) = native(context, &[TINY])?;
    let said = String::from_utf8_lossy(&output.stderr);
    for (key, name) in [("instructions", "instructions"), ("cycles", "cycles")] {
        let line = said.lines().find(|line| line.split("  ").next() == Some(name));
        let cell = line.and_then(|line| line.split_whitespace().last());
        match (summary[key].as_u64(), summary["not_counted"][key].as_str()) {
            (Some(count), None) => ensure!(cell == Some(&count.to_string()), "{key}: {count}, {said}"),
            (None, Some(reason)) => {
                let told = |line: &str| line.starts_with("not counted: ") && line.contains(reason);
                ensure!(cell == Some("-") && said.lines().any(told), "{key}: {reason}, {said}");
            }
            (count, reason) => anyhow::bail!("{key}: {count:?}, {reason:?}"),
        }
    }
    Ok(())
}

/// Whatever Linux answers, the program runs, and the answer is told; strace puts words in its mouth.
fn refusals_are_told_apart(context: &Context) -> Result<()> {
    const ALL: &str = "not counted: instructions, cycles, page faults, CPU time: ";
    // The calls are made in the order of the summary.
    const LAST: &str = ":when=4";
    for (error, when, start, part) in [
        ("ENOENT", "", ALL, "no PMU"),
        ("EOPNOTSUPP", "", ALL, "no PMU"),
        ("EACCES", "", ALL, "kernel.perf_event_paranoid"),
        ("ENOSYS", "", ALL, "no perf events"),
        ("EMFILE", "", ALL, "os error 24"),
        ("EPERM", LAST, "not counted: CPU time: ", "kernel.perf_event_paranoid"),
    ] {
        let inject = format!("inject=perf_event_open:error={error}{when}");
        let mut command = Command::new("strace");
        command.args(["-f", "-o", "/dev/null", "-e", "trace=perf_event_open", "-e", &inject]);
        let output = process::output(command.arg(&context.reprise).args(["native", TINY]), PATIENCE)?;
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = directly(&context.executable(TINY)?, &[])?;
        ensure!(output.status == expected.status, "{error}: {}: {said}", output.status);
        ensure!(output.stdout == expected.stdout, "{error}: {}", output.stdout.escape_ascii());
        let told = |line: &str| line.starts_with(start) && line.contains(part);
        ensure!(said.lines().any(told), "{error}{when}: {said}");
    }
    Ok(())
}

/// Linux refuses what the kernel would run: a file that may not be executed.
fn cannot_be_started(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("program");
    fs::copy(context.executable(TINY)?, &path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    let words = ["native", "--elf", path.to_str().context("a path that is not text")?];
    let output = context.reprise(&words, |_| ())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2) && output.stdout.is_empty(), "{}: {said}", output.status);
    let start = format!("reprise: cannot start {}: Permission denied", path.display());
    ensure!(said.lines().count() == 1 && said.starts_with(&start), "{said}");
    Ok(())
}
