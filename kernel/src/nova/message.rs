// SPDX-License-Identifier: MIT
//! What a message carries from one thread to another: words, and items that hand capabilities on.

use super::Nova;
use super::call::Status;
use super::crd::{Crd, Item, Kind, Rights, Span, Transfer, word};
use super::nodes::DomainId;
use super::serve::give_back_if_few;
use super::utcb::{Page, Utcb};
use crate::mem::fallible::Exhausted;
use crate::mem::shared::SharedFrame;
use crate::object::Objects;
use crate::object::processor::Processor;
use crate::object::scheduler::ThreadId;

/// A message page, through its frame: whoever has it mapped where.
pub struct Shared<'a>(&'a SharedFrame);

impl Page for Shared<'_> {
    fn read(&self, offset: usize, into: &mut [u8]) {
        self.0.read(offset, into);
    }

    fn write(&mut self, offset: usize, from: &[u8]) {
        self.0.write(offset, from);
    }
}

/// The window of an answer to an event: all memory, and nothing is translated.
const EVENT_WINDOWS: (u64, u64) = {
    let all = Crd { kind: Kind::Memory, span: Span { base: 0, order: 31 }, rights: Rights::ALL };
    (0, all.span.base << 12 | (all.span.order as u64) << 7 | (all.rights.bits() as u64) << 2 | 1)
};

/// What is done with the items of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Windows {
    /// They go through the windows that the receiver has opened.
    Own,
    /// They are an answer to an event.
    Event,
}

impl Nova {
    /// Looks at a thread's message page, if it has one.
    pub(super) fn look_at_page<T>(
        &self,
        thread: ThreadId,
        look: impl FnOnce(&Utcb<'_, Shared<'_>>) -> T,
    ) -> Option<T> {
        let page = self.things.look(thread).page.as_ref()?;
        Some(look(&Utcb(&mut Shared(&page.frame))))
    }

    /// Does something with a thread's message page, if it has one, and tells the current space, which may show it.
    pub(super) fn with_page<P: Processor, T>(
        &self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        act: impl FnOnce(&mut Utcb<'_, Shared<'_>>) -> T,
    ) -> Option<T> {
        let page = self.things.look(thread).page.as_ref()?;
        let result = act(&mut Utcb(&mut Shared(&page.frame)));
        objects.processor.space_mut().note_write(&page.frame);
        Some(result)
    }

    /// Takes the words of a thread's message to another thread.
    pub(super) fn send_words<P: Processor>(&self, objects: &mut Objects<P>, from: ThreadId, to: ThreadId) {
        self.look_at_page(from, |sent| self.with_page(objects, to, |received| received.copy_words(sent)));
    }

    /// Hands the items of a thread's message on, and tells the receiver what it has got. Where frames are lacking, those
    /// of copies of pages are taken; what was handed on before that is passed over.
    pub(super) fn send_items<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        from: ThreadId,
        to: ThreadId,
        windows: Windows,
    ) -> Result<(), Exhausted> {
        let sent = self.try_items(objects, from, to, windows);
        if sent.is_ok() || !give_back_if_few(objects) {
            return sent;
        }
        self.try_items(objects, from, to, windows)
    }

    fn try_items<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        from: ThreadId,
        to: ThreadId,
        windows: Windows,
    ) -> Result<(), Exhausted> {
        let items = self.look_at_page(from, |page| page.counts().1).unwrap_or(0);
        if items == 0 {
            return Ok(());
        }
        let own = self.look_at_page(to, |page| page.windows());
        let (translate, receive) = match windows {
            Windows::Own => own.unwrap_or_default(),
            Windows::Event => EVENT_WINDOWS,
        };
        let domains = (self.things.look(from).domain, self.things.look(to).domain);
        for index in 0..items {
            let Some(item) = self.look_at_page(from, |page| page.item(index)) else { break };
            let (crd, was_delegated) =
                self.hand_on(objects, item, domains, Crd::from_word(translate), receive)?;
            if windows == Windows::Own {
                self.with_page(objects, to, |page| {
                    page.set_item(index, word(crd), item.answer(was_delegated))
                });
            }
        }
        Ok(())
    }

    /// Hands one item on; returns what the receiver has got, and whether it was not told a name of its own.
    fn hand_on<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        item: Item,
        (from, to): (DomainId, DomainId),
        translate: Option<Crd>,
        receive: u64,
    ) -> Result<(Option<Crd>, bool), Exhausted> {
        let Some(crd) = item.crd else { return Ok((None, item.transfer() == Transfer::TranslateOrDelegate)) };
        let translated = || self.nodes.translate(from, crd, to, translate?);
        match item.transfer() {
            Transfer::Nothing => Ok((None, false)),
            Transfer::Translate => Ok((translated(), false)),
            Transfer::Delegate => Ok((self.give(objects, item, crd, (from, to), receive)?, true)),
            Transfer::TranslateOrDelegate => match translated() {
                Some(own) => Ok((Some(own), false)),
                None => Ok((self.give(objects, item, crd, (from, to), receive)?, true)),
            },
        }
    }

    /// Delegates one item; returns what the receiver is told.
    fn give<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        item: Item,
        crd: Crd,
        (from, to): (DomainId, DomainId),
        receive: u64,
    ) -> Result<Option<Crd>, Exhausted> {
        let Some(what) = Crd::from_word(receive).and_then(|window| crd.meet(window, item.hotspot())) else {
            return Ok(None);
        };
        let is_kernels = item.is_from_kernel() && from == self.root;
        let from = if is_kernels { self.kernel } else { from };
        let is_write_combined = is_kernels && item.is_write_combined();
        let (nodes, mut following) = self.following(objects);
        nodes.delegate(from, to, what, is_write_combined, &mut following)?;
        Ok(Some(what.result()))
    }

    /// Delegates the items on a thread's own page from one domain to another, without a message.
    pub(super) fn delegate<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        from: DomainId,
        to: DomainId,
        window: u64,
    ) -> Result<(), Status> {
        let items = self.look_at_page(thread, |page| page.counts().1).unwrap_or(0);
        for index in 0..items {
            let Some(item) = self.look_at_page(thread, |page| page.item(index)) else { break };
            let given = self.hand_on(objects, item, (from, to), None, window);
            given.map_err(|Exhausted| Status::OutOfMemory)?;
        }
        Ok(())
    }
}
