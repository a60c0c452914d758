// SPDX-License-Identifier: MIT
//! What is in a directory that is not stored.

use alloc::vec::Vec;

use super::super::Linux;
use super::super::errno::{ENOENT, ENOTDIR, Errno};
use super::text::Text;
use super::{Entry, Fixed, Scope, What};
use crate::mem::fallible;

/// The first serial of an entry: those below stand for `.` and `..`.
const FIRST_SERIAL: u64 = 3;
/// The first serial of an entry that is called by its number.
const NUMBERED: u64 = 256;

/// An entry of a directory.
#[derive(Clone, Copy)]
pub struct Listed {
    /// Its place in the order of the list.
    pub serial: u64,
    /// What it is.
    pub entry: Entry,
}

impl Linux {
    /// The entries of a directory, in ascending order of their serials.
    pub(in super::super) fn listed(&self, directory: Entry) -> Result<Vec<Listed>, Errno> {
        let mut list = Vec::new();
        match directory {
            Entry::Fixed(fixed) => {
                for (serial, child) in (FIRST_SERIAL..).zip(fixed.children()) {
                    fallible::push(&mut list, Listed { serial, entry: Entry::Fixed(child) })?;
                }
                if fixed == Fixed::Proc {
                    for process in self.processes() {
                        let entry = Entry::Of(Scope::Process, process.id(), What::Directory);
                        fallible::push(&mut list, Listed { serial: NUMBERED + process.id(), entry })?;
                    }
                }
            }
            Entry::Of(scope, id, What::Directory) => {
                let process = self.process_of(scope, id).map_err(|_| ENOENT)?;
                let known = What::ALL.iter().filter(|what| self.is_known(process, scope, **what));
                for (serial, what) in (FIRST_SERIAL..).zip(known) {
                    fallible::push(&mut list, Listed { serial, entry: Entry::Of(scope, id, *what) })?;
                }
            }
            Entry::Of(Scope::Process, id, What::Tasks) => {
                self.process_of(Scope::Process, id).map_err(|_| ENOENT)?;
                for thread in self.all_threads().filter(|thread| thread.process == id) {
                    let entry = Entry::Of(Scope::Thread, thread.id, What::Directory);
                    fallible::push(&mut list, Listed { serial: NUMBERED + thread.id, entry })?;
                }
            }
            Entry::Of(scope, id, What::Descriptors) => {
                let process = self.process_of(scope, id).map_err(|_| ENOENT)?;
                for descriptor in self.files[process.files].numbers() {
                    let entry = Entry::Descriptor(scope, id, descriptor);
                    fallible::push(&mut list, Listed { serial: NUMBERED + u64::from(descriptor), entry })?;
                }
            }
            Entry::Of(..) | Entry::Descriptor(..) => return Err(ENOTDIR),
        }
        list.sort_unstable_by_key(|listed| listed.serial);
        Ok(list)
    }

    /// What an entry is called in its directory.
    pub(in super::super) fn listed_name(entry: Entry) -> Result<Vec<u8>, Errno> {
        let mut text = Text::new();
        match entry {
            Entry::Fixed(fixed) => text.str(fixed.described().0),
            Entry::Of(_, id, What::Directory) => text.number(id),
            Entry::Of(_, _, what) => text.str(what.described().0),
            Entry::Descriptor(_, _, descriptor) => text.number(descriptor.into()),
        };
        Ok(text.finish()?)
    }
}
