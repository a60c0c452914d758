// SPDX-License-Identifier: MIT
//! Which statuses each call has answered, against the interface's list for one processor without IOMMU and SVM.

use nova_rt::hypercall::number;
use nova_rt::seen;

use crate::suite::Suite;

/// A call: its name, its number, its flags, the statuses that it has to have answered, and those that it may answer,
/// since a kernel may do without something.
struct Row(&'static str, u64, core::ops::Range<u64>, &'static [u8], &'static [u8]);

const ROWS: [Row; 28] = [
    Row("call", number::CALL, 0..16, &[0, 1, 2, 4], &[]),
    Row("create_pd", number::CREATE_PD, 0..16, &[0, 4, 5, 9], &[]),
    Row("create_ec", number::CREATE_EC, 0..16, &[0, 4, 5, 6, 7, 9], &[]),
    Row("create_sc", number::CREATE_SC, 0..16, &[0, 4, 5, 9], &[]),
    Row("create_pt", number::CREATE_PT, 0..16, &[0, 4, 5, 9], &[]),
    Row("create_sm", number::CREATE_SM, 0..16, &[0, 4, 9], &[]),
    Row("revoke", number::REVOKE, 0..16, &[0, 4], &[]),
    Row("lookup", number::MISC, 0..1, &[0], &[9]),
    Row("delegate", number::MISC, 1..2, &[0, 4, 9], &[]),
    Row("suspend", number::MISC, 2..3, &[4], &[5, 9]),
    Row("misc beyond", number::MISC, 3..15, &[5], &[]),
    Row("ec_ctrl recall", number::EC_CTRL, 0..1, &[0, 4], &[]),
    Row("ec_ctrl yield", number::EC_CTRL, 1..2, &[0], &[9]),
    Row("ec_ctrl donate", number::EC_CTRL, 2..3, &[4, 5], &[0]),
    Row("ec_ctrl reschedule", number::EC_CTRL, 3..4, &[0], &[]),
    Row("ec_ctrl migrate", number::EC_CTRL, 4..5, &[5], &[]),
    Row("ec_ctrl time", number::EC_CTRL, 5..6, &[4], &[0, 5]),
    Row("ec_ctrl of virtual processors", number::EC_CTRL, 6..8, &[4], &[]),
    Row("ec_ctrl registers", number::EC_CTRL, 8..9, &[4], &[]),
    Row("ec_ctrl beyond", number::EC_CTRL, 9..16, &[5], &[]),
    Row("sc_ctrl", number::SC_CTRL, 0..16, &[4], &[0, 5, 9]),
    Row("pt_ctrl", number::PT_CTRL, 0..16, &[0, 4], &[9]),
    Row("sm_ctrl up", number::SM_CTRL, 0..1, &[0, 4], &[9]),
    Row("sm_ctrl down", number::SM_CTRL, 1..4, &[0, 1, 4], &[]),
    Row("assign_pci", number::ASSIGN_PCI, 0..16, &[4, 8], &[9]),
    Row("assign_gsi", number::ASSIGN_GSI, 0..16, &[0, 4, 7, 8], &[9]),
    Row("pd_ctrl transfer", number::PD_CTRL, 0..1, &[0, 4, 5], &[]),
    Row("pd_ctrl debug", number::PD_CTRL, 2..3, &[0, 4], &[9]),
];

pub fn run(suite: &mut Suite) {
    for Row(name, number, flags, must, may) in ROWS {
        for status in must {
            suite.say(format_args!("{name} -> {status}"));
        }
        let bits = |statuses: &[u8]| statuses.iter().fold(0u16, |bits, status| bits | 1 << status);
        suite.equal(name, seen::statuses(number, flags) & !bits(may), bits(must));
    }
}
