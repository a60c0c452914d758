// SPDX-License-Identifier: MIT
//! System calls that change what memory there is: the `mmap` family.

use linux_raw_sys::general::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_HUGETLB, MAP_NORESERVE, MAP_PRIVATE, MAP_SHARED,
    MAP_SHARED_VALIDATE, MAP_TYPE, MREMAP_FIXED, MREMAP_MAYMOVE, O_ACCMODE, O_RDWR, PROT_EXEC,
    PROT_GROWSDOWN, PROT_READ, PROT_WRITE,
};

use super::area::{Area, Kind, MAX_AREAS};
use super::descriptor;
use super::errno::{EACCES, EEXIST, EFAULT, EINVAL, ENODEV, ENOMEM, EPERM, Errno, Failure, Reply};
use super::fs::{Device, InodeId, Node};
use super::memory::{MMAP_MIN, MMAP_TOP, page_down, page_up};
use super::pages::{Object, Pages};
use super::{Linux, Next, SIGKILL};
use crate::mem::space::{Access, OutOfFrames, PAGE_LEN, Space, USER_END};

/// What to map.
#[derive(Clone, Copy)]
enum Source {
    /// Zeros of one's own.
    Zeros,
    /// A copy of a file's content from `offset` on.
    Copy { id: InodeId, offset: u64 },
    /// Zeros to share.
    SharedZeros,
    /// A file's content itself.
    Shared { id: InodeId, offset: u64, may_write: bool },
}

/// The permissions that `prot` asks for. As on the processor, what can be
/// written or executed can be read.
fn access_of(prot: u32) -> Access {
    Access {
        read: prot & (PROT_READ | PROT_WRITE | PROT_EXEC) != 0,
        write: prot & PROT_WRITE != 0,
        execute: prot & PROT_EXEC != 0,
    }
}

/// The whole pages from `address` on, or `None` if that is not a range in user space.
pub fn page_range(address: u64, length: u64) -> Option<(u64, u64)> {
    let end = address.checked_add(page_up(length)?)?;
    (address.is_multiple_of(PAGE_LEN) && end <= USER_END).then_some((address, end))
}

impl Linux {
    /// `mmap`.
    pub(super) fn mmap(&mut self, space: &mut Space, arguments: [u64; 6]) -> Reply {
        let [hint, length, prot, flags, fd, offset] = arguments;
        let (prot, flags) = (prot as u32, flags as u32);
        if length == 0 || !offset.is_multiple_of(PAGE_LEN) {
            return Err(EINVAL.into());
        }
        let length = page_up(length).ok_or(ENOMEM)?;
        offset.checked_add(length).ok_or(ENOMEM)?;
        if flags & MAP_HUGETLB != 0 {
            return Err(ENOMEM.into());
        }
        let source = self.map_source(prot, flags, fd as i32, offset)?;
        let access = access_of(prot);
        if access.write
            && flags & MAP_NORESERVE == 0
            && self.memories[self.process.memory].exceeds_commit(length)
        {
            return Err(ENOMEM.into());
        }
        let start = self.place(hint, length, flags)?;
        self.map_at(space, start, start + length, access, source).inspect_err(|_| {
            // Part of it may be there; what it replaced is gone, as on Linux.
            let _ = self.memories[self.process.memory].unmap(space, start, start + length);
        })?;
        Ok(start)
    }

    /// Checks the file behind a mapping.
    fn map_source(&self, prot: u32, flags: u32, fd: i32, offset: u64) -> Result<Source, Errno> {
        let is_shared = match flags & MAP_TYPE {
            MAP_PRIVATE => false,
            MAP_SHARED | MAP_SHARED_VALIDATE => true,
            _ => return Err(EINVAL),
        };
        let zeros = if is_shared { Source::SharedZeros } else { Source::Zeros };
        if flags & MAP_ANONYMOUS != 0 {
            return Ok(zeros);
        }
        let description = self.files[self.process.files].get(fd)?;
        description.check_readable().map_err(|_| EACCES)?;
        let descriptor::Object::Inode(id) = description.object else { return Err(ENODEV) };
        match &self.fs.inode(id)?.node {
            Node::Device(Device::Zero) => return Ok(zeros),
            Node::File(_) => {}
            Node::Directory(_) | Node::Link(_) | Node::Device(_) => return Err(ENODEV),
        }
        let may_write = description.flags & O_ACCMODE == O_RDWR;
        match is_shared {
            true if prot & PROT_WRITE != 0 && !may_write => Err(EACCES),
            true => Ok(Source::Shared { id, offset, may_write }),
            false => Ok(Source::Copy { id, offset }),
        }
    }

    /// A number for a new object.
    fn object_id(&mut self) -> u64 {
        self.objects += 1;
        self.objects
    }

    /// Where a mapping goes.
    fn place(&self, hint: u64, length: u64, flags: u32) -> Result<u64, Errno> {
        let areas = self.memories[self.process.memory].areas();
        let end = hint.checked_add(length).filter(|end| *end <= USER_END);
        if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0 {
            if !hint.is_multiple_of(PAGE_LEN) {
                return Err(EINVAL);
            }
            let end = end.ok_or(ENOMEM)?;
            if hint < MMAP_MIN {
                return Err(EPERM);
            }
            if flags & MAP_FIXED_NOREPLACE != 0 && !areas.is_free(hint, end) {
                return Err(EEXIST);
            }
            return Ok(hint);
        }
        let wanted = page_down(hint);
        if wanted >= MMAP_MIN && end.is_some() && areas.is_free(wanted, wanted + length) {
            return Ok(wanted);
        }
        areas.gap(MMAP_MIN, MMAP_TOP, length).ok_or(ENOMEM)
    }

    fn map_at(
        &mut self,
        space: &mut Space,
        start: u64,
        end: u64,
        access: Access,
        source: Source,
    ) -> Result<(), Errno> {
        match source {
            Source::Zeros => {
                let kind = Kind::Private;
                Ok(self.memories[self.process.memory].map(space, Area { start, end, access, kind })?)
            }
            Source::SharedZeros => {
                let object = Pages::new(self.object_id(), end - start)?;
                self.map_object(space, &object, (start, end), access, 0, true)
            }
            Source::Shared { id, offset, may_write } => {
                let number = self.object_id();
                let object = self.fs.share(id, number)?;
                self.map_object(space, &object, (start, end), access, offset, may_write)
            }
            Source::Copy { id, offset } => {
                let kind = Kind::File;
                let left = self.fs.content(id)?.length().saturating_sub(offset);
                let filled_end = page_up(left).map_or(end, |left| end.min(start.saturating_add(left)));
                if filled_end < end {
                    let area = Area { start: filled_end, end, access, kind: Kind::PastEnd };
                    self.memories[self.process.memory].map(space, area)?;
                }
                if start < filled_end {
                    self.memories[self.process.memory]
                        .map(space, Area { start, end: filled_end, access, kind })?;
                }
                self.copy_file(space, id, offset, start, filled_end)
            }
        }
    }

    /// Maps pages of an object from `offset` on.
    fn map_object(
        &mut self,
        space: &mut Space,
        object: &Object,
        (start, end): (u64, u64),
        access: Access,
        offset: u64,
        may_write: bool,
    ) -> Result<(), Errno> {
        let delta = offset.wrapping_sub(start);
        let kind = Kind::Shared { object: object.borrow().id(), delta, may_write };
        Ok(self.memories[self.process.memory].map_shared(space, Area { start, end, access, kind }, object)?)
    }

    fn copy_file(
        &mut self,
        space: &mut Space,
        id: InodeId,
        offset: u64,
        start: u64,
        end: u64,
    ) -> Result<(), Errno> {
        let content = self.fs.content(id)?;
        if let Some(bytes) = content.lasting() {
            let length = usize::try_from(end - start).unwrap_or(usize::MAX);
            let bytes =
                usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
            let bytes = &bytes[..bytes.len().min(length)];
            let memory = &mut self.memories[self.process.memory];
            return memory.fill_lasting(space, start, bytes).map_err(|OutOfFrames| ENOMEM);
        }
        let mut at = start;
        while at < end {
            let mut buffer = [0; 256];
            let part = content.at(offset + (at - start), end - at, &mut buffer);
            if part.is_empty() {
                break;
            }
            self.memories[self.process.memory].fill(space, at, part).map_err(|OutOfFrames| ENOMEM)?;
            at += part.len() as u64;
        }
        Ok(())
    }

    /// `munmap`.
    pub(super) fn munmap(&mut self, space: &mut Space, address: u64, length: u64) -> Reply {
        let (start, end) = page_range(address, length).filter(|(start, end)| start < end).ok_or(EINVAL)?;
        self.memories[self.process.memory].unmap(space, start, end)?;
        Ok(0)
    }

    /// `mprotect`.
    pub(super) fn mprotect(&mut self, space: &mut Space, address: u64, length: u64, prot: u32) -> Reply {
        if prot & !(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN) != 0
            || !address.is_multiple_of(PAGE_LEN)
        {
            return Err(EINVAL.into());
        }
        if length == 0 {
            return Ok(0);
        }
        let (mut start, end) = page_range(address, length).ok_or(ENOMEM)?;
        if prot & PROT_GROWSDOWN != 0 {
            let area = self.memories[self.process.memory]
                .areas()
                .find(start)
                .filter(|area| area.kind == Kind::Stack);
            start = area.ok_or(EINVAL)?.start;
        }
        let hole = self.memories[self.process.memory].areas().first_hole(start, end);
        let reached = hole.unwrap_or(end);
        let access = access_of(prot);
        if access.write {
            let read_only = |area: Area| matches!(area.kind, Kind::Shared { may_write: false, .. });
            if self.memories[self.process.memory].areas().between(start, reached).any(read_only) {
                return Err(EACCES.into());
            }
        }
        // What lies in front of a hole is changed nevertheless, as on Linux.
        self.memories[self.process.memory].protect(space, start, reached, access)?;
        if hole.is_some() { Err(ENOMEM.into()) } else { Ok(0) }
    }

    /// `mremap`.
    pub(super) fn mremap(&mut self, space: &mut Space, arguments: [u64; 6]) -> Reply {
        let [address, old_length, new_length, flags, target, _] = arguments;
        let flags = flags as u32;
        let is_fixed = flags & MREMAP_FIXED != 0;
        let may_move = flags & MREMAP_MAYMOVE != 0;
        if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED) != 0 || is_fixed && !may_move {
            return Err(EINVAL.into());
        }
        let (start, old_end) = page_range(address, old_length).ok_or(EINVAL)?;
        let new_length = page_up(new_length).filter(|length| *length > 0).ok_or(EINVAL)?;
        let old_length = old_end - start;
        let area = self.memories[self.process.memory].areas().find(start).ok_or(EFAULT)?;
        let is_shared = matches!(area.kind, Kind::Shared { .. });
        // Without a length, shared pages are mapped once more.
        if old_length == 0 && !(is_shared && may_move) {
            return Err(EINVAL.into());
        }
        if area.end < old_end {
            return Err(EFAULT.into());
        }
        if new_length > old_length
            && area.access.write
            && self.memories[self.process.memory].exceeds_commit(new_length - old_length)
        {
            return Err(ENOMEM.into());
        }
        if is_fixed {
            let (target, target_end) = page_range(target, new_length).ok_or(EINVAL)?;
            if target < MMAP_MIN {
                return Err(EPERM.into());
            }
            if target < old_end && start < target_end {
                return Err(EINVAL.into());
            }
            self.memories[self.process.memory].unmap(space, target, target_end)?;
            // What was to be mapped once more may have been there, and then there is nothing.
            let area = self.memories[self.process.memory].areas().find(start).ok_or(EFAULT)?;
            return self.move_area(space, area, (start, old_length), (target, new_length));
        }
        if old_length > 0 && new_length <= old_length {
            self.memories[self.process.memory].unmap(space, start + new_length, old_end)?;
            return Ok(start);
        }
        let grows_to = start.checked_add(new_length).filter(|end| *end <= MMAP_TOP);
        if let Some(new_end) = grows_to
            && old_length > 0
            && area.end == old_end
            && self.memories[self.process.memory].areas().is_free(old_end, new_end)
        {
            let kind = self.growth_kind(area);
            self.memories[self.process.memory]
                .map(space, Area { start: old_end, end: new_end, access: area.access, kind })?;
            self.memories[self.process.memory].on_fork.grow(old_end - 1, new_end)?;
            return Ok(start);
        }
        if !may_move {
            return Err(ENOMEM.into());
        }
        let target =
            self.memories[self.process.memory].areas().gap(MMAP_MIN, MMAP_TOP, new_length).ok_or(ENOMEM)?;
        self.move_area(space, area, (start, old_length), (target, new_length))
    }

    /// What an area grows by: file mappings are not read on.
    fn growth_kind(&self, area: Area) -> Kind {
        match area.kind {
            Kind::File | Kind::PastEnd => Kind::PastEnd,
            Kind::Image | Kind::Heap | Kind::Stack | Kind::Private => Kind::Private,
            // What lies behind the object's end is found out when it is touched.
            Kind::Shared { .. } => area.kind,
        }
    }

    fn move_area(
        &mut self,
        space: &mut Space,
        area: Area,
        (start, old_length): (u64, u64),
        (target, new_length): (u64, u64),
    ) -> Reply {
        if self.memories[self.process.memory].areas().all().len() + 4 > MAX_AREAS {
            return Err(ENOMEM.into());
        }
        let kept = old_length.min(new_length);
        if kept < old_length {
            self.memories[self.process.memory].unmap(space, start + kept, start + old_length)?;
        }
        // As if the area began where the part of it that moves does.
        let area = area.clipped(start, area.end).moved_to(target);
        let mut made = Ok(());
        if kept > 0 {
            made = self.memories[self.process.memory].map(space, Area { end: target + kept, ..area });
        }
        if new_length > kept {
            let kind = self.growth_kind(area);
            let (start, end) = (target + kept, target + new_length);
            made = made.and_then(|()| {
                self.memories[self.process.memory].map(space, Area { start, end, access: area.access, kind })
            });
        }
        let on_fork = &mut self.memories[self.process.memory].on_fork;
        made = made.and_then(|()| on_fork.carry(start, start + kept, target));
        if kept > 0 && new_length > kept {
            made = made.and_then(|()| on_fork.grow(target + kept - 1, target + new_length));
        }
        // The old place is to be given up without fail.
        made.and_then(|()| self.memories[self.process.memory].reserve_unmap(start, start + kept))
            .inspect_err(|_| {
                // This needs no more room than the new areas have taken.
                let _ = self.memories[self.process.memory].take_back(space, target, target + new_length);
            })?;
        // From here on pages may be in either place: there is no way back.
        self.memories[self.process.memory]
            .relocate(space, start, start + kept, target)
            .map_err(|OutOfFrames| Failure::End(Next::Kill { signal: SIGKILL }))?;
        if kept > 0 {
            self.memories[self.process.memory].unmap(space, start, start + kept)?;
        }
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_outside_user_space_are_none() {
        assert_eq!(page_range(0x1000, 1), Some((0x1000, 0x2000)));
        assert_eq!(page_range(0x1001, 1), None);
        assert_eq!(page_range(USER_END, 1), None);
        assert_eq!(page_range(0x1000, u64::MAX), None);
        assert_eq!(page_range(!0xfff, 0x2000), None);
    }

    #[test]
    fn what_can_be_written_can_be_read() {
        assert_eq!(access_of(PROT_WRITE), Access { read: true, write: true, execute: false });
        assert_eq!(access_of(0), Access { read: false, write: false, execute: false });
    }
}
