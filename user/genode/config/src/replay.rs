// SPDX-License-Identifier: MIT
//! How a child's PEs are run, as `<replay>` says it.

use crate::read::Reader;
use crate::xml::Element;

/// The modes, in the order of their numbers.
const MODES: [&str; 3] = ["off", "dual", "triple"];
/// What follows when the runs of a PE differ, in the order of the numbers.
const RECOVERIES: [&str; 2] = ["restart", "vote"];
/// What is flushed between the runs of a PE, in the order of the numbers.
const FLUSHES: [&str; 4] = ["never", "lines", "all", "retry"];

/// A policy, by the numbers that core takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Off, dual or triple.
    pub mode: u64,
    /// Restart or vote.
    pub recovery: u64,
    /// Never, lines, all or retry.
    pub flush: u64,
    /// The most instructions of a PE; 0 is as many as the run has.
    pub limit: u64,
}

impl Replay {
    /// The policy that an element says; what it does not say is dual, restart, never, and the run's limit.
    #[must_use]
    pub fn read(reader: &mut Reader<'_>, element: Element<'_>) -> Self {
        let mut number = |name, default, names: &[&str]| {
            let find = |text: &str| names.iter().position(|name| *name == text).map(|at| at as u64);
            reader.parsed(element, name, default, find)
        };
        let (mode, recovery, flush) =
            (number("mode", 1, &MODES), number("recovery", 0, &RECOVERIES), number("flush", 0, &FLUSHES));
        Self { mode, recovery, flush, limit: reader.value(element, "limit", 0) }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::Replay;
    use crate::message::Message;
    use crate::read::Reader;
    use crate::xml::{Element, parse};

    fn replay(text: &str) -> (Replay, Vec<Message>) {
        let document = parse(text).unwrap();
        let mut said = Vec::new();
        let replay = Replay::read(&mut Reader { who: "a", said: &mut said }, Element::root(&document));
        (replay, said)
    }

    #[test]
    fn a_policy_is_said_in_words() {
        let all = "<replay mode=\"triple\" recovery=\"vote\" flush=\"retry\" limit=\"10000\"/>";
        assert_eq!(replay(all).0, Replay { mode: 2, recovery: 1, flush: 3, limit: 10_000 });
        assert_eq!(replay("<replay/>"), (Replay { mode: 1, recovery: 0, flush: 0, limit: 0 }, Vec::new()));
    }

    #[test]
    fn a_wrong_word_is_named() {
        let (replay, said) = replay("<replay mode=\"twice\" limit=\"10K\"/>");
        assert_eq!(replay, Replay { mode: 1, recovery: 0, flush: 0, limit: 0 });
        let said: Vec<_> = said.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "Warning: a: invalid value \"twice\" of attribute \"mode\" (line 1)",
                "Warning: a: invalid value \"10K\" of attribute \"limit\" (line 1)",
            ]
        );
    }
}
