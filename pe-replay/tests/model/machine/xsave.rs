// SPDX-License-Identifier: MIT
//! What a processor does to the extended state on the way into user mode and back.

use pe_replay::user::{RESUME_FLAG, UserRegisters, XCR0, xsave};

const COMPONENTS: [(u8, core::ops::Range<usize>); 2] =
    [(1, xsave::XMM..xsave::RESERVED), (2, xsave::YMM..xsave::LEN)];

/// What XRSTOR does after FNINIT: components that are absent start out initial.
pub fn load(user: &mut UserRegisters) {
    let present = user.extended.0[xsave::HEADER];
    let area = &mut user.extended.0;
    if present & 1 == 0 {
        area[..xsave::MXCSR].fill(0);
        area[..2].copy_from_slice(&0x37fu16.to_le_bytes());
        area[xsave::ST..xsave::XMM].fill(0);
    }
    for (component, range) in COMPONENTS {
        if present & 1 << component == 0 {
            area[range].fill(0);
        }
    }
    area[xsave::HEADER] = XCR0 as u8;
}

/// What XSAVE and the entry code leave: components in their initial state are
/// absent, with anything in their place, and so is all that is not state.
pub fn save(user: &mut UserRegisters, salt: u64) {
    let noise = salt.wrapping_mul(0x9e) as u8 | 1;
    let area = &mut user.extended.0;
    let mut fnit = [0; xsave::MXCSR];
    fnit[..2].copy_from_slice(&0x37fu16.to_le_bytes());
    let values = |index: usize| xsave::ST + 16 * index..xsave::ST + 16 * index + 10;
    if area[..xsave::FTW + 1] == fnit[..xsave::FTW + 1]
        && area[xsave::FOP..xsave::MXCSR] == fnit[xsave::FOP..]
        && (0..8).all(|index| area[values(index)].iter().all(|byte| *byte == 0))
    {
        area[xsave::HEADER] &= !1;
        area[..xsave::MXCSR].fill(noise);
        area[xsave::ST..xsave::XMM].fill(noise);
    }
    for (component, range) in COMPONENTS {
        if area[range.clone()].iter().all(|byte| *byte == 0) {
            area[xsave::HEADER] &= !(1 << component);
            area[range].fill(noise);
        }
    }
    area[xsave::FTW + 1] = noise;
    area[xsave::MXCSR_MASK..xsave::ST].fill(noise);
    (0..8).for_each(|index| area[values(index).end..values(index).end + 6].fill(noise));
    area[xsave::RESERVED..xsave::HEADER].fill(noise);
    area[xsave::HEADER + 8..xsave::YMM].fill(noise);
    user.padding = salt;
    user.entry_vector = salt;
    user.entry_error = !salt;
    user.rflags = user.rflags & !RESUME_FLAG | salt << 16 & RESUME_FLAG;
}
