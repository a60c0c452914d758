// SPDX-License-Identifier: MIT
//! `execve`, and files in memory only.

use alloc::rc::Rc;
use alloc::vec::Vec;

use linux_raw_sys::general::{MFD_ALLOW_SEALING, MFD_CLOEXEC, O_RDWR};
use pe_replay::UserRegisters;
use wire::end::Refusal;

use super::content::Content;
use super::descriptor::{Description, Object};
use super::elf::{Bytes, Image};
use super::errno::{E2BIG, EACCES, EFAULT, EINVAL, ENOEXEC, ENOMEM, Errno, Failure, Reply};
use super::fs::{Follow, InodeId, Node};
use super::path_calls::PathAt;
use super::signal::Stack;
use super::stack::{MAX_ARGUMENTS_LEN, MAX_STRING_LEN, strings};
use super::start::Start;
use super::view::View;
use super::{Linux, NAME_LEN, Next, SIGKILL};
use crate::mem::fallible;
use crate::mem::space::{OutOfFrames, Space, USER_END};

/// The longest name of a memory file (Linux's limit less the prefix).
const MAX_NAME_LEN: usize = 249;

/// All of a file that is executed.
enum Executable {
    /// It is in the boot archive.
    Lasting(&'static [u8]),
    /// It was written, and may be written again.
    Copied(Vec<u8>),
}

impl Executable {
    fn bytes(&self) -> Bytes<'_> {
        match self {
            Self::Lasting(bytes) => Bytes::Lasting(bytes),
            Self::Copied(bytes) => Bytes::Passing(bytes),
        }
    }
}

impl Linux {
    /// `execve`: static executables only.
    pub(super) fn execve(
        &mut self,
        view: &mut View,
        user: &mut UserRegisters,
        at: PathAt,
        arguments: u64,
        environment: u64,
    ) -> Reply {
        let name = short_name(&self.user(view.space).path(at.path)?);
        let place = self.locate(view.space, at, Follow::Yes)?;
        let target = place.target.ok_or(super::errno::ENOENT)?;
        let file = self.executable(target)?;
        let mut room = MAX_ARGUMENTS_LEN;
        let arguments = self.strings(view.space, arguments, &mut room)?;
        let environment = self.strings(view.space, environment, &mut room)?;
        let image = Image::parse(file.bytes()).map_err(|refusal| match refusal {
            Refusal::OutOfMemory { .. } => ENOMEM,
            _ => ENOEXEC,
        })?;
        let (mut arguments, environment) = (strings(&arguments)?, strings(&environment)?);
        if arguments.is_empty() {
            // As on Linux: a program always has an argv[0].
            fallible::push(&mut arguments, b"")?;
        }
        let mut random = [0; 16];
        self.random.fill(&mut random);
        let mut begun = Start::new(&image, file.bytes().get())?;

        let mut fresh = self.disentangle(view.space)?;

        // From here on the old program is gone, and all of its threads but this one.
        let lost = Failure::End(Next::Kill { signal: SIGKILL });
        let was_alone = self.process.threads == 1 && self.thread.id == self.process.id();
        self.end_siblings(view);
        self.leave(view);
        self.thread.id = self.process.id();
        self.drop_alarms(self.process.id(), false);
        self.process.barriers = 0;
        if fresh.is_none() {
            self.memories[self.process.memory].unmap(view.space, 0, USER_END).map_err(|_| lost)?;
        }
        let space = fresh.as_mut().unwrap_or(&mut *view.space);
        let promised_len = super::promised_len(self.memory_len);
        let loaded = super::loader::load(space, &image, promised_len, &arguments, &environment, random);
        let (memory, stack) = match loaded {
            Ok(loaded) => loaded,
            Err(_) => {
                if let Some(fresh) = fresh {
                    fresh.destroy();
                }
                return Err(lost);
            }
        };
        if let Some(begun) = Rc::get_mut(&mut begun) {
            begun.read(fresh.as_ref().unwrap_or(&*view.space), stack, arguments.len(), environment.len());
        }
        self.process.start = begun;
        // It is there: it was read.
        let _ = self.fs.hold(target);
        let before = self.process.executable.replace(target);
        self.leave_executable(before);
        match fresh.is_some() {
            true => {
                self.memories.release(self.process.memory);
                self.process.memory = self.memories.insert_reserved(memory);
            }
            false => self.memories[self.process.memory] = memory,
        }
        self.close_all(view.scheduler, true);
        self.handlers[self.process.handlers].reset();
        self.thread.signals.stack = Stack::default();
        // As on Linux, a process is called after the file, however that was reached.
        self.thread.name = name;
        super::loader::start(user, image.entry, stack);
        self.process.identity.has_executed = true;
        self.process.is_dumpable = true;
        let own = self.process.id();
        self.release_vfork(view.scheduler, own);
        let is_moved = fresh.is_some();
        self.fresh = fresh;
        if was_alone && !is_moved { Ok(0) } else { Err(Failure::End(Next::Executed)) }
    }

    /// A process does not execute this file any more.
    pub(super) fn leave_executable(&mut self, file: Option<InodeId>) {
        if let Some(file) = file {
            self.fs.release(file);
        }
    }

    /// Before another program is executed, has the process keep nothing in common with others
    /// that would notice; returns a space for it, if it has its memory in common with them.
    fn disentangle(&mut self, space: &mut Space) -> Result<Option<Space>, Failure> {
        let handlers = self.process.handlers;
        if self.handlers.is_shared(handlers) {
            self.handlers.reserve()?;
            let own = self.handlers[handlers].clone();
            self.handlers.release(handlers);
            self.process.handlers = self.handlers.insert_reserved(own);
        }
        self.unshare_files()?;
        if !self.memories.is_shared(self.process.memory) {
            return Ok(None);
        }
        self.memories.reserve()?;
        Ok(Some(space.beside().map_err(|OutOfFrames| ENOMEM)?))
    }

    /// Has the current process its descriptors to itself.
    pub(super) fn unshare_files(&mut self) -> Result<(), Errno> {
        let files = self.process.files;
        if self.files.is_shared(files) {
            self.files.reserve()?;
            let own = self.files[files].fork()?;
            self.files.release(files);
            self.process.files = self.files.insert_reserved(own);
        }
        Ok(())
    }

    /// The space in which the program is that the current process has just executed, if that is
    /// another one than before.
    pub fn take_space(&mut self) -> Option<Space> {
        self.fresh.take()
    }

    /// All of a file that may be executed.
    fn executable(&self, id: InodeId) -> Result<Executable, Errno> {
        if id.entry().is_some() {
            return Err(EACCES);
        }
        let inode = self.fs.inode(id)?;
        let Node::File(content) = &inode.node else { return Err(EACCES) };
        if inode.mode & 0o111 == 0 {
            return Err(EACCES);
        }
        if let Some(bytes) = content.lasting() {
            return Ok(Executable::Lasting(bytes));
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(content.length() as usize).map_err(|_| ENOMEM)?;
        let mut buffer = [0; 256];
        loop {
            let part = content.at(bytes.len() as u64, u64::MAX, &mut buffer);
            if part.is_empty() {
                return Ok(Executable::Copied(bytes));
            }
            fallible::extend(&mut bytes, part)?;
        }
    }

    /// The strings of a list of pointers, each with its final NUL byte.
    fn strings(&mut self, space: &mut Space, list: u64, room: &mut u64) -> Result<Vec<u8>, Failure> {
        let mut strings = Vec::new();
        let mut at = list;
        // Linux takes a null pointer for an empty list.
        while at != 0 {
            let pointer = self.user(space).u64(at)?;
            if pointer == 0 {
                break;
            }
            let before = strings.len();
            self.user(space).string(pointer, (*room).min(MAX_STRING_LEN), &mut strings)?;
            let taken = (strings.len() - before) as u64 + 8;
            *room = room.checked_sub(taken).ok_or(E2BIG)?;
            at = at.checked_add(8).ok_or(EFAULT)?;
        }
        Ok(strings)
    }

    /// `memfd_create`.
    pub(super) fn memfd_create(&mut self, space: &mut Space, name: u64, flags: u32) -> Reply {
        // Seals are not supported; to allow them does no harm.
        if flags & !(MFD_CLOEXEC | MFD_ALLOW_SEALING) != 0 {
            return Err(EINVAL.into());
        }
        if self.user(space).path(name)?.len() > MAX_NAME_LEN {
            return Err(EINVAL.into());
        }
        let now_ns = self.clock.realtime_ns();
        let id = self.fs.create_nameless(Node::File(Content::default()), 0o777, now_ns)?;
        let description = Description { object: Object::Inode(id), offset: 0, flags: O_RDWR };
        match self.files[self.process.files].open(description, flags & MFD_CLOEXEC != 0) {
            Ok(fd) => Ok(fd as u64),
            Err(errno) => {
                self.fs.release(id);
                Err(errno.into())
            }
        }
    }
}

/// A process's name: the last part of the program's path, as far as it fits.
pub fn short_name(path: &[u8]) -> [u8; NAME_LEN] {
    let mut name = [0; NAME_LEN];
    let base = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let length = base.len().min(name.len() - 1);
    name[..length].copy_from_slice(&base[..length]);
    name
}
