// SPDX-License-Identifier: MIT
//! Where a static executable starts, where its parts lie in memory, and which part of the file that is.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use object::LittleEndian as Le;
use object::elf::{FileHeader64, PF_W, PF_X, PT_LOAD};
use object::pod::from_bytes_mut;
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

/// The part of an executable's file that is loaded: without symbols and what a debugger reads, which is most of it.
pub fn loaded(mut file: Vec<u8>) -> Result<Vec<u8>> {
    let header = FileHeader64::<Le>::parse(&*file).context("the ELF header")?;
    let segments = header.program_headers(Le, &*file).context("the program headers")?;
    let ends = segments.iter().map(|segment| segment.p_offset(Le).saturating_add(segment.p_filesz(Le)));
    let headers_end = header.e_phoff(Le).saturating_add(size_of_val(segments) as u64);
    let end = ends.fold(headers_end.max(size_of_val(header) as u64), u64::max);
    file.truncate(usize::try_from(end)?);
    let Ok((header, _)) = from_bytes_mut::<FileHeader64<Le>>(&mut file) else { bail!("it has no header") };
    // There are no sections any more.
    header.e_shoff.set(Le, 0);
    header.e_shnum.set(Le, 0);
    header.e_shstrndx.set(Le, 0);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::program;

    #[test]
    fn what_is_not_loaded_is_left_out() {
        let file = program::tests::tiny(|_| ());
        let longer = [&file[..], b"symbols"].concat();
        assert_eq!(loaded(longer).unwrap(), loaded(file.clone()).unwrap());
        // Its headers stand behind what is loaded.
        let mut behind = [&file[..], b"symbols", &file[64..64 + 56]].concat();
        behind[32..40].copy_from_slice(&(file.len() as u64 + 7).to_le_bytes());
        assert_eq!(loaded(behind.clone()).unwrap().len(), behind.len());
        assert!(loaded(b"no executable".to_vec()).is_err());
    }

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
