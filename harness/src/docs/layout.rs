// SPDX-License-Identifier: MIT
//! The book laid out for mdBook: its pages, and everything in the repository that they lead to.
//!
//! Files stand as they do in the repository, so links lead where they lead there, and no page needs a file that is not
//! part of the book. A document that a page links to becomes a page, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::markdown::{headings, links};
use super::{BOOK, SUMMARY, pages};
use crate::workload::artifacts;

/// The first page.
const FRONT: &str = "README.md";
/// What stands beside the pages.
const SETTINGS: [&str; 2] = ["book.toml", "book.css"];
const DECISIONS: &str = "ci/decisions/";

/// Writes settings, summary and all files of the book into a folder.
pub fn lay_out(folder: &Path) -> Result<()> {
    let root = artifacts::root();
    let source = folder.join("src");
    let pages: BTreeSet<String> = pages()?.into_iter().map(|page| format!("{BOOK}/{page}")).collect();
    let mut waiting: Vec<String> = pages.iter().cloned().chain([FRONT.to_owned()]).collect();
    let mut seen = BTreeSet::new();
    let mut others = Vec::new();
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let place = source.join(&name);
        fs::create_dir_all(place.parent().unwrap_or(&source))?;
        fs::copy(root.join(&name), &place).with_context(|| name.clone())?;
        if !name.ends_with(".md") {
            continue;
        }
        let text = fs::read_to_string(&place).with_context(|| name.clone())?;
        for link in links(&text) {
            waiting.extend(end(&name, &link)?);
        }
        if name != FRONT && !pages.contains(&name) {
            others.push((title(&text).with_context(|| format!("{name}: no heading"))?, name));
        }
    }
    others.sort_by(|(_, one), (_, other)| one.cmp(other));
    let summary = fs::read_to_string(root.join(SUMMARY)).context(SUMMARY)?;
    fs::write(source.join("SUMMARY.md"), whole(&summary, &others))?;
    for name in SETTINGS {
        fs::copy(root.join("docs").join(name), folder.join(name)).context(name)?;
    }
    Ok(())
}

fn title(document: &str) -> Option<String> {
    Some(headings(document).into_iter().next()?.title)
}

/// The file that a link of a document leads to, if it is another one of the repository.
fn end(document: &str, link: &str) -> Result<Option<String>> {
    let path = link.split('#').next().unwrap_or_default();
    if path.is_empty() || link.contains("://") {
        return Ok(None);
    }
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.pop().is_none() => bail!("{document}: {link} leads out of the repository"),
            ".." => {}
            part => parts.push(part),
        }
    }
    Ok(Some(parts.join("/")))
}

/// The summary with the front page before its pages, and the other documents, by title and name, behind them.
fn whole(summary: &str, others: &[(String, String)]) -> String {
    let (head, pages) = summary.split_once('\n').unwrap_or((summary, ""));
    let pages = pages.replace("](", &format!("]({BOOK}/"));
    let list = |decisions: bool| -> String {
        let wanted = others.iter().filter(|(_, name)| name.starts_with(DECISIONS) == decisions);
        wanted.map(|(title, name)| format!("- [{title}]({name})\n")).collect()
    };
    let (decisions, documents) = (list(true), list(false));
    format!(
        "{head}\n\n[Reprise]({FRONT})\n{pages}\n# Decisions\n\n{decisions}\n# Other documents\n\n{documents}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_from_where_they_stand() {
        let end = |document, link| end(document, link).map_err(|error| error.to_string());
        let file = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(end("docs/src/a.md", "../../ci/b.md#c"), file("ci/b.md"));
        assert_eq!(end("README.md", "docs/src/a.svg"), file("docs/src/a.svg"));
        assert_eq!(end("docs/src/a.md", "#here"), Ok(None));
        assert_eq!(end("docs/src/a.md", "https://example.org/x.md"), Ok(None));
        assert!(end("docs/a.md", "../../b.md").unwrap_err().contains("out of the repository"));
    }

    #[test]
    fn the_summary_has_all_documents_in_parts() {
        let others = [("0001: A", "ci/decisions/0001-a.md"), ("B", "ci/README.md")];
        let others = others.map(|(title, name)| (title.to_owned(), name.to_owned()));
        let expected = "# Summary\n\n[Reprise](README.md)\n\n- [C](docs/src/c.md)\n\n# Decisions\n\n\
            - [0001: A](ci/decisions/0001-a.md)\n\n# Other documents\n\n- [B](ci/README.md)\n";
        assert_eq!(whole("# Summary\n\n- [C](c.md)\n", &others), expected);
    }

    #[test]
    fn the_book_is_laid_out_with_all_that_it_leads_to() {
        let place = tempfile::tempdir().unwrap();
        lay_out(place.path()).unwrap();
        for name in ["docs/src/architecture.svg", "ci/decisions/0001-normal-form.md", "benches/README.md"] {
            assert!(place.path().join("src").join(name).is_file(), "{name}");
        }
        let summary = fs::read_to_string(place.path().join("src/SUMMARY.md")).unwrap();
        assert!(links(&summary).iter().all(|name| place.path().join("src").join(name).is_file()));
    }
}
