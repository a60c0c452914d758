// SPDX-License-Identifier: MIT
//! Making processes and threads: `clone` and its relatives.

use alloc::boxed::Box;

use linux_raw_sys::general::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_CLEAR_SIGHAND, CLONE_DETACHED, CLONE_FILES, CLONE_FS,
    CLONE_IO, CLONE_PARENT_SETTID, CLONE_SETTLS, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD, CLONE_VFORK,
    CLONE_VM, CSIGNAL, SIGCHLD,
};
use pe_replay::UserRegisters;
use syscalls::Sysno;
use wire::limit::Limited;

use super::Linux;
use super::errno::{E2BIG, EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM, Errno, Failure, Reply};
use super::layout::get_u64;
use super::process::{MAX_ID, MAX_PROCESSES, Process};
use super::thread::{MAX_THREADS, Thread, Waiting, Why};
use super::user::User;
use crate::mem::fallible::{self, Exhausted};
use crate::mem::space::{OutOfFrames, Space, USER_END};
use crate::object::scheduler::ThreadId;
use crate::object::table::Name as _;

/// `sizeof(struct clone_args)` of the first version that there was, and of the last one.
const FIRST_ARGUMENTS_LEN: u64 = 64;
const ARGUMENTS_LEN: usize = 88;
/// The longest structure that is looked at.
const MAX_ARGUMENTS_LEN: u64 = 4096;

/// A flag's bit in the flags of `clone3`.
const fn flag(bit: u32) -> u64 {
    bit as u64
}

/// Flags that are done. Undone ones are refused; there are no System V semaphores and no I/O contexts to share.
const TAKEN: u64 = flag(CLONE_VM)
    | flag(CLONE_VFORK)
    | flag(CLONE_FS)
    | flag(CLONE_FILES)
    | flag(CLONE_SIGHAND)
    | flag(CLONE_THREAD)
    | flag(CLONE_SYSVSEM)
    | flag(CLONE_IO)
    | flag(CLONE_DETACHED)
    | flag(CLONE_SETTLS)
    | flag(CLONE_CHILD_CLEARTID)
    | flag(CLONE_CHILD_SETTID)
    | flag(CLONE_PARENT_SETTID)
    | CLONE_CLEAR_SIGHAND;
/// What threads of a process have in common here; on Linux they need not have the first two.
const OF_THREADS: u64 = flag(CLONE_FS) | flag(CLONE_FILES) | flag(CLONE_SIGHAND) | flag(CLONE_VM);

/// What `clone` is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// `CLONE_...`, without the signal.
    pub flags: u64,
    /// The signal that the parent gets in the end.
    pub signal: u64,
    /// The stack pointer, if that is to be another one.
    pub stack: u64,
    /// Where the number goes for the maker.
    pub parent_id: u64,
    /// Where it goes for the new thread, and what is cleared at its end.
    pub child_id: u64,
    /// The FS base.
    pub tls: u64,
}

impl Wanted {
    /// As `clone` takes it.
    pub fn of_clone([flags, stack, parent_id, child_id, tls]: [u64; 5]) -> Self {
        let (signal, flags) = (flags & flag(CSIGNAL), flags & flag(!CSIGNAL));
        Self { flags, signal, stack, parent_id, child_id, tls }
    }

    /// As `clone3` takes it.
    fn of_clone3(arguments: &[u8; ARGUMENTS_LEN]) -> Result<Self, Errno> {
        let word = |index: usize| get_u64(arguments, 8 * index);
        let [flags, _, child_id, parent_id, signal, base, length, tls, set_id, set_ids, _] =
            core::array::from_fn(word);
        if flags & flag(CLONE_DETACHED | CSIGNAL) != 0
            || (base == 0) != (length == 0)
            || (set_id, set_ids) != (0, 0)
        {
            return Err(EINVAL);
        }
        let stack = base.checked_add(length).ok_or(EINVAL)?;
        Ok(Self { flags, signal, stack, parent_id, child_id, tls })
    }

    fn has(&self, bit: u32) -> bool {
        self.flags & flag(bit) != 0
    }

    /// Whether Linux would refuse it, too.
    fn is_contradiction(&self) -> bool {
        let needs = |one: u32, other: u32| self.has(one) && !self.has(other);
        needs(CLONE_THREAD, CLONE_SIGHAND)
            || needs(CLONE_SIGHAND, CLONE_VM)
            || self.has(CLONE_SIGHAND) && self.flags & CLONE_CLEAR_SIGHAND != 0
    }

    /// Whether it is done here.
    fn is_supported(&self) -> bool {
        let as_thread = self.flags & OF_THREADS == OF_THREADS && !self.has(CLONE_VFORK);
        self.flags & !TAKEN == 0 && (!self.has(CLONE_THREAD) || as_thread)
    }
}

/// A thread that was just made, and is to be given a processor.
pub struct Child {
    /// Whether it is of its maker's process.
    pub is_thread: bool,
    /// Its space, unless that is its maker's.
    pub space: Option<Space>,
    /// Its registers.
    pub state: UserRegisters,
}

/// A new thread that the scheduler does not know yet.
pub(super) struct Unscheduled {
    thread: Box<Thread>,
    /// Its process, if that is new.
    process: Option<Box<Process>>,
}

impl Linux {
    /// `clone3`.
    pub(super) fn clone3(
        &mut self,
        space: &mut Space,
        user: &UserRegisters,
        address: u64,
        length: u64,
    ) -> Reply {
        match length {
            ..FIRST_ARGUMENTS_LEN => return Err(EINVAL.into()),
            MAX_ARGUMENTS_LEN.. => return Err(E2BIG.into()),
            _ => {}
        }
        let mut arguments = [0; ARGUMENTS_LEN];
        let known = (length as usize).min(ARGUMENTS_LEN);
        self.user(space).read(address, &mut arguments[..known])?;
        for at in ARGUMENTS_LEN as u64..length {
            let unknown: [u8; 1] = self.user(space).structure(address.checked_add(at).ok_or(EFAULT)?)?;
            if unknown != [0] {
                return Err(E2BIG.into());
            }
        }
        let wanted = Wanted::of_clone3(&arguments)?;
        self.clone(space, user, wanted)
    }

    /// `fork`, `vfork`, `clone`, and what `clone3` has in common with them.
    pub(super) fn clone(&mut self, space: &mut Space, user: &UserRegisters, wanted: Wanted) -> Reply {
        if wanted.is_contradiction() {
            return Err(EINVAL.into());
        }
        if !wanted.is_supported() {
            self.count_unsupported(Sysno::clone as u32);
            defmt::warn!("clone with flags {=u64:#x} is not supported (EINVAL)", wanted.flags);
            return Err(EINVAL.into());
        }
        let is_thread = wanted.has(CLONE_THREAD);
        if !is_thread && ![0, flag(SIGCHLD)].contains(&wanted.signal) {
            return Err(EINVAL.into());
        }
        if wanted.has(CLONE_SETTLS) && wanted.tls >= USER_END {
            return Err(EPERM.into());
        }
        self.check_limits(is_thread)?;
        let id = self.next_id;
        let keeps_stack = !wanted.has(CLONE_VM) || wanted.has(CLONE_VFORK);
        let of = if is_thread { self.process.id() } else { id };
        let mut thread = fallible::boxed(self.thread.fork(id, of, keeps_stack))?;
        thread.started_ns = self.clock.monotonic_ns();
        let (process, mut child) = match is_thread {
            true => (None, None),
            false => {
                let (process, child) = self.fork_process(space, id, &wanted)?;
                (Some(process), child)
            }
        };
        let mut state = user.clone();
        state.rax = 0;
        if wanted.stack != 0 {
            state.rsp = wanted.stack;
        }
        if wanted.has(CLONE_SETTLS) {
            state.fs_base = wanted.tls;
        }
        if wanted.has(CLONE_CHILD_CLEARTID) {
            thread.clear_at_end = wanted.child_id;
        }
        let word = (id as u32).to_le_bytes();
        // As on Linux, a bad address is nobody's fault.
        if wanted.has(CLONE_CHILD_SETTID) {
            let memory = process.as_ref().map_or(self.process.memory, |process| process.memory);
            let space = child.as_mut().unwrap_or(&mut *space);
            let _ = User::new(space, &mut self.memories[memory]).write(wanted.child_id, &word);
        }
        if wanted.has(CLONE_PARENT_SETTID) {
            let _ = self.user(space).write(wanted.parent_id, &word);
        }
        self.next_id += 1;
        self.unscheduled = Some(Unscheduled { thread, process });
        self.child = Some(Child { is_thread, space: child, state });
        if wanted.has(CLONE_VFORK) {
            let why = Why::Vfork { child: id };
            self.thread.waiting = Some(Waiting { why, ..Waiting::for_event(Self::vfork_key(id)) });
        }
        Ok(id)
    }

    /// Refuses one thread more than there may be, and one process more.
    fn check_limits(&mut self, is_thread: bool) -> Result<(), Errno> {
        if self.all_threads().count() >= MAX_THREADS {
            return Err(self.reached.refuse(Limited::Threads, EAGAIN));
        }
        if !is_thread && self.others.len() + self.zombies.len() + 1 >= MAX_PROCESSES {
            return Err(self.reached.refuse(Limited::Processes, EAGAIN));
        }
        // Numbers are not used again.
        if self.next_id >= MAX_ID { Err(EAGAIN) } else { Ok(()) }
    }

    /// Makes a process like the current one, with its space if that is another one.
    fn fork_process(
        &mut self,
        space: &mut Space,
        id: u64,
        wanted: &Wanted,
    ) -> Result<(Box<Process>, Option<Space>), Failure> {
        fallible::reserve_one(&mut self.others)?;
        // So that its end can be noted down without fail.
        fallible::reserve(&mut self.zombies, self.others.len() + 2)?;
        self.memories.reserve()?;
        self.files.reserve()?;
        self.places.reserve()?;
        self.handlers.reserve()?;
        let shares = |bit| wanted.has(bit);
        let mut process = fallible::boxed(self.process.fork(id))?;
        let files = match shares(CLONE_FILES) {
            true => None,
            false => Some(self.files[process.files].fork()?),
        };
        let (memory, child) = match shares(CLONE_VM) {
            true => (None, None),
            false => {
                let mut memory = self.memories[process.memory].fork()?;
                let mut child = space.fork().map_err(|OutOfFrames| ENOMEM)?;
                if memory.begin(&mut child).is_err() {
                    child.destroy();
                    return Err(ENOMEM.into());
                }
                (Some(memory), Some(child))
            }
        };
        // The directory is held already, so it is there.
        if !shares(CLONE_FS) {
            self.fs.hold(self.places[process.place].directory)?;
        }
        if let Some(executable) = process.executable {
            self.fs.hold(executable)?;
        }
        process.memory = match memory {
            Some(memory) => self.memories.insert_reserved(memory),
            None => self.memories.hold(process.memory),
        };
        process.files = match files {
            Some(files) => self.files.insert_reserved(files),
            None => self.files.hold(process.files),
        };
        process.place = match shares(CLONE_FS) {
            false => self.places.insert_reserved(self.places[process.place]),
            true => self.places.hold(process.place),
        };
        process.handlers = match shares(CLONE_SIGHAND) {
            false => {
                let mut handlers = self.handlers[process.handlers].clone();
                if wanted.flags & CLONE_CLEAR_SIGHAND != 0 {
                    handlers.reset();
                }
                self.handlers.insert_reserved(handlers)
            }
            true => self.handlers.hold(process.handlers),
        };
        Ok((process, child))
    }

    /// Gives the thread that was just made its object, and takes it in.
    pub fn adopt(&mut self, object: ThreadId) -> Result<(), Exhausted> {
        let place = object.place();
        if place >= self.threads.len() {
            fallible::resize(&mut self.threads, place + 1, || None)?;
        }
        let Some(Unscheduled { mut thread, process }) = self.unscheduled.take() else { return Ok(()) };
        thread.object = object;
        self.threads[place] = Some(thread);
        match process {
            Some(process) => fallible::push_reserved(&mut self.others, process),
            None => self.process.threads += 1,
        }
        Ok(())
    }

    /// The thread that the last call has made.
    pub fn take_child(&mut self) -> Option<Child> {
        self.child.take()
    }

    /// There is no room for the thread that the last call has made: the call fails.
    pub fn refuse_child(&mut self, user: &mut UserRegisters) {
        self.thread.waiting = None;
        if let Some(Unscheduled { process: Some(process), .. }) = self.unscheduled.take() {
            // Whatever it has open its maker has, too.
            self.files.release(process.files);
            self.memories.release(process.memory);
            self.handlers.release(process.handlers);
            self.leave_executable(process.executable);
            if let Some(place) = self.places.release(process.place) {
                self.fs.release(place.directory);
            }
        }
        user.rax = ENOMEM.in_rax();
    }
}
