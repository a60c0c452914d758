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
use wire::nova::MAX_MODULE_LEN;
use wire::task::{MAX_TASK_LEN, Task};
use xxhash_rust::xxh3::Xxh3;

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
    /// What a NOVA system is booted with, the root task's image first.
    pub modules: Vec<Module>,
    /// The text on its console at which its run ends; none if it is empty.
    pub until: Vec<u8>,
}

/// A module of a NOVA system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its command line, if it has one.
    pub command_line: Option<Vec<u8>>,
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

    /// A digest of all that is there besides the program and its arguments.
    pub fn digest(&self) -> u128 {
        let mut hasher = Xxh3::new();
        let mut feed = |name: &str, bytes: &[u8]| {
            for part in [name.as_bytes(), bytes] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        };
        let rest = Self { program: None, argv: Vec::new(), modules: Vec::new(), ..self.clone() };
        entries(&rest).iter().for_each(|(name, bytes)| feed(name, bytes));
        for Module { bytes, command_line } in &self.modules {
            feed(entry::MODULES, bytes);
            feed(entry::MEMORY, command_line.as_deref().unwrap_or_default());
        }
        hasher.digest128()
    }
}

/// Packs the archive.
pub fn pack(config: &Config, contents: &Contents) -> Result<Vec<u8>> {
    let mut buffer = [0; MAX_CONFIG_LEN];
    let mut entries = vec![(entry::CONFIG.to_owned(), config.encode(&mut buffer).to_vec())];
    entries.extend(self::entries(contents));
    if !contents.modules.is_empty() {
        let (list, memory) = laid_out(&contents.modules);
        entries.push((entry::MODULES.to_owned(), list));
        // Last, and from a page's first byte on.
        let before: usize = entries.iter().map(|(name, bytes)| entry_len(name, bytes.len())).sum();
        let before = before + entry_len(PADDING, 0) + entry_len(entry::MEMORY, 0);
        entries.push((PADDING.to_owned(), vec![0; before.next_multiple_of(PAGE_LEN) - before]));
        entries.push((entry::MEMORY.to_owned(), memory));
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

/// The entries of all but configuration and modules.
fn entries(contents: &Contents) -> Vec<(String, Vec<u8>)> {
    let mut entries = Vec::new();
    if let Some(program) = &contents.program {
        entries.push((entry::PROGRAM.to_owned(), program.clone()));
        entries.push((entry::ARGV.to_owned(), strings(&contents.argv)));
    }
    // All programs of a batch have it.
    if contents.program.is_some() || !contents.envp.is_empty() {
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
    if !contents.until.is_empty() {
        entries.push((entry::UNTIL.to_owned(), contents.until.clone()));
    }
    entries
}

/// The name of an entry that nobody reads.
const PADDING: &str = "padding";
const PAGE_LEN: usize = 4096;

/// How much an entry with so many bytes takes in an archive: a header of 110 bytes, the name and its end, and the
/// content, each padded to four bytes.
fn entry_len(name: &str, length: usize) -> usize {
    (110 + name.len() + 1).next_multiple_of(4) + length.next_multiple_of(4)
}

/// The list of modules, and their memory, in whole pages: first all contents, then all command lines, behind each of
/// which a page is empty, since Genode leaves that alone, too.
fn laid_out(modules: &[Module]) -> (Vec<u8>, Vec<u8>) {
    let mut memory = Vec::new();
    let mut put = |bytes: &[u8]| {
        let page = memory.len() / PAGE_LEN;
        memory.extend_from_slice(bytes);
        memory.resize(memory.len().next_multiple_of(PAGE_LEN), 0);
        page as u32
    };
    let mut list: Vec<_> = modules
        .iter()
        .map(|module| wire::nova::Module {
            page: put(&module.bytes),
            length: module.bytes.len() as u64,
            command_line: None,
        })
        .collect();
    for (listed, module) in list.iter_mut().zip(modules) {
        listed.command_line = module.command_line.as_ref().map(|text| {
            let page = put(&[text, &[0][..]].concat());
            put(&[0; PAGE_LEN]);
            page
        });
    }
    (list.iter().flat_map(|module| module.encode(&mut [0; MAX_MODULE_LEN]).to_vec()).collect(), memory)
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
            system: Default::default(),
        }
    }

    #[test]
    fn the_memory_of_modules_begins_and_ends_where_a_page_does() {
        let module = |bytes: &[u8], text: Option<&[u8]>| Module {
            bytes: bytes.to_vec(),
            command_line: text.map(<[u8]>::to_vec),
        };
        let modules =
            vec![module(&[1; 5000], Some(b"root")), module(&[2; 4096], None), module(&[3], Some(b"x"))];
        for length in 0..9 {
            let contents =
                Contents { modules: modules.clone(), until: vec![b'x'; length], ..Contents::default() };
            let packed = pack(&config(), &contents).unwrap();
            let name = [entry::MEMORY.as_bytes(), b"\0"].concat();
            let at = packed.windows(name.len()).position(|part| part == name).unwrap() + name.len();
            let at = at.next_multiple_of(4);
            assert!(at.is_multiple_of(PAGE_LEN), "{length}: {at:#x}");
            let page = |index: usize| &packed[at + PAGE_LEN * index..][..PAGE_LEN];
            assert_eq!((page(0), page(2)), (&[1; 4096][..], &[2; 4096][..]));
            assert!(
                page(1).starts_with(&[1; 904])
                    && page(1).ends_with(&[0; 3192])
                    && page(3).starts_with(&[3, 0])
            );
            assert!(page(4).starts_with(b"root\0") && page(5) == [0; 4096] && page(6).starts_with(b"x\0\0"));
        }
        let (list, memory) = laid_out(&modules);
        let (first, rest) = wire::nova::Module::take(&list).unwrap();
        assert_eq!(first, wire::nova::Module { page: 0, length: 5000, command_line: Some(4) });
        let (second, rest) = wire::nova::Module::take(rest).unwrap();
        assert_eq!(second, wire::nova::Module { page: 2, length: 4096, command_line: None });
        assert_eq!(wire::nova::Module::take(rest).unwrap().0.page, 3);
        assert_eq!(memory.len(), 8 * PAGE_LEN);
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
            ..Contents::default()
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
