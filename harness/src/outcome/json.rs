// SPDX-License-Identifier: MIT
//! The summary as JSON.
//!
//! Counts are PEs or events, durations are in `unit`. `phases` sum exactly to
//! `total_instructions`, which runs from the first user entry to the program's end;
//! `boot_instructions` is what came before. `user_instructions` counts committed user code
//! once. Modelled cycles are those of `benches/model.toml`, null where durations are cycles
//! already. Addresses are strings, `0x...`.

use pe_replay::{Phases, TimedPhase};
use serde_json::{Map, Value, json};
use wire::difference::InWords;
use wire::end::{Damage, Death, End, Watchdog};
use wire::limit::ReachedLimit;
use wire::nova::{RootDeath, Stop};
use wire::record::{Label, UnsupportedCall};
use wire::{DelimiterKind, Name, ThreadNumber};

use super::breakdown::Part;
use super::model::Cycles;
use super::summary::text::{service_name, unit_name};
use super::summary::{Diverged, Hit, Summary};
use super::told::{call_name, limited_name, nature, refusal, signal_name};

/// All that is known about a run.
pub fn value(summary: &Summary, exit_status: u8) -> Value {
    let totals = summary.totals();
    let ends: Map<String, Value> = DelimiterKind::ALL
        .into_iter()
        .zip(totals.ends)
        .map(|(kind, count)| (kind.name().to_owned(), count.into()))
        .collect();
    let differences: Vec<Value> = summary
        .differences
        .iter()
        .map(|Diverged { pe, thread, difference }| {
            of_thread(thread, json!({ "pe": pe, "difference": InWords(*difference).to_string() }))
        })
        .collect();
    let hit = |Hit { pe, thread, flips }: &Hit| of_thread(thread, json!({ "pe": pe, "flips": flips }));
    json!({
        "exit_status": exit_status,
        "mode": summary.header.policy.mode.name(),
        "recovery": summary.header.policy.recovery.name(),
        "compare": summary.header.policy.comparison.name(),
        "flush": summary.header.policy.flush.name(),
        "limit": summary.header.policy.limit,
        "max_dirty": summary.header.policy.max_dirty,
        "counter": summary.header.counter.name(),
        "clock": summary.header.clock.name(),
        "isolated": summary.header.is_isolated,
        "margin_far": summary.header.margin_far,
        "margin_near": summary.header.margin_near,
        "unit": unit_name(summary.header.unit),
        "pes": totals.pes,
        "committed": totals.committed,
        "restarts": totals.restarts,
        "divergences": totals.divergences,
        "counter_misses": totals.counter_misses,
        "debug_exceptions": totals.debug_exceptions,
        "debug_exceptions_median": summary.debug_exceptions.median,
        "debug_exceptions_rare": summary.debug_exceptions.most,
        "drained_overflows": totals.drained_overflows,
        "user_instructions": totals.user_instructions,
        "total_instructions": totals.total,
        "boot_instructions": totals.boot,
        "total_over_second_run": summary.total_over_second_run(),
        "ends": ends,
        "phases": phases(&totals.phases),
        "medians": phases(&summary.medians),
        "frames_written": totals.frames_written,
        "write_faults": totals.write_faults,
        "third_runs": totals.third_runs,
        "outvoted": totals.outvoted,
        "events": totals.events,
        "flips": totals.flips,
        "lost_records": totals.lost_records,
        "longest_hold": totals.longest_hold,
        "idle": totals.idle,
        "longest_interrupt": totals.longest_interrupt,
        "watchdog": watchdog(totals.watchdog),
        "longest_call": totals.longest_call.map(|longest| json!({
            "duration": longest.ticks,
            "name": service_name(longest.service),
        })),
        "modelled_total": summary.modelled.map(|cycles| cycles.total().round()),
        "modelled_over_second_run": summary.modelled_over_second_run(),
        "modelled_cycles": summary.modelled.as_ref().map(modelled),
        "unsupported_calls": summary.unsupported.iter().map(unsupported).collect::<Vec<_>>(),
        "labels": summary.labels.iter().map(label).collect::<Vec<_>>(),
        "components": parts(&summary.breakdown.processes),
        "delimiters": parts(&summary.breakdown.delimiters),
        "reached_limits": summary.reached.iter().map(reached).collect::<Vec<_>>(),
        "first_hits": summary.hits.iter().map(hit).collect::<Vec<_>>(),
        "first_differences": differences,
        "end": end(&summary.end.end),
    })
}

/// The parts of a run, by name.
fn parts(parts: &[Part]) -> Vec<Value> {
    let value = |Part { name, totals, cycles, .. }: &Part| {
        json!({
            "name": name,
            "pes": totals.committed,
            "user_instructions": totals.user_instructions,
            "frames_written": totals.frames_written,
            "write_faults": totals.write_faults,
            "divergences": totals.divergences,
            "total": totals.total,
            "phases": phases(&totals.phases),
            "modelled_total": cycles.map(|cycles| cycles.total().round()),
            "modelled_over_second_run": cycles.and_then(|cycles| cycles.over_second_run()),
        })
    };
    parts.iter().map(value).collect()
}

fn label(label: &Label) -> Value {
    json!({ "process": label.process, "name": label.text.as_str() })
}

fn watchdog(place: Watchdog) -> &'static str {
    match place {
        Watchdog::Pit => "pit",
        Watchdog::EventTimer => "event timer",
        Watchdog::Off => "off",
    }
}

fn reached(limit: &ReachedLimit) -> Value {
    json!({ "of": limited_name(limit.of), "most": limit.most, "times": limit.times })
}

/// What is said of a thread, with its numbers.
fn of_thread(thread: &ThreadNumber, mut value: Value) -> Value {
    value["process"] = thread.process.into();
    value["thread"] = thread.thread.into();
    value
}

fn unsupported(call: &UnsupportedCall) -> Value {
    json!({ "number": call.number, "name": call_name(call.number), "times": call.times })
}

/// Durations by phase.
pub fn phases(phases: &Phases) -> Map<String, Value> {
    TimedPhase::ALL.into_iter().map(|phase| (phase.name().to_owned(), phases.get(phase).into())).collect()
}

/// Modelled cycles by phase.
pub fn modelled(cycles: &Cycles) -> Map<String, Value> {
    TimedPhase::ALL
        .into_iter()
        .map(|phase| (phase.name().to_owned(), cycles.get(phase).round().into()))
        .collect()
}

fn end(end: &End) -> Value {
    match end {
        End::Exited { status } => json!({ "kind": "exited", "status": status }),
        End::Killed(Death { thread, signal, vector, address, registers }) => of_thread(
            thread,
            json!({
                "kind": "killed",
                "signal": signal,
                "signal_name": signal_name(*signal),
                "vector": vector,
                "address": hex(*address),
                "rip": hex(registers.rip),
            }),
        ),
        End::Persistent(verdict) => of_thread(
            &verdict.thread,
            json!({
                "kind": "persistent_divergence",
                "pe": verdict.pe,
                "start_rip": hex(verdict.start_rip),
                "end_rip": hex(verdict.end_rip),
                "attempts": verdict.attempts,
                "difference": InWords(verdict.difference).to_string(),
                "culprit": verdict.culprit.map(|culprit| json!({
                    "rip": hex(culprit.rip),
                    "after": culprit.after,
                    "instruction": nature::assembly(&culprit.code, culprit.rip),
                })),
            }),
        ),
        End::Damaged(Damage { pe, thread, difference }) => of_thread(
            thread,
            json!({ "kind": "damaged", "pe": pe, "difference": InWords(*difference).to_string() }),
        ),
        End::Refused(why) => json!({ "kind": "refused", "reason": refusal(why) }),
        End::Deadlock => json!({ "kind": "deadlock" }),
        End::OutputFull { limit } => json!({ "kind": "output_full", "limit": limit }),
        End::SelfTests { passed, failed } => {
            json!({ "kind": "self_tests", "passed": passed, "failed": failed })
        }
        End::Calibrated(_) => json!({ "kind": "calibrated" }),
        End::Stopped(stop) => json!({
            "kind": "stopped",
            "why": match stop {
                Stop::Idle => "idle",
                Stop::Text => "text",
                Stop::Time => "time",
                Stop::Instructions => "instructions",
            },
        }),
        End::RootDied(RootDeath { thread, event, qualification: [error, address], registers }) => of_thread(
            thread,
            json!({
                "kind": "root_died",
                "event": event,
                "error": error,
                "address": hex(*address),
                "rip": hex(registers.rip),
            }),
        ),
        End::Batch { programs } => json!({ "kind": "batch", "programs": programs }),
    }
}

fn hex(address: u64) -> String {
    format!("{address:#x}")
}

#[cfg(test)]
mod tests {
    use pe_replay::{Difference, Field};
    use wire::end::{Registers, Verdict};

    use super::*;
    use crate::outcome::summary::tests::sample;

    /// Whatever ends a program, it is told of which thread.
    #[test]
    fn an_end_has_its_thread() {
        let thread = ThreadNumber { process: 2, thread: 7 };
        let difference = Difference { field: Field::Rip, first: 1, second: 2, address: 0 };
        let registers = Registers { gpr: [0; 16], rip: 1, rflags: 2 };
        let verdict = Verdict {
            pe: 4,
            thread,
            start_rip: 1,
            end_rip: 2,
            difference,
            attempts: 3,
            culprit: None,
            code: [0; 15],
        };
        for end in [
            End::Killed(Death { thread, signal: 11, vector: None, address: 0, registers }),
            End::Persistent(verdict),
            End::Damaged(Damage { pe: 4, thread, difference }),
        ] {
            let value = super::end(&end);
            assert_eq!((&value["process"], &value["thread"]), (&json!(2), &json!(7)), "{value}");
        }
    }

    #[test]
    fn the_keys_that_others_rely_on_are_there() {
        let (trace, end) = sample();
        let value = value(&Summary::new(&trace, end).unwrap(), 7);
        assert_eq!(value["exit_status"], 7);
        assert_eq!(value["mode"], "dual");
        assert_eq!(value["counter"], "virtual-time");
        assert_eq!(value["clock"], "user");
        assert_eq!(value["isolated"], false);
        assert_eq!(value["unit"], "instructions");
        assert_eq!(value["pes"], 5);
        assert_eq!(value["ends"]["limit"], 4);
        assert_eq!(value["phases"]["second_run"], 5000);
        assert_eq!(value["medians"]["restart"], 40);
        assert_eq!(value["boot_instructions"], 1_234_567);
        assert_eq!(value["end"]["kind"], "exited");
        let hit = json!({ "pe": 3, "process": 1, "thread": 2, "flips": 1 });
        assert_eq!(value["first_hits"], json!([hit]));
        let differences = &value["first_differences"][0];
        assert_eq!((&differences["process"], &differences["thread"]), (&json!(1), &json!(2)));
        assert_eq!(value["longest_call"], json!({ "duration": 4321, "name": "munmap" }));
        let phases = value["phases"].as_object().unwrap();
        let sum: u64 = phases.values().filter_map(Value::as_u64).sum();
        assert_eq!((phases.len(), Some(sum)), (8, value["total_instructions"].as_u64()));
        assert_eq!(value["modelled_cycles"].as_object().map(Map::len), Some(8));
        assert!(value["modelled_total"].as_f64().is_some_and(|cycles| cycles > 0.0));
        assert_eq!(value["events"].as_object().map(Map::len), Some(23));
        assert!(value["modelled_over_second_run"].as_f64().is_some_and(|ratio| ratio > 1.0));
        for key in ["committed", "restarts", "divergences", "counter_misses", "debug_exceptions", "limit"] {
            assert!(value[key].is_u64(), "{key}");
        }
        for key in [
            "frames_written",
            "write_faults",
            "flips",
            "lost_records",
            "longest_hold",
            "max_dirty",
            "margin_near",
        ] {
            assert!(value[key].is_u64(), "{key}");
        }
    }
}
