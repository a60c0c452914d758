// SPDX-License-Identifier: MIT
//! The records of a run's trace that comes in pieces, cut anywhere: no more is kept of it than a piece.

use wire::WireError;
use wire::record::{MAX_RECORD_LEN, Record, take};

/// What has come and was not taken yet.
#[derive(Debug, Default)]
pub struct RecordStream {
    bytes: Vec<u8>,
    /// What has been taken of them.
    taken: usize,
    is_begun: bool,
    is_complete: bool,
}

impl RecordStream {
    /// Adds the next piece; those who take all that is there before have one piece in memory.
    pub fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(piece);
    }

    /// Says that no piece follows, so that what is left is a record or damage.
    pub fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Has each record that is there in full seen.
    pub fn each(&mut self, see: &mut dyn FnMut(&Record)) -> Result<(), WireError> {
        while let Some(record) = self.take() {
            see(&record?);
        }
        Ok(())
    }

    /// The next record, the header first; none while it may not be there in full, and behind the last. What follows an
    /// error has no meaning.
    pub fn take(&mut self) -> Option<Result<Record, WireError>> {
        let rest = &self.bytes[self.taken..];
        if rest.is_empty() || rest.len() < MAX_RECORD_LEN && !self.is_complete {
            return None;
        }
        let (record, behind) = match take(rest) {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        self.taken = self.bytes.len() - behind.len();
        let is_in_place = match record {
            Record::Header(_) => !self.is_begun,
            // Of a batch: such a trace has no header.
            Record::Program(_) => false,
            _ => self.is_begun,
        };
        self.is_begun = true;
        Some(if is_in_place { Ok(record) } else { Err(WireError::Malformed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn records(trace: &[u8], piece: usize) -> Vec<Result<Record, WireError>> {
        let mut stream = RecordStream::default();
        let mut records = Vec::new();
        for piece in trace.chunks(piece) {
            stream.push(piece);
            records.extend(std::iter::from_fn(|| stream.take()));
        }
        stream.complete();
        while let Some(record) = stream.take() {
            let is_error = record.is_err();
            records.push(record);
            if is_error {
                break;
            }
        }
        records
    }

    #[test]
    fn wherever_it_is_cut_the_records_are_the_same() {
        let trace = sample::trace();
        let whole = records(&trace, trace.len());
        assert_eq!(whole.len(), 6);
        assert!(matches!(whole[0], Ok(Record::Header(_))));
        assert!(whole[1..].iter().all(|record| matches!(record, Ok(Record::Pe(_)))));
        for piece in [1, 7, 60, 511, 512, 513] {
            assert_eq!(records(&trace, piece), whole, "{piece}");
        }
    }

    #[test]
    fn what_is_cut_short_or_out_of_place_is_an_error() {
        let trace = sample::trace();
        let last = |trace: &[u8]| records(trace, 100).pop();
        assert_eq!(last(&trace[..trace.len() - 1]), Some(Err(WireError::Malformed)));
        assert_eq!(last(&[&trace[..], &trace].concat()), Some(Err(WireError::Malformed)));
        let (_, behind) = take(&trace).unwrap();
        assert_eq!(last(behind), Some(Err(WireError::Malformed)));
    }
}
