// SPDX-License-Identifier: MIT
//! The options of `run` that boot a NOVA system.

use std::path::PathBuf;

use clap::Args;
use wire::nova::{Nova, System};

use super::values::number;
use crate::emulator::MAX_MEMORY_MIB;
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
    /// Give the system a further module; may be repeated
    #[arg(long = "module", value_name = "FILE", requires = "nova")]
    pub modules: Vec<PathBuf>,
    /// The command line of a module: the first of these is the first module's, and so on
    #[arg(long = "module-args", value_name = "STR", requires = "nova", allow_hyphen_values = true)]
    pub module_args: Vec<String>,
    /// The command line of the image
    #[arg(long, value_name = "STR", requires = "nova", allow_hyphen_values = true)]
    pub append: Option<String>,
    /// Memory that the kernel keeps from the system; a quarter of all, but no more than 64, if absent
    #[arg(long, value_name = "MIB", requires = "nova", value_parser = number::<u32>(1, MAX_MEMORY_MIB.into()))]
    pub kernel_memory: Option<u32>,
    /// End the run when the system has written this text to its console, and fail if it ends otherwise
    #[arg(long, value_name = "TEXT", requires = "nova", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// End the run after so many seconds of the system's own time
    #[arg(long, value_name = "SECONDS", requires = "nova", value_parser = number::<u64>(1, MOST_SECONDS))]
    pub run_for: Option<u64>,
    /// Log each hypercall with its arguments, its result and the time; implies --log
    #[arg(long, requires = "nova")]
    pub log_calls: bool,
}

impl NovaArgs {
    /// What the kernel is told, on a machine with so much memory.
    pub fn system(&self, memory_mib: u32) -> Result<System, &'static str> {
        if self.nova.is_none() {
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

    /// What is booted, if it is a system.
    pub fn given(self) -> Result<Option<Given>, &'static str> {
        let Self { nova, modules, module_args, append, until, .. } = self;
        let Some(image) = nova else { return Ok(None) };
        if module_args.len() > modules.len() {
            return Err("--module-args: there are more command lines than modules (--module)");
        }
        if until.as_deref() == Some("") {
            return Err("--until: the text is empty");
        }
        let texts = module_args.into_iter().map(Some).chain(std::iter::repeat(None));
        Ok(Some(Given { image, modules: modules.into_iter().zip(texts).collect(), append, until }))
    }
}
