// SPDX-License-Identifier: MIT
//! The command line: words become what each command takes as its options, and the help is made from the same text.

mod bench;
mod clock;
mod command;
mod compare;
mod counter;
mod doctor;
mod fuzz;
mod inject;
mod isolate;
mod line;
mod manual;
mod nova;
mod policy;
mod program;
mod report;
mod run;
mod values;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

pub use self::command::Command;
use self::line::Line;
pub use self::manual::{completions, manual};
use crate::outcome::origin::Commit;

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
        ErrorKind::DisplayHelp => Unparsed::Asked(error.render().to_string()),
        ErrorKind::DisplayVersion => Unparsed::Asked(format!(
            "{} (commit {})\n",
            error.render().to_string().trim_end(),
            Commit::find()
        )),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Unparsed::Wrong("a command is needed; --help lists them".into())
        }
        _ => Unparsed::Wrong(one_line(&error.to_string())),
    })?;
    let command = line.command.try_into().map_err(|wrong: &str| Unparsed::Wrong(wrong.to_owned()))?;
    Ok(Cli { supervisor: line.supervisor, command })
}

/// The first paragraph of clap's message without its prefix, and what clap thinks was meant.
fn one_line(message: &str) -> String {
    let mut paragraphs =
        message.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let line = paragraphs.next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    let tip = paragraphs.find_map(|text| text.strip_prefix("tip: ").map(str::to_owned));
    match tip {
        Some(tip) => format!("{line}; {tip}"),
        None if line.starts_with("unrecognized subcommand") => format!("{line}; --help lists the commands"),
        None => line.to_owned(),
    }
}

/// All commands and their options, as clap knows them.
pub fn described() -> clap::Command {
    Line::command()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inject::Subjects;
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
    fn a_campaign_takes_a_program_as_run_does() {
        let words = ["inject", "--elf", "a", "--limit", "500", "--csv", "f", "--", "-x", "y"];
        let Command::Inject(options) = parse_words(&words).unwrap().command else { panic!() };
        let Subjects::Own(own) = options.subjects else { panic!("{options:?}") };
        assert_eq!((own.program.elf, own.limit, own.max_dirty), (Some("a".into()), 500, 1024));
        assert_eq!(own.program.words, ["-x", "y"]);
        let Command::Inject(options) = parse_words(&["inject"]).unwrap().command else { panic!() };
        assert!(matches!(options.subjects, Subjects::Programs(_)), "{options:?}");
    }

    #[test]
    fn help_fits_a_terminal() {
        let mut line = described();
        line.build();
        for command in line.get_subcommands_mut().filter(|command| !command.is_hide_set()) {
            for help in [command.render_help().to_string(), command.render_long_help().to_string()] {
                let longest = help.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
                assert!(longest.chars().count() <= 80, "{}: {longest}", command.get_name());
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        for (words, part) in [
            (&["run", "--limit", "9"][..], "expected a number from 10 to 10,000,000"),
            (&["run", "--max-dirty", "2000"], "expected a number from 8 to 1,024"),
            (&["run", "--memory", "4096"], "expected a number from 16 to 2,048"),
            (&["run", "--limit", "abc"], "expected a number from 10 to 10,000,000"),
            (&["run", "--seed", "x"], "expected a number from 0 to 18,446,744,073,709,551,615"),
            (&["run", "--seed", "18446744073709551616"], "expected a number from 0 to"),
            (&["run", "--max-dirty", "-1"], "unexpected argument '-1'"),
            (&["run", "--timeout", "1.5"], "expected a number from 1 to 604,800"),
            (&["run", "--max-instructions", "0"], "expected a number from 1 to"),
            (&["inject", "--seed", ""], "expected a number"),
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
            (&["report"], "<TRACE>"),
            (&["fly"], "unrecognized subcommand 'fly'; --help lists the commands"),
            (&["rum"], "unrecognized subcommand 'rum'; a similar subcommand exists: 'run'"),
            (
                &["run", "--limt", "9"],
                "unexpected argument '--limt' found; a similar argument exists: '--limit'",
            ),
            (&["run", "--mode", "dula"], "a similar value exists: 'dual'"),
            (&["inject", "tiny", "--programs", "calls"], "cannot be used with"),
            (&["inject", "--limit", "500"], "are for a program"),
            (&["inject", "--programs", "nova", "--csv", "f"], "--csv, --html: root tasks"),
            (&["inject", "--markdown", "--latex"], "cannot be used with"),
            (&["completions", "dish"], "a similar value exists: 'fish'"),
        ] {
            let Unparsed::Wrong(message) = parse_words(words).unwrap_err() else { panic!("{words:?}") };
            assert!(message.contains(part) && !message.contains('\n'), "{message}");
        }
    }
}
