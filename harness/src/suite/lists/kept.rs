// SPDX-License-Identifier: MIT
//! What is kept of a list in the repository: parameters, and the hashes of its blocks; and what it says when the list
//! of today is another one.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::list::{self, BLOCK, Line};
use super::origin::Origin;
use crate::workload::artifacts;

/// The command that keeps the lists of today.
const BLESS: &str = "cargo reprise test lists --bless";

/// A list of today.
#[derive(Clone)]
pub struct Found {
    /// `qemu` or `bochs`.
    pub machine: &'static str,
    /// The list's name: the program's.
    pub name: String,
    /// Which executable it is of.
    pub origin: Origin,
    /// What it is given.
    pub input: String,
    /// Processes.
    pub processes: u32,
    /// Threads of all of them.
    pub threads: usize,
    /// The lines.
    pub lines: Vec<Line>,
}

/// What became of a list that was held against the one that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The two lists are the same.
    Same,
    /// Another compiler made another executable, of which nothing is kept.
    Foreign,
}

impl Found {
    /// What a mode came to, under a name of its own.
    pub fn in_mode(&self, mode: &str, lines: &[Line]) -> Self {
        let name = format!("{}.{mode}", self.name);
        Self { name, lines: lines.to_vec(), ..self.clone() }
    }

    /// What is kept of it: a line a word, then a line a block.
    pub fn text(&self) -> String {
        let Self { machine, name, origin: Origin { made_by, executable }, input, processes, lines, .. } =
            self;
        let mut text = String::new();
        for (key, value) in [
            ("program", format!("{name} on {machine}")),
            ("made by", made_by.clone()),
            ("executable", executable.clone()),
            ("input", input.clone()),
            ("processes", processes.to_string()),
            ("lines", lines.len().to_string()),
        ] {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{key}: {value}");
        }
        text + &list::blocks(lines)
    }

    /// Where it is kept, from the root.
    fn path(&self) -> String {
        format!("{KEPT}/{}/{}", self.machine, self.name)
    }

    /// Where all of its lines are, from the root, for `diff`.
    pub fn written_to(&self) -> String {
        format!("target/lists/{}/{}", self.machine, self.name)
    }

    /// Writes all of its lines there.
    pub fn write_out(&self) -> Result<()> {
        write(&self.written_to(), &list::text(&self.lines))
    }

    /// Removes what was written of it before.
    pub fn remove(&self) -> Result<()> {
        let path = artifacts::root().join(self.written_to());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| path.display().to_string())
            }
            _ => Ok(()),
        }
    }

    /// Holds it against the one that is kept.
    pub fn check(&self) -> Result<Held> {
        let path = artifacts::root().join(self.path());
        match fs::read_to_string(&path) {
            Ok(kept) => self.compare(&kept),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("{} on {} has no list; to keep it: {BLESS}", self.name, self.machine)
            }
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Holds it against such a text.
    pub fn compare(&self, kept: &str) -> Result<Held> {
        let found = self.text();
        if kept == found {
            return Ok(Held::Same);
        }
        let Self { machine, name, .. } = self;
        let what = format!("{name} on {machine}");
        let differs = |key: &str| value(kept, key) != value(&found, key);
        if differs("executable") {
            if differs("made by") {
                return Ok(Held::Foreign);
            }
            bail!(
                "{what}: its list is of another executable, made by the same; if its source changed: {BLESS}"
            );
        }
        for key in ["program", "input"] {
            if differs(key) {
                let (kept, found) = (value(kept, key), value(&found, key));
                bail!(
                    "{what}: {key} is {found:?}, and was {kept:?} when the list was made; if meant: {BLESS}"
                );
            }
        }
        let count = self.lines.len();
        let Some(Changed { first, pages_only, .. }) = changed(kept, &found) else {
            bail!("{what}: {} is not what this tool writes; to write it anew: {BLESS}", self.path());
        };
        let last = (first + BLOCK).min(count).saturating_sub(1);
        let part = if pages_only { "the pages written, and nothing else, " } else { "" };
        bail!(
            "{what}: {part}in lines {first} to {last} of {count} are not those that {path} was made from. All lines are \
             in {written}: run `cargo reprise test lists` in a clone of the commit before and \
             `diff` both. If that is meant: {BLESS}",
            path = self.path(),
            written = self.written_to(),
        )
    }

    /// Keeps it; says what changed.
    pub fn bless(&self) -> Result<Option<String>> {
        let path = self.path();
        let kept = fs::read_to_string(artifacts::root().join(&path)).unwrap_or_default();
        let said = self.change(&kept);
        if said.is_some() {
            write(&path, &self.text())?;
        }
        Ok(said)
    }

    /// What changes if this list takes the place of the one that is kept.
    fn change(&self, kept: &str) -> Option<String> {
        let found = self.text();
        if kept == found {
            return None;
        }
        let (path, count) = (self.path(), self.lines.len());
        if kept.is_empty() {
            return Some(format!("{path}: new, {count} lines"));
        }
        let executable = value(kept, "executable") != value(&found, "executable");
        let why = match (executable, self.threads) {
            (true, _) => "; the executable is another one",
            (false, 1) => "; THE PROGRAM IS THE SAME AND HAS ONE THREAD: its lines must not change",
            (false, _) => "; it has several threads, whose turns may have changed: say why",
        };
        let blocks = match changed(kept, &found) {
            Some(Changed { first, blocks, .. }) => {
                let lines = (blocks * BLOCK).min(count);
                format!("up to {lines} of {count} lines changed, from line {first} on{why}")
            }
            None => "no line changed, only what it is given".to_owned(),
        };
        Some(format!("{path}: {blocks}"))
    }
}

/// Which blocks of two lists differ.
struct Changed {
    /// The first line of the first one.
    first: usize,
    /// How many they are.
    blocks: usize,
    /// Whether it is the pages alone.
    pages_only: bool,
}

fn changed(kept: &str, found: &str) -> Option<Changed> {
    let blocks = |text: &str| -> Vec<Vec<String>> {
        let words = text.lines().filter(|line| !line.contains(": ")).map(str::split_whitespace);
        words.map(|words| words.map(str::to_owned).collect()).collect()
    };
    let (kept, found) = (blocks(kept), blocks(found));
    let differing = (0..kept.len().max(found.len())).filter(|index| kept.get(*index) != found.get(*index));
    let differing: Vec<usize> = differing.collect();
    let same_state = |index: &usize| {
        let state = |blocks: &[Vec<String>]| blocks.get(*index).and_then(|words| words.get(1).cloned());
        state(&kept) == state(&found)
    };
    let first = *differing.first()?;
    Some(Changed {
        first: first * BLOCK,
        blocks: differing.len(),
        pages_only: differing.iter().all(same_state),
    })
}

/// A value of a kept list.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
}

/// Where lists are kept.
const KEPT: &str = "ci/lists";

fn write(path: &str, text: &str) -> Result<()> {
    let path = artifacts::root().join(path);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Lists of a machine that are kept and have none of these names.
pub fn left_over(machine: &str, names: &[String]) -> Result<Vec<PathBuf>> {
    let directory = artifacts::root().join(KEPT).join(machine);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| directory.display().to_string()),
    };
    let mut left = Vec::new();
    for entry in entries {
        let entry = entry?;
        if !names.iter().any(|name| entry.file_name() == name.as_str()) {
            left.push(entry.path());
        }
    }
    left.sort();
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Found {
        let line = |at: usize| Line { state: format!("state {at}"), pages: format!("pages {at}") };
        Found {
            machine: "qemu",
            name: "sorter".to_owned(),
            origin: Origin { made_by: "gcc 12".to_owned(), executable: "0123".to_owned() },
            input: "seed 1".to_owned(),
            processes: 1,
            threads: 1,
            lines: (0..700).map(line).collect(),
        }
    }

    fn error(found: &Found, kept: &str) -> String {
        found.compare(kept).unwrap_err().to_string()
    }

    #[test]
    fn a_list_is_held_against_what_is_kept_of_it() {
        let kept = found().text();
        assert!(
            kept.starts_with("program: sorter on qemu\nmade by: gcc 12\nexecutable: 0123\ninput: seed 1\n")
        );
        assert_eq!(found().compare(&kept).unwrap(), Held::Same);
        assert_eq!(found().change(&kept), None);
    }

    #[test]
    fn what_differs_is_named_with_program_block_and_command() {
        let kept = found().text();
        let mut other = found();
        other.lines[300].pages.push('!');
        let said = error(&other, &kept);
        assert!(
            said.contains("sorter on qemu: the pages written, and nothing else, in lines 256 to 511 of 700"),
            "{said}"
        );
        assert!(said.contains("target/lists/qemu/sorter") && said.ends_with(BLESS), "{said}");
        other.lines[690].state.push('!');
        assert!(error(&other, &kept).contains("sorter on qemu: in lines 256 to 511 of 700"), "{said}");
        let mut shorter = found();
        shorter.lines.truncate(512);
        assert!(error(&shorter, &kept).contains("in lines 512 to 511 of 512"), "{}", error(&shorter, &kept));
        let other = Found { input: "seed 2".to_owned(), ..found() };
        assert!(error(&other, &kept).contains("input is Some(\"seed 2\")"), "{}", error(&other, &kept));
        assert!(
            error(&found(), &kept.replace("lines: 700", "lines: 7")).contains("is not what this tool writes")
        );
    }

    /// A changed source is told, another compiler is not held against anyone.
    #[test]
    fn another_executable_is_told_apart_by_what_made_it() {
        let kept = found().text();
        let origin = |made_by: &str, executable: &str| Origin {
            made_by: made_by.to_owned(),
            executable: executable.to_owned(),
        };
        let same_maker = Found { origin: origin("gcc 12", "4567"), ..found() };
        assert!(error(&same_maker, &kept).contains("another executable, made by the same"));
        let other_maker = Found { origin: origin("gcc 14", "4567"), ..found() };
        assert_eq!(other_maker.compare(&kept).unwrap(), Held::Foreign);
        // What another compiler makes alike is compared.
        let mut alike = Found { origin: origin("gcc 14", "0123"), ..found() };
        alike.lines[0].state.push('!');
        assert!(error(&alike, &kept).contains("in lines 0 to 255"));
    }

    #[test]
    fn a_change_of_a_program_of_one_thread_is_called_out() {
        let kept = found().text();
        let mut other = found();
        other.lines[300].state.push('!');
        let said = other.change(&kept).unwrap();
        assert!(
            said.starts_with("ci/lists/qemu/sorter: up to 256 of 700 lines changed, from line 256 on"),
            "{said}"
        );
        assert!(said.contains("HAS ONE THREAD"), "{said}");
        // Of one process, or of several.
        other.threads = 3;
        assert!(other.change(&kept).unwrap().contains("several threads"));
        other.origin.executable = "4567".to_owned();
        assert!(other.change(&kept).unwrap().ends_with("the executable is another one"));
        assert_eq!(found().change("").unwrap(), "ci/lists/qemu/sorter: new, 700 lines");
    }
}
