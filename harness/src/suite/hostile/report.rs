// SPDX-License-Identifier: MIT
//! Whether the report on a program that was ended can be true.

use anyhow::{Context as _, Result, ensure};
use pe_replay::stop::vector;
use pe_replay::user::{INTERRUPT_FLAG, USER_FLAGS};
use wire::end::Death;

use crate::workload::program::{USER_END, USER_START};

/// The flag that always reads as one.
const ALWAYS_ONE: u64 = 2;
/// How far below and above the address that an instruction names its access may fault: a far
/// call pushes two words, IRET reads five in any order.
const REACH: (u64, u64) = (16, 40);

/// Checks a report; `attacked` is the address that the case went for, `sent` says that no
/// exception is behind the signal.
pub fn check(death: &Death, attacked: Option<u64>, sent: bool) -> Result<()> {
    let Death { signal, vector: number, address, registers, .. } = *death;
    if sent {
        ensure!(number.is_none(), "the report names exception {number:?} behind what the kernel sent");
    } else {
        let number = number.context("the report names no exception")?;
        ensure!(signal == signal_of(number), "exception {number} is reported as signal {signal}");
    }
    if number == Some(vector::PAGE_FAULT) {
        let near = |attacked: u64| address.wrapping_sub(attacked).wrapping_add(REACH.0) < REACH.0 + REACH.1;
        ensure!(attacked.is_none_or(near), "the page fault is at {address:#x} instead of {attacked:x?}");
    } else {
        ensure!(address == registers.rip, "the report's address {address:#x} is not RIP");
    }
    // Behind the last byte of user space RIP may stand, but not execute. Elsewhere only a
    // jump to where the case wanted to get takes it.
    let in_user_space = (USER_START..=USER_END).contains(&registers.rip);
    ensure!(
        in_user_space || attacked == Some(registers.rip),
        "RIP {:#x} is neither in user space nor what was attacked",
        registers.rip
    );
    ensure!(
        attacked.is_none_or(|attacked| registers.gpr.contains(&attacked)),
        "no register holds the attacked address: {:x?}",
        registers.gpr
    );
    let kernels = registers.rflags & !USER_FLAGS;
    ensure!(
        kernels == INTERRUPT_FLAG | ALWAYS_ONE,
        "RFLAGS {:#x} has flags of the kernel's",
        registers.rflags
    );
    Ok(())
}

/// The signal that Linux sends for an exception of a program.
fn signal_of(vector: u8) -> u8 {
    match vector {
        0 | 16 | 19 => 8,
        1 | 3 => 5,
        6 => 4,
        11 | 12 | 17 => 7,
        _ => 11,
    }
}

#[cfg(test)]
mod tests {
    use wire::ThreadNumber;
    use wire::end::Registers;

    use super::*;

    fn report(vector: u8, address: u64, rip: u64) -> Death {
        let mut gpr = [0; 16];
        gpr[6] = 1 << 47;
        let registers = Registers { gpr, rip, rflags: 0x10246 & !(1 << 16) };
        Death {
            thread: ThreadNumber { process: 1, thread: 1 },
            signal: signal_of(vector),
            vector: Some(vector),
            address,
            registers,
        }
    }

    #[test]
    fn a_true_report_passes() {
        check(&report(6, 0x40_1000, 0x40_1000), None, false).unwrap();
        check(&report(13, 0x40_1000, 0x40_1000), Some(1 << 47), false).unwrap();
        check(&report(13, 1 << 47, 1 << 47), Some(1 << 47), false).unwrap();
        check(&report(14, (1 << 47) - 8, 0x40_1000), Some(1 << 47), false).unwrap();
    }

    #[test]
    fn what_cannot_be_is_found() {
        let wrong = |death: &Death, attacked| assert!(check(death, attacked, false).is_err(), "{death:?}");
        wrong(&report(14, 0, 0x40_1000), Some(1 << 47));
        wrong(&report(14, 1 << 46, 0x40_1000), Some(1 << 46));
        wrong(&report(6, 0, 0x40_1000), None);
        wrong(&report(13, 1 << 47, 1 << 47), None);
        let good = report(6, 0x40_1000, 0x40_1000);
        wrong(&Death { signal: 11, ..good }, None);
        wrong(&Death { vector: None, ..good }, None);
        check(&Death { vector: None, ..good }, None, true).unwrap();
        assert!(check(&good, None, true).is_err());
        for rflags in [0x46, 0x3246, 0x1_0246, 0x200] {
            wrong(&Death { registers: Registers { rflags, ..good.registers }, ..good }, None);
        }
    }
}
