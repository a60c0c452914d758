// SPDX-License-Identifier: MIT
//! Devices: their memory, their ports, their interrupt lines.

use alloc::vec::Vec;

use genode_config::Args;
use genode_ledger::regions::pieces;
use genode_rt::services::{io_mem, io_port, irq};
use genode_rt::{Cap, Failure, PAGE, Result};
use nova_rt::crd::{ALL, Crd};
use nova_rt::hip::kind;
use nova_rt::hypercall::{self, Revocation};
use nova_rt::{Item, Status, access};

use crate::machine;
use crate::object::{Content, Dataspace, Id, Kind};
use crate::state::Core;

/// What stands for no semaphore in an assignment.
const NOTHING: u64 = u64::MAX;
/// The highest physical address that there is.
pub const MOST: u64 = 1 << 52;
/// Where the ports of the console end among those that a session may have.
const CONSOLE: core::ops::Range<u64> = 0x3f8..0x400;

/// A number in the arguments of a session.
fn number(args: &Args, key: &str) -> Result<u64> {
    args.number(key).ok_or(Failure::Denied)
}

/// The memory of a device that nobody else has, and that nobody uses as RAM.
pub fn io_mem(core: &mut Core, args: &Args) -> Result<Kind> {
    let (base, size) = (number(args, "base")?, number(args, "size")?);
    let end = base.checked_add(size).filter(|end| *end <= MOST && size > 0).ok_or(Failure::Denied)?;
    let (first, behind) = (base / PAGE, end.div_ceil(PAGE));
    let is_memory = |range: &nova_rt::hip::Memory| {
        matches!(range.kind, kind::AVAILABLE | kind::KERNEL | kind::MODULE)
            && range.address < behind * PAGE
            && first * PAGE < range.address.saturating_add(range.size)
    };
    if core.root.hip.memory().any(|range| is_memory(&range)) {
        return Err(Failure::Denied);
    }
    if !machine::has(first..behind) || core.device_memory.take_exactly(first..behind).is_err() {
        return Err(Failure::Denied);
    }
    let count = behind - first;
    let dataspace =
        Dataspace { content: Content::Fixed(first), count, size: count * PAGE, is_writable: true };
    let entered = core.enter_dataspace(dataspace);
    if entered.is_err() {
        let _ = core.device_memory.add(first..behind);
    }
    entered.map(Kind::IoMem)
}

/// Ports that nobody else has.
pub fn io_port(core: &mut Core, args: &Args) -> Result<Kind> {
    let (first, count) = (number(args, "io_port_base")?, number(args, "io_port_size")?);
    let end = first.checked_add(count).filter(|end| *end <= 1 << 16).ok_or(Failure::Denied)?;
    if first < CONSOLE.end && CONSOLE.start < end {
        return Err(Failure::Denied);
    }
    core.ports.take_exactly(first..end).map_err(|_| Failure::Denied)?;
    Ok(Kind::IoPort(first, count, Vec::new()))
}

/// A line that nobody else has.
pub fn irq(core: &mut Core, args: &Args) -> Result<Kind> {
    let line = number(args, "irq_number")?;
    let end = line.checked_add(1).ok_or(Failure::Denied)?;
    core.lines.take_exactly(line..end).map_err(|_| Failure::Denied)?;
    let selector = Cap::fresh();
    let item = Item::from_kernel(Crd::object(core.root.hip.processors() + line, 0, ALL), 0);
    let window = Crd::object(selector.selector(), 0, ALL);
    let given = hypercall::delegate(core.utcb, core.root.pd, core.root.pd, window, &[item]);
    let (assigned, _, _) = hypercall::assign_gsi(selector.selector(), 0, 0, core.root.cpu, NOTHING);
    if (given, assigned) != (Status::SUCCESS, Status::SUCCESS) {
        selector.release();
        let _ = core.lines.add(line..end);
        return Err(Failure::Denied);
    }
    Ok(Kind::Irq(line, selector, Cap::NONE))
}

/// Has a line tell nobody any more.
pub fn unchain(line: Cap) {
    let _ = hypercall::assign_gsi(line.selector(), 0, 0, 0, line.selector());
}

/// The calls of a session of a device's memory, by its dataspace.
pub struct IoMem(pub Id);

impl io_mem::Server for IoMem {
    fn dataspace(&mut self) -> Result<Cap> {
        Ok(Core::cap(self.0))
    }
}

/// The calls of a session of ports.
pub struct IoPort<'a>(pub &'a mut Core, pub Id);

impl IoPort<'_> {
    /// A port of the session from which so many bytes are its own, too.
    fn port(&self, port: u64, width: u64) -> Result<u16> {
        let Kind::IoPort(first, count, _) = &self.0.session(self.1)?.kind else {
            return Err(Failure::BadCapability);
        };
        let is_own = port >= *first && port.checked_add(width).is_some_and(|end| end <= first + count);
        u16::try_from(port).ok().filter(|_| is_own).ok_or(Failure::Denied)
    }
}

impl io_port::Server for IoPort<'_> {
    fn input(&mut self, port: u64, width: u64) -> Result<u64> {
        let port = self.port(port, width)?;
        match width {
            1 => Ok(access::input(port).into()),
            2 => Ok(access::input_word(port).into()),
            4 => Ok(access::input_double(port).into()),
            _ => Err(Failure::BadArgument),
        }
    }

    fn output(&mut self, port: u64, width: u64, value: u64) -> Result<()> {
        let port = self.port(port, width)?;
        match width {
            1 => access::output(port, value as u8),
            2 => access::output_word(port, value as u16),
            4 => access::output_double(port, value as u32),
            _ => return Err(Failure::BadArgument),
        }
        Ok(())
    }

    fn grant(&mut self, pd: Cap) -> Result<()> {
        let Self(core, id) = self;
        let pd = core.pd_of(pd)?;
        let domain = core.pd(pd)?.domain.selector();
        let Kind::IoPort(first, count, granted) = &mut core.session_mut(*id)?.kind else {
            return Err(Failure::BadCapability);
        };
        granted.try_reserve(1).map_err(|_| Failure::OutOfRam)?;
        granted.push(pd);
        let (first, end) = (*first, *first + *count);
        let all = Crd::port(0, 16);
        for (port, order) in pieces(first..end) {
            let item = Item::delegate(Crd::port(port, order), 0);
            core.with_memory_of(pd, |core| {
                hypercall::delegate(core.utcb, core.root.pd, domain, all, &[item])
            })?;
        }
        Ok(())
    }
}

impl Core {
    /// Takes a device's memory away from who had it, for the next one.
    pub fn free_device(&mut self, dataspace: Id) {
        if let Ok(&Dataspace { content: Content::Fixed(first), count, .. }) = self.dataspace(dataspace) {
            let _ = self.device_memory.add(first..first + count);
        }
        self.free_dataspace(dataspace);
    }

    /// Takes ports from the domains that were given them.
    pub fn take_ports(&self, first: u64, count: u64, granted: &[Id]) {
        for pd in granted.iter().filter_map(|pd| self.pd(*pd).ok()) {
            let remote = Some(pd.domain.selector());
            for (port, order) in pieces(first..first + count) {
                let how = Revocation { itself: true, remote, ..Revocation::default() };
                let _ = hypercall::revoke(Crd::port(port, order), how);
            }
        }
    }
}

/// The calls of a session of a line.
pub struct Irq<'a>(pub &'a mut Core, pub Id);

impl Irq<'_> {
    /// The line's semaphore.
    fn line(&self) -> Result<Cap> {
        match self.0.session(self.1)?.kind {
            Kind::Irq(_, line, _) => Ok(line),
            _ => Err(Failure::BadCapability),
        }
    }
}

/// The place of the signal of a session of a line.
fn signal_of_line(core: &mut Core, id: Id) -> Result<&mut Cap> {
    match &mut core.session_mut(id)?.kind {
        Kind::Irq(_, _, signal) => Ok(signal),
        _ => Err(Failure::BadCapability),
    }
}

impl irq::Server for Irq<'_> {
    fn sigh(&mut self, signal: Cap) -> Result<()> {
        let line = self.line()?;
        unchain(line);
        self.0.keep(signal, signal_of_line, self.1)?;
        if signal.is_none() {
            return Ok(());
        }
        let cpu = self.0.root.cpu;
        match hypercall::assign_gsi(line.selector(), 0, 0, cpu, signal.selector()).0 {
            Status::SUCCESS => Ok(()),
            _ => Err(Failure::BadCapability),
        }
    }

    fn ack(&mut self) -> Result<()> {
        match hypercall::down(self.line()?.selector(), 1) {
            Status::SUCCESS | Status::TIMEOUT => Ok(()),
            _ => Err(Failure::Gone),
        }
    }
}
