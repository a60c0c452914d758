// SPDX-License-Identifier: MIT
//! What the fuzzer prints: a digest every few rounds, and each call if it is to tell them.

use anyhow::{Context as _, Result};

use super::trial::Found;
use crate::outcome::told::call_name;

/// What the last line begins with.
pub const DONE: &str = "done ";
/// What the others begin with.
const ROUND: &str = "round ";
/// How many calls are told before an end.
const LAST: usize = 12;

/// How many lines are the same from the first on.
pub fn common(one: &[String], other: &[String]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// The round in which the last line was printed.
pub fn round(lines: &[String]) -> Option<u64> {
    let line = lines.iter().rfind(|line| line.starts_with(ROUND))?;
    u64::from_str_radix(line.split(' ').nth(1)?, 16).ok()
}

/// Reads the last line of a run.
pub fn found(line: &str) -> Result<Found> {
    let words: Vec<&str> = line.split(' ').collect();
    let [_, _, "calls", calls, "digest", digest] = words[..] else {
        anyhow::bail!("`{line}` is no line of the fuzzer's")
    };
    let calls = u64::from_str_radix(calls, 16).with_context(|| line.to_owned())?;
    Ok(Found { calls, digest: digest.to_owned() })
}

/// A call as it was told, with its name: thread, number, arguments, all of them hexadecimal.
fn named(line: &str) -> String {
    let number = line.split(' ').skip_while(|word| *word != "call").nth(1);
    let name = number.and_then(|number| u32::from_str_radix(number, 16).ok()).and_then(call_name);
    let line = line.trim();
    name.map_or(line.to_owned(), |name| format!("{line} ({name})"))
}

/// The last calls that were told.
pub fn last(told: &[String]) -> Vec<String> {
    told[told.len().saturating_sub(LAST)..].iter().map(|line| named(line)).collect()
}

/// The calls before the first one that two runs do not both make, and that one in each of them. None if all are alike: then
/// something differed that is no call's.
pub fn first_difference(one: &[String], other: &[String]) -> Vec<String> {
    let at = common(one, other);
    if at == one.len().max(other.len()) {
        return Vec::new();
    }
    let mut calls = last(&one[..at]);
    calls.extend([("in off", one), ("with replay", other)].map(|(run, told)| {
        format!("{run}: {}", told.get(at).map_or("nothing more".to_owned(), |line| named(line)))
    }));
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn lines_of_the_fuzzer_are_read() {
        let printed = lines(&[
            "round 0 calls 0 digest 0",
            "round 20 calls 7be digest e0",
            "done 21 calls 7ff digest e1",
        ]);
        assert_eq!((round(&printed), round(&printed[..1]), round(&[])), (Some(0x20), Some(0), None));
        assert_eq!(found(&printed[2]).unwrap(), Found { calls: 0x7ff, digest: "e1".into() });
        assert!(found("done 21 calls many digest e1").is_err());
    }

    #[test]
    fn what_differs_first_is_told_with_what_came_before() {
        let one = lines(&["  3e9: call 0 1 2 3 0 0 0", "  3e9: call 27 0 0 0 0 0 0"]);
        let other = lines(&["  3e9: call 0 1 2 3 0 0 0", "  3ea: call ffffffffffffffff 0 0 0 0 0 0"]);
        assert_eq!(
            first_difference(&one, &other),
            [
                "3e9: call 0 1 2 3 0 0 0 (read)",
                "in off: 3e9: call 27 0 0 0 0 0 0 (getpid)",
                "with replay: 3ea: call ffffffffffffffff 0 0 0 0 0 0"
            ]
        );
        assert!(first_difference(&one, &one).is_empty());
        assert_eq!(first_difference(&one, &one[..1])[2], "with replay: nothing more");
    }
}
