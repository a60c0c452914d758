// SPDX-License-Identifier: MIT
//! What files look like from outside: `stat`, `statx`, `statfs`.

use linux_raw_sys::general::{
    S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK, STATX__RESERVED, STATX_BASIC_STATS,
};

use super::Linux;
use super::clock::NANOSECONDS;
use super::descriptor::Object;
use super::errno::{EINVAL, Errno, Reply};
use super::fs::{Device, InodeId, Node};
use super::layout::Layout;
use super::path_calls::PathAt;
use super::proc::{Entry, Kind};
use crate::mem::space::{PAGE_LEN, Space};
use crate::object::table::Name as _;

/// `st_dev` of everything here, and of the pipes to the host.
pub const FILES_DEVICE: u64 = 1;
const PIPES_DEVICE: u64 = 2;
/// `st_dev` of what is not stored, and the magic numbers of such file systems
/// (`PROC_SUPER_MAGIC`, `SYSFS_MAGIC`).
const PROC_DEVICE: u64 = 3;
const SYS_DEVICE: u64 = 4;
const PROC_MAGIC: u64 = 0x9fa0;
const SYS_MAGIC: u64 = 0x6265_6572;
/// `st_ino` of what is neither a file nor a pipe.
pub const NAMELESS_NUMBER: u64 = 50;
/// `st_ino` of pipes between processes lies above this.
pub const PIPE_NUMBERS: u64 = 100;
/// `st_ino` of sockets lies above this, and above that of all pipes.
pub const SOCKET_NUMBERS: u64 = 1 << 20;
/// Unit of `st_blocks`.
const BLOCK_LEN: u64 = 512;
/// Magic number of a RAM file system (`RAMFS_MAGIC`).
const FS_MAGIC: u64 = 0x8584_58f6;

impl Node {
    /// The file type bits of `st_mode`.
    pub fn file_type(&self) -> u32 {
        match self {
            Self::Directory(_) => S_IFDIR,
            Self::File(_) => S_IFREG,
            Self::Link(_) => S_IFLNK,
            Self::Device(_) => S_IFCHR,
        }
    }
}

impl Device {
    /// Major and minor number, as Linux has them.
    fn number(self) -> (u32, u32) {
        match self {
            Self::Null => (1, 3),
            Self::Zero => (1, 5),
            Self::Full => (1, 7),
            Self::Random => (1, 9),
            Self::Descriptor(_) => (5, 0),
        }
    }
}

/// What is known about a file.
struct Status {
    device: u64,
    number: u64,
    links: u32,
    mode: u32,
    owner: [u32; 2],
    special: (u32, u32),
    length: u64,
    modified_ns: u64,
}

impl Linux {
    fn status(&self, object: Object) -> Result<Status, Errno> {
        match object {
            Object::Text(id) => Ok(self.unstored_status(self.texts.entry(id))),
            Object::Inode(id) if let Some(entry) = id.entry() => Ok(self.unstored_status(entry)),
            Object::Output(stream) => Ok(self.nameless_status(stream.into(), S_IFIFO | 0o600)),
            Object::Pipe(id, _) => Ok(self.nameless_status(PIPE_NUMBERS + id.number(), S_IFIFO | 0o600)),
            Object::Socket(id) => {
                Ok(self.nameless_status(SOCKET_NUMBERS + id.place() as u64, S_IFSOCK | 0o777))
            }
            // All of these are one inode, as on Linux.
            Object::Event(_) | Object::Timer(_) | Object::Epoll(_) => {
                Ok(self.nameless_status(NAMELESS_NUMBER, 0o600))
            }
            Object::Inode(id) => {
                let inode = self.fs.inode(id)?;
                let (special, length) = match &inode.node {
                    Node::Directory(_) => ((0, 0), PAGE_LEN),
                    Node::File(content) => ((0, 0), content.length()),
                    Node::Link(target) => ((0, 0), target.len() as u64),
                    Node::Device(device) => (device.number(), 0),
                };
                Ok(Status {
                    device: FILES_DEVICE,
                    number: id.number(),
                    links: inode.links,
                    mode: inode.node.file_type() | inode.mode,
                    owner: inode.owner,
                    special,
                    length,
                    modified_ns: inode.modified_ns,
                })
            }
        }
    }

    /// What is known about what has no name.
    fn nameless_status(&self, number: u64, mode_and_type: u32) -> Status {
        Status {
            device: PIPES_DEVICE,
            number,
            links: 1,
            mode: mode_and_type,
            owner: [0, 0],
            special: (0, 0),
            length: 0,
            modified_ns: self.clock.start_ns(),
        }
    }

    /// What is known about a file that is not stored: it is as old as the program.
    fn unstored_status(&self, entry: Entry) -> Status {
        Status {
            device: if entry.is_of_sys() { SYS_DEVICE } else { PROC_DEVICE },
            number: InodeId::of(entry).number(),
            links: if entry.kind() == Kind::Directory { 2 } else { 1 },
            mode: entry.kind().file_type() | entry.mode(),
            owner: [0, 0],
            special: (0, 0),
            length: 0,
            modified_ns: self.clock.start_ns(),
        }
    }

    /// `stat`, `lstat`, `fstat`, `newfstatat`: writes a `struct stat`.
    pub(super) fn stat(&mut self, space: &mut Space, object: Object, buffer: u64) -> Reply {
        let status = self.status(object)?;
        let (major, minor) = status.special;
        let seconds = status.modified_ns / NANOSECONDS;
        let fraction = status.modified_ns % NANOSECONDS;
        let mut stat = Layout::<144>::new()
            .u64(0, status.device)
            .u64(8, status.number)
            .u64(16, u64::from(status.links))
            .u32(24, status.mode)
            .u32(28, status.owner[0])
            .u32(32, status.owner[1])
            .u64(40, u64::from(major << 8 | minor))
            .u64(48, status.length)
            .u64(56, PAGE_LEN)
            .u64(64, status.length.div_ceil(BLOCK_LEN));
        // Access, modification and change.
        for at in [72, 88, 104] {
            stat = stat.u64(at, seconds).u64(at + 8, fraction);
        }
        self.user(space).write(buffer, &stat.0)?;
        Ok(0)
    }

    /// `statx`.
    pub(super) fn statx(
        &mut self,
        space: &mut Space,
        at: PathAt,
        flags: u32,
        mask: u32,
        buffer: u64,
    ) -> Reply {
        if mask & STATX__RESERVED != 0 {
            return Err(EINVAL.into());
        }
        let object = self.object(space, at, flags)?;
        let status = self.status(object)?;
        let mut statx = Layout::<256>::new()
            .u32(0, STATX_BASIC_STATS)
            .u32(4, PAGE_LEN as u32)
            .u32(16, status.links)
            .u32(20, status.owner[0])
            .u32(24, status.owner[1])
            .u16(28, status.mode as u16)
            .u64(32, status.number)
            .u64(40, status.length)
            .u64(48, status.length.div_ceil(BLOCK_LEN))
            .u32(128, status.special.0)
            .u32(132, status.special.1)
            .u32(140, status.device as u32);
        // Access, change and modification; a birth time is not kept.
        for at in [64, 96, 112] {
            statx = statx
                .u64(at, status.modified_ns / NANOSECONDS)
                .u32(at + 8, (status.modified_ns % NANOSECONDS) as u32);
        }
        self.user(space).write(buffer, &statx.0)?;
        Ok(0)
    }

    /// `statfs`, `fstatfs`.
    pub(super) fn statfs(&mut self, space: &mut Space, object: Object, buffer: u64) -> Reply {
        let magic = match self.status(object)?.device {
            PROC_DEVICE => PROC_MAGIC,
            SYS_DEVICE => SYS_MAGIC,
            _ => FS_MAGIC,
        };
        let statfs = Layout::<120>::new().u64(0, magic).u64(8, PAGE_LEN).u64(64, 255).u64(72, PAGE_LEN);
        self.user(space).write(buffer, &statfs.0)?;
        Ok(0)
    }
}
