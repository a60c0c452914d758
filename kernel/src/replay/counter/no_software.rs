// SPDX-License-Identifier: MIT
//! What stands for counters in software in the kernel that is built without them.

use pmu::Workbench;
use wire::counter::CounterFaults;

use super::CounterError;
use super::choose::{Selection, refused};

const WHY: &str = "this kernel is built without counters in software";

/// Refuses Intel's counter in software.
pub fn intel(_faults: CounterFaults, _bench: &mut dyn Workbench) -> Result<Selection, CounterError> {
    Err(refused(WHY))
}

/// Refuses AMD's counter in software.
pub fn amd(_faults: CounterFaults, _bench: &mut dyn Workbench) -> Result<Selection, CounterError> {
    Err(refused(WHY))
}
