// SPDX-License-Identifier: MIT
//! The report as JSON: the summary's keys, and what the analysis adds to them.

use pe_replay::TimedPhase;
use serde_json::{Map, Value, json};
use wire::Name;

use super::pe;
use super::ranges::{Range, ranges};
use crate::outcome::json;
use crate::outcome::place::Places;
use crate::outcome::summary::Summary;
use sums::analysis::Analysis;
use sums::analysis::group::Group;
use sums::spread::Spread;

/// All that a report says.
pub fn value(summary: &Summary, status: u8, analysis: &Analysis, places: Option<&Places>) -> Value {
    let mut value = json::value(summary, status);
    value["by_delimiter"] = groups(&analysis.delimiters);
    value["by_thread"] = groups(&analysis.threads);
    value["by_component"] = groups(&analysis.components);
    value["longest_pes"] = analysis.longest.iter().map(|record| pe::value(record, places)).collect();
    value["distributions"] = json!({
        "instructions": distribution(&analysis.lengths),
        "frames_written": distribution(&analysis.frames),
        "hold": distribution(&analysis.holds),
    });
    value
}

fn groups(groups: &[Group]) -> Value {
    groups.iter().map(group).collect()
}

fn group(group: &Group) -> Value {
    let each = |of: fn(&Group, TimedPhase) -> u64| -> Map<String, Value> {
        TimedPhase::ALL.into_iter().map(|phase| (phase.name().to_owned(), of(group, phase).into())).collect()
    };
    json!({
        "name": group.name,
        "process": group.thread.map(|thread| thread.process),
        "thread": group.thread.map(|thread| thread.thread),
        "pes": group.pes,
        "user_instructions": group.instructions,
        "frames_written": group.frames,
        "write_faults": group.write_faults,
        "divergences": group.divergences,
        "total": group.phases.total(),
        "total_over_second_run": group.over_second_run(),
        "phases": json::phases(&group.phases),
        "medians": each(Group::median),
        "worst": each(Group::worst),
        "hold_median": group.holds.median(),
        "hold_worst": group.holds.highest(),
    })
}

fn distribution(spread: &Spread) -> Value {
    let range = |Range { from, to, count }: Range| json!({ "from": from, "to": to, "pes": count });
    json!({
        "median": spread.median(),
        "highest": spread.highest(),
        "ranges": ranges(spread).into_iter().map(range).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::analysed;
    use super::*;
    use crate::outcome::summary::tests::sample;

    #[test]
    fn groups_sum_to_the_summary() {
        let (trace, end) = sample();
        let value = value(&Summary::new(&trace, end).unwrap(), 0, &analysed(), None);
        for key in ["by_delimiter", "by_thread", "by_component"] {
            let groups = value[key].as_array().unwrap();
            let sum = |of: &str| groups.iter().filter_map(|group| group[of].as_u64()).sum::<u64>();
            for (of, whole) in [
                ("pes", "committed"),
                ("user_instructions", "user_instructions"),
                ("frames_written", "frames_written"),
                ("write_faults", "write_faults"),
                ("total", "total_instructions"),
            ] {
                assert_eq!(Some(sum(of)), value[whole].as_u64(), "{key} {of}");
            }
        }
        assert_eq!(value["by_thread"][0]["medians"], value["medians"]);
        assert_eq!(value["longest_pes"][0]["pe"], 4);
        for (of, ranges) in value["distributions"].as_object().unwrap() {
            let ranges = ranges["ranges"].as_array().unwrap();
            let sum: u64 = ranges.iter().filter_map(|range| range["pes"].as_u64()).sum();
            assert_eq!(sum, 5, "{of}");
        }
    }
}
