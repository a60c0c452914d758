// SPDX-License-Identifier: MIT
//! System calls: the raw one, and the few that every program needs.

use core::arch::asm;

/// Numbers of the calls that the runtime makes itself.
mod number {
    pub const WRITE: u64 = 1;
    pub const EXIT_GROUP: u64 = 231;
}

/// Error numbers, as a call returns them: negative.
pub mod errno {
    /// Operation not permitted.
    pub const EPERM: i64 = -1;
    /// No such file or directory.
    pub const ENOENT: i64 = -2;
    /// Bad file descriptor.
    pub const EBADF: i64 = -9;
    /// Out of memory.
    pub const ENOMEM: i64 = -12;
    /// Bad address.
    pub const EFAULT: i64 = -14;
    /// File exists.
    pub const EEXIST: i64 = -17;
    /// Not a directory.
    pub const ENOTDIR: i64 = -20;
    /// Invalid argument.
    pub const EINVAL: i64 = -22;
    /// Not a terminal.
    pub const ENOTTY: i64 = -25;
    /// No such system call.
    pub const ENOSYS: i64 = -38;
}

/// Makes a system call and returns what the kernel returned.
///
/// # Safety
/// The call must not change memory that the program still relies on.
#[must_use]
pub unsafe fn call(number: u64, arguments: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    let result;
    // SAFETY: SYSCALL changes RAX, RCX, R11 and what the call itself writes, for which the caller answers.
    unsafe {
        asm!("syscall", inlateout("rax") number as i64 => result, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

/// Writes all of `bytes` to a descriptor, as far as the kernel takes them.
pub fn write(descriptor: u64, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let arguments = [descriptor, bytes.as_ptr() as u64, bytes.len() as u64, 0, 0, 0];
        // SAFETY: write(2) reads the slice and changes nothing here.
        let written = unsafe { call(number::WRITE, arguments) };
        match usize::try_from(written) {
            Ok(1..) => bytes = &bytes[written as usize..],
            Ok(0) | Err(_) => return,
        }
    }
}

/// Ends the program.
pub fn exit(status: i32) -> ! {
    loop {
        // SAFETY: exit_group(2) does not return; should it, the program tries again.
        let _ = unsafe { call(number::EXIT_GROUP, [status as u64, 0, 0, 0, 0, 0]) };
    }
}
