// SPDX-License-Identifier: MIT
//! Protection domains: their calls, their quotas, their end.

use genode_rt::layout::PARENT;
use genode_rt::services::pd;
use genode_rt::{Cap, Failure, PAGE, Result};
use nova_rt::access as memory;
use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall;

use crate::object::{Content, Dataspace, Id, Kind, Object, Pd};
use crate::state::Core;
use crate::{kernel, machine};

/// The rights of a portal that is a parent: to be called.
const CALLED: u64 = 0x1e;

/// The calls of a domain's session.
pub struct Domain<'a>(pub &'a mut Core, pub Id);

impl Core {
    /// Destroys the domain of a session that is being closed.
    pub fn destroy_pd(&mut self, id: Id, pd: Pd) {
        self.kill_all(|thread| thread.pd == id);
        pd.domain.release();
        let _ = hypercall::revoke_all(Crd::object(pd.events, 5, ALL));
        self.give_up(pd.parent);
        if let Some(space) = pd.address_space {
            self.leave(space);
        }
        let is_its = |object: &Object| match object {
            Object::Dataspace(dataspace) => {
                matches!(dataspace.content, Content::Ram(_, payer) if payer == id)
            }
            _ => false,
        };
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
        // A domain's own threads have its session, too: they are not to choose.
        let is_its = |object: &Object| matches!(object, Object::Thread(thread) if thread.pd == self.1);
        if self.0.find(is_its).is_some() {
            return Err(Failure::Denied);
        }
        let domain = self.0.pd(self.1)?.domain.selector();
        kernel::run_otherwise(domain, [mode, recovery, flush], limit)
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
