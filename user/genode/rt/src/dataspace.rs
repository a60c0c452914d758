// SPDX-License-Identifier: MIT
//! Memory that is attached to the component's own address space.

use core::sync::atomic::AtomicU64;

use nova_rt::{PAGE, access};

use crate::cap::Cap;
use crate::services::{ANYWHERE, pd, rom};
use crate::{Env, Failure, Result};

/// Attached memory; it is detached when this is dropped.
#[derive(Debug)]
pub struct Attached {
    pd: pd::Client,
    address: u64,
    size: u64,
}

impl Attached {
    /// Attaches all of a dataspace of so many bytes to an address space that is the caller's own.
    pub fn new(pd: pd::Client, dataspace: Cap, size: u64, access: u64) -> Result<Self> {
        let address = pd.attach(dataspace, 0, 0, ANYWHERE, access)?;
        Ok(Self { pd, address, size })
    }

    /// The address of the first byte.
    #[must_use]
    pub const fn address(&self) -> u64 {
        self.address
    }

    /// The number of bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// All bytes. What others write to the memory meanwhile is seen or not; a reader has to bear with either.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: core showed this memory at the address, of this size, until it is detached.
        unsafe { core::slice::from_raw_parts(self.address as *const u8, self.size as usize) }
    }

    /// All bytes, to be changed; a store is a fault if the memory was not attached for that.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else in this component has a reference.
        unsafe { core::slice::from_raw_parts_mut(self.address as *mut u8, self.size as usize) }
    }

    /// All words, for memory that others write meanwhile.
    #[must_use]
    pub fn shared(&self) -> &[AtomicU64] {
        // SAFETY: as above; words that others write are atomic ones here.
        unsafe { core::slice::from_raw_parts(self.address as *const AtomicU64, (self.size / 8) as usize) }
    }

    /// The word at an offset, which has to be a multiple of 8; for memory that is shared, and for devices.
    #[must_use]
    pub fn word(&self, offset: u64) -> u64 {
        assert!(
            offset.is_multiple_of(8) && offset + 8 <= self.size.next_multiple_of(PAGE),
            "the word lies inside"
        );
        access::read(self.address + offset)
    }

    /// Sets the word at an offset, which has to be a multiple of 8.
    pub fn set_word(&self, offset: u64, value: u64) {
        assert!(
            offset.is_multiple_of(8) && offset + 8 <= self.size.next_multiple_of(PAGE),
            "the word lies inside"
        );
        access::write(self.address + offset, value);
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.pd.detach(self.address);
    }
}

/// A ROM and its content.
#[derive(Debug)]
pub struct Rom {
    /// The session.
    pub session: rom::Client,
    env: Env,
    content: Option<Attached>,
}

impl Rom {
    /// Opens a ROM; it says so and never returns if the parent refuses it.
    pub fn open(env: Env, label: &str) -> Result<Self> {
        let mut rom = Self { session: env.session(label), env, content: None };
        rom.read()?;
        Ok(rom)
    }

    /// Reads the newest version.
    pub fn read(&mut self) -> Result<()> {
        self.content = None;
        let (dataspace, size) = self.session.dataspace()?;
        self.content = match dataspace.is_none() {
            true => None,
            false => Some(Attached::new(self.env.pd, dataspace, size, 0)?),
        };
        Ok(())
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.content.as_ref().map_or(&[], Attached::bytes)
    }

    /// The bytes up to the first zero, as text.
    pub fn text(&self) -> Result<&str> {
        let bytes = self.bytes();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        core::str::from_utf8(&bytes[..end]).map_err(|_| Failure::BadArgument)
    }
}
