// SPDX-License-Identifier: MIT
//! What has to hold between two system calls, whatever the last one came to: for tests.

use std::collections::BTreeSet;

use super::Linux;
use super::budget::FILES_SHARE;
use super::descriptor::Object;
use super::fs::InodeId;
use super::pipe::{End, PipeId};
use crate::mem::space::Space;

impl Linux {
    /// Leaves so much room in each list: what comes next has to make more.
    pub fn tighten(&mut self, room: usize) {
        for task in self.others.iter_mut().chain(std::iter::once(&mut self.task)) {
            task.memory.tighten(room);
            task.descriptors.tighten(room);
        }
        self.others.shrink_to(self.others.len() + room);
        self.fs.tighten(room);
    }

    /// What a call that fails must not have changed: the files, and of the process its areas,
    /// its descriptors, and how it is called.
    pub fn snapshot(&self) -> [String; 3] {
        let open = self.task.descriptors.open_ones().map(|(_, object)| object).collect::<Vec<_>>();
        let rest = (open, self.task.working_directory, self.task.umask, self.task.name, self.next_id);
        [
            self.fs.snapshot(),
            std::format!("{:x?}", self.task.memory.areas().all()),
            std::format!("{rest:?} {:?}", self.task.signals.blocked()),
        ]
    }

    /// Fails unless everything is counted right that several hold, pages are where they are
    /// noted down, and budgets are what is there. `space` finds a process's memory.
    pub fn audit<'a>(&self, space: impl Fn(u64) -> &'a Space) {
        let mut descriptions = BTreeSet::new();
        let mut held = Vec::new();
        for task in self.tasks() {
            task.memory.audit(space(task.id()));
            held.push(Object::Inode(task.working_directory));
            for (description, object) in task.descriptors.open_ones() {
                if descriptions.insert(description) {
                    held.push(object);
                }
            }
        }
        let count = |object: Object| held.iter().filter(|held| **held == object).count() as u32;
        self.fs.audit(|id: InodeId| count(Object::Inode(id)), self.promised_len() / FILES_SHARE);
        self.pipes.audit(|id: PipeId, end: End| count(Object::Pipe(id, end)));
        let ends = self.zombies.len() + self.others.len();
        assert!(self.others.is_empty() || self.zombies.capacity() >= ends, "no room for zombies");
    }
}
