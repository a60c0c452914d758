// SPDX-License-Identifier: MIT
//! What there is to run: a line each, as `user/README.md` says it.

use std::collections::BTreeSet;

use anyhow::Result;

use super::catalogue::{self, Kind};
use super::init;

/// The tables of all programs.
const TABLES: &str = include_str!("../../../user/README.md");

/// Something to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The words behind `cargo reprise run`, with placeholders in brackets.
    pub words: String,
    /// What it is for.
    pub purpose: String,
}

/// All of it, in the order of the tables.
pub fn entries() -> Result<Vec<Entry>> {
    let programs: BTreeSet<String> = catalogue::names(&Kind::ALL)?.into_iter().collect();
    let tasks: BTreeSet<String> = catalogue::root_tasks()?.into_iter().collect();
    let entry = |(usage, purpose): (&str, &str)| {
        let name = usage.split(' ').next()?;
        let words = match name {
            init::NAME => usage.to_owned(),
            name if programs.contains(name) => usage.to_owned(),
            name if tasks.contains(name) => format!("--nova {usage}"),
            _ => return None,
        };
        Some(Entry { words, purpose: purpose.replace('`', "") })
    };
    Ok(rows(TABLES).filter_map(entry).collect())
}

/// The rows of a document's tables that begin with a name: what stands for it, and the last cell.
fn rows(document: &str) -> impl Iterator<Item = (&str, &str)> {
    document.lines().filter_map(|line| {
        let cells = line.strip_prefix("| `")?.strip_suffix(" |")?;
        let (usage, rest) = cells.split_once("` | ")?;
        Some((usage, rest.rsplit(" | ").next().unwrap_or(rest)))
    })
}

/// All of it as text, a line each.
pub fn text() -> Result<String> {
    let entries = entries()?;
    let width = entries.iter().map(|entry| entry.words.len()).max().unwrap_or_default();
    let line = |Entry { words, purpose }: &Entry| format!("{words:<width$}  {purpose}\n");
    Ok(entries.iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_can_be_run_has_a_line() {
        let words: Vec<String> = entries().unwrap().into_iter().map(|entry| entry.words).collect();
        let listed: BTreeSet<&str> =
            words.iter().filter_map(|words| words.trim_start_matches("--nova ").split(' ').next()).collect();
        let own = vec![init::NAME.to_owned()];
        let all = [catalogue::names(&Kind::ALL).unwrap(), catalogue::root_tasks().unwrap(), own].concat();
        assert_eq!(listed, all.iter().map(String::as_str).collect());
        assert_eq!(words.len(), all.len(), "something has two lines");
    }

    #[test]
    fn rows_are_taken_apart() {
        let table =
            "| program | what |\n| --- | --- |\n| `a [N]` | does `this` |\n| b | c |\n| `x` | y | z |\n";
        assert_eq!(rows(table).collect::<Vec<_>>(), [("a [N]", "does `this`"), ("x", "z")]);
    }
}
