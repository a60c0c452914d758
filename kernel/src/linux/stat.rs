// SPDX-License-Identifier: MIT
//! What files look like from outside: `stat`, `statx`, `statfs`.

use linux_raw_sys::general::{
    S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, STATX__RESERVED, STATX_BASIC_STATS,
};

use super::Linux;
use super::clock::NANOSECONDS;
use super::descriptor::Object;
use super::errno::{EINVAL, Errno, Reply};
use super::fs::{Device, Node};
use super::layout::Layout;
use super::path_calls::PathAt;
use crate::mem::space::{PAGE_LEN, Space};

/// `st_dev` of everything here, and of the pipes to the host.
const FILES_DEVICE: u64 = 1;
const PIPES_DEVICE: u64 = 2;
/// `st_ino` of what is neither a file nor a pipe.
const NAMELESS_NUMBER: u64 = 50;
/// `st_ino` of pipes between processes lies above this.
const PIPE_NUMBERS: u64 = 100;
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
            Object::Output(_) | Object::Pipe(..) | Object::Event(_) | Object::Timer(_) | Object::Epoll(_) => {
                Ok(Status {
                    device: PIPES_DEVICE,
                    number: match object {
                        Object::Output(stream) => u64::from(stream),
                        Object::Pipe(id, _) => PIPE_NUMBERS + id.number(),
                        Object::Inode(id) => id.number(),
                        // All of these are one inode, as on Linux.
                        Object::Event(_) | Object::Timer(_) | Object::Epoll(_) => NAMELESS_NUMBER,
                    },
                    links: 1,
                    mode: match object {
                        Object::Event(_) | Object::Timer(_) | Object::Epoll(_) => 0o600,
                        Object::Output(_) | Object::Pipe(..) | Object::Inode(_) => S_IFIFO | 0o600,
                    },
                    owner: [0, 0],
                    special: (0, 0),
                    length: 0,
                    modified_ns: self.clock.start_ns(),
                })
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
    pub(super) fn statfs(&mut self, space: &mut Space, buffer: u64) -> Reply {
        let statfs = Layout::<120>::new().u64(0, FS_MAGIC).u64(8, PAGE_LEN).u64(64, 255).u64(72, PAGE_LEN);
        self.user(space).write(buffer, &statfs.0)?;
        Ok(0)
    }
}
