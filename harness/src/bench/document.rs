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
    let name = path.display();
    let document = String::from_utf8(request::read(path)?).map_err(|_| anyhow!("{name}: not a text"))?;
    let replaced = replaced(&document, text)
        .ok_or_else(|| anyhow!("{name}: no line {} before a line {}", START.trim(), END.trim()))?;
    fs::write(path, replaced).map_err(|error| anyhow!("{name}: {error}"))
}

fn replaced(document: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(START)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{START}\n{}\n\n{END}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let document = "# A\n<!-- bench -->\nold\n<!-- end of bench -->\nafter\n";
        let expected = "# A\n<!-- bench -->\n\nnew\n\n<!-- end of bench -->\nafter\n";
        assert_eq!(replaced(document, "new\n").as_deref(), Some(expected));
        assert_eq!(replaced(expected, "new\n").as_deref(), Some(expected));
        assert_eq!(replaced("# A\n<!-- bench -->\n", "new"), None);
    }
}
