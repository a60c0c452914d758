// SPDX-License-Identifier: MIT
//! Which function performs which system call.

use linux_raw_sys::general::{
    AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, CLONE_VFORK, CLONE_VM, O_CLOEXEC, O_CREAT, O_TRUNC, O_WRONLY, SIGCHLD,
};
use pe_replay::UserRegisters;
use syscalls::Sysno;

use super::Linux;
use super::errno::{EFAULT, EINVAL, ENOSYS, EPERM, EXDEV, Failure, Reply};
use super::fork_calls::Wanted as WantedThread;
use super::path_calls::PathAt;
use super::signal_calls::{BY_KILL, SIGNAL};
use super::transfer::{Direction, Position, Wanted};
use super::view::View;
use crate::mem::space::Space;

/// A descriptor number in a register: its lower half.
fn fd(register: u64) -> i32 {
    register as i32
}

/// A directory descriptor and a path.
fn at(directory: u64, path: u64) -> PathAt {
    PathAt { directory: fd(directory), path }
}

impl Linux {
    /// Performs a system call.
    pub(super) fn perform(
        &mut self,
        view: &mut View,
        user: &mut UserRegisters,
        call: Sysno,
        arguments: [u64; 6],
    ) -> Reply {
        use Direction::{Read, Write};
        use PathAt as P;
        let [a, b, c, d, e, f] = arguments;
        match call {
            // Data.
            Sysno::read => self.transfer(view, Wanted::here(Read, fd(a)), b, c),
            Sysno::write => self.transfer(view, Wanted::here(Write, fd(a)), b, c),
            Sysno::pread64 => self.transfer(view, Wanted::at(Read, fd(a), d), b, c),
            Sysno::pwrite64 => self.transfer(view, Wanted::at(Write, fd(a), d), b, c),
            Sysno::readv => self.transfer_vector(view, Wanted::here(Read, fd(a)), b, c),
            Sysno::writev => self.transfer_vector(view, Wanted::here(Write, fd(a)), b, c),
            Sysno::preadv => self.transfer_vector(view, Wanted::at(Read, fd(a), d), b, c),
            Sysno::pwritev => self.transfer_vector(view, Wanted::at(Write, fd(a), d), b, c),
            Sysno::preadv2 | Sysno::pwritev2 => {
                let direction = if call == Sysno::preadv2 { Read } else { Write };
                // -1 says that the offset is the description's.
                let position = if d == u64::MAX { Position::Current } else { Position::At(d) };
                let wanted = Wanted { position, flags: f as u32, ..Wanted::here(direction, fd(a)) };
                self.transfer_vector(view, wanted, b, c)
            }
            Sysno::lseek => self.lseek(fd(a), b, c as u32),
            Sysno::ftruncate => self.ftruncate(fd(a), b),
            Sysno::truncate => self.truncate(view.space, a, b),
            // Programs fall back to reading and writing.
            Sysno::sendfile | Sysno::splice => Err(EINVAL.into()),
            Sysno::copy_file_range => Err(EXDEV.into()),
            Sysno::fsync | Sysno::fdatasync => self.fsync(fd(a)),
            Sysno::fadvise64 => self.fadvise(fd(a), c, d as u32),
            Sysno::flock => self.flock(view.scheduler, fd(a), b as u32),
            Sysno::syncfs => self.files[self.process.files].get(fd(a)).map(|_| Ok(0))?,
            Sysno::sync => Ok(0),

            // Descriptors.
            Sysno::pipe => self.pipe(view.space, a, 0),
            Sysno::pipe2 => self.pipe(view.space, a, b as u32),
            Sysno::memfd_create => self.memfd_create(view.space, a, b as u32),
            Sysno::close => self.close(view.scheduler, fd(a)),
            Sysno::close_range => self.close_range(view.scheduler, a as u32, b as u32, c as u32),
            Sysno::dup => Ok(self.files[self.process.files].duplicate(fd(a), 0, false)? as u64),
            Sysno::dup2 if fd(a) == fd(b) => {
                self.files[self.process.files].get(fd(a)).map(|_| Ok(fd(b) as u64))?
            }
            Sysno::dup2 => self.duplicate_to(view.scheduler, fd(a), fd(b), false),
            Sysno::dup3 if fd(a) == fd(b) || c as u32 & !O_CLOEXEC != 0 => Err(EINVAL.into()),
            Sysno::dup3 => self.duplicate_to(view.scheduler, fd(a), fd(b), c as u32 & O_CLOEXEC != 0),
            Sysno::fcntl => self.fcntl(view, fd(a), b as u32, c),
            Sysno::ioctl => self.ioctl(view.space, fd(a), b as u32, c),
            Sysno::poll => self.poll(view.space, a, u64::from(b as u32), Self::poll_timeout(c as i32)),
            Sysno::ppoll => {
                let timeout_ns = self.optional_timespec(view.space, c)?;
                self.masked(view.space, [d, e], |linux, space| {
                    linux.poll(space, a, u64::from(b as u32), timeout_ns)
                })
            }
            Sysno::select => {
                let timeout_ns = self.select_timeout(view.space, e)?;
                self.select(view.space, a as i32, [b, c, d], timeout_ns)
            }
            Sysno::pselect6 => {
                let timeout_ns = self.optional_timespec(view.space, e)?;
                let set = self.set_and_length(view.space, f)?;
                self.masked(view.space, set, |linux, space| {
                    linux.select(space, a as i32, [b, c, d], timeout_ns)
                })
            }

            // Sockets.
            Sysno::socket => self.socket(),
            Sysno::socketpair => self.socketpair(view.space, [a as u32, b as u32, c as u32], d),
            Sysno::sendto => self.sendto(view, fd(a), (b, c), d as u32, (e, f as u32)),
            Sysno::recvfrom => self.recvfrom(view, fd(a), (b, c), d as u32, (e, f)),
            Sysno::sendmsg => self.sendmsg(view, fd(a), b, c as u32),
            Sysno::recvmsg => self.recvmsg(view, fd(a), b, c as u32),
            Sysno::shutdown => self.shutdown(view, fd(a), b as u32),
            Sysno::getsockname | Sysno::getpeername => self.socket_name(view.space, fd(a), b, c),
            Sysno::getsockopt => self.getsockopt(view.space, fd(a), (b as u32, c as u32), (d, e)),
            Sysno::bind
            | Sysno::connect
            | Sysno::listen
            | Sysno::accept
            | Sysno::accept4
            | Sysno::setsockopt => self.refuse_socket_call(call, fd(a)),

            Sysno::eventfd => self.eventfd(a as u32, 0),
            Sysno::eventfd2 => self.eventfd(a as u32, b as u32),
            Sysno::epoll_create => self.epoll_create(a as i32, 0),
            Sysno::epoll_create1 => self.epoll_create(1, a as u32),
            Sysno::epoll_ctl => self.epoll_ctl(view.space, fd(a), b as u32, fd(c), d),
            Sysno::epoll_wait => {
                self.epoll_wait(view.space, fd(a), b, c as i32, Self::poll_timeout(d as i32))
            }
            Sysno::epoll_pwait => self.masked(view.space, [e, f], |linux, space| {
                linux.epoll_wait(space, fd(a), b, c as i32, Self::poll_timeout(d as i32))
            }),
            Sysno::epoll_pwait2 => {
                let timeout_ns = self.optional_timespec(view.space, d)?;
                self.masked(view.space, [e, f], |linux, space| {
                    linux.epoll_wait(space, fd(a), b, c as i32, timeout_ns)
                })
            }

            // Paths.
            Sysno::open => self.open(view.space, P::here(a), b as u32, c as u32),
            Sysno::openat => self.open(view.space, at(a, b), c as u32, d as u32),
            Sysno::creat => self.open(view.space, P::here(a), O_CREAT | O_WRONLY | O_TRUNC, b as u32),
            Sysno::stat => self.stat_path(view.space, P::here(a), b, 0),
            Sysno::lstat => self.stat_path(view.space, P::here(a), b, AT_SYMLINK_NOFOLLOW),
            Sysno::newfstatat => self.stat_path(view.space, at(a, b), c, d as u32),
            Sysno::fstat => {
                let object = self.files[self.process.files].get(fd(a))?.object;
                self.stat(view.space, object, b)
            }
            Sysno::statx => self.statx(view.space, at(a, b), c as u32, d as u32, e),
            Sysno::statfs => {
                let object = self.object(view.space, P::here(a), 0)?;
                self.statfs(view.space, object, b)
            }
            Sysno::fstatfs => {
                let object = self.files[self.process.files].get(fd(a))?.object;
                self.statfs(view.space, object, b)
            }
            Sysno::access => self.access(view.space, P::here(a), b as u32, 0),
            Sysno::faccessat => self.access(view.space, at(a, b), c as u32, 0),
            Sysno::faccessat2 => self.access(view.space, at(a, b), c as u32, d as u32),
            Sysno::mkdir => self.mkdir(view.space, P::here(a), b as u32),
            Sysno::mkdirat => self.mkdir(view.space, at(a, b), c as u32),
            Sysno::unlink => self.unlink(view.space, P::here(a), 0),
            Sysno::rmdir => self.unlink(view.space, P::here(a), AT_REMOVEDIR),
            Sysno::unlinkat => self.unlink(view.space, at(a, b), c as u32),
            Sysno::rename => self.rename(view.space, P::here(a), P::here(b), 0),
            Sysno::renameat => self.rename(view.space, at(a, b), at(c, d), 0),
            Sysno::renameat2 => self.rename(view.space, at(a, b), at(c, d), e as u32),
            Sysno::link => self.link(view.space, P::here(a), P::here(b), 0),
            Sysno::linkat => self.link(view.space, at(a, b), at(c, d), e as u32),
            Sysno::symlink => self.symlink(view.space, a, P::here(b)),
            Sysno::symlinkat => self.symlink(view.space, a, at(b, c)),
            Sysno::readlink => self.readlink(view.space, P::here(a), b, c),
            Sysno::readlinkat => self.readlink(view.space, at(a, b), c, d),
            Sysno::getcwd => self.getcwd(view.space, a, b),
            Sysno::chdir => self.chdir(view.space, a),
            Sysno::fchdir => self.fchdir(fd(a)),
            Sysno::getdents64 => self.getdents64(view.space, fd(a), b, c),
            Sysno::chmod => {
                let object = self.object(view.space, P::here(a), 0)?;
                self.chmod(object, b as u32)
            }
            Sysno::fchmodat => {
                let object = self.object(view.space, at(a, b), 0)?;
                self.chmod(object, c as u32)
            }
            Sysno::fchmod => {
                let object = self.files[self.process.files].get(fd(a))?.object;
                self.chmod(object, b as u32)
            }
            Sysno::chown | Sysno::lchown => {
                let flags = if call == Sysno::lchown { AT_SYMLINK_NOFOLLOW } else { 0 };
                let object = self.object(view.space, P::here(a), flags)?;
                self.chown(object, b as u32, c as u32)
            }
            Sysno::fchownat => {
                let object = self.object(view.space, at(a, b), e as u32)?;
                self.chown(object, c as u32, d as u32)
            }
            Sysno::fchown => {
                let object = self.files[self.process.files].get(fd(a))?.object;
                self.chown(object, b as u32, c as u32)
            }
            Sysno::utimensat => self.utimensat(view.space, at(a, b), c, d as u32),
            Sysno::umask => Ok(u64::from(core::mem::replace(
                &mut self.places[self.process.place].umask,
                a as u32 & 0o777,
            ))),

            // Memory.
            Sysno::mmap => self.mmap(view.space, arguments),
            Sysno::munmap => self.munmap(view.space, a, b),
            Sysno::mprotect => self.mprotect(view.space, a, b, c as u32),
            Sysno::mremap => self.mremap(view.space, arguments),
            Sysno::madvise => self.madvise(view.space, a, b, c as u32),
            Sysno::brk => Ok(self.memories[self.process.memory].set_break(view.space, a)),
            Sysno::mlock => self.mlock(view.space, a, b, 0),
            Sysno::mlock2 => self.mlock(view.space, a, b, c as u32),
            Sysno::mlockall => self.mlockall(view.space, a as u32),
            Sysno::munlock => self.munlock(a, b),
            Sysno::munlockall => Ok(0),
            Sysno::msync => self.msync(a, b, c as u32),

            // Time.
            Sysno::clock_gettime => self.clock_gettime(view.space, a as u32, b),
            Sysno::clock_getres => self.clock_getres(view.space, a as u32, b),
            Sysno::clock_settime | Sysno::settimeofday => Err(EPERM.into()),
            Sysno::gettimeofday => self.gettimeofday(view.space, a, b),
            Sysno::time => self.time(view.space, a),
            Sysno::nanosleep => self.nanosleep(view.space, a),
            Sysno::clock_nanosleep => self.clock_nanosleep(view.space, a as u32, b as u32, c),
            Sysno::times => self.times(view.space, a),
            Sysno::getrusage => self.getrusage(view.space, a as i32, b),
            Sysno::sysinfo => self.sysinfo(view.space, a),

            // Signals.
            Sysno::rt_sigaction => self.rt_sigaction(view.space, a as u32, b, c, d),
            Sysno::rt_sigprocmask => self.rt_sigprocmask(view, a as u32, b, c, d),
            Sysno::rt_sigpending => self.rt_sigpending(view.space, a, b),
            Sysno::rt_sigsuspend => self.rt_sigsuspend(view.space, a, b),
            Sysno::rt_sigtimedwait => self.rt_sigtimedwait(view.space, [a, b, c, d]),
            Sysno::rt_sigreturn => self.rt_sigreturn(view.space, user),
            Sysno::pause => Err(Failure::Wait(SIGNAL)),
            Sysno::sigaltstack => self.sigaltstack(view.space, user, a, b),
            Sysno::kill => self.kill(view.scheduler, a as i32, b as u32, BY_KILL),
            Sysno::tkill => self.tkill(view.scheduler, None, a as i32, b as u32),
            Sysno::tgkill => self.tkill(view.scheduler, Some(a as i32), b as i32, c as u32),
            Sysno::alarm => self.alarm(a as u32),
            Sysno::getitimer => self.getitimer(view.space, a as u32, b),
            Sysno::setitimer => self.setitimer(view.space, a as u32, b, c),
            Sysno::timer_create => self.timer_create(view.space, a as u32, b, c),
            Sysno::timer_settime => self.timer_settime(view.space, a, b as u32, c, d),
            Sysno::timer_gettime => self.timer_gettime(view.space, a, b),
            Sysno::timer_getoverrun => self.timer_getoverrun(a),
            Sysno::timer_delete => self.timer_delete(a),
            Sysno::timerfd_create => self.timerfd_create(a as u32, b as u32),
            Sysno::timerfd_settime => self.timerfd_settime(view.space, fd(a), b as u32, c, d),
            Sysno::timerfd_gettime => self.timerfd_gettime(view.space, fd(a), b),

            // The process.
            Sysno::exit => self.exit(a),
            Sysno::exit_group => self.exit_group(a),
            Sysno::getpid => Ok(self.process.id()),
            Sysno::gettid => Ok(self.thread.id),
            Sysno::set_tid_address => {
                self.thread.clear_at_end = a;
                Ok(self.thread.id)
            }
            Sysno::getppid => Ok(self.process.identity.parent),
            Sysno::getpgrp => Ok(self.process.identity.group),
            Sysno::getpgid => Ok(self.identity_of(a as i32)?.group),
            Sysno::getsid => Ok(self.identity_of(a as i32)?.session),
            Sysno::setpgid => self.setpgid(a as i32, b as i32),
            Sysno::setsid => self.setsid(),
            Sysno::getuid | Sysno::geteuid | Sysno::getgid | Sysno::getegid => Ok(0),
            Sysno::getgroups => Self::getgroups(a as i32),
            // What was before is told, and nothing changes.
            Sysno::setfsuid | Sysno::setfsgid => Ok(0),
            Sysno::getresuid | Sysno::getresgid => self.write_zero_words(view.space, [a, b, c]),
            // Nobody can be anybody but root.
            Sysno::setuid | Sysno::setgid if a as u32 == 0 => Ok(0),
            Sysno::setuid | Sysno::setgid => Err(EPERM.into()),
            Sysno::arch_prctl => self.arch_prctl(view.space, user, a as u32, b),
            Sysno::prctl => self.prctl(view.space, a as u32, b, [c, d, e]),
            Sysno::set_robust_list => self.set_robust_list(a, b),
            Sysno::get_robust_list => self.get_robust_list(view.space, a as i32, b, c),
            Sysno::futex => self.futex(view, [a, b, c, d, e, f]),
            Sysno::prlimit64 => self.prlimit(view.space, a, b as u32, c, d),
            // To prlimit64 null says that nothing is wanted; to these two it is a bad pointer.
            Sysno::getrlimit | Sysno::setrlimit if b == 0 => Err(EFAULT.into()),
            Sysno::getrlimit => self.prlimit(view.space, 0, a as u32, 0, b),
            Sysno::setrlimit => self.prlimit(view.space, 0, a as u32, b, 0),
            Sysno::getrandom => self.getrandom(view.space, a, b, c as u32),
            Sysno::uname => self.uname(view.space, a),
            Sysno::personality => self.personality(a as u32),
            Sysno::wait4 => self.wait4(view.space, a as i32, b, c as u32, d),
            Sysno::waitid => self.waitid(view.space, a as u32, b as i32, c, d as u32, e),
            Sysno::fork => self.clone(view.space, user, WantedThread::of_clone([SIGCHLD.into(), 0, 0, 0, 0])),
            Sysno::vfork => {
                let flags = u64::from(SIGCHLD | CLONE_VM | CLONE_VFORK);
                self.clone(view.space, user, WantedThread::of_clone([flags, 0, 0, 0, 0]))
            }
            Sysno::clone => self.clone(view.space, user, WantedThread::of_clone([a, b, c, d, e])),
            Sysno::clone3 => self.clone3(view.space, user, a, b),
            Sysno::execve => self.execve(view, user, P::here(a), b, c),
            Sysno::sched_yield => {
                self.yields = true;
                Ok(0)
            }
            Sysno::sched_setscheduler => self.sched_setscheduler(view.space, a as i32, b as u32, c),
            Sysno::sched_getscheduler => self.sched_getscheduler(a as i32),
            Sysno::sched_setparam => self.sched_setparam(view.space, a as i32, b),
            Sysno::sched_getparam => self.sched_getparam(view.space, a as i32, b),
            Sysno::sched_get_priority_max => Self::sched_priority(a as u32, 99),
            Sysno::sched_get_priority_min => Self::sched_priority(a as u32, 1),
            Sysno::sched_getaffinity => self.sched_getaffinity(view.space, a as i32, b as u32, c),
            Sysno::sched_setaffinity => self.sched_setaffinity(view.space, a as i32, b as u32, c),
            Sysno::membarrier => self.membarrier(a as u32, b as u32),
            Sysno::getcpu => self.getcpu(view.space, a, b),
            Sysno::getpriority => self.getpriority(a as u32, b as i32),
            Sysno::setpriority => self.setpriority(a as u32, b as i32, c as i32),
            // Restartable sequences: the C library goes on without (decision 0020).
            Sysno::rseq => Err(ENOSYS.into()),
            _ => Err(self.unknown(call.id() as u32, call.name())),
        }
    }

    fn stat_path(&mut self, space: &mut Space, at: PathAt, buffer: u64, flags: u32) -> Reply {
        let object = self.object(space, at, flags)?;
        self.stat(space, object, buffer)
    }
}
