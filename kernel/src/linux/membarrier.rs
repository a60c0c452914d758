// SPDX-License-Identifier: MIT
//! `membarrier`: barriers for threads that run elsewhere.
//!
//! One thread runs at a time, and between two of them the processor serializes: whatever a
//! program asks for has happened. What is left is who may ask.

use linux_raw_sys::general::membarrier_cmd::{
    MEMBARRIER_CMD_GLOBAL, MEMBARRIER_CMD_GLOBAL_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_QUERY,
    MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
};

use super::Linux;
use super::errno::{EINVAL, EPERM, Reply};

const QUERY: u32 = MEMBARRIER_CMD_QUERY as u32;
/// Everybody may ask for these.
const FREE: u32 = MEMBARRIER_CMD_GLOBAL as u32 | MEMBARRIER_CMD_GLOBAL_EXPEDITED as u32;
const REGISTER_GLOBAL: u32 = MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED as u32;
/// These are for whoever has registered, by the bit above.
const PRIVATE: u32 =
    MEMBARRIER_CMD_PRIVATE_EXPEDITED as u32 | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE as u32;
const REGISTER: u32 = MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED as u32
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE as u32;
const _: () = assert!(PRIVATE << 1 == REGISTER);

impl Linux {
    /// `membarrier`.
    pub(super) fn membarrier(&mut self, command: u32, flags: u32) -> Reply {
        if flags != 0 {
            return Err(EINVAL.into());
        }
        if command == QUERY {
            return Ok(u64::from(FREE | REGISTER_GLOBAL | PRIVATE | REGISTER));
        }
        if !command.is_power_of_two() {
            return Err(EINVAL.into());
        }
        match command {
            _ if command & (FREE | REGISTER_GLOBAL) != 0 => Ok(0),
            _ if command & REGISTER != 0 => {
                self.process.barriers |= command;
                Ok(0)
            }
            _ if command & PRIVATE != 0 && self.process.barriers & command << 1 != 0 => Ok(0),
            _ if command & PRIVATE != 0 => Err(EPERM.into()),
            _ => Err(EINVAL.into()),
        }
    }
}
