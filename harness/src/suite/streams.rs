// SPDX-License-Identifier: MIT
//! Nobody reads what a command writes, or the disk is full: that is said, if it can be, and never a panic.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{Context, Test};
use crate::host::children;

pub const TESTS: &[Test] = &[
    Test { name: "streams::standard_output_is_full", run: full },
    Test { name: "streams::nobody_reads_standard_output", run: unread },
    Test { name: "streams::standard_error_is_full", run: silent },
    Test { name: "streams::the_disk_is_full", run: full_disk },
    Test { name: "streams::a_file_may_be_standard_output", run: yielded },
];

const FULL: &str = "/dev/full";

/// The commands that end soon, each with something to say.
fn commands(context: &Context) -> Result<(TempDir, Vec<Vec<String>>)> {
    let directory = tempfile::tempdir()?;
    let trace = directory.path().join("trace").display().to_string();
    let output = context.reprise(&["run", "tiny", "--trace", &trace], |_| ())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let words = [
        &["report", &trace][..],
        &["report", "--list", &trace],
        &["bench", "--list"],
        &["--help"],
        &["--version"],
        &["run", "tiny"],
    ];
    let words = words.map(|words| words.iter().map(|word| (*word).to_owned()).collect());
    Ok((directory, words.into()))
}

/// Runs the tool with its output where `prepare` leads it.
fn told_to(context: &Context, words: &[String], prepare: impl FnOnce(&mut Command)) -> Result<Output> {
    let mut command = Command::new(&context.reprise);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    prepare(&mut command);
    Ok(children::start(&mut command)?.wait_with_output()?)
}

/// What is wrong with an output, if anything is.
fn told(words: &[String], output: &Output) -> String {
    format!("{words:?}: {}: {}", output.status, output.stderr.escape_ascii())
}

fn full(context: &Context) -> Result<()> {
    let (_directory, commands) = commands(context)?;
    for words in commands {
        let stdout = OpenOptions::new().write(true).open(FULL)?;
        let output = told_to(context, &words, |command| {
            command.stdout(stdout);
        })?;
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = "reprise: cannot write to standard output: No space left on device (os error 28)\n";
        ensure!(output.status.code() == Some(2) && said == expected, "{}", told(&words, &output));
    }
    Ok(())
}

/// A file that is asked for on standard output has it for itself: what else would be there is on standard error.
fn yielded(context: &Context) -> Result<()> {
    let run = |more: &[&str]| context.reprise(&[&["run", "tiny"], more].concat(), |_| ());
    let (plain, file) = (run(&[])?, run(&["--json", "-"])?);
    let said = String::from_utf8_lossy(&file.stderr);
    ensure!(file.status == plain.status, "{}: {said}", file.status);
    serde_json::from_slice::<serde_json::Value>(&file.stdout).context("standard output")?;
    let shown = String::from_utf8(plain.stdout)?;
    ensure!(!shown.is_empty() && said.contains(&shown), "{shown} is not in {said}");
    let both = run(&["--json", "-", "--trace", "-"])?;
    let said = String::from_utf8_lossy(&both.stderr);
    ensure!(both.status.code() == Some(2) && both.stdout.is_empty(), "{}: {said}", both.status);
    ensure!(said == "reprise: --trace - is the file of --json -\n", "{said}");
    Ok(())
}

fn unread(context: &Context) -> Result<()> {
    let (_directory, commands) = commands(context)?;
    for words in commands {
        let (reader, writer) = io::pipe()?;
        drop(reader);
        let output = told_to(context, &words, |command| {
            command.stdout(writer);
        })?;
        let quiet = output.stderr.is_empty() && output.status.signal() == Some(Signal::PIPE.as_raw());
        ensure!(quiet, "{}", told(&words, &output));
    }
    Ok(())
}

fn silent(context: &Context) -> Result<()> {
    let (_directory, commands) = commands(context)?;
    for words in commands {
        let stderr = OpenOptions::new().write(true).open(FULL)?;
        let output = told_to(context, &words, |command| {
            command.stderr(stderr);
        })?;
        ensure!(output.status.success(), "{}", told(&words, &output));
    }
    Ok(())
}

/// The file that finds no room is named.
fn full_disk(context: &Context) -> Result<()> {
    for words in [
        ["run", "tiny", "--json", FULL],
        ["run", "tiny", "--trace", FULL],
        ["native", "tiny", "--json", FULL],
    ] {
        let output = context.reprise(&words, |_| ())?;
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = format!("reprise: {FULL}: No space left on device (os error 28)");
        ensure!(output.status.code() == Some(2), "{words:?}: {}: {said}", output.status);
        ensure!(said.lines().last() == Some(&expected), "{words:?}: {said}");
    }
    // Where the run's own files go there is no room for a directory.
    let output = context.reprise(&["run", "tiny"], |command| {
        command.env("TMPDIR", Path::new(FULL));
    })?;
    let said = String::from_utf8(output.stderr).context("not a text")?;
    ensure!(said.starts_with("reprise: cannot make a temporary directory in /dev/full: "), "{said}");
    Ok(())
}
