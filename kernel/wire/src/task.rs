// SPDX-License-Identifier: MIT
//! How the programs of a batch are run, each in its own way.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::WireError;
use super::config::{Config, MAX_INJECTION_LEN, Recording};
use flips::{Injection, MAX_INJECTIONS};
use pe_replay::policy::Policy;

/// How one program of a batch is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// How its PEs are run.
    pub policy: Policy,
    /// User instructions after which it is ended by SIGXCPU, at the end of a PE.
    pub max_instructions: u64,
    /// What of each of its PEs is recorded, in front of its own record.
    pub trace: Recording,
    /// Flips.
    pub injections: ArrayVec<Injection, MAX_INJECTIONS>,
}

/// The largest encoded task, in bytes.
pub const MAX_TASK_LEN: usize = 512 + MAX_INJECTIONS * MAX_INJECTION_LEN;

impl Task {
    /// What the configuration says of all programs.
    pub fn of(config: &Config) -> Self {
        Self {
            policy: config.policy,
            max_instructions: config.max_instructions,
            trace: Recording::Nothing,
            injections: config.injections.clone(),
        }
    }

    /// Writes the task to `buffer`; returns the used part.
    pub fn encode<'a>(&self, buffer: &'a mut [u8; MAX_TASK_LEN]) -> &'a [u8] {
        match postcard::to_slice(self, buffer) {
            Ok(used) => used,
            Err(error) => unreachable!("a task has a bounded size: {error}"),
        }
    }

    /// Reads the first task of a list, and returns what stands behind it.
    pub fn take(bytes: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let (task, rest): (Self, _) = postcard::take_from_bytes(bytes).map_err(|_| WireError::Malformed)?;
        let flips_exist = task.injections.iter().all(crate::injection::is_possible);
        if task.policy.is_within_bounds() && flips_exist {
            Ok((task, rest))
        } else {
            Err(WireError::Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use flips::Target;
    use pe_replay::Run;

    fn task(bit: u8) -> Task {
        let flip =
            Injection { pe: u64::MAX, run: Run::Third, at: u64::MAX, target: Target::Memory(u64::MAX), bit };
        let injections = [flip; MAX_INJECTIONS].into_iter().collect();
        Task { policy: Policy::DEFAULT, max_instructions: u64::MAX, trace: Recording::Digests, injections }
    }

    #[test]
    fn a_list_is_read_task_by_task() {
        let tasks = [task(0), task(7)];
        let bytes: Vec<u8> =
            tasks.iter().flat_map(|task| task.encode(&mut [0; MAX_TASK_LEN]).to_vec()).collect();
        let (first, rest) = Task::take(&bytes).unwrap();
        let (second, rest) = Task::take(rest).unwrap();
        assert_eq!((tasks, rest), ([first, second], &[][..]));
        assert_eq!(Task::take(rest), Err(WireError::Malformed));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let refused =
            |task: Task| Task::take(task.encode(&mut [0; MAX_TASK_LEN])) == Err(WireError::Malformed);
        assert!(refused(task(8)));
        assert!(refused(Task { policy: Policy { limit: 0, ..Policy::DEFAULT }, ..task(0) }));
    }
}
