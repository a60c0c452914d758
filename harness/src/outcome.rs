// SPDX-License-Identifier: MIT
//! What became of a boot: read from what the kernel sent, and put into words, tables and JSON.

pub mod batch;
pub mod breakdown;
pub mod console;
pub mod flipped;
pub mod json;
pub mod log;
pub mod model;
pub mod origin;
pub mod page;
pub mod place;
pub mod record_stream;
pub mod share;
pub mod spread;
pub mod subject;
pub mod summary;
pub mod table;
pub mod told;
pub mod trace_file;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use wire::channel::chunks;
use wire::end::{End, EndRecord, Totals};
use wire::record::{PeRecord, Records};

use self::summary::Summary;
use crate::emulator::Finished;
use crate::emulator::ending::Ending;

/// A boot that has ended.
pub struct Outcome {
    kernel: PathBuf,
    /// How it ended, and what it sent.
    pub finished: Finished,
}

impl Outcome {
    /// What a boot of `kernel` left.
    pub fn new(kernel: PathBuf, finished: Finished) -> Self {
        Self { kernel, finished }
    }

    /// The verdict.
    pub fn ending(&self) -> &Ending {
        &self.finished.ending
    }

    /// The end record; an error that says what happened if there was no normal end.
    pub fn record(&self) -> Result<&EndRecord> {
        match &self.finished.ending {
            Ending::Normal(record) => Ok(record),
            other => bail!("{other}"),
        }
    }

    /// How the kernel says that it ended.
    pub fn end(&self) -> Result<&End> {
        Ok(&self.record()?.end)
    }

    /// The kernel's sums.
    pub fn totals(&self) -> Result<&Totals> {
        Ok(&self.record()?.totals)
    }

    /// What `cargo reprise run` would exit with.
    pub fn status(&self) -> Result<u8> {
        Ok(told::run_status(self.end()?, self.serial()))
    }

    /// The program's standard output.
    pub fn stdout(&self) -> Vec<u8> {
        self.written(|descriptor| descriptor != 2)
    }

    /// The program's standard error.
    pub fn stderr(&self) -> Vec<u8> {
        self.written(|descriptor| descriptor == 2)
    }

    fn written(&self, wanted: impl Fn(u8) -> bool) -> Vec<u8> {
        let chunks = chunks(&self.finished.streams.output).filter(|(descriptor, _)| wanted(*descriptor));
        chunks.flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    }

    /// The trace, as it came.
    pub fn trace(&self) -> &[u8] {
        &self.finished.streams.trace
    }

    /// The trace's records.
    pub fn records(&self) -> Result<Vec<PeRecord>> {
        let (_, records) = Records::open(self.trace()).context("the trace")?;
        records.map(|record| record.context("the trace")).collect()
    }

    /// The summary; an error if its sums do not agree.
    pub fn summary(&self) -> Result<Summary> {
        Summary::new(self.trace(), *self.record()?)
    }

    /// The kernel's log.
    pub fn log(&self) -> Result<Vec<String>> {
        log::lines(&self.kernel, &self.finished.streams.log)
    }

    /// What the first serial port has sent.
    pub fn serial(&self) -> &[u8] {
        &self.finished.serial
    }

    /// What came by debugcon, the channel apart.
    pub fn debugcon(&self) -> &[u8] {
        &self.finished.debugcon
    }
}
