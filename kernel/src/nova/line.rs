// SPDX-License-Identifier: MIT
//! Interrupts as semaphores: the kernel's own domain has one for each line, which the line raises.
//!
//! A line can be chained to another semaphore, mostly a signal, which is raised then instead. Whatever comes before is
//! counted, and told when it is chained. To lower a line's semaphore is to acknowledge the interrupt: a line that was
//! masked when it interrupted does so again from then on.

use super::Nova;
use super::call::Status;
use super::crd::{Kind, Rights, Span};
use super::information::PROCESSORS;
use super::nodes::Target;
use super::semaphore::key;
use super::things::{Object, SemaphoreId};
use crate::mem::fallible::{self, Exhausted};
use crate::mem::space::PAGE_LEN;
use crate::object::Objects;
use crate::object::interrupt::{LINES, Message, Polarity, Trigger, Wire};
use crate::object::processor::Processor;
use crate::object::scheduler::ThreadId;

/// What stands for no semaphore.
const NOTHING: u64 = u64::MAX;

/// A line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// The semaphore that it raises.
    semaphore: SemaphoreId,
    /// The one that it raises instead.
    chained: Option<SemaphoreId>,
    /// How it was said to interrupt, if it was.
    wire: Option<Wire>,
}

/// What a thread asks for that wants a line's interrupts.
pub(super) struct Assignment {
    /// The line's semaphore.
    pub semaphore: u64,
    /// Where the device's configuration is, if it is to write messages.
    pub config: u64,
    /// The processor that is to be interrupted.
    pub processor: u64,
    /// The semaphore that is to be raised instead.
    pub chained: u64,
    /// Whether it interrupts by a level, and whether low, if that is said.
    pub mode: Option<(bool, bool)>,
}

impl Nova {
    /// Gives the kernel's own domain a semaphore for each line.
    pub(super) fn fill_lines<P: Processor>(&mut self, objects: &mut Objects<P>) -> Result<(), Exhausted> {
        let kernel = self.kernel;
        fallible::reserve(&mut self.lines, LINES.into())?;
        for line in 0..LINES {
            let id = self.make_semaphore(kernel, 0, None).map_err(|_: Status| Exhausted)?;
            self.things.semaphores[id].object.line = Some(line);
            let (target, span) =
                (Target::Object(Object::Semaphore(id)), Span::one(PROCESSORS + u64::from(line)));
            let (nodes, mut following) = self.following(objects);
            nodes.create(kernel, span, Object::Semaphore(id).rights(), target, &mut following)?;
            fallible::push_reserved(&mut self.lines, Line { semaphore: id, chained: None, wire: None });
        }
        Ok(())
    }

    /// The line that raises a semaphore, if one does.
    fn line_of(&self, id: SemaphoreId) -> Option<u8> {
        self.things.semaphores[id].object.line
    }

    /// Has a line interrupt, and raise another semaphore if one is named; tells the thread what the device is to write if
    /// it has no pin.
    pub(super) fn assign_line<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        asked: &Assignment,
    ) -> Result<(), Status> {
        // There is the first one only.
        if asked.processor != 0 {
            return Err(Status::BadProcessor);
        }
        let semaphore = self.semaphore(thread, asked.semaphore, 0)?;
        let line = self.line_of(semaphore).ok_or(Status::BadCapability)?;
        objects.lines.reserve().map_err(|Exhausted| Status::OutOfMemory)?;
        if asked.chained != NOTHING {
            let chained = self.semaphore(thread, asked.chained, 0)?;
            if chained == semaphore {
                self.chain(objects, line, None);
                return Ok(());
            }
            if self.line_of(chained).is_some() {
                return Err(Status::BadCapability);
            }
            self.chain(objects, line, Some(chained));
        }
        let wired = objects.processor.wire(line);
        if asked.config != 0 && (wired.is_some() || !self.writes_messages(objects, thread, asked.config)) {
            return Err(Status::BadDevice);
        }
        let state = &mut self.lines[usize::from(line)];
        if let Some((is_level, is_low)) = asked.mode {
            let trigger = if is_level { Trigger::Level } else { Trigger::Edge };
            let polarity = if is_low { Polarity::Low } else { Polarity::High };
            state.wire = Some(Wire { trigger, polarity });
        }
        // A message is an edge, whatever is said.
        let wire = wired.map_or(Wire::ISA, |usual| state.wire.unwrap_or(usual));
        objects.open_line(line, wire);
        let Message { address, data } = match wired {
            Some(_) => Message { address: 0, data: 0 },
            None => objects.processor.message(line),
        };
        let registers = objects.registers_mut(thread);
        (registers.rsi, registers.rdx) = (address, address << 32 | u64::from(data));
        Ok(())
    }

    /// Whether a thread's domain has a device's configuration at an address that can write messages: of those there
    /// is the event timer only, as no machine that is known here has PCI's configuration in memory.
    fn writes_messages<P: Processor>(&self, objects: &Objects<P>, thread: ThreadId, address: u64) -> bool {
        let domain = self.things.look(thread).domain;
        let timer = objects.processor.event_timer();
        match self.nodes.get(domain, Kind::Memory, address / PAGE_LEN) {
            Some((Target::Memory { frame, .. }, rights)) => {
                rights.contains(Rights::READ) && timer == Some(frame * PAGE_LEN)
            }
            _ => false,
        }
    }

    /// Has a line raise another semaphore, or its own again; what it has counted so far is told to the other one.
    fn chain<P: Processor>(&mut self, objects: &mut Objects<P>, line: u8, chained: Option<SemaphoreId>) {
        let own = self.lines[usize::from(line)].semaphore;
        if let Some(chained) = chained {
            self.things.use_object(Object::Semaphore(chained));
        }
        if let Some(before) = core::mem::replace(&mut self.lines[usize::from(line)].chained, chained) {
            self.things.release(Object::Semaphore(before));
        }
        if let Some(chained) = chained {
            let count = core::mem::take(&mut self.things.semaphores[own].object.count);
            self.raise_often(objects, chained, count);
        }
        self.bury(objects);
    }

    /// A line has interrupted so often.
    pub fn interrupt<P: Processor>(&mut self, objects: &mut Objects<P>, line: u8, count: u32) {
        let Line { semaphore, chained, .. } = self.lines[usize::from(line)];
        self.raise_often(objects, chained.unwrap_or(semaphore), count.into());
    }

    /// Somebody lowers a semaphore: if it is a line's, its interrupts are acknowledged. Returns whether that is all,
    /// since the line raises another one.
    pub(super) fn acknowledge<P: Processor>(&mut self, objects: &mut Objects<P>, id: SemaphoreId) -> bool {
        let Some(line) = self.line_of(id) else { return false };
        objects.acknowledge_line(line);
        self.lines[usize::from(line)].chained.is_some()
    }

    /// Whether a line can still interrupt that is chained, or that a thread waits for: a run does not end before.
    pub fn awaits_lines<P: Processor>(&self, objects: &Objects<P>) -> bool {
        let is_awaited = |Line { semaphore, chained, .. }: &Line| {
            chained.is_some() || objects.scheduler.first(key(*semaphore)).is_some()
        };
        (0..).zip(&self.lines).any(|(line, state)| objects.lines.is_open(line) && is_awaited(state))
    }
}
