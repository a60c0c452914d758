// SPDX-License-Identifier: MIT
//! The command line as documents explain it: command lines parse, no command or option is left out, and values and
//! limits are those that the tool has.

use pe_replay::policy::{MAX_DIRTY_PAGES, MAX_LIMIT, MIN_DIRTY_PAGES, MIN_LIMIT};

use super::{NOT_RUN, PROMPT, RUN, decisions, documents, read};
use crate::cli;
use crate::docs::markdown::{blocks, quoted, rows};
use crate::emulator::{MAX_MEMORY_MIB, MIN_MEMORY_MIB};
use crate::outcome::table::grouped;

/// The page that explains the options of `run`.
const OPTIONS: &str = "docs/src/options.md";
/// The page that has the limits.
const LIMITS: &str = "docs/src/limits.md";

#[test]
fn the_command_lines_parse() {
    let mut parsed = 0;
    let documents = documents().unwrap().into_iter().chain(decisions());
    for (name, document) in documents {
        let blocks = blocks(&document);
        let in_blocks = blocks
            .iter()
            .filter(|block| [RUN, NOT_RUN].contains(&block.language.as_str()))
            .flat_map(|block| block.text.lines());
        let in_text = document.lines().filter(|line| !line.starts_with(['$', '`'])).flat_map(quoted);
        for line in in_blocks.chain(in_text) {
            let line = line.trim_start_matches(PROMPT);
            let Some(words) = line.strip_prefix("cargo reprise ") else { continue };
            // The shell's part; placeholders; help, which would end this process.
            let words = words.split([';', '>', '|']).next().unwrap_or(words).replace(['[', ']'], "");
            if words.contains("--help") {
                continue;
            }
            let words = shell_words::split(&words).unwrap_or_else(|why| panic!("{name}: {line}: {why}"));
            let words = std::iter::once("reprise".to_owned()).chain(words).map(Into::into);
            if let Err(why) = cli::parse(words) {
                panic!("{name}: {line}: {why:?}");
            }
            parsed += 1;
        }
    }
    assert!(parsed > 10, "only {parsed} command lines were found");
}

#[test]
fn every_command_and_option_is_explained() {
    let book: String = documents().unwrap().into_iter().map(|(_, text)| text).collect();
    let command = cli::described();
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        assert!(book.contains(&format!("cargo reprise {name}")), "no page names the command {name}");
        for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(book.contains(&format!("--{option}")), "no page names {name} --{option}");
        }
    }
}

/// The one option that a row of a table explains, if it is about one.
fn option<'a>(cells: &[&'a str]) -> Option<&'a str> {
    let mut names = quoted(cells.first()?).filter_map(|word| word.strip_prefix("--"));
    let name = names.next()?.split(' ').next()?;
    names.next().is_none().then_some(name)
}

#[test]
fn the_values_of_options_are_those_that_run_takes() {
    let page = read(OPTIONS).unwrap();
    let command = cli::described();
    let run = command.find_subcommand("run").unwrap();
    let mut explained = 0;
    for cells in rows(&page) {
        let Some(name) = option(&cells) else { continue };
        let argument = run.get_arguments().find(|argument| argument.get_long() == Some(name));
        let argument = argument.unwrap_or_else(|| panic!("run has no --{name}"));
        explained += 1;
        if !argument.get_action().takes_values() {
            continue;
        }
        let row = cells.join(" | ");
        let words: Vec<&str> = quoted(&row).collect();
        for value in argument.get_possible_values() {
            assert!(words.contains(&value.get_name()), "--{name} {} is not in: {row}", value.get_name());
        }
        for default in argument.get_default_values() {
            let default = default.to_str().unwrap();
            let shown = default.parse().map_or_else(|_| format!("`{default}`"), grouped);
            assert!(row.contains(&shown), "the default of --{name}, {shown}, is not in: {row}");
        }
    }
    assert!(explained > 12, "only {explained} options are explained");
}

#[test]
fn limits_are_those_of_the_command_line() {
    let page = read(LIMITS).unwrap();
    for (name, least, most) in [
        ("The instruction limit", MIN_LIMIT, MAX_LIMIT),
        ("pages", MIN_DIRTY_PAGES.into(), MAX_DIRTY_PAGES.into()),
        ("`--memory`", MIN_MEMORY_MIB.into(), MAX_MEMORY_MIB.into()),
    ] {
        let range = format!("{} to {}", grouped(least), grouped(most));
        let is_said = page.lines().any(|line| line.contains(name) && line.contains(&range));
        assert!(is_said, "{LIMITS} does not say of {name}: {range}");
    }
}
