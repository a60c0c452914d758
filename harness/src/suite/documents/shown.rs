// SPDX-License-Identifier: MIT
//! Runs the commands of the documents, each once however often it stands there, and holds what they print against
//! what is shown.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::super::{Context, PATIENCE};
use super::{PROMPT, RUN, documents, figures};
use crate::docs::markdown;
use crate::host::process;
use crate::workload::artifacts;

/// Runs this tool where a document says `cargo reprise`.
const CARGO: &str =
    r#"cargo() { if [ "$1" = reprise ]; then shift; "$REPRISE" "$@"; else command cargo "$@"; fi; }"#;
/// How many of the last lines that a command printed are told when they are not the ones that are shown.
const TOLD: usize = 5;

/// A command of a document and what is shown below it.
#[derive(Debug, PartialEq, Eq)]
struct Shown<'a> {
    command: String,
    lines: Vec<&'a str>,
    /// Where these lines stand in the block.
    range: Range<usize>,
}

/// The commands of a block, each with the lines below it. A command goes on after a backslash at the end of a line.
fn commands(block: &str) -> Result<Vec<Shown<'_>>> {
    let mut all: Vec<Shown> = Vec::new();
    let mut at = 0;
    let mut continues = false;
    for whole in block.split_inclusive('\n') {
        let line = whole.strip_suffix('\n').unwrap_or(whole);
        at += whole.len();
        if let Some(command) = line.strip_prefix(PROMPT) {
            all.push(Shown { command: command.to_owned(), lines: Vec::new(), range: at..at });
            continues = line.ends_with('\\');
            continue;
        }
        let last = all.last_mut().with_context(|| format!("no command before `{line}`"))?;
        if continues {
            last.command = format!("{}\n{line}", last.command);
            last.range = at..at;
            continues = line.ends_with('\\');
        } else {
            last.lines.push(line);
            last.range.end = at;
        }
    }
    Ok(all)
}

/// Commands, and what those printed that were run already.
struct Shell<'a> {
    context: &'a Context,
    /// Where temporary files go, so that they go with the test.
    directory: &'a Path,
    seen: HashMap<String, String>,
}

impl Shell<'_> {
    /// What a command prints; one that fails shows its status, or is an error.
    fn printed(&mut self, command: &str) -> Result<&str> {
        if !self.seen.contains_key(command) {
            let printed = self.run(command)?;
            self.seen.insert(command.to_owned(), printed);
        }
        Ok(&self.seen[command])
    }

    fn run(&self, command: &str) -> Result<String> {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("{CARGO}\n{{ {command}\n}} 2>&1")])
            .env("REPRISE", &self.context.reprise)
            .env("TMPDIR", self.directory)
            .current_dir(artifacts::root());
        let output = process::output(&mut shell, PATIENCE)?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "`{command}` failed: {}; {}", output.status, tail(&printed));
        Ok(printed)
    }
}

/// The last lines of what a command printed, for whoever looks for the reason.
fn tail(printed: &str) -> String {
    let lines: Vec<_> = printed.lines().collect();
    format!("its last lines: {:?}", &lines[lines.len().saturating_sub(TOLD)..])
}

/// What is shown and not so any more, but can be written anew.
struct Stale {
    message: String,
    /// Where it stands in the document.
    place: Range<usize>,
    /// What is to stand there.
    now: String,
}

/// What there is to be said about one document.
#[derive(Default)]
struct Verdict {
    /// Commands that fail, or print nothing like what is shown.
    wrong: Vec<String>,
    stale: Vec<Stale>,
}

/// Holds each block of a document against what its commands print.
fn look_at(shell: &mut Shell, document: &str) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    for block in markdown::blocks(document).iter().filter(|block| block.language == RUN) {
        for Shown { command, lines, range } in commands(block.text)? {
            let renewed = shell.printed(&command).and_then(|seen| {
                figures::renewed(&lines, seen).with_context(|| format!("`{command}`; {}", tail(seen)))
            });
            let now = match renewed {
                Ok(now) => now,
                Err(error) => {
                    verdict.wrong.push(format!("{error:#}"));
                    continue;
                }
            };
            if let Some((line, changed)) = lines.iter().zip(&now).find(|(line, now)| *line != now) {
                verdict.stale.push(Stale {
                    message: format!("`{command}` shows `{changed}`, not `{line}`"),
                    place: block.range.start + range.start..block.range.start + range.end,
                    now: now.iter().map(|line| format!("{line}\n")).collect(),
                });
            }
        }
    }
    Ok(verdict)
}

/// A document in which what is stale stands as it is now.
fn written_anew(document: &str, stale: &[Stale]) -> String {
    let mut text = document.to_owned();
    // From the end, so that places stay right.
    for Stale { place, now, .. } in stale.iter().rev() {
        text.replace_range(place.clone(), now);
    }
    text
}

/// The commands of all documents show what these say.
pub fn commands_show(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut shell = Shell { context, directory: directory.path(), seen: HashMap::new() };
    let mut complaints = Vec::new();
    for (name, document) in documents()? {
        let Verdict { wrong, stale } = look_at(&mut shell, &document).with_context(|| name.clone())?;
        complaints.extend(wrong.into_iter().map(|why| format!("{name}: {why}")));
        if context.blesses() && !stale.is_empty() {
            fs::write(artifacts::root().join(&name), written_anew(&document, &stale))
                .context(name.clone())?;
            println!("{name} has new figures");
        } else {
            complaints.extend(stale.into_iter().map(|Stale { message, .. }| {
                format!("{name}: {message}; `cargo reprise test documents --bless` writes it down")
            }));
        }
    }
    if !complaints.is_empty() {
        bail!("{}", complaints.join("\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_taken_apart_into_commands() {
        let block = "$ a\nb\n\nc\n$ d \\\n  e\nf\n$ g\n";
        let commands = commands(block).unwrap();
        let parts: Vec<_> = commands
            .iter()
            .map(|Shown { command, lines, range }| {
                (command.as_str(), lines.as_slice(), &block[range.clone()])
            })
            .collect();
        assert_eq!(
            parts,
            [("a", &["b", "", "c"][..], "b\n\nc\n"), ("d \\\n  e", &["f"], "f\n"), ("g", &[], ""),]
        );
        assert!(super::commands("a\n$ b\n").is_err());
    }

    #[test]
    fn what_is_stale_is_written_anew_in_its_place() {
        let text = "a 1\nb 2\nc 3\n";
        let stale = |place, now: &str| Stale { message: String::new(), place, now: now.to_owned() };
        assert_eq!(written_anew(text, &[stale(0..4, "a 10\n"), stale(8..12, "c 30\n")]), "a 10\nb 2\nc 30\n");
    }
}
