// SPDX-License-Identifier: MIT
//! Sessions: opened by a service's name and arguments, and closed with all that belongs to them.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;

use genode_config::{Args, label};
use genode_ledger::account::Account;
use genode_ledger::regions::Regions;
use genode_rt::layout::{ATTACHED, ATTACHED_END, DOMAIN};
use genode_rt::rpc::Service;
use genode_rt::services::{cpu, io_mem, io_port, irq, log, pd, rm, rom};
use genode_rt::{Cap, Failure, PAGE, Result};
use nova_rt::crd::{ALL, Crd};
use nova_rt::{Item, Status, access, hypercall};

use crate::devices;
use crate::kernel;
use crate::machine::{self, Module};
use crate::object::{Content, Dataspace, Id, Kind, Object, Pd, Session};
use crate::pager;
use crate::state::Core;

/// Kernel memory that a domain begins with, in pages: never transferable, and all.
const KERNEL_MEMORY: (u64, u64) = (2, 32);
/// What a component may do with its own domain: make portals and semaphores.
const OWN_RIGHTS: u64 = 0x18;
/// The priority of the highest band, and the number that stands for one below the lowest.
const HIGHEST: u64 = 64;
const PRIORITIES: u64 = 1 << 16;

/// The number of no session.
const NOBODY: Id = Id::MAX;

/// The ROM that tells drivers of the machine.
const PLATFORM_INFO: &str = "platform_info";

/// Adds the ROM that tells drivers of the machine.
pub fn add_platform_info(core: &mut Core) {
    let khz = core.root.hip.khz();
    let text = format!(
        "<platform_info><kernel name=\"nova\"/><hardware><tsc freq_khz=\"{khz}\"/></hardware></platform_info>\n"
    );
    let Ok(frame) = core.frames.take(1) else { panic!("no memory for {PLATFORM_INFO}") };
    access::clear(machine::address(frame), PAGE / 8);
    for (word, bytes) in text.as_bytes().chunks(8).enumerate() {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        access::write(machine::address(frame) + 8 * word as u64, u64::from_le_bytes(whole));
    }
    core.modules.push(Module { name: PLATFORM_INFO.to_string(), frame, size: text.len() as u64 });
}

/// The priority of threads whose session was asked for with a number, of which 0 is the highest.
fn priority(asked: u64) -> u64 {
    (HIGHEST * PRIORITIES.saturating_sub(asked) / PRIORITIES).max(1)
}

impl Core {
    /// Opens a session for a component, which pays for it with what it gives.
    pub fn open(&mut self, payer: Id, service: &str, label: &str, args: &Args) -> Result<Id> {
        let given = |key| args.number(key).unwrap_or(0);
        let given = (given("ram_quota"), given("cap_quota"));
        let wanted = quota(service)?;
        if given.0 < wanted.0 {
            return Err(Failure::InsufficientRam);
        }
        if given.1 < wanted.1 {
            return Err(Failure::InsufficientCaps);
        }
        self.withdraw(payer, given)?;
        let opened = self.kind(service, label, args).and_then(|kind| {
            let placeholder = Session { label: label.to_string(), given, kind: Kind::Log };
            match self.enter(Object::Session(Box::new(placeholder))) {
                Ok(id) => self.complete(id, kind),
                Err(failure) => {
                    self.dismantle(NOBODY, kind);
                    Err(failure)
                }
            }
        });
        if opened.is_err() {
            self.deposit(payer, given);
        }
        opened
    }

    /// Takes quota from a domain.
    pub fn withdraw(&mut self, payer: Id, (ram, caps): (u64, u64)) -> Result<()> {
        let pd = self.pd_mut(payer)?;
        pd.ram.withdraw(ram).map_err(|_| Failure::OutOfRam)?;
        pd.caps.withdraw(caps).map_err(|_| {
            pd.ram.deposit(ram);
            Failure::OutOfCaps
        })
    }

    /// Gives quota back to a domain, if it is still there.
    fn deposit(&mut self, payer: Id, (ram, caps): (u64, u64)) {
        if let Ok(pd) = self.pd_mut(payer) {
            pd.ram.deposit(ram);
            pd.caps.deposit(caps);
        }
    }

    /// What a session of a service is for. Nothing is made in the kernel yet.
    fn kind(&mut self, service: &str, label: &str, args: &Args) -> Result<Kind> {
        match service {
            pd::NAME => Ok(Kind::Pd(Box::new(fresh_pd()))),
            cpu::NAME => {
                let priority = priority(args.number("priority").unwrap_or(0));
                Ok(Kind::Cpu { priority, sigh: Cap::NONE })
            }
            log::NAME => Ok(Kind::Log),
            rm::NAME => Ok(Kind::Rm),
            rom::NAME => {
                let name = label::last(label);
                let module = self.modules.iter().find(|module| module.name == name).ok_or(Failure::Denied)?;
                let dataspace = Dataspace {
                    content: Content::Fixed(module.frame),
                    count: module.size.div_ceil(PAGE),
                    size: module.size,
                    is_writable: false,
                };
                self.enter_dataspace(dataspace).map(Kind::Rom)
            }
            io_mem::NAME => devices::io_mem(self, args),
            io_port::NAME => devices::io_port(self, args),
            irq::NAME => devices::irq(self, args),
            _ => Err(Failure::Denied),
        }
    }

    /// Gives a session what it is for, and makes what that needs of the kernel.
    fn complete(&mut self, id: Id, kind: Kind) -> Result<Id> {
        self.session_mut(id)?.kind = kind;
        let completed = match self.pd(id).map(|pd| pd.domain.selector()) {
            Ok(domain) => self.make_domain(id, domain),
            Err(_) => Ok(()),
        };
        if completed.is_err()
            && let Some(Object::Session(session)) = self.leave(id)
        {
            self.dismantle(id, session.kind);
        }
        completed.map(|()| id)
    }

    /// Makes the domain of a session.
    fn make_domain(&mut self, id: Id, domain: u64) -> Result<()> {
        let root = self.root.pd;
        let (kept, all) = KERNEL_MEMORY;
        match hypercall::create_pd(domain, root, Crd::NULL, kept, all) {
            Status::SUCCESS => (),
            _ => return Err(Failure::OutOfKernelMemory),
        }
        let label = self.session(id)?.label.clone();
        kernel::name(self.utcb, domain, &label);
        pager::serve(self, id)?;
        let item = Item::delegate(Crd::object(domain, 0, OWN_RIGHTS), 0);
        self.with_memory_of(id, |core| {
            hypercall::delegate(core.utcb, root, domain, Crd::object(DOMAIN, 0, ALL), &[item])
        })
    }

    /// Closes a session, with all that was made by it.
    pub fn close(&mut self, payer: Id, id: Id) {
        let Ok(session) = self.session_mut(id) else { return };
        let given = session.given;
        let kind = core::mem::replace(&mut session.kind, Kind::Log);
        self.dismantle(id, kind);
        self.leave(id);
        self.deposit(payer, given);
    }

    /// Takes back what a session was for.
    fn dismantle(&mut self, id: Id, kind: Kind) {
        match kind {
            Kind::Pd(pd) => self.destroy_pd(id, *pd),
            Kind::Cpu { sigh, .. } => {
                self.kill_all(|thread| thread.cpu == id);
                self.give_up(sigh);
            }
            Kind::Rom(dataspace) => self.free_dataspace(dataspace),
            Kind::IoMem(dataspace) => self.free_device(dataspace),
            Kind::Rm => self.destroy_maps_of(id),
            Kind::IoPort(first, count, granted) => {
                self.take_ports(first, count, &granted);
                let _ = self.ports.add(first..first + count);
            }
            Kind::Irq(number, line, signal) => {
                devices::unchain(line);
                line.release();
                signal.release();
                let _ = self.lines.add(number..number + 1);
            }
            Kind::Log => (),
        }
    }

    /// Gives up a capability that came in a message, unless it is one of core's own objects.
    pub fn give_up(&self, cap: Cap) {
        if self.id(cap).is_err() {
            cap.release();
        }
    }
}

/// A domain that the kernel does not know yet.
fn fresh_pd() -> Pd {
    Pd {
        domain: Cap::fresh(),
        ram: Account::default(),
        caps: Account::default(),
        reference: None,
        regions: Regions::new(1..ATTACHED_END / PAGE, ATTACHED / PAGE..ATTACHED_END / PAGE),
        address_space: None,
        parent: Cap::NONE,
        events: 0,
    }
}

/// What a session of a service takes, if there is such a service.
fn quota(service: &str) -> Result<(u64, u64)> {
    fn of<S: Service>() -> (&'static str, (u64, u64)) {
        (S::NAME, S::QUOTA)
    }
    let all = [
        of::<pd::Client>(),
        of::<cpu::Client>(),
        of::<log::Client>(),
        of::<rom::Client>(),
        of::<rm::Client>(),
        of::<io_mem::Client>(),
        of::<io_port::Client>(),
        of::<irq::Client>(),
    ];
    all.into_iter().find(|(name, _)| *name == service).map(|(_, quota)| quota).ok_or(Failure::Denied)
}

/// The calls of a session of a module, by the module's dataspace.
pub struct RomCalls<'a>(pub &'a mut Core, pub Id);

impl rom::Server for RomCalls<'_> {
    fn dataspace(&mut self) -> Result<(Cap, u64)> {
        let size = self.0.dataspace(self.1)?.size;
        Ok((Core::cap(self.1), size))
    }

    /// A module has one version.
    fn update(&mut self) -> Result<bool> {
        Ok(true)
    }

    /// A module does not change, so that nobody is told of it.
    fn sigh(&mut self, _: Cap) -> Result<()> {
        Ok(())
    }
}
