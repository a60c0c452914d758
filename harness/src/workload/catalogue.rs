// SPDX-License-Identifier: MIT
//! The project's own programs: which there are, where each comes from, and how it is built.

mod compiled;

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::artifacts::{self, Guest};
use super::init;
use crate::host::packages::{self, Package};

/// Where a program comes from, which says how it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The default program.
    Showcase,
    /// C, with its library or without.
    C,
    /// Rust, with its standard library and threads.
    Std,
    /// Go.
    Go,
    /// C without its library, for benchmarks.
    Bench,
    /// Freestanding Rust that attacks the kernel.
    Hostile,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Showcase, Self::C, Self::Std, Self::Go, Self::Bench, Self::Hostile];

    /// What the program of a name is.
    pub fn of(name: &str) -> Result<Option<Self>> {
        for kind in Self::ALL {
            if kind.names()?.iter().any(|known| known == name) {
                return Ok(Some(kind));
            }
        }
        Ok(None)
    }

    /// The names of its programs, sorted.
    pub fn names(self) -> Result<Vec<String>> {
        match self {
            Self::Showcase => Ok(vec![Guest::SHOWCASE.package.to_owned()]),
            Self::C => artifacts::stems("user/c", "c"),
            Self::Std => artifacts::stems("user/std/src/bin", "rs"),
            Self::Go => artifacts::stems("user/go", "go"),
            Self::Bench => artifacts::stems("user/bench", "c"),
            Self::Hostile => artifacts::stems("user/hostile/src/bin", "rs"),
        }
    }

    /// The Debian packages that it takes to build them.
    pub fn packages(self) -> &'static [&'static [Package]] {
        match self {
            Self::Showcase | Self::Std | Self::Hostile => &[],
            Self::C | Self::Bench => &[packages::COMPILER],
            Self::Go => &[packages::GO],
        }
    }

    /// Builds one of its programs and returns where it is.
    fn build(self, name: &str) -> Result<PathBuf> {
        match self {
            Self::Showcase => Guest::SHOWCASE.build(name),
            Self::C => compiled::c("user/c", name),
            Self::Std if Guest::STATIC_PIE.is(name) => Guest::STATIC_PIE.build(name),
            Self::Std => Guest::STD.build(name),
            Self::Go => compiled::go("user/go", name),
            Self::Bench => compiled::c("user/bench", name),
            Self::Hostile => Guest::HOSTILE.build(name),
        }
    }
}

/// The names of all programs of some kinds.
pub fn names(kinds: &[Kind]) -> Result<Vec<String>> {
    Ok(kinds.iter().map(|kind| kind.names()).collect::<Result<Vec<_>>>()?.concat())
}

/// The fuzzer of `user/fuzz`. It is none of the programs, since none of the commands that run these natively may
/// run it.
pub const FUZZER: &str = "fuzz";

/// Builds the fuzzer, and returns where it is.
pub fn fuzzer() -> Result<PathBuf> {
    compiled::c("user/fuzz", FUZZER)
}

/// The names of the root tasks of the NOVA interface. They are none of the programs, since they run on no Linux.
pub fn root_tasks() -> Result<Vec<String>> {
    artifacts::stems("user/nova/src/bin", "rs")
}

/// The name of the root task of the Genode-like stack.
pub const CORE: &str = "core";

/// Builds the root task of the Genode-like stack, and returns where it is.
pub fn core() -> Result<PathBuf> {
    Guest::CORE.build(Guest::CORE.package)
}

/// Builds the component that tries core out, and returns where it is.
pub fn trials() -> Result<PathBuf> {
    Guest::TRIALS.build(Guest::TRIALS.package)
}

/// Builds a root task by its name, and returns where it is; nothing if none has the name.
pub fn root_task(name: &str) -> Result<Option<PathBuf>> {
    if name == CORE {
        return core().map(Some);
    }
    let known = root_tasks()?.iter().any(|known| known == name);
    known.then(|| Guest::NOVA.build(name)).transpose()
}

/// The names of the components of the Genode-like stack, which run on none of the others' interfaces.
pub fn component_names() -> Result<Vec<String>> {
    artifacts::stems("user/genode/components/src/bin", "rs")
}

/// Builds init and all other components, and returns where each is, by its name.
pub fn components() -> Result<Vec<(String, PathBuf)>> {
    let init = (init::NAME.to_owned(), Guest::INIT.build(Guest::INIT.package)?);
    let mut all = Guest::COMPONENTS.build_all(&component_names()?)?;
    all.insert(0, init);
    Ok(all)
}

/// Builds a program by its name, and returns where it is.
pub fn program(name: &str) -> Result<PathBuf> {
    match Kind::of(name)? {
        Some(kind) => kind.build(name),
        None if name == init::NAME => {
            bail!(
                "{name} is a system and no program: `run` and `profile` boot it, and `inject --programs {name}`"
            )
        }
        None => {
            let known = names(&Kind::ALL)?;
            let nearest = nearest(name, &known).map(|near| format!(" (is {near} meant?)"));
            let (nearest, known) = (nearest.unwrap_or_default(), known.join(", "));
            bail!("no program is called {name}{nearest}; there are {known}; --elf runs a file")
        }
    }
}

/// The name that is nearest to one that is misspelt, if one is near.
pub fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let distance = |known: &&String| strsim::damerau_levenshtein(name, known);
    let near = known.iter().min_by_key(distance)?;
    // One letter in three may be wrong.
    (distance(&near) * 3 <= name.chars().count().max(3)).then_some(near)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_unknown_program_is_refused_with_what_there_is() {
        let error = program("no-such-program").unwrap_err().to_string();
        assert!(error.contains("no-such-program") && error.contains("showcase"), "{error}");
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest() {
        let known = names(&Kind::ALL).unwrap();
        assert_eq!(nearest("showcsae", &known), Some("showcase"));
        assert_eq!(nearest("tine", &known), Some("tiny"));
        assert_eq!(nearest("no-such-program", &known), None);
        assert!(program("tinny").unwrap_err().to_string().contains("(is tiny meant?)"));
    }

    #[test]
    fn every_kind_has_programs_and_every_name_stands_for_one() {
        assert!(Kind::ALL.iter().all(|kind| !kind.names().unwrap().is_empty()));
        let all = names(&Kind::ALL).unwrap();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(Kind::of("tiny").unwrap(), Some(Kind::C));
    }

    #[test]
    fn root_tasks_are_no_programs() {
        let tasks = root_tasks().unwrap();
        assert!(!tasks.is_empty() && tasks.iter().all(|name| Kind::of(name).unwrap().is_none()));
        assert_eq!(root_task("no-such-task").unwrap(), None);
    }
}
