// SPDX-License-Identifier: MIT
//! What a program finds when it starts: its files, its devices, its descriptors.

use alloc::vec::Vec;

use linux_raw_sys::general::{O_RDONLY, O_WRONLY, S_IFDIR, S_IFLNK, S_IFMT};
use wire::config::entry;

use super::Linux;
use super::content::Content;
use super::descriptor::{Description, Object};
use super::errno::{EEXIST, Errno};
use super::fs::{Device, Follow, Fs, InodeId, Node};
use super::proc::Fixed;
use crate::mem::fallible;
use crate::object::archive::Archive;

const DEVICES: [(&str, Device); 8] = [
    ("/dev/null", Device::Null),
    ("/dev/zero", Device::Zero),
    ("/dev/full", Device::Full),
    ("/dev/random", Device::Random),
    ("/dev/urandom", Device::Random),
    ("/dev/stdin", Device::Descriptor(0)),
    ("/dev/stdout", Device::Descriptor(1)),
    ("/dev/stderr", Device::Descriptor(2)),
];

/// The absolute path under which a program of this name is found.
fn program_path(name: &[u8]) -> Result<Vec<u8>, Errno> {
    let name = name.strip_prefix(b"./").unwrap_or(name);
    let mut path = Vec::new();
    if !name.starts_with(b"/") {
        fallible::extend(&mut path, b"/")?;
    }
    fallible::extend(&mut path, name)?;
    Ok(path)
}

impl Linux {
    /// Fills the file system: the archive's files first, then what is missing. All files
    /// are as old as the program.
    pub(super) fn populate(&mut self, archive: &Archive<'static>, program: &[u8]) -> Result<(), Errno> {
        let start_ns = self.clock.start_ns();
        for file in archive.files() {
            let node = match file.mode & S_IFMT {
                S_IFDIR => Fs::new_directory(),
                S_IFLNK => Node::Link(fallible::copy(file.bytes)?),
                _ => Node::File(Content::borrowed(file.bytes)?),
            };
            let path = file.path.trim_end_matches('/').as_bytes();
            self.install(path, node, file.mode, start_ns)?;
        }
        self.install(b"/tmp", Fs::new_directory(), 0o1777, start_ns)?;
        for (path, device) in DEVICES {
            self.install(path.as_bytes(), Node::Device(device), 0o666, start_ns)?;
        }
        let path = program_path(program)?;
        if let Some(bytes) = archive.find(entry::PROGRAM)
            && path != b"/"
        {
            self.install(&path, Node::File(Content::borrowed(bytes)?), 0o755, start_ns)?;
            let place = self.fs.locate_stored(InodeId::ROOT, &path, Follow::Yes).ok();
            if let Some(file) = place.and_then(|place| place.target) {
                self.fs.hold(file)?;
                self.process.executable = Some(file);
            }
        }
        for root in [Fixed::Proc, Fixed::Sys] {
            self.mount(root)?;
        }
        // Everything is in memory here: what programs share may lie where all else does.
        self.install(b"/dev/shm", Node::Link(fallible::copy(b"/tmp")?), 0o777, start_ns)
    }

    /// Has the files begin that are not stored. What the archive has there is hidden.
    fn mount(&mut self, root: Fixed) -> Result<(), Errno> {
        let path = root.name().as_bytes();
        self.install(path, Fs::new_directory(), 0o755, self.clock.start_ns())?;
        let place = self.fs.locate_stored(InodeId::ROOT, path, Follow::Yes);
        match place.ok().and_then(|place| place.target) {
            Some(directory) if self.fs.directory(directory).is_ok() => self.fs.mount(directory, root)?,
            Some(_) | None => defmt::warn!("{=str} is no directory: its files are not there", root.name()),
        }
        Ok(())
    }

    /// Makes a file; what is there already stays, and paths that cannot be are left out.
    fn install(&mut self, path: &[u8], node: Node, mode: u32, start_ns: u64) -> Result<(), Errno> {
        let created = self.fs.create_parents(path, start_ns).and_then(|()| {
            let place = self.fs.locate_stored(InodeId::ROOT, path, Follow::No)?;
            self.fs.create(&place, node, mode, start_ns)
        });
        match created {
            Ok(_) | Err(EEXIST) => Ok(()),
            Err(errno @ (super::errno::ENOMEM | super::errno::ENOSPC)) => Err(errno),
            Err(_) => {
                let path = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
                defmt::warn!("the file {=str} cannot be there: its path is not one", path);
                Ok(())
            }
        }
    }

    /// Opens the standard descriptors: a file for input, the channel for output.
    pub(super) fn open_standard(&mut self, archive: &Archive<'static>) -> Result<(), Errno> {
        let input = Content::borrowed(archive.find(entry::STDIN).unwrap_or(&[]))?;
        let start_ns = self.clock.start_ns();
        let input = self.fs.create_nameless(Node::File(input), 0o600, start_ns)?;
        let standard =
            [(Object::Inode(input), O_RDONLY), (Object::Output(1), O_WRONLY), (Object::Output(2), O_WRONLY)];
        for (object, flags) in standard {
            self.files[self.process.files].open(Description { object, offset: 0, flags }, false)?;
        }
        Ok(())
    }
}
