// SPDX-License-Identifier: MIT
//! The book is whole: its summary lists every page, every link of a document has an end, and every command is run or
//! says why not.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use super::{BOOK, NOT_RUN, PROMPT, README, REASONS, RUN, SUMMARY, all_documents, documents, pages, read};
use crate::docs::markdown::{Heading, blocks, headings, links};
use crate::workload::artifacts;

/// Languages of blocks that hold no command.
const QUIET: [&str; 6] = ["text", "json", "xml", "c", "cpp", "rust"];
/// What the README may have of lines: one screen and a half.
const README_LINES: usize = 120;

/// The files of a folder and of those in it, by their paths from there.
fn files(folder: &Path, below: &str) -> Vec<String> {
    let entries = fs::read_dir(folder.join(below)).unwrap().map(Result::unwrap);
    entries
        .flat_map(|entry| {
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() { files(folder, &format!("{name}/")) } else { vec![name] }
        })
        .collect()
}

#[test]
fn the_summary_lists_every_page_once() {
    let listed = pages().unwrap();
    let named: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(named.len(), listed.len(), "{SUMMARY} lists a page twice");
    let pages = files(&artifacts::root().join(BOOK), "").into_iter().filter(|name| name.ends_with(".md"));
    let real: BTreeSet<String> = pages.filter(|name| !SUMMARY.ends_with(&format!("/{name}"))).collect();
    assert_eq!(named, real);
}

/// The names by which links point to the headings of a document, as mdBook and GitHub make them.
fn anchors(document: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let anchor = |Heading { title, .. }| {
        let kept = title.trim().chars().filter(|it| it.is_alphanumeric() || "_- ".contains(*it));
        let name: String =
            kept.map(|it| if it == ' ' { '-' } else { it }).flat_map(char::to_lowercase).collect();
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}-{}", *count - 1) }
    };
    headings(document).into_iter().map(anchor).collect()
}

#[test]
fn headings_have_names() {
    assert_eq!(anchors("# A `b-c`, D\n## Same\n## Same\n"), ["a-b-c-d", "same", "same-1"]);
}

/// What is wrong with a link, if anything is.
fn broken(document: &str, link: &str) -> Option<String> {
    if link.contains("://") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let root = artifacts::root().canonicalize().unwrap();
    let document = root.join(document);
    let end = if path.is_empty() { document } else { document.parent()?.join(path) };
    let Ok(end) = end.canonicalize() else { return Some("there is no such file".to_owned()) };
    let Ok(place) = end.strip_prefix(&root) else { return Some("it leads out of the repository".to_owned()) };
    if place.starts_with("target") {
        return Some("it leads to what is built".to_owned());
    }
    let anchor = anchor?;
    let known = anchors(&fs::read_to_string(&end).ok()?);
    (!known.iter().any(|known| known == anchor)).then(|| format!("there are {known:?}"))
}

#[test]
fn every_link_has_an_end() {
    let mut seen = 0;
    for (name, text) in all_documents() {
        for link in links(&text) {
            let why = broken(&name, &link);
            assert_eq!(why, None, "{name}: {link}");
            seen += 1;
        }
    }
    assert!(seen > 60, "only {seen} links were found");
}

#[test]
fn a_link_without_an_end_is_found() {
    assert_eq!(broken(README, "docs/src/SUMMARY.md"), None);
    assert_eq!(broken(SUMMARY, "../../README.md#reprise"), None);
    assert_eq!(broken(README, "https://example.org/no#thing"), None);
    for link in ["docs/no.md", "../elsewhere", "#no-such-heading", "docs/src/SUMMARY.md#no", "target"] {
        assert!(broken(README, link).is_some(), "{link}");
    }
}

#[test]
fn every_command_is_run_or_says_why_not() {
    let mut run = 0;
    for (name, text) in documents().unwrap() {
        for block in blocks(&text) {
            let first = block.text.lines().next().unwrap_or_default();
            match block.language.as_str() {
                RUN => {
                    assert!(first.starts_with(PROMPT), "{name}: no command: {first}");
                    run += 1;
                }
                NOT_RUN => {
                    let reason = block.comment.and_then(|comment| comment.strip_prefix("not run: "));
                    let reason = reason.unwrap_or_else(|| panic!("{name}: why is `{first}` not run?"));
                    assert!(REASONS.contains(&reason), "{name}: `{first}`: `{reason}` is no reason");
                }
                language => {
                    assert!(QUIET.contains(&language), "{name}: a block of `{language}`: {first}");
                    let command = block
                        .text
                        .lines()
                        .find(|line| line.starts_with(PROMPT) || line.starts_with("cargo "));
                    assert_eq!(command, None, "{name}: a command in a block of `{language}`");
                }
            }
        }
    }
    assert!(run > 20, "only {run} blocks are run");
}

#[test]
fn the_readme_is_short() {
    let lines = read(README).unwrap().lines().count();
    assert!(lines <= README_LINES, "{lines} lines, {README_LINES} at most");
}
