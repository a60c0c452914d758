// SPDX-License-Identifier: MIT
//! What a document shows, held against what a command prints: word by word, numbers to the place to which they are
//! rounded in the document.
//!
//! A line `...` stands for any lines, and `...` at the end of a line for the rest of it.

use anyhow::{Context as _, Result};

/// What stands for any lines, or for the rest of one.
const ANYTHING: &str = "...";

/// Where digits of a number stand in a word, if it is one: with what is around them, `0x`, a comma or a sign of percent.
fn number(word: &str) -> Option<&str> {
    let digits = word
        .trim_start_matches("0x")
        .trim_end_matches([',', ':', ';', '%', '.', ')'])
        .trim_start_matches('(');
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.chars().all(|each| each.is_ascii_hexdigit() || each == '.' || each == ',');
    is_number.then_some(digits)
}

/// A line without its numbers, by which what was printed instead of it is known.
fn shape(line: &str) -> String {
    line.split_whitespace()
        .map(|word| if number(word).is_some() { "#" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether a word that a document shows stands for one that was printed: it is the same, or a number
/// that is rounded to fewer places.
fn stands_for(shown: &str, seen: &str) -> bool {
    if shown == seen {
        return true;
    }
    let (Some(rounded), Some(exact)) = (number(shown), number(seen)) else { return false };
    let places = rounded.split_once('.').map_or(0, |(_, places)| places.len());
    let Ok(value) = exact.replace(',', "").parse::<f64>() else { return false };
    exact.contains('.') && format!("{value:.places$}") == rounded.replace(',', "")
}

/// Words of a line that is shown, without what stands for the rest of it, and whether there is a rest.
fn words(shown: &str) -> (Vec<&str>, bool) {
    match shown.strip_suffix(ANYTHING) {
        Some(start) => (start.split_whitespace().collect(), true),
        None => (shown.split_whitespace().collect(), false),
    }
}

/// Whether a line that is shown stands for one that was printed.
fn line_stands_for(shown: &str, seen: &str) -> bool {
    let (shown, open) = words(shown);
    let seen: Vec<&str> = seen.split_whitespace().collect();
    let fits = if open { shown.len() <= seen.len() } else { shown.len() == seen.len() };
    fits && shown.iter().zip(seen).all(|(shown, seen)| stands_for(shown, seen))
}

/// Whether a printed line is what a shown one has become: the same but for its numbers.
fn has_shape_of(shown: &str, seen: &str) -> bool {
    let (start, open) = words(shown);
    let seen: Vec<&str> = seen.split_whitespace().collect();
    let fits = if open { start.len() <= seen.len() } else { start.len() == seen.len() };
    fits && shape(&start.join(" ")) == shape(&seen[..start.len().min(seen.len())].join(" "))
}

/// A printed line as a document shows it: as far as `shown` goes.
fn shown_as(shown: &str, seen: &str) -> String {
    let (start, open) = words(shown);
    if !open {
        return seen.to_owned();
    }
    let mut end = 0;
    for _ in &start {
        let word = seen[end..].find(|letter: char| !letter.is_whitespace()).map_or(seen.len(), |at| end + at);
        end = seen[word..].find(char::is_whitespace).map_or(seen.len(), |at| word + at);
    }
    format!("{} {ANYTHING}", &seen[..end])
}

/// The lines that are to be shown, each as it is printed now; the first that nothing like it was printed for is an error.
pub fn renewed(shown: &[&str], seen: &str) -> Result<Vec<String>> {
    let mut seen = seen.lines();
    let mut lines = Vec::new();
    for line in shown {
        if *line == ANYTHING {
            lines.push((*line).to_owned());
            continue;
        }
        let mut rest = seen.clone();
        let same = rest.find(|seen| line_stands_for(line, seen));
        if same.is_some() {
            lines.push((*line).to_owned());
            seen = rest;
            continue;
        }
        let like = seen.find(|seen| has_shape_of(line, seen));
        let like = like.with_context(|| format!("nothing like `{line}`"))?;
        lines.push(shown_as(line, like));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_compared_to_the_place_to_which_it_is_rounded() {
        for (shown, seen) in [
            ("total  115532252", "total 115532252"),
            ("ratio 2.13", "ratio 2.126"),
            ("share 37.9 %", "share 37.88 %"),
            ("three ...", "three and more"),
            ("at 0x86ae92ef: ...", "at 0x86ae92ef: what follows"),
        ] {
            assert!(line_stands_for(shown, seen), "{shown} for {seen}");
        }
        for (shown, seen) in [
            ("total 115532252", "total 115532253"),
            ("total 1155322", "total 115532252"),
            ("ratio 2.12", "ratio 2.126"),
            ("ratio 2.126", "ratio 2.13"),
            ("r13: 0x86ae92ef", "r13: 0x86ae92ee"),
            ("9 of 9 checks hold", "8 of 9 checks hold"),
            ("three ...", "four and more"),
            ("one two", "one two three"),
        ] {
            assert!(!line_stands_for(shown, seen), "{shown} for {seen}");
        }
    }

    #[test]
    fn lines_are_renewed_figure_by_figure() {
        let seen = "one   10\ntwo 2\nthree 3.26 and more\nend\n";
        let renew = |shown: &[&str]| renewed(shown, seen).map_err(|error| error.to_string());
        let lines = |lines: &[&str]| Ok(lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            renew(&["one 10", "...", "three 3.3 ...", "end"]),
            lines(&["one 10", "...", "three 3.3 ...", "end"])
        );
        assert_eq!(renew(&["one 11", "two 7"]), lines(&["one   10", "two 2"]));
        assert_eq!(renew(&["three 3.4 ..."]), lines(&["three 3.26 ..."]));
        assert_eq!(renew(&["four 4"]), Err("nothing like `four 4`".to_owned()));
        // In order: what was passed does not come again.
        assert_eq!(renew(&["two 2", "one 10"]), Err("nothing like `one 10`".to_owned()));
    }
}
