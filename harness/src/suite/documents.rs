// SPDX-License-Identifier: MIT
//! The documents say what is so: commands, their output, folders, keys, decisions.
//!
//! In the README a block marked `console` is run line by line and must show what it shows;
//! a block marked `sh` is read only. A line `...` stands for any lines, and `...` at the end
//! of a line for the rest of it: that, in the reader's sight, is the one way to leave out what
//! differs from one machine or day to another (times, versions, paths). All else is compared word by
//! word, numbers to the place to which they are rounded in the document. `--bless` writes what
//! the commands show now into the blocks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Context, PATIENCE, Test};
use crate::host::process;
use crate::workload::artifacts;

pub const TESTS: &[Test] = &[
    Test { name: KEEPS, run: commands_show },
    Test { name: "documents::readme_names_the_keys_of_the_summary", run: keys_are_named },
];

/// The test that can write figures anew.
pub const KEEPS: &str = "documents::readme_shows_what_commands_show";

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

/// Where digits of a number stand in a word, if it is one: with what is around them, `0x`, a comma or a sign of percent.
fn number(word: &str) -> Option<&str> {
    let digits = word
        .trim_start_matches("0x")
        .trim_end_matches([',', ':', ';', '%', '.', ')'])
        .trim_start_matches('(');
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.chars().all(|each| each.is_ascii_hexdigit() || each == '.' || each == ',');
    is_number.then_some(digits)
}

/// A line without its numbers, by which what was printed instead of it is known.
fn shape(line: &str) -> String {
    line.split_whitespace()
        .map(|word| if number(word).is_some() { "#" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether a word that a document shows stands for one that was printed: it is the same, or a number
/// that is rounded to fewer places.
fn stands_for(shown: &str, seen: &str) -> bool {
    if shown == seen {
        return true;
    }
    let (Some(rounded), Some(exact)) = (number(shown), number(seen)) else { return false };
    let places = rounded.split_once('.').map_or(0, |(_, places)| places.len());
    let Ok(value) = exact.replace(',', "").parse::<f64>() else { return false };
    exact.contains('.') && format!("{value:.places$}") == rounded.replace(',', "")
}

/// Words of a line that is shown, without what stands for the rest of it, and whether there is a rest.
fn words(shown: &str) -> (Vec<&str>, bool) {
    match shown.strip_suffix(ANYTHING) {
        Some(start) => (start.split_whitespace().collect(), true),
        None => (shown.split_whitespace().collect(), false),
    }
}

/// Whether a line that is shown stands for one that was printed.
fn line_stands_for(shown: &str, seen: &str) -> bool {
    let (shown, open) = words(shown);
    let seen: Vec<&str> = seen.split_whitespace().collect();
    let fits = if open { shown.len() <= seen.len() } else { shown.len() == seen.len() };
    fits && shown.iter().zip(seen).all(|(shown, seen)| stands_for(shown, seen))
}

/// Whether a printed line is what a shown one has become: the same but for its numbers.
fn has_shape_of(shown: &str, seen: &str) -> bool {
    let (start, open) = words(shown);
    let seen: Vec<&str> = seen.split_whitespace().collect();
    let fits = if open { start.len() <= seen.len() } else { start.len() == seen.len() };
    fits && shape(&start.join(" ")) == shape(&seen[..start.len().min(seen.len())].join(" "))
}

/// A printed line as a document shows it: as far as `shown` goes.
fn shown_as(shown: &str, seen: &str) -> String {
    let (start, open) = words(shown);
    if !open {
        return seen.to_owned();
    }
    let mut end = 0;
    for _ in &start {
        let word = seen[end..].find(|letter: char| !letter.is_whitespace()).map_or(seen.len(), |at| end + at);
        end = seen[word..].find(char::is_whitespace).map_or(seen.len(), |at| word + at);
    }
    format!("{} {ANYTHING}", &seen[..end])
}

/// The lines that are to be shown, each as it is printed now; the first that nothing like it was printed for is an error.
fn renewed(shown: &[&str], seen: &str) -> Result<Vec<String>> {
    let mut seen = seen.lines();
    let mut lines = Vec::new();
    for line in shown {
        if *line == ANYTHING {
            lines.push((*line).to_owned());
            continue;
        }
        let mut rest = seen.clone();
        let same = rest.find(|seen| line_stands_for(line, seen));
        if same.is_some() {
            lines.push((*line).to_owned());
            seen = rest;
            continue;
        }
        let like = seen.find(|seen| has_shape_of(line, seen));
        let like = like.with_context(|| format!("nothing like `{line}`"))?;
        lines.push(shown_as(line, like));
    }
    Ok(lines)
}

/// Runs a command of a document, and returns what it printed.
fn printed(context: &Context, command: &str, directory: &Path) -> Result<String> {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{CARGO}\n{{ {command}\n}} 2>&1")])
        .env("REPRISE", &context.reprise)
        .env("TMPDIR", directory)
        .current_dir(artifacts::root());
    let output = process::output(&mut shell, PATIENCE)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn commands_show(context: &Context) -> Result<()> {
    let readme = read(README)?;
    // Where `--dry-run` leaves its files.
    let directory = tempfile::tempdir()?;
    let mut text = readme.clone();
    for block in blocks(&readme, "console") {
        let mut rest = &block[..];
        while let Some((first, after)) = rest.split_first() {
            let command = first.strip_prefix(PROMPT).with_context(|| format!("no command before {first}"))?;
            let length = after.iter().position(|line| line.starts_with(PROMPT)).unwrap_or(after.len());
            let (shown, next) = after.split_at(length);
            let seen = printed(context, command, directory.path())?;
            let tail = || seen.lines().rev().take(5).collect::<Vec<_>>();
            let now = renewed(shown, &seen)
                .with_context(|| format!("`{command}`; its last lines, backwards: {:?}", tail()))?;
            let changed = shown.iter().zip(&now).find(|(line, now)| *line != now);
            if let Some((line, now)) = changed {
                ensure!(
                    context.blesses(),
                    "`{command}` shows `{now}`, not `{line}`; `cargo reprise test documents --bless` writes it down"
                );
            }
            let block = |lines: &[String]| [&[(*first).to_owned()], lines].concat().join("\n") + "\n";
            let before = block(&shown.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
            text = text.replacen(&before, &block(&now), 1);
            rest = next;
        }
    }
    if text != readme {
        fs::write(artifacts::root().join(README), text).context(README)?;
        println!("{README} has new figures");
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
    }

    #[test]
    fn a_figure_is_compared_to_the_place_to_which_it_is_rounded() {
        for (shown, seen) in [
            ("total  115532252", "total 115532252"),
            ("ratio 2.13", "ratio 2.126"),
            ("share 37.9 %", "share 37.88 %"),
            ("three ...", "three and more"),
            ("at 0x86ae92ef: ...", "at 0x86ae92ef: what follows"),
        ] {
            assert!(line_stands_for(shown, seen), "{shown} for {seen}");
        }
        for (shown, seen) in [
            ("total 115532252", "total 115532253"),
            ("total 1155322", "total 115532252"),
            ("ratio 2.12", "ratio 2.126"),
            ("ratio 2.126", "ratio 2.13"),
            ("r13: 0x86ae92ef", "r13: 0x86ae92ee"),
            ("9 of 9 checks hold", "8 of 9 checks hold"),
            ("three ...", "four and more"),
            ("one two", "one two three"),
        ] {
            assert!(!line_stands_for(shown, seen), "{shown} for {seen}");
        }
    }

    #[test]
    fn lines_are_renewed_figure_by_figure() {
        let seen = "one   10\ntwo 2\nthree 3.26 and more\nend\n";
        let renew = |shown: &[&str]| renewed(shown, seen).map_err(|error| error.to_string());
        let lines = |lines: &[&str]| Ok(lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            renew(&["one 10", "...", "three 3.3 ...", "end"]),
            lines(&["one 10", "...", "three 3.3 ...", "end"])
        );
        assert_eq!(renew(&["one 11", "two 7"]), lines(&["one   10", "two 2"]));
        assert_eq!(renew(&["three 3.4 ..."]), lines(&["three 3.26 ..."]));
        assert_eq!(renew(&["four 4"]), Err("nothing like `four 4`".to_owned()));
        // In order: what was passed does not come again.
        assert_eq!(renew(&["two 2", "one 10"]), Err("nothing like `one 10`".to_owned()));
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

    /// The documents whose paths are checked, with the folder that each stands in.
    fn documents() -> Vec<(String, String)> {
        let mut names: Vec<String> = [README, "user/README.md", "benches/README.md"].map(Into::into).into();
        names.extend(decisions().into_iter().map(|(_, name, _)| format!("{DECISIONS}/{name}")));
        names.into_iter().map(|name| (read(&name).unwrap(), name)).map(|(text, name)| (name, text)).collect()
    }

    /// The words of a text that look like a path in the tree: parts with `/` between them, of which the first is one of
    /// the tree's folders or the last has the ending of a source or document.
    fn paths(text: &str) -> Vec<&str> {
        const FOLDERS: [&str; 7] = ["kernel", "pe-replay", "pmu", "harness", "user", "benches", "ci"];
        const ENDINGS: [&str; 8] = [".rs", ".c", ".h", ".md", ".toml", ".svg", ".txt", ".x"];
        let is_in_name = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
        let words = text.split(|letter: char| !is_in_name(letter) && letter != ':' && letter != '$');
        let path = |word: &&str| {
            let Some((first, _)) = word.split_once('/') else { return false };
            let inside = FOLDERS.contains(&first) || ENDINGS.iter().any(|ending| word.ends_with(ending));
            let elsewhere =
                first.is_empty() || first == "target" || word.contains("//") || word.contains([':', '$']);
            // A placeholder is in capitals.
            let placeholder = word.split(['/', '.', '-']).any(|part| ["NAME", "NNNN"].contains(&part));
            inside && !elsewhere && !placeholder
        };
        words.map(|word| word.trim_end_matches(['.', ':', '-'])).filter(path).collect()
    }

    #[test]
    fn paths_are_known_among_words() {
        let text = "see `kernel/src/main.rs`, (user/c), src/lib.rs: and/or 3/4 n/a, /etc/x.c, target/x.c, user/c/NAME.c; ci/.";
        assert_eq!(paths(text), ["kernel/src/main.rs", "user/c", "src/lib.rs", "ci/"]);
    }

    #[test]
    fn files_that_documents_name_are_there() {
        let mut seen = 0;
        for (name, text) in documents() {
            let folder = artifacts::root().join(&name).parent().unwrap().to_owned();
            for path in paths(&text) {
                let found = [artifacts::root(), &folder].iter().any(|place| place.join(path).exists());
                assert!(found, "{name} names {path}");
                seen += 1;
            }
        }
        assert!(seen > 80, "only {seen} paths were found");
    }

    #[test]
    fn the_list_of_user_programs_is_complete() {
        let readme = read("user/README.md").unwrap();
        let named: BTreeSet<String> = rows(&readme)
            .filter_map(|cells| quoted(cells.first()?).next()?.split(' ').next().map(str::to_owned))
            .collect();
        let (c, bench, hostile) =
            (artifacts::c_names(), artifacts::bench_names(), artifacts::hostile_names());
        let own = ["rt", "showcase"].map(str::to_owned).to_vec();
        let real: BTreeSet<String> =
            [c.unwrap(), bench.unwrap(), hostile.unwrap(), own].concat().into_iter().collect();
        let differing: Vec<_> = named.symmetric_difference(&real).collect();
        assert!(differing.is_empty(), "named but not there, or the other way: {differing:?}");
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
