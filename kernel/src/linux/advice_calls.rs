// SPDX-License-Identifier: MIT
//! Advice on memory: `madvise`, the `mlock` family, `msync`.
//!
//! Advice is followed, or need not be as nobody could tell, or is refused.

use linux_raw_sys::general::{
    MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED, MADV_DONTNEED_LOCKED,
    MADV_FREE, MADV_HUGEPAGE, MADV_KEEPONFORK, MADV_MERGEABLE, MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT,
    MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_UNMERGEABLE,
    MADV_WILLNEED, MADV_WIPEONFORK, MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT, MS_ASYNC,
    MS_INVALIDATE, MS_SYNC,
};

use syscalls::Sysno;

use super::Linux;
use super::area::{Area, Kind};
use super::errno::{EACCES, EFAULT, EINVAL, ENOMEM, Errno, Reply};
use super::memory::{Fault, Intent, page_down};
use super::memory_calls::page_range;
use super::on_fork::ChildGets;
use crate::mem::space::{Access, PAGE_LEN, Space, USER_END};

/// Zeros of one's own, with no file behind them.
fn is_anonymous(area: Area) -> bool {
    matches!(area.kind, Kind::Private | Kind::Heap | Kind::Stack)
}

impl Linux {
    /// `madvise`.
    pub(super) fn madvise(&mut self, space: &mut Space, address: u64, length: u64, advice: u32) -> Reply {
        if !matches!(
            advice,
            MADV_NORMAL..=MADV_DONTNEED
                | MADV_FREE..=MADV_DOFORK
                | MADV_MERGEABLE..=MADV_DODUMP
                | MADV_WIPEONFORK..=MADV_DONTNEED_LOCKED
        ) {
            return Err(EINVAL.into());
        }
        let (start, end) = page_range(address, length).ok_or(EINVAL)?;
        let mut from = start;
        while let Some(area) = self.area_between(from, end) {
            self.advise(space, area, advice)?;
            from = area.end;
        }
        // As on Linux, what lies around a hole is advised nevertheless.
        if self.memories[self.process.memory].areas().first_hole(start, end).is_some() {
            Err(ENOMEM.into())
        } else {
            Ok(0)
        }
    }

    fn advise(&mut self, space: &mut Space, area: Area, advice: u32) -> Result<(), Errno> {
        let Area { start, end, kind, .. } = area;
        let memory = &mut self.memories[self.process.memory];
        match advice {
            // Nothing is paged out, read ahead, merged, dumped or mapped in large pages.
            MADV_NORMAL | MADV_RANDOM | MADV_SEQUENTIAL | MADV_WILLNEED | MADV_COLD | MADV_PAGEOUT
            | MADV_MERGEABLE | MADV_UNMERGEABLE | MADV_HUGEPAGE | MADV_NOHUGEPAGE | MADV_DONTDUMP
            | MADV_DODUMP => Ok(()),
            // What may be given back at any time may be kept as well.
            MADV_FREE if is_anonymous(area) => Ok(()),
            MADV_DONTNEED | MADV_DONTNEED_LOCKED => match kind {
                Kind::Image | Kind::File => {
                    self.count_unsupported(Sysno::madvise as u32);
                    defmt::warn!("madvise: MADV_DONTNEED on a copy of a file is not supported (EINVAL)");
                    Err(EINVAL)
                }
                Kind::Private | Kind::Heap | Kind::Stack | Kind::PastEnd => {
                    Ok(memory.discard(space, start, end)?)
                }
                // The content of shared pages stays, so they may as well.
                Kind::Shared { .. } => Ok(()),
            },
            MADV_REMOVE => match kind {
                Kind::Shared { object, delta, may_write: true } => {
                    memory.clear_shared(object, start.wrapping_add(delta), end - start);
                    self.fs.note_cut();
                    Ok(())
                }
                Kind::Shared { may_write: false, .. } | Kind::Image | Kind::File | Kind::PastEnd => {
                    Err(EACCES)
                }
                Kind::Private | Kind::Heap | Kind::Stack => Err(EINVAL),
            },
            MADV_DONTFORK => Ok(memory.on_fork.advise(start, end, ChildGets::Nothing, true)?),
            MADV_DOFORK => Ok(memory.on_fork.advise(start, end, ChildGets::Nothing, false)?),
            MADV_WIPEONFORK if is_anonymous(area) => {
                Ok(memory.on_fork.advise(start, end, ChildGets::Zeros, true)?)
            }
            MADV_KEEPONFORK => Ok(memory.on_fork.advise(start, end, ChildGets::Zeros, false)?),
            MADV_POPULATE_READ => self.touch(space, (start, end), Intent::Read),
            MADV_POPULATE_WRITE => self.touch(space, (start, end), Intent::Write),
            _ => Err(EINVAL),
        }
    }

    /// Makes all pages between two addresses be there.
    fn touch(&mut self, space: &mut Space, (start, end): (u64, u64), intent: Intent) -> Result<(), Errno> {
        for page in (start..end).step_by(PAGE_LEN as usize) {
            match self.memories[self.process.memory].resolve(space, page, intent) {
                Ok(_) => {}
                Err(Fault::Denied) => return Err(EINVAL),
                Err(Fault::PastEnd) => return Err(EFAULT),
                Err(Fault::OutOfMemory) => return Err(ENOMEM),
            }
        }
        Ok(())
    }

    /// Makes all pages of an area be there, as `mlock` does: what can be written is ready to be.
    fn lock_area(&mut self, space: &mut Space, area: Area) -> Result<(), Errno> {
        let intent = match area {
            Area { kind: Kind::Shared { .. }, .. } | Area { access: Access { write: false, .. }, .. } => {
                Intent::Read
            }
            Area { .. } => Intent::Write,
        };
        self.touch(space, (area.start, area.end), intent).map_err(|_| ENOMEM)
    }

    /// `mlock`, `mlock2`: nothing is ever paged out, so that it is enough to have it there.
    pub(super) fn mlock(&mut self, space: &mut Space, address: u64, length: u64, flags: u32) -> Reply {
        if flags & !MLOCK_ONFAULT != 0 {
            return Err(EINVAL.into());
        }
        let (start, end) = self.mapped_range(address, length)?;
        let mut from = start;
        while flags & MLOCK_ONFAULT == 0
            && let Some(area) = self.area_between(from, end)
        {
            self.lock_area(space, area)?;
            from = area.end;
        }
        Ok(0)
    }

    /// `munlock`.
    pub(super) fn munlock(&self, address: u64, length: u64) -> Reply {
        self.mapped_range(address, length).map(|_| Ok(0))?
    }

    /// `mlockall`: of the stack, which is as large as it can become, what is there is enough,
    /// as it is on Linux; what comes later comes on demand, and stays.
    pub(super) fn mlockall(&mut self, space: &mut Space, flags: u32) -> Reply {
        if flags & !(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0 || matches!(flags, 0 | MCL_ONFAULT) {
            return Err(EINVAL.into());
        }
        let mut from = 0;
        while flags & (MCL_CURRENT | MCL_ONFAULT) == MCL_CURRENT
            && let Some(area) = self.area_between(from, USER_END)
        {
            // What cannot be touched cannot be locked, and keeps nothing else from it.
            if area.kind != Kind::Stack && area.access.read && area.kind != Kind::PastEnd {
                match self.lock_area(space, area) {
                    Err(ENOMEM) if crate::mem::frame::free_count() == 0 => return Err(ENOMEM.into()),
                    Ok(()) | Err(_) => {}
                }
            }
            from = area.end;
        }
        Ok(0)
    }

    /// `msync`: what is in memory is where it is to be.
    pub(super) fn msync(&self, address: u64, length: u64, flags: u32) -> Reply {
        let both = MS_ASYNC | MS_SYNC;
        if flags & !(both | MS_INVALIDATE) != 0 || flags & both == both || !address.is_multiple_of(PAGE_LEN) {
            return Err(EINVAL.into());
        }
        self.munlock(address, length)
    }

    /// The first part of an area between two addresses.
    fn area_between(&self, start: u64, end: u64) -> Option<Area> {
        self.memories[self.process.memory].areas().between(start, end).next()
    }

    /// The whole pages of a range, all of which have to be mapped.
    fn mapped_range(&self, address: u64, length: u64) -> Result<(u64, u64), Errno> {
        let start = page_down(address);
        let length = length.checked_add(address - start).ok_or(EINVAL)?;
        let (start, end) = page_range(start, length).ok_or(ENOMEM)?;
        match self.memories[self.process.memory].areas().first_hole(start, end) {
            Some(_) => Err(ENOMEM),
            None => Ok((start, end)),
        }
    }
}
