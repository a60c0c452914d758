// SPDX-License-Identifier: MIT
//! What was performed on devices, once each, between the PE that ended before it and the next one.

use serde::{Deserialize, Serialize};

use crate::ThreadNumber;

/// Where a device is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Space {
    /// Among the ports.
    Port,
    /// In physical memory.
    Memory,
}

/// One access to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAccess {
    /// The number of the PE behind which it was made.
    pub pe: u64,
    /// For whom.
    pub thread: ThreadNumber,
    /// Where the device is found.
    pub space: Space,
    /// The first port, or the physical address.
    pub address: u64,
    /// How many bytes: 1, 2, 4 or 8.
    pub bytes: u8,
    /// Whether it was written.
    pub writes: bool,
    /// What was read or written.
    pub value: u64,
}
