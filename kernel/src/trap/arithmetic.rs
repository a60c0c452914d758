// SPDX-License-Identifier: MIT
//! Integer arithmetic as the processor does it, with its flags (Intel SDM vol. 2).
//!
//! Flags that the manual leaves undefined get some value, always the same for the same operands.

/// RFLAGS.CF, carry flag.
pub const CARRY: u64 = 1 << 0;
/// RFLAGS.PF, parity flag.
pub const PARITY: u64 = 1 << 2;
/// RFLAGS.AF, auxiliary carry flag.
pub const AUXILIARY: u64 = 1 << 4;
/// RFLAGS.ZF, zero flag.
pub const ZERO: u64 = 1 << 6;
/// RFLAGS.SF, sign flag.
pub const SIGN: u64 = 1 << 7;
/// RFLAGS.DF, direction flag.
pub const DIRECTION: u64 = 1 << 10;
/// RFLAGS.OF, overflow flag.
pub const OVERFLOW: u64 = 1 << 11;
/// The flags that tell of a result.
pub const STATUS: u64 = CARRY | PARITY | AUXILIARY | ZERO | SIGN | OVERFLOW;
/// The flags that a rotation changes.
pub const ROTATED: u64 = CARRY | OVERFLOW;

/// Arithmetic on numbers of so many bits: 8, 16, 32 or 64. Operands have no bits above.
#[derive(Clone, Copy, Debug)]
pub struct Arithmetic {
    /// How many bits.
    pub bits: u32,
}

/// A result, and the flags that tell of it.
pub type Flagged = (u64, u64);

fn flag(flag: u64, is_set: bool) -> u64 {
    if is_set { flag } else { 0 }
}

impl Arithmetic {
    /// All bits.
    pub fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    fn top(self, value: u64) -> bool {
        value >> (self.bits - 1) & 1 != 0
    }

    /// The number with its sign in all of 64 bits.
    pub fn signed(self, value: u64) -> i64 {
        let unused = 64 - self.bits;
        (value << unused) as i64 >> unused
    }

    /// Sign, zero and parity of a result.
    fn describe(self, result: u64) -> u64 {
        flag(SIGN, self.top(result))
            | flag(ZERO, result == 0)
            | flag(PARITY, (result as u8).count_ones().is_multiple_of(2))
    }

    /// ADD and ADC.
    pub fn add(self, a: u64, b: u64, carry: bool) -> Flagged {
        let sum = u128::from(a) + u128::from(b) + u128::from(carry);
        let result = sum as u64 & self.mask();
        let flags = flag(CARRY, sum >> self.bits != 0)
            | flag(OVERFLOW, self.top(!(a ^ b) & (a ^ result)))
            | (a ^ b ^ result) & AUXILIARY;
        (result, flags | self.describe(result))
    }

    /// SUB, SBB and CMP.
    pub fn subtract(self, a: u64, b: u64, borrow: bool) -> Flagged {
        let result = a.wrapping_sub(b).wrapping_sub(borrow.into()) & self.mask();
        let flags = flag(CARRY, u128::from(a) < u128::from(b) + u128::from(borrow))
            | flag(OVERFLOW, self.top((a ^ b) & (a ^ result)))
            | (a ^ b ^ result) & AUXILIARY;
        (result, flags | self.describe(result))
    }

    /// What a bitwise operation has come to.
    pub fn bitwise(self, result: u64) -> Flagged {
        (result, self.describe(result))
    }

    /// How far a shift by `count` goes: of that, the processor looks at five bits, or six.
    pub fn distance(self, count: u64) -> u32 {
        count as u32 & if self.bits == 64 { 63 } else { 31 }
    }

    /// SHL by one bit at least.
    pub fn shift_left(self, value: u64, count: u32) -> Flagged {
        let wide = u128::from(value) << count;
        let result = wide as u64 & self.mask();
        let carry = wide >> self.bits & 1 != 0;
        let flags = flag(CARRY, carry) | flag(OVERFLOW, self.top(result) != carry);
        (result, flags | self.describe(result))
    }

    /// SHR by one bit at least.
    pub fn shift_right(self, value: u64, count: u32) -> Flagged {
        let result = value >> count;
        let flags = flag(CARRY, value >> (count - 1) & 1 != 0) | flag(OVERFLOW, self.top(value));
        (result, flags | self.describe(result))
    }

    /// SAR by one bit at least.
    pub fn shift_right_signed(self, value: u64, count: u32) -> Flagged {
        let signed = self.signed(value);
        let result = (signed >> count) as u64 & self.mask();
        (result, flag(CARRY, signed >> (count - 1) & 1 != 0) | self.describe(result))
    }

    /// SHLD by one bit at least: `value` takes in the high bits of `filler`.
    pub fn shift_left_from(self, value: u64, filler: u64, count: u32) -> Flagged {
        let wide = u128::from(value) << self.bits | u128::from(filler);
        let result = ((wide << count) >> self.bits) as u64 & self.mask();
        let carry = wide >> (2 * self.bits - count) & 1 != 0;
        let flags = flag(CARRY, carry) | flag(OVERFLOW, self.top(result ^ value));
        (result, flags | self.describe(result))
    }

    /// SHRD by one bit at least: `value` takes in the low bits of `filler`.
    pub fn shift_right_from(self, value: u64, filler: u64, count: u32) -> Flagged {
        let wide = u128::from(filler) << self.bits | u128::from(value);
        let result = (wide >> count) as u64 & self.mask();
        let flags = flag(CARRY, wide >> (count - 1) & 1 != 0) | flag(OVERFLOW, self.top(result ^ value));
        (result, flags | self.describe(result))
    }

    /// ROL by one bit at least; of the flags, only CF and OF are meant.
    pub fn rotate_left(self, value: u64, count: u32) -> Flagged {
        let by = count % self.bits;
        let wide = u128::from(value) << by;
        let result = (wide | wide >> self.bits) as u64 & self.mask();
        let carry = result & 1 != 0;
        (result, flag(CARRY, carry) | flag(OVERFLOW, self.top(result) != carry))
    }

    /// ROR by one bit at least; of the flags, only CF and OF are meant.
    pub fn rotate_right(self, value: u64, count: u32) -> Flagged {
        let (result, _) = self.rotate_left(value, self.bits - count % self.bits);
        let carry = self.top(result);
        (result, flag(CARRY, carry) | flag(OVERFLOW, carry != self.top(result << 1 & self.mask())))
    }

    /// RCL: the carry is one more bit above. `None` if nothing moves.
    pub fn rotate_carry_left(self, value: u64, carry: bool, count: u32) -> Option<Flagged> {
        let around = self.bits + 1;
        let by = count % around;
        let wide = u128::from(carry) << self.bits | u128::from(value);
        let wide = wide << by | wide >> (around - by);
        let result = wide as u64 & self.mask();
        let carry = wide >> self.bits & 1 != 0;
        (by > 0).then(|| (result, flag(CARRY, carry) | flag(OVERFLOW, self.top(result) != carry)))
    }

    /// RCR: the carry is one more bit above. `None` if nothing moves.
    pub fn rotate_carry_right(self, value: u64, carry: bool, count: u32) -> Option<Flagged> {
        let around = self.bits + 1;
        let by = count % around;
        let (result, flags) = self.rotate_carry_left(value, carry, around - by)?;
        let overflow = self.top(result) != self.top(result << 1 & self.mask());
        Some((result, flags & CARRY | flag(OVERFLOW, overflow)))
    }

    /// MUL: the low and the high half.
    pub fn multiply(self, a: u64, b: u64) -> (u64, u64, u64) {
        let product = u128::from(a) * u128::from(b);
        let (low, high) = (product as u64 & self.mask(), (product >> self.bits) as u64 & self.mask());
        (low, high, flag(ROTATED, high != 0))
    }

    /// IMUL: the low and the high half.
    pub fn multiply_signed(self, a: u64, b: u64) -> (u64, u64, u64) {
        let product = i128::from(self.signed(a)) * i128::from(self.signed(b));
        let (low, high) = (product as u64 & self.mask(), (product >> self.bits) as u64 & self.mask());
        (low, high, flag(ROTATED, i128::from(self.signed(low)) != product))
    }

    /// DIV: quotient and remainder; `None` if there is no quotient of this length.
    pub fn divide(self, high: u64, low: u64, by: u64) -> Option<(u64, u64)> {
        let dividend = u128::from(high) << self.bits | u128::from(low);
        let quotient = dividend.checked_div(by.into())?;
        let remainder = dividend % u128::from(by);
        (quotient <= u128::from(self.mask())).then_some((quotient as u64, remainder as u64))
    }

    /// IDIV: quotient and remainder; `None` if there is no quotient of this length.
    pub fn divide_signed(self, high: u64, low: u64, by: u64) -> Option<(u64, u64)> {
        let dividend = i128::from(self.signed(high)) << self.bits | i128::from(low);
        let by = i128::from(self.signed(by));
        let quotient = dividend.checked_div(by)?;
        let remainder = dividend.checked_rem(by)?;
        let result = quotient as u64 & self.mask();
        let fits = i128::from(self.signed(result)) == quotient;
        fits.then_some((result, remainder as u64 & self.mask()))
    }
}

/// CRC32: takes so many bytes of `data` into a sum (the polynomial 11EDC6F41H, bits reversed).
pub fn crc(sum: u32, data: u64, bytes: usize) -> u32 {
    data.to_le_bytes().iter().take(bytes).fold(sum, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 != 0 { 0x82f6_3b78 } else { 0 })
    })
}
