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

/// The number that leaves a part of a policy as the run has it.
const AS_THE_RUN: u64 = 0xff;

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
    /// The policy that an element says; what it does not say is as the run has it.
    #[must_use]
    pub fn read(reader: &mut Reader<'_>, element: Element<'_>) -> Self {
        let mut number = |name, names: &[&str]| {
            let find = |text: &str| names.iter().position(|name| *name == text).map(|at| at as u64);
            reader.parsed(element, name, AS_THE_RUN, find)
        };
        let (mode, recovery, flush) =
            (number("mode", &MODES), number("recovery", &RECOVERIES), number("flush", &FLUSHES));
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
        assert_eq!(
            replay("<replay/>"),
            (Replay { mode: 0xff, recovery: 0xff, flush: 0xff, limit: 0 }, Vec::new())
        );
    }

    #[test]
    fn a_wrong_word_is_named() {
        let (replay, said) = replay("<replay mode=\"twice\" limit=\"10K\"/>");
        assert_eq!(replay, Replay { mode: 0xff, recovery: 0xff, flush: 0xff, limit: 0 });
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
