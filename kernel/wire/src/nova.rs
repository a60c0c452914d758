// SPDX-License-Identifier: MIT
//! Systems of the NOVA interface: what they are booted with, and how their runs end.

use serde::{Deserialize, Serialize};

use super::end::Registers;
use super::{ThreadNumber, WireError};

/// The names of the hypercalls, by their numbers.
pub const CALLS: [&str; 16] = [
    "call",
    "reply",
    "create_pd",
    "create_ec",
    "create_sc",
    "create_pt",
    "create_sm",
    "revoke",
    "misc",
    "ec_ctrl",
    "sc_ctrl",
    "pt_ctrl",
    "sm_ctrl",
    "assign_pci",
    "assign_gsi",
    "pd_ctrl",
];

/// What a program sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum System {
    /// The system calls of Linux.
    #[default]
    Linux,
    /// The hypercalls of NOVA.
    Nova(Nova),
}

/// What is special about the run of a NOVA system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nova {
    /// Memory that the kernel keeps for itself, in bytes; all other is the programs'.
    pub kernel_memory_len: u64,
    /// Time of the system after which the run is ended, in nanoseconds.
    pub run_for_ns: Option<u64>,
    /// Whether each hypercall is logged.
    pub logs_calls: bool,
}

/// A module, the first of which is the root task's image, in the archive's entry for their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// The first page.
    pub page: u32,
    /// Its length in bytes.
    pub length: u64,
    /// The page of its command line, which a NUL byte ends, if it has one.
    pub command_line: Option<u32>,
}

/// The largest encoded module, in bytes.
pub const MAX_MODULE_LEN: usize = 24;

impl Module {
    /// Writes the module to `buffer`; returns the used part.
    pub fn encode<'a>(&self, buffer: &'a mut [u8; MAX_MODULE_LEN]) -> &'a [u8] {
        match postcard::to_slice(self, buffer) {
            Ok(used) => used,
            Err(error) => unreachable!("a module has a bounded size: {error}"),
        }
    }

    /// Reads the first module of a list, and returns what stands behind it.
    pub fn take(bytes: &[u8]) -> Result<(Self, &[u8]), WireError> {
        postcard::take_from_bytes(bytes).map_err(|_| WireError::Malformed)
    }
}

/// Why the run of a system was ended that goes on for ever by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// No thread is ready, and neither an interrupt nor a deadline will make one so.
    Idle,
    /// The text that was waited for has come.
    Text,
    /// The time that it was given is over.
    Time,
    /// It has executed as many instructions as it may.
    Instructions,
}

/// The end of the root task: something has happened to its first thread that nobody handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootDeath {
    /// Its first thread.
    pub thread: ThreadNumber,
    /// What has happened: the number of an exception, or of one of NOVA's own events.
    pub event: u8,
    /// The error code of an exception, and the address of a page fault.
    pub qualification: [u64; 2],
    /// Its registers.
    pub registers: Registers,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_list_of_modules_is_read_one_by_one() {
        let modules = [
            Module { page: 0, length: 5, command_line: None },
            Module { page: u32::MAX, length: u64::MAX, command_line: Some(u32::MAX) },
        ];
        let bytes: Vec<u8> =
            modules.iter().flat_map(|module| module.encode(&mut [0; MAX_MODULE_LEN]).to_vec()).collect();
        let (first, rest) = Module::take(&bytes).unwrap();
        let (second, rest) = Module::take(rest).unwrap();
        assert_eq!((modules, rest), ([first, second], &[][..]));
        assert_eq!(Module::take(rest), Err(WireError::Malformed));
    }
}
