// SPDX-License-Identifier: MIT
//! Files that are not stored, opened: what they say is made when they are read from the beginning.
//!
//! A file that is read in pieces says the same in all of them, whatever happens meanwhile, and
//! is made once. What it says is kept until it is closed, and paid for from a budget.

use alloc::vec::Vec;

use linux_raw_sys::general::{O_ACCMODE, O_PATH, O_RDONLY};

use super::super::budget::{Budget, list_len};
use super::super::buffers::Buffers;
use super::super::descriptor::Object;
use super::super::errno::{EFAULT, EINVAL, EIO, ENOENT, ENOMEM, EROFS, Errno, Failure};
use super::super::user::User;
use super::super::{Linux, NAME_LEN};
use super::text::Text;
use super::{Entry, Kind, What};
use crate::mem::fallible;
use crate::mem::space::Space;
use crate::object::table::{Table, name};

name! {
    /// Names an open file that is not stored.
    TextId
}

/// An open file.
struct OpenText {
    entry: Entry,
    /// What it said when it was last read from the beginning, if it was.
    bytes: Option<Vec<u8>>,
}

/// All open files that are not stored.
pub struct Texts {
    open: Table<TextId, OpenText>,
    budget: Budget,
}

impl Texts {
    /// None; what they say may take so many bytes.
    pub fn new(budget: u64) -> Self {
        Self { open: Table::default(), budget: Budget::new(budget) }
    }

    /// Which file it is.
    pub fn entry(&self, id: TextId) -> Entry {
        self.open[id].entry
    }

    /// Opens a file.
    fn add(&mut self, entry: Entry) -> Result<TextId, Errno> {
        self.open.reserve()?;
        Ok(self.open.insert_reserved(OpenText { entry, bytes: None }))
    }

    /// Nobody has it open any more.
    pub fn remove(&mut self, id: TextId) {
        let open = self.open.remove(id);
        self.budget.refund(open.bytes.as_ref().map_or(0, list_len));
    }

    /// Keeps what a file says.
    fn keep(&mut self, id: TextId, bytes: Vec<u8>) -> Result<(), Errno> {
        let before = self.open[id].bytes.take();
        self.budget.refund(before.as_ref().map_or(0, list_len));
        self.budget.charge(list_len(&bytes)).map_err(|_| ENOMEM)?;
        self.open[id].bytes = Some(bytes);
        Ok(())
    }

    /// How many are open.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.open.count()
    }

    /// Fails unless what is kept and what is left make up the budget of `total` bytes.
    #[cfg(test)]
    pub fn audit(&self, total: u64) {
        let kept: u64 = self.open.iter().map(|(_, open)| open.bytes.as_ref().map_or(0, list_len)).sum();
        assert_eq!(kept + self.budget.left(), total);
    }
}

impl Linux {
    /// What is opened by an entry: a file is made ready to say something, anything else is only
    /// what its number says.
    pub(in super::super) fn open_entry(&mut self, entry: Entry, flags: u32) -> Result<Object, Errno> {
        if flags & O_PATH == 0 && entry.kind() == Kind::File {
            if flags & O_ACCMODE != O_RDONLY && entry.is_setting() {
                return Err(EROFS);
            }
            return Ok(Object::Text(self.texts.add(entry)?));
        }
        Ok(Object::Inode(super::super::fs::InodeId::of(entry)))
    }

    /// What a file says now.
    fn entry_text(&mut self, space: &mut Space, entry: Entry) -> Result<Vec<u8>, Failure> {
        let mut text = Text::new();
        match entry {
            Entry::Fixed(fixed) => self.machine_text(&mut text, fixed),
            Entry::Of(scope, id, what) => {
                let (process, thread) = (self.process_of(scope, id)?, self.thread_of(scope, id)?);
                match what {
                    What::Auxv => {
                        for word in process.start.auxiliary() {
                            text.bytes(&word.to_le_bytes());
                        }
                    }
                    What::Comm => {
                        text.name(&thread.name).str("\n");
                    }
                    What::Cmdline | What::Environ => {
                        if !self.is_known(process, scope, what) {
                            return Err(ENOENT.into());
                        }
                        let start = &process.start;
                        let range = if what == What::Cmdline {
                            start.arguments.clone()
                        } else {
                            start.environment.clone()
                        };
                        return self.strings_between(space, range.start, range.end);
                    }
                    What::Limits => Self::write_limits(&mut text, &process.limits),
                    What::Maps => self.write_maps(&mut text, process)?,
                    What::Mounts => {
                        text.str("ramfs / ramfs rw 0 0\nproc /proc proc rw 0 0\nsysfs /sys sysfs ro 0 0\n");
                    }
                    What::Stat => self.write_process_stat(&mut text, scope, process, thread),
                    What::Statm => self.write_statm(&mut text, process),
                    What::Status => self.write_status(&mut text, scope, process, thread),
                    What::Directory
                    | What::Cwd
                    | What::Descriptors
                    | What::Exe
                    | What::Root
                    | What::Tasks => {}
                }
            }
            Entry::Descriptor(..) => {}
        }
        Ok(text.finish()?)
    }

    /// Bytes of the program's memory, as far as they can be read.
    fn strings_between(&mut self, space: &mut Space, start: u64, end: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        fallible::resize(&mut bytes, end.saturating_sub(start) as usize, || 0)?;
        let length = self.user(space).read_some(start, &mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Reads what a file says.
    pub(in super::super) fn read_text(
        &mut self,
        space: &mut Space,
        id: TextId,
        start: u64,
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        if buffers.left() == 0 {
            return Ok(());
        }
        if start == 0 || self.texts.open[id].bytes.is_none() {
            let bytes = self.entry_text(space, self.texts.entry(id))?;
            self.texts.keep(id, bytes)?;
        }
        let mut user = User::new(space, &mut self.memories[self.process.memory]);
        let bytes = self.texts.open[id].bytes.as_deref().unwrap_or_default();
        let left = bytes.get(usize::try_from(start).unwrap_or(usize::MAX)..).unwrap_or_default();
        let part = &left[..left.len().min(usize::try_from(buffers.left()).unwrap_or(usize::MAX))];
        if buffers.scatter(&mut user, part)? < part.len() { Err(EFAULT.into()) } else { Ok(()) }
    }

    /// Writes to a file: the name of a thread of one's own can be changed, and nothing else.
    pub(in super::super) fn write_text(
        &mut self,
        space: &mut Space,
        id: TextId,
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        let (scope, of) = match self.texts.entry(id) {
            Entry::Of(scope, id, What::Comm) => (scope, id),
            Entry::Fixed(_) => return Err(EIO.into()),
            Entry::Of(..) | Entry::Descriptor(..) => return Err(EINVAL.into()),
        };
        let mut name = [0; NAME_LEN];
        let length = buffers.left().min(NAME_LEN as u64 - 1) as usize;
        let mut user = User::new(space, &mut self.memories[self.process.memory]);
        buffers.whole(length, |buffers| buffers.gather(&mut user, &mut name[..length]))?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME_LEN);
        name[end..].fill(0);
        let (thread, process) = {
            let thread = self.thread_of(scope, of)?;
            (thread.id, thread.process)
        };
        if process != self.process.id() {
            return Err(EINVAL.into());
        }
        if let Some(thread) = self.all_threads_mut().find(|it| it.id == thread) {
            thread.name = name;
        }
        buffers.skip_all();
        Ok(())
    }
}
