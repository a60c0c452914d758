// SPDX-License-Identifier: MIT
//! The documents say what is so: commands, their output, folders, keys, links, decisions.
//!
//! In README.md and in the pages of `docs/src` a block marked `console` is run command by command and must show what
//! it shows. A block marked `sh` is not run; a comment in the line before it, `<!-- not run: REASON -->`, says why, and
//! [`REASONS`] are all that there are. `--bless` writes what the commands show now into the blocks.

#[cfg(test)]
mod consistency;
mod figures;
mod keys;
#[cfg(test)]
mod links;
#[cfg(test)]
mod options;
mod shown;
mod whole;

use std::fs;

use anyhow::{Context as _, Result};

use super::Test;
#[cfg(test)]
use crate::docs::SUMMARY;
use crate::docs::{BOOK, pages};
use crate::workload::artifacts;

pub const TESTS: &[Test] = &[
    Test { name: KEEPS, run: shown::commands_show },
    Test { name: "documents::pages_name_the_keys_of_the_summaries", run: keys::are_named },
    Test { name: "documents::the_book_is_made", run: whole::is_made },
];

/// The test that can write figures anew.
pub const KEEPS: &str = "documents::commands_show_what_documents_show";

const README: &str = "README.md";
/// Where the decisions stand.
#[cfg(test)]
const DECISIONS: &str = "ci/decisions";
/// The language of blocks that are run.
const RUN: &str = "console";
/// The language of blocks that are not run.
#[cfg(test)]
const NOT_RUN: &str = "sh";
/// Why a command may not be run, word for word.
#[cfg(test)]
const REASONS: &[&str] = &[
    "it is what runs this test",
    "it is how one comes here",
    "it takes minutes",
    "another test runs the like",
    "it installs something",
    "it needs something that is not installed",
    "it opens a window",
    "it writes into the repository",
];
/// What stands before a command.
const PROMPT: &str = "$ ";

/// A file by its path in the repository.
fn read(name: &str) -> Result<String> {
    fs::read_to_string(artifacts::root().join(name)).with_context(|| name.to_owned())
}

/// The documents whose commands are run, in the order in which they are read: README.md, then the pages of the book.
fn documents() -> Result<Vec<(String, String)>> {
    let pages = pages()?.into_iter().map(|page| format!("{BOOK}/{page}"));
    let names = std::iter::once(README.to_owned()).chain(pages);
    names.map(|name| Ok((name.clone(), read(&name)?))).collect()
}

/// The decisions, by number.
#[cfg(test)]
fn decisions() -> Vec<(String, String)> {
    let files = fs::read_dir(artifacts::root().join(DECISIONS)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.map(|name| format!("{DECISIONS}/{name}")).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), read(&name).unwrap())).collect()
}

/// Every document of the repository.
#[cfg(test)]
fn all_documents() -> Vec<(String, String)> {
    let others = [SUMMARY, "user/README.md", "benches/README.md", "benches/tables.md", "ci/README.md"];
    let others = others.map(|name| (name.to_owned(), read(name).unwrap()));
    [documents().unwrap(), others.into(), decisions()].concat()
}
