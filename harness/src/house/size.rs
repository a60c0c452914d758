// SPDX-License-Identifier: MIT
//! How many lines of code the engine has, and the entry path: what has to be right for a commit, and what a program comes
//! into the kernel by, should be short enough to be read.
//!
//! Lines are counted in which something stands besides comments; documentation and what is compiled for tests only
//! is not counted. `cargo test -p harness size -- --nocapture` prints the figures.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::source::Source;

/// The crates of the engine.
const ENGINE: [&str; 2] = ["pe-replay/src/lib.rs", "pmu/src/lib.rs"];
/// The most lines that they may have.
const MOST: usize = 3_900;

/// The way to user mode and all ways back.
const ENTRY_PATH: [&str; 2] = ["kernel/src/arch/x86_64/entry.rs", "kernel/src/arch/x86_64/exit.rs"];
/// The most lines that they may have, what isolates the kernel included.
const MOST_OF_ENTRY_PATH: usize = 283;

/// The numbers of the lines in which tokens stand that are neither documentation nor for tests only.
fn lines(tokens: TokenStream, found: &mut BTreeSet<usize>) {
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        if is_mark(&token, '#') {
            rest.next_if(|token| is_mark(token, '!'));
            let attribute = rest.peek().map(ToString::to_string).unwrap_or_default();
            if attribute.starts_with("[doc") {
                rest.next();
                continue;
            }
            if attribute == "[cfg (test)]" {
                // What it is said of ends with a semicolon or a body.
                rest.find(|token| is_mark(token, ';') || is_body(token));
                continue;
            }
        }
        found.extend([token.span().start().line, token.span().end().line]);
        if let TokenTree::Group(group) = token {
            lines(group.stream(), found);
        }
    }
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_body(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

/// The lines of code of one file.
fn of_text(text: &str) -> Result<usize> {
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{error}"))?;
    let mut found = BTreeSet::new();
    lines(tokens, &mut found);
    Ok(found.len())
}

/// The lines of code of a crate.
fn of_crate(root: &Path) -> Result<usize> {
    let source = Source::read(root)?;
    let files: BTreeSet<_> = source.modules.iter().map(|module| &module.file).collect();
    files.into_iter().try_fold(0, |sum, file| {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        Ok(sum + of_text(&text).with_context(|| file.display().to_string())?)
    })
}

#[test]
fn the_engine_is_small() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let sizes = ENGINE.map(|root| of_crate(&workspace.join(root)).unwrap());
    for (root, size) in ENGINE.iter().zip(sizes) {
        println!("{size:6} lines of code in {root} and below");
    }
    let all: usize = sizes.iter().sum();
    println!("{all:6} lines of code in the engine");
    assert!(all <= MOST, "the engine has {all} lines of code, {MOST} at most are allowed");
}

#[test]
fn the_entry_path_is_small() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let size = |file: &str| of_text(&fs::read_to_string(workspace.join(file)).unwrap()).unwrap();
    let all: usize = ENTRY_PATH.into_iter().map(size).sum();
    println!("{all:6} lines of code in the entry path");
    assert!(
        all <= MOST_OF_ENTRY_PATH,
        "the entry path has {all} lines, {MOST_OF_ENTRY_PATH} at most are allowed"
    );
}

#[test]
fn only_code_is_counted() {
    let text = "//! Words.\n\n/// Words.\n#[inline]\nfn one() {\n    // Words.\n    two();\n}\n\n#[cfg(test)]\nmod tests {\n    fn three() {}\n}\n#[cfg(test)]\nuse four::five;\n";
    assert_eq!(of_text(text).unwrap(), 4);
}
