// SPDX-License-Identifier: MIT
//! What has to hold between two system calls, whatever the last one came to: for tests.

use std::collections::BTreeSet;

use linux_raw_sys::general::O_NONBLOCK;

use super::Linux;
use super::alarms::Listener;
use super::budget::{FILES_SHARE, TEXTS_SHARE};
use super::descriptor::Object;
use super::fs::InodeId;
use super::lock_calls::file as locked_file;
use super::locks::Owner;
use super::pipe::{End, PipeId};
use super::process::{FIRST_ID, Process};
use super::socket::Socket;
use super::thread::{Waiting, Why};
use crate::mem::space::Space;

impl Linux {
    /// Whether the current process waits for something that others do, and is not stopped.
    pub fn waits_for_event(&self) -> bool {
        let waiting = self.thread.waiting.filter(|_| !self.process.is_stopped);
        matches!(waiting, Some(Waiting { why: Why::Call, .. }))
    }

    /// Whether a thread of this number has not ended.
    pub fn has_thread(&self, id: u64) -> bool {
        self.all_threads().any(|thread| thread.id == id)
    }

    /// Whether the current process is the first one.
    pub fn is_first(&self) -> bool {
        self.process.id() == FIRST_ID
    }

    /// The number of the current thread.
    pub fn current_id(&self) -> u64 {
        self.thread.id
    }

    /// Whether a transfer of the current process through a descriptor waits for nobody.
    pub fn is_nonblocking(&self, fd: u64) -> bool {
        self.files[self.process.files]
            .get(fd as i32)
            .is_ok_and(|description| description.flags & O_NONBLOCK != 0)
    }

    /// Leaves so much room in each list: what comes next has to make more.
    pub fn tighten(&mut self, room: usize) {
        for name in self.memories.names().collect::<Vec<_>>() {
            self.memories[name].tighten(room);
        }
        for name in self.files.names().collect::<Vec<_>>() {
            self.files[name].tighten(room);
        }
        self.threads.shrink_to(self.threads.len() + room);
        self.others.shrink_to(self.others.len() + room);
        self.fs.tighten(room);
    }

    /// What a call that fails must not have changed: the files, and of the process its areas,
    /// its descriptors, and how it is called.
    pub fn snapshot(&self) -> [String; 3] {
        let open = self.files[self.process.files].open_ones().map(|(_, object)| object).collect::<Vec<_>>();
        let rest = (
            open,
            self.places[self.process.place].directory,
            self.places[self.process.place].umask,
            self.thread.name,
            self.next_id,
        );
        [
            self.fs.snapshot(),
            std::format!("{:x?}", self.memories[self.process.memory].areas().all()),
            std::format!("{rest:?} {:?}", self.thread.signals.blocked()),
        ]
    }

    /// Fails unless what processes have in common is had by as many as it counts.
    fn audit_shared(&self) {
        let having = |has: &dyn Fn(&Process) -> bool| self.processes().filter(|it| has(it)).count() as u32;
        for it in self.memories.names() {
            assert_eq!(self.memories.holders(it), having(&|process| process.memory == it), "{it:?}");
        }
        for it in self.files.names() {
            assert_eq!(self.files.holders(it), having(&|process| process.files == it), "{it:?}");
        }
        for it in self.places.names() {
            assert_eq!(self.places.holders(it), having(&|process| process.place == it), "{it:?}");
        }
        for it in self.handlers.names() {
            assert_eq!(self.handlers.holders(it), having(&|process| process.handlers == it), "{it:?}");
        }
    }

    /// Fails unless everything is counted right that several hold, pages are where they are
    /// noted down, budgets are what is there, and who locks or waits can. `space` finds a thread's memory.
    pub fn audit<'a>(&self, space: impl Fn(u64) -> &'a Space) {
        let mut descriptions = BTreeSet::new();
        let mut held = Vec::new();
        for process in self.processes() {
            let threads: Vec<u64> = self
                .all_threads()
                .filter(|thread| thread.process == process.id())
                .map(|thread| thread.id)
                .collect();
            assert_eq!(threads.len(), process.threads as usize, "threads of process {}", process.id());
            self.memories[process.memory].audit(space(threads[0]));
        }
        for thread in self.all_threads() {
            let is_idle = thread.wanted.is_none() && thread.through.is_none() && thread.transfer.is_none();
            assert!(thread.waiting.is_some() || is_idle, "thread {} is in no call", thread.id);
            if let Some(Waiting { why: Why::Vfork { child }, .. }) = thread.waiting {
                let is_there =
                    self.processes().any(|other| other.id() == child && !other.identity.has_executed);
                assert!(is_there, "thread {} waits for {child}", thread.id);
            }
        }
        self.audit_shared();
        for (description, object) in
            self.all_threads().filter_map(|thread| Some(thread.through.as_ref()?.open_one()))
        {
            if descriptions.insert(description) {
                held.push(object);
            }
        }
        held.extend(self.processes().filter_map(|process| process.executable).map(Object::Inode));
        for place in self.places.names() {
            held.push(Object::Inode(self.places[place].directory));
        }
        for files in self.files.names() {
            for (description, object) in self.files[files].open_ones() {
                if descriptions.insert(description) {
                    held.push(object);
                }
            }
        }
        let of_sockets = |pipe: PipeId, end: End| {
            let all = self.sockets.iter();
            let has = |socket: &Socket| if end == End::Read { socket.input } else { socket.output };
            all.filter(|(_, socket)| has(socket) == pipe).count() as u32
        };
        let count = |object: Object| held.iter().filter(|held| **held == object).count() as u32;
        self.fs.audit(|id: InodeId| count(Object::Inode(id)), self.promised_len() / FILES_SHARE);
        self.pipes.audit(|id: PipeId, end: End| count(Object::Pipe(id, end)) + of_sockets(id, end));
        let kinds: [fn(&Object) -> bool; 4] = [
            |object| matches!(object, Object::Socket(_)),
            |object| matches!(object, Object::Event(_)),
            |object| matches!(object, Object::Epoll(_)),
            |object| matches!(object, Object::Text(_)),
        ];
        let held_of = kinds.map(|is_one| held.iter().filter(|object| is_one(object)).count());
        let counts = [self.sockets.count(), self.events.count(), self.epolls.count(), self.texts.count()];
        assert_eq!(held_of, counts, "sockets, counts, epolls and texts are held");
        self.texts.audit(self.promised_len() / TEXTS_SHARE);
        self.alarms.audit(|listener, id| match listener {
            Listener::File => count(Object::Timer(id)) == 1,
            Listener::Interval { process, .. } | Listener::Timer { process, .. } => {
                self.processes().any(|it| it.id() == process)
            }
        });
        self.locks.audit(|file, owner| match owner {
            Owner::Files(files) => {
                self.files[files].open_ones().any(|(_, object)| locked_file(object) == file)
            }
            Owner::Description(it) | Owner::Whole(it) => {
                descriptions.iter().any(|open| open.addr() as u64 == it)
            }
        });
        let ends = self.zombies.len() + self.others.len();
        assert!(self.others.is_empty() || self.zombies.capacity() >= ends, "no room for zombies");
    }
}
