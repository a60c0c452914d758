// SPDX-License-Identifier: MIT
//! A trace as a table, one line a PE: what can be held against another trace by `diff`, and
//! taken apart by `awk`, since no column and no title has a space in it. As JSON it has the
//! durations, too, on which nothing of the table depends.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;

use anyhow::Result;
use serde_json::{Value, json};
use wire::device::{DeviceAccess, Space};
use wire::difference::InWords;
use wire::record::{PeRecord, Record};

use crate::outcome::json;

/// Titles and widths of the columns; those of words stand on the left. The digest, which is last, has no width.
const COLUMNS: [(&str, usize); 13] = [
    ("PE", 8),
    ("process", 7),
    ("thread", 6),
    ("ended_by", 11),
    ("rip", 18),
    ("instructions", 12),
    ("pages", 5),
    ("write_faults", 12),
    ("divergences", 11),
    ("flips", 5),
    ("counter_misses", 14),
    ("debug_exceptions", 16),
    ("digest", 0),
];
/// The column of words.
const WORDS: &str = "ended_by";
/// What stands where there is no digest.
pub const NONE: &str = "-";

/// The titles of the columns.
pub fn titles() -> [&'static str; COLUMNS.len()] {
    COLUMNS.map(|(title, _)| title)
}

/// The table's first line.
pub fn head() -> String {
    line(titles().map(str::to_owned))
}

/// The line of a PE.
pub fn row(record: &PeRecord) -> String {
    line(cells(record))
}

/// Writes an object for each PE as soon as it has come, with the table's titles as keys, and durations by phase.
pub struct Objects<'a> {
    to: &'a mut dyn io::Write,
    is_first: bool,
    /// Accesses by their PE, the record of which has not come: they stand in front of it.
    accesses: BTreeMap<u64, Vec<Value>>,
}

impl<'a> Objects<'a> {
    /// Begins the list.
    pub fn new(to: &'a mut dyn io::Write) -> Result<Self> {
        to.write_all(b"[")?;
        Ok(Self { to, is_first: true, accesses: BTreeMap::new() })
    }

    /// Writes the object of a PE, and keeps an access to a device till its PE comes.
    pub fn add(&mut self, record: &Record) -> Result<()> {
        match record {
            Record::Device(access) => {
                self.accesses.entry(access.pe).or_default().push(access_value(access));
            }
            Record::Pe(record) => {
                let (object, comma) = (self.object(record), if self.is_first { "" } else { "," });
                self.is_first = false;
                write!(self.to, "{comma}\n{object}")?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends the list.
    pub fn finish(self) -> Result<()> {
        Ok(self.to.write_all(b"\n]\n")?)
    }

    fn object(&mut self, record: &PeRecord) -> Value {
        json!({
            "PE": record.sequence,
            "process": record.thread.process,
            "thread": record.thread.thread,
            "ended_by": record.delimiter.name(),
            "rip": rip(record),
            "instructions": record.instructions,
            "pages": record.frames_written,
            "write_faults": record.write_faults,
            "divergences": record.divergences.iter().map(|it| InWords(*it).to_string()).collect::<Vec<_>>(),
            "flips": record.flips,
            "counter_misses": record.counter_misses,
            "debug_exceptions": record.debug_exceptions,
            "digest": digest(record),
            "device_accesses": self.accesses.remove(&record.sequence).unwrap_or_default(),
            "phases": json::phases(&record.phases),
        })
    }
}

/// An access to a device, behind a PE.
fn access_value(access: &DeviceAccess) -> Value {
    json!({
        "space": if access.space == Space::Port { "port" } else { "memory" },
        "address": format!("{:#x}", access.address),
        "bytes": access.bytes,
        "writes": access.writes,
        "value": format!("{:#x}", access.value),
    })
}

fn rip(record: &PeRecord) -> String {
    format!("{:#x}", record.rip)
}

fn digest(record: &PeRecord) -> Option<String> {
    record.digest.map(|digest| digest.to_string())
}

/// What stands in the columns for a PE.
pub fn cells(record: &PeRecord) -> [String; COLUMNS.len()] {
    [
        record.sequence.to_string(),
        record.thread.process.to_string(),
        record.thread.thread.to_string(),
        record.delimiter.name().to_owned(),
        rip(record),
        record.instructions.to_string(),
        record.frames_written.to_string(),
        record.write_faults.to_string(),
        record.divergences.len().to_string(),
        record.flips.to_string(),
        record.counter_misses.to_string(),
        record.debug_exceptions.to_string(),
        digest(record).unwrap_or_else(|| NONE.to_owned()),
    ]
}

fn line(cells: [String; COLUMNS.len()]) -> String {
    let mut text = String::new();
    for (index, (cell, (title, width))) in cells.iter().zip(COLUMNS).enumerate() {
        let space = if index == 0 { "" } else { " " };
        // Writing to a string does not fail.
        let _ = match title {
            WORDS => write!(text, "{space}{cell:<width$}"),
            _ => write!(text, "{space}{cell:>width$}"),
        };
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use wire::ThreadNumber;
    use wire::record::Records;

    use super::*;
    use crate::outcome::summary::tests::sample;

    fn records() -> Vec<PeRecord> {
        let (trace, _) = sample();
        let (_, records) = Records::open(&trace).unwrap();
        records.map(Result::unwrap).collect()
    }

    /// The list as JSON, of records in which something stands in front of the third PE.
    fn objects(front: Option<Record>) -> Vec<Value> {
        let mut bytes = Vec::new();
        let mut objects = Objects::new(&mut bytes).unwrap();
        for record in records() {
            if let (2, Some(front)) = (record.sequence, &front) {
                objects.add(front).unwrap();
            }
            objects.add(&Record::Pe(record)).unwrap();
        }
        objects.finish().unwrap();
        // A line each, and two for the brackets.
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 7);
        serde_json::from_slice(&bytes).unwrap()
    }

    /// The whole table.
    fn table() -> String {
        [head()].into_iter().chain(records().iter().map(row)).collect()
    }

    #[test]
    fn every_pe_has_its_line_and_every_line_all_columns() {
        let text = table();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.len(), 6);
        assert_eq!(lines[0], COLUMNS.map(|(title, _)| title));
        assert_eq!(lines[1], ["0", "1", "2", "limit", "0x401000", "1000", "2", "1", "0", "0", "0", "0", "-"]);
        assert_eq!(lines[4], ["3", "1", "2", "limit", "0x401003", "1000", "2", "1", "1", "1", "0", "0", "-"]);
        assert_eq!(lines[5][3..5], ["syscall", "0x401004"]);
        let starts = |line: &str| line.find("ended_by").or(line.find("limit"));
        let mut starts = text.lines().take(2).map(starts);
        assert_eq!(starts.next(), starts.next());
    }

    #[test]
    fn accesses_to_devices_stand_with_their_pe() {
        let thread = ThreadNumber { process: 1, thread: 2 };
        let access = DeviceAccess {
            pe: 2,
            thread,
            space: Space::Port,
            address: 0x3f8,
            bytes: 1,
            writes: true,
            value: 65,
        };
        let objects = objects(Some(Record::Device(access)));
        let accesses: Vec<_> = objects.iter().map(|pe| pe["device_accesses"].clone()).collect();
        let expected =
            json!({"space": "port", "address": "0x3f8", "bytes": 1, "writes": true, "value": "0x41"});
        assert_eq!(accesses, [json!([]), json!([]), json!([expected]), json!([]), json!([])]);
    }

    #[test]
    fn json_has_the_same_keys_and_figures() {
        let pes = objects(None);
        let text = table();
        assert_eq!(pes.len(), 5);
        for (pe, line) in pes.iter().zip(text.lines().skip(1)) {
            let keys = pe.as_object().unwrap();
            assert_eq!(keys.len(), COLUMNS.len() + 2);
            for ((title, _), cell) in COLUMNS.iter().zip(line.split_whitespace()) {
                let shown = match &keys[*title] {
                    Value::String(text) => text.clone(),
                    Value::Null => NONE.to_owned(),
                    Value::Array(all) => all.len().to_string(),
                    number => number.to_string(),
                };
                assert_eq!(shown, cell, "{title}");
            }
        }
        assert_eq!(pes[3]["phases"]["restart"], 60);
        assert!(pes[3]["divergences"][0].as_str().unwrap().starts_with("rbx"));
    }
}
