// SPDX-License-Identifier: MIT
//! Memory in address spaces: attached, detached, and taken away from all who see it.

use genode_ledger::regions::{Refused, Region, pieces};
use genode_rt::services::{ANYWHERE, access};
use genode_rt::{Cap, Failure, PAGE, Result};
use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall::{self, Revocation};

use crate::object::{Content, Dataspace, Id, Kind, Object};
use crate::state::Core;

/// How deep region maps are seen within each other.
pub const MOST_NESTED: u64 = 4;

/// The pages of something that is to be attached, from a page on.
pub fn region(
    dataspace: &Dataspace,
    name: Id,
    (offset, size): (u64, u64),
    wanted: u64,
) -> Result<Region<Id>> {
    let is_whole = offset.is_multiple_of(PAGE) && wanted & !(access::WRITE | access::EXECUTE) == 0;
    let left = (dataspace.count * PAGE).checked_sub(offset).filter(|left| is_whole && *left > 0);
    let left = left.ok_or(Failure::BadArgument)?;
    let size = if size == 0 { left } else { size };
    if size > left {
        return Err(Failure::BadArgument);
    }
    if wanted & access::WRITE != 0 && !dataspace.is_writable {
        return Err(Failure::Denied);
    }
    let count = size.div_ceil(PAGE);
    Ok(Region { page: 0, count, dataspace: name, offset: offset / PAGE, access: wanted })
}

/// Why something was not attached, in the words of a reply.
pub const fn refused(why: Refused) -> Failure {
    match why {
        Refused::Outside => Failure::BadArgument,
        Refused::Occupied => Failure::Occupied,
        Refused::Full => Failure::OutOfRam,
    }
}

/// The page of an address that is to be attached at, or none.
pub const fn place(at: u64) -> Result<Option<u64>> {
    match at {
        ANYWHERE => Ok(None),
        at if at.is_multiple_of(PAGE) => Ok(Some(at / PAGE)),
        _ => Err(Failure::BadArgument),
    }
}

impl Core {
    /// Attaches a dataspace to a domain's address space.
    pub fn attach(&mut self, pd: Id, dataspace: Cap, part: (u64, u64), at: u64, wanted: u64) -> Result<u64> {
        let name = self.id(dataspace)?;
        let region = region(self.dataspace(name)?, name, part, wanted)?;
        let page = place(at)?;
        let page = self.pd_mut(pd)?.regions.attach(region, page).map_err(refused)?;
        Ok(page * PAGE)
    }

    /// Takes away what is attached to a domain's address space at an address.
    pub fn detach(&mut self, pd: Id, at: u64) -> Result<()> {
        let pd = self.pd_mut(pd)?;
        let region = pd.regions.detach(at / PAGE).ok_or(Failure::BadArgument)?;
        unmap(pd.domain, region.page..region.end());
        Ok(())
    }

    /// Takes memory away, from all who see it and from its owner.
    pub fn free_dataspace(&mut self, id: Id) {
        self.unmap_views(id);
        for (_, object) in self.objects.iter_mut() {
            match object {
                Object::Session(session) => {
                    if let Kind::Pd(pd) = &mut session.kind {
                        while pd.regions.detach_one_of(id).is_some() {}
                    }
                }
                Object::Map(map) => while map.regions.detach_one_of(id).is_some() {},
                _ => (),
            }
        }
        if let Some(Object::Dataspace(dataspace)) = self.leave(id) {
            let Dataspace { content, count, .. } = dataspace;
            self.free_frames(content, count);
            if let Content::Ram(_, payer) = content
                && let Ok(pd) = self.pd_mut(payer)
            {
                pd.ram.refund(count * PAGE);
                pd.caps.refund(1);
            }
        }
    }

    /// Takes all views of a dataspace away, those by way of region maps, too; faults show what is attached then.
    pub fn unmap_views(&self, dataspace: Id) {
        for (_, object) in self.objects.iter() {
            if let Object::Session(session) = object
                && let Kind::Pd(pd) = &session.kind
            {
                for region in pd.regions.iter().filter(|region| self.shows(region.dataspace, dataspace, 0)) {
                    unmap(pd.domain, region.page..region.end());
                }
            }
        }
    }

    /// Whether a dataspace is another one, or a region map in which that one is seen.
    fn shows(&self, outer: Id, inner: Id, depth: u64) -> bool {
        if outer == inner {
            return true;
        }
        match self.dataspace(outer).map(|it| it.content) {
            Ok(Content::Map(map)) if depth < MOST_NESTED => self.map(map).is_ok_and(|map| {
                map.regions.iter().any(|region| self.shows(region.dataspace, inner, depth + 1))
            }),
            _ => false,
        }
    }
}

/// Takes pages away from a domain, whatever they show.
pub fn unmap(domain: Cap, pages: core::ops::Range<u64>) {
    let how = Revocation { itself: true, remote: Some(domain.selector()), ..Revocation::default() };
    for (page, order) in pieces(pages) {
        let _ = hypercall::revoke(Crd::memory(page, order, ALL), how);
    }
}
