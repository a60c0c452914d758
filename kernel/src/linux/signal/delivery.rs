// SPDX-License-Identifier: MIT
//! Getting signals to the program: handlers are entered and left between two PEs.
//!
//! A frame is written through the program's own memory interface, so pages come on
//! demand and hot ones are refreshed. If it cannot be written, SIGSEGV is the answer,
//! and for SIGSEGV itself the end.

use linux_raw_sys::general::{SA_NODEFER, SI_KERNEL, SIGSEGV};
use pe_replay::UserRegisters;
use pe_replay::stop::vector;
use pe_replay::user::{Extended, xsave};

use super::exception::{BadPage, Exception};
use super::frame::{self, BadFrame, Content};
use super::{Detail, Disposition, Info, Stack, bit};
use crate::linux::errno::{Failure, Reply};
use crate::linux::view::View;
use crate::linux::{Linux, Next, SIGBUS, SIGKILL};
use crate::mem::space::Space;

/// The kernel's own complaint.
const BAD_FRAME: Info = Info { signal: SIGSEGV, code: SI_KERNEL as i32, detail: Detail::None };

impl Linux {
    /// A committed exception that is the program's own: its handler is entered, or it ends.
    pub fn exception(&mut self, view: &mut View, state: &mut UserRegisters, exception: Exception) -> Next {
        let trap = &mut self.thread.signals.trap;
        (trap.number, trap.error) = (exception.vector.into(), exception.visible_error().into());
        self.thread.signals.force(&mut self.handlers[self.process.handlers], exception.signal(state));
        self.deliver(view, state)
    }

    /// A committed page fault that [`page_fault`](Self::page_fault) did not resolve, and
    /// the signal that it gave.
    pub fn bad_page(
        &mut self,
        view: &mut View,
        state: &mut UserRegisters,
        (address, error): (u64, u32),
        signal: u8,
    ) -> Next {
        if signal == SIGKILL {
            // With room made, the instruction is executed again.
            return if self.makes_room(view.scheduler) { Next::Yield } else { Next::OutOfMemory };
        }
        let trap = &mut self.thread.signals.trap;
        (trap.number, trap.error, trap.cr2) = (vector::PAGE_FAULT.into(), error.into(), address);
        let is_mapped = self.memories[self.process.memory].areas().find(address).is_some();
        let is_past_end = signal == SIGBUS;
        self.thread.signals.force(
            &mut self.handlers[self.process.handlers],
            BadPage { address, error, is_mapped, is_past_end }.signal(),
        );
        self.deliver(view, state)
    }

    /// Does what has to be done about all pending signals: enters handlers, or ends the program.
    #[inline]
    pub fn deliver(&mut self, view: &mut View, state: &mut UserRegisters) -> Next {
        if !self.thread.signals.is_alerted { Next::Continue } else { self.deliver_due(view, state) }
    }

    #[cold]
    #[inline(never)]
    fn deliver_due(&mut self, view: &mut View, state: &mut UserRegisters) -> Next {
        while let Some((info, fate)) = self.next_due() {
            match fate {
                Disposition::Ignore => {}
                Disposition::Stop if self.stop(view.scheduler, info.signal) => return Next::Wait,
                Disposition::Stop => {}
                Disposition::Kill => return Next::Kill { signal: info.signal as u8 },
                Disposition::Handle(action) => {
                    let content = Content {
                        info,
                        action,
                        mask: self.thread.signals.take_saved(),
                        stack: self.thread.signals.stack,
                        trap: self.thread.signals.trap,
                    };
                    match self.enter_handler(view.space, state, &content) {
                        Ok(()) => {}
                        Err(Failure::End(next)) => return next,
                        Err(Failure::Wait(_)) => unreachable!("to write a frame waits for nobody"),
                        Err(Failure::Errno(_)) if info.signal == SIGSEGV => {
                            self.thread
                                .signals
                                .force_fatal(&mut self.handlers[self.process.handlers], BAD_FRAME);
                        }
                        Err(Failure::Errno(_)) => {
                            self.thread.signals.force(&mut self.handlers[self.process.handlers], BAD_FRAME)
                        }
                    }
                }
            }
        }
        Next::Continue
    }

    fn enter_handler(
        &mut self,
        space: &mut Space,
        state: &mut UserRegisters,
        content: &Content,
    ) -> Result<(), Failure> {
        let place = frame::place(state.rsp, content.action, content.stack)?;
        let mut user = self.user(space);
        user.write(place.extended, &frame::extended_bytes(&state.extended))?;
        user.write(place.frame, &frame::bytes(state, place, content))?;
        if content.stack.autodisarm {
            self.thread.signals.stack = Stack::default();
        }
        let own = if content.action.has(SA_NODEFER) { 0 } else { bit(content.info.signal) };
        self.thread
            .signals
            .set_blocked(self.thread.signals.blocked() | content.action.mask | own, &self.process.pending);
        frame::enter_handler(state, place, content);
        Ok(())
    }

    /// `rt_sigreturn`: everything that the frame says is checked or confined.
    pub fn rt_sigreturn(&mut self, space: &mut Space, state: &mut UserRegisters) -> Reply {
        match self.leave_handler(space, state) {
            Ok(()) => Ok(state.rax),
            Err(Failure::Errno(_)) => {
                self.thread.signals.force(&mut self.handlers[self.process.handlers], BAD_FRAME);
                Ok(0)
            }
            Err(end @ (Failure::End(_) | Failure::Wait(_))) => Err(end),
        }
    }

    fn leave_handler(&mut self, space: &mut Space, state: &mut UserRegisters) -> Result<(), Failure> {
        // The return address has been popped.
        let bytes = self.user(space).structure(state.rsp.wrapping_sub(8))?;
        let mut restored = frame::restore(&bytes, state)?;
        restored.state.extended = self.read_extended(space, restored.extended)?;
        self.thread.signals.set_blocked(restored.mask, &self.process.pending);
        // A stack that cannot be is not set, as on Linux.
        let _ = self.set_stack(&restored.stack, restored.state.rsp);
        state.clone_from(&restored.state);
        Ok(())
    }

    fn read_extended(&mut self, space: &mut Space, address: u64) -> Result<Extended, Failure> {
        if address == 0 {
            return Ok(Extended::default());
        }
        if !address.is_multiple_of(64) {
            return Err(BadFrame.into());
        }
        let mut user = self.user(space);
        let legacy: [u8; xsave::HEADER] = user.structure(address)?;
        let whole = frame::claims_all(&legacy);
        let mut area = [0; frame::EXTENDED_LEN];
        area[..xsave::HEADER].copy_from_slice(&legacy);
        if whole {
            area = user.structure(address)?;
        }
        Ok(frame::restore_extended(&area, whole)?)
    }
}
