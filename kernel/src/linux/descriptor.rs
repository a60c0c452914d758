// SPDX-License-Identifier: MIT
//! File descriptors, and the open descriptions behind them.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use linux_raw_sys::general::{O_ACCMODE, O_APPEND, O_PATH, O_RDONLY, O_WRONLY};

use super::alarms::AlarmId;
use super::epoll::EpollId;
use super::errno::{EBADF, EMFILE, Errno};
use super::event::EventId;
use super::fs::InodeId;
use super::pipe::{End, PipeId};
use super::proc::TextId;
use super::socket::SocketId;
use crate::mem::fallible::{self, Exhausted};

/// What an open description leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A file.
    Inode(InodeId),
    /// The program output of this descriptor number, as a pipe to the host.
    Output(u8),
    /// An end of a pipe.
    Pipe(PipeId, End),
    /// A count.
    Event(EventId),
    /// An alarm.
    Timer(AlarmId),
    /// What looks at others.
    Epoll(EpollId),
    /// A file that is not stored, and says something.
    Text(TextId),
    /// An end of a pair of sockets.
    Socket(SocketId),
}

/// An open file.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// What was opened.
    pub object: Object,
    /// Where the next read or write happens.
    pub offset: u64,
    /// Access mode and status flags, `O_...`.
    pub flags: u32,
}

impl Description {
    /// Refuses descriptions that are not open for reading.
    pub fn check_readable(&self) -> Result<(), Errno> {
        if self.flags & O_PATH != 0 || self.flags & O_ACCMODE == O_WRONLY { Err(EBADF) } else { Ok(()) }
    }

    /// Refuses descriptions that are not open for writing.
    pub fn check_writable(&self) -> Result<(), Errno> {
        if self.flags & O_PATH != 0 || self.flags & O_ACCMODE == O_RDONLY { Err(EBADF) } else { Ok(()) }
    }

    /// Whether every write goes to the end.
    pub fn is_appending(&self) -> bool {
        self.flags & O_APPEND != 0
    }
}

#[derive(Clone)]
struct Descriptor {
    /// Other descriptors may have it too, also those of other processes.
    description: Rc<Cell<Description>>,
    close_on_exec: bool,
}

/// What a descriptor led to that is closed now.
#[derive(Clone, Copy, Debug)]
pub struct Closed {
    /// What was opened.
    pub object: Object,
    /// What told its open description from all others.
    pub identity: u64,
    /// Whether it led to the file itself, not to its place alone (O_PATH).
    pub is_open: bool,
    /// The description, if that was its last descriptor.
    pub last: Option<Description>,
}

impl Descriptor {
    /// What tells its open description from all others that there are.
    fn identity(&self) -> u64 {
        Rc::as_ptr(&self.description).addr() as u64
    }

    fn close(self) -> Closed {
        let Description { object, flags, .. } = self.description.get();
        let (identity, is_open) = (self.identity(), flags & O_PATH == 0);
        Closed { object, identity, is_open, last: Rc::into_inner(self.description).map(Cell::into_inner) }
    }
}

/// An open description that a call keeps while it waits, whatever becomes of the descriptor.
pub struct Held(Descriptor);

impl Held {
    /// The description.
    pub fn get(&self) -> Description {
        self.0.description.get()
    }

    /// Moves the description's offset.
    pub fn set_offset(&self, offset: u64) {
        self.0.description.set(Description { offset, ..self.get() });
    }

    /// What tells the description from all others that there are.
    pub fn identity(&self) -> u64 {
        self.0.identity()
    }

    /// The call does not need it any more.
    pub fn release(self) -> Closed {
        // No descriptor has been closed: what was locked through one stays.
        Closed { is_open: false, ..self.0.close() }
    }
}

/// A free number, and an open description that only has to be told what it leads to.
pub struct Vacancy {
    number: usize,
    description: Rc<Cell<Description>>,
}

/// All descriptors of a process.
pub struct Descriptors {
    table: Vec<Option<Descriptor>>,
    /// Numbers from here on are refused (RLIMIT_NOFILE).
    pub limit: u64,
}

impl Descriptors {
    /// None, and room for numbers below `limit`.
    pub fn new(limit: u64) -> Self {
        Self { table: Vec::new(), limit }
    }

    /// The descriptors of another process, made from these.
    pub fn fork(&self) -> Result<Self, Exhausted> {
        Ok(Self { table: fallible::copy(&self.table)?, limit: self.limit })
    }

    /// Closes the highest descriptor below `below`, or the highest of those that `execve`
    /// closes; returns its number with it.
    pub fn close_below(&mut self, below: usize, on_exec_only: bool) -> Option<(usize, Closed)> {
        let closes = |slot: &Option<Descriptor>| {
            slot.as_ref().is_some_and(|descriptor| !on_exec_only || descriptor.close_on_exec)
        };
        let part = self.table.len().min(below);
        let index = self.table[..part].iter().rposition(closes)?;
        Some((index, self.table[index].take()?.close()))
    }

    fn descriptor(&self, number: i32) -> Result<&Descriptor, Errno> {
        let index = usize::try_from(number).map_err(|_| EBADF)?;
        self.table.get(index).and_then(Option::as_ref).ok_or(EBADF)
    }

    fn descriptor_mut(&mut self, number: i32) -> Result<&mut Descriptor, Errno> {
        let index = usize::try_from(number).map_err(|_| EBADF)?;
        self.table.get_mut(index).and_then(Option::as_mut).ok_or(EBADF)
    }

    /// The open description of a descriptor.
    pub fn get(&self, number: i32) -> Result<Description, Errno> {
        Ok(self.descriptor(number)?.description.get())
    }

    /// Keeps the open description of a descriptor.
    pub fn hold(&self, number: i32) -> Result<Held, Errno> {
        Ok(Held(self.descriptor(number)?.clone()))
    }

    /// What tells the open description of a descriptor from all others that there are.
    pub fn identity(&self, number: i32) -> Result<u64, Errno> {
        self.descriptor(number).map(Descriptor::identity)
    }

    /// Changes the open description of a descriptor.
    pub fn update(&self, number: i32, change: impl FnOnce(&mut Description)) -> Result<(), Errno> {
        let cell = &self.descriptor(number)?.description;
        let mut description = cell.get();
        change(&mut description);
        cell.set(description);
        Ok(())
    }

    /// Whether the descriptor is closed by `execve`.
    pub fn close_on_exec(&self, number: i32) -> Result<bool, Errno> {
        Ok(self.descriptor(number)?.close_on_exec)
    }

    /// Sets whether the descriptor is closed by `execve`.
    pub fn set_close_on_exec(&mut self, number: i32, close_on_exec: bool) -> Result<(), Errno> {
        self.descriptor_mut(number)?.close_on_exec = close_on_exec;
        Ok(())
    }

    /// The numbers of all that are open.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        let all = (0..).zip(&self.table);
        all.filter_map(|(number, descriptor)| descriptor.as_ref().map(|_| number))
    }

    /// How many numbers there is room for at present.
    pub fn room(&self) -> usize {
        self.table.len()
    }

    /// The lowest free number from `lowest` on, with room in the table.
    fn allocate(&mut self, lowest: usize) -> Result<usize, Errno> {
        let free = (lowest..self.table.len()).find(|index| self.table[*index].is_none());
        let number = free.unwrap_or(self.table.len().max(lowest));
        self.make_room(number)?;
        Ok(number)
    }

    fn make_room(&mut self, number: usize) -> Result<(), Errno> {
        if number as u64 >= self.limit || number > i32::MAX as usize {
            return Err(EMFILE);
        }
        if number >= self.table.len() {
            fallible::resize(&mut self.table, number + 1, || None)?;
        }
        Ok(())
    }

    /// The lowest free number and a description for it, before it is known of what.
    pub fn vacancy(&mut self) -> Result<Vacancy, Errno> {
        let nothing = Description { object: Object::Output(0), offset: 0, flags: O_PATH };
        Ok(Vacancy { number: self.allocate(0)?, description: fallible::shared(Cell::new(nothing))? })
    }

    /// Opens a description under the number that was found free last.
    pub fn fill(&mut self, vacancy: Vacancy, description: Description, close_on_exec: bool) -> i32 {
        let Vacancy { number, description: cell } = vacancy;
        cell.set(description);
        self.table[number] = Some(Descriptor { description: cell, close_on_exec });
        number as i32
    }

    /// Opens a description under the lowest free number.
    pub fn open(&mut self, description: Description, close_on_exec: bool) -> Result<i32, Errno> {
        let vacancy = self.vacancy()?;
        Ok(self.fill(vacancy, description, close_on_exec))
    }

    /// Closes a descriptor.
    pub fn close(&mut self, number: i32) -> Result<Closed, Errno> {
        self.descriptor(number)?;
        self.table[number as usize].take().map(Descriptor::close).ok_or(EBADF)
    }

    fn between(&mut self, first: u64, last: u64) -> impl Iterator<Item = (u64, &mut Option<Descriptor>)> {
        let all = self.table.iter_mut().enumerate().map(|(number, slot)| (number as u64, slot));
        all.skip(usize::try_from(first).unwrap_or(usize::MAX)).take_while(move |(number, _)| *number <= last)
    }

    /// Closes the lowest descriptor from `first` to `last`, if there is one; returns its
    /// number with it.
    pub fn close_between(&mut self, first: u64, last: u64) -> Option<(u64, Closed)> {
        self.between(first, last).find_map(|(number, slot)| Some((number, slot.take()?.close())))
    }

    /// Lets `execve` close all descriptors from `first` to `last`.
    pub fn close_on_exec_between(&mut self, first: u64, last: u64) {
        for descriptor in self.between(first, last).filter_map(|(_, slot)| slot.as_mut()) {
            descriptor.close_on_exec = true;
        }
    }

    fn share(&mut self, old: i32, number: usize, close_on_exec: bool) -> Result<i32, Errno> {
        let description = self.descriptor(old)?.description.clone();
        self.table[number] = Some(Descriptor { description, close_on_exec });
        Ok(number as i32)
    }

    /// `dup`: the same description under the lowest free number from `lowest` on.
    pub fn duplicate(&mut self, old: i32, lowest: u64, close_on_exec: bool) -> Result<i32, Errno> {
        self.descriptor(old)?;
        let lowest = usize::try_from(lowest).map_err(|_| EMFILE)?;
        let number = self.allocate(lowest)?;
        self.share(old, number, close_on_exec)
    }

    /// `dup2`: the same description under a given other number. Returns what that one led to
    /// before.
    pub fn duplicate_to(&mut self, old: i32, new: i32, close_on_exec: bool) -> Result<Option<Closed>, Errno> {
        self.descriptor(old)?;
        let number = usize::try_from(new).map_err(|_| EBADF)?;
        self.make_room(number).map_err(|errno| if errno == EMFILE { EBADF } else { errno })?;
        let closed = self.close(new).ok();
        self.share(old, number, close_on_exec)?;
        Ok(closed)
    }
}

#[cfg(test)]
impl Descriptors {
    /// Leaves so much room in the table: what comes next has to make more.
    pub fn tighten(&mut self, room: usize) {
        self.table.shrink_to(self.table.len() + room);
    }

    /// What tells each descriptor's open description from all others, and where it leads.
    pub fn open_ones(&self) -> impl Iterator<Item = (*const Cell<Description>, Object)> {
        let open = self.table.iter().flatten();
        open.map(|descriptor| (Rc::as_ptr(&descriptor.description), descriptor.description.get().object))
    }
}

#[cfg(test)]
impl Held {
    /// What tells the open description from all others, and where it leads.
    pub fn open_one(&self) -> (*const Cell<Description>, Object) {
        (Rc::as_ptr(&self.0.description), self.get().object)
    }
}
