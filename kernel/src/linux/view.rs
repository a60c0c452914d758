// SPDX-License-Identifier: MIT
//! What a call reaches that is not the personality's own.

use crate::mem::space::Space;
use crate::object::scheduler::Scheduler;

/// The current process's space, and the scheduler, in which others wait.
pub struct View<'a> {
    /// The pages of the current process.
    pub space: &'a mut Space,
    /// Who runs and who waits.
    pub scheduler: &'a mut Scheduler,
}
