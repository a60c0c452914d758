// SPDX-License-Identifier: MIT
//! The command line: words become what each command takes as its options, and the help is made from the same text.

mod bench;
mod clock;
mod command;
mod counter;
mod doctor;
mod fuzz;
mod inject;
mod isolate;
mod line;
mod nova;
mod policy;
mod program;
mod report;
mod run;
mod values;

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

pub use self::command::Command;
use self::line::Line;

/// A command line that one could act on.
#[derive(Debug)]
pub struct Cli {
    /// The process that waits for this one, if there is one.
    pub supervisor: Option<u32>,
    /// What to do.
    pub command: Command,
}

/// Why a command line is none that one could act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unparsed {
    /// It asks for help or for the version: the answer.
    Asked(String),
    /// What is wrong with it, in one line.
    Wrong(String),
}

/// Reads the command line.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, Unparsed> {
    let line = Line::try_parse_from(words).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Unparsed::Asked(error.render().to_string()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Unparsed::Wrong("a command is needed; --help lists them".into())
        }
        _ => Unparsed::Wrong(one_line(&error.to_string())),
    })?;
    let command = line.command.try_into().map_err(|wrong: &str| Unparsed::Wrong(wrong.to_owned()))?;
    Ok(Cli { supervisor: line.supervisor, command })
}

/// The first paragraph of clap's message without its prefix.
fn one_line(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or(message);
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let line = words.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

/// All commands and their options, as clap knows them.
#[cfg(test)]
pub fn described() -> clap::Command {
    use clap::CommandFactory;
    Line::command()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run as command;

    fn parse_words(words: &[&str]) -> Result<Cli, Unparsed> {
        parse(std::iter::once("reprise").chain(words.iter().copied()).map(OsString::from))
    }

    fn run_options(words: &[&str]) -> command::Options {
        match parse_words(words).unwrap().command {
            Command::Run(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        described().debug_assert();
    }

    #[test]
    fn arguments_of_the_program_may_follow_directly_or_after_a_double_dash() {
        let args = run_options(&["run", "--elf", "/bin/busybox", "sha256sum", "f", "--limit", "1000"]);
        assert_eq!(
            (args.program.words, args.request.policy.limit),
            (vec!["sha256sum".into(), "f".into()], 1000)
        );
        let args = run_options(&["run", "--limit", "1000", "--elf", "/bin/busybox", "--", "gzip", "-c"]);
        assert_eq!(args.program.words, ["gzip", "-c"]);
        assert_eq!(run_options(&["run"]).program.words, [""; 0]);
        let Command::Profile(options) = parse_words(&["profile"]).unwrap().command else { panic!() };
        assert_eq!(options.run.program.words, ["showcase"]);
    }

    #[test]
    fn init_is_a_system_with_modules_by_name() {
        let words =
            ["run", "init", "--config", "c.xml", "--module", "hello=a=b", "--module", "x=y", "--until", "z"];
        let given = run_options(&words).nova.unwrap();
        let init = given.init.unwrap();
        assert_eq!(init.config, Some("c.xml".into()));
        assert_eq!(init.modules, [("hello".into(), "a=b".into()), ("x".into(), "y".into())]);
        assert_eq!((given.image, given.until), ("core".into(), Some("z".into())));
        for words in [&["run", "init"][..], &["run"]] {
            let options = run_options(words);
            assert!(matches!(options.request.system, wire::nova::System::Nova(_)));
            assert_eq!(options.request.clock.kind, wire::clock::ClockKind::Machine);
            assert_eq!(options.nova.unwrap().init, Some(Default::default()));
        }
        // With a file to run, all words are its arguments.
        assert!(run_options(&["run", "--elf", "a", "init"]).nova.is_none());
        assert!(matches!(parse_words(&["run", "--list"]).unwrap().command, Command::List));
    }

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        assert_eq!(
            (
                run_options(&["run", "--seed", "0xff"]).request.seed,
                run_options(&["run", "--seed", "255"]).request.seed
            ),
            (255, 255)
        );
        assert_eq!(run_options(&["run", "--max-dirty", "0x10"]).request.policy.max_dirty, 16);
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        for (words, part) in [
            (&["run", "--limit", "9"][..], "9 is not in 10..=10000000"),
            (&["run", "--max-dirty", "2000"], "2000 is not in 8..=1024"),
            (&["run", "--memory", "4096"], "4096 is not in"),
            (&["run", "--limit", "abc"], "expected a whole number from 10 to 10000000"),
            (&["run", "--seed", "x"], "expected a whole number from 0 to 18446744073709551615"),
            (&["run", "--seed", "18446744073709551616"], "expected a whole number from 0 to"),
            (&["run", "--max-dirty", "-1"], "unexpected argument '-1'"),
            (&["run", "--timeout", "1.5"], "expected a whole number from 1 to 604800"),
            (&["run", "--max-instructions", "0"], "0 is not in 1..="),
            (&["inject", "--seed", ""], "expected a whole number"),
            (&["run", "--inject", "pe=1"], "each of pe, run, at, target and bit is needed once"),
            (&["run", "--mode", "quad"], "invalid value 'quad'"),
            (&["run", "--counter", "sand"], "invalid value 'sand'"),
            (&["run", "--counter-faults", "skid=late"], "skid is none, fixed:N, random:N or long-tail:N"),
            (&["run", "--clock", "sun"], "invalid value 'sun'"),
            (&["run", "--date", "today"], "expected a date such as 2024-05-01"),
            (&["run", "init", "more"], "init: it takes no words"),
            (&["run", "init", "--stdin", "f"], "init: --stdin, --file and --env are for programs"),
            (&["run", "init", "--module", "f"], "--module: a module of init is NAME=FILE"),
            (&["run", "init", "--module", "=f"], "--module: a module of init is NAME=FILE"),
            (&["run", "init", "--module", "a="], "--module: a module of init is NAME=FILE"),
            (
                &["run", "init", "--module-args", "a"],
                "--module-args: init's modules have their names for that",
            ),
            (&["run", "init", "--until", ""], "--until: the text is empty"),
            (&["run", "tiny", "--config", "f"], "--config: only init has one"),
            (&["run", "--nova", "f", "--config", "f"], "--config: the configuration is init's"),
            (&["run", "tiny", "--module", "f"], "--module: only systems have modules (--nova, or init)"),
            (&["run", "tiny", "--run-for", "1"], "--run-for: only systems"),
            (&["run", "tiny", "--log-calls"], "--log-calls: only systems"),
            (&["run", "--list", "tiny"], "cannot be used with"),
            (&["profile", "init"], "only programs are profiled"),
            (&["report"], "<TRACE>"),
            (&["fly"], "unrecognized subcommand 'fly'"),
        ] {
            let Unparsed::Wrong(message) = parse_words(words).unwrap_err() else { panic!("{words:?}") };
            assert!(message.contains(part) && !message.contains('\n'), "{message}");
        }
    }
}
