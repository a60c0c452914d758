// SPDX-License-Identifier: MIT
//! Who the program is, what it may use, and how it ends.

use linux_raw_sys::general::{GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM, RLIM_NLIMITS, RLIMIT_NOFILE};
use linux_raw_sys::prctl::{
    PR_GET_DUMPABLE, PR_GET_NAME, PR_GET_NO_NEW_PRIVS, PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_NO_NEW_PRIVS,
};
use pe_replay::UserRegisters;

use super::buffers::Buffers;
use super::errno::{EFAULT, EINVAL, EPERM, ESRCH, Failure, Reply};
use super::layout::{Layout, get_u64};
use super::memory::STACK_LEN;
use super::process::MAX_PROCESSES;
use super::user::User;
use super::{Linux, NAME_LEN, Next};
use crate::mem::space::{Space, USER_END};

/// What programs are told of the system: its name, its node's, its release and its version.
pub const SYSTEM: &str = "Linux";
pub const HOSTNAME: &str = "reprise";
pub const RELEASE: &str = "6.1.0-reprise";
pub const MACHINE_VERSION: &str = "#1 Reprise";

/// Length of a `struct utsname`'s fields.
const UTSNAME_FIELD_LEN: usize = 65;
/// `arch_prctl` (arch/x86/include/uapi/asm/prctl.h).
const ARCH_SET_GS: u32 = 0x1001;
const ARCH_SET_FS: u32 = 0x1002;
const ARCH_GET_FS: u32 = 0x1003;
const ARCH_GET_GS: u32 = 0x1004;

/// The one personality that changes nothing here (include/uapi/linux/personality.h).
const ADDR_NO_RANDOMIZE: u32 = 0x4_0000;

/// A resource limit: what holds, and up to where it may be raised.
#[derive(Clone, Copy)]
pub struct Limit {
    soft: u64,
    hard: u64,
}

impl Limit {
    /// What holds.
    pub fn soft(self) -> u64 {
        self.soft
    }

    /// Up to where it may be raised.
    pub fn hard(self) -> u64 {
        self.hard
    }
}

const UNLIMITED: u64 = u64::MAX;

/// The limits that a process starts with, in the order of `RLIMIT_...`.
pub const LIMITS: [Limit; RLIM_NLIMITS as usize] = {
    const fn limit(soft: u64, hard: u64) -> Limit {
        Limit { soft, hard }
    }
    [
        limit(UNLIMITED, UNLIMITED),                       // CPU
        limit(UNLIMITED, UNLIMITED),                       // FSIZE
        limit(UNLIMITED, UNLIMITED),                       // DATA
        limit(STACK_LEN, STACK_LEN),                       // STACK
        limit(0, UNLIMITED),                               // CORE
        limit(UNLIMITED, UNLIMITED),                       // RSS
        limit(MAX_PROCESSES as u64, MAX_PROCESSES as u64), // NPROC
        limit(1024, 1024),                                 // NOFILE
        limit(8 << 20, 8 << 20),                           // MEMLOCK
        limit(UNLIMITED, UNLIMITED),                       // AS
        limit(UNLIMITED, UNLIMITED),                       // LOCKS
        limit(0, 0),                                       // SIGPENDING
        limit(0, 0),                                       // MSGQUEUE
        limit(0, 0),                                       // NICE
        limit(0, 0),                                       // RTPRIO
        limit(UNLIMITED, UNLIMITED),                       // RTTIME
    ]
};

/// The most descriptors, [`RLIMIT_NOFILE`].
pub const MAX_DESCRIPTORS: u64 = LIMITS[RLIMIT_NOFILE as usize].soft;

impl Linux {
    /// `exit`: of the thread, and with the last one of the process, which has its status.
    pub(super) fn exit(&self, status: u64) -> Reply {
        if self.process.threads > 1 { Err(Failure::End(Next::ExitThread)) } else { self.exit_group(status) }
    }

    /// `exit_group`.
    pub(super) fn exit_group(&self, status: u64) -> Reply {
        Err(Failure::End(Next::Exit { status: status as u8 }))
    }

    /// `arch_prctl`.
    pub(super) fn arch_prctl(
        &mut self,
        space: &mut Space,
        user: &mut UserRegisters,
        command: u32,
        address: u64,
    ) -> Reply {
        match command {
            ARCH_SET_FS | ARCH_SET_GS if address >= USER_END => return Err(EPERM.into()),
            ARCH_SET_FS => user.fs_base = address,
            ARCH_SET_GS => user.gs_base = address,
            ARCH_GET_FS => self.user(space).write(address, &user.fs_base.to_le_bytes())?,
            ARCH_GET_GS => self.user(space).write(address, &user.gs_base.to_le_bytes())?,
            _ => return Err(EINVAL.into()),
        }
        Ok(0)
    }

    /// `getrandom`.
    pub(super) fn getrandom(&mut self, space: &mut Space, buffer: u64, length: u64, flags: u32) -> Reply {
        if flags & !(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) != 0
            || flags & (GRND_RANDOM | GRND_INSECURE) == GRND_RANDOM | GRND_INSECURE
        {
            return Err(EINVAL.into());
        }
        let mut buffers = Buffers::one(buffer, length)?;
        let mut user = User::new(space, &mut self.memories[self.process.memory]);
        let mut chunk = [0; 256];
        while buffers.left() > 0 {
            let part = &mut chunk[..buffers.left().min(256) as usize];
            self.random.fill(part);
            if buffers.scatter(&mut user, part)? < part.len() {
                return if buffers.done() > 0 { Ok(buffers.done()) } else { Err(EFAULT.into()) };
            }
        }
        Ok(buffers.done())
    }

    /// `prlimit64`; `getrlimit` and `setrlimit` are special cases of it.
    pub(super) fn prlimit(
        &mut self,
        space: &mut Space,
        process: u64,
        resource: u32,
        new: u64,
        old: u64,
    ) -> Reply {
        // A process's number is an `int`.
        let process = u64::from(process as u32);
        if process != 0 && process != self.process.id() {
            return Err(ESRCH.into());
        }
        let before = *self.process.limits.get(resource as usize).ok_or(EINVAL)?;
        self.user(space).prepare(old, 16)?;
        if new != 0 {
            let limit: [u8; 16] = self.user(space).structure(new)?;
            let limit = Limit { soft: get_u64(&limit, 0), hard: get_u64(&limit, 8) };
            if limit.soft > limit.hard {
                return Err(EINVAL.into());
            }
            if limit.hard > before.hard {
                return Err(EPERM.into());
            }
            if resource == RLIMIT_NOFILE {
                self.files[self.process.files].limit = limit.soft;
            }
            self.process.limits[resource as usize] = limit;
        }
        if old != 0 {
            let limit = Layout::<16>::new().u64(0, before.soft).u64(8, before.hard);
            self.user(space).write(old, &limit.0)?;
        }
        Ok(0)
    }

    /// `uname`.
    pub(super) fn uname(&mut self, space: &mut Space, address: u64) -> Reply {
        let fields = [SYSTEM, HOSTNAME, RELEASE, MACHINE_VERSION, "x86_64", "(none)"];
        let mut utsname = Layout::<{ 6 * UTSNAME_FIELD_LEN }>::new();
        for (index, field) in fields.iter().enumerate() {
            utsname = utsname.bytes(index * UTSNAME_FIELD_LEN, field.as_bytes());
        }
        self.user(space).write(address, &utsname.0)?;
        Ok(0)
    }

    /// `prctl`.
    pub(super) fn prctl(&mut self, space: &mut Space, command: u32, argument: u64, rest: [u64; 3]) -> Reply {
        match command {
            PR_SET_NAME => {
                let mut name = [0; NAME_LEN];
                let length = self.user(space).read_some(argument, &mut name[..NAME_LEN - 1])?;
                let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME_LEN);
                // Memory that ends before the name does.
                if length < NAME_LEN - 1 && end >= length {
                    return Err(EFAULT.into());
                }
                name[end..].fill(0);
                self.thread.name = name;
            }
            PR_GET_NAME => {
                let name = self.thread.name;
                self.user(space).write(argument, &name)?;
            }
            PR_GET_DUMPABLE => return Ok(self.process.is_dumpable.into()),
            PR_SET_DUMPABLE if argument <= 1 => self.process.is_dumpable = argument == 1,
            PR_SET_NO_NEW_PRIVS if (argument, rest) == (1, [0; 3]) => {
                self.process.has_no_new_privileges = true
            }
            PR_GET_NO_NEW_PRIVS if (argument, rest) == (0, [0; 3]) => {
                return Ok(self.process.has_no_new_privileges.into());
            }
            _ => return Err(EINVAL.into()),
        }
        Ok(0)
    }

    /// `personality`: addresses are never random; nothing else can be had.
    pub(super) fn personality(&mut self, wanted: u32) -> Reply {
        let before = u64::from(self.process.personality);
        match wanted {
            u32::MAX => {}
            0 | ADDR_NO_RANDOMIZE => self.process.personality = wanted,
            _ => return Err(EINVAL.into()),
        }
        Ok(before)
    }

    /// `getgroups`: no others than root's own.
    pub(super) fn getgroups(count: i32) -> Reply {
        if count < 0 { Err(EINVAL.into()) } else { Ok(0) }
    }

    /// `getcpu`.
    pub(super) fn getcpu(&mut self, space: &mut Space, processor: u64, node: u64) -> Reply {
        for address in [processor, node] {
            if address != 0 {
                self.user(space).write(address, &[0; 4])?;
            }
        }
        Ok(0)
    }

    /// `getresuid`, `getresgid`: root three times.
    pub(super) fn write_zero_words(&mut self, space: &mut Space, addresses: [u64; 3]) -> Reply {
        for address in addresses {
            self.user(space).write(address, &[0; 4])?;
        }
        Ok(0)
    }
}
