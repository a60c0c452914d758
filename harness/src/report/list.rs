// SPDX-License-Identifier: MIT
//! A trace as a table, one line a PE: what can be held against another trace by `diff`.

use std::fmt::Write;

use anyhow::{Context, Result};
use pe_replay::wire::record::{PeRecord, Records};

/// The table; nothing of it depends on how long anything took.
pub fn list(trace: &[u8]) -> Result<String> {
    let (_, records) = Records::open(trace).context("the trace")?;
    let mut text = format!(
        "{:>8} {:>7} {:<11} {:>18} {:>12} {:>5} {}\n",
        "PE", "process", "ended by", "rip", "instructions", "pages", "digest"
    );
    for record in records {
        let record = record.context("the trace")?;
        let PeRecord { sequence, process, delimiter, rip, instructions, frames_written, digest, .. } = record;
        let digest = digest.map_or("-".to_owned(), |digest| digest.to_string());
        let (kind, rip) = (delimiter.name(), format!("{rip:#x}"));
        writeln!(
            text,
            "{sequence:>8} {process:>7} {kind:<11} {rip:>18} {instructions:>12} {frames_written:>5} {digest}"
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    #[test]
    fn every_pe_has_its_line() {
        let (trace, _) = sample();
        let text = list(&trace).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.len(), 6);
        assert_eq!(lines[1], ["0", "1", "limit", "0x401000", "1000", "2", "-"]);
        assert_eq!(lines[5], ["4", "1", "syscall", "0x401004", "1000", "2", "-"]);
    }
}
