// SPDX-License-Identifier: MIT
//! The command line explained to shells and in manual pages, from the text that the help is made from.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap_complete::Shell;
use clap_mangen::Man;

use super::described;
use crate::host::console;

/// What a shell calls the tool.
const NAME: &str = "reprise";

/// Prints what a shell takes to complete the words of a command called `reprise`; returns the exit status.
pub fn completions(shell: Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut described(), NAME, &mut script);
    console::pass_on(1, &script);
    Ok(0)
}

/// Writes a page for the tool and one for each command; returns the exit status.
pub fn manual(directory: &Path) -> Result<u8> {
    let named = |path: &Path| path.display().to_string();
    fs::create_dir_all(directory).with_context(|| named(directory))?;
    let mut line = described().disable_help_subcommand(true);
    line.build();
    let commands = line.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let commands = commands.map(|command| (format!("{NAME}-{}", command.get_name()), command));
    for (name, command) in [(NAME.to_owned(), line.clone())].into_iter().chain(commands) {
        let mut page = Vec::new();
        Man::new(command).render(&mut page).with_context(|| name.clone())?;
        let path = directory.join(format!("{name}.1"));
        fs::write(&path, page).with_context(|| named(&path))?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("man/man1");
        assert_eq!(manual(&place).unwrap(), 0);
        let read = |name: &str| fs::read_to_string(place.join(name)).unwrap();
        for command in described().get_subcommands().filter(|command| !command.is_hide_set()) {
            let page = read(&format!("reprise-{}.1", command.get_name()));
            for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
                assert!(page.contains(&option.replace('-', "\\-")), "{}: --{option}", command.get_name());
            }
        }
        let page = read("reprise.1");
        assert!(page.contains("reprise\\-compare") && !page.contains("tether"), "{page}");
    }

    #[test]
    fn every_shell_has_completions() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut described(), NAME, &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("compare") && script.contains("max-dirty"), "{shell}");
        }
    }
}
