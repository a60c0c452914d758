// SPDX-License-Identifier: MIT
//! What is expected of each hostile case: `user/hostile/expect.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use wire::end::End;

use super::batch::Entry;
use crate::workload::artifacts;
#[cfg(test)]
use crate::workload::catalogue::Kind;

/// The names of cases, by what they have in common, by their program.
type Table = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// One way for a case to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The case ends by itself, with a status.
    Exit(u8),
    /// A signal ends the case.
    Signal(u8),
}

impl Way {
    /// The way that an end is; `None` for ends that no program may bring about.
    pub fn of(end: &End) -> Option<Self> {
        match end {
            End::Exited { status } => Some(Self::Exit(*status)),
            End::Killed(death) => Some(Self::Signal(death.signal)),
            _ => None,
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let number = |text: &str| text.parse().with_context(|| format!("{text}: not a number below 256"));
        match text.split_once(' ') {
            Some(("exit", status)) => Ok(Self::Exit(number(status)?)),
            Some(("signal", signal)) => Ok(Self::Signal(number(signal)?)),
            Some(_) | None => bail!("{text}: not an outcome"),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(status) => write!(f, "exit {status}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// One attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The program.
    pub program: String,
    /// The case.
    pub name: String,
    /// How it may end.
    pub ways: Vec<Way>,
    /// The address that it goes for, where it goes for one.
    pub attacked: Option<u64>,
    /// Whether the signal has no exception behind it: the kernel refuses a signal frame.
    pub sent: bool,
}

impl Case {
    /// The case as a program of a batch.
    pub fn entry(&self) -> Entry<'_> {
        Entry { program: &self.program, case: &self.name }
    }

    /// How it may end, in words.
    pub fn ways(&self) -> String {
        self.ways.iter().map(Way::to_string).collect::<Vec<_>>().join(" or ")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.program, self.name)
    }
}

/// All cases.
pub struct Expectations {
    /// The cases, in the order of their programs.
    cases: Vec<Case>,
}

impl Expectations {
    /// Reads the file.
    pub fn load() -> Result<Self> {
        let path = artifacts::root().join("user/hostile/expect.toml");
        let text = String::from_utf8(fs::read(&path)?)?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let mut file: toml::Table = text.parse()?;
        let mut take = |name: &str| file.remove(name).with_context(|| format!("there is no table {name}"));
        let expect: Table = take("expect")?.try_into().context("expect")?;
        let attacked: Table = take("attacked")?.try_into().context("attacked")?;
        let sent: BTreeMap<String, Vec<String>> = take("sent")?.try_into().context("sent")?;
        let _: Table = take("native")?.try_into().context("native")?;
        ensure!(file.is_empty(), "there are other tables than expect, native, attacked and sent");

        let mut cases = Vec::new();
        for (program, outcomes) in &expect {
            for (outcome, names) in outcomes {
                let ways = outcome.split(" or ").map(Way::parse).collect::<Result<Vec<_>>>()?;
                cases.extend(names.iter().map(|name| Case {
                    program: program.clone(),
                    name: name.clone(),
                    ways: ways.clone(),
                    attacked: None,
                    sent: false,
                }));
            }
        }
        let mut expectations = Self { cases };
        for (program, addresses) in &attacked {
            for (address, names) in addresses {
                let digits = address.strip_prefix("0x").with_context(|| format!("{address}: no 0x"))?;
                let address = u64::from_str_radix(digits, 16).with_context(|| address.clone())?;
                for name in names {
                    expectations.find(program, name)?.attacked = Some(address);
                }
            }
        }
        for (program, names) in &sent {
            for name in names {
                expectations.find(program, name)?.sent = true;
            }
        }
        Ok(expectations)
    }

    fn find(&mut self, program: &str, name: &str) -> Result<&mut Case> {
        let found = self.cases.iter_mut().find(|case| case.program == program && case.name == name);
        found.with_context(|| format!("{program} {name}: nothing is expected of it"))
    }

    /// The programs.
    pub fn programs(&self) -> Vec<&str> {
        let mut programs: Vec<&str> = self.cases.iter().map(|case| case.program.as_str()).collect();
        programs.dedup();
        programs
    }

    /// The cases of a program.
    pub fn of(&self, program: &str) -> Vec<&Case> {
        self.cases.iter().filter(|case| case.program == program).collect()
    }

    /// All cases.
    pub fn all(&self) -> Vec<&Case> {
        self.cases.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const FILE: &str = r#"
        [expect.p]
        "exit 0" = ["a"]
        "signal 11 or exit 0" = ["b", "c"]
        [native.p]
        "exit 0" = ["b"]
        [attacked.p]
        "0x8000" = ["c"]
        [sent]
        p = ["c"]
    "#;

    #[test]
    fn a_case_has_its_ways_to_end_and_what_it_attacks() {
        let expectations = Expectations::parse(FILE).unwrap();
        assert_eq!(expectations.programs(), ["p"]);
        let cases = expectations.of("p");
        assert_eq!(cases.len(), 3);
        assert_eq!((&cases[0].ways[..], cases[0].attacked), (&[Way::Exit(0)][..], None));
        assert_eq!(cases[2].ways(), "signal 11 or exit 0");
        assert_eq!((cases[2].attacked, cases[2].sent, cases[1].sent), (Some(0x8000), true, false));
        assert_eq!(expectations.all(), cases);
    }

    #[test]
    fn what_nobody_expects_is_refused() {
        for (part, other) in
            [("[\"c\"]", "[\"z\"]"), ("\"0x", "\""), ("signal", "sign"), ("exit 0", "exit 256")]
        {
            assert!(Expectations::parse(&FILE.replace(part, other)).is_err(), "{other}");
        }
    }

    #[test]
    fn every_program_is_expected_to_do_something_and_every_case_is_named_once() {
        let expectations = Expectations::load().unwrap();
        assert_eq!(expectations.programs(), Kind::Hostile.names().unwrap());
        let names: HashSet<_> = expectations.cases.iter().map(Case::to_string).collect();
        assert_eq!(names.len(), expectations.cases.len());
    }
}
