// SPDX-License-Identifier: MIT
//! Registers over every hypercall: status in RDI, RCX and R11 destroyed, results where they are listed, all else kept.

use nova_rt::hypercall::number;
use nova_rt::seen;
use nova_rt::trial::{self, Everything, place};
use nova_rt::{Crd, Status};

use super::FREE;
use crate::suite::Suite;

/// A register that a call may change, by its place.
type Results = &'static [usize];

/// A call: its name, number, flags and selector, its parameters, its status, and its results.
type Case = (&'static str, u64, u64, u64, [u64; 4], u8, Results);

/// The registers in which parameters are, by their places, in their order.
const PARAMETERS: [usize; 4] = [place::RSI, place::RDX, place::RAX, place::R8];

pub fn run(suite: &mut Suite) {
    let root = suite.root;
    let semaphore = suite.semaphore(1 << 20);
    let missing = Crd::object(FREE, 0, 0x1f).0;
    let own = Crd::object(root.pd, 0, 0x1f).0;
    let cases: [Case; 22] = [
        ("call", number::CALL, 0, FREE, [1, 2, 3, 4], 4, &[]),
        ("create_pd", number::CREATE_PD, 0, FREE, [FREE, 2, 3, 4], 4, &[]),
        ("create_ec", number::CREATE_EC, 0, FREE, [FREE, 0x5000, 3, 4], 4, &[]),
        ("create_sc", number::CREATE_SC, 0, FREE, [FREE, FREE, 3, 4], 4, &[]),
        ("create_pt", number::CREATE_PT, 0, FREE, [FREE, FREE, 3, 4], 4, &[]),
        ("create_sm", number::CREATE_SM, 0, FREE, [FREE, 2, 3, 4], 4, &[]),
        ("revoke", number::REVOKE, 1, 0, [missing, 2, 3, 4], 0, &[place::RDX]),
        ("revoke that fails", number::REVOKE, 3, 0, [missing, FREE, 3, 4], 4, &[]),
        ("lookup", number::MISC, 0, 0, [own, 2, 3, 4], 0, &[place::RSI]),
        ("delegate that fails", number::MISC, 1, FREE, [1, FREE, 3, 4], 4, &[]),
        ("suspend that fails", number::MISC, 2, FREE, [1, 2, 3, 4], 4, &[]),
        ("misc 4", number::MISC, 4, 0, [1, 2, 3, 4], 5, &[]),
        ("recall that fails", number::EC_CTRL, 0, FREE, [0, 2, 3, 4], 4, &[]),
        ("yield", number::EC_CTRL, 1, FREE, [1, 2, 3, 4], 0, &[]),
        ("reschedule", number::EC_CTRL, 3, FREE, [1, 2, 3, 4], 0, &[]),
        ("sc_ctrl that fails", number::SC_CTRL, 0, FREE, [1, 2, 3, 4], 4, &[]),
        ("pt_ctrl that fails", number::PT_CTRL, 0, FREE, [1, 2, 3, 4], 4, &[]),
        ("up", number::SM_CTRL, 0, semaphore, [1, 2, 3, 4], 0, &[]),
        ("down", number::SM_CTRL, 1, semaphore, [0, 2, 3, 4], 0, &[]),
        ("down to 0, in the past", number::SM_CTRL, 3, FREE, [0, 1, 3, 4], 4, &[]),
        ("assign_pci that fails", number::ASSIGN_PCI, 0, FREE, [1, 2, 3, 4], 4, &[]),
        ("pd_ctrl", number::PD_CTRL, 2, root.pd, [1, 2, 3, 4], 0, &[place::RSI, place::RDX]),
    ];
    for (what, number, flags, selector, parameters, status, results) in cases {
        let rdi = selector << 8 | flags << 4 | number;
        let mut sent = Everything::pattern(0xabc).with(&[(place::RDI, rdi)]);
        PARAMETERS.into_iter().zip(parameters).for_each(|(place, value)| sent.general[place] = value);
        let mut after = sent;
        trial::hypercall(&mut after);
        seen::remember(rdi, Status(after.general[place::RDI] as u8));
        let changed = [place::RDI, place::RCX, place::R11];
        let kept = (0..15)
            .filter(|index| !changed.contains(index) && !results.contains(index))
            .all(|index| after.general[index] == sent.general[index]);
        let destroyed = (after.general[place::RCX], after.general[place::R11], after.flags);
        suite.equal(what, (after.general[place::RDI] as u8, kept), (status, true));
        suite.equal("what is destroyed", destroyed, (trial::next(), 0x200, 0x202));
    }
}
