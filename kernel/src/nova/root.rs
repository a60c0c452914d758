// SPDX-License-Identifier: MIT
//! How a system begins: the kernel's own domain, which has everything, that of message pages, and the first domain with
//! its thread.

use arrayvec::ArrayString;
use pe_replay::UserRegisters;

use super::Nova;
use super::call::Status;
use super::crd::{Rights, Span};
use super::create::cost;
use super::frames;
use super::nodes::{DomainId, Target};
use super::things::{Context, Counted, Domain, MessagePage, Object, Quota, Resume};
use super::utcb::FIXED_FLAGS;
use crate::arch::processor;
use crate::arch::segment::{USER_CS, USER_SS};
use crate::mem::fallible::Exhausted;
use crate::mem::shared::SharedFrame;
use crate::mem::space::{OutOfFrames, PAGE_LEN};
use crate::object::Objects;
use crate::object::processor::Processor;
use crate::object::scheduler::Order;

/// Where the first thread finds the information page.
pub const INFORMATION: u64 = super::USER_LIMIT - PAGE_LEN;
/// Where the first thread finds its message page.
pub const FIRST_PAGE: u64 = INFORMATION - PAGE_LEN;
/// The selector of the first domain's own capability; those of its thread, its budget, and two authorities follow.
pub const FIRST_SELECTOR: u64 = 32;
/// The first thread's priority.
const PRIORITY: u8 = 1;
/// Instructions of a turn of the first thread: ten milliseconds, a thousand to a microsecond.
const SLICE: u64 = 10_000_000;
/// The binary logarithm of how many ports there are.
const PORTS_ORDER: u8 = 16;

/// What the first domain begins with.
pub struct Beginning<'a> {
    /// Where its thread begins.
    pub entry: u64,
    /// What the information page holds.
    pub information: &'a [u8],
    /// What there is of memory for programs, as frames, and what may be done with it: RAM and devices, without what the
    /// kernel keeps.
    pub memory: &'a [(Span, Rights)],
    /// The image, as it is to be seen: the first page, the first frame, how many, and the rights.
    pub image: &'a [(u64, u64, u64, Rights)],
    /// Kernel memory, in pages.
    pub kernel_pages: u64,
    /// The text on the console that ends the run; none if it is empty.
    pub until: &'static [u8],
}

impl Nova {
    /// A thread's registers before its first instruction.
    pub fn first_registers() -> UserRegisters {
        UserRegisters::new(USER_CS, USER_SS)
    }

    /// The kernel's own domain and the first one, in which the current thread runs.
    pub fn begin<P: Processor>(
        objects: &mut Objects<P>,
        beginning: &Beginning<'_>,
    ) -> Result<Self, Exhausted> {
        let mut nova = Self::empty();
        // Nobody counts what it has.
        nova.kernel = nova.add_domain(None, Quota { limit: u64::MAX, ..Quota::default() })?;
        nova.pages = nova.add_domain(None, Quota { limit: u64::MAX, ..Quota::default() })?;
        let group = objects.keep_group(objects.current());
        let quota = Quota {
            limit: beginning.kernel_pages,
            kept: beginning.kernel_pages.min(256),
            ..Quota::default()
        };
        nova.root = nova.add_domain(Some(group), quota)?;
        nova.fill_kernel(objects, beginning)?;
        nova.fill_lines(objects)?;
        nova.fill_root(objects, beginning)?;
        Ok(nova)
    }

    fn add_domain(
        &mut self,
        group: Option<(crate::object::ProcessId, crate::object::SpaceId)>,
        quota: Quota,
    ) -> Result<DomainId, Exhausted> {
        self.things.reserve()?;
        self.things.domains.reserve()?;
        let id = self.things.domains.next();
        self.nodes.reserve(id)?;
        let domain = Domain { group, quota, parent: None, label: ArrayString::new() };
        self.things.domains.insert_reserved(Counted::new(domain));
        self.things.note_made();
        // The kernel needs each of these for ever.
        self.things.use_object(Object::Domain(id));
        Ok(id)
    }

    /// Gives the kernel's own domain what there is.
    fn fill_kernel<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        beginning: &Beginning<'_>,
    ) -> Result<(), Exhausted> {
        let kernel = self.kernel;
        let (nodes, mut following) = self.following(objects);
        let ports = Span { base: 0, order: PORTS_ORDER };
        nodes.create(kernel, ports, Rights::ALL, Target::Port, &mut following)?;
        let idle = Object::Idle;
        nodes.create(kernel, Span::one(0), idle.rights(), Target::Object(idle), &mut following)?;
        for (span, rights) in beginning.memory {
            let target = Target::Memory { frame: span.base, is_write_combined: false };
            nodes.create(kernel, *span, *rights, target, &mut following)?;
        }
        Ok(())
    }

    /// Gives the first domain its image, its pages, and its first capabilities.
    fn fill_root<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        beginning: &Beginning<'_>,
    ) -> Result<(), Exhausted> {
        let (root, thread) = (self.root, objects.current());
        let information = SharedFrame::zeroed().map_err(|OutOfFrames| Exhausted)?;
        information.write(0, beginning.information);
        let page = SharedFrame::zeroed().map_err(|OutOfFrames| Exhausted)?;
        {
            let (nodes, mut following) = self.following(objects);
            let mut map = |page: u64, frame: u64, count: u64, rights| {
                let mut done = 0;
                while done < count {
                    let order =
                        frames::order(page + done, page + count).min(frames::order(frame + done, u64::MAX));
                    let target = Target::Memory { frame: frame + done, is_write_combined: false };
                    let span = Span { base: page + done, order };
                    nodes.create(root, span, rights, target, &mut following)?;
                    done += span.count();
                }
                Ok(())
            };
            map(INFORMATION / PAGE_LEN, information.number(), 1, Rights::READ)?;
            for (first, frame, count, rights) in beginning.image {
                map(*first, *frame, *count, *rights)?;
            }
        }
        self.hand_page(objects, FIRST_PAGE, page.number())?;
        self.information = Some(information);
        self.things.domains[root].object.quota.charge(cost::THREAD + cost::BUDGET)?;
        self.things.reserve()?;
        self.things.threads.reserve(thread)?;
        let context = Context {
            domain: root,
            is_global: true,
            page: Some(MessagePage { frame: page, address: FIRST_PAGE }),
            event_base: 0,
            resume: Resume::User,
            caller: None,
            partner: None,
            is_recalled: false,
            short: None,
        };
        self.things.threads.insert_reserved(thread, context);
        self.first = Some(thread);
        self.things.note_made();
        self.things.use_object(Object::Domain(root));
        objects.scheduler.set_order(Order::Queue);
        objects.scheduler.reserve_budget()?;
        self.things.reserve()?;
        self.things.budgets.reserve(objects.scheduler.next_budget())?;
        let budget = objects.scheduler.add_budget(thread, PRIORITY, SLICE);
        self.things.budgets.insert_reserved(budget, root);
        self.things.note_made();
        self.things.use_object(Object::Domain(root));
        self.things.use_object(Object::Thread(thread));
        self.leaving.try_reserve(1).map_err(|_| Exhausted)?;
        let out = |_: Status| Exhausted;
        let authorities = [
            self.make_semaphore(root, 0, None).map_err(out)?,
            self.make_semaphore(root, 0, None).map_err(out)?,
        ];
        let first = [Object::Domain(root), Object::Thread(thread), Object::Budget(budget)];
        let all = first.into_iter().chain(authorities.map(Object::Semaphore));
        for (selector, object) in (FIRST_SELECTOR..).zip(all) {
            let (nodes, mut following) = self.following(objects);
            let span = Span::one(selector);
            nodes.create(root, span, object.rights(), Target::Object(object), &mut following)?;
        }
        let registers = objects.registers_mut(thread);
        (registers.rip, registers.rcx) = (beginning.entry, beginning.entry);
        (registers.rsp, registers.r11, registers.rflags) = (INFORMATION, 0x200, FIXED_FLAGS);
        Ok(())
    }

    fn empty() -> Self {
        use crate::object::table::Name as _;
        Self {
            nodes: super::nodes::Nodes::default(),
            things: super::things::Things::default(),
            root: DomainId::at(0),
            kernel: DomainId::at(0),
            pages: DomainId::at(0),
            leaving: alloc::vec::Vec::new(),
            lent: None,
            ended: None,
            lines: alloc::vec::Vec::new(),
            information: None,
            mxcsr_mask: processor::mxcsr_mask(),
            first: None,
            console: Default::default(),
            trail: Default::default(),
            logs_calls: false,
        }
    }
}
