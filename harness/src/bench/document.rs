// SPDX-License-Identifier: MIT
//! The part of a document that a command writes.

use std::fs;
use std::path::Path;

use anyhow::{Result, anyhow};

use crate::request;

const START: &str = "<!-- bench -->\n";
const END: &str = "<!-- end of bench -->\n";

/// Puts `text` between the two marks of a document.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let document = String::from_utf8(request::read(path)?).map_err(|_| unmarked(path))?;
    let replaced = replaced(&document, text).ok_or_else(|| unmarked(path))?;
    fs::write(path, replaced).map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// Fails if [`replace`] would find no marks, so that nobody waits for that.
pub fn check(path: &Path) -> Result<()> {
    let document = String::from_utf8(request::read(path)?).ok();
    let marked = document.and_then(|document| replaced(&document, ""));
    marked.map(|_| ()).ok_or_else(|| unmarked(path))
}

fn unmarked(path: &Path) -> anyhow::Error {
    anyhow!("{}: no line {} before a line {}", path.display(), START.trim(), END.trim())
}

fn replaced(document: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(START)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{START}\n{}\n\n{END}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts;
    use crate::bench::grid;

    #[test]
    fn the_benches_readme_holds_the_present_columns() {
        let path = artifacts::root().join("benches/README.md");
        check(&path).unwrap();
        let heads = grid::COLUMNS.map(|(name, _)| name).join(" | ");
        assert!(fs::read_to_string(path).unwrap().contains(&heads), "no table with {heads}");
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let document = "# A\n<!-- bench -->\nold\n<!-- end of bench -->\nafter\n";
        let expected = "# A\n<!-- bench -->\n\nnew\n\n<!-- end of bench -->\nafter\n";
        assert_eq!(replaced(document, "new\n").as_deref(), Some(expected));
        assert_eq!(replaced(expected, "new\n").as_deref(), Some(expected));
        assert_eq!(replaced("# A\n<!-- bench -->\n", "new"), None);
    }
}
