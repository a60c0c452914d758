// SPDX-License-Identifier: MIT
//! What has to hold between two system calls, whatever the last one came to: for tests.

use std::collections::BTreeSet;

use linux_raw_sys::general::O_NONBLOCK;

use super::Linux;
use super::budget::FILES_SHARE;
use super::descriptor::Object;
use super::fs::InodeId;
use super::lock_calls::file as locked_file;
use super::locks::Owner;
use super::pipe::{End, PipeId};
use super::process::{Waiting, Why};
use crate::mem::space::Space;

impl Linux {
    /// Whether the current process waits for something that others do, and is not stopped.
    pub fn waits_for_event(&self) -> bool {
        let waiting = self.process.waiting.filter(|_| !self.process.is_stopped);
        matches!(waiting, Some(Waiting { why: Why::Call, .. }))
    }

    /// Whether a transfer of the current process through a descriptor waits for nobody.
    pub fn is_nonblocking(&self, fd: u64) -> bool {
        self.process.descriptors.get(fd as i32).is_ok_and(|description| description.flags & O_NONBLOCK != 0)
    }

    /// Leaves so much room in each list: what comes next has to make more.
    pub fn tighten(&mut self, room: usize) {
        for process in self.others.iter_mut().chain(std::iter::once(&mut self.process)) {
            process.memory.tighten(room);
            process.descriptors.tighten(room);
        }
        self.others.shrink_to(self.others.len() + room);
        self.fs.tighten(room);
    }

    /// What a call that fails must not have changed: the files, and of the process its areas,
    /// its descriptors, and how it is called.
    pub fn snapshot(&self) -> [String; 3] {
        let open = self.process.descriptors.open_ones().map(|(_, object)| object).collect::<Vec<_>>();
        let rest =
            (open, self.process.working_directory, self.process.umask, self.process.name, self.next_id);
        [
            self.fs.snapshot(),
            std::format!("{:x?}", self.process.memory.areas().all()),
            std::format!("{rest:?} {:?}", self.process.signals.blocked()),
        ]
    }

    /// Fails unless everything is counted right that several hold, pages are where they are
    /// noted down, budgets are what is there, and who locks or waits can. `space` finds a process's memory.
    pub fn audit<'a>(&self, space: impl Fn(u64) -> &'a Space) {
        let mut descriptions = BTreeSet::new();
        let mut held = Vec::new();
        for process in self.processes() {
            process.memory.audit(space(process.id()));
            let is_idle = process.wanted.is_none() && process.transfer.is_none();
            assert!(process.waiting.is_some() || is_idle, "process {} is in no call", process.id());
            if let Some(Waiting { why: Why::Vfork { child }, .. }) = process.waiting {
                let is_there =
                    self.processes().any(|other| other.id() == child && !other.identity.has_executed);
                assert!(is_there, "process {} waits for {child}", process.id());
            }
            held.push(Object::Inode(process.working_directory));
            for (description, object) in process.descriptors.open_ones() {
                if descriptions.insert(description) {
                    held.push(object);
                }
            }
        }
        let count = |object: Object| held.iter().filter(|held| **held == object).count() as u32;
        self.fs.audit(|id: InodeId| count(Object::Inode(id)), self.promised_len() / FILES_SHARE);
        self.pipes.audit(|id: PipeId, end: End| count(Object::Pipe(id, end)));
        self.locks.audit(|file, owner| match owner {
            Owner::Process(id) => {
                let mut processes = self.processes().filter(|process| process.id() == id);
                processes.any(|process| {
                    process.descriptors.open_ones().any(|(_, object)| locked_file(object) == file)
                })
            }
            Owner::Description(it) | Owner::Whole(it) => {
                descriptions.iter().any(|open| open.addr() as u64 == it)
            }
        });
        let ends = self.zombies.len() + self.others.len();
        assert!(self.others.is_empty() || self.zombies.capacity() >= ends, "no room for zombies");
    }
}
