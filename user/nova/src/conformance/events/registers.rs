// SPDX-License-Identifier: MIT
//! Which registers a handler is told, and which it can change.

use core::sync::atomic::Ordering;

use nova_rt::crd::{ALL, Crd};
use nova_rt::event::{ITEMS, mtd, offset};
use nova_rt::hypercall::revoke_all;
use nova_rt::thread::Worker;
use nova_rt::trial::{self, Everything, place};

use super::{REPLY, event_of, told};
use crate::suite::Suite;

pub fn run(suite: &mut Suite, worker: Worker) {
    registers(suite, worker);
    replies(suite);
}

fn registers(suite: &mut Suite, worker: Worker) {
    let sent = Everything::pattern(4);
    let mut after = sent;
    let _ = event_of(trial::undefined, &mut after);
    suite.holds("registers are kept over an event", after.general == sent.general);
    suite.equal("the handler's message has items for all", told(0), ITEMS);
    suite.equal("the descriptor is the portal's", told(offset::MTD), mtd::ALL);
    let pairs = [
        (offset::RAX, place::RAX),
        (offset::RCX, place::RCX),
        (offset::RDX, place::RDX),
        (offset::RBX, place::RBX),
        (offset::RBP, place::RBP),
        (offset::RSI, place::RSI),
        (offset::RDI, place::RDI),
    ];
    let general = pairs.iter().all(|(offset, place)| told(*offset) == sent.general[*place]);
    let extended =
        (0..8).all(|index| told(offset::R8 + 8 * index) == sent.general[place::R8 + index as usize]);
    suite.holds("the handler is told the registers", general && extended);
    suite.equal("and the stack", told(offset::RSP), trial::stack());
    suite.equal("and the flags", told(offset::RFLAGS) & !0x1_0000, 0x202);
    // Each group alone: nothing else of the page is written.
    let groups: [(&str, u64, &[u64]); 7] = [
        ("nothing", 0, &[]),
        ("RAX, RCX, RDX, RBX", mtd::ACDB, &[offset::RAX, offset::RCX, offset::RDX, offset::RBX]),
        ("RBP, RSI, RDI", mtd::BSD, &[offset::RBP, offset::RSI, offset::RDI]),
        ("RSP", mtd::RSP, &[offset::RSP]),
        ("RFLAGS", mtd::RFLAGS, &[offset::RFLAGS]),
        ("error code and address", mtd::QUAL, &[offset::ERROR, offset::ADDRESS]),
        ("R8 to R15", mtd::R8_R15, &[0x90, 0x98, 0xa0, 0xa8, 0xb0, 0xb8, 0xc0, 0xc8]),
    ];
    for (what, group, offsets) in groups {
        let _ = revoke_all(Crd::object(14, 0, ALL));
        worker.portal_at(suite.root, 14, group, 14);
        let page = worker.utcb;
        for at in (0x18..0x200).step_by(8) {
            page.put(at, !at);
        }
        let mut registers = Everything::pattern(5).with(&[(place::RSI, 0x5000)]);
        let event = event_of(trial::load, &mut registers);
        let exact = (0x28..0x200).step_by(8).all(|at| (told(at) == !at) != offsets.contains(&at));
        suite.equal(what, (event, told(offset::MTD), exact), (Some(14), group, true));
    }
}

fn replies(suite: &mut Suite) {
    let fill = Everything::pattern(0x99);
    let sent = Everything::pattern(6);
    let with = |reply| {
        let mut registers = sent;
        REPLY.store(reply, Ordering::Relaxed);
        trial::undefined(&mut registers);
        registers
    };
    suite.holds("a reply without registers changes none", with(0).general == sent.general);
    let changed = |reply, places: &[usize]| {
        let after = with(reply);
        (0..15).all(|index| {
            after.general[index]
                == if places.contains(&index) { fill.general[index] } else { sent.general[index] }
        })
    };
    suite.holds("RAX, RCX, RDX, RBX", changed(mtd::ACDB, &[0, 1, 2, 3]));
    suite.holds("RBP, RSI, RDI", changed(mtd::BSD, &[4, 5, 6]));
    suite.holds("R8 to R15", changed(mtd::R8_R15, &[7, 8, 9, 10, 11, 12, 13, 14]));
    suite.holds("error code and address are never written", changed(mtd::QUAL, &[]));
    let flags = with(mtd::RFLAGS).flags;
    suite.equal("flags", flags & 0x8d5, 0x8d5);
    suite.equal("the interrupt flag stays, privileges do not come", flags & 0x1b_3200, 0x200);
    REPLY.store(0, Ordering::Relaxed);
}
