// SPDX-License-Identifier: MIT
//! The options of `run` that boot a NOVA system.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::Args;
use wire::nova::{Nova, System};

use super::program::ProgramArgs;
use super::values::number;
use crate::emulator::MAX_MEMORY_MIB;
use crate::workload::init;
use crate::workload::nova::Given;

/// The most that the kernel keeps of memory if nobody asks for more, in MiB.
const USUAL_MOST_MIB: u32 = 64;
/// The longest time that a system can be given, in seconds: a year.
const MOST_SECONDS: u64 = 31_536_000;

/// A NOVA system.
#[derive(Args, Clone, Debug)]
pub struct NovaArgs {
    /// Boot a root task of the NOVA interface: an ELF64 image, also packed by gzip, or one of user/nova by its name
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["words", "elf", "stdin", "files", "env"])]
    pub nova: Option<PathBuf>,
    /// The configuration of init; a scenario with all kinds of components if absent
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Give the system a further module; init's have names, and may take the place of a component. May be repeated
    #[arg(long = "module", value_name = "FILE | NAME=FILE")]
    pub modules: Vec<OsString>,
    /// The command line of a module: the first of these is the first module's, and so on
    #[arg(long = "module-args", value_name = "STR", allow_hyphen_values = true)]
    pub module_args: Vec<String>,
    /// The command line of the image
    #[arg(long, value_name = "STR", allow_hyphen_values = true)]
    pub append: Option<String>,
    /// Memory that the kernel keeps from the system; a quarter of all, but no more than 64, if absent
    #[arg(long, value_name = "MIB", value_parser = number::<u32>(1, MAX_MEMORY_MIB.into()))]
    pub kernel_memory: Option<u32>,
    /// End the run when the system has written this text to its console, and fail if it ends otherwise
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// End the run after so many seconds of the system's own time
    #[arg(long, value_name = "SECONDS", value_parser = number::<u64>(1, MOST_SECONDS))]
    pub run_for: Option<u64>,
    /// Log each hypercall with its arguments, its result and the time; implies --log
    #[arg(long)]
    pub log_calls: bool,
}

/// What a command line boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booted {
    /// A program of Linux.
    Program,
    /// A root task that is named.
    RootTask,
    /// Core, with init.
    Init,
}

impl NovaArgs {
    /// What is booted, where these are the program and what it is given.
    pub fn booted(&self, program: &ProgramArgs) -> Result<Booted, &'static str> {
        if self.nova.is_some() {
            if self.config.is_some() {
                return Err("--config: the configuration is init's (cargo reprise run init), not of --nova");
            }
            return Ok(Booted::RootTask);
        }
        // What is run if nothing is named.
        let is_init = program.elf.is_none() && program.words.first().is_none_or(|word| word == init::NAME);
        if !is_init {
            return self.of_a_system().map_or(Ok(Booted::Program), Err);
        }
        if program.words.len() > 1 {
            return Err("init: it takes no words, but --config FILE and --module NAME=FILE");
        }
        if program.stdin.is_some() || !program.files.is_empty() || !program.env.is_empty() {
            return Err("init: --stdin, --file and --env are for programs, --module NAME=FILE is for init");
        }
        if !self.module_args.is_empty() {
            return Err("--module-args: init's modules have their names for that (--module NAME=FILE)");
        }
        Ok(Booted::Init)
    }

    /// What is wrong if no system is booted: an option that is of systems only.
    fn of_a_system(&self) -> Option<&'static str> {
        let Self { nova: _, config, modules, module_args, append, kernel_memory, until, run_for, log_calls } =
            self;
        [
            (config.is_some(), "--config: only init has one (cargo reprise run init)"),
            (!modules.is_empty(), "--module: only systems have modules (--nova, or init)"),
            (!module_args.is_empty(), "--module-args: only systems have modules (--nova)"),
            (append.is_some(), "--append: only systems have a command line (--nova, or init)"),
            (
                kernel_memory.is_some(),
                "--kernel-memory: only from systems the kernel keeps any (--nova, or init)",
            ),
            (until.is_some(), "--until: only systems have a console (--nova, or init)"),
            (run_for.is_some(), "--run-for: only systems go on for ever (--nova, or init)"),
            (*log_calls, "--log-calls: only systems make hypercalls (--nova, or init)"),
        ]
        .into_iter()
        .find_map(|(is_given, wrong)| is_given.then_some(wrong))
    }

    /// What the kernel is told, on a machine with so much memory.
    pub fn system(&self, booted: Booted, memory_mib: u32) -> Result<System, &'static str> {
        if booted == Booted::Program {
            return Ok(System::Linux);
        }
        let kernel_mib = self.kernel_memory.unwrap_or((memory_mib / 4).min(USUAL_MOST_MIB));
        if kernel_mib >= memory_mib {
            return Err("--kernel-memory: the kernel cannot keep all memory (--memory)");
        }
        Ok(System::Nova(Nova {
            kernel_memory_len: u64::from(kernel_mib) << 20,
            run_for_ns: self.run_for.map(|seconds| seconds * 1_000_000_000),
            logs_calls: self.log_calls,
        }))
    }

    /// The root task and what it is given, if a system is booted.
    pub fn given(self, booted: Booted) -> Result<Option<Given>, &'static str> {
        let Self { nova, config, modules, module_args, append, until, .. } = self;
        if until.as_deref() == Some("") {
            return Err("--until: the text is empty");
        }
        let given = Given { append, until, ..Given::default() };
        let image = match (booted, nova) {
            (Booted::Init, _) => {
                let modules = modules.iter().map(|module| named_module(module)).collect::<Result<_, _>>()?;
                let init = Some(init::Given { config, modules });
                return Ok(Some(Given { image: PathBuf::from(init::CORE), init, ..given }));
            }
            (Booted::RootTask, Some(image)) => image,
            (Booted::RootTask, None) | (Booted::Program, _) => return Ok(None),
        };
        if module_args.len() > modules.len() {
            return Err("--module-args: there are more command lines than modules (--module)");
        }
        let texts = module_args.into_iter().map(Some).chain(std::iter::repeat(None));
        let modules = modules.into_iter().map(PathBuf::from).zip(texts).collect();
        Ok(Some(Given { image, modules, ..given }))
    }
}

/// Takes `NAME=FILE` apart.
fn named_module(word: &OsStr) -> Result<(String, PathBuf), &'static str> {
    const WRONG: &str = "--module: a module of init is NAME=FILE";
    let bytes = word.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=').ok_or(WRONG)?;
    let name = str::from_utf8(&bytes[..at]).map_err(|_| WRONG)?;
    if name.is_empty() || at + 1 == bytes.len() {
        return Err(WRONG);
    }
    Ok((name.to_owned(), PathBuf::from(OsStr::from_bytes(&bytes[at + 1..]))))
}
