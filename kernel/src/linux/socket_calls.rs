// SPDX-License-Identifier: MIT
//! System calls on sockets.
//!
//! A C library's name service asks for sockets that are not there, and goes on without: it
//! reads files, or says that a name is unknown.

use linux_raw_sys::general::{O_CLOEXEC, O_NONBLOCK, O_RDWR};
use linux_raw_sys::net::{
    AF_INET, AF_INET6, AF_UNIX, MSG_OOB, SHUT_RD, SHUT_RDWR, SHUT_WR, SO_ACCEPTCONN, SO_DOMAIN, SO_ERROR,
    SO_PEERCRED, SO_PROTOCOL, SO_RCVBUF, SO_SNDBUF, SO_TYPE, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET,
    SOCK_STREAM, SOL_SOCKET,
};
use syscalls::Sysno;

use super::Linux;
use super::descriptor::{Description, Object};
use super::errno::{
    EAFNOSUPPORT, ECONNRESET, EINVAL, EISCONN, EMSGSIZE, ENOPROTOOPT, ENOTSOCK, EOPNOTSUPP, EPROTONOSUPPORT,
    ESOCKTNOSUPPORT, Errno, Failure, Reply,
};
use super::layout::{Layout, get_u32, get_u64};
use super::pipe::{CAPACITY, End, notify};
use super::socket::{Socket, SocketId};
use super::transfer::{Direction, Wanted};
use super::view::View;
use crate::mem::space::Space;

/// Flags beside the type of a socket (include/linux/net.h).
const SOCK_CLOEXEC: u32 = O_CLOEXEC;
const SOCK_NONBLOCK: u32 = O_NONBLOCK;
/// Bits of the type.
const TYPE_MASK: u32 = 0xf;
/// The highest type that there is on Linux, and the highest family.
const MAX_TYPE: u32 = 10;
/// `struct msghdr`: its length and its fields.
const MESSAGE_LEN: usize = 56;
const NAME_LEN_AT: u64 = 8;
const VECTOR_AT: usize = 16;
const COUNT_AT: usize = 24;
const CONTROL_LEN_AT: usize = 40;
const FLAGS_AT: u64 = 48;
/// The most buffers of one message (`UIO_MAXIOV`).
const MAX_BUFFERS: u64 = 1024;
/// A `sockaddr_un` without a name.
const NAMELESS: [u8; 2] = (AF_UNIX as u16).to_le_bytes();

impl Linux {
    /// `socket`: there are no addresses of any family, so that one alone is of no use.
    pub(super) fn socket(&mut self) -> Reply {
        self.count_unsupported(Sysno::socket as u32);
        Err(EAFNOSUPPORT.into())
    }

    /// `socketpair`.
    pub(super) fn socketpair(&mut self, space: &mut Space, arguments: [u32; 3], address: u64) -> Reply {
        let [family, kind, protocol] = arguments;
        let flags = kind & !TYPE_MASK;
        if flags & !(SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 || kind & TYPE_MASK > MAX_TYPE {
            return Err(EINVAL.into());
        }
        match family {
            AF_UNIX => {}
            AF_INET | AF_INET6 => return Err(EOPNOTSUPP.into()),
            _ => return Err(EAFNOSUPPORT.into()),
        }
        if protocol != 0 && protocol != AF_UNIX {
            return Err(EPROTONOSUPPORT.into());
        }
        match kind & TYPE_MASK {
            SOCK_STREAM => {}
            SOCK_DGRAM | SOCK_RAW | SOCK_SEQPACKET => {
                self.count_unsupported(Sysno::socketpair as u32);
                defmt::warn!("socketpair: only streams are supported (ESOCKTNOSUPPORT)");
                return Err(ESOCKTNOSUPPORT.into());
            }
            _ => return Err(ESOCKTNOSUPPORT.into()),
        }
        self.user(space).prepare(address, 8)?;
        let ids = self.make_pair()?;
        let mut numbers = [0; 8];
        let mut open = [None; 2];
        for (index, id) in ids.into_iter().enumerate() {
            let flags = O_RDWR | flags & O_NONBLOCK;
            let description = Description { object: Object::Socket(id), offset: 0, flags };
            let opened = self.files[self.process.files].open(description, kind & SOCK_CLOEXEC != 0);
            match opened {
                Ok(number) => {
                    open[index] = Some(number);
                    numbers[4 * index..4 * index + 4].copy_from_slice(&number.to_le_bytes());
                }
                Err(errno) => {
                    self.take_pair_back(ids, open);
                    return Err(errno.into());
                }
            }
        }
        self.user(space).write(address, &numbers).inspect_err(|_| self.take_pair_back(ids, open))?;
        Ok(0)
    }

    /// Two ends, each of which reads what the other one writes.
    fn make_pair(&mut self) -> Result<[SocketId; 2], Errno> {
        let maker = self.process.id();
        let there = self.pipes.open()?;
        let give_up = |linux: &mut Self, pipe| {
            linux.pipes.release(pipe, End::Read);
            linux.pipes.release(pipe, End::Write);
        };
        let back = self.pipes.open().inspect_err(|_| give_up(self, there))?;
        let mut made = [None; 2];
        for (slot, (input, output)) in made.iter_mut().zip([(back, there), (there, back)]) {
            if self.sockets.reserve().is_ok() {
                *slot = Some(self.sockets.insert_reserved(Socket { input, output, maker }));
            }
        }
        match made {
            [Some(first), Some(second)] => Ok([first, second]),
            _ => {
                for id in made.into_iter().flatten() {
                    self.sockets.remove(id);
                }
                give_up(self, there);
                give_up(self, back);
                Err(super::errno::ENOMEM)
            }
        }
    }

    /// Closes those ends of a new pair that have a descriptor, and drops both.
    fn take_pair_back(&mut self, ids: [SocketId; 2], open: [Option<i32>; 2]) {
        for (id, number) in ids.into_iter().zip(open) {
            if let Some(number) = number {
                let _ = self.files[self.process.files].close(number);
            }
            let Socket { input, output, .. } = self.sockets.remove(id);
            self.pipes.release(input, End::Read);
            self.pipes.release(output, End::Write);
        }
    }

    /// The socket behind a descriptor.
    fn socket_of(&self, fd: i32) -> Result<SocketId, Errno> {
        match self.files[self.process.files].get(fd)?.object {
            Object::Socket(id) => Ok(id),
            _ => Err(ENOTSOCK),
        }
    }

    /// A transfer through a socket, unless one waits already, which goes on whatever has become
    /// of the descriptor.
    fn message_of(&self, direction: Direction, fd: i32, flags: u32) -> Result<Wanted, Errno> {
        if self.thread.transfer.is_none() {
            self.socket_of(fd)?;
            if flags & MSG_OOB != 0 {
                return Err(EOPNOTSUPP);
            }
        }
        Ok(Wanted { message: flags, ..Wanted::here(direction, fd) })
    }

    /// `sendto`: `send` is a special case of it.
    pub(super) fn sendto(
        &mut self,
        view: &mut View,
        fd: i32,
        (address, length): (u64, u64),
        flags: u32,
        (name, name_len): (u64, u32),
    ) -> Reply {
        let wanted = self.message_of(Direction::Write, fd, flags)?;
        if name != 0 && name_len != 0 {
            return Err(EISCONN.into());
        }
        self.transfer(view, wanted, address, length)
    }

    /// `recvfrom`: `recv` is a special case of it. Who has sent has no name.
    pub(super) fn recvfrom(
        &mut self,
        view: &mut View,
        fd: i32,
        (address, length): (u64, u64),
        flags: u32,
        (name, name_len): (u64, u64),
    ) -> Reply {
        let wanted = self.message_of(Direction::Read, fd, flags)?;
        // What was received is gone: to say so is not to want memory.
        self.user(view.space).prepare(name_len, 4)?;
        let received = self.transfer(view, wanted, address, length)?;
        if name != 0 && name_len != 0 {
            self.user(view.space).write(name_len, &[0; 4])?;
        }
        Ok(received)
    }

    /// The message that `sendmsg` and `recvmsg` describe: where its buffers are, how many, and how
    /// much else goes with it.
    fn message(&mut self, space: &mut Space, address: u64) -> Result<(u64, u64, u64), Failure> {
        let message: [u8; MESSAGE_LEN] = self.user(space).structure(address)?;
        let count = get_u64(&message, COUNT_AT);
        if count > MAX_BUFFERS {
            return Err(EMSGSIZE.into());
        }
        Ok((get_u64(&message, VECTOR_AT), count, get_u64(&message, CONTROL_LEN_AT)))
    }

    /// `sendmsg`: nothing but bytes is sent.
    pub(super) fn sendmsg(&mut self, view: &mut View, fd: i32, address: u64, flags: u32) -> Reply {
        let wanted = self.message_of(Direction::Write, fd, flags)?;
        let (vector, count, control_len) = self.message(view.space, address)?;
        if control_len != 0 {
            self.count_unsupported(Sysno::sendmsg as u32);
            defmt::warn!("sendmsg: descriptors and credentials cannot be sent (EOPNOTSUPP)");
            return Err(EOPNOTSUPP.into());
        }
        let message: [u8; MESSAGE_LEN] = self.user(view.space).structure(address)?;
        if get_u64(&message, 0) != 0 && get_u32(&message, NAME_LEN_AT as usize) != 0 {
            return Err(EISCONN.into());
        }
        self.transfer_vector(view, wanted, vector, count)
    }

    /// `recvmsg`: nothing but bytes comes.
    pub(super) fn recvmsg(&mut self, view: &mut View, fd: i32, address: u64, flags: u32) -> Reply {
        let wanted = self.message_of(Direction::Read, fd, flags)?;
        let (vector, count, _) = self.message(view.space, address)?;
        // What was received is gone: to say so is not to want memory.
        self.user(view.space).prepare(address, MESSAGE_LEN as u64)?;
        let received = self.transfer_vector(view, wanted, vector, count)?;
        let mut user = self.user(view.space);
        user.write(address + NAME_LEN_AT, &[0; 4])?;
        user.write(address + CONTROL_LEN_AT as u64, &[0; 8])?;
        user.write(address + FLAGS_AT, &[0; 4])?;
        Ok(received)
    }

    /// `shutdown`.
    pub(super) fn shutdown(&mut self, view: &mut View, fd: i32, how: u32) -> Reply {
        let Socket { input, output, .. } = self.sockets[self.socket_of(fd)?];
        let pipes: &[_] = match how {
            SHUT_RD => &[input],
            SHUT_WR => &[output],
            SHUT_RDWR => &[input, output],
            _ => return Err(EINVAL.into()),
        };
        for pipe in pipes {
            self.pipes.get_mut(*pipe)?.shut();
            notify(view.scheduler, *pipe);
        }
        Ok(0)
    }

    /// `getsockname` and `getpeername`: neither has a name.
    pub(super) fn socket_name(&mut self, space: &mut Space, fd: i32, name: u64, name_len: u64) -> Reply {
        self.socket_of(fd)?;
        let room = self.user(space).u32(name_len)?;
        if (room as i32) < 0 {
            return Err(EINVAL.into());
        }
        let part = &NAMELESS[..NAMELESS.len().min(room as usize)];
        self.user(space).write(name, part)?;
        self.user(space).write(name_len, &(NAMELESS.len() as u32).to_le_bytes())?;
        Ok(0)
    }

    /// `getsockopt`.
    pub(super) fn getsockopt(
        &mut self,
        space: &mut Space,
        fd: i32,
        (level, option): (u32, u32),
        (value, length): (u64, u64),
    ) -> Reply {
        let id = self.socket_of(fd)?;
        if level != SOL_SOCKET {
            return Err(EOPNOTSUPP.into());
        }
        let room = self.user(space).u32(length)?;
        if (room as i32) < 0 {
            return Err(EINVAL.into());
        }
        let Socket { input, maker, .. } = self.sockets[id];
        let told = Layout::<12>::new();
        let (told, told_len) = match option {
            SO_TYPE => (told.u32(0, SOCK_STREAM), 4),
            SO_ERROR => {
                self.user(space).prepare(value, 4)?;
                self.user(space).prepare(length, 4)?;
                let error = if self.pipes.get_mut(input)?.take_cut() { ECONNRESET.number() } else { 0 };
                (told.u32(0, error), 4)
            }
            SO_DOMAIN => (told.u32(0, AF_UNIX), 4),
            SO_PROTOCOL | SO_ACCEPTCONN => (told, 4),
            SO_SNDBUF | SO_RCVBUF => (told.u32(0, CAPACITY as u32), 4),
            SO_PEERCRED => (told.u32(0, maker as u32), 12),
            _ => return Err(ENOPROTOOPT.into()),
        };
        let part = &told.0[..(room as usize).min(told_len)];
        self.user(space).write(value, part)?;
        self.user(space).write(length, &(part.len() as u32).to_le_bytes())?;
        Ok(0)
    }

    /// What else there is for sockets is refused: a pair is connected, has no name and gets none.
    pub(super) fn refuse_socket_call(&mut self, call: Sysno, fd: i32) -> Reply {
        self.socket_of(fd)?;
        let (errno, is_as_on_linux) = match call {
            Sysno::connect => (EISCONN, true),
            Sysno::listen | Sysno::accept | Sysno::accept4 => (EINVAL, true),
            Sysno::setsockopt => (ENOPROTOOPT, false),
            _ => (EOPNOTSUPP, false),
        };
        if !is_as_on_linux {
            self.count_unsupported(call as u32);
        }
        Err(errno.into())
    }
}
