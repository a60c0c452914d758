// SPDX-License-Identifier: MIT
//! A list: a line for each PE of a program, in two parts, and what is kept of it.

use std::fmt::Write;

use anyhow::{Context as _, Result, ensure};
use wire::ThreadNumber;
use wire::end::{Death, End};
use wire::record::PeRecord;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::super::batch::{Case, Ended};

/// Lines that have one hash together.
pub const BLOCK: usize = 256;

/// What is known of a PE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What every mode has to come to: process and thread, end, RIP, instructions, digest of the state.
    pub state: String,
    /// What every mode that tracks pages has to come to: how many were written, and their digest.
    pub pages: String,
}

impl Line {
    fn plain(state: String) -> Self {
        Self { state, pages: "-".to_owned() }
    }

    fn of(pe: &PeRecord) -> Result<Self> {
        let PeRecord {
            thread: ThreadNumber { process, thread },
            delimiter,
            rip,
            instructions,
            frames_written,
            digest,
            ..
        } = pe;
        let digest = digest.context("a PE has no digest")?;
        let kind = delimiter.name();
        Ok(Self {
            state: format!("{process}.{thread} {kind:<11} {rip:#x} {instructions} {:032x}", digest.state),
            pages: format!("{frames_written} {:032x}", digest.pages),
        })
    }
}

/// A run's lines: what is run, its PEs, and how it ended and what it said.
pub fn lines(case: &Case, ended: &Ended) -> Result<Vec<Line>> {
    let run = Line::plain(format!("run limit {}: {}", case.policy.limit, case.words.join(" ")));
    let pes = ended.pes.iter().map(Line::of).collect::<Result<Vec<_>>>()?;
    ensure!(pes.len() as u64 == ended.record.totals.committed, "{} records", pes.len());
    let said = |text: &[u8]| format!("{} {:016x}", text.len(), xxh3_64(text));
    let (stdout, stderr) = (said(&ended.stdout), said(&ended.stderr));
    let end = Line::plain(format!("{}, stdout {stdout}, stderr {stderr}", how(&ended.end())));
    Ok([vec![run], pes, vec![end]].concat())
}

/// An end in words that no other part of the tool has a say in.
fn how(end: &End) -> String {
    match end {
        End::Exited { status } => format!("exited {status}"),
        End::Killed(Death { signal, vector, address, registers, .. }) => {
            let vector = vector.map_or("-".to_owned(), |vector| vector.to_string());
            let words = registers.gpr.iter().chain([&registers.rip, &registers.rflags]);
            let bytes: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
            format!("killed {signal} {vector} {address:#x} {:#x} {:016x}", registers.rip, xxh3_64(&bytes))
        }
        other => format!("{other:?}"),
    }
}

/// The lines as text, with both parts.
pub fn text(lines: &[Line]) -> String {
    lines.iter().fold(String::new(), |mut text, Line { state, pages }| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{state} | {pages}");
        text
    })
}

/// Two hashes for each [`BLOCK`] of lines, after the number of the first of them.
pub fn blocks(lines: &[Line]) -> String {
    let hash = |block: &[Line], part: fn(&Line) -> &str| {
        let mut hash = Xxh3::new();
        for line in block {
            hash.update(part(line).as_bytes());
            hash.update(b"\n");
        }
        hash.digest()
    };
    lines.chunks(BLOCK).enumerate().fold(String::new(), |mut text, (index, block)| {
        let (states, pages) = (hash(block, |line| &line.state), hash(block, |line| &line.pages));
        let _ = writeln!(text, "{} {states:016x} {pages:016x}", index * BLOCK);
        text
    })
}

/// The first line, from 0, in which two lists differ, as far as `part` goes.
pub fn first_difference(ours: &[Line], theirs: &[Line], part: fn(&Line) -> &str) -> Option<usize> {
    let differing = ours.iter().zip(theirs).position(|(one, other)| part(one) != part(other));
    let length = ours.len().min(theirs.len());
    differing.or((ours.len() != theirs.len()).then_some(length))
}

#[cfg(test)]
mod tests {
    use wire::DelimiterKind;
    use wire::Digest;
    use wire::end::Registers;
    use wire::record::Records;

    use super::*;

    fn sample(count: usize) -> Vec<Line> {
        (0..count).map(|at| Line { state: format!("state {at}"), pages: format!("pages {at}") }).collect()
    }

    /// The words of a line go into all that is kept.
    #[test]
    fn lines_have_their_words() {
        let digest = Some(Digest { state: 0x12, pages: 0x34 });
        let (trace, _) = crate::outcome::summary::tests::sample();
        let pe = Records::open(&trace).unwrap().1.next().unwrap().unwrap();
        let pe = PeRecord {
            thread: ThreadNumber { process: 2, thread: 1 },
            delimiter: DelimiterKind::PageFault,
            digest,
            ..pe
        };
        let Line { state, pages } = Line::of(&pe).unwrap();
        assert_eq!(state, "2.1 page_fault  0x401000 1000 00000000000000000000000000000012");
        assert_eq!(pages, "2 00000000000000000000000000000034");
        assert!(Line::of(&PeRecord { digest: None, ..pe }).is_err());
        let registers = Registers { gpr: [0; 16], rip: 0x40_1000, rflags: 0x202 };
        let thread = pe.thread;
        let killed = |vector| End::Killed(Death { thread, signal: 11, vector, address: 0xdead, registers });
        assert_eq!(how(&End::Exited { status: 3 }), "exited 3");
        assert_eq!(how(&killed(Some(14))), "killed 11 14 0xdead 0x401000 7e26f0053f9f9faf");
        assert!(how(&killed(None)).starts_with("killed 11 - 0xdead 0x401000 "));
    }

    #[test]
    fn a_change_shows_in_its_block_and_in_its_part_alone() {
        let before = sample(600);
        let mut after = before.clone();
        after[300].pages.push('!');
        let differing = |one: &str, other: &str| -> Vec<(usize, bool)> {
            let pairs = one.lines().zip(other.lines()).enumerate();
            let pairs = pairs.filter(|(_, (one, other))| one != other);
            let state = |line: &str| line.rsplit_once(' ').map(|(state, _)| state.to_owned());
            pairs.map(|(at, (one, other))| (at, state(one) == state(other))).collect()
        };
        let (one, other) = (blocks(&before), blocks(&after));
        assert_eq!(one.lines().count(), 3);
        assert!(one.lines().nth(2).unwrap().starts_with("512 "));
        assert_eq!(differing(&one, &other), [(1, true)]);
        after[599].state.push('!');
        assert_eq!(differing(&one, &blocks(&after)), [(1, true), (2, false)]);
    }

    /// What a line's hash covers: no shift of characters from one line to the next goes unseen.
    #[test]
    fn lines_are_kept_apart() {
        let line = |state: &str| Line::plain(state.to_owned());
        assert_ne!(blocks(&[line("ab"), line("c")]), blocks(&[line("a"), line("bc")]));
        assert_eq!(blocks(&[line("ab")]), "0 7ca4df98a9c80c4b f2e72d165e3ccaca\n");
    }

    #[test]
    fn the_first_difference_is_found_also_behind_the_end() {
        let (whole, cut) = (sample(10), sample(7));
        assert_eq!(first_difference(&whole, &whole, |line| &line.state), None);
        assert_eq!(first_difference(&whole, &cut, |line| &line.state), Some(7));
        let mut other = whole.clone();
        other[3].pages.push('!');
        assert_eq!(first_difference(&whole, &other, |line| &line.state), None);
        assert_eq!(first_difference(&whole, &other, |line| &line.pages), Some(3));
    }
}
