// SPDX-License-Identifier: MIT
//! Protection domains: memory, address space, quotas, and the kernel's label and policy of each.

use genode_ledger::regions::{Refused, Region, pieces};
use genode_rt::layout::PARENT;
use genode_rt::services::{access, pd};
use genode_rt::{Cap, Failure, PAGE, Result};
use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall::{self, Revocation, number};
use nova_rt::raw::Registers;
use nova_rt::{Status, Utcb, access as memory};

use crate::machine;
use crate::object::{Content, Dataspace, Id, Kind, Object, Pd};
use crate::state::Core;

/// The kernel's own call, and what is asked for: a name, a policy, counts.
const OWN: u64 = 15;
const LABEL: u64 = 0;
const POLICY: u64 = 1;
const COUNTS: u64 = 2;
/// The longest name that the kernel knows.
const MOST_LABEL: usize = 64;
/// The rights of a portal that is a parent: to be called.
const CALLED: u64 = 0x1e;

/// The calls of a domain's session.
pub struct Domain<'a>(pub &'a mut Core, pub Id);

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
        genode_rt::services::ANYWHERE => Ok(None),
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
            Ok(Content::Map(map)) if depth < crate::pager::MOST_NESTED => self.map(map).is_ok_and(|map| {
                map.regions.iter().any(|region| self.shows(region.dataspace, inner, depth + 1))
            }),
            _ => false,
        }
    }

    /// Destroys the domain of a session that is being closed.
    pub fn destroy_pd(&mut self, id: Id, pd: Pd) {
        self.kill_all(|thread| thread.pd == id);
        pd.domain.release();
        let _ = hypercall::revoke_all(Crd::object(pd.events, 5, ALL));
        self.give_up(pd.parent);
        if let Some(space) = pd.address_space {
            self.leave(space);
        }
        let is_its = |object: &Object| matches!(object, Object::Dataspace(Dataspace { content: Content::Ram(_, payer), .. }) if *payer == id);
        while let Some(dataspace) = self.find(is_its) {
            self.free_dataspace(dataspace);
        }
        // Who exchanged quota with this domain does so with its own reference from now on.
        for (_, object) in self.objects.iter_mut() {
            if let Object::Session(session) = object
                && let Kind::Pd(other) = &mut session.kind
                && other.reference == Some(id)
            {
                other.reference = pd.reference;
            }
        }
        if let Some(Ok(reference)) = pd.reference.map(|reference| self.pd_mut(reference)) {
            reference.ram.deposit(pd.ram.quota());
            reference.caps.deposit(pd.caps.quota());
        }
    }

    /// Asks the kernel's own call.
    fn own(domain: u64, parameters: [u64; 4]) -> (Status, Registers) {
        let after = hypercall::make(Registers::new(number::MISC, OWN, domain, parameters));
        (hypercall::status(after), after)
    }

    /// Tells the kernel the label of a domain, by which its summaries call it, through the current thread's UTCB.
    pub fn name(utcb: Utcb, domain: u64, label: &str) {
        let start = label.len().saturating_sub(MOST_LABEL);
        let start = (start..=label.len()).find(|start| label.is_char_boundary(*start)).unwrap_or(0);
        let mut words = [0; MOST_LABEL / 8];
        for (word, bytes) in words.iter_mut().zip(label.as_bytes()[start..].chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(whole);
        }
        utcb.set_words(&words);
        let _ = Self::own(domain, [LABEL, 0, 0, 0]);
    }

    /// PEs, divergences and restarts of all domains.
    pub fn counts(&self) -> (u64, u64, u64) {
        let mut sums = (0, 0, 0);
        for (_, object) in self.objects.iter() {
            if let Object::Session(session) = object
                && let Kind::Pd(pd) = &session.kind
                && let (Status::SUCCESS, told) = Self::own(pd.domain.selector(), [COUNTS, 0, 0, 0])
            {
                sums = (sums.0 + told.rsi, sums.1 + told.rdx, sums.2 + told.rax);
            }
        }
        sums
    }
}

/// Takes pages away from a domain, whatever they show.
pub fn unmap(domain: Cap, pages: core::ops::Range<u64>) {
    let how = Revocation { itself: true, remote: Some(domain.selector()), ..Revocation::default() };
    for (page, order) in pieces(pages) {
        let _ = hypercall::revoke(Crd::memory(page, order, ALL), how);
    }
}

impl pd::Server for Domain<'_> {
    fn alloc_ds(&mut self, size: u64) -> Result<Cap> {
        let Self(core, id) = self;
        let count = size.div_ceil(PAGE);
        let pd = core.pd_mut(*id)?;
        if count == 0 {
            return Err(Failure::BadArgument);
        }
        let bytes = count.checked_mul(PAGE).ok_or(Failure::OutOfRam)?;
        pd.ram.charge(bytes).map_err(|_| Failure::OutOfRam)?;
        if pd.caps.charge(1).is_err() {
            pd.ram.refund(bytes);
            return Err(Failure::OutOfCaps);
        }
        let taken = core.frames.take(count).map_err(|_| Failure::OutOfRam).and_then(|frame| {
            let content = Content::Ram(frame, *id);
            let entered = core.enter_dataspace(Dataspace { content, count, size, is_writable: true });
            if entered.is_err() {
                core.free_frames(content, count);
            }
            entered.map(|dataspace| (frame, dataspace))
        });
        match taken {
            Ok((frame, dataspace)) => {
                memory::clear(machine::address(frame), bytes / 8);
                Ok(Core::cap(dataspace))
            }
            Err(failure) => {
                let pd = core.pd_mut(*id)?;
                pd.ram.refund(bytes);
                pd.caps.refund(1);
                Err(failure)
            }
        }
    }

    fn free_ds(&mut self, dataspace: Cap) -> Result<()> {
        let dataspace = self.0.id(dataspace)?;
        match self.0.dataspace(dataspace)?.content {
            Content::Ram(_, payer) if payer == self.1 => {
                self.0.free_dataspace(dataspace);
                Ok(())
            }
            _ => Err(Failure::Denied),
        }
    }

    fn ds_size(&mut self, dataspace: Cap) -> Result<u64> {
        let dataspace = self.0.id(dataspace)?;
        Ok(self.0.dataspace(dataspace)?.size)
    }

    fn seal(&mut self, dataspace: Cap) -> Result<()> {
        let dataspace = self.0.id(dataspace)?;
        self.0.dataspace_mut(dataspace)?.is_writable = false;
        self.0.unmap_views(dataspace);
        Ok(())
    }

    fn attach(&mut self, dataspace: Cap, offset: u64, size: u64, at: u64, access: u64) -> Result<u64> {
        self.0.attach(self.1, dataspace, (offset, size), at, access)
    }

    fn detach(&mut self, at: u64) -> Result<()> {
        self.0.detach(self.1, at)
    }

    fn address_space(&mut self) -> Result<Cap> {
        let Self(core, id) = self;
        let space = match core.pd(*id)?.address_space {
            Some(space) => space,
            None => core.enter(Object::AddressSpace(*id))?,
        };
        core.pd_mut(*id)?.address_space = Some(space);
        Ok(Core::cap(space))
    }

    fn ref_account(&mut self, pd: Cap) -> Result<()> {
        let reference = self.0.pd_of(pd)?;
        let pd = self.0.pd_mut(self.1)?;
        if pd.reference.is_some() || reference == self.1 {
            return Err(Failure::Denied);
        }
        pd.reference = Some(reference);
        Ok(())
    }

    fn transfer_ram(&mut self, to: Cap, amount: u64) -> Result<()> {
        let to = self.exchanges(to)?;
        self.0.pd_mut(self.1)?.ram.withdraw(amount).map_err(|_| Failure::OutOfRam)?;
        self.0.pd_mut(to)?.ram.deposit(amount);
        Ok(())
    }

    fn transfer_caps(&mut self, to: Cap, amount: u64) -> Result<()> {
        let to = self.exchanges(to)?;
        self.0.pd_mut(self.1)?.caps.withdraw(amount).map_err(|_| Failure::OutOfCaps)?;
        self.0.pd_mut(to)?.caps.deposit(amount);
        Ok(())
    }

    fn quota(&mut self) -> Result<(u64, u64, u64, u64)> {
        let Pd { ram, caps, .. } = self.0.pd(self.1)?;
        Ok((ram.quota(), ram.used(), caps.quota(), caps.used()))
    }

    fn kquota(&mut self, pages: u64) -> Result<()> {
        self.0.fund(self.1, pages)
    }

    fn assign_parent(&mut self, parent: Cap) -> Result<()> {
        if parent.is_none() || !self.0.pd(self.1)?.parent.is_none() {
            return Err(Failure::BadCapability);
        }
        self.0.give(self.1, parent, CALLED, PARENT)?;
        match self.0.id(parent) {
            // Core is init's parent itself.
            Ok(_) => Ok(()),
            Err(_) => self.0.keep(parent, |core, id| Ok(&mut core.pd_mut(id)?.parent), self.1),
        }
    }

    fn replay(&mut self, mode: u64, recovery: u64, flush: u64, limit: u64) -> Result<()> {
        let domain = self.0.pd(self.1)?.domain.selector();
        let is_byte = |value: &u64| *value <= 0xff;
        if ![mode, recovery, flush].iter().all(is_byte) {
            return Err(Failure::BadArgument);
        }
        match Core::own(domain, [POLICY, mode | recovery << 8 | flush << 16, limit, 0]).0 {
            Status::SUCCESS => Ok(()),
            _ => Err(Failure::BadArgument),
        }
    }
}

impl Domain<'_> {
    /// The session of a domain with which this one exchanges quota.
    fn exchanges(&self, with: Cap) -> Result<Id> {
        let other = self.0.pd_of(with)?;
        let (own, its) = (self.0.pd(self.1)?.reference, self.0.pd(other)?.reference);
        let is_near = own == Some(other) || its == Some(self.1);
        if is_near && other != self.1 { Ok(other) } else { Err(Failure::Denied) }
    }
}
