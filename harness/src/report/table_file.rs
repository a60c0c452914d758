// SPDX-License-Identifier: MIT
//! A trace as CSV: a row a PE with the columns of the list, where it ended, how long each phase was, and the first
//! difference of each attempt that diverged.

use std::io::Write;

use anyhow::Result;
use csv::Writer;
use pe_replay::TimedPhase;
use wire::Name;
use wire::difference::InWords;
use wire::record::PeRecord;

use super::list;
use crate::outcome::place::Places;
use sums::durations::hold;

/// Writes a table row by row.
pub struct Rows<W: Write> {
    writer: Writer<W>,
}

impl<W: Write> Rows<W> {
    /// Writes the titles.
    pub fn new(to: W) -> Result<Self> {
        let mut writer = Writer::from_writer(to);
        let phases = TimedPhase::ALL.map(|phase| phase.name());
        let titles = list::titles().into_iter().chain(phases).chain(["hold", "place", "differences"]);
        writer.write_record(titles)?;
        Ok(Self { writer })
    }

    /// Writes a PE's row.
    pub fn add(&mut self, record: &PeRecord, places: Option<&Places>) -> Result<()> {
        let phases = record.phases.0.map(|ticks| ticks.to_string());
        let differences: Vec<String> =
            record.divergences.iter().map(|difference| InWords(*difference).to_string()).collect();
        let place = places.and_then(|places| places.of(record.rip)).unwrap_or_default();
        let ends = [hold(&record.phases).to_string(), place, differences.join("; ")];
        // What is not there is an empty cell here.
        let cells = list::cells(record).map(|cell| if cell == list::NONE { String::new() } else { cell });
        Ok(self.writer.write_record(cells.into_iter().chain(phases).chain(ends))?)
    }

    /// Writes what is left.
    pub fn finish(mut self) -> Result<()> {
        Ok(self.writer.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::sample_records;
    use super::*;

    #[test]
    fn every_pe_has_a_row_with_all_columns() {
        let mut bytes = Vec::new();
        let mut rows = Rows::new(&mut bytes).unwrap();
        sample_records().iter().for_each(|record| rows.add(record, None).unwrap());
        rows.finish().unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let titles = reader.headers().unwrap().clone();
        assert_eq!(titles.len(), list::titles().len() + TimedPhase::ALL.len() + 3);
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 5);
        let cell = |row: usize, title: &str| {
            let at = titles.iter().position(|known| known == title).unwrap();
            rows[row][at].to_owned()
        };
        assert_eq!(
            ["PE", "ended_by", "restart", "hold"].map(|title| cell(3, title)),
            ["3", "limit", "60", "2143"]
        );
        assert!(cell(3, "differences").starts_with("rbx"));
        assert_eq!((cell(2, "differences"), cell(4, "rip")), (String::new(), "0x401004".into()));
        assert_eq!(cell(2, "digest"), "");
    }
}
