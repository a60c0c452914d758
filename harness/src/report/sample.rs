// SPDX-License-Identifier: MIT
//! The sample run of the summary's tests, analysed.

use sums::analysis::{Analysis, Collector};
use wire::record::{PeRecord, Records};

use crate::outcome::summary::tests::sample;

/// The analysis of the sample run.
pub fn analysed() -> Analysis {
    let mut collector = Collector::new(0);
    sample_records().iter().for_each(|record| collector.add(record));
    collector.finish(&[])
}

/// The PEs of the sample run.
pub fn sample_records() -> Vec<PeRecord> {
    let (trace, _) = sample();
    Records::open(&trace).unwrap().1.map(Result::unwrap).collect()
}
