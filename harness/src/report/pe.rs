// SPDX-License-Identifier: MIT
//! A PE as JSON, as reports have it of some PEs.

use serde_json::{Value, json};
use sums::analysis::delimiter_name;
use sums::durations::hold;
use wire::record::PeRecord;

use crate::outcome::json;
use crate::outcome::place::Places;

/// What is known of a PE.
pub fn value(record: &PeRecord, places: Option<&Places>) -> Value {
    json!({
        "pe": record.sequence,
        "process": record.thread.process,
        "thread": record.thread.thread,
        "ended_by": delimiter_name(record.delimiter),
        "rip": format!("{:#x}", record.rip),
        "place": places.and_then(|places| places.of(record.rip)),
        "user_instructions": record.instructions,
        "frames_written": record.frames_written,
        "write_faults": record.write_faults,
        "divergences": record.divergences.len(),
        "flips": record.flips,
        "counter_misses": record.counter_misses,
        "debug_exceptions": record.debug_exceptions,
        "digest": record.digest.map(|digest| digest.to_string()),
        "hold": hold(&record.phases),
        "phases": json::phases(&record.phases),
    })
}
