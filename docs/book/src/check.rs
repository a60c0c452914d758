// SPDX-License-Identifier: MIT
//! Holds that every link of a book has an end, and that the book is read without a network.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::page::{Link, Page};

/// What is wrong with the pages of a folder, one line each.
pub fn complaints(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
    let mut pages = BTreeMap::new();
    read(&folder, &mut pages)?;
    let mut complaints = Vec::new();
    for (path, page) in &pages {
        let wrong = page.links.iter().filter_map(|link| Some((link, broken(&folder, &pages, path, link)?)));
        let name = path.strip_prefix(&folder).unwrap_or(path).display();
        complaints.extend(wrong.map(|(Link { to, .. }, why)| format!("{name}: {to}: {why}")));
    }
    Ok(complaints)
}

/// Reads the pages of a folder and of those in it.
fn read(folder: &Path, pages: &mut BTreeMap<PathBuf, Page>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            read(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            pages.insert(path, Page::read(&text));
        }
    }
    Ok(())
}

/// What is wrong with a link of a page, if anything is.
fn broken(folder: &Path, pages: &BTreeMap<PathBuf, Page>, from: &Path, link: &Link) -> Option<&'static str> {
    if link.to.contains(':') || link.to.starts_with("//") {
        return (!link.is_followed).then_some("a page has to be whole without a network");
    }
    let (path, name) = link.to.split_once('#').map_or((&*link.to, None), |(path, name)| (path, Some(name)));
    let end = if path.is_empty() { from.to_owned() } else { from.parent()?.join(path) };
    let Some(end) = end.canonicalize().ok().filter(|end| end.is_file()) else {
        return Some("there is no such file");
    };
    if !end.starts_with(folder) {
        return Some("it leads out of the book");
    }
    let (name, page) = (name.filter(|name| !name.is_empty())?, pages.get(&end)?);
    (!page.names.contains(name)).then_some("the page has no such place")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_without_an_end_is_told() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("book");
        fs::create_dir_all(folder.join("in")).unwrap();
        fs::write(place.path().join("out.html"), "").unwrap();
        fs::write(folder.join("in/b.html"), "<h1 id=c></h1><a href='../a.html'>a</a><img src='p.svg'>")
            .unwrap();
        fs::write(folder.join("in/p.svg"), "").unwrap();
        let good = "<a id=d href='in/b.html#c'>b</a><a href='#d'>d</a><a href='https://example.org'>e</a>";
        fs::write(folder.join("a.html"), good).unwrap();
        assert_eq!(complaints(&folder).unwrap(), [""; 0]);
        for (link, why) in [
            ("<a href='c.html'>", "no such file"),
            ("<a href='in'>", "no such file"),
            ("<img src='in/q.svg'>", "no such file"),
            ("<a href='in/b.html#d'>", "no such place"),
            ("<a href='#e'>", "no such place"),
            ("<a href='../out.html'>", "out of the book"),
            ("<script src='https://example.org/a.js'></script>", "without a network"),
            ("<link href='//example.org/a.css'>", "without a network"),
        ] {
            fs::write(folder.join("a.html"), format!("{good}{link}")).unwrap();
            let found = complaints(&folder).unwrap();
            assert!(found.len() == 1 && found[0].contains(why), "{link}: {found:?}");
        }
    }
}
