// SPDX-License-Identifier: MIT
//! Bytes of the structures that system calls hand to the program.

/// A structure of `N` bytes, little-endian; what is not set stays zero.
pub struct Layout<const N: usize>(pub [u8; N]);

impl<const N: usize> Layout<N> {
    /// All zeros.
    pub const fn new() -> Self {
        Self([0; N])
    }

    /// Sets a field of two bytes.
    pub fn u16(self, at: usize, value: u16) -> Self {
        self.bytes(at, &value.to_le_bytes())
    }

    /// Sets a field of four bytes.
    pub fn u32(self, at: usize, value: u32) -> Self {
        self.bytes(at, &value.to_le_bytes())
    }

    /// Sets a field of eight bytes.
    pub fn u64(self, at: usize, value: u64) -> Self {
        self.bytes(at, &value.to_le_bytes())
    }

    /// Sets a field of bytes.
    pub fn bytes(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }
}

/// The eight-byte field at `at` of a structure that was read.
pub fn get_u64<const N: usize>(structure: &[u8; N], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&structure[at..at + 8]);
    u64::from_le_bytes(field)
}

/// The four-byte field at `at` of a structure that was read.
pub fn get_u32<const N: usize>(structure: &[u8; N], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&structure[at..at + 4]);
    u32::from_le_bytes(field)
}
