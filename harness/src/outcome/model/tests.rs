// SPDX-License-Identifier: MIT
//! The model's sums, and what is refused as a model.

use pe_replay::{Mode, Phases, Policy};
use wire::{DelimiterKind, Events};

use super::*;

const FILE: &str = include_str!("../../../../benches/model.toml");

/// One of everything: each event, each phase's instruction.
fn totals() -> Totals {
    let events = Events {
        entries: 40,
        copied: 5,
        compared_and_copied: 3,
        compared: 2,
        hashed: 7,
        mapped: 6,
        mapped_at_once: 5,
        lines_flushed: 64,
        cache_flushes: 1,
        translation_flushes: 4,
        resumed: 2,
        states: 40,
        selectors: 160,
        bases_written: 80,
        bases_read: 79,
        x87_resets: 38,
        x87_clears: 39,
        time_stamps: 150,
        apic_writes: 88,
        spaces_loaded: 12,
        pages_invalidated: 13,
        lines_copied: 100,
        lines_filled: 50,
    };
    let mut totals = Totals { committed: 10, write_faults: 2, third_runs: 1, events, ..Totals::default() };
    totals.debug_exceptions = 9;
    totals.phases = Phases([100_000, 20_000, 30_000, 500, 100_000, 10_000, 40_000, 50_000]);
    totals.total = totals.phases.total();
    totals.ends[DelimiterKind::Syscall as usize] = 4;
    totals
}

fn cycles(text: &str) -> Cycles {
    Model::parse(text).unwrap().cycles(&Policy::DEFAULT, &totals())
}

/// The file with the figures of one weight doubled.
fn doubled(name: &str) -> String {
    let (before, after) = FILE.split_once(&format!("[weights.{name}]\n")).unwrap();
    let (section, rest) = after.split_once("basis").unwrap();
    let lines = section.lines().map(|line| match line.split_once(" = ") {
        Some((key @ ("cycles" | "hot" | "cold" | "dram"), figure)) => {
            format!("{key} = {:?}\n", 2.0 * figure.parse::<f64>().unwrap())
        }
        Some(_) | None => format!("{line}\n"),
    });
    format!("{before}[weights.{name}]\n{}basis{rest}", lines.collect::<String>())
}

#[test]
fn the_projects_own_is_complete_and_has_sources() {
    let model = Model::built_in().unwrap();
    let all = model.weights.all();
    assert_eq!(FILE.matches("[weights.").count(), all.len());
    for (name, _, source) in all {
        assert!(FILE.contains(&format!("[weights.{name}]")), "{name}");
        assert!(source.len() > 20, "{name}: {source}");
    }
    assert!(model.processor.contains("Xeon"));
}

#[test]
fn doubling_a_weight_adds_what_it_stands_for() {
    let before = cycles(FILE).total();
    let weights = &Model::built_in().unwrap().weights;
    // Of 40 entries 2 are write faults, 11 run a PE again, 27 are left; 8 come back by SYSCALL.
    let expected = [
        ("user_instruction", 210_000.0 * weights.user_instruction.cycles),
        // Without those of 4 copies and 1, 3 hashes and 4, and the comparisons.
        (
            "kernel_instruction",
            (20_000.0 - 4.0 * 261.0)
                + (30_000.0 - 261.0 - 3.0 * 2900.0)
                + 500.0
                + (40_000.0 - 2.0 * 421.0 - 3.0 * 534.0 - 4.0 * 2900.0)
                + (50_000.0 - 100.0 * 13.0 - 50.0 * 7.0),
        ),
        ("return_to_user", 40.0 * weights.return_to_user.cycles),
        ("state", 40.0 * weights.state.cycles),
        ("selector", 160.0 * weights.selector.cycles),
        ("base_write", 80.0 * weights.base_write.cycles),
        ("base_read", 79.0 * weights.base_read.cycles),
        ("x87_reset", 38.0 * weights.x87_reset.cycles),
        ("x87_clear", 39.0 * weights.x87_clear.cycles),
        ("time_stamp", 150.0 * weights.time_stamp.cycles),
        ("apic_write", 88.0 * weights.apic_write.cycles),
        ("write_fault", 2.0 * weights.write_fault.cycles),
        ("system_call", 8.0 * weights.system_call.cycles),
        ("exception", 30.0 * weights.exception.cycles),
        ("debug_exception", 9.0 * weights.debug_exception.cycles),
        ("copied", 5.0 * weights.copied.hot),
        ("compared", 2.0 * weights.compared.hot),
        ("compared_and_copied", 3.0 * weights.compared_and_copied.hot),
        ("hashed", 7.0 * weights.hashed.hot),
        // Those that the kernel flushes for itself, too.
        ("mapped", (6.0 + 13.0) * weights.mapped.cycles),
        ("translation_flush", (4.0 + 5.0 + 12.0) * weights.translation_flush.cycles),
        ("line_copied", 100.0 * weights.line_copied.hot),
        ("line_filled", 50.0 * weights.line_filled.hot),
        ("line_flush", 64.0 * weights.line_flush.cycles),
        ("cache_flush", weights.cache_flush.cycles),
    ];
    assert_eq!(expected.len(), weights.all().len());
    for (name, added) in expected {
        let after = cycles(&doubled(name)).total();
        assert!((after - before - added).abs() < 1.0, "{name}: {before} and {added} make {after}");
    }
}

#[test]
fn phases_hold_what_belongs_to_them() {
    let before = cycles(FILE);
    for (name, phase) in [
        ("write_fault", TimedPhase::Treatment),
        ("debug_exception", TimedPhase::Restart),
        ("line_copied", TimedPhase::Other),
        ("line_filled", TimedPhase::Other),
        ("line_flush", TimedPhase::Flush),
        ("cache_flush", TimedPhase::Flush),
        ("compared", TimedPhase::VerifyCommit),
    ] {
        let after = cycles(&doubled(name));
        for other in TimedPhase::ALL {
            assert_eq!(after.get(other) > before.get(other), other == phase, "{name} in {other:?}");
        }
    }
    assert!((before.total() - before.0.iter().sum::<f64>()).abs() < f64::EPSILON);
}

#[test]
fn many_written_pages_are_cold_and_very_many_in_no_cache() {
    let model = Model::built_in().unwrap();
    let dram = Totals { frames_written: 10 * 300, ..totals() };
    let cold = Totals { frames_written: 10 * 10, ..totals() };
    let hot = Totals { frames_written: 10 * 5, ..totals() };
    assert!(model.cycles(&Policy::DEFAULT, &dram).total() > model.cycles(&Policy::DEFAULT, &cold).total());
    assert!(model.cycles(&Policy::DEFAULT, &cold).total() > model.cycles(&Policy::DEFAULT, &hot).total());
    assert_eq!(model.cycles(&Policy::DEFAULT, &hot), model.cycles(&Policy::DEFAULT, &totals()));
}

#[test]
fn a_run_without_replay_pays_for_one_entry_a_pe() {
    let mut off = Totals { committed: 10, ..Totals::default() };
    off.events.entries = 10;
    off.events.states = 10;
    off.events.selectors = 40;
    off.ends[DelimiterKind::Syscall as usize] = 10;
    let model = Model::built_in().unwrap();
    let cycles = model.cycles(&Policy { mode: Mode::Off, ..Policy::DEFAULT }, &off);
    assert!((cycles.get(TimedPhase::Other) - cycles.total()).abs() < f64::EPSILON);
    assert!((cycles.total() - 10.0 * (270.0 + 451.0 + 4.0 * 152.0 + 100.0)).abs() < 1e-6);
}

#[test]
fn what_was_measured_here_names_processor_day_and_program() {
    let all = Model::built_in().unwrap().weights.clone();
    let mut measured = 0;
    for (section, text) in FILE.split("[weights.").skip(1).filter_map(|text| text.split_once("]\n")) {
        if text.contains("basis = \"measured here\"") {
            let parts = ["AMD EPYC", "2026-", "benches/"];
            assert!(parts.iter().all(|part| text.contains(part)), "{section}: {text}");
            measured += 1;
        }
    }
    assert!(measured > 5 && measured < all.all().len(), "{measured}");
}

#[test]
fn the_ratio_beside_the_original_is_over_the_second_run() {
    let cycles = cycles(FILE);
    let second = 100_000.0 * Model::built_in().unwrap().weights.user_instruction.cycles;
    assert!((cycles.over_second_run().unwrap() - cycles.total() / second).abs() < 1e-9);
    assert_eq!(Cycles::default().over_second_run(), None);
}

#[test]
fn what_is_wrong_with_a_model_is_one_line() {
    let refused = |text: &str| {
        let message = format!("{:#}", Model::parse(text).unwrap_err());
        assert!(!message.contains('\n'), "{message}");
        message
    };
    let with = |from: &str, to: &str| FILE.replacen(from, to, 1);
    assert!(refused(&with("[weights.mapped]", "[weights.maped]")).contains("unknown field `maped`"));
    assert!(refused(&with("hot_bytes", "warm_bytes")).contains("unknown field `warm_bytes`"));
    assert!(refused(&with("cycles = 100", "cycle = 100")).contains("unknown field `cycle`"));
    assert!(refused(&with("cycles = 100\n", "")).contains("missing field `cycles`"));
    assert!(refused(&with("cycles = 100", "cycles = -100")).contains("base_write: a weight is"));
    assert!(refused(&with("basis = \"measured\"", "basis = \"guessed\"")).contains("guessed"));
    let (before, rest) = FILE.split_once("source = \"a quarter").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    assert!(refused(&format!("{before}source = \" \"\n{after}")).contains("system_call: no source"));
    assert!(refused("processor = ").contains("line 1"));
}
