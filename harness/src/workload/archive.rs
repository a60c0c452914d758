// SPDX-License-Identifier: MIT
//! The boot archive: newc cpio, which carries configuration, program and files.
//!
//! An archive depends on its input alone: no times and no owners are in it.

use std::ffi::OsStr;
use std::io::Cursor;
use std::mem;
use std::os::unix::ffi::OsStrExt;

use anyhow::{Context, Result, bail};
use cpio::NewcBuilder;
use wire::config::{Config, MAX_CONFIG_LEN, entry};
use wire::task::{MAX_TASK_LEN, Task};

use crate::emulator::loaded::loaded;
use crate::host::input::Bound;

/// The largest archive, in bytes; it lies above memory and channel, below the hole under 4 GiB.
pub const MAX_LEN: usize = 512 << 20;

/// The bound of program, standard input and files, all together.
pub const GIVEN: Bound = Bound { most: MAX_LEN as u64, of: "program, standard input and files together" };

/// What goes into an archive besides the configuration.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The program's ELF file.
    pub program: Option<Vec<u8>>,
    /// The arguments, from argv\[0\].
    pub argv: Vec<Vec<u8>>,
    /// The environment.
    pub envp: Vec<Vec<u8>>,
    /// Standard input.
    pub stdin: Option<Vec<u8>>,
    /// Files by their absolute path in the guest.
    pub files: Vec<(String, Vec<u8>)>,
    /// The programs of a batch by name, as ELF files.
    pub programs: Vec<(String, Vec<u8>)>,
    /// What a batch runs, in this order: the arguments of each, from the program's name.
    pub batch: Vec<Vec<Vec<u8>>>,
    /// How it runs each of them; empty if all are run as the configuration says.
    pub tasks: Vec<Task>,
}

impl Contents {
    /// Leaves out what of each program's file is not loaded.
    pub fn loaded(mut self) -> Result<Self> {
        let programs = self.programs.iter_mut().map(|(_, bytes)| bytes);
        for bytes in programs.chain(&mut self.program) {
            *bytes = loaded(mem::take(bytes))?;
        }
        Ok(self)
    }
}

/// Packs the archive.
pub fn pack(config: &Config, contents: &Contents) -> Result<Vec<u8>> {
    let mut buffer = [0; MAX_CONFIG_LEN];
    let mut entries = vec![(entry::CONFIG.to_owned(), config.encode(&mut buffer).to_vec())];
    if let Some(program) = &contents.program {
        entries.push((entry::PROGRAM.to_owned(), program.clone()));
        entries.push((entry::ARGV.to_owned(), strings(&contents.argv)));
        entries.push((entry::ENVP.to_owned(), strings(&contents.envp)));
    }
    if !contents.batch.is_empty() {
        let list = contents.batch.iter().flat_map(|arguments| strings(arguments).into_iter().chain([0]));
        entries.push((entry::BATCH.to_owned(), list.collect()));
    }
    if !contents.tasks.is_empty() {
        let list = contents.tasks.iter().flat_map(|task| task.encode(&mut [0; MAX_TASK_LEN]).to_vec());
        entries.push((entry::TASKS.to_owned(), list.collect()));
    }
    for (name, bytes) in &contents.programs {
        entries.push((format!("{}{name}", entry::PROGRAMS), bytes.clone()));
    }
    if let Some(stdin) = &contents.stdin {
        entries.push((entry::STDIN.to_owned(), stdin.clone()));
    }
    for (path, bytes) in &contents.files {
        entries.push((format!("{}{}", entry::FILES, path.trim_start_matches('/')), bytes.clone()));
    }
    let length: usize = entries.iter().map(|(_, bytes)| bytes.len()).sum();
    if length > MAX_LEN {
        bail!("program, standard input and files have {length} bytes; the limit is {MAX_LEN}");
    }
    let entries = entries.into_iter().map(|(name, bytes)| {
        // What is a program can be executed, whatever it was where it comes from.
        let mode = if bytes.starts_with(b"\x7fELF") { 0o100_755 } else { 0o100_644 };
        (NewcBuilder::new(&name).mode(mode).nlink(1), Cursor::new(bytes))
    });
    cpio::write_cpio(entries, Vec::with_capacity(length)).context("cannot pack the boot archive")
}

/// Each string ended by a NUL byte.
fn strings(strings: &[Vec<u8>]) -> Vec<u8> {
    strings.iter().flat_map(|string| string.iter().copied().chain([0])).collect()
}

/// The bytes of a word of the command line; a word cannot hold NUL bytes.
pub fn word(word: &OsStr) -> Vec<u8> {
    word.as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use pe_replay::Policy;
    use wire::clock::Clock;
    use wire::config::{Job, Recording, Sink};
    use wire::counter::{CounterChoice, CounterFaults};

    use super::*;

    fn config() -> Config {
        Config {
            job: Job::Run,
            policy: Policy::DEFAULT,
            seed: 1,
            channel_base: 256 << 20,
            channel_size: 256 << 20,
            sink: Sink::Memory,
            trace: Recording::Pes,
            max_instructions: u64::MAX,
            injections: Default::default(),
            mutation: None,
            counter: CounterChoice::default(),
            counter_faults: CounterFaults::default(),
            clock: Clock::default(),
            isolate: Default::default(),
            memory_len: 256 << 20,
        }
    }

    #[test]
    fn what_is_packed_is_found_under_its_name() {
        let contents = Contents {
            program: Some(b"ELF".to_vec()),
            argv: vec![b"busybox".to_vec(), b"wc".to_vec()],
            envp: vec![b"A=1".to_vec()],
            stdin: Some(b"in".to_vec()),
            files: vec![("/etc/motd".into(), b"hello".to_vec())],
            programs: vec![("one".into(), b"ELF 1".to_vec())],
            batch: vec![vec![b"one".to_vec(), b"a".to_vec()], vec![b"one".to_vec()]],
            tasks: vec![Task::of(&config()); 2],
        };
        let tasks = Task::of(&config()).encode(&mut [0; MAX_TASK_LEN]).repeat(2);
        let packed = pack(&config(), &contents).unwrap();
        assert_eq!(packed, pack(&config(), &contents).unwrap());
        let mut source = Cursor::new(packed);
        let mut found = Vec::new();
        loop {
            let mut reader = cpio::NewcReader::new(source).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            found.push((reader.entry().name().to_owned(), bytes));
            source = reader.finish().unwrap();
        }
        assert_eq!(Config::decode(&found[0].1), Ok(config()));
        let rest: Vec<(&str, &[u8])> = found[1..].iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
        assert_eq!(
            rest,
            [
                ("reprise/program", &b"ELF"[..]),
                ("reprise/argv", b"busybox\0wc\0"),
                ("reprise/envp", b"A=1\0"),
                ("reprise/batch", b"one\0a\0\0one\0\0"),
                ("reprise/tasks", &tasks),
                ("programs/one", b"ELF 1"),
                ("reprise/stdin", b"in"),
                ("files/etc/motd", b"hello"),
            ]
        );
    }
}
