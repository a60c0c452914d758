// SPDX-License-Identifier: MIT
//! Integer instructions of the extensions BMI1, BMI2 and ADX.

use iced_x86::Mnemonic;

use super::super::arithmetic::{CARRY, OVERFLOW, SIGN, ZERO};
use super::super::operand::mask;
use super::Work;

impl Work<'_> {
    /// Instructions of the extensions BMI1, BMI2 and ADX.
    pub(super) fn extended(&mut self, value: u64) -> u64 {
        use Mnemonic::*;
        let it = self.arithmetic();
        let bits = it.bits;
        let describe = |result, carry: bool| {
            let (_, flags) = it.bitwise(result);
            flags & (SIGN | ZERO) | if carry { CARRY } else { 0 }
        };
        let lowest = value & value.wrapping_neg();
        let by = |count: u64| count as u32 % bits;
        let (result, flags) = match self.instruction.mnemonic() {
            Andn => (!self.value(1) & value, Some(false)),
            Blsi => (lowest, Some(value != 0)),
            Blsmsk => ((value ^ value.wrapping_sub(1)) & it.mask(), Some(value == 0)),
            Blsr => (value & value.wrapping_sub(1), Some(value == 0)),
            Bextr => {
                let control = self.value(2);
                let (start, length) = (control as u8 as u32, (control >> 8) as u8 as u32);
                let kept = value.checked_shr(start).unwrap_or(0);
                (kept & !u64::MAX.checked_shl(length).unwrap_or(0), Some(false))
            }
            Bzhi => {
                let from = self.value(2) as u8 as u32;
                (value & !u64::MAX.checked_shl(from).unwrap_or(0), Some(from >= bits))
            }
            Pdep => (deposit(self.value(1), value), None),
            Pext => (extract(self.value(1), value), None),
            Rorx => (it.rotate_right(value, by(self.value(2))).0, None),
            Shlx => (value << by(self.value(2)) & it.mask(), None),
            Shrx => (value >> by(self.value(2)), None),
            Sarx => ((it.signed(value) >> by(self.value(2))) as u64 & it.mask(), None),
            Mulx => return self.multiplied_without_flags(value),
            _ => return self.added_with(value),
        };
        if let Some(carry) = flags {
            let which = if self.instruction.mnemonic() == Bextr { ZERO } else { SIGN | ZERO };
            self.set_flags(which | CARRY | OVERFLOW, describe(result, carry));
        }
        self.loaded(result)
    }

    fn multiplied_without_flags(&mut self, value: u64) -> u64 {
        let by = if self.length == 8 { self.registers.rdx } else { self.registers.rdx & mask(4) };
        let (low, high, _) = self.arithmetic().multiply(value, by);
        // Where both are one register, the high half is kept.
        self.set(1, low);
        self.set(0, high);
        value
    }

    /// ADCX and ADOX: each has a carry flag of its own.
    fn added_with(&mut self, value: u64) -> u64 {
        let carry = if self.instruction.mnemonic() == Mnemonic::Adcx { CARRY } else { OVERFLOW };
        let (sum, flags) = self.arithmetic().add(self.value(0), value, self.flags() & carry != 0);
        self.set_flags(carry, if flags & CARRY != 0 { carry } else { 0 });
        self.loaded(sum)
    }
}

/// PDEP: the low bits of `value` go where `mask` has bits.
fn deposit(value: u64, mask: u64) -> u64 {
    let (mut result, mut left, mut next) = (0, mask, value);
    while left != 0 {
        let lowest = left & left.wrapping_neg();
        if next & 1 != 0 {
            result |= lowest;
        }
        (next, left) = (next >> 1, left & !lowest);
    }
    result
}

/// PEXT: the bits of `value` where `mask` has some are put together.
fn extract(value: u64, mask: u64) -> u64 {
    let (mut result, mut left, mut to) = (0, mask, 1u64);
    while left != 0 {
        let lowest = left & left.wrapping_neg();
        if value & lowest != 0 {
            result |= to;
        }
        (to, left) = (to << 1, left & !lowest);
    }
    result
}
