// SPDX-License-Identifier: MIT
//! How a system call ends other than with a value.

use super::Next;
use super::signal::frame::BadFrame;
use crate::mem::fallible::Exhausted;
use crate::object::queue::Key;

/// An error number of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(u32);

impl Errno {
    /// Its number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// What RAX holds for this error.
    pub fn in_rax(self) -> u64 {
        u64::from(self.0).wrapping_neg()
    }
}

macro_rules! errnos {
    ($($name:ident)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`")]
            pub const $name: Errno = Errno(linux_raw_sys::errno::$name);
        )*
    };
}

errnos! {
    E2BIG EACCES EAFNOSUPPORT EAGAIN EBADF ECHILD ECONNRESET EDEADLK EEXIST EFAULT EFBIG EINTR EINVAL EIO EISCONN EISDIR ELOOP EMFILE EMSGSIZE ENAMETOOLONG ENFILE
    ENODEV ENOLCK ENOENT ENOEXEC ENOMEM ENOPROTOOPT ENOSPC ENOSYS ENOTDIR ENOTEMPTY ENOTSOCK ENOTTY ENXIO EOPNOTSUPP EOVERFLOW EPERM ERANGE ESPIPE
    EPIPE EPROTONOSUPPORT EROFS ESOCKTNOSUPPORT ESRCH ESTALE ETIMEDOUT EXDEV
}

impl From<Exhausted> for Errno {
    fn from(_: Exhausted) -> Self {
        ENOMEM
    }
}

/// Why a system call has no value to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The program is told.
    Errno(Errno),
    /// The program waits: the call is performed again when others have woken it.
    Wait(Key),
    /// The program does not go on.
    End(Next),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Exhausted> for Failure {
    fn from(exhausted: Exhausted) -> Self {
        Self::Errno(exhausted.into())
    }
}

impl From<BadFrame> for Failure {
    fn from(BadFrame: BadFrame) -> Self {
        Self::Errno(EFAULT)
    }
}

/// What a system call comes to.
pub type Reply = Result<u64, Failure>;
