// SPDX-License-Identifier: MIT
//! What has to hold of memory between two hypercalls, whatever the last one came to: for tests.

use std::collections::BTreeMap;

use super::crd::Kind;
use super::memory::access;
use super::nodes::{DomainId, Target};
use super::{Nova, USER_LIMIT};
use crate::mem::shared::SharedFrame;
use crate::mem::space::PAGE_LEN;
use crate::object::Objects;
use crate::object::processor::Processor;

impl Nova {
    /// Whether a thread of a domain has its message page there.
    fn is_message_page(&self, domain: DomainId, address: u64, frame: u64) -> bool {
        let own = self.things.threads.all().filter(|thread| thread.domain == domain);
        let mut pages = own.filter_map(|thread| thread.page.as_ref());
        pages.any(|page| page.address == address && page.frame.number() == frame)
    }

    /// Checks that a domain has each page that it has mapped, at that frame and with those rights, and that a frame has
    /// as many owners as it has mappings and holders: the kernel's objects, and those of `held`.
    pub fn audit<P: Processor>(&self, objects: &mut Objects<P>, held: &[u64]) {
        let mut owners = BTreeMap::<u64, usize>::new();
        let mut own = |frame| *owners.entry(frame).or_default() += 1;
        for (domain, counted) in self.things.domains.iter() {
            let Some((_, space)) = counted.object.group else { continue };
            let space = objects.space_mut(space);
            let mut from = 0;
            while let Some(page) = space.next_mapped(from, USER_LIMIT) {
                from = page + PAGE_LEN;
                if space.has_own(page) {
                    // The code of a script.
                    continue;
                }
                let Ok(Some(mapped)) = space.share(page) else { panic!("{page:#x} is not shared") };
                let frame = mapped.number();
                own(frame);
                if self.is_message_page(domain, page, frame) {
                    continue;
                }
                let had = self.nodes.get(domain, Kind::Memory, page / PAGE_LEN);
                let Some((Target::Memory { frame: of_node, .. }, rights)) = had else {
                    panic!("{domain:?} maps {page:#x} and does not have it");
                };
                assert_eq!(frame, of_node, "{page:#x} of {domain:?} is another frame's");
                assert_eq!(space.access(page), Some(access(rights)), "{page:#x} of {domain:?}");
            }
        }
        let pages = self.things.threads.all().filter_map(|thread| thread.page.as_ref());
        pages.for_each(|page| own(page.frame.number()));
        self.information.iter().for_each(|page| own(page.number()));
        held.iter().for_each(|frame| own(*frame));
        for (number, owners) in owners {
            let Some(frame) = SharedFrame::numbered(number) else { panic!("frame {number:#x} is nobody's") };
            // One of them is the one that was asked for just now.
            assert_eq!(frame.owners() - 1, owners, "owners of frame {number:#x}");
        }
    }
}
