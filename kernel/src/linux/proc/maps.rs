// SPDX-License-Identifier: MIT
//! What `maps` says: the areas of a process's memory, and the files behind them.

use alloc::vec::Vec;

use super::super::Linux;
use super::super::area::{Area, Kind};
use super::super::errno::Errno;
use super::super::fs::{InodeId, Names};
use super::super::process::Process;
use super::super::stat::FILES_DEVICE;
use super::text::Text;
use crate::mem::fallible;

/// The column in which names begin.
const NAME_AT: usize = 73;

/// What is known of files that areas are of.
struct Files<'a> {
    /// Files that are mapped shared, by the numbers of their pages.
    shared: Vec<(u64, InodeId)>,
    names: Names<'a>,
}

/// A part of a file.
#[derive(Clone, Copy)]
struct Part {
    file: InodeId,
    offset: u64,
}

impl Linux {
    /// What `maps` says of a process.
    pub(super) fn write_maps(&self, text: &mut Text, process: &Process) -> Result<(), Errno> {
        let areas = self.memories[process.memory].areas().all();
        let shared = self.fs.shared_files()?;
        let files = Files { names: self.fs.names(&self.mapped_files(process, areas, &shared)?)?, shared };
        for area in areas {
            match area.kind {
                Kind::Image => self.write_image(text, process, *area, &files)?,
                _ => self.write_area(text, *area, &files)?,
            }
        }
        Ok(())
    }

    /// The files of which areas are, in ascending order.
    fn mapped_files(
        &self,
        process: &Process,
        areas: &[Area],
        shared: &[(u64, InodeId)],
    ) -> Result<Vec<InodeId>, Errno> {
        let mut wanted = Vec::new();
        for area in areas {
            if let Some(part) = part_of(*area, shared) {
                fallible::push(&mut wanted, part.file)?;
            }
        }
        if let Some(executable) = process.executable {
            fallible::push(&mut wanted, executable)?;
        }
        wanted.sort_unstable();
        wanted.dedup();
        Ok(wanted)
    }

    /// A segment of the program: pages of its file, and zeros behind them.
    fn write_image(
        &self,
        text: &mut Text,
        process: &Process,
        area: Area,
        files: &Files<'_>,
    ) -> Result<(), Errno> {
        let mut at = area.start;
        let extents = &process.start.extents;
        let first = extents.partition_point(|extent| extent.end <= area.start);
        for extent in extents[first..].iter().take_while(|extent| extent.start < area.end) {
            let Some(file) = process.executable else { break };
            let (start, end) = (extent.start.max(at), extent.end.min(area.end));
            if start >= end {
                continue;
            }
            if at < start {
                self.write_line(text, area.clipped(at, start), None, files)?;
            }
            let part = Part { file, offset: start.wrapping_add(extent.delta) };
            self.write_line(text, area.clipped(start, end), Some(part), files)?;
            at = end;
        }
        if at < area.end { self.write_line(text, area.clipped(at, area.end), None, files) } else { Ok(()) }
    }

    fn write_area(&self, text: &mut Text, area: Area, files: &Files<'_>) -> Result<(), Errno> {
        self.write_line(text, area, part_of(area, &files.shared), files)
    }

    /// A line.
    fn write_line(
        &self,
        text: &mut Text,
        area: Area,
        part: Option<Part>,
        files: &Files<'_>,
    ) -> Result<(), Errno> {
        let line = text.length();
        let shown = |is_so: bool, letter: &'static str| if is_so { letter } else { "-" };
        text.hex(area.start, 8).str("-").hex(area.end, 8).str(" ");
        text.str(shown(area.access.read, "r")).str(shown(area.access.write, "w"));
        text.str(shown(area.access.execute, "x"));
        text.str(if matches!(area.kind, Kind::Shared { .. }) { "s " } else { "p " });
        match part {
            Some(Part { file, offset }) => {
                text.hex(offset, 8).str(" 00:").hex(FILES_DEVICE, 2).str(" ").number(file.number()).str(" ");
                let inode = self.fs.inode(file)?;
                text.pad(line + NAME_AT);
                match files.names.path(file) {
                    Ok(path) => write_path(text, &path),
                    Err(_) if inode.links == 0 => {
                        text.str("/#").number(file.number()).str(" (deleted)");
                    }
                    Err(_) => {}
                }
            }
            None => {
                text.str("00000000 00:00 0 ");
                let name = match area.kind {
                    Kind::Heap => "[heap]",
                    Kind::Stack => "[stack]",
                    _ => "",
                };
                if !name.is_empty() {
                    text.pad(line + NAME_AT).str(name);
                }
            }
        }
        text.str("\n");
        Ok(())
    }
}

/// The part of a file that an area is of, if it is of a file that is mapped shared.
fn part_of(area: Area, shared: &[(u64, InodeId)]) -> Option<Part> {
    let Kind::Shared { object, delta, .. } = area.kind else { return None };
    let index = shared.binary_search_by_key(&object, |(id, _)| *id).ok()?;
    Some(Part { file: shared[index].1, offset: area.start.wrapping_add(delta) })
}

/// A path whose line breaks do not break a line (Linux's `seq_file_path`).
fn write_path(text: &mut Text, path: &[u8]) {
    for part in path.split_inclusive(|byte| *byte == b'\n') {
        match part.strip_suffix(b"\n") {
            Some(part) => text.bytes(part).str("\\012"),
            None => text.bytes(part),
        };
    }
}
