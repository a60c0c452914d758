// SPDX-License-Identifier: MIT
//! `cargo reprise docs`: the book as pages for a browser.
//!
//! mdBook makes them, in a program of its own (`docs/book`), which nobody builds who does not ask for the book.

mod layout;
pub mod markdown;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::host::children;
use crate::workload::artifacts;

/// Where the book's pages stand.
pub const BOOK: &str = "docs/src";
/// The list of the book's pages.
pub const SUMMARY: &str = "docs/src/SUMMARY.md";
/// The package that makes the pages for a browser.
const MAKER: &str = "book";
/// Where they are if no place is named.
const OUT: &str = "target/book";
/// What a folder with a book in it has.
const CONTENTS: &str = "toc.html";

/// What is asked of the command.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder for the pages.
    pub out: Option<PathBuf>,
}

/// Makes the book and says where it is; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    let out = match &options.out {
        Some(path) => env::current_dir().context("no current folder")?.join(path),
        None => artifacts::root().join(OUT),
    };
    ensure_free(&out)?;
    let place = tempfile::tempdir()?;
    layout::lay_out(place.path())?;
    let mut command = artifacts::cargo();
    command.arg("run");
    if artifacts::root().join("target/debug").join(MAKER).exists() {
        command.arg("--quiet");
    }
    command.args(["--package", MAKER, "--"]).arg(place.path()).arg(&out);
    let status = children::status(&mut command).context("cannot start cargo")?;
    ensure!(status.success(), "the book was not made ({status})");
    println!("{}", out.join("index.html").display());
    Ok(0)
}

/// Fails if a folder has something in it that is no book, since mdBook begins by emptying it.
fn ensure_free(folder: &Path) -> Result<()> {
    let named = || folder.display().to_string();
    if !folder.try_exists().with_context(named)? || folder.join(CONTENTS).exists() {
        return Ok(());
    }
    let is_empty = fs::read_dir(folder).with_context(named)?.next().is_none();
    ensure!(is_empty, "--out {}: the folder is not empty, and no book is in it", named());
    Ok(())
}

/// The pages that the book's summary lists, in its order.
pub fn pages() -> Result<Vec<String>> {
    let summary = fs::read_to_string(artifacts::root().join(SUMMARY)).context(SUMMARY)?;
    Ok(markdown::links(&summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_else_is_not_emptied() {
        let place = tempfile::tempdir().unwrap();
        assert!(ensure_free(&place.path().join("new")).is_ok());
        assert!(ensure_free(place.path()).is_ok());
        fs::write(place.path().join("letter.txt"), "").unwrap();
        let error = ensure_free(place.path()).unwrap_err().to_string();
        assert!(error.contains("not empty"), "{error}");
        assert!(ensure_free(&place.path().join("letter.txt")).is_err());
        fs::write(place.path().join(CONTENTS), "").unwrap();
        assert!(ensure_free(place.path()).is_ok());
    }
}
