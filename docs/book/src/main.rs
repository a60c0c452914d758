// SPDX-License-Identifier: MIT
//! Makes the pages of a book for a browser, and holds that every link in them has an end.
//!
//! `cargo reprise docs` lays the book out and calls this. It is a program of its own, so that nobody builds mdBook who
//! does not ask for the book.

#![forbid(unsafe_code)]

mod check;
mod page;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use mdbook_driver::MDBook;

fn main() -> ExitCode {
    match make() {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            complaints.iter().for_each(|complaint| eprintln!("book: {complaint}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("book: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the book of one folder in another one; returns what is wrong with it.
fn make() -> Result<Vec<String>> {
    let mut words = env::args_os().skip(1).map(PathBuf::from);
    let (from, to) = words.next().zip(words.next()).context("two folders are needed: from and to")?;
    let mut book = MDBook::load(from)?;
    book.config.build.build_dir = to.clone();
    book.build()?;
    check::complaints(&to)
}
