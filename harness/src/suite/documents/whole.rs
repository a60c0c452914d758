// SPDX-License-Identifier: MIT
//! The book for a browser is made, and has all pages and pictures.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::super::Context;
use super::{BOOK, pages, read};
use crate::docs::markdown::{headings, links};
use crate::workload::artifacts;

/// Where the decisions stand.
const DECISIONS: &str = "ci/decisions";

/// The command makes a page of each page and decision, and copies each picture; that every link of them has an end, it
/// holds itself.
pub fn is_made(context: &Context) -> Result<()> {
    let place = tempfile::tempdir()?;
    let book = place.path().join("book");
    let words = ["docs", "--out", book.to_str().context("a path that is not text")?];
    let output = context.reprise(&words, |_| ())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout)?;
    ensure!(said.trim_end() == book.join("index.html").to_string_lossy(), "{said}");
    ensure!(book.join("index.html").is_file(), "there is no first page");

    let pages = pages()?.into_iter().map(|page| format!("{BOOK}/{page}"));
    let decisions = artifacts::stems(DECISIONS, "md")?;
    let decisions = decisions.into_iter().map(|name| format!("{DECISIONS}/{name}.md"));
    let contents = fs::read_to_string(book.join("toc.html")).context("toc.html")?;
    for name in pages.chain(decisions) {
        let text = read(&name)?;
        let page = name.replace(".md", ".html");
        let made = fs::read_to_string(book.join(&page)).context(page.clone())?;
        let title = headings(&text).into_iter().next().with_context(|| format!("{name}: no heading"))?.title;
        ensure!(made.contains(&title), "{page} has no heading {title}");
        ensure!(contents.contains(&page), "toc.html does not lead to {page}");
        let folder = book.join(&name);
        let folder = folder.parent().context("a page without a folder")?;
        for picture in links(&text).iter().filter(|link| link.ends_with(".svg") || link.ends_with(".png")) {
            ensure!(folder.join(picture).is_file(), "{page} has no picture {picture}");
        }
    }
    Ok(())
}
