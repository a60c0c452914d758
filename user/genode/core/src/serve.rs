// SPDX-License-Identifier: MIT
//! The worker: from a portal's number to the object, and what is done with capabilities that came along.

use genode_rt::cap::WINDOW_ORDER;
use genode_rt::entrypoint::Work;
use genode_rt::message::{Answered, Incoming};
use genode_rt::services::{cpu, cpu_thread, io_mem, io_port, irq, log, parent, pd, region_map, rm, rom};
use genode_rt::utcb::renew_window;
use genode_rt::{Cap, Failure};
use nova_rt::crd::{ALL, Crd};
use nova_rt::{Utcb, hypercall};

use crate::boot::adoption;
use crate::cpu::{ThreadCalls, Threads};
use crate::devices::{IoMem, IoPort, Irq};
use crate::domain::Domain;
use crate::heap;
use crate::object::{Kind, Object};
use crate::pager::EVENT;
use crate::parent::Family;
use crate::region_map::{AddressSpace, MapCalls, Maps};
use crate::sessions::RomCalls;
use crate::state::{Core, Output};

/// What one call takes of core's own memory at most, beside the lists that ask for theirs.
const MOST_OF_A_CALL: usize = 8 << 10;

impl Work for Core {
    fn work(&mut self, number: u64, utcb: Utcb) -> u64 {
        let ((_, window), came) = (utcb.windows(), utcb.counts() >> 16);
        (self.window, self.kept) = (window, None);
        let held = if number >= EVENT {
            // Events carry no capabilities, but a component can call their portals.
            self.event((number - EVENT) as usize >> 5, (number - EVENT) & 31, utcb)
        } else {
            let incoming = Incoming::new(utcb);
            let Answered { .. } = match heap::has_room(MOST_OF_A_CALL) {
                true => self.call(number as usize, incoming),
                false => incoming.refuse(Failure::OutOfRam),
            };
            0
        };
        if came > 0 {
            if utcb.windows().1 == window {
                renew_window(utcb);
            }
            self.give_back(window);
        }
        held
    }
}

impl Core {
    /// Has a call done by the object that it was made to.
    fn call(&mut self, id: usize, incoming: Incoming) -> Answered {
        match self.objects.get(id) {
            None => incoming.refuse(Failure::Gone),
            Some(Object::Parent(_)) if incoming.opcode() == adoption::OPCODE => self.adopt(id, incoming),
            Some(Object::Parent(_)) => parent::Server::dispatch(&mut Family(self, id), incoming),
            Some(Object::Thread(_)) => cpu_thread::Server::dispatch(&mut ThreadCalls(self, id), incoming),
            Some(Object::Dataspace(_)) => incoming.refuse(Failure::NoSuchOperation),
            Some(Object::Map(_)) => region_map::Server::dispatch(&mut MapCalls(self, id), incoming),
            Some(&Object::AddressSpace(pd)) => {
                region_map::Server::dispatch(&mut AddressSpace(self, pd), incoming)
            }
            Some(Object::Session(session)) => match session.kind {
                Kind::Pd(_) => pd::Server::dispatch(&mut Domain(self, id), incoming),
                Kind::Cpu { .. } => cpu::Server::dispatch(&mut Threads(self, id), incoming),
                Kind::Log => log::Server::dispatch(&mut Output(self, id), incoming),
                Kind::Rom(dataspace) => rom::Server::dispatch(&mut RomCalls(self, dataspace), incoming),
                Kind::Rm => rm::Server::dispatch(&mut Maps(self, id), incoming),
                Kind::IoMem(dataspace) => io_mem::Server::dispatch(&mut IoMem(dataspace), incoming),
                Kind::IoPort(..) => io_port::Server::dispatch(&mut IoPort(self, id), incoming),
                Kind::Irq(..) => irq::Server::dispatch(&mut Irq(self, id), incoming),
            },
        }
    }

    /// Gives back what came with a message and was not kept.
    fn give_back(&self, window: Crd) {
        let first = window.base();
        match self.kept.map(Cap::selector) {
            Some(kept) if (first..first + (1 << WINDOW_ORDER)).contains(&kept) => {
                for other in (first..first + (1 << WINDOW_ORDER)).filter(|other| *other != kept) {
                    Cap::at(other).release();
                }
            }
            _ => {
                let _ = hypercall::revoke_all(Crd::object(first, WINDOW_ORDER, ALL));
            }
        }
    }
}
