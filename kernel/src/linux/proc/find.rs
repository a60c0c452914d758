// SPDX-License-Identifier: MIT
//! From names to entries: which processes, threads and descriptors there are.

use super::super::Linux;
use super::super::descriptor::Description;
use super::super::errno::{ENOENT, ENOTDIR, ESRCH, Errno};
use super::super::fs::{Beyond, InodeId};
use super::super::process::Process;
use super::super::thread::Thread;
use super::{Entry, Fixed, Kind, Scope, Target, What};

/// The number that a name is: digits, without needless zeros.
fn number(name: &[u8]) -> Option<u64> {
    if name.is_empty() || name.len() > 1 && name[0] == b'0' || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(name).ok()?.parse().ok()
}

impl Linux {
    /// The process that entries of this scope and number are about.
    pub(in super::super) fn process_of(&self, scope: Scope, id: u64) -> Result<&Process, Errno> {
        let id = match scope {
            Scope::Process => id,
            Scope::Thread => self.thread_of(scope, id)?.process,
        };
        self.processes().find(|process| process.id() == id).ok_or(ESRCH)
    }

    /// The thread that entries of this scope and number are about: of a process whose first
    /// thread has ended, the one made first of those that are left.
    pub(super) fn thread_of(&self, scope: Scope, id: u64) -> Result<&Thread, Errno> {
        let found = match scope {
            Scope::Thread => self.all_threads().find(|thread| thread.id == id),
            Scope::Process => {
                self.all_threads().filter(|thread| thread.process == id).min_by_key(|thread| thread.id)
            }
        };
        found.ok_or(ESRCH)
    }

    /// What one of the descriptors leads to that a link is about.
    pub(in super::super) fn description_of(
        &self,
        scope: Scope,
        id: u64,
        descriptor: u32,
    ) -> Result<Description, Errno> {
        let process = self.process_of(scope, id)?;
        self.files[process.files].get(descriptor as i32).map_err(|_| ENOENT)
    }

    /// Whether this is known of a process: its strings lie in its memory, which can be read if
    /// that is the current process's, too.
    pub(super) fn is_known(&self, process: &Process, scope: Scope, what: What) -> bool {
        match what {
            What::Directory => false,
            What::Cmdline | What::Environ => process.memory == self.process.memory,
            What::Tasks => scope == Scope::Process,
            What::Auxv
            | What::Comm
            | What::Cwd
            | What::Descriptors
            | What::Exe
            | What::Limits
            | What::Maps
            | What::Mounts
            | What::Root
            | What::Stat
            | What::Statm
            | What::Status => true,
        }
    }
}

impl Beyond for Linux {
    fn find(&self, directory: Entry, name: &[u8]) -> Result<Entry, Errno> {
        match directory {
            Entry::Fixed(fixed) => {
                if let Some(child) = fixed.children().find(|child| child.described().0.as_bytes() == name) {
                    return Ok(Entry::Fixed(child));
                }
                let id = number(name).filter(|_| fixed == Fixed::Proc).ok_or(ENOENT)?;
                self.process_of(Scope::Process, id).map_err(|_| ENOENT)?;
                Ok(Entry::Of(Scope::Process, id, What::Directory))
            }
            Entry::Of(scope, id, What::Directory) => {
                let process = self.process_of(scope, id).map_err(|_| ENOENT)?;
                let mut known = What::ALL.iter().filter(|what| self.is_known(process, scope, **what));
                let what = known.find(|what| what.described().0.as_bytes() == name).ok_or(ENOENT)?;
                Ok(Entry::Of(scope, id, *what))
            }
            Entry::Of(Scope::Process, id, What::Tasks) => {
                let thread = number(name).ok_or(ENOENT)?;
                let found = self.thread_of(Scope::Thread, thread).map_err(|_| ENOENT)?;
                if found.process == id {
                    Ok(Entry::Of(Scope::Thread, thread, What::Directory))
                } else {
                    Err(ENOENT)
                }
            }
            Entry::Of(scope, id, What::Descriptors) => {
                let descriptor = number(name).and_then(|number| u32::try_from(number).ok()).ok_or(ENOENT)?;
                self.description_of(scope, id, descriptor).map_err(|_| ENOENT)?;
                Ok(Entry::Descriptor(scope, id, descriptor))
            }
            Entry::Of(..) | Entry::Descriptor(..) => Err(ENOTDIR),
        }
    }

    fn parent(&self, directory: Entry) -> Result<InodeId, Errno> {
        Ok(InodeId::of(match directory {
            // Both begin in the root.
            Entry::Fixed(fixed) if fixed.parent() == fixed => return Ok(InodeId::ROOT),
            Entry::Fixed(fixed) => Entry::Fixed(fixed.parent()),
            Entry::Of(Scope::Process, _, What::Directory) => Entry::Fixed(Fixed::Proc),
            Entry::Of(Scope::Thread, id, What::Directory) => {
                let process = self.thread_of(Scope::Thread, id).map_err(|_| ENOENT)?.process;
                Entry::Of(Scope::Process, process, What::Tasks)
            }
            Entry::Of(scope, id, _) => Entry::Of(scope, id, What::Directory),
            Entry::Descriptor(scope, id, _) => Entry::Of(scope, id, What::Descriptors),
        }))
    }

    fn target(&self, link: Entry) -> Result<Target, Errno> {
        if link.kind() == Kind::Link { self.link_target(link) } else { Err(ENOENT) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_numbers() {
        assert_eq!(number(b"1000"), Some(1000));
        assert_eq!(number(b"0"), Some(0));
        for name in ["", "00", "01", "+1", "-1", "1x", "99999999999999999999999"] {
            assert_eq!(number(name.as_bytes()), None, "{name}");
        }
    }
}
