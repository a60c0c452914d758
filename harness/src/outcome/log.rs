// SPDX-License-Identifier: MIT
//! The kernel's log: defmt frames, put into words with the kernel's ELF file.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use defmt_decoder::{DecodeError, Table};

use crate::host::input::{self, Bound};

/// The bound of a kernel with its debugging information.
pub const KERNEL: Bound = Bound { most: 256 << 20, of: "a kernel" };

/// The log, one line a message; damage in it shows as a line of its own.
pub fn lines(kernel: &Path, log: &[u8]) -> Result<Vec<String>> {
    if log.is_empty() {
        return Ok(Vec::new());
    }
    let elf = input::read(kernel, KERNEL)?;
    let table = Table::parse(&elf)
        .map_err(|error| anyhow!("{error:#}"))
        .with_context(|| format!("{}: cannot read its log messages", kernel.display()))?
        .with_context(|| format!("{}: it has no log messages", kernel.display()))?;
    let mut decoder = table.new_stream_decoder();
    decoder.received(log);
    let mut lines = Vec::new();
    loop {
        match decoder.decode() {
            Ok(frame) => {
                let level = frame.level().map_or("print", |level| level.as_str());
                let time = frame.display_timestamp().map(|time| format!("{time} ")).unwrap_or_default();
                lines.push(format!("{time}{level:<5} {}", frame.display_message()));
            }
            Err(DecodeError::UnexpectedEof) => return Ok(lines),
            Err(DecodeError::Malformed) => {
                lines.push("(a damaged message)".into());
                if !table.encoding().can_recover() {
                    return Ok(lines);
                }
            }
        }
    }
}
