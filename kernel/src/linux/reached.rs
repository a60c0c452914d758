// SPDX-License-Identifier: MIT
//! Which limits programs have come to, and how often: they hear of an error that says less.

use wire::limit::{Limited, ReachedLimit};

use super::errno::Errno;
use super::process::MAX_PROCESSES;
use super::thread::MAX_THREADS;

/// How often one more was refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached {
    threads: u64,
    processes: u64,
}

impl Reached {
    /// Refuses one more with this error. The log names a limit the first time.
    pub fn refuse(&mut self, of: Limited, error: Errno) -> Errno {
        let (times, name) = match of {
            Limited::Threads => (&mut self.threads, "threads"),
            Limited::Processes => (&mut self.processes, "processes"),
        };
        *times = times.saturating_add(1);
        if *times == 1 {
            defmt::warn!("there are {=u32} {=str}, which is the limit", most(of), name);
        }
        error
    }

    /// The limits that were come to.
    pub fn iter(&self) -> impl Iterator<Item = ReachedLimit> {
        let all = [(Limited::Threads, self.threads), (Limited::Processes, self.processes)];
        let all = all.into_iter().map(|(of, times)| ReachedLimit { of, most: most(of), times });
        all.filter(|reached| reached.times > 0)
    }
}

/// How many there may be.
fn most(of: Limited) -> u32 {
    let most = match of {
        Limited::Threads => MAX_THREADS,
        Limited::Processes => MAX_PROCESSES,
    };
    most as u32
}
