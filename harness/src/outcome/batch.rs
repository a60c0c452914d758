// SPDX-License-Identifier: MIT
//! What each program of a batch left behind.

use anyhow::{Context, Result};
use wire::channel::chunks;
use wire::end::{End, EndRecord};
use wire::record::{PeRecord, ProgramRecord, Records, programs};

use super::flipped::{self, Made};
use crate::emulator::Streams;

/// What one program left behind.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The end, and the kernel's sums.
    pub record: EndRecord,
    /// The standard output.
    pub stdout: Vec<u8>,
    /// The standard error.
    pub stderr: Vec<u8>,
    /// The PEs, if they were to be recorded.
    pub pes: Vec<PeRecord>,
    /// The flips that were made.
    pub flips: Vec<Made>,
}

impl Ended {
    /// How it ended.
    pub fn end(&self) -> End {
        self.record.end
    }
}

/// The programs that came to an end, in their order.
pub fn ended(streams: &Streams) -> Result<Vec<Ended>> {
    let mut start = 0;
    let of = |(record, pes): (ProgramRecord, Records)| {
        let end = usize::try_from(record.output_end)?;
        let output = streams.output.get(start..end).context("the output of a batch is cut short")?;
        start = end;
        let written = |wanted: bool| {
            let chunks = chunks(output).filter(|(descriptor, _)| (*descriptor == 2) == wanted);
            chunks.flat_map(|(_, bytes)| bytes.iter().copied()).collect()
        };
        let flips = flipped::made(pes.rest());
        let pes = pes.collect::<Result<_, _>>().context("the trace of a batch")?;
        Ok(Ended { record: record.end, stdout: written(false), stderr: written(true), pes, flips })
    };
    programs(&streams.trace).map(of).collect()
}
