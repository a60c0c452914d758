// SPDX-License-Identifier: MIT
//! The part of a document that a command writes.

use std::path::Path;

use anyhow::{Result, anyhow};

use crate::host::input::{self, Bound};

/// The bound of a document that tables are put into.
const BOUND: Bound = Bound { most: 16 << 20, of: "a document" };
const START: &str = "<!-- bench -->\n";
const END: &str = "<!-- end of bench -->\n";

/// A document with `text` between its two marks.
pub fn with(path: &Path, text: &str) -> Result<String> {
    let document = String::from_utf8(input::read(path, BOUND)?).map_err(|_| unmarked(path))?;
    replaced(&document, text).ok_or_else(|| unmarked(path))
}

/// Fails if [`with`] would find no marks, so that nobody waits for that.
pub fn check(path: &Path) -> Result<()> {
    with(path, "").map(|_| ())
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
    use std::fs;

    use super::*;
    use crate::bench::grid;
    use crate::workload::artifacts;

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
