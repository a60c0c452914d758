// SPDX-License-Identifier: MIT
//! The stack that a program starts with (System V ABI, AMD64 supplement, 3.4.1).
//!
//! Pure: strings and numbers in, bytes out. From the top down: an empty word, the
//! program's name, environment and argument strings, platform and random bytes;
//! then, on a 16-byte boundary, argc, argv, envp and the auxiliary vector.

use alloc::vec::Vec;

use linux_raw_sys::auxvec::{
    AT_BASE, AT_CLKTCK, AT_EGID, AT_ENTRY, AT_EUID, AT_EXECFN, AT_FLAGS, AT_GID, AT_HWCAP, AT_HWCAP2,
    AT_NULL, AT_PAGESZ, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PLATFORM, AT_RANDOM, AT_SECURE, AT_UID,
};

use super::elf::{HEADER_LEN, Image};
use crate::mem::fallible::{self, Exhausted};
use crate::mem::space::PAGE_LEN;

/// The most bytes of arguments and environment, pointers included: a quarter of
/// the stack, as on Linux.
pub const MAX_ARGUMENTS_LEN: u64 = super::memory::STACK_LEN / 4;
/// The longest single string with its NUL byte (Linux's `MAX_ARG_STRLEN`).
pub const MAX_STRING_LEN: u64 = 32 * PAGE_LEN;
const PLATFORM: &[u8] = b"x86_64";
const TICKS_PER_SECOND: u64 = 100;

/// Why there is no stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackError {
    /// A limit on the arguments, in bytes.
    TooLong {
        /// The limit.
        limit: u64,
    },
    /// No memory to build it in.
    Exhausted,
}

impl From<Exhausted> for StackError {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

/// What stands on the stack.
pub struct Contents<'a> {
    /// The arguments.
    pub arguments: &'a [&'a [u8]],
    /// The environment.
    pub environment: &'a [&'a [u8]],
    /// AT_RANDOM.
    pub random: [u8; 16],
    /// AT_HWCAP: of CPUID leaf 1, EDX, what user code may use.
    pub capabilities: u64,
    /// AT_HWCAP2.
    pub more_capabilities: u64,
}

/// The strings of an entry that has each ended by a NUL byte.
pub fn strings(bytes: &[u8]) -> Result<Vec<&[u8]>, Exhausted> {
    let mut list = Vec::new();
    if !bytes.is_empty() {
        for string in bytes.strip_suffix(&[0]).unwrap_or(bytes).split(|byte| *byte == 0) {
            fallible::push(&mut list, string)?;
        }
    }
    Ok(list)
}

/// Bytes that grow downwards from an address.
struct Strings {
    /// Where the next string ends.
    bottom: u64,
    /// The bytes from `bottom` on.
    bytes: Vec<u8>,
    top: u64,
}

impl Strings {
    /// Leaves room for a string and a NUL byte; returns its address.
    fn place(&mut self, string: &[u8]) -> u64 {
        self.bottom -= string.len() as u64 + 1;
        let at = self.bytes.len() - (self.top - self.bottom) as usize;
        self.bytes[at..at + string.len()].copy_from_slice(string);
        self.bottom
    }
}

impl Contents<'_> {
    /// Refuses what is too long.
    fn check(&self) -> Result<(), StackError> {
        let mut length: u64 = 0;
        for string in self.arguments.iter().chain(self.environment) {
            let string_len = string.len() as u64 + 1;
            if string_len > MAX_STRING_LEN {
                return Err(StackError::TooLong { limit: MAX_STRING_LEN });
            }
            length = length.saturating_add(string_len + 8);
        }
        if length > MAX_ARGUMENTS_LEN {
            return Err(StackError::TooLong { limit: MAX_ARGUMENTS_LEN });
        }
        Ok(())
    }

    /// The stack below `top`, for `image`: its lowest address, which is RSP, and its bytes.
    pub fn build(&self, image: &Image<'_>, top: u64) -> Result<(u64, Vec<u8>), StackError> {
        self.check()?;
        let name = self.arguments.first().copied().unwrap_or(b"");
        let fixed = [name, PLATFORM, &self.random];
        let all = self.arguments.iter().chain(self.environment).chain(&fixed);
        let strings_len = 8 + all.map(|string| string.len() + 1).sum::<usize>();
        let mut bytes = Vec::new();
        fallible::resize(&mut bytes, strings_len, || 0)?;
        let mut strings = Strings { bottom: top - 8, bytes, top };

        let name_at = strings.place(name);
        // The last string is the highest: argv[0] begins the argument strings.
        let environment = self.place_all(self.environment, &mut strings)?;
        let arguments = self.place_all(self.arguments, &mut strings)?;
        let platform_at = strings.place(PLATFORM);
        let random_at = strings.place(&self.random);

        let mut words = Vec::new();
        fallible::push(&mut words, self.arguments.len() as u64)?;
        for list in [&arguments, &environment] {
            fallible::extend(&mut words, list)?;
            fallible::push(&mut words, 0)?;
        }
        let auxiliary = [
            (AT_HWCAP, self.capabilities),
            (AT_PAGESZ, PAGE_LEN),
            (AT_CLKTCK, TICKS_PER_SECOND),
            (AT_PHDR, image.headers),
            (AT_PHENT, HEADER_LEN),
            (AT_PHNUM, image.header_count),
            (AT_BASE, 0),
            (AT_FLAGS, 0),
            (AT_ENTRY, image.entry),
            (AT_UID, 0),
            (AT_EUID, 0),
            (AT_GID, 0),
            (AT_EGID, 0),
            (AT_SECURE, 0),
            (AT_RANDOM, random_at),
            (AT_HWCAP2, self.more_capabilities),
            (AT_EXECFN, name_at),
            (AT_PLATFORM, platform_at),
            (AT_NULL, 0),
        ];
        for (kind, value) in auxiliary {
            fallible::extend(&mut words, &[u64::from(kind), value])?;
        }

        let pointer = (strings.bottom - 8 * words.len() as u64) & !15;
        let mut stack = Vec::new();
        let length = (top - pointer) as usize;
        fallible::reserve_exact(&mut stack, length)?;
        for word in &words {
            fallible::extend(&mut stack, &word.to_le_bytes())?;
        }
        fallible::resize(&mut stack, length - strings.bytes.len(), || 0)?;
        fallible::extend(&mut stack, &strings.bytes)?;
        Ok((pointer, stack))
    }

    fn place_all(&self, list: &[&[u8]], strings: &mut Strings) -> Result<Vec<u64>, StackError> {
        let mut places = fallible::collect(list.iter().rev().map(|string| strings.place(string)))?;
        places.reverse();
        Ok(places)
    }
}

#[cfg(test)]
mod tests;
