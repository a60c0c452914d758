// SPDX-License-Identifier: MIT
//! When, from what and where figures were taken.

use std::fmt;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::subject::Subject;
use crate::emulator::Emulator;
use crate::host::children;
use crate::host::packages::command::{BOCHS, QEMU};
use crate::workload::artifacts;

const UNKNOWN: &str = "unknown";
/// The key under which JSON has it.
pub const KEY: &str = "provenance";
/// Digits of a commit where it is named in text.
const SHORT: usize = 7;

/// Date, commit, tools and machine; what the system does not say is `unknown`.
#[derive(Clone, Debug)]
pub struct Origin {
    date: String,
    commit: Commit,
    compiler: String,
    emulator: String,
    system: String,
    processor: String,
    processors: usize,
    /// What else a result depends on, by name.
    others: Map<String, Value>,
}

/// The state of the repository that the tool is built from.
#[derive(Clone, Debug)]
pub struct Commit {
    hash: Option<String>,
    /// Whether files differ from the commit's.
    dirty: bool,
}

impl Commit {
    /// Asks git.
    pub fn find() -> Self {
        let git = |words: &[&str]| {
            let output =
                children::output(Command::new("git").current_dir(artifacts::root()).args(words)).ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let hash = git(&["rev-parse", "HEAD"]);
        let changes = git(&["status", "--porcelain", "--untracked-files=no"]);
        Self { hash, dirty: changes.is_none_or(|changes| !changes.is_empty()) }
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hash {
            None => f.write_str(UNKNOWN),
            Some(hash) => {
                f.write_str(hash.get(..SHORT).unwrap_or(hash))?;
                f.write_str(if self.dirty { " with changes" } else { "" })
            }
        }
    }
}

impl Origin {
    /// Asks the system; figures come from an emulator, or from the machine itself.
    pub fn find(emulator: Option<Emulator>) -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let emulator = match emulator {
            Some(Emulator::Qemu) => first_line(Command::new(QEMU).arg("--version")),
            Some(Emulator::Bochs) => first_line(Command::new(BOCHS).arg("--help")),
            None => "none".into(),
        };
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            date: date(seconds),
            commit: Commit::find(),
            compiler: first_line(Command::new("rustc").current_dir(artifacts::root()).arg("--version")),
            emulator,
            system: first_line(Command::new("uname").arg("-srm")),
            processor: model.map_or(UNKNOWN, |(_, name)| name).to_owned(),
            processors: thread::available_parallelism().map_or(1, usize::from),
            others: Map::new(),
        }
    }

    /// Adds something else that a result depends on.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.others.insert(name.to_owned(), value.into());
        self
    }

    /// The origin of what a trace file tells: on which emulator its run was is not in it.
    pub fn of_trace(subject: &Subject, checksum: u32) -> Self {
        let origin = Self { emulator: UNKNOWN.into(), ..Self::find(None) };
        origin.with_subject(subject).with("trace_crc32", format!("{checksum:08x}"))
    }

    /// Adds a program: the digest of its file, as `sha256sum` prints it, and its arguments.
    pub fn with_program(self, elf: Option<&[u8]>, argv: &[Vec<u8>]) -> Self {
        self.with_subject(&Subject::program(elf, argv))
    }

    fn with_subject(self, Subject { elf_sha256, arguments, .. }: &Subject) -> Self {
        self.with("elf_sha256", elf_sha256.clone()).with("arguments", arguments.clone())
    }

    /// The origin as JSON.
    pub fn value(&self) -> Value {
        let Self { date, commit, compiler, emulator, system, processor, processors, others } = self;
        let mut value = json!({
            "reprise": env!("CARGO_PKG_VERSION"), "date": date, "commit": commit.hash, "dirty": commit.dirty,
            "rustc": compiler, "emulator": emulator, "machine": system, "processor": processor,
            "processors": processors,
        });
        if let Value::Object(map) = &mut value {
            map.extend(others.clone());
        }
        value
    }

    /// An object with the origin as one of its keys; what is no object stays as it is.
    pub fn stamp(&self, mut value: Value) -> Value {
        if let Value::Object(map) = &mut value {
            map.insert(KEY.to_owned(), self.value());
        }
        value
    }

    /// The origin as lines of comment, for the head of a table of values apart by commas.
    pub fn comment(&self) -> String {
        let Value::Object(map) = self.value() else { return String::new() };
        map.iter().map(|(name, value)| format!("# {name}: {value}\n")).collect()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, commit, compiler, emulator, processor, processors, .. } = self;
        write!(f, "{date}, commit {commit}, {processor}, {processors} processors. {emulator}; {compiler}.")
    }
}

/// The first line that a command prints.
fn first_line(command: &mut Command) -> String {
    let output = children::output(command).map(|output| [output.stdout, output.stderr].concat());
    let output = output.unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    text.lines().find(|line| !line.is_empty()).unwrap_or(UNKNOWN).to_owned()
}

/// The date so many seconds after 1970-01-01.
fn date(seconds: u64) -> String {
    let date = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    date.map_or_else(|| UNKNOWN.to_owned(), |date| date.format("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_dates() {
        let dates = [0, 11_016 * 86_400, 20_787 * 86_400 + 5].map(date);
        assert_eq!(dates, ["1970-01-01", "2000-02-29", "2026-11-30"]);
    }

    #[test]
    fn an_origin_says_what_others_need_to_repeat_a_result() {
        let origin = Origin::find(None).with("seed", 7).with_program(Some(b"abc"), &[b"one".to_vec()]);
        let value = origin.stamp(json!({ "pes": 1 }));
        let provenance = &value[KEY];
        assert!(provenance["rustc"].as_str().unwrap().starts_with("rustc 1."), "{value}");
        assert_eq!((&provenance["seed"], &provenance["arguments"][0]), (&json!(7), &json!("one")));
        assert!(provenance["elf_sha256"].as_str().unwrap().starts_with("ba7816bf"), "{value}");
        let of_trace = Origin::of_trace(&Subject::default(), 0xab).value();
        assert_eq!((&of_trace["emulator"], &of_trace["trace_crc32"]), (&json!(UNKNOWN), &json!("000000ab")));
        assert!(origin.comment().lines().all(|line| line.starts_with("# ")), "{}", origin.comment());
        assert_eq!(origin.stamp(json!([1])), json!([1]));
    }
}
