// SPDX-License-Identifier: MIT
//! Where in the kernel one phase ends and another begins: the RDTSC instructions whose value its stopwatch is told.
//!
//! They are found in the kernel's code, and the line tables say what each is for: the entry code has two by name; all
//! others stand in a call of `lap` that names its phase in the source. A time stamp that goes anywhere else is no mark.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic};
use object::{Object, ObjectSymbol};
use pe_replay::TimedPhase;

use super::names::{Frame, Names};
use crate::workload::artifacts;

/// Before user mode, in the entry code; the numbers are the plugin's.
const ENTERED: u32 = 100;
/// After it.
const LEFT: u32 = 101;
/// The end of getting ready for a later run.
const TURN: u32 = 102;
/// The end of putting everything back for the first one.
const ROLL_BACK: u32 = 103;

/// A mark: its address, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    address: u64,
    kind: u32,
}

/// As the plugin reads them.
pub fn text(marks: &[Mark]) -> String {
    marks.iter().fold(String::new(), |mut text, Mark { address, kind }| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{address:x} {kind}");
        text
    })
}

/// Calls `each` with every instruction of the functions of an ELF file.
fn instructions(code: &[u8], mut each: impl FnMut(&Instruction)) -> Result<()> {
    let file = object::File::parse(code).context("the kernel")?;
    for symbol in file.symbols().filter(|symbol| symbol.kind() == object::SymbolKind::Text) {
        let bytes = super::kinds::bytes(&file, symbol.address(), symbol.size());
        let decoder = Decoder::with_ip(64, bytes, symbol.address(), DecoderOptions::NONE);
        decoder.into_iter().for_each(|instruction| each(&instruction));
    }
    Ok(())
}

/// Finds all marks in a kernel.
pub fn find(code: &[u8], names: &Names) -> Result<Vec<Mark>> {
    let mut addresses = Vec::new();
    instructions(code, |instruction| {
        if instruction.mnemonic() == Mnemonic::Rdtsc {
            addresses.push(instruction.ip());
        }
    })?;
    addresses.sort_unstable();
    addresses.dedup();
    let mut sources = HashMap::new();
    let mut marks = Vec::new();
    for address in addresses {
        let symbol = names.symbol(address).unwrap_or_default();
        let kind = match symbol.rsplit("::").next() {
            Some("enter_user") => Some(ENTERED),
            Some("leave_user") => Some(LEFT),
            Some(_) | None => kind(&names.frames(address), &mut sources),
        };
        marks.extend(kind.map(|kind| Mark { address, kind }));
    }
    for (kind, name) in [
        (ENTERED, "before user mode"),
        (LEFT, "after user mode"),
        (TURN, "before a second run"),
        (TimedPhase::Treatment as u32, "after a write fault"),
        (TimedPhase::VerifyCommit as u32, "after the commit"),
        (TimedPhase::Other as u32, "at the end of a PE"),
    ] {
        let found = marks.iter().any(|mark| mark.kind == kind);
        ensure!(found, "the kernel reads no time stamp {name} that its line tables know");
    }
    Ok(marks)
}

/// What the time stamp is for that stands in these functions, one within the other.
fn kind(frames: &[Frame], sources: &mut HashMap<String, Vec<String>>) -> Option<u32> {
    // The innermost frame may have the name of the outermost one.
    let is_clock = |frame: &&Frame| frame.name == "now" || Path::new(&frame.file).is_absolute();
    let caller = frames.iter().find(|frame| !is_clock(frame))?;
    let lines = sources.entry(caller.file.clone()).or_insert_with(|| source(&caller.file));
    let phase = phase(lines, caller.line as usize)?;
    Some(match (phase, caller.name.as_str()) {
        (TimedPhase::Restart, "turn") => TURN,
        (TimedPhase::Restart, "roll_back") => ROLL_BACK,
        (phase, _) => phase as u32,
    })
}

fn source(file: &str) -> Vec<String> {
    let text = fs::read_to_string(artifacts::root().join(Path::new(file))).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The phase that a call of `lap` names which stands in line `number`, counted from 1, or reaches to it from one of the
/// two before.
fn phase(lines: &[String], number: usize) -> Option<TimedPhase> {
    let end = number.min(lines.len());
    let text = lines[end.saturating_sub(3)..end].concat();
    let (_, call) = text.rsplit_once(".lap(")?;
    if call.trim_end().trim_end_matches(';').contains(';') {
        return None;
    }
    let (_, name) = call.split_once("::")?;
    let name: String = name.chars().take_while(|letter| letter.is_ascii_alphanumeric()).collect();
    TimedPhase::ALL.into_iter().find(|phase| format!("{phase:?}") == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, file: &str, line: u32) -> Frame {
        Frame { name: name.into(), file: file.into(), line }
    }

    #[test]
    fn a_time_stamp_is_a_mark_where_a_phase_is_lapped() {
        let lines = [
            "let now = machine.now();",
            "",
            "",
            "self.watch.lap(Timed::Restart, machine.now());",
            "let now = machine.now();",
            "",
            "watch.lap(",
            "    TimedPhase::Other,",
        ];
        let mut sources = HashMap::from([("x.rs".to_owned(), lines.map(str::to_owned).to_vec())]);
        let mut of = |function: &str, line| {
            let clock = [frame("_rdtsc", "/core.rs", 1), frame("now", "kernel.rs", 9)];
            kind(&[&clock[..], &[frame(function, "x.rs", line)]].concat(), &mut sources)
        };
        assert_eq!(of("turn", 4), Some(TURN));
        assert_eq!(of("roll_back", 4), Some(ROLL_BACK));
        assert_eq!(of("flush", 4), Some(TimedPhase::Restart as u32));
        assert_eq!((of("serve", 1), of("serve", 5)), (None, None));
        assert_eq!(of("until_end", 8), Some(TimedPhase::Other as u32));
        assert_eq!(text(&[Mark { address: 0x1f, kind: 7 }]), "1f 7\n");
    }
}
