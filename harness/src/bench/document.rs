// SPDX-License-Identifier: MIT
//! The part of a document that a command writes.

use std::path::Path;

use anyhow::{Result, anyhow};

use crate::host::input::{self, Bound};

/// The bound of a document that tables are put into.
const BOUND: Bound = Bound { most: 16 << 20, of: "a document" };

/// A part of a document that a command writes, between two lines that name it.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// The short table.
    Glance,
    /// All tables.
    Tables,
}

impl Part {
    /// The lines before and behind it.
    fn marks(self) -> [&'static str; 2] {
        match self {
            Self::Glance => ["<!-- glance -->\n", "<!-- end of glance -->\n"],
            Self::Tables => ["<!-- bench -->\n", "<!-- end of bench -->\n"],
        }
    }
}

/// A document with `text` in a part.
pub fn with(path: &Path, part: Part, text: &str) -> Result<String> {
    let unmarked = || {
        let [start, end] = part.marks().map(str::trim);
        anyhow!("{}: no line {start} before a line {end}", path.display())
    };
    let document = String::from_utf8(input::read(path, BOUND)?).map_err(|_| unmarked())?;
    replaced(&document, part, text).ok_or_else(unmarked)
}

fn replaced(document: &str, part: Part, text: &str) -> Option<String> {
    let [start, end] = part.marks();
    let (before, rest) = document.split_once(start)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{start}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::bench::workload::{self, Workload};
    use crate::bench::{glance, grid};
    use crate::workload::artifacts;

    #[test]
    fn the_documents_of_the_benches_hold_the_present_columns_and_rows() {
        let folder = artifacts::root().join("benches");
        let tables = folder.join("tables.md");
        with(&tables, Part::Tables, "").unwrap();
        let heads = grid::COLUMNS.map(|(name, _)| name).join(" | ");
        assert!(fs::read_to_string(tables).unwrap().contains(&heads), "no table with {heads}");
        let glance = folder.join("README.md");
        with(&glance, Part::Glance, "").unwrap();
        let glance = fs::read_to_string(glance).unwrap();
        let (heads, rows) = (glance::COLUMNS.map(|(name, _)| name).join(" | "), workload::ALL);
        assert!(glance.contains(&heads), "no table with {heads}");
        let picture = fs::read_to_string(folder.join("cost.svg")).unwrap();
        for Workload { name, about, .. } in rows {
            let row = glance.split_once(&format!("| {name} | {about} | "));
            let (_, figures) = row.unwrap_or_else(|| panic!("no row {name}"));
            // Both bars of the picture are of the run that the row is of.
            for figure in figures.split(" | ").take(2) {
                assert!(picture.contains(&format!("\n{figure}\n")), "{name}: {figure} is not in the picture");
            }
        }
        assert!(rows.len() <= 10, "too many for a glance");
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let document = "# A\n<!-- bench -->\nold\n<!-- end of bench -->\nafter\n";
        let expected = "# A\n<!-- bench -->\n\nnew\n\n<!-- end of bench -->\nafter\n";
        assert_eq!(replaced(document, Part::Tables, "new\n").as_deref(), Some(expected));
        assert_eq!(replaced(expected, Part::Tables, "new\n").as_deref(), Some(expected));
        assert_eq!(replaced(document, Part::Glance, "new"), None);
        assert_eq!(replaced("# A\n<!-- bench -->\n", Part::Tables, "new"), None);
    }
}
