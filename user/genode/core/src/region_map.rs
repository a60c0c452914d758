// SPDX-License-Identifier: MIT
//! Region maps: those that are no address space, and address spaces seen as region maps.

use alloc::boxed::Box;
use alloc::vec::Vec;

use genode_ledger::regions::Regions;
use genode_rt::services::{region_map, rm};
use genode_rt::{Cap, Failure, PAGE, Result};
use nova_rt::{Status, hypercall};

use crate::memory::{place, refused, region};
use crate::object::{Content, Dataspace, Id, Map, Object};
use crate::state::Core;

/// The largest region map: what an address space holds.
const MOST: u64 = genode_rt::layout::ATTACHED_END;

/// The calls of a session of region maps.
pub struct Maps<'a>(pub &'a mut Core, pub Id);

impl rm::Server for Maps<'_> {
    fn create(&mut self, size: u64) -> Result<Cap> {
        let Self(core, session) = self;
        let count = size.div_ceil(PAGE);
        if size == 0 || size > MOST {
            return Err(Failure::BadArgument);
        }
        let held = Cap::fresh();
        if hypercall::create_sm(held.selector(), core.root.pd, 0) != Status::SUCCESS {
            return Err(Failure::OutOfKernelMemory);
        }
        let map = Map {
            regions: Regions::new(0..count, 0..count),
            session: *session,
            dataspace: None,
            handler: Cap::NONE,
            held,
            faults: Vec::new(),
        };
        let entered = core.enter(Object::Map(Box::new(map)));
        if entered.is_err() {
            held.release();
        }
        entered.map(Core::cap)
    }

    fn destroy(&mut self, map: Cap) -> Result<()> {
        let map = self.0.id(map)?;
        if self.0.map(map)?.session != self.1 {
            return Err(Failure::Denied);
        }
        self.0.destroy_map(map);
        Ok(())
    }
}

/// The calls of a region map.
pub struct MapCalls<'a>(pub &'a mut Core, pub Id);

impl region_map::Server for MapCalls<'_> {
    fn attach(&mut self, dataspace: Cap, offset: u64, size: u64, at: u64, access: u64) -> Result<u64> {
        let Self(core, id) = self;
        let name = core.id(dataspace)?;
        // A map that shows itself would have faults without an end.
        if let Content::Map(_) = core.dataspace(name)?.content {
            return Err(Failure::Denied);
        }
        let region = region(core.dataspace(name)?, name, (offset, size), access)?;
        // The first page of a map is one as good as any.
        let page = core.map_mut(*id)?.regions.attach(region, place(at)?).map_err(refused)?;
        core.release_held(*id)?;
        Ok(page * PAGE)
    }

    fn detach(&mut self, at: u64) -> Result<()> {
        let map = self.0.map_mut(self.1)?;
        map.regions.detach(at / PAGE).ok_or(Failure::BadArgument)?;
        if let Some(dataspace) = map.dataspace {
            self.0.unmap_views(dataspace);
        }
        Ok(())
    }

    fn dataspace(&mut self) -> Result<Cap> {
        let Self(core, id) = self;
        let map = core.map(*id)?;
        let count = map.regions.size();
        let dataspace = match map.dataspace {
            Some(dataspace) => dataspace,
            None => core.enter_dataspace(Dataspace {
                content: Content::Map(*id),
                count,
                size: count * PAGE,
                is_writable: true,
            })?,
        };
        core.map_mut(*id)?.dataspace = Some(dataspace);
        Ok(Core::cap(dataspace))
    }

    fn fault_handler(&mut self, signal: Cap) -> Result<()> {
        self.0.keep(signal, |core, id| Ok(&mut core.map_mut(id)?.handler), self.1)
    }

    fn fault(&mut self) -> Result<(bool, bool, u64)> {
        let map = self.0.map(self.1)?;
        Ok(map.faults.first().map_or((false, false, 0), |(write, at)| (true, *write, *at)))
    }
}

impl Core {
    /// Lets the threads go on that have a fault in a region map; those whose fault is still one have it again.
    fn release_held(&mut self, map: Id) -> Result<()> {
        let map = self.map_mut(map)?;
        let (held, count) = (map.held.selector(), map.faults.len());
        map.faults.clear();
        for _ in 0..count {
            let _ = hypercall::up(held);
        }
        Ok(())
    }

    /// Takes a region map away, from all who see it.
    pub fn destroy_map(&mut self, id: Id) {
        let Ok(map) = self.map_mut(id) else { return };
        let (dataspace, held, handler) = (map.dataspace, map.held, map.handler);
        if let Some(dataspace) = dataspace {
            self.free_dataspace(dataspace);
        }
        let _ = self.release_held(id);
        self.leave(id);
        held.release();
        self.give_up(handler);
    }

    /// Takes all region maps of a session away.
    pub fn destroy_maps_of(&mut self, session: Id) {
        let is_its = |object: &Object| matches!(object, Object::Map(map) if map.session == session);
        while let Some(map) = self.find(is_its) {
            self.destroy_map(map);
        }
    }
}

/// The calls of the address space of a domain's session.
pub struct AddressSpace<'a>(pub &'a mut Core, pub Id);

impl region_map::Server for AddressSpace<'_> {
    fn attach(&mut self, dataspace: Cap, offset: u64, size: u64, at: u64, access: u64) -> Result<u64> {
        self.0.attach(self.1, dataspace, (offset, size), at, access)
    }

    fn detach(&mut self, at: u64) -> Result<()> {
        self.0.detach(self.1, at)
    }

    fn dataspace(&mut self) -> Result<Cap> {
        Err(Failure::Denied)
    }

    fn fault_handler(&mut self, _: Cap) -> Result<()> {
        Err(Failure::Denied)
    }

    fn fault(&mut self) -> Result<(bool, bool, u64)> {
        Ok((false, false, 0))
    }
}
