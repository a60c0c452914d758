// SPDX-License-Identifier: MIT
//! The documents say what is so: commands, their output, folders, keys, decisions.
//!
//! In the README a block marked `console` is run line by line and must show what it shows;
//! a block marked `sh` is read only. A line `...` stands for any lines, and `...` at the end
//! of a line for the rest of it. Numbers of two digits and more depend on the compiler and
//! on the kernel: they are not compared, only that there is one.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Context, PATIENCE, Test};
use crate::artifacts;
use crate::machine::process;

pub const TESTS: &[Test] = &[
    Test { name: "documents::readme_shows_what_commands_show", run: commands_show },
    Test { name: "documents::readme_names_the_keys_of_the_summary", run: keys_are_named },
];

const README: &str = "README.md";
const PROMPT: &str = "$ ";
const ANYTHING: &str = "...";
/// Runs this tool where a document says `cargo reprise`.
const CARGO: &str = "cargo() { shift; \"$REPRISE\" \"$@\"; }";

fn read(name: &str) -> Result<String> {
    fs::read_to_string(artifacts::root().join(name)).with_context(|| name.to_owned())
}

/// The fenced blocks of a document that are marked with `language`.
fn blocks<'a>(document: &'a str, language: &str) -> Vec<Vec<&'a str>> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(found) = line.strip_prefix("```") else { continue };
        let block = lines.by_ref().take_while(|line| *line != "```").collect();
        if found == language {
            blocks.push(block);
        }
    }
    blocks
}

/// The cells of each table row in a document, header and rule included.
fn rows(document: &str) -> impl Iterator<Item = Vec<&str>> {
    document
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
}

/// The parts of a text that stand in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// A line without what varies: spaces are one space, longer numbers are `#`.
fn normal(line: &str) -> String {
    let varies = |word: &str| {
        let digits = word.trim_start_matches("0x").trim_end_matches([',', ':']);
        word.chars().next().is_some_and(|first| first.is_ascii_digit())
            && digits.len() > 1
            && digits.chars().all(|each| each.is_ascii_hexdigit() || each == '.')
    };
    line.split_whitespace().map(|word| if varies(word) { "#" } else { word }).collect::<Vec<_>>().join(" ")
}

/// The first of the lines shown that is not there, in order, among the lines seen.
fn missing<'a>(shown: &[&'a str], seen: &str) -> Option<&'a str> {
    let mut seen = seen.lines().map(normal);
    shown.iter().copied().filter(|line| *line != ANYTHING).find(|line| {
        let wanted = normal(line);
        let found = match wanted.strip_suffix(ANYTHING) {
            Some(start) => seen.any(|line| line.starts_with(start.trim_end())),
            None => seen.any(|line| line == wanted),
        };
        !found
    })
}

fn commands_show(context: &Context) -> Result<()> {
    let readme = read(README)?;
    // Where `--dry-run` leaves its files.
    let directory = tempfile::tempdir()?;
    for block in blocks(&readme, "console") {
        let mut rest = &block[..];
        while let Some((first, after)) = rest.split_first() {
            let command = first.strip_prefix(PROMPT).with_context(|| format!("no command before {first}"))?;
            let length = after.iter().position(|line| line.starts_with(PROMPT)).unwrap_or(after.len());
            let (shown, next) = after.split_at(length);
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &format!("{CARGO}\n{{ {command}\n}} 2>&1")])
                .env("REPRISE", &context.reprise)
                .env("TMPDIR", directory.path())
                .current_dir(artifacts::root());
            let output = process::output(&mut shell, PATIENCE)?;
            let seen = String::from_utf8_lossy(&output.stdout);
            if let Some(line) = missing(shown, &seen) {
                let tail: Vec<&str> = seen.lines().rev().take(5).collect();
                anyhow::bail!("`{command}` does not show `{line}`; its last lines, backwards: {tail:?}");
            }
            rest = next;
        }
    }
    Ok(())
}

/// The rows of the table of keys in a section of the README: key and meaning.
fn key_rows<'a>(readme: &'a str, title: &str) -> Result<Vec<(&'a str, &'a str)>> {
    let start = readme.find(title).with_context(|| format!("no section {title}"))?;
    let section = &readme[start..];
    let end = section.find("\n#").unwrap_or(section.len());
    Ok(rows(&section[..end])
        .filter_map(|cells| Some((quoted(cells.first()?).next()?, *cells.last()?)))
        .collect())
}

fn keys_are_named(context: &Context) -> Result<()> {
    keys_of(context, "run", "### The JSON summary\n")?;
    keys_of(context, "native", "### The native JSON summary\n")
}

/// What a command writes and what a section names are the same keys.
fn keys_of(context: &Context, command: &str, title: &str) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("summary");
    let words = [command, "tiny", "--json", path.to_str().context("a path that is not text")?];
    let output = context.reprise(&words, |_| ())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let object = value.as_object().context("the summary is no object")?;
    let readme = read(README)?;
    let rows = key_rows(&readme, title)?;
    let named: BTreeSet<&str> = rows.iter().map(|(key, _)| *key).collect();
    let real: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    let differing: Vec<_> = named.symmetric_difference(&real).collect();
    ensure!(differing.is_empty(), "named but not there, or the other way: {differing:?}");
    for (key, meaning) in rows {
        let Value::Object(inner) = &object[key] else { continue };
        for name in inner.keys() {
            ensure!(quoted(meaning).any(|word| word == name), "{key}.{name} is not named");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    const DECISIONS: &str = "ci/decisions";
    const NORMAL_FORM: &str = "ci/decisions/0001-normal-form.md";

    /// The decisions: number, name, text.
    fn decisions() -> Vec<(String, String, String)> {
        let files = fs::read_dir(artifacts::root().join(DECISIONS)).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut all: Vec<_> = names
            .map(|name| {
                let number = name.split('-').next().unwrap_or_default().to_owned();
                let text = read(&format!("{DECISIONS}/{name}")).unwrap();
                (number, name, text)
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn blocks_rows_and_lines_are_taken_apart() {
        let text = "a\n```console\n$ b\nc\n```\n```sh\nd\n```\n| `e` | f |\n";
        assert_eq!(blocks(text, "console"), [["$ b", "c"]]);
        assert_eq!(blocks(text, "sh"), [["d"]]);
        assert_eq!(rows(text).collect::<Vec<_>>(), [["`e`", "f"]]);
        assert_eq!(normal("a  12   9 0xdead: 37.88 % r13: de"), "a # 9 # # % r13: de");
        let seen = "one 10\ntwo 2\nthree and more\n";
        assert_eq!(missing(&["one 999", "...", "three ..."], seen), None);
        assert_eq!(missing(&["two 3"], seen), Some("two 3"));
        assert_eq!(missing(&["two 2", "one 10"], seen), Some("one 10"));
    }

    #[test]
    fn the_command_lines_parse() {
        let mut parsed = 0;
        let mut documents = vec![read(README).unwrap()];
        documents.extend(decisions().into_iter().map(|(_, _, text)| text));
        for document in &documents {
            let in_blocks =
                ["console", "sh"].into_iter().flat_map(|language| blocks(document, language)).flatten();
            let in_text = document.lines().filter(|line| !line.starts_with(['$', '`'])).flat_map(quoted);
            for line in in_blocks.chain(in_text) {
                let line = line.trim_start_matches(PROMPT);
                let Some(words) = line.strip_prefix("cargo reprise ") else { continue };
                // The shell's part; placeholders; help, which would end this process.
                let words = words.split(';').next().unwrap_or(words).replace(['[', ']'], "");
                if words.contains("--help") {
                    continue;
                }
                let words = std::iter::once("reprise").chain(words.split_whitespace()).map(Into::into);
                if let Err(why) = cli::parse(words) {
                    panic!("{line}: {why:?}");
                }
                parsed += 1;
            }
        }
        assert!(parsed > 10, "only {parsed} command lines were found");
    }

    #[test]
    fn the_table_of_folders_is_complete() {
        let readme = read(README).unwrap();
        let named: BTreeSet<String> = rows(&readme)
            .filter_map(|cells| cells.first()?.strip_prefix('`')?.strip_suffix("/`").map(str::to_owned))
            .collect();
        let entries = fs::read_dir(artifacts::root()).unwrap().map(Result::unwrap);
        let real: BTreeSet<String> = entries
            .filter(|entry| entry.file_type().unwrap().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.') && name != "target")
            .collect();
        assert_eq!(named, real);
    }

    #[test]
    fn decisions_have_numbers_of_their_own_and_all_parts() {
        let all = decisions();
        assert!(!all.is_empty());
        let numbers: BTreeSet<&str> = all.iter().map(|(number, ..)| number.as_str()).collect();
        assert_eq!(numbers.len(), all.len(), "two decisions have one number");
        for (number, name, text) in &all {
            assert!(number.len() == 4 && number.parse::<u16>().is_ok(), "{name} has no number");
            let title = format!("# {number}: ");
            for part in [
                &title,
                "\n- Status: ",
                "\n- Date: ",
                "\n## Context\n",
                "\n## Decision\n",
                "\n## Consequences\n",
            ] {
                assert!(text.contains(part), "{name}: no {part:?}");
            }
        }
    }

    #[test]
    fn files_that_documents_name_are_there() {
        let mut documents = vec![(README.to_owned(), read(README).unwrap())];
        documents.extend(decisions().into_iter().map(|(_, name, text)| (name, text)));
        for (name, text) in &documents {
            let words = text.lines().filter(|line| !line.starts_with("```")).flat_map(quoted);
            let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            for path in words.chain(links).filter(|word| !word.contains([' ', '*'])) {
                let ours = ["kernel/", "pe-replay/", "pmu/", "harness/", "user/", "benches/", "ci/"];
                if ours.iter().any(|folder| path.starts_with(folder)) {
                    assert!(artifacts::root().join(path).exists(), "{name} names {path}");
                }
            }
        }
    }

    #[test]
    fn the_attacks_of_decision_1_exist_and_none_is_left_out() {
        let text = read(NORMAL_FORM).unwrap();
        let expectations = read("user/hostile/expect.toml").unwrap();
        let mut named = BTreeSet::new();
        for cells in rows(&text) {
            let Some(attacks) = cells.iter().find(|cell| cell.starts_with("`hostile-")) else { continue };
            let mut program = "";
            for word in quoted(attacks) {
                if word.starts_with("hostile-") {
                    program = word;
                    named.insert(word.to_owned());
                    continue;
                }
                let section = expectations.split(&format!("[expect.{program}]")).nth(1).unwrap_or_default();
                let section = section.split("\n[").next().unwrap_or_default();
                assert!(section.contains(&format!("\"{word}\"")), "{program} has no case {word}");
            }
        }
        let real: BTreeSet<String> = artifacts::hostile_names().unwrap().into_iter().collect();
        assert_eq!(named, real);
    }
}
