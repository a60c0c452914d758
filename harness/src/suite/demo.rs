// SPDX-License-Identifier: MIT
//! The demonstration shows what is so: each of its lines is held against the command that it names for it.

use anyhow::{Context as _, Result, ensure};
use flips::Target;
use serde_json::Value;
use wire::GPR_NAMES;

use super::{Context, Test};

pub const TESTS: &[Test] = &[Test { name: "demo::every_line_is_so", run: every_line_is_so }];

/// What is printed of a flip without replay, and what in its place of all that is right.
const VERDICTS: [&str; 3] = ["right", "WRONG", "right"];
const COMMAND: &str = "cargo reprise ";
const FLIP: &str = "--inject ";

/// What a command that the demonstration names shows, run as a user runs it.
struct Ran {
    stdout: String,
    status: i32,
    summary: Value,
}

fn ran(context: &Context, command: &str) -> Result<Ran> {
    let directory = tempfile::tempdir()?;
    let json = directory.path().join("json");
    let words: Vec<&str> = command.split_whitespace().collect();
    let words = [&words[..], &["--json", json.to_str().context("a path that is not text")?]].concat();
    let output = context.reprise(&words, |_| ())?;
    let summary = serde_json::from_slice(&std::fs::read(&json)?)?;
    let status = output.status.code().context("ended by a signal")?;
    Ok(Ran { stdout: String::from_utf8(output.stdout)?, status, summary })
}

fn every_line_is_so(context: &Context) -> Result<()> {
    let output = context.reprise(&["demo"], |_| ())?;
    ensure!(output.status.success(), "{}: {}", output.status, output.stderr.escape_ascii());
    let text = String::from_utf8(output.stdout)?;
    let runs: Vec<Ran> =
        commands(&text)?.iter().map(|command| ran(context, command)).collect::<Result<_>>()?;
    holds(&text, &runs)?;
    let lies = lies(&text);
    ensure!(lies.len() > 40, "only {} lies can be made of {text}", lies.len());
    for lie in lies {
        ensure!(holds(&lie, &runs).is_err(), "this is not so, and nothing told: {lie}");
    }
    Ok(())
}

/// The commands that the demonstration names, in order.
fn commands(text: &str) -> Result<Vec<&str>> {
    let (_, rest) = text.split_once("\nthe bit").context("no line on the bit")?;
    let commands: Vec<&str> =
        rest.lines().filter_map(|line| Some(line.split_once(COMMAND)?.1)).collect::<Vec<_>>();
    ensure!(commands.len() == VERDICTS.len(), "commands: {commands:?}");
    Ok(commands)
}

/// What the demonstration would say if it lied in one place: another digit, another verdict, another number of times.
fn lies(text: &str) -> Vec<String> {
    let replaced = |at: usize, length: usize, by: &str| [&text[..at], by, &text[at + length..]].concat();
    let digits = text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit());
    // The number in front of a command counts the commands, and says nothing of them.
    let digits = digits.filter(|(at, _)| !text[at + 1..].trim_start().starts_with(COMMAND));
    let mut lies: Vec<String> =
        digits.map(|(at, digit)| replaced(at, 1, &((digit - b'0' + 1) % 10).to_string())).collect();
    for (word, other) in [("right", "WRONG"), ("WRONG", "right"), (" once", " twice")] {
        // A verdict ends its line.
        let ends = text
            .match_indices(word)
            .filter(|(at, _)| word.starts_with(' ') || text[at + word.len()..].starts_with('\n'));
        lies.extend(ends.map(|(at, _)| replaced(at, word.len(), other)));
    }
    lies
}

/// Whether the demonstration says what the runs of its commands show.
fn holds(text: &str, runs: &[Ran]) -> Result<()> {
    let commands = commands(text)?;
    let (rows, _) = text.split_once("\nthe bit").context("no line on the bit")?;

    let mut columns = Vec::new();
    for ((number, verdict), run) in (1..).zip(VERDICTS).zip(runs) {
        let start = format!("{number}  ");
        let row = rows.lines().find(|line| line.starts_with(&start)).with_context(|| rows.to_owned())?;
        let said = run.stdout.lines().last().context("a program that says nothing")?;
        let status = format!("exit status {}", run.status);
        ensure!(
            row.contains(said) && row.contains(&status) && row.ends_with(verdict),
            "{row}: {said}, {status}"
        );
        let is_right = run.stdout == runs[0].stdout && run.status == runs[0].status;
        ensure!(is_right == (verdict == VERDICTS[0]), "{row}, but the command shows {}", run.stdout);
        columns.push((row.find(said), row.find(&status), row.find(verdict)));
    }
    ensure!(columns.iter().all(|column| *column == columns[0]), "not aligned: {rows}");

    let line = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found.map(str::trim).with_context(|| format!("no line on {name}"))
    };
    let (_, flip) = commands[2].split_once(FLIP).context("no flip in the third command")?;
    ensure!(commands[1].ends_with(flip), "not the same flip: {commands:?}");
    let flip = wire::injection::parse(flip)?;
    let Target::Gpr(register) = flip.target else { anyhow::bail!("{flip:?} hits no register") };
    let (register, run) = (GPR_NAMES[usize::from(register)], flip.run.number());
    let told = format!(
        "bit {} of {register}, after {} instructions of run {run} of PE {}",
        flip.bit, flip.at, flip.pe
    );
    ensure!(line("the bit")? == told, "{text}");
    let wrong = line("wrong")?;
    let has = |run: &Ran| run.stdout.lines().any(|line| line == wrong);
    ensure!(has(&runs[1]) && !has(&runs[0]), "{wrong}");
    let first = &runs[2].summary["first_differences"][0];
    let told = format!("PE {} diverged: {}", first["pe"], first["difference"].as_str().unwrap_or_default());
    ensure!(line("caught")? == told, "{text}: {told}");
    let (restarts, divergences) = (&runs[2].summary["restarts"], &runs[2].summary["divergences"]);
    ensure!(
        (restarts, divergences) == (&1.into(), &1.into()),
        "{restarts} restarts of {divergences} divergences"
    );
    let told = format!("PE {} was started again once; what it had written was thrown away", flip.pe);
    ensure!(line("undone")? == told, "{text}");
    Ok(())
}
