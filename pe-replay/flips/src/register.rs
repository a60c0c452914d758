// SPDX-License-Identifier: MIT
//! How a bit of a register is flipped.

use pe_replay::user::xsave;
use pe_replay::{Field, RegisterSet, UserRegisters};
use zerocopy::IntoBytes;

/// Registers whose bits can be flipped.
pub trait Flip: RegisterSet {
    /// Flips a bit of a general register, of RIP, RFLAGS or the lower half of a vector register.
    ///
    /// # Panics
    /// If `field` is another one.
    fn flip(&mut self, field: Field, bit: u8);
}

impl Flip for UserRegisters {
    fn flip(&mut self, field: Field, bit: u8) {
        let bytes = match field {
            Field::Gpr(index) => self.gpr_mut(index).as_mut_bytes(),
            Field::Rip => self.rip.as_mut_bytes(),
            Field::Rflags => self.rflags.as_mut_bytes(),
            Field::Xmm(index) => {
                // XRSTOR loads what the component holds, so it must be there first.
                self.extended.normalize();
                &mut self.extended.0[xsave::XMM + 16 * usize::from(index)..][..16]
            }
            _ => panic!("no flip hits {field:?}"),
        };
        bytes[usize::from(bit / 8)] ^= 1 << (bit % 8);
    }
}
