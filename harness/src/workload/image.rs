// SPDX-License-Identifier: MIT
//! Where a static executable starts, and where its parts lie in memory.

use std::ops::Range;

use anyhow::{Context, Result};
use object::LittleEndian as Le;
use object::elf::{FileHeader64, PF_W, PF_X, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

/// What an executable says of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Image {
    /// Its entry point.
    pub entry: u64,
    /// Addresses of its code.
    pub code: Vec<Range<u64>>,
    /// Addresses of its data.
    pub data: Vec<Range<u64>>,
}

impl Image {
    /// Reads the headers of an ELF file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let header = FileHeader64::<Le>::parse(bytes).context("the ELF header")?;
        let segments = header.program_headers(Le, bytes).context("the program headers")?;
        let with = |flag: u32| {
            let wanted =
                segments.iter().filter(|one| one.p_type(Le) == PT_LOAD && one.p_flags(Le) & flag != 0);
            wanted.map(|one| one.p_vaddr(Le)..one.p_vaddr(Le) + one.p_memsz(Le)).collect()
        };
        Ok(Self { entry: header.e_entry(Le), code: with(PF_X), data: with(PF_W) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::program;

    #[test]
    fn segments_are_told_apart_by_their_flags() {
        let image = |flags| Image::parse(&program::tests::tiny(|file| file[68] = flags)).unwrap();
        let (code, data) = (image(5), image(6));
        assert_eq!(code.entry, 0x40_0078);
        assert_eq!((&code.code[0], code.data.len()), (&(0x40_0000..0x40_0080), 0));
        assert_eq!((data.code.len(), &data.data[0]), (0, &(0x40_0000..0x40_0080)));
        assert!(Image::parse(b"\x7fELF").is_err());
    }
}
