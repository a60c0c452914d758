// SPDX-License-Identifier: MIT
//! What a system of components has said, and whether it is what has to be said: lines of one component in their order,
//! those of different ones in any.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

/// What begins and ends a colour of the terminal.
const ESCAPE: char = '\u{1b}';

/// How core, ours or Genode's, begins to say that init has exited.
const INIT_EXITED: &str = "child \"init\" exited with exit value ";

/// A line and who has said it: `[init -> hello] text`. Core says its own without a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    pub label: &'a str,
    pub text: &'a str,
}

/// All lines, in their order.
#[derive(Debug)]
pub struct Log {
    lines: Vec<(String, String)>,
}

/// What has to be said, and what must not be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Lines that each component says, in this order, with others between them.
    pub lines: &'a [Said<'a>],
    /// Lines that are said so many times.
    pub times: &'a [(Said<'a>, usize)],
    /// Lines of which the first is said before the second.
    pub before: &'a [(Said<'a>, Said<'a>)],
    /// What no line contains.
    pub never: &'a [&'a str],
}

impl Log {
    /// The lines on a console.
    pub fn new(console: &[u8]) -> Self {
        let text = plain(&String::from_utf8_lossy(console));
        let line = |line: &str| match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            Some((label, text)) => (label.to_owned(), text.to_owned()),
            None => (String::new(), line.to_owned()),
        };
        Self { lines: text.lines().map(line).collect() }
    }

    /// What init has exited with, if core says that it has: the lowest byte, which is all that a status has of it.
    pub fn exit_value(&self) -> Option<u8> {
        let of_core = self.lines.iter().rev().filter(|(label, _)| label.is_empty());
        let value = of_core.filter_map(|(_, text)| text.strip_prefix(INIT_EXITED)).next()?;
        value.trim().parse::<i32>().ok().map(|value| value as u8)
    }

    /// The lines of each component.
    pub fn by_label(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (label, text) in &self.lines {
            all.entry(label).or_default().push(text);
        }
        all
    }

    /// Fails if a component has not said the same as in another run.
    pub fn is_as(&self, other: &Self) -> Result<()> {
        let (said, due) = (self.by_label(), other.by_label());
        for label in due.keys().chain(said.keys()) {
            let said = said.get(label).map_or(&[][..], Vec::as_slice);
            let due = due.get(label).map_or(&[][..], Vec::as_slice);
            let count = said.len().max(due.len());
            if let Some(at) = (0..count).find(|at| said.get(*at) != due.get(*at)) {
                bail!("{label:?} says {:?} instead of {:?}", said.get(at), due.get(at));
            }
        }
        Ok(())
    }

    /// Where a line is said first, from a place on.
    fn find(&self, said: Said<'_>, from: usize) -> Option<usize> {
        let is_it = |(label, text): &(String, String)| label == said.label && text == said.text;
        self.lines.get(from..)?.iter().position(is_it).map(|at| from + at)
    }

    /// Fails if something is not said, or not in its order, or must not be said.
    pub fn check(&self, expected: &Expected<'_>) -> Result<()> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for said in expected.lines {
            let from = places.get(said.label).copied().unwrap_or(0);
            let found = self.find(*said, from);
            ensure!(found.is_some(), "not said, or too early: {said:?}");
            places.insert(said.label, found.unwrap_or(from) + 1);
        }
        for (said, times) in expected.times {
            let count =
                self.lines.iter().filter(|(label, text)| label == said.label && text == said.text).count();
            ensure!(count == *times, "said {count} times, and not {times}: {said:?}");
        }
        for (first, second) in expected.before {
            let (one, other) = (self.find(*first, 0), self.find(*second, 0));
            ensure!(
                matches!((one, other), (Some(one), Some(other)) if one < other),
                "{first:?} is not before {second:?}"
            );
        }
        for part in expected.never {
            let found = self.lines.iter().find(|(_, text)| text.contains(part));
            ensure!(found.is_none(), "{part:?} is said: {found:?}");
        }
        Ok(())
    }
}

/// A text without colours.
fn plain(text: &str) -> String {
    let mut parts = text.split(ESCAPE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('m').map_or("", |(_, rest)| rest)).replace('\r', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn said(label: &'static str, text: &'static str) -> Said<'static> {
        Said { label, text }
    }

    const NOTHING: Expected<'static> = Expected { lines: &[], times: &[], before: &[], never: &[] };
    const CONSOLE: &[u8] = b"core 1\n[init] \x1b[33mchild \"a\"\x1b[0m\r\n[init -> a] one\n[init] over\n[init -> a] two\n[init -> a] two\n";

    fn told(expected: Expected<'_>) -> String {
        Log::new(CONSOLE).check(&expected).map_or_else(|error| error.to_string(), |()| "right".to_owned())
    }

    #[test]
    fn lines_have_labels_and_no_colours() {
        let log = Log::new(CONSOLE);
        let all = log.by_label();
        assert_eq!(all[""], ["core 1"]);
        assert_eq!(all["init"], ["child \"a\"", "over"]);
        assert_eq!(all["init -> a"], ["one", "two", "two"]);
    }

    #[test]
    fn order_holds_within_a_label_only() {
        let across = &[said("init", "over"), said("init -> a", "one"), said("init -> a", "two")];
        assert_eq!(told(Expected { lines: across, ..NOTHING }), "right");
        let turned = &[said("init -> a", "two"), said("init -> a", "one")];
        assert!(told(Expected { lines: turned, ..NOTHING }).starts_with("not said, or too early"));
        let three = &[said("init -> a", "two"), said("init -> a", "two"), said("init -> a", "two")];
        assert!(told(Expected { lines: three, ..NOTHING }).starts_with("not said, or too early"));
        let other = &[said("init", "one")];
        assert!(told(Expected { lines: other, ..NOTHING }).starts_with("not said"));
    }

    #[test]
    fn only_core_says_what_init_exits_with() {
        let value = |console: &str| Log::new(console.as_bytes()).exit_value();
        assert_eq!(value("core\r\nchild \"init\" exited with exit value 7\r\nmore\r\n"), Some(7));
        assert_eq!(value("child \"init\" exited with exit value -1\n"), Some(255));
        for other in [
            "[init] child \"init\" exited with exit value 7\n",
            "[init -> a] child \"init\" exited with exit value 7\n",
            "child \"init\" exited with exit value\n",
            "child \"another\" exited with exit value 7\n",
        ] {
            assert_eq!(value(other), None, "{other}");
        }
    }

    #[test]
    fn components_say_the_same_in_another_order() {
        let told =
            |console: &[u8]| Log::new(console).is_as(&Log::new(CONSOLE)).map_err(|error| error.to_string());
        assert_eq!(
            told(b"[init -> a] one\n[init] child \"a\"\ncore 1\n[init -> a] two\n[init -> a] two\n[init] over\n"),
            Ok(())
        );
        let differs = |console, label, said, due| {
            assert_eq!(told(console), Err(format!("{label:?} says {said} instead of {due}")));
        };
        differs(
            b"core 1\n[init] child \"a\"\n[init] over\n[init -> a] two\n[init -> a] one\n[init -> a] two\n",
            "init -> a",
            "Some(\"two\")",
            "Some(\"one\")",
        );
        let more = [CONSOLE, b"[init -> b] three\n"].concat();
        differs(&more, "init -> b", "Some(\"three\")", "None");
        differs(&CONSOLE[..CONSOLE.len() - 16], "init -> a", "None", "Some(\"two\")");
    }

    #[test]
    fn what_must_be_so_often_before_or_never_is_looked_for() {
        assert_eq!(told(Expected { times: &[(said("init -> a", "two"), 2)], ..NOTHING }), "right");
        assert!(
            told(Expected { times: &[(said("init -> a", "two"), 3)], ..NOTHING }).starts_with("said 2 times")
        );
        let (one, over) = (said("init -> a", "one"), said("init", "over"));
        assert_eq!(told(Expected { before: &[(one, over)], ..NOTHING }), "right");
        assert!(told(Expected { before: &[(over, one)], ..NOTHING }).contains("is not before"));
        assert!(told(Expected { before: &[(one, said("init", "no"))], ..NOTHING }).contains("is not before"));
        assert!(told(Expected { never: &["wo"], ..NOTHING }).starts_with("\"wo\" is said"));
        assert_eq!(told(Expected { never: &["Error"], ..NOTHING }), "right");
    }
}
